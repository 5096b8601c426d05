//! How long to wait before the next attempt.

use std::time::Duration;

/// The first wait: long enough not to spin, short enough to go unnoticed.
const FIRST: Duration = Duration::from_millis(100);

/// The longest wait: a relay that is back must be found within a second.
const CAP: Duration = Duration::from_millis(900);

/// Doubling waits with jitter, so that the clients of a restarted relay don't all come at once.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    step: u32,
    random: u64,
}

impl Backoff {
    /// `seed` may be anything; equal seeds give equal waits.
    pub(crate) fn new(seed: u64) -> Self {
        Self { step: 0, random: seed }
    }

    /// The next wait: between half and all of a bound that doubles up to [`CAP`].
    pub(crate) fn wait(&mut self) -> Duration {
        let bound = FIRST.saturating_mul(1 << self.step.min(16)).min(CAP);
        self.step = self.step.saturating_add(1);
        let fraction = 0.5 + 0.5 * (self.roll() >> 11) as f64 / (1_u64 << 53) as f64;
        bound.mul_f64(fraction)
    }

    /// After a success the next spell starts quick again.
    pub(crate) fn reset(&mut self) {
        self.step = 0;
    }

    // SplitMix64 (Steele, Lea, Flood, 2014): jitter needs no more.
    fn roll(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// A random number for readers and seeds. Without an entropy source the clock must do: these numbers are no secrets.
pub(crate) fn random() -> u64 {
    getrandom::u64().unwrap_or_else(|_| {
        let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        since.as_secs() ^ u64::from(since.subsec_nanos()) << 32
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_within_their_bounds_and_start_over() {
        for seed in 0..200 {
            let mut backoff = Backoff::new(seed);
            for bound in [100, 200, 400, 800, 900, 900, 900] {
                let wait = backoff.wait();
                assert!(wait >= Duration::from_millis(bound / 2) && wait <= Duration::from_millis(bound), "{wait:?} of {bound}");
            }
            backoff.reset();
            assert!(backoff.wait() <= FIRST);
        }
    }

    #[test]
    fn two_clients_do_not_wait_alike() {
        let waits: std::collections::BTreeSet<_> = (0..100).map(|seed| Backoff::new(seed).wait()).collect();
        assert!(waits.len() > 95);
    }
}
