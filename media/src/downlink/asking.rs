//! How often a sender is asked for a keyframe.

use std::time::{Duration, Instant};

/// The time from the first request to the second: a request and its answer take a round trip or two.
const FIRST_AGAIN: Duration = Duration::from_millis(300);

/// The longest time between two requests, when nothing helps.
const LAST_AGAIN: Duration = Duration::from_millis(1200);

/// Spaces out the requests for one keyframe.
#[derive(Debug, Default)]
pub(crate) struct Asking {
    last: Option<Instant>,
    again: Duration,
}

impl Asking {
    /// A keyframe is wanted at `now`: whether to ask for it.
    pub(crate) fn ask(&mut self, now: Instant) -> bool {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < self.again) {
            return false;
        }
        self.last = Some(now);
        self.again = (self.again * 2).clamp(FIRST_AGAIN, LAST_AGAIN);
        true
    }

    /// A keyframe has come. The next need still keeps its distance from the last request.
    pub(crate) fn met(&mut self) {
        self.again = FIRST_AGAIN;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_at_once_then_less_and_less_often() {
        let start = Instant::now();
        let mut asking = Asking::default();
        let asked: Vec<u64> = (0..5000).filter(|millis| asking.ask(start + Duration::from_millis(*millis))).collect();
        assert_eq!(asked, [0, 300, 900, 2100, 3300, 4500]);
    }

    #[test]
    fn a_keyframe_starts_it_over_but_never_twice_in_300_ms() {
        let start = Instant::now();
        let mut asking = Asking::default();
        assert!(asking.ask(start));
        asking.met();
        assert!(!asking.ask(start + Duration::from_millis(299)));
        assert!(asking.ask(start + Duration::from_millis(300)));
        asking.met();
        assert!(asking.ask(start + Duration::from_secs(9)));
    }
}
