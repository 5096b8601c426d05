//! The least duration of the last seconds, in a few words of memory.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How far back it reaches: long enough to have seen the path without a queue, short enough for a new path to be believed.
const WINDOW: Duration = Duration::from_secs(10);
/// Of how long one least is kept.
const SECOND: Duration = Duration::from_secs(1);

/// The least of the last 10 s.
#[derive(Clone, Debug, Default)]
pub(crate) struct Least<T = Duration>(VecDeque<(Instant, T)>);

impl<T: Copy + Ord> Least<T> {
    /// Adds one; gives the least.
    pub(crate) fn add(&mut self, value: T, now: Instant) -> T {
        match self.0.back_mut() {
            Some((began, least)) if now.saturating_duration_since(*began) < SECOND => *least = value.min(*least),
            _ => self.0.push_back((now, value)),
        }
        while self.0.len() > 1 && self.0.front().is_some_and(|(began, _)| now.saturating_duration_since(*began) > WINDOW) {
            self.0.pop_front();
        }
        self.get().unwrap_or(value)
    }

    /// The least, once there was any.
    pub(crate) fn get(&self) -> Option<T> {
        self.0.iter().map(|(_, least)| *least).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_is_remembered_for_ten_seconds() {
        let (start, mut least) = (Instant::now(), Least::default());
        assert_eq!(least.get(), None);
        least.add(5, start);
        for ms in (10..10_000).step_by(10) {
            assert_eq!(least.add(9, start + Duration::from_millis(ms)), 5);
        }
        assert_eq!(least.add(9, start + Duration::from_millis(10_001)), 9);
        assert!(least.0.len() <= 11);
    }
}
