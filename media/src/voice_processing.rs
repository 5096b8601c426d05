//! What is done to a microphone's sound before it's coded: the echo of the others is taken out of it, noise is lowered, and a quiet
//! voice is brought to a common level.
//!
//! The work itself is WebRTC's audio processing (AEC3, its noise suppressor and AGC2), in Rust. It's told what the speaker plays just
//! before that is played (`Tap`), and finds out by itself how much later it comes back.

mod reference;

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use codecs::opus::{FRAME, SAMPLE_RATE};
use sonora::{
    AudioProcessing, Config, StreamConfig,
    config::{
        AdaptiveDigital, EchoCanceller, GainController2, HighPassFilter, MaxProcessingRate, NoiseSuppression,
        NoiseSuppressionLevel, Pipeline,
    },
};
use std::time::Duration;

use crate::spell::Spell;

pub(crate) use reference::{Reference, Tap, tap};

/// Samples processed at once: 10 ms.
const BLOCK: usize = SAMPLE_RATE as usize / 100;

/// How much later sound comes out that the echo canceller has worked on, and what the noise suppressor adds: their filter banks and
/// windows, measured at 48 kHz.
const ECHO_DELAY: Duration = Duration::from_millis(8);
const NOISE_DELAY: Duration = Duration::from_millis(6);

/// Sound is made louder by this many decibels at first, until more of the voice is known, and by this many at most. The crate's own 15
/// and 50 make a room's noise at the start of a call as loud as a voice.
const FIRST_GAIN_DB: f32 = 6.0;
const MOST_GAIN_DB: f32 = 30.0;

/// What is done to a microphone's sound. Each can be switched while a call runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoiceProcessing {
    /// What the speaker plays is taken out of what the microphone hears.
    pub echo_cancellation: bool,
    /// Steady noise is lowered by about 18 dB.
    pub noise_suppression: bool,
    /// A voice is brought to a common level.
    pub automatic_gain: bool,
}

impl VoiceProcessing {
    /// All of it.
    pub const ALL: Self = Self { echo_cancellation: true, noise_suppression: true, automatic_gain: true };
    /// Sound as the microphone gives it.
    pub const NONE: Self = Self { echo_cancellation: false, noise_suppression: false, automatic_gain: false };

    /// How much later sound comes out of it.
    fn delay(self) -> Duration {
        let part = |on, delay| if on { delay } else { Duration::ZERO };
        part(self.echo_cancellation, ECHO_DELAY) + part(self.noise_suppression, NOISE_DELAY)
    }
}

impl Default for VoiceProcessing {
    fn default() -> Self {
        Self::ALL
    }
}

/// [`VoiceProcessing`] that one thread sets and another one reads.
#[derive(Clone, Debug)]
pub(crate) struct Switches(Arc<AtomicU8>);

impl Switches {
    pub(crate) fn new(wanted: VoiceProcessing) -> Self {
        let switches = Self(Arc::default());
        switches.set(wanted);
        switches
    }

    pub(crate) fn set(&self, wanted: VoiceProcessing) {
        let VoiceProcessing { echo_cancellation, noise_suppression, automatic_gain } = wanted;
        let bits = u8::from(echo_cancellation) | u8::from(noise_suppression) << 1 | u8::from(automatic_gain) << 2;
        self.0.store(bits, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> VoiceProcessing {
        let bits = self.0.load(Ordering::Relaxed);
        VoiceProcessing { echo_cancellation: bits & 1 != 0, noise_suppression: bits & 2 != 0, automatic_gain: bits & 4 != 0 }
    }
}

/// Works on the sound of one microphone.
pub(crate) struct Processor {
    switches: Switches,
    reference: Reference,
    /// What is done now, by whom.
    working: Option<(VoiceProcessing, AudioProcessing)>,
    failing: Spell,
}

impl Processor {
    pub(crate) fn new(switches: Switches, reference: Reference) -> Self {
        Self { switches, reference, working: None, failing: Spell::default() }
    }

    /// Works on the next 20 ms, in place. What comes out is older by the time that's returned.
    pub(crate) fn process(&mut self, frame: &mut [f32; FRAME]) -> Duration {
        let wanted = self.switches.get();
        if wanted == VoiceProcessing::NONE {
            self.working = None;
            self.reference.clear();
            return Duration::ZERO;
        }
        let (now, engine) = self.working.get_or_insert_with(|| (wanted, engine(wanted)));
        if *now != wanted {
            engine.apply_config(config(wanted));
            *now = wanted;
        }
        let mut failed = None;
        let mut out = [0.0; BLOCK];
        while let Some(played) = self.reference.next() {
            failed = engine.process_render_f32(&[&played], &mut [&mut out]).err().or(failed);
        }
        for block in frame.chunks_exact_mut(BLOCK) {
            // One sample that is no number would stay in the filters for ever.
            block.iter_mut().filter(|sample| !sample.is_finite()).for_each(|sample| *sample = 0.0);
            // A delay out of range is brought into it.
            let _ = engine.set_stream_delay_ms(self.reference.delay_ms());
            match engine.process_capture_f32(&[block], &mut [&mut out]) {
                Ok(()) => block.copy_from_slice(&out),
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            Some(error) if self.failing.begins() => tracing::warn!(%error, "a microphone's sound can't be processed"),
            Some(_) => {}
            None => self.failing.end(),
        }
        wanted.delay()
    }
}

fn engine(wanted: VoiceProcessing) -> AudioProcessing {
    let stream = StreamConfig::new(SAMPLE_RATE, 1);
    AudioProcessing::builder().config(config(wanted)).capture_config(stream).render_config(stream).build()
}

fn config(wanted: VoiceProcessing) -> Config {
    let adaptive = AdaptiveDigital { initial_gain_db: FIRST_GAIN_DB, max_gain_db: MOST_GAIN_DB, ..AdaptiveDigital::default() };
    Config {
        pipeline: Pipeline { maximum_internal_processing_rate: MaxProcessingRate::Rate48kHz, ..Pipeline::default() },
        // Below 100 Hz there's a table being touched, not a voice.
        high_pass_filter: Some(HighPassFilter::default()),
        echo_canceller: wanted.echo_cancellation.then(EchoCanceller::default),
        noise_suppression: wanted
            .noise_suppression
            .then(|| NoiseSuppression { level: NoiseSuppressionLevel::High, ..NoiseSuppression::default() }),
        gain_controller2: wanted
            .automatic_gain
            .then(|| GainController2 { adaptive_digital: Some(adaptive), ..GainController2::default() }),
        ..Config::default()
    }
}

#[cfg(test)]
mod tests;
