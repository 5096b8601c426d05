//! What the system's sound thread calls: samples are converted and moved through a ring, and nothing here allocates, frees, locks,
//! logs or waits.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::SyncSender,
    },
    time::{Duration, Instant},
};

use cpal::{Error, ErrorKind, FromSample, Sample};
use ringbuf::traits::{Consumer, Producer};

use super::ring::{Drain, Source, Wake};

/// Samples converted at once, on the stack.
const BLOCK: usize = 256;
/// No capture time yet.
pub(crate) const UNSET: u64 = u64::MAX;
/// Over how many seconds samples are counted to tell how long a break was. A card's quartz is off by 1 ms or two in that time, which is
/// nothing beside a break; over an hour it would be more than most breaks are.
const COUNTED_SECONDS: u64 = 10;

/// What a stream's callbacks count.
#[derive(Clone, Default)]
pub(crate) struct Pulse {
    /// Callbacks so far: a device that's alive makes this grow.
    pub(crate) beats: Arc<AtomicU64>,
    /// Times the system reported that sound was lost, since the callback came too late.
    pub(crate) xruns: Arc<AtomicU64>,
}

impl Pulse {
    /// Takes note of what the system reports. What isn't only counted goes into a channel that's full only if nobody looks; then one
    /// error more tells nothing new.
    pub(super) fn error(&self, error: Error, errors: &SyncSender<Error>) {
        if error.kind() == ErrorKind::Xrun {
            self.xruns.fetch_add(1, Ordering::Relaxed);
        } else {
            let _ = errors.try_send(error);
        }
    }
}

/// What a microphone's callback works on.
pub(super) struct Capture {
    source: Source,
    wake: Wake,
    pub(super) pulse: Pulse,
    channels: usize,
    rate: u32,
    started: Instant,
    first: Arc<AtomicU64>,
    /// Breaks in the sound that are accounted for.
    mended: u64,
    /// When samples were last counted from 0, in microseconds after `started`.
    anchor: u64,
    /// Samples since then, those lost included.
    taken: u64,
}

impl Capture {
    /// A microphone with so many channels at so many Hz. `first` is set to the time of the first sample after `started`, in microseconds.
    pub(super) fn new(
        source: Source,
        wake: Wake,
        pulse: Pulse,
        (channels, rate): (usize, u32),
        started: Instant,
        first: Arc<AtomicU64>,
    ) -> Self {
        Self { source, wake, pulse, channels, rate, started, first, mended: 0, anchor: 0, taken: 0 }
    }

    /// Takes what the system has captured; the first sample of it is so old.
    pub(super) fn take<T: Sample>(&mut self, data: &[T], delay: Duration)
    where
        f32: FromSample<T>,
    {
        let frames = data.len() / self.channels;
        let length = super::ring::duration(frames, self.rate);
        self.place(self.started.elapsed().saturating_sub(delay.max(length)), frames);
        let mut block = [0.0; BLOCK];
        let scale = (self.channels as f32).recip();
        for chunk in data.chunks(BLOCK * self.channels) {
            let frames = chunk.chunks_exact(self.channels);
            let count = frames.len();
            for (mono, frame) in block.iter_mut().zip(frames) {
                *mono = frame.iter().map(|&sample| f32::from_sample(sample)).sum::<f32>() * scale;
            }
            let pushed = self.source.samples.push_slice(&block[..count]);
            self.source.lose(count - pushed);
        }
        self.pulse.beats.fetch_add(1, Ordering::Relaxed);
        self.wake.wake();
    }

    /// The next `frames` samples were captured so long after the start. What's missing before them after a break is noted as lost:
    /// the reader tells the time by counting samples, and would fall behind a little more with each break.
    fn place(&mut self, captured: Duration, frames: usize) {
        let captured = captured.as_micros() as u64;
        if self.first.load(Ordering::Relaxed) == UNSET {
            self.first.store(captured, Ordering::Relaxed);
            (self.anchor, self.taken) = (captured, 0);
        }
        let rate = u64::from(self.rate.max(1));
        let xruns = self.pulse.xruns.load(Ordering::Relaxed);
        if xruns != self.mended {
            self.mended = xruns;
            let due = self.anchor.saturating_add(self.taken * 1_000_000 / rate);
            let missing = captured.saturating_sub(due).saturating_mul(rate) / 1_000_000;
            self.source.lose(missing as usize);
            self.taken = self.taken.saturating_add(missing);
        }
        if self.taken >= COUNTED_SECONDS * rate {
            (self.anchor, self.taken) = (captured, 0);
        }
        self.taken += frames as u64;
    }
}

