//! Devices, pipelines and clocks of a call: from the camera and the microphone to opaque payloads, and from those to pictures
//! and sound.
//!
//! Everything here runs on threads of its own. Nothing here knows HTTP or windows: coded media leaves and enters as plain
//! values, pictures wait in a [`slot::Slot`] for whoever shows them, and a device that fails is reported as a [`Trouble`] while the
//! call goes on.

#![warn(missing_docs)]

pub mod error;
pub mod gate;
pub mod slot;
pub mod spec;
pub mod trouble;

pub use error::Error;
pub use spec::{CameraSpec, MicrophoneSpec, SpeakerSpec, VideoConfig};
pub use trouble::{Part, Trouble};
