//! The reader's end of a microphone: samples of the device's rate out of a ring, frames of 20 ms at 48 kHz with their times.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use codecs::{MediaTime, opus};
use ringbuf::traits::Consumer;

use super::clock::Clock;
use crate::{
    resample::Resampler,
    sound::{
        callback::UNSET,
        ring::{Drain, duration, filled},
    },
};

/// Milliseconds of sound that may wait before it's skipped, and how much is kept then. Two hundred are more than any
/// scheduler takes; what's kept is what a device may still deliver in one go.
const HIGH_WATER: u32 = 200;
const KEPT: u32 = 40;
/// Samples taken out of the ring at once.
const BLOCK: usize = 480;

/// A ring that a source was just connected to.
pub(super) struct Line {
    pub(super) drain: Drain,
    /// Hz.
    pub(super) rate: u32,
    /// When the first sample was captured, in microseconds since the start; [`UNSET`] until one is.
    pub(super) first: Arc<AtomicU64>,
}

/// A line in use.
pub(super) struct Reading {
    line: Line,
    resampler: Resampler,
    /// Sound at 48 kHz that doesn't fill a frame yet.
    ready: Vec<f32>,
    clock: Option<Clock>,
    /// Losses of the ring that the clock knows of.
    lost: u64,
    skipped: u64,
}

impl Reading {
    /// `None` for a rate that's impossible, which no device is opened with.
    pub(super) fn new(line: Line) -> Option<Self> {
        let resampler = Resampler::new(line.rate, opus::SAMPLE_RATE)?;
        Some(Self { line, resampler, ready: Vec::with_capacity(4 * opus::FRAME), clock: None, lost: 0, skipped: 0 })
    }

    /// Samples skipped and lost so far.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped + self.line.drain.lost.load(Ordering::Relaxed)
    }

    /// How long they were.
    pub(super) fn lost(&self) -> Duration {
        duration(self.skipped() as usize, self.line.rate)
    }

    /// The next frame and its time, if it's there.
    pub(super) fn read(&mut self, out: &mut [f32; opus::FRAME], now: MediaTime) -> Option<MediaTime> {
        let first = self.line.first.load(Ordering::Relaxed);
        if first == UNSET {
            return None;
        }
        let rate = self.line.rate;
        let clock = self.clock.get_or_insert_with(|| Clock::new(MediaTime(first)));
        let lost = self.line.drain.lost.load(Ordering::Relaxed);
        clock.pass(duration((lost - self.lost) as usize, rate));
        self.lost = lost;
        let waiting = filled(&self.line.drain.samples);
        if waiting > (rate / 1000 * HIGH_WATER) as usize {
            let skipped = self.line.drain.samples.skip(waiting - (rate / 1000 * KEPT) as usize);
            clock.pass(duration(skipped, rate));
            self.skipped += skipped as u64;
        }
        let mut block = [0.0; BLOCK];
        while self.ready.len() < out.len() {
            let count = self.line.drain.samples.pop_slice(&mut block);
            if count == 0 {
                return None;
            }
            self.resampler.push(&block[..count], &mut self.ready);
        }
        out.copy_from_slice(&self.ready[..opus::FRAME]);
        self.ready.drain(..opus::FRAME);
        let behind = duration(self.ready.len(), opus::SAMPLE_RATE)
            + duration(self.resampler.waiting() + filled(&self.line.drain.samples), rate);
        Some(clock.frame(now, behind))
    }
}

#[cfg(test)]
mod tests {
    use ringbuf::traits::Producer;

    use super::*;
    use crate::sound::ring::{Source, ring};

    fn line(rate: u32, first: u64) -> (Source, Reading) {
        let (source, drain) = ring(rate);
        (source, Reading::new(Line { drain, rate, first: Arc::new(AtomicU64::new(first)) }).unwrap())
    }

    #[test]
    fn frames_follow_each_other_in_time() {
        for rate in [48_000u32, 44_100, 16_000] {
            let (mut source, mut reading) = line(rate, 5_000);
            let mut out = [0.0; opus::FRAME];
            assert_eq!(reading.read(&mut out, MediaTime(5_000)), None);
            let mut times = Vec::new();
            for step in 1..=100u64 {
                source.samples.push_slice(&vec![0.25; rate as usize / 100]);
                let now = MediaTime(5_000 + step * 10_000);
                while let Some(time) = reading.read(&mut out, now) {
                    times.push(time.0);
                }
            }
            assert!(times.len() >= 48, "{rate}: {}", times.len());
            for (index, time) in times.iter().enumerate() {
                assert!(time.abs_diff(5_000 + index as u64 * 20_000) <= 1, "{rate}: {times:?}");
            }
            assert!(out.iter().all(|sample| (sample - 0.25).abs() < 0.01), "{rate}");
        }
    }

    #[test]
    fn nothing_is_read_before_the_first_time_is_known() {
        let (mut source, mut reading) = line(48_000, UNSET);
        source.samples.push_slice(&[0.0; 2_000]);
        assert_eq!(reading.read(&mut [0.0; opus::FRAME], MediaTime(0)), None);
    }

    #[test]
    fn what_waited_too_long_is_skipped_and_the_time_leaps() {
        let (mut source, mut reading) = line(48_000, 0);
        let mut out = [0.0; opus::FRAME];
        source.samples.push_slice(&[0.5; 960]);
        assert_eq!(reading.read(&mut out, MediaTime(20_000)), Some(MediaTime(0)));
        // 500 ms come in while nobody reads; 40 ms are kept.
        source.samples.push_slice(&vec![0.5; 24_000]);
        assert_eq!(reading.read(&mut out, MediaTime(520_000)), Some(MediaTime(480_000)));
        assert_eq!(reading.skipped(), 22_080);
        assert_eq!(reading.read(&mut out, MediaTime(520_000)), Some(MediaTime(500_000)));
        assert_eq!(reading.read(&mut out, MediaTime(520_000)), None);
    }

    #[test]
    fn what_found_no_room_counts_too() {
        let (mut source, mut reading) = line(48_000, 0);
        let mut out = [0.0; opus::FRAME];
        source.samples.push_slice(&[0.5; 960]);
        assert_eq!(reading.read(&mut out, MediaTime(20_000)), Some(MediaTime(0)));
        source.lose(4_800);
        source.samples.push_slice(&[0.5; 960]);
        assert_eq!(reading.read(&mut out, MediaTime(140_000)), Some(MediaTime(120_000)));
        assert_eq!((reading.skipped(), reading.lost()), (4_800, Duration::from_millis(100)));
    }
}
