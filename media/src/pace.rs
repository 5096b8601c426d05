//! Steps at fixed times: by absolute deadlines, so that no delay adds up.

use std::time::{Duration, Instant};

/// How long after its start a file begins to play, so that picture and sound of one clip begin together although one takes longer to
/// open. Opening an MP4 and decoding its first picture take a tenth of this.
pub(crate) const LEAD_IN: Duration = Duration::from_millis(200);

/// The deadlines `start`, `start + period`, `start + 2 periods` and so on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    start: Instant,
    /// Seconds.
    period: f64,
    index: u64,
}

impl Pace {
    /// Begins at `start`, with `rate` steps a second. A rate that isn't a positive number counts as one.
    #[must_use]
    pub(crate) fn new(start: Instant, rate: f64) -> Self {
        let period = if rate.is_finite() && rate > 0.0 { rate.recip() } else { 1.0 };
        Self { start, period, index: 0 }
    }

    /// Which step is next.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn index(&self) -> u64 {
        self.index
    }

    /// How long after the start the next step is.
    #[must_use]
    pub(crate) fn offset(&self) -> Duration {
        Duration::try_from_secs_f64(self.index as f64 * self.period).unwrap_or(Duration::MAX)
    }

    /// When the next step is due.
    #[must_use]
    pub(crate) fn due(&self) -> Instant {
        self.start.checked_add(self.offset()).unwrap_or(self.start)
    }

    /// Goes on to the next step, even if it's over already.
    pub(crate) fn step(&mut self) {
        self.index += 1;
    }

    /// Goes on to the next step, or, where that is over already at `now`, to the one that's running. Returns how many steps were
    /// left out.
    pub(crate) fn advance(&mut self, now: Instant) -> u64 {
        let running = (now.saturating_duration_since(self.start).as_secs_f64() / self.period) as u64;
        let next = self.index + 1;
        self.index = next.max(running);
        self.index - next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_late_thread_adds_no_drift(rate in 1f64..100.0, delays in prop::collection::vec(0f64..0.9, 1..200)) {
            let start = Instant::now();
            let mut pace = Pace::new(start, rate);
            for (step, delay) in delays.iter().enumerate() {
                prop_assert_eq!(pace.index(), step as u64);
                let expected = Duration::from_secs_f64(step as f64 / rate);
                prop_assert!(pace.due().duration_since(start).abs_diff(expected) < Duration::from_micros(1));
                let left_out = pace.advance(pace.due() + Duration::from_secs_f64(delay / rate));
                prop_assert_eq!(left_out, 0);
            }
        }
    }

    #[test]
    fn steps_that_are_over_are_left_out() {
        let start = Instant::now();
        let mut pace = Pace::new(start, 10.0);
        assert_eq!(pace.advance(start + Duration::from_millis(470)), 3);
        assert_eq!(pace.index(), 4);
        assert_eq!(pace.due(), start + Duration::from_millis(400));
        assert_eq!(pace.advance(start + Duration::from_millis(471)), 0);
        assert_eq!(pace.due(), start + Duration::from_millis(500));
    }
}
