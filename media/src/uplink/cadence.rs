//! How often the camera really gives a frame.

use std::time::Duration;

use codecs::MediaTime;

/// The rates an encoder can be told, in frames a second.
const RATES: std::ops::RangeInclusive<f32> = 1.0..=60.0;
/// Over how many seconds the mean is taken: a camera's frames come some milliseconds early or late.
const MEAN_OVER: f64 = 0.3;
/// A rate this much faster or slower than the one that's told shares the bitrate out badly: a fifth of it is wasted or missing.
const OFF: f64 = 0.2;
/// For how long it has to be off.
const FOR: Duration = Duration::from_secs(1);
/// Longer without a frame is no rate but a pause.
const PAUSE: Duration = Duration::from_secs(2);

/// Follows a camera's frame rate: it may offer 30 a second and give 15 in the dark.
#[derive(Debug)]
pub(super) struct Cadence {
    /// The rate the encoder goes by.
    told: f32,
    /// Mean time from frame to frame, in seconds.
    mean: f64,
    last: Option<MediaTime>,
    off_since: Option<MediaTime>,
}

impl Cadence {
    /// Begins with the rate that's expected.
    pub(super) fn new(frames_per_second: f32) -> Self {
        let told = clamp(f64::from(frames_per_second));
        Self { told, mean: f64::from(told).recip(), last: None, off_since: None }
    }

    /// The rate to share the bitrate out by, in frames a second.
    pub(super) fn rate(&self) -> f32 {
        self.told
    }

    /// A frame was captured at `time`, the last of `count` since the one before. True if the rate has changed by that.
    pub(super) fn frame(&mut self, time: MediaTime, count: u64) -> bool {
        let Some(last) = self.last.replace(time) else { return false };
        let Some(passed) = time.checked_since(last).filter(|passed| *passed < PAUSE && count > 0) else {
            self.off_since = None;
            return false;
        };
        let passed = passed.as_secs_f64();
        self.mean += (passed / count as f64 - self.mean) * (passed / MEAN_OVER).min(1.0);
        let rate = self.mean.max(1e-3).recip();
        if (rate / f64::from(self.told) - 1.0).abs() <= OFF || clamp(rate) == self.told {
            self.off_since = None;
            return false;
        }
        if time - *self.off_since.get_or_insert(time) < FOR {
            return false;
        }
        self.off_since = None;
        self.told = clamp(rate);
        true
    }
}

fn clamp(rate: f64) -> f32 {
    // A rate that's no number is as good as the lowest.
    (rate as f32).max(*RATES.start()).min(*RATES.end())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Frames at this rate for so many seconds, from `time` on; the rates told meanwhile.
    fn film(cadence: &mut Cadence, time: &mut f64, rate: f64, seconds: f64) -> Vec<f32> {
        let end = *time + seconds;
        let mut told = Vec::new();
        while *time < end {
            *time += rate.recip();
            // The scheduler's share: up to 8 ms.
            let jitter = (*time * 7_919.0).fract() * 0.008;
            if cadence.frame(MediaTime(((*time + jitter) * 1e6) as u64), 1) {
                told.push(cadence.rate());
            }
        }
        told
    }

    #[test]
    fn a_camera_in_the_dark_is_followed_and_back() {
        let (mut cadence, mut time) = (Cadence::new(30.0), 0.0);
        assert!(film(&mut cadence, &mut time, 30.0, 10.0).is_empty());
        assert!(film(&mut cadence, &mut time, 27.0, 10.0).is_empty(), "not worth a change");
        // Half a second is no reason yet.
        assert!(film(&mut cadence, &mut time, 15.0, 0.5).is_empty());
        assert!(film(&mut cadence, &mut time, 30.0, 5.0).is_empty());
        let told = film(&mut cadence, &mut time, 15.0, 10.0);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!((told[0] - 15.0).abs() < 1.5, "{told:?}");
        let told = film(&mut cadence, &mut time, 30.0, 10.0);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!((told[0] - 30.0).abs() < 3.0, "{told:?}");
    }

    #[test]
    fn frames_left_out_and_pauses_are_no_change() {
        let mut cadence = Cadence::new(30.0);
        // Every third is encoded, then the camera is off for a minute.
        for index in 0..100 {
            assert!(!cadence.frame(MediaTime(index * 100_000), 3));
        }
        assert!(!cadence.frame(MediaTime(70_000_000), 1));
        assert!(!cadence.frame(MediaTime(60_000_000), 1), "a clock that goes back");
        assert!((cadence.rate() - 30.0).abs() < 0.1);
    }

    proptest! {
        #[test]
        fn any_times_give_a_rate_that_is_possible(first: f32, times in prop::collection::vec((any::<u64>(), any::<u64>()), 0..100)) {
            let mut cadence = Cadence::new(first);
            let mut time = 0_u64;
            for (step, count) in times {
                time = time.wrapping_add(step % 3_000_000);
                cadence.frame(MediaTime(time), count);
                prop_assert!(RATES.contains(&cadence.rate()), "{}", cadence.rate());
            }
        }
    }
}
