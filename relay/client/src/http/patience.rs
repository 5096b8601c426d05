//! When to stop trusting a client's connections.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// After this many timeouts with no answer between them the connections count as dead. One may be a connection's own bad luck
/// with lost packets.
const TIMEOUTS: u32 = 2;

/// New connections are given this long before they are replaced in turn: longer than it takes to connect.
const BETWEEN: Duration = Duration::from_secs(6);

/// The same where nothing at all is answered.
const STALLED: Duration = Duration::from_millis(700);

/// Answers of the last while that are remembered: of more than a second, at the most there are.
const ANSWERS: usize = 128;

/// Counts timeouts. After a sleep or a change of network the old connections stay silent for ever, and only new ones help.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    timeouts: u32,
    /// When the first of what timed out began.
    since: Option<Instant>,
    renewed: Option<Instant>,
    /// When the last answers came, and when their connections were made.
    answers: VecDeque<(Instant, Instant)>,
}

impl Patience {
    /// Something came back, be it a refusal, by a connection made at `made`. True when it is time for new connections: where only a
    /// younger one than what timed out is answered, the older ones are dead.
    pub(crate) fn answered(&mut self, made: Instant, now: Instant) -> bool {
        self.answers.truncate(ANSWERS - 1);
        self.answers.push_front((now, made));
        if self.since.is_some_and(|since| made >= since) {
            return self.renew(now);
        }
        (self.timeouts, self.since) = (0, None);
        false
    }

    /// Nothing came back of what began at `began`. True when it is time for new connections.
    pub(crate) fn timed_out(&mut self, began: Instant, now: Instant) -> bool {
        self.timeouts += 1;
        self.since.get_or_insert(began);
        self.timeouts >= TIMEOUTS && self.renew(now)
    }

    /// Nothing came back of anything for longer than the caller's patience, which grows by itself. True when it is time for new connections.
    pub(crate) fn stalled(&mut self, now: Instant) -> bool {
        self.renew_after(STALLED, now)
    }

    /// What was sent at `since` has had no answer for long. True when it is time for new connections: where all late answers came by
    /// connections made since, the older ones are dead.
    pub(crate) fn silent(&mut self, since: Instant, now: Instant) -> bool {
        // What was on its way already at that time is no sign of life.
        let mut answers = self.answers.iter().take_while(|(at, _)| *at + STALLED > now).peekable();
        answers.peek().is_some() && answers.all(|(_, made)| *made > since) && self.renew_after(STALLED, now)
    }

    fn renew(&mut self, now: Instant) -> bool {
        self.renew_after(BETWEEN, now)
    }

    fn renew_after(&mut self, rest: Duration, now: Instant) -> bool {
        let rested = self.renewed.is_none_or(|at| now.saturating_duration_since(at) >= rest);
        if rested {
            *self = Self { renewed: Some(now), ..Self::default() };
        }
        rested
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn two_timeouts_in_a_row_are_too_many_but_not_at_once_again() {
        let start = Instant::now();
        let mut patience = Patience::default();
        assert!(!patience.timed_out(start, start));
        assert!(!patience.answered(start - ms(1), start));
        assert!(!patience.timed_out(start, start));
        assert!(patience.timed_out(start, start));
        for _ in 0..10 {
            assert!(!patience.timed_out(start, start + ms(5000)));
        }
        assert!(patience.timed_out(start, start + ms(6000)));
    }

    #[test]
    fn old_connections_are_dead_where_only_those_made_since_are_answered() {
        let start = Instant::now();
        let at = |ms_later| start + ms(ms_later);
        let mut patience = Patience::default();
        patience.answered(start, at(90));
        assert!(!patience.silent(at(100), at(1100)), "nothing is answered, which may be the relay's fault");
        patience.answered(at(150), at(450));
        patience.answered(start, at(500));
        assert!(!patience.silent(at(100), at(1100)), "an old one is alive");
        patience.answered(at(450), at(1000));
        assert!(patience.silent(at(400), at(1500)));
        assert!(!patience.silent(at(400), at(1600)), "that was seen to");
    }

    #[test]
    fn one_timeout_is_too_many_where_only_new_connections_are_answered() {
        let start = Instant::now();
        let mut patience = Patience::default();
        assert!(!patience.answered(start, start), "nothing is wrong yet");
        assert!(!patience.timed_out(start + ms(10), start + ms(1010)));
        assert!(patience.answered(start + ms(30), start + ms(1020)));
        assert!(!patience.answered(start + ms(30), start + ms(1030)), "that was seen to");
    }
}
