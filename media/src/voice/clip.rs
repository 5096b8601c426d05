//! A voice message as it came.

use std::{sync::Arc, time::Duration};

use codecs::opus::{SAMPLE_RATE, samples};

use super::ogg;

/// Packets of one clip: half an hour of the usual 20 ms. What is longer is no voice message.
const PACKETS_MAX: usize = 90_000;

/// A voice message, ready to be played. Clones share the sound.
#[derive(Clone, Debug)]
pub struct Clip {
    pub(super) packets: Arc<Vec<Vec<u8>>>,
    /// Samples at 48 kHz to be left out at the beginning.
    pub(super) skip: usize,
    /// Samples at 48 kHz to be played after those.
    pub(super) samples: usize,
}

impl Clip {
    /// Reads a file; none where it isn't Opus in Ogg, is damaged, or is longer than any voice message.
    #[must_use]
    pub fn read(file: &[u8]) -> Option<Self> {
        let contents = ogg::read(file, PACKETS_MAX)?;
        let mut all = 0;
        for packet in &contents.packets {
            all += samples(packet).ok()?;
        }
        let end = contents.end.map_or(all, |end| usize::try_from(end).unwrap_or(all).min(all));
        Some(Self { packets: Arc::new(contents.packets), skip: contents.skip, samples: end.saturating_sub(contents.skip) })
    }

    /// How long it plays.
    #[must_use]
    pub fn length(&self) -> Duration {
        length(self.samples)
    }
}

/// How long so many samples at 48 kHz are.
pub(super) fn length(samples: usize) -> Duration {
    Duration::from_micros(samples as u64 * 1_000_000 / u64::from(SAMPLE_RATE))
}

#[cfg(test)]
mod tests {
    use codecs::opus::{Config, Encoder, FRAME};
    use proptest::prelude::*;

    use super::{super::ogg::Writer, *};

    /// Three seconds of silence.
    fn file() -> Vec<u8> {
        let mut encoder = Encoder::new(Config { dtx: false, ..Config::default() }).unwrap();
        let mut writer = Writer::new(312);
        let mut packet = || encoder.encode(&[0.0; FRAME]).unwrap().data;
        (0..150).for_each(|_| writer.packet(packet()));
        writer.finish(packet())
    }

    #[test]
    fn a_clip_is_as_long_as_what_was_said() {
        let clip = Clip::read(&file()).unwrap();
        assert_eq!((clip.packets.len(), clip.skip, clip.length()), (151, 312, Duration::from_secs(3)));
    }

    #[test]
    fn what_is_no_voice_message_is_refused() {
        let whole = file();
        for bytes in [&b""[..], b"RIFF", b"OggS", &whole[1..]] {
            assert!(Clip::read(bytes).is_none());
        }
        let mut vorbis = whole.clone();
        let head = vorbis.windows(8).position(|window| window == b"OpusHead").unwrap();
        vorbis[head..head + 8].copy_from_slice(b"\x01vorbis ");
        assert!(Clip::read(&vorbis).is_none());
        // One cut short ends where it is cut, or is none.
        for length in (0..whole.len()).step_by(7) {
            assert!(Clip::read(&whole[..length]).is_none_or(|clip| clip.length() <= Duration::from_secs(3)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn broken_bytes_never_panic(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)) {
            let mut bytes = file();
            for (at, value) in damage {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let _ = Clip::read(&bytes);
        }
    }
}
