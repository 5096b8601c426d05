//! Whether a call's lanes work, told once per spell. No I/O, no clock.

use std::{sync::Arc, time::Instant};

use proto::Kind;

use super::LaneState;
use crate::error::Error;

/// The workers of one call: polls and uploads of each kind.
pub(super) const WORKERS: usize = 2 * Kind::ALL.len();

/// What the workers said last.
#[derive(Debug, Default)]
pub(super) struct Health {
    failing: [bool; WORKERS],
    spell: Option<Instant>,
    live: bool,
    ended: bool,
}

impl Health {
    /// Whether this worker said last that it doesn't get through.
    pub(super) fn is_failing(&self, worker: usize) -> bool {
        self.failing[worker]
    }

    /// A worker got through. What is to be told, if that is news.
    pub(super) fn works(&mut self, worker: usize) -> Option<LaneState> {
        self.failing[worker] = false;
        if self.ended || self.live || self.failing.contains(&true) {
            return None;
        }
        self.live = true;
        self.spell = None;
        Some(LaneState::Live)
    }

    /// A worker has nothing to do, so it doesn't know any better than the others.
    pub(super) fn rests(&mut self, worker: usize) -> Option<LaneState> {
        if self.failing[worker] { self.works(worker) } else { None }
    }

    /// A worker doesn't get through.
    pub(super) fn fails(&mut self, worker: usize, reason: &Error, now: Instant) -> Option<LaneState> {
        self.failing[worker] = true;
        self.live = false;
        if self.ended || self.spell.is_some() {
            return None;
        }
        self.spell = Some(now);
        Some(LaneState::Reconnecting { since: now, reason: Arc::new(reason.clone()) })
    }

    /// The relay says that the call is over.
    pub(super) fn ends(&mut self, reason: &Error) -> Option<LaneState> {
        if self.ended {
            return None;
        }
        self.ended = true;
        Some(LaneState::Ended { reason: Arc::new(reason.clone()) })
    }
}

#[cfg(test)]
mod tests {
    use proto::ErrorCode;

    use super::*;

    fn error() -> Error {
        Error::Timeout { relay: "http://relay.example.org".into() }
    }

    #[test]
    fn each_spell_is_told_once_and_ends_when_the_last_worker_is_back() {
        let now = Instant::now();
        let mut health = Health::default();
        assert!(matches!(health.works(0), Some(LaneState::Live)));
        assert!(health.works(1).is_none());
        assert!(matches!(health.fails(2, &error(), now), Some(LaneState::Reconnecting { since, .. }) if since == now));
        assert!(health.fails(2, &error(), now).is_none());
        assert!(health.fails(0, &error(), now).is_none());
        assert!(health.works(1).is_none());
        assert!(health.works(0).is_none());
        assert!(matches!(health.works(2), Some(LaneState::Live)));
        assert!(matches!(health.fails(3, &error(), now), Some(LaneState::Reconnecting { .. })));
        assert!(matches!(health.rests(3), Some(LaneState::Live)));
        assert!(health.rests(3).is_none());
    }

    #[test]
    fn after_the_end_nothing_more_is_told() {
        let now = Instant::now();
        let mut health = Health::default();
        let over = Error::Refused { code: ErrorCode::NotFound, message: "The call is over.".to_owned(), retry_after: None };
        assert!(matches!(health.ends(&over), Some(LaneState::Ended { .. })));
        assert!(health.ends(&over).is_none());
        assert!(health.works(0).is_none());
        assert!(health.fails(0, &error(), now).is_none());
    }
}