/// What a speaker's callback works on.
pub(super) struct Play {
    drain: Drain,
    wake: Wake,
    pub(super) pulse: Pulse,
    channels: usize,
}

impl Play {
    pub(super) fn new(drain: Drain, wake: Wake, pulse: Pulse, channels: usize) -> Self {
        Self { drain, wake, pulse, channels }
    }

    /// Fills what it has sound for, to be heard after `latency`. The rest is silence already.
    pub(super) fn fill<T: Sample + FromSample<f32>>(&mut self, data: &mut [T], latency: Duration) {
        self.drain.heard_after(latency, data.len() / self.channels);
        let mut block = [0.0; BLOCK];
        for chunk in data.chunks_mut(BLOCK * self.channels) {
            let wanted = chunk.len() / self.channels;
            let count = self.drain.samples.pop_slice(&mut block[..wanted]);
            for (frame, &mono) in chunk.chunks_exact_mut(self.channels).zip(&block[..count]) {
                // Left and right; a surround system's other speakers stay out of a conversation.
                frame.iter_mut().take(2).for_each(|sample| *sample = T::from_sample(mono));
            }
            self.drain.lose(wanted - count);
        }
        self.pulse.beats.fetch_add(1, Ordering::Relaxed);
        self.wake.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;
    use crate::sound::ring::ring;

    fn capture(rate: u32, channels: usize) -> (Capture, Drain) {
        let (source, drain) = ring(rate);
        let first = Arc::new(AtomicU64::new(UNSET));
        (Capture::new(source, Wake::default(), Pulse::default(), (channels, rate), Instant::now(), first), drain)
    }

    #[test]
    fn what_a_break_swallowed_is_lost_and_nothing_else() {
        let (mut capture, drain) = capture(48_000, 1);
        let lost = || drain.lost.load(Ordering::Relaxed);
        let place = |capture: &mut Capture, millis: f64| capture.place(Duration::from_micros((millis * 1e3) as u64), 960);
        let errors = sync_channel(1).0;
        place(&mut capture, 500.0);
        assert_eq!(capture.first.load(Ordering::Relaxed), 500_000);
        // Late callbacks are no break.
        place(&mut capture, 527.0);
        place(&mut capture, 540.0);
        assert_eq!(lost(), 0);
        capture.pulse.error(ErrorKind::Xrun.into(), &errors);
        place(&mut capture, 660.0);
        assert_eq!(lost(), 4_800);
        place(&mut capture, 681.0);
        // A break in which nothing was lost after all.
        capture.pulse.error(ErrorKind::Xrun.into(), &errors);
        place(&mut capture, 699.0);
        assert_eq!(lost(), 4_800);
        // Two in a row are made up for together.
        capture.pulse.error(ErrorKind::Xrun.into(), &errors);
        capture.pulse.error(ErrorKind::Xrun.into(), &errors);
        place(&mut capture, 1_720.0);
        assert_eq!(lost(), 4_800 + 48_000);
    }

    #[test]
    fn a_quartz_that_is_off_is_no_break() {
        let (mut capture, drain) = capture(48_000, 1);
        // An hour of a card that's 300 millionths slow: 1.08 s in all.
        for index in 0..180_000u64 {
            if index == 179_990 {
                capture.pulse.error(ErrorKind::Xrun.into(), &sync_channel(1).0);
            }
            capture.place(Duration::from_nanos(index * 20_006_000), 960);
        }
        let lost = drain.lost.load(Ordering::Relaxed);
        assert!(lost <= 48 * 4, "{lost}");
    }

    #[test]
    fn a_device_that_goes_away_is_heard_of_however_many_hiccups_there_were() {
        let (pulse, (sender, errors)) = (Pulse::default(), sync_channel(1));
        for _ in 0..100 {
            pulse.error(ErrorKind::Xrun.into(), &sender);
        }
        pulse.error(ErrorKind::DeviceNotAvailable.into(), &sender);
        assert_eq!(errors.try_recv().unwrap().kind(), ErrorKind::DeviceNotAvailable);
        assert_eq!(pulse.xruns.load(Ordering::Relaxed), 100);
    }

    #[test]
    fn a_stereo_microphone_is_mixed() {
        let (mut capture, mut drain) = capture(48_000, 2);
        let data: Vec<i16> = (0..1_000).flat_map(|index| [index * 16, index * 16]).chain([i16::MAX, i16::MIN]).collect();
        capture.take(&data, Duration::ZERO);
        let mut out = [0.0; 1_100];
        assert_eq!(drain.samples.pop_slice(&mut out), 1_001);
        assert!((out[999] - 999.0 * 16.0 / 32_768.0).abs() < 1e-4);
        assert!(out[1_000].abs() < 1e-4);
        assert!(capture.first.load(Ordering::Relaxed) < 10_000_000);
        assert_eq!(capture.pulse.beats.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn samples_without_room_are_counted() {
        let (mut capture, drain) = capture(100, 1);
        capture.take(&[0.5f32; 130], Duration::ZERO);
        assert_eq!(drain.lost.load(Ordering::Relaxed), 30);
    }

    #[test]
    fn sound_goes_to_the_front_speakers_and_silence_follows_it() {
        let (mut source, drain) = ring(48_000);
        source.samples.push_slice(&[0.5; 300]);
        let mut play = Play::new(drain, Wake::default(), Pulse::default(), 4);
        let mut data = [0i16; 4 * 400];
        play.fill(&mut data, Duration::ZERO);
        assert_eq!(data[299 * 4..301 * 4], [16_384, 16_384, 0, 0, 0, 0, 0, 0]);
        assert_eq!(play.drain.lost.load(Ordering::Relaxed), 100);
    }
}

#[cfg(test)]
mod formats {
    //! Every kind of sample, on up to eight channels, at any rate: in and out again, without a device and without a clock.

    use std::f64::consts::TAU;

    use codecs::opus;
    use cpal::{I24, U24};

    use super::*;
    use crate::{resample::Resampler, sound::ring::ring};

    const RATES: [u32; 14] =
        [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000, 176_400, 192_000];
    const HERTZ: f64 = 440.0;
    const LOUD: f64 = 0.5;

    fn tone(rate: u32, index: usize) -> f32 {
        (LOUD * (TAU * HERTZ * index as f64 / f64::from(rate)).sin()) as f32
    }

    /// How loud the tone is in what should be nothing else, and how loud everything else is, past the filters' first 10 ms.
    fn heard(samples: &[f32], rate: u32) -> (f64, f64) {
        let samples = &samples[rate as usize / 100..];
        let turn = |index: usize| (TAU * HERTZ * index as f64 / f64::from(rate)).sin_cos();
        // Whole periods alone are at right angles to each other.
        let period = f64::from(rate) / HERTZ;
        let count = ((samples.len() as f64 / period).floor() * period).round() as usize;
        let (mut sine, mut cosine, mut power) = (0.0, 0.0, 0.0);
        for (index, &sample) in samples[..count].iter().enumerate() {
            let (s, c) = turn(index);
            (sine, cosine, power) =
                (sine + f64::from(sample) * s, cosine + f64::from(sample) * c, power + f64::from(sample).powi(2));
        }
        let amplitude = 2.0 * f64::hypot(sine, cosine) / count as f64;
        (amplitude, (power / count as f64 - amplitude * amplitude / 2.0).max(0.0).sqrt())
    }

    /// Plays the tone into a microphone of this kind, a tenth of a second of it in periods of 10 ms, and listens at 48 kHz.
    fn captured<T: Sample + FromSample<f32>>(channels: usize, rate: u32) -> Vec<f32>
    where
        f32: FromSample<T>,
    {
        let (source, mut drain) = ring(rate);
        let first = Arc::new(AtomicU64::new(UNSET));
        let mut capture = Capture::new(source, Wake::default(), Pulse::default(), (channels, rate), Instant::now(), first);
        let mut resampler = Resampler::new(rate, opus::SAMPLE_RATE).unwrap();
        let (mut out, mut block, period) = (Vec::new(), [0.0; 256], rate as usize / 100);
        for start in (0..10).map(|index| index * period) {
            let data: Vec<T> =
                (start..start + period).flat_map(|index| vec![T::from_sample(tone(rate, index)); channels]).collect();
            capture.take(&data, Duration::ZERO);
            loop {
                let count = drain.samples.pop_slice(&mut block);
                if count == 0 {
                    break;
                }
                resampler.push(&block[..count], &mut out);
            }
        }
        out
    }

    /// Plays the tone, of 48 kHz, on a speaker of this kind; what comes out of the first channel, and whether the rest is as it should be.
    fn played<T: Sample + FromSample<f32> + PartialEq>(channels: usize, rate: u32) -> (Vec<f32>, bool)
    where
        f32: FromSample<T>,
    {
        let (mut source, drain) = ring(rate);
        let mut resampler = Resampler::new(opus::SAMPLE_RATE, rate).unwrap();
        let mut converted = Vec::new();
        resampler.push(&(0..4_800).map(|index| tone(48_000, index)).collect::<Vec<_>>(), &mut converted);
        assert_eq!(source.samples.push_slice(&converted), converted.len());
        let mut play = Play::new(drain, Wake::default(), Pulse::default(), channels);
        let mut data = vec![T::EQUILIBRIUM; converted.len() * channels];
        play.fill(&mut data, Duration::ZERO);
        let frames = || data.chunks_exact(channels);
        let right = frames().all(|frame| frame.get(1).is_none_or(|right| *right == frame[0]));
        let silent = frames().all(|frame| frame.iter().skip(2).all(|sample| *sample == T::EQUILIBRIUM));
        (frames().map(|frame| f32::from_sample(frame[0])).collect(), right && silent)
    }

    fn comes_through<T: Sample + FromSample<f32> + PartialEq>(kind: &str, noise: f64)
    where
        f32: FromSample<T>,
    {
        for rate in RATES {
            for channels in 1..=8 {
                let (loud, rest) = heard(&captured::<T>(channels, rate), 48_000);
                assert!(
                    (loud - LOUD).abs() < 0.01 && rest < noise,
                    "captured as {kind} at {rate} on {channels}: {loud:.3}, {rest:.4}"
                );
                let (out, others) = played::<T>(channels, rate);
                let (loud, rest) = heard(&out, rate);
                assert!(
                    (loud - LOUD).abs() < 0.01 && rest < noise,
                    "played as {kind} at {rate} on {channels}: {loud:.3}, {rest:.4}"
                );
                assert!(others, "{kind} at {rate} on {channels}: the other channels");
            }
        }
    }

    #[test]
    fn whole_numbers_of_any_width_come_through_on_all_channels_at_all_rates() {
        // What eight bits round off, and the filters' own.
        comes_through::<i8>("i8", 0.008);
        comes_through::<i16>("i16", 0.003);
        comes_through::<I24>("i24", 0.003);
        comes_through::<i32>("i32", 0.003);
        comes_through::<i64>("i64", 0.003);
    }

    #[test]
    fn numbers_without_a_sign_come_through_on_all_channels_at_all_rates() {
        comes_through::<u8>("u8", 0.008);
        comes_through::<u16>("u16", 0.003);
        comes_through::<U24>("u24", 0.003);
        comes_through::<u32>("u32", 0.003);
        comes_through::<u64>("u64", 0.003);
    }

    #[test]
    fn fractions_come_through_on_all_channels_at_all_rates() {
        comes_through::<f32>("f32", 0.003);
        comes_through::<f64>("f64", 0.003);
    }
}
