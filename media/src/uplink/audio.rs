//! The sound sent: 20 ms at a time, and next to nothing while there is nothing to hear.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use codecs::{
    MediaTime,
    opus::{Config, Encoder, FRAME},
};

use super::{Failure, Track};
use crate::{
    MicrophoneSpec,
    devices::choice::Wish,
    level::{Level, Meter},
    microphone::Microphone,
    payload,
    spell::Spell,
    stats::AudioSent,
    stop::Stop,
    voice_processing::Processor,
};

/// How soon the thread notices its end while the microphone gives nothing.
const WAIT: Duration = Duration::from_millis(100);

/// What the thread shares with the call that owns it.
#[derive(Clone, Default)]
pub(crate) struct Shared {
    muted: Arc<AtomicBool>,
    /// What the encoder is to aim at; 0 is its own choice.
    bits_per_second: Arc<AtomicU32>,
    stats: Arc<Mutex<AudioSent>>,
}

impl Shared {
    pub(crate) fn set_muted(&self, muted: bool) {
        self.muted.store(muted, Ordering::Relaxed);
    }

    /// What sound may cost from the next frame on, in bits a second.
    pub(crate) fn set_bitrate(&self, bits_per_second: u32) {
        self.bits_per_second.store(bits_per_second, Ordering::Relaxed);
    }

