//! What microphone and speaker share: the system's devices, the streams on them and the rings between their callbacks and our
//! threads.

pub(crate) mod callback;
pub(crate) mod device;
pub(crate) mod lookout;
pub(crate) mod ring;
pub(crate) mod stream;
pub(crate) mod watch;
pub(crate) mod whereabouts;
