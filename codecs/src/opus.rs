//! Opus (RFC 6716) for speech: 20 ms mono frames at 48 kHz.

mod decoder;
mod encoder;

pub use decoder::{Decoder, samples};
pub use encoder::{Config, Encoder};

/// Samples a second.
pub const SAMPLE_RATE: u32 = 48_000;

/// Samples in a frame: 20 ms.
pub const FRAME: usize = 960;

/// One coded frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The Opus packet; never empty.
    pub data: Vec<u8>,
    /// Nothing but background: the receiver fills in by itself and the packet, of a byte or two, need not be sent.
    pub dtx: bool,
}

#[cfg(test)]
mod tests;
