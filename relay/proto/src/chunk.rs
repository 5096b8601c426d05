//! The wire unit of media: a fixed header of [`HEADER_LEN`] bytes and an opaque payload.
//!
//! ```text
//! offset size field
//!      0    2 magic, the letters "TV"
//!      2    1 version, 1
//!      3    1 flags: bit 0 keyframe; the others are 0 and ignored by readers
//!      4    4 track: peer * 256 + 1 (audio), 2 (video) or 3 (screen)
//!      8    4 sequence number: from 0 on, one more with each chunk of the track
//!     12    8 media time: microseconds on the track's own timeline
//!     20    4 length of the payload in bytes, 1 to 262,144
//!     24    - payload
//! ```
//!
//! All numbers are big-endian. A body holds one chunk or several, one right after the other.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::{id::TrackId, limits::PAYLOAD_MAX};

/// Length of the header in bytes.
pub const HEADER_LEN: usize = 24;

/// Where in the header the length of the payload stands: whoever only steps from chunk to chunk needs no more of it.
pub const LENGTH_AT: usize = 20;

const MAGIC: u16 = 0x5456;
const VERSION: u8 = 1;
const KEYFRAME: u8 = 1;

/// What the relay may know of a chunk; it never looks further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whose stream, of which kind.
    pub track: TrackId,
    /// Position in the track: from 0 on, one more with each chunk, wrapping after 2^32 - 1.
    pub seq: u32,
    /// Microseconds on the track's own timeline; only differences mean anything.
    pub media_time_us: u64,
    /// Whether a reader may start here. Every audio chunk is one.
    pub keyframe: bool,
}

/// Header and payload. Cloning shares the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// What the relay sees.
    pub header: Header,
    /// What only the peers see, 1 to [`PAYLOAD_MAX`] bytes.
    pub payload: Bytes,
}

/// The bytes are no chunk of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChunkError {
    /// The body ends within a header or payload.
    #[error("the body ends within a chunk: {missing} bytes are missing")]
    Truncated {
        /// How many more bytes there should be, at the least.
        missing: usize,
    },
    /// The first two bytes aren't "TV".
    #[error("a chunk begins with the letters TV")]
    Magic,
    /// The version is not spoken here.
    #[error("chunk version {0} is not known here")]
    Version(u8),
    /// The track number names no track.
    #[error(transparent)]
    Track(#[from] crate::id::NoTrack),
    /// The payload is empty or too long.
    #[error("a payload has 1 to {PAYLOAD_MAX} bytes, not {0}")]
    Length(u32),
}

impl Chunk {
    /// Length on the wire in bytes.
    #[must_use]
    pub fn wire_len(&self) -> usize {
        HEADER_LEN + self.payload.len()
    }

    /// Appends the chunk to `out`.
    pub fn encode(&self, out: &mut BytesMut) {
        out.reserve(self.wire_len());
        out.put_u16(MAGIC);
        out.put_u8(VERSION);
        out.put_u8(if self.header.keyframe { KEYFRAME } else { 0 });
        out.put_u32(self.header.track.into());
        out.put_u32(self.header.seq);
        out.put_u64(self.header.media_time_us);
        // A payload is at most PAYLOAD_MAX bytes: `decode` checks it, and so does the relay, so a longer one is only refused.
        out.put_u32(u32::try_from(self.payload.len()).unwrap_or(u32::MAX));
        out.put_slice(&self.payload);
    }

    /// Takes one chunk off the front of `body`; the payload shares the body's memory.
    ///
    /// # Errors
    /// When the bytes are no chunk. `body` is then in no defined state: drop it.
    pub fn decode(body: &mut Bytes) -> Result<Self, ChunkError> {
        if body.len() < HEADER_LEN {
            return Err(ChunkError::Truncated { missing: HEADER_LEN - body.len() });
        }
        if body.get_u16() != MAGIC {
            return Err(ChunkError::Magic);
        }
        let version = body.get_u8();
        if version != VERSION {
            return Err(ChunkError::Version(version));
        }
        let keyframe = body.get_u8() & KEYFRAME != 0;
        let track = TrackId::try_from(body.get_u32())?;
        let seq = body.get_u32();
        let media_time_us = body.get_u64();
        let length = body.get_u32();
        let wanted = length as usize;
        if wanted == 0 || wanted > PAYLOAD_MAX {
            return Err(ChunkError::Length(length));
        }
        if body.len() < wanted {
            return Err(ChunkError::Truncated { missing: wanted - body.len() });
        }
        let payload = body.split_to(wanted);
        Ok(Self { header: Header { track, seq, media_time_us, keyframe }, payload })
    }

    /// Reads a whole body.
    ///
    /// # Errors
    /// When any part of it is no chunk: then none of it counts.
    pub fn decode_all(mut body: Bytes) -> Result<Vec<Self>, ChunkError> {
        let mut chunks = Vec::new();
        while !body.is_empty() {
            chunks.push(Self::decode(&mut body)?);
        }
        Ok(chunks)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::{Kind, PeerId};

    fn chunks() -> impl Strategy<Value = Chunk> {
        let payload = prop::collection::vec(any::<u8>(), 1..300);
        (1..=u16::MAX, prop::sample::select(&Kind::ALL), any::<u32>(), any::<u64>(), any::<bool>(), payload).prop_map(
            |(peer, kind, seq, media_time_us, keyframe, payload)| Chunk {
                header: Header { track: TrackId { peer: PeerId(peer), kind }, seq, media_time_us, keyframe },
                payload: payload.into(),
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(sent in prop::collection::vec(chunks(), 0..5)) {
            let mut body = BytesMut::new();
            for chunk in &sent {
                chunk.encode(&mut body);
            }
            prop_assert_eq!(body.len(), sent.iter().map(Chunk::wire_len).sum::<usize>());
            prop_assert_eq!(Chunk::decode_all(body.freeze()), Ok(sent));
        }

        #[test]
        fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Chunk::decode_all(body.into());
        }

        #[test]
        fn a_damaged_body_never_panics_nor_grows(chunk in chunks(), at in 0_usize..24, with in any::<u8>()) {
            let mut body = BytesMut::new();
            chunk.encode(&mut body);
            body[at] = with;
            if let Ok(read) = Chunk::decode_all(body.freeze()) {
                prop_assert!(read.iter().map(|c| c.payload.len()).sum::<usize>() <= chunk.payload.len());
            }
        }

        #[test]
        fn a_cut_body_is_told(chunk in chunks(), keep in 0.0_f64..1.0) {
            let mut body = BytesMut::new();
            chunk.encode(&mut body);
            let cut = (body.len() as f64 * keep) as usize;
            let outcome = Chunk::decode(&mut body.freeze().slice(..cut));
            let told = matches!(outcome, Err(ChunkError::Truncated { .. }));
            prop_assert!(told);
        }
    }
}
