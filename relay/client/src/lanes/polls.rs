//! Which poll to send next: the numbering, the overlap, and what to do when one fails. No I/O, no clock.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use super::{failure::Failure, overlap::LEAST};
use crate::{backoff::Backoff, events::HASTY};

/// How long the relay may hold a media poll: shorter than the 30 s at which filters cut silent requests, with room for a slow network.
pub(super) const HOLD: Duration = Duration::from_secs(20);

/// So many hasty empty answers in a row are let pass: a relay that stops answers all parked polls.
const HASTY_MAX: u32 = 16;

/// A poll to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Poll {
    pub(super) reader: u32,
    pub(super) number: u64,
    /// Zero: answer at once.
    pub(super) hold: Duration,
}

/// One lane's polls.
pub(super) struct Polls {
    reader: u32,
    next: u64,
    depth: usize,
    /// Sent and not answered, with how often each has failed before.
    flying: BTreeMap<u64, u32>,
    /// Failed and to be sent again under the same number.
    again: BTreeMap<u64, u32>,
    /// The ones in flight that are to be answered at once.
    quick: BTreeSet<u64>,
    /// Out of reach: one poll at a time finds out whether that is over.
    down: bool,
    not_before: Option<Instant>,
    /// The relay itself asked for the pause.
    asked: bool,
    hasty: u32,
    backoff: Backoff,
}

impl Polls {
    pub(super) fn new(reader: u32, seed: u64) -> Self {
        Self {
            reader,
            next: 1,
            depth: LEAST,
            flying: BTreeMap::new(),
            again: BTreeMap::new(),
            quick: BTreeSet::new(),
            down: false,
            not_before: None,
            asked: false,
            hasty: 0,
            backoff: Backoff::new(seed),
        }
    }

    /// How many to keep in flight from now on.
    pub(super) fn set_depth(&mut self, depth: usize) {
        self.depth = depth;
    }

    /// Whether the relay is out of reach.
    pub(super) fn is_down(&self) -> bool {
        self.down
    }

    /// The next poll to send at `now`, if one is due. With `measure` it is one that is answered at once.
    pub(super) fn poll(&mut self, now: Instant, measure: bool) -> Option<Poll> {
        let allowed = if self.down { usize::from(self.quick.is_empty()) } else { self.depth.saturating_sub(self.flying.len()) };
        if allowed == 0 || self.wake_at(now).is_some() {
            return None;
        }
        let (number, failed) = self.again.pop_first().unwrap_or_else(|| {
            let number = self.next;
            self.next += 1;
            (number, 0)
        });
        self.flying.insert(number, failed);
        let quick = self.down || (measure && self.quick.is_empty());
        if quick {
            self.quick.insert(number);
        }
        Some(Poll { reader: self.reader, number, hold: if quick { Duration::ZERO } else { HOLD } })
    }

    /// When to look again although nothing came.
    pub(super) fn wake_at(&self, now: Instant) -> Option<Instant> {
        self.not_before.filter(|until| *until > now)
    }

    /// The relay answered.
    pub(super) fn answered(&mut self, poll: Poll, empty: bool, took: Duration, now: Instant) {
        self.flying.remove(&poll.number);
        self.quick.remove(&poll.number);
        self.down = false;
        self.not_before = None;
        self.backoff.reset();
        let hasty = empty && poll.hold > HASTY && took < HASTY;
        self.hasty = if hasty { self.hasty + 1 } else { 0 };
        if self.hasty > HASTY_MAX {
            self.not_before = Some(now + self.backoff.wait());
        }
    }

    /// No answer came; the poll will be sent again.
    pub(super) fn failed(&mut self, poll: Poll, failure: Failure, now: Instant) {
        self.quick.remove(&poll.number);
        let Some(failed) = self.flying.remove(&poll.number) else { return };
        self.again.insert(poll.number, failed + 1);
        if failure == Failure::Blip && failed == 0 && !self.down {
            return;
        }
        self.down = true;
        self.pause(failure, now);
    }

    /// Someone else got through, so the pause has lost its reason, unless the relay asked for it.
    pub(super) fn hurry(&mut self) {
        if self.down && !self.asked {
            self.not_before = None;
        }
    }

    /// The connections are of no use any more: whatever is in flight is to be sent again.
    pub(super) fn resend(&mut self) {
        self.quick.clear();
        self.again.append(&mut self.flying);
    }

    // Polls that fail together make one pause.
    fn pause(&mut self, failure: Failure, now: Instant) {
        if self.wake_at(now).is_none() {
            let wait = self.backoff.wait();
            let later = if let Failure::Later(later) = failure { Some(later) } else { None };
            self.not_before = Some(now + wait.max(later.unwrap_or_default()));
            self.asked = later.is_some();
        }
    }
}

#[cfg(test)]
mod tests;
