//! Which time a sound card's samples belong to.
//!
//! A card's quartz and the computer's differ by up to some hundred millionths: after an hour a tenth of a second or more, which would
//! part sound and picture. So the card's time is led after the computer's, slowly enough for nobody to notice.

use std::time::Duration;

use codecs::{MediaTime, opus};

/// Over how long the smallest delay is looked for. Single delays are the scheduler's; the smallest one is the card's.
const WINDOW: Duration = Duration::from_secs(10);
/// Difference in microseconds that's left alone: callbacks of 10 or 20 ms look like this.
const SLACK: i64 = 20_000;
/// Most microseconds corrected in one window: 0.05 %, more than any quartz is off.
const STEP: i64 = 5_000;

/// The time of a line's frames.
pub(super) struct Clock {
    next: MediaTime,
    /// The smallest delay at the beginning, in microseconds.
    baseline: Option<i64>,
    /// Smallest delay in this window, in microseconds, and when it ends.
    least: i64,
    window_end: Option<MediaTime>,
}

impl Clock {
    pub(super) fn new(first: MediaTime) -> Self {
        Self { next: first, baseline: None, least: i64::MAX, window_end: None }
    }

    /// Leaves out a stretch that was never read.
    pub(super) fn pass(&mut self, gap: Duration) {
        self.next = self.next + gap;
    }

    /// The time of the next frame of 20 ms. `behind` is how much more sound is there at `now`.
    pub(super) fn frame(&mut self, now: MediaTime, behind: Duration) -> MediaTime {
        let time = self.next;
        self.next = time + Duration::from_micros(opus::FRAME as u64 * 1_000_000 / u64::from(opus::SAMPLE_RATE));
        let newest = self.next + behind;
        self.least = self.least.min(now.0 as i64 - newest.0 as i64);
        let end = *self.window_end.get_or_insert(now + WINDOW);
        if now >= end {
            let baseline = *self.baseline.get_or_insert(self.least);
            let off = self.least - baseline;
            if off.abs() > SLACK {
                self.next = MediaTime(self.next.0.saturating_add_signed(off.clamp(-STEP, STEP)));
            }
            (self.least, self.window_end) = (i64::MAX, Some(now + WINDOW));
        }
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of a card whose second lasts `second` microseconds, for an hour; returns how far off the last time is.
    fn off_after_an_hour(second: f64) -> i64 {
        let mut clock = Clock::new(MediaTime(1_000));
        let mut last = (0, 0);
        for index in 0..180_000u64 {
            let captured = (index as f64 * 0.02 * second) as u64 + 1_000;
            // The frame is complete 20 ms later, and the scheduler takes 0 to 4 ms.
            let now = captured + (0.02 * second) as u64 + (index * 7_919) % 4_000;
            last = (clock.frame(MediaTime(now), Duration::ZERO).0 as i64, captured as i64);
        }
        last.0 - last.1
    }

    #[test]
    fn follows_the_computers_clock() {
        for second in [1e6, 1e6 + 300.0, 1e6 - 300.0] {
            let off = off_after_an_hour(second);
            assert!(off.abs() < 30_000, "{second}: {off}");
        }
    }

    #[test]
    fn a_steady_card_is_never_corrected() {
        let mut clock = Clock::new(MediaTime(0));
        for index in 0..50_000u64 {
            let now = MediaTime(20_000 + index * 20_000 + (index * 31) % 15_000);
            assert_eq!(clock.frame(now, Duration::ZERO), MediaTime(index * 20_000));
        }
    }
}
