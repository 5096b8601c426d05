//! What is received: each peer's tracks on their way from the network to the screen and the speaker.

pub(crate) mod asking;
pub(crate) mod audio;
pub(crate) mod freezes;
mod hold;
mod pool;
pub(crate) mod together;
pub(crate) mod video;
