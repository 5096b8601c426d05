//! H.264 for conversation: Constrained Baseline, one reference, no reordering, so that a frame goes in and its packet
//! comes out, and the other way round.
//!
//! Keyframes come at the start and on request only. Over a transport that loses nothing a regular one would only be a
//! burst, several times the size of its neighbours, that delays what is behind it.

mod decoder;
mod encoder;
mod nal;
mod option;
mod sps;

pub use decoder::{Decoder, Picture};
pub use encoder::{Encoder, EncoderConfig};

use crate::MediaTime;

/// One coded frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The access unit in Annex B form (start codes); a keyframe's begins with the parameter sets.
    pub data: Vec<u8>,
    /// Decoding can start here.
    pub keyframe: bool,
    /// The frame's time.
    pub time: MediaTime,
}

#[cfg(test)]
mod tests;
