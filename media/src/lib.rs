//! Devices, pipelines and clocks of a call: from the camera and the microphone to opaque payloads, and from those to pictures
//! and sound.
//!
//! Everything here runs on threads of its own. Nothing here knows HTTP or windows: coded media leaves and enters as plain
//! values, pictures wait in a [`slot::Slot`] for whoever shows them, and a device that fails is reported as a [`Trouble`] while the
//! call goes on.

#![warn(missing_docs)]

pub mod barcode;
pub mod call;
pub mod camera;
pub mod chirp;
pub mod devices;
mod downlink;
mod drift;
pub mod error;
pub mod gate;
mod held;
mod jitter;
mod keyframes;
mod least;
pub mod level;
pub mod microphone;
mod mixer;
mod pace;
pub mod payload;
mod playout;
pub mod rate;
pub mod reception;
pub mod recorder;
mod recording;
mod reorder;
pub mod report;
mod resample;
pub mod screen;
mod sequence;
pub mod slot;
mod sound;
pub mod speaker;
pub mod spec;
mod spell;
pub mod stats;
mod stop;
mod stretch;
pub mod track;
pub mod trouble;
mod uplink;
pub mod voice;
pub mod voice_processing;
pub mod watch;
mod wav;
mod workers;
pub mod y4m;

pub use call::Call;
pub use error::Error;
pub use gate::Gate;
pub use level::Level;
pub use report::Report;
pub use screen::ScreenTrouble;
pub use slot::Slot;
pub use spec::{CameraSpec, MicrophoneSpec, ScreenSpec, SpeakerSpec, VideoConfig};
pub use stats::Stats;
pub use track::{Incoming, Kind, Outgoing, Sink};
pub use trouble::{Part, Trouble};
pub use voice_processing::VoiceProcessing;
