//! Noticing that something in between allows a client only so many connections. No I/O, no clock.
//!
//! Such a proxy refuses new connections, or lets them wait, while the old ones work. A relay that is down, or a network that is
//! away, takes the old ones along, and so looks different.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// The usual number of connections that such proxies allow; RFC 2616 asked for no more.
const FEW: usize = 2;

/// So many refusals mean that there is a bound: one may be chance.
const STRIKES: usize = 3;

/// They must come within this time.
const WINDOW: Duration = Duration::from_secs(10);

/// Refusals closer to each other than this are one: requests begin in bursts.
const BURST: Duration = Duration::from_millis(30);

/// A silence this long counts although nothing else was answered meanwhile, as long as something lately was.
const LONG: Duration = Duration::from_millis(1900);

/// An older request that has lasted this long without breaking shows that its connection lives.
const LASTING: Duration = Duration::from_millis(100);

/// A connection that answered within this time is one of those that there are.
const ALIVE: Duration = Duration::from_secs(2);

/// Most connections that are remembered.
const ALIVE_MAX: usize = 16;

/// After this long without a refusal the bound is lifted, to see whether it is still there. Each time it was, twice as long, up to
/// [`CALM_MAX`].
const CALM: Duration = Duration::from_secs(60);

const CALM_MAX: Duration = Duration::from_secs(3600);

/// How a connection failed that had never carried an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// It was refused, or closed at once.
    Refused,
    /// It was made, and no answer has come so far.
    Silent,
}

/// What is known about a bound.
#[derive(Debug)]
pub(crate) struct Scarcity {
    limit: Option<usize>,
    strikes: VecDeque<Instant>,
    /// When something was last answered on a connection that had carried an answer before.
    answered: Option<Instant>,
    /// When the connections that answered last were made, and when they did.
    alive: VecDeque<(Instant, Instant)>,
    /// When the bound was found, or last met.
    met: Option<Instant>,
    calm: Duration,
}

impl Default for Scarcity {
    fn default() -> Self {
        let (strikes, alive) = (VecDeque::new(), VecDeque::new());
        Self { limit: None, strikes, answered: None, alive, met: None, calm: CALM }
    }
}

impl Scarcity {
    /// How many connections there may be; any number while it is `None`.
    pub(crate) fn limit(&self) -> Option<usize> {
        self.limit
    }

    /// An answer came by a connection made at `made`. True when the bound has changed.
    pub(crate) fn answered(&mut self, made: Instant, now: Instant) -> bool {
        self.answered = Some(now);
        self.alive.retain(|(other, at)| *other != made && now.saturating_duration_since(*at) < ALIVE);
        self.alive.truncate(ALIVE_MAX - 1);
        self.alive.push_front((made, now));
        let calm = self.met.is_some_and(|met| now.saturating_duration_since(met) >= self.calm);
        if self.limit.is_none() || !calm {
            return false;
        }
        self.limit = None;
        self.strikes.clear();
        self.calm = (self.calm * 2).min(CALM_MAX);
        true
    }

