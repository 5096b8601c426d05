//! Devices, pipelines and clocks of a call: from the camera and the microphone to opaque payloads, and from those to pictures
//! and sound.
//!
//! Everything here runs on threads of its own. Nothing here knows HTTP or windows: coded media leaves and enters as plain
//! values, pictures wait in a [`slot::Slot`] for whoever shows them, and a device that fails is reported as a [`Trouble`] while the
//! call goes on.

#![warn(missing_docs)]

pub mod error;
pub mod gate;
pub mod payload;
pub mod report;
pub mod slot;
pub mod spec;
pub mod stats;
pub mod track;
pub mod trouble;

pub use error::Error;
pub use gate::Gate;
pub use report::Report;
pub use slot::Slot;
pub use spec::{CameraSpec, MicrophoneSpec, SpeakerSpec, VideoConfig};
pub use stats::Stats;
pub use track::{Incoming, Kind, Outgoing, Sink};
pub use trouble::{Part, Trouble};
