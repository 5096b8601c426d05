//! Token buckets: so many requests at once, so many a second in the long run.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

/// A rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Requests at once.
    pub burst: f64,
    /// Requests a second in the long run.
    pub per_second: f64,
}

/// How fast each kind of request may come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// New accounts from one address.
    pub sign_up: Rate,
    /// Sign-ins from one address.
    pub sign_in: Rate,
    /// Wrong passwords for one name from one address: guessing takes many.
    pub wrong_password: Rate,
    /// Wrong passwords for one name from everywhere. While they come faster its owner can't sign in either, so it is laxer.
    pub wrong_password_everywhere: Rate,
    /// Reports of one person to whoever runs the relay.
    pub report: Rate,
    /// What a path doctor asks, from one address: a whole look takes some fifty.
    pub doctor: Rate,
    /// Everything else but media, for one session.
    pub control: Rate,
    /// Uploads of one session: 50 audio and 60 video chunks a second, each perhaps sent twice, with room to spare.
    pub uploads: Rate,
    /// Polls of one session: each of 15 peers may cause 110 a second.
    pub polls: Rate,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            sign_up: Rate { burst: 10.0, per_second: 0.1 },
            sign_in: Rate { burst: 20.0, per_second: 0.5 },
            wrong_password: Rate { burst: 20.0, per_second: 0.5 },
            wrong_password_everywhere: Rate { burst: 200.0, per_second: 5.0 },
            report: Rate { burst: 5.0, per_second: 0.01 },
            doctor: Rate { burst: 120.0, per_second: 0.5 },
            control: Rate { burst: 200.0, per_second: 50.0 },
            uploads: Rate { burst: 500.0, per_second: 300.0 },
            polls: Rate { burst: 1000.0, per_second: 2000.0 },
        }
    }
}

/// What is left of a rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    pub(crate) fn full(rate: Rate, now: Instant) -> Self {
        Self { left: rate.burst, at: now }
    }

    /// Takes one, or says when to come again.
    pub(crate) fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Duration> {
        self.left = (self.left + now.saturating_duration_since(self.at).as_secs_f64() * rate.per_second).min(rate.burst);
        self.at = self.at.max(now);
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Ok(());
        }
        let wait = (1.0 - self.left) / rate.per_second.max(f64::MIN_POSITIVE);
        Err(Duration::from_secs_f64(wait.min(3600.0)))
    }

    /// Gives one back that was taken for nothing.
    fn give_back(&mut self, rate: Rate) {
        self.left = (self.left + 1.0).min(rate.burst);
    }

    fn is_full(&self, rate: Rate, now: Instant) -> bool {
        self.left + now.saturating_duration_since(self.at).as_secs_f64() * rate.per_second >= rate.burst
    }
}

/// A bucket for each key.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    rate: Rate,
    buckets: HashMap<K, Bucket>,
}

impl<K: Eq + Hash> Buckets<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, buckets: HashMap::new() }
    }

    /// Takes one for this key, or says when to come again.
    pub(crate) fn take(&mut self, key: K, now: Instant) -> Result<(), Duration> {
        let rate = self.rate;
        self.buckets.entry(key).or_insert_with(|| Bucket::full(rate, now)).take(rate, now)
    }

    /// Gives one back that was taken for nothing.
    pub(crate) fn give_back(&mut self, key: &K) {
        if let Some(bucket) = self.buckets.get_mut(key) {
            bucket.give_back(self.rate);
        }
    }

    /// Forgets those that have filled up again.
    pub(crate) fn tidy(&mut self, now: Instant) {
        let rate = self.rate;
        self.buckets.retain(|_, bucket| !bucket.is_full(rate, now));
    }

    /// How many are known.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.buckets.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_the_rest_waits_its_turn() {
        let start = Instant::now();
        let mut buckets = Buckets::new(Rate { burst: 2.0, per_second: 10.0 });
        assert_eq!(buckets.take("a", start), Ok(()));
        assert_eq!(buckets.take("a", start), Ok(()));
        assert_eq!(buckets.take("a", start), Err(Duration::from_millis(100)));
        assert_eq!(buckets.take("b", start), Ok(()));
        assert_eq!(buckets.take("a", start + Duration::from_millis(100)), Ok(()));
        buckets.tidy(start + Duration::from_millis(200));
        assert_eq!(buckets.len(), 1);
        buckets.tidy(start + Duration::from_secs(1));
        assert_eq!(buckets.len(), 0);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_and_no_more() {
        let start = Instant::now();
        let mut buckets = Buckets::new(Rate { burst: 1.0, per_second: 0.1 });
        for _ in 0..3 {
            assert_eq!(buckets.take("a", start), Ok(()));
            buckets.give_back(&"a");
            buckets.give_back(&"a");
        }
        assert_eq!(buckets.take("a", start), Ok(()));
        assert!(buckets.take("a", start).is_err());
        buckets.give_back(&"nobody");
        assert_eq!(buckets.len(), 1);
    }
}
