//! Noticing that something in between cuts requests that are held for long, so that they are held for less. No I/O, no clock.
//!
//! What cuts by a clock of its own cuts at the same age each time, and one request after the other; a relay that stops, or a
//! connection that breaks, doesn't.

use std::time::{Duration, Instant};

/// A request younger than this broke for another reason.
const YOUNG: Duration = Duration::from_secs(1);

/// Cuts closer to each other than this have one cause.
const APART: Duration = Duration::from_millis(500);

/// After this long longer holds are tried again: laptops move.
const FRESH: Duration = Duration::from_secs(600);

/// What is known about such cuts.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    /// The last one: when, and how old the request was.
    last: Option<(Instant, Duration)>,
    /// The longest that a request may be held, and when that was found.
    bound: Option<(Instant, Duration)>,
}

impl Cuts {
    /// A held request broke at this age.
    pub(super) fn cut(&mut self, age: Duration, now: Instant) {
        if age < YOUNG {
            return;
        }
        let Some((when, before)) = self.last.replace((now, age)) else { return };
        let alike = age.abs_diff(before) * 10 <= age;
        if alike && now.saturating_duration_since(when) >= APART {
            // Well before the cut; a slow network's round trip has to fit in.
            let hold = age.min(before).mul_f64(0.7);
            tracing::info!(hold_ms = hold.as_millis() as u64, "something in between cuts requests: they are held for less");
            self.bound = Some((now, hold));
        }
    }

    /// How long a request is held that may be held for `hold`.
    pub(super) fn hold(&self, hold: Duration, now: Instant) -> Duration {
        match self.bound {
            Some((when, bound)) if now.saturating_duration_since(when) < FRESH => hold.min(bound),
            _ => hold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLD: Duration = Duration::from_secs(20);

    #[test]
    fn cuts_at_the_same_age_shorten_the_hold_for_a_while() {
        let start = Instant::now();
        let mut cuts = Cuts::default();
        let age = Duration::from_secs(10);
        cuts.cut(age, start);
        assert_eq!(cuts.hold(HOLD, start), HOLD, "one is chance");
        let later = start + age;
        cuts.cut(age + Duration::from_millis(300), later);
        assert_eq!(cuts.hold(HOLD, later), Duration::from_secs(7));
        assert_eq!(cuts.hold(Duration::from_millis(60), later), Duration::from_millis(60));
        assert_eq!(cuts.hold(HOLD, later + FRESH), HOLD);
    }

    #[test]
    fn what_breaks_together_or_at_any_age_is_no_clock() {
        let start = Instant::now();
        let mut cuts = Cuts::default();
        for (age_ms, at_ms) in [(9000, 0), (9010, 1), (3000, 5000), (500, 6000), (520, 7000), (14_000, 21_000)] {
            cuts.cut(Duration::from_millis(age_ms), start + Duration::from_millis(at_ms));
        }
        assert_eq!(cuts.hold(HOLD, start), HOLD);
    }
}
