//! When to stop trusting a client's connections.

use std::time::{Duration, Instant};

/// After this many timeouts with no answer between them the connections count as dead. One may be a connection's own bad luck
/// with lost packets.
const TIMEOUTS: u32 = 2;

/// New connections are given this long before they are replaced in turn: longer than it takes to connect.
const BETWEEN: Duration = Duration::from_secs(6);

/// Counts timeouts. After a sleep or a change of network the old connections stay silent for ever, and only new ones help.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    timeouts: u32,
    renewed: Option<Instant>,
}

impl Patience {
    /// Something came back, be it a refusal.
    pub(crate) fn answered(&mut self) {
        self.timeouts = 0;
    }

    /// Nothing came back. True when it is time for new connections.
    pub(crate) fn timed_out(&mut self, now: Instant) -> bool {
        self.timeouts += 1;
        let rested = self.renewed.is_none_or(|at| now.saturating_duration_since(at) >= BETWEEN);
        if self.timeouts < TIMEOUTS || !rested {
            return false;
        }
        self.timeouts = 0;
        self.renewed = Some(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_timeouts_in_a_row_are_too_many_but_not_at_once_again() {
        let start = Instant::now();
        let mut patience = Patience::default();
        assert!(!patience.timed_out(start));
        patience.answered();
        assert!(!patience.timed_out(start));
        assert!(patience.timed_out(start));
        for _ in 0..10 {
            assert!(!patience.timed_out(start + Duration::from_secs(5)));
        }
        assert!(patience.timed_out(start + Duration::from_secs(6)));
    }
}