    /// A request that began at `began` failed on a connection that had never carried an answer; `oldest` is when the oldest of the
    /// others in flight began. True when the bound has changed.
    pub(crate) fn failed(&mut self, how: Failed, began: Instant, oldest: Option<Instant>, now: Instant) -> bool {
        // What began before the bound was found had more connections beside it.
        if self.limit.is_some() && self.met.is_some_and(|met| began <= met) {
            return false;
        }
        let lately = self.answered.is_some_and(|at| now.saturating_duration_since(at) <= WINDOW);
        let meanwhile = self.answered.is_some_and(|at| at >= began);
        let lasts = oldest.is_some_and(|oldest| now.saturating_duration_since(oldest) >= LASTING);
        let long = how == Failed::Refused || now.saturating_duration_since(began) >= LONG;
        if !(meanwhile || lately && lasts && long) {
            return false;
        }
        if self.strikes.back().is_some_and(|last| now.saturating_duration_since(*last) < BURST) {
            return false;
        }
        self.strikes.push_back(now);
        while self.strikes.front().is_some_and(|first| now.saturating_duration_since(*first) > WINDOW) {
            self.strikes.pop_front();
        }
        // Who takes a connection and says nothing for so long needs no further proof, unless more are answered than that: on a way that is full
        // some wait that long.
        let alive = self.alive.iter().filter(|(_, at)| now.saturating_duration_since(*at) < ALIVE).count();
        if self.strikes.len() < STRIKES && (how == Failed::Refused || alive > FEW) {
            return false;
        }
        self.strikes.clear();
        self.met = Some(now);
        let before = self.limit;
        self.limit = Some(match before {
            None => FEW,
            Some(_) => 1,
        });
        self.limit != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn new_connections_refused_while_old_ones_work_are_a_bound() {
        let start = Instant::now();
        let mut scarcity = Scarcity::default();
        let mut found = false;
        for step in 0..3 {
            let now = start + ms(100 * step);
            assert!(!scarcity.answered(start, now));
            // A burst of four, refused at once while one old poll is parked.
            for _ in 0..4 {
                found |= scarcity.failed(Failed::Refused, now, Some(start - ms(500)), now);
            }
        }
        assert!(found);
        assert_eq!(scarcity.limit(), Some(FEW));
        let later = start + ms(1000);
        assert!(!scarcity.failed(Failed::Refused, later, Some(start), later), "one is no proof here either");
    }

    #[test]
    fn a_connection_that_is_made_and_stays_silent_is_a_bound() {
        let start = Instant::now();
        let mut scarcity = Scarcity::default();
        scarcity.answered(start, start);
        assert!(scarcity.failed(Failed::Silent, start + ms(10), Some(start - ms(90)), start + ms(2010)));
        assert_eq!(scarcity.limit(), Some(2));
        assert!(!scarcity.failed(Failed::Silent, start + ms(20), None, start + ms(2020)), "it had more than two beside it");
        scarcity.answered(start, start + ms(2500));
        assert!(scarcity.failed(Failed::Silent, start + ms(2400), None, start + ms(4400)), "two are still too many");
        assert_eq!(scarcity.limit(), Some(1));
        assert!(!scarcity.failed(Failed::Silent, start + ms(4400), None, start + ms(6400)), "fewer than one can't be");
    }

    #[test]
    fn a_shorter_silence_is_a_bound_only_if_something_was_answered_meanwhile() {
        let start = Instant::now();
        let mut scarcity = Scarcity::default();
        scarcity.answered(start, start);
        let (began, oldest) = (start + ms(10), Some(start));
        assert!(!scarcity.failed(Failed::Silent, began, oldest, start + ms(1010)), "the relay may hang");
        scarcity.answered(start, start + ms(1020));
        assert!(scarcity.failed(Failed::Silent, began, oldest, start + ms(1030)));
    }

    #[test]
    fn silence_of_one_while_more_than_a_few_are_answered_is_no_bound() {
        let start = Instant::now();
        let mut scarcity = Scarcity::default();
        let silent = |scarcity: &mut Scarcity, at: u64| {
            for connection in 0..3 {
                scarcity.answered(start + ms(connection), start + ms(at + connection));
            }
            scarcity.failed(Failed::Silent, start + ms(at - 1900), Some(start), start + ms(at + 100))
        };
        assert!(!silent(&mut scarcity, 2000) && !silent(&mut scarcity, 3000));
        assert!(silent(&mut scarcity, 4000), "again and again it is one");
    }

    #[test]
    fn a_relay_that_is_down_is_no_bound() {
        let start = Instant::now();
        let mut scarcity = Scarcity::default();
        scarcity.answered(start, start);
        for step in 1..100 {
            // All old connections broke at once, so nothing older is in flight.
            let now = start + ms(100 * step);
            assert!(!scarcity.failed(Failed::Refused, now, None, now));
            assert!(!scarcity.failed(Failed::Refused, now, Some(now - ms(50)), now));
        }
        assert_eq!(scarcity.limit(), None);
    }

    #[test]
    fn the_bound_is_lifted_in_the_hope_that_it_has_gone_and_later_each_time() {
        let start = Instant::now();
        let mut scarcity = Scarcity::default();
        let mut now = start;
        for calm in [CALM, CALM * 2, CALM * 4] {
            scarcity.answered(start, now);
            assert!(scarcity.failed(Failed::Silent, now, None, now));
            assert!(!scarcity.answered(start, now + calm - ms(1)));
            assert!(scarcity.answered(start, now + calm));
            assert_eq!(scarcity.limit(), None);
            now += calm;
        }
    }
}
