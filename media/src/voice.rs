//! Voice messages: recorded into a file of Opus in Ogg, read from one, and played.

mod clip;
mod ogg;
mod player;
mod recording;

pub use clip::Clip;
pub use player::Player;
pub use recording::Recording;

use std::time::Duration;

/// No recording is longer.
pub const LONGEST: Duration = Duration::from_secs(5 * 60);
