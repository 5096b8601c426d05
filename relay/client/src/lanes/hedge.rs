//! When a request counts as late, and how often one may be sent twice. No I/O, no clock.
//!
//! A lost packet holds up its own connection for several round trips, and no other. What is late is therefore sent again by another
//! one, where that can't make things worse: late is measured against what requests take just now, so that a slow network isn't asked
//! to carry everything twice, and only a small share may go twice at all.

use std::{collections::VecDeque, time::Duration};

/// How many of the last requests tell what is usual.
const SAMPLES: usize = 32;

/// With fewer nothing is known.
const ENOUGH: usize = 8;

/// Added to what is usual: the machines' own unsteadiness.
const SLACK: Duration = Duration::from_millis(10);

/// One request in so many may go twice.
const ONE_IN: u32 = 8;

/// So many may go twice in a row: a burst of losses.
const SAVED: u32 = 4;

/// How long requests take just now.
#[derive(Debug, Default)]
pub(super) struct Usual {
    took: VecDeque<Duration>,
    late_after: Option<Duration>,
}

impl Usual {
    /// One took this long.
    pub(super) fn add(&mut self, took: Duration) {
        if self.took.len() == SAMPLES {
            self.took.pop_front();
        }
        self.took.push_back(took);
        if self.took.len() < ENOUGH {
            return;
        }
        let mut sorted = self.took.iter().copied().collect::<Vec<_>>();
        // Three quarters: where more than that are late, that is how it is now.
        let at = sorted.len() * 3 / 4;
        let (_, usual, _) = sorted.select_nth_unstable(at);
        self.late_after = Some(*usual + *usual / 4 + SLACK);
    }

    /// One that takes longer is late.
    pub(super) fn late_after(&self) -> Option<Duration> {
        self.late_after
    }
}

/// How many may still go twice.
#[derive(Debug)]
pub(super) struct Allowance(u32);

impl Default for Allowance {
    fn default() -> Self {
        Self(SAVED * ONE_IN)
    }
}

impl Allowance {
    /// One was answered.
    pub(super) fn earn(&mut self) {
        self.0 = (self.0 + 1).min(SAVED * ONE_IN);
    }

    /// Whether one may go twice now; then it counts as sent.
    pub(super) fn spend(&mut self) -> bool {
        let left = self.0.checked_sub(ONE_IN);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }

    /// Whether one might go twice now.
    pub(super) fn is_left(&self) -> bool {
        self.0 >= ONE_IN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn late_is_what_takes_clearly_longer_than_most_just_now() {
        let mut usual = Usual::default();
        for _ in 0..ENOUGH - 1 {
            usual.add(ms(40));
        }
        assert_eq!(usual.late_after(), None, "too few to tell");
        usual.add(ms(40));
        usual.add(ms(300));
        usual.add(ms(300));
        assert_eq!(usual.late_after(), Some(ms(60)), "two losses change nothing");
        for _ in 0..SAMPLES {
            usual.add(ms(400));
        }
        assert_eq!(usual.late_after(), Some(ms(510)), "a slow network is none of losses");
    }

    #[test]
    fn one_in_eight_may_go_twice() {
        let mut allowance = Allowance::default();
        let twice = (0..800).filter(|_| {
            allowance.earn();
            allowance.spend()
        });
        assert_eq!(twice.count(), 103);
        while allowance.spend() {}
        assert!(!allowance.is_left());
    }
}
