//! What is inside a chunk: one byte of flags, then the coded data. Opaque to the relay.
//!
//! | kind | flags | data |
//! |---|---|---|
//! | video | bit 0: full range, bit 1: BT.709 (else BT.601) | one H.264 access unit in Annex B form; a keyframe carries SPS and PPS |
//! | audio | bit 0: silence marker | one Opus packet of 20 ms, mono, 48 kHz |
//!
//! The other bits are 0 and ignored by readers. A silence marker says that nothing more may come until there is something
//! to hear: what is missing after it is no loss.

use bytes::{BufMut, Bytes, BytesMut};
use codecs::{Color, Matrix, Range};
use thiserror::Error;

/// The longest payload, in bytes: what one chunk on the wire may carry.
pub const PAYLOAD_MAX: usize = 262_144;

/// The longest Opus packet of 20 ms, in bytes (RFC 6716, section 3.4: one frame has at most 1275, and a byte to say so).
pub const OPUS_MAX: usize = 1_276;

const FULL_RANGE: u8 = 1;
const BT709: u8 = 2;
const SILENCE: u8 = 1;

/// A payload that no sender of this format makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Malformed {
    /// There is no data behind the flags, or not even flags.
    #[error("the payload has no data")]
    Empty,
    /// It is longer than one packet may be.
    #[error("the payload has {0} bytes, more than a packet may have")]
    TooLong(usize),
}

/// One coded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Video {
    /// How the picture's numbers mean colours.
    pub color: Color,
    /// The access unit.
    pub data: Bytes,
}

/// 20 ms of coded sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audio {
    /// Nothing to hear from here on, and perhaps nothing sent.
    pub silence: bool,
    /// The Opus packet.
    pub data: Bytes,
}

impl Video {
    /// The payload of an access unit.
    ///
    /// # Errors
    /// When the access unit is empty or longer than [`PAYLOAD_MAX`] - 1 bytes.
    pub fn encode(color: Color, access_unit: &[u8]) -> Result<Bytes, Malformed> {
        let range = if color.range == Range::Full { FULL_RANGE } else { 0 };
        let matrix = if color.matrix == Matrix::Bt709 { BT709 } else { 0 };
        join(range | matrix, access_unit, PAYLOAD_MAX)
    }

    /// Reads a payload; the data shares its memory.
    ///
    /// # Errors
    /// When it is no payload of a video track.
    pub fn decode(payload: Bytes) -> Result<Self, Malformed> {
        let (flags, data) = split(payload, PAYLOAD_MAX)?;
        let range = if flags & FULL_RANGE != 0 { Range::Full } else { Range::Limited };
        let matrix = if flags & BT709 != 0 { Matrix::Bt709 } else { Matrix::Bt601 };
        Ok(Self { color: Color { range, matrix }, data })
    }
}

impl Audio {
    /// The payload of an Opus packet.
    ///
    /// # Errors
    /// When the packet is empty or longer than [`OPUS_MAX`] bytes.
    pub fn encode(silence: bool, packet: &[u8]) -> Result<Bytes, Malformed> {
        join(if silence { SILENCE } else { 0 }, packet, OPUS_MAX + 1)
    }

    /// Reads a payload; the data shares its memory.
    ///
    /// # Errors
    /// When it is no payload of an audio track.
    pub fn decode(payload: Bytes) -> Result<Self, Malformed> {
        let (flags, data) = split(payload, OPUS_MAX + 1)?;
        Ok(Self { silence: flags & SILENCE != 0, data })
    }
}

fn join(flags: u8, data: &[u8], longest: usize) -> Result<Bytes, Malformed> {
    check(data.len() + 1, longest)?;
    let mut payload = BytesMut::with_capacity(data.len() + 1);
    payload.put_u8(flags);
    payload.put_slice(data);
    Ok(payload.freeze())
}

fn split(payload: Bytes, longest: usize) -> Result<(u8, Bytes), Malformed> {
    check(payload.len(), longest)?;
    Ok((payload[0], payload.slice(1..)))
}

fn check(length: usize, longest: usize) -> Result<(), Malformed> {
    if length < 2 {
        Err(Malformed::Empty)
    } else if length > longest {
        Err(Malformed::TooLong(length))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bytes_are_as_documented() {
        let color = Color { range: Range::Full, matrix: Matrix::Bt709 };
        assert_eq!(Video::encode(color, &[7, 8]).unwrap()[..], [3, 7, 8]);
        assert_eq!(Video::encode(Color { range: Range::Full, matrix: Matrix::Bt601 }, &[7]).unwrap()[..], [1, 7]);
        assert_eq!(Video::encode(Color::default(), &[7]).unwrap()[..], [0, 7]);
        assert_eq!(Audio::encode(true, &[9]).unwrap()[..], [1, 9]);
        assert_eq!(Audio::encode(false, &[9]).unwrap()[..], [0, 9]);
    }

    #[test]
    fn later_flags_are_ignored() {
        let video = Video::decode(Bytes::from_static(&[0xFD, 1])).unwrap();
        assert_eq!(video.color, Color { range: Range::Full, matrix: Matrix::Bt601 });
        assert!(!Audio::decode(Bytes::from_static(&[0xFE, 1])).unwrap().silence);
    }

    #[test]
    fn what_is_no_payload_is_refused() {
        assert_eq!(Video::decode(Bytes::new()), Err(Malformed::Empty));
        assert_eq!(Audio::decode(Bytes::from_static(&[1])), Err(Malformed::Empty));
        assert_eq!(Audio::decode(vec![0; OPUS_MAX + 2].into()), Err(Malformed::TooLong(OPUS_MAX + 2)));
        assert_eq!(Video::encode(Color::default(), &vec![0; PAYLOAD_MAX]), Err(Malformed::TooLong(PAYLOAD_MAX + 1)));
        assert_eq!(Audio::encode(false, &[]), Err(Malformed::Empty));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(data in prop::collection::vec(any::<u8>(), 1..600), flag: bool, other: bool) {
            let color = Color {
                range: if flag { Range::Full } else { Range::Limited },
                matrix: if other { Matrix::Bt709 } else { Matrix::Bt601 },
            };
            let video = Video::decode(Video::encode(color, &data).unwrap()).unwrap();
            prop_assert_eq!(video, Video { color, data: data.clone().into() });
            let audio = Audio::decode(Audio::encode(flag, &data).unwrap()).unwrap();
            prop_assert_eq!(audio, Audio { silence: flag, data: data.into() });
        }
    }
}
