//! How much sound is kept ready for the speaker: little, and more for a while when it proved too little.

use std::time::{Duration, Instant};

/// What a machine that isn't busy needs: as much as is made at once.
pub(super) const LEAST: Duration = Duration::from_millis(10);
/// What a speaker needs that takes 40 ms at once.
const MOST: Duration = Duration::from_millis(40);
/// How much more is kept after the speaker had to wait.
const MORE: Duration = Duration::from_millis(10);
/// After how long without that less is tried, and how much less.
const TRY: Duration = Duration::from_secs(60);
const LESS: Duration = Duration::from_millis(5);

/// Learns how much sound the speaker should have when more is made.
pub(super) struct Reserve {
    kept: Duration,
    missed: Duration,
    since: Instant,
}

impl Reserve {
    pub(super) fn new(now: Instant) -> Self {
        Self { kept: LEAST, missed: Duration::ZERO, since: now }
    }

    /// What to keep from `now` on, when so much silence was played in all for want of sound.
    pub(super) fn keep(&mut self, now: Instant, missed: Duration) -> Duration {
        if missed > self.missed {
            (self.missed, self.since) = (missed, now);
            self.kept = MOST.min(self.kept + MORE);
        } else if now.saturating_duration_since(self.since) >= TRY {
            self.since = now;
            self.kept = LEAST.max(self.kept.saturating_sub(LESS));
        }
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_kept_while_it_is_needed() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let millis = Duration::from_millis;
        let mut reserve = Reserve::new(start);
        assert_eq!(reserve.keep(at(0), millis(0)), LEAST);
        assert_eq!(reserve.keep(at(1), millis(3)), LEAST + MORE);
        assert_eq!(reserve.keep(at(2), millis(3)), LEAST + MORE, "nothing new is missing");
        for second in 3..20 {
            assert!(reserve.keep(at(second), millis(second * 10)) <= MOST);
        }
        assert_eq!(reserve.keep(at(19), millis(190)), MOST);
        assert_eq!(reserve.keep(at(80), millis(190)), MOST - LESS);
        for second in 81..900 {
            reserve.keep(at(second), millis(190));
        }
        assert_eq!(reserve.keep(at(900), millis(190)), LEAST);
    }
}