    /// How loud the microphone is, muted or not.
    pub(crate) fn level(&self) -> Level {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner).level
    }

    pub(crate) fn stats(&self) -> AudioSent {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Encodes the microphone's frames.
pub(crate) struct Audio {
    shared: Shared,
    track: Track,
    encoder: Option<Encoder>,
    meter: Meter,
    /// The receivers know that there's nothing to hear.
    quiet: bool,
    failing: Spell,
    /// What the encoder was last told; 0 is nothing.
    bits_per_second: u32,
}

/// Reads the microphone until stopped.
pub(crate) fn run(wish: &Wish<MicrophoneSpec>, call_start: Instant, mut processor: Processor, mut audio: Audio, stop: &Stop) {
    let start = call_start.elapsed();
    let (_microphone, mut samples) = Microphone::begin(wish);
    let mut frame = [0.0; FRAME];
    while !stop.is_set() {
        let read = samples.read(&mut frame, WAIT);
        audio.lost(samples.lost());
        if let Some(time) = read {
            let late = processor.process(&mut frame);
            audio.frame((time + start) - late, &frame);
        }
    }
}

impl Audio {
    pub(crate) fn new(shared: Shared, track: Track) -> Self {
        // Nothing has been sent, so nobody expects anything.
        Self { shared, track, encoder: None, meter: Meter::default(), quiet: true, failing: Spell::default(), bits_per_second: 0 }
    }

    /// So much sound was lost so far on its way from the microphone.
    fn lost(&self, lost: Duration) {
        self.shared.stats.lock().unwrap_or_else(PoisonError::into_inner).lost = lost;
    }

    /// Takes the next 20 ms, captured at `time` after the call's start.
    pub(crate) fn frame(&mut self, time: MediaTime, samples: &[f32; FRAME]) {
        let muted = self.shared.muted.load(Ordering::Relaxed);
        let outcome = if muted && self.quiet {
            Ok(None)
        } else {
            // A frame of silence, not of the room, ends the sound of one who mutes.
            self.encode(if muted { &[0.0; FRAME] } else { samples }, muted)
        };
        let level = self.meter.measure(samples);
        let mut stats = self.shared.stats.lock().unwrap_or_else(PoisonError::into_inner);
        stats.level = level;
        stats.captured += 1;
        stats.muted += u64::from(muted);
        match outcome {
            Ok(Some(payload)) => {
                stats.sent += 1;
                stats.bytes += payload.len() as u64;
                drop(stats);
                self.failing.end();
                self.track.send(time, true, payload);
            }
            Ok(None) => stats.silent += u64::from(!muted),
            Err(error) => {
                stats.failed += 1;
                drop(stats);
                if self.failing.begins() {
                    tracing::warn!(%error, "sound could not be encoded");
                }
            }
        }
    }

    /// The payload to send, if any; `last` says that nothing follows for now.
    fn encode(&mut self, samples: &[f32; FRAME], last: bool) -> Result<Option<Bytes>, Failure> {
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => none.insert(Encoder::new(Config::default())?),
        };
        let rate = self.shared.bits_per_second.load(Ordering::Relaxed);
        if rate != 0 && rate != self.bits_per_second {
            encoder.set_bitrate(rate)?;
            self.bits_per_second = rate;
        }
        let packet = encoder.encode(samples)?;
        let silence = packet.dtx || last;
        let known = std::mem::replace(&mut self.quiet, silence);
        if known && packet.dtx {
            return Ok(None);
        }
        Ok(Some(payload::Audio::encode(silence, &packet.data)?))
    }
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use super::*;
    use crate::{Kind, Outgoing, Sink};

    #[derive(Default)]
    struct Sent(Mutex<Vec<Outgoing>>);

    impl Sink for Sent {
        fn send(&self, outgoing: Outgoing) {
            self.0.lock().unwrap().push(outgoing);
        }
    }

    struct Voice {
        audio: Audio,
        shared: Shared,
        sent: Arc<Sent>,
        frames: u64,
    }

    impl Voice {
        fn new() -> Self {
            let (shared, sent) = (Shared::default(), Arc::new(Sent::default()));
            Self { audio: Audio::new(shared.clone(), Track::new(Kind::Audio, sent.clone())), shared, sent, frames: 0 }
        }

        /// Speaks for so many frames at this level; what is sent meanwhile.
        fn speak(&mut self, frames: u64, level: f32) -> Vec<Outgoing> {
            for _ in 0..frames {
                let start = self.frames as usize * FRAME;
                let samples = std::array::from_fn(|index| level * (TAU * 300.0 * (start + index) as f32 / 48_000.0).sin());
                self.audio.frame(MediaTime(self.frames * 20_000), &samples);
                self.frames += 1;
            }
            std::mem::take(&mut *self.sent.0.lock().unwrap())
        }
    }

    fn is_silence(outgoing: &Outgoing) -> bool {
        payload::Audio::decode(outgoing.payload.clone()).unwrap().silence
    }

    #[test]
    fn speech_is_sent_frame_by_frame() {
        let mut voice = Voice::new();
        let sent = voice.speak(50, 0.3);
        assert!(sent.iter().map(|outgoing| outgoing.seq).eq(0..50));
        assert!(sent.iter().all(|outgoing| outgoing.keyframe && outgoing.kind == Kind::Audio && !is_silence(outgoing)));
        assert_eq!(sent[7].time, MediaTime(140_000));
        let stats = voice.shared.stats();
        assert_eq!((stats.captured, stats.sent, stats.silent, stats.muted), (50, 50, 0, 0));
    }

    #[test]
    fn silence_is_sent_sparsely_with_contiguous_numbers() {
        let mut voice = Voice::new();
        let spoken = voice.speak(20, 0.3).len();
        let silent = voice.speak(500, 0.0);
        assert!(silent.len() < 120, "{}", silent.len());
        assert!(silent.iter().any(is_silence));
        assert!(silent.iter().map(|outgoing| outgoing.seq).eq(spoken as u32..(spoken + silent.len()) as u32));
        let again = voice.speak(10, 0.3);
        assert_eq!(again.len(), 10);
        assert_eq!(again[0].seq as usize, spoken + silent.len());
        let stats = voice.shared.stats();
        assert_eq!(stats.captured, stats.sent + stats.silent);
    }

    #[test]
    fn muted_nothing_of_the_room_leaves() {
        let mut voice = Voice::new();
        voice.speak(20, 0.3);
        voice.shared.set_muted(true);
        let muted = voice.speak(100, 0.3);
        assert_eq!(muted.len(), 1);
        assert!(is_silence(&muted[0]));
        voice.shared.set_muted(false);
        let after = voice.speak(10, 0.3);
        assert_eq!((after.len(), after[0].seq), (10, 21));
        // The muted frames are no louder in what is sent than frames of silence are.
        let mut silent = Voice::new();
        silent.speak(20, 0.3);
        silent.shared.set_muted(true);
        assert_eq!(silent.speak(100, 0.0)[0].payload, muted[0].payload);
    }

    #[test]
    fn sound_costs_what_it_may() {
        let mut voice = Voice::new();
        let mut cost = |rate| {
            voice.shared.set_bitrate(rate);
            voice.speak(20, 0.3);
            voice.speak(50, 0.3).iter().map(|outgoing| outgoing.payload.len()).sum::<usize>()
        };
        let (dear, cheap) = (cost(32_000), cost(16_000));
        assert!(cheap * 10 < dear * 9, "{cheap} and {dear}");
        assert!(cost(32_000) > cheap);
    }

    #[test]
    fn one_who_joins_muted_sends_nothing() {
        let mut voice = Voice::new();
        voice.shared.set_muted(true);
        assert_eq!(voice.speak(100, 0.3), []);
        assert_eq!(voice.shared.stats().muted, 100);
    }
}
