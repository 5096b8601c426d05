//! Which poll to send next: the numbering, the overlap, and what to do when one fails. No I/O, no clock.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use proto::Kind;

use super::{failure::Failure, hedge::Allowance, overlap::LEAST};
use crate::{backoff::Backoff, events::HASTY};

/// How long the relay may hold a media poll: shorter than the 30 s at which filters cut silent requests, with room for a slow network.
pub(super) const HOLD: Duration = Duration::from_secs(20);

/// So many hasty empty answers in a row are let pass: a relay that stops answers all parked polls.
const HASTY_MAX: u32 = 16;

/// After this long without any answer one poll asks for what there is now: the others may be parked, or wait on connections that nobody serves.
/// While there is nothing, twice as long each time, up to [`HOLD`].
const SILENCE: Duration = Duration::from_secs(2);

/// Most polls beyond the overlap in place of ones that are late.
const LATE_MAX: usize = 4;

/// A later poll's answer may be here earlier by this much without a packet lost: answers aren't of one size.
const UNEVEN: Duration = Duration::from_millis(10);

/// A poll to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Poll {
    pub(super) reader: u32,
    pub(super) number: u64,
    /// Zero: answer at once.
    pub(super) hold: Duration,
}

/// One that was sent and isn't answered.
#[derive(Clone, Copy, Debug, Default)]
struct Flight {
    /// How often it has failed.
    failed: u32,
    /// It is to be answered at once.
    quick: bool,
    /// Since when a later one was answered: the relay answers the lowest number first, so this one's answer is on its way, or lost.
    overtaken: Option<Instant>,
    /// It was sent once more.
    twice: bool,
    /// How many are on their way under this number.
    copies: u32,
}

/// One lane's polls.
pub(super) struct Polls {
    kind: Kind,
    reader: u32,
    next: u64,
    depth: usize,
    flying: BTreeMap<u64, Flight>,
    /// Failed and to be sent again under the same number, with how often each has.
    again: BTreeMap<u64, u32>,
    /// How long an answer may be overtaken before it counts as lost.
    patience: Duration,
    allowance: Allowance,
    /// When something was answered last, or nothing was expected before.
    heard: Option<Instant>,
    /// How long nothing may be heard from then on.
    silence: Duration,
    /// Out of reach: one poll at a time finds out whether that is over.
    down: bool,
    not_before: Option<Instant>,
    /// The relay itself asked for the pause.
    asked: bool,
    hasty: u32,
    backoff: Backoff,
}

impl Polls {
    pub(super) fn new(kind: Kind, reader: u32, seed: u64) -> Self {
        Self {
            kind,
            reader,
            next: 1,
            depth: LEAST,
            flying: BTreeMap::new(),
            again: BTreeMap::new(),
            patience: UNEVEN,
            allowance: Allowance::default(),
            heard: None,
            silence: SILENCE,
            down: false,
            not_before: None,
            asked: false,
            hasty: 0,
            backoff: Backoff::new(seed),
        }
    }

    /// How many to keep in flight from now on, on a way of this round trip.
    pub(super) fn set_depth(&mut self, depth: usize, round_trip: Option<Duration>) {
        self.depth = depth;
        self.patience = UNEVEN + round_trip.unwrap_or_default() / 4;
    }

    /// Whether the relay is out of reach.
    pub(super) fn is_down(&self) -> bool {
        self.down
    }

    /// The next poll to send at `now`, if one is due. With `measure` it is one that is answered at once.
    pub(super) fn poll(&mut self, now: Instant, measure: bool) -> Option<Poll> {
        if self.paused_until(now).is_some() {
            return None;
        }
        if let Some(lost) = self.lost(now) {
            return Some(Poll { reader: self.reader, number: lost, hold: HOLD });
        }
        let asks = self.asks();
        let silent = !asks && now >= *self.heard.get_or_insert(now) + self.silence;
        let late = self.flying.values().filter(|flight| flight.overtaken.is_some()).count().min(LATE_MAX);
        let room = if self.down { !asks } else { silent || self.flying.len() < self.depth + late };
        if !room {
            return None;
        }
        let (number, failed) = self.again.pop_first().unwrap_or_else(|| {
            let number = self.next;
            self.next += 1;
            (number, 0)
        });
        let quick = self.down || silent || (measure && !asks);
        self.flying.insert(number, Flight { failed, quick, copies: 1, ..Flight::default() });
        Some(Poll { reader: self.reader, number, hold: if quick { Duration::ZERO } else { HOLD } })
    }

    /// When to look again although nothing came.
    pub(super) fn wake_at(&self, now: Instant) -> Option<Instant> {
        let lost = self.losing().map(|(_, at)| at).min();
        let silent = self.heard.filter(|_| !self.asks()).map(|heard| heard + self.silence);
        self.paused_until(now).or_else(|| lost.into_iter().chain(silent).min())
    }

    /// Whether one is on its way that is to be answered at once.
    fn asks(&self) -> bool {
        self.flying.values().any(|flight| flight.quick)
    }

    /// A poll whose answer has been overtaken for too long: the relay repeats it over another connection.
    fn lost(&mut self, now: Instant) -> Option<u64> {
        let (number, _) = self.losing().find(|(_, at)| *at <= now)?;
        if !self.allowance.spend() {
            return None;
        }
        let flight = self.flying.get_mut(&number)?;
        (flight.twice, flight.copies) = (true, flight.copies + 1);
        Some(number)
    }

    /// Which polls are to be sent once more, and when. Sound needs none of it: later answers repeat it.
    fn losing(&self) -> impl Iterator<Item = (u64, Instant)> {
        let hedged = self.kind == Kind::Video && !self.down && self.allowance.is_left();
        let once = self.flying.iter().filter(move |(_, flight)| hedged && !flight.twice);
        once.filter_map(|(number, flight)| Some((*number, flight.overtaken? + self.patience)))
    }

    fn paused_until(&self, now: Instant) -> Option<Instant> {
        self.not_before.filter(|until| *until > now)
    }

    /// The relay answered.
    pub(super) fn answered(&mut self, poll: Poll, empty: bool, took: Duration, now: Instant) {
        self.flying.remove(&poll.number);
        self.allowance.earn();
        self.heard = Some(now);
        self.silence = if empty { (self.silence * 2).min(HOLD) } else { SILENCE };
        if !empty {
            for flight in self.flying.range_mut(..poll.number).map(|(_, flight)| flight).filter(|flight| !flight.quick) {
                flight.overtaken.get_or_insert(now);
            }
        }
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
        let Some(flight) = self.flying.get_mut(&poll.number) else { return };
        if flight.copies > 1 {
            flight.copies -= 1;
            return;
        }
        let failed = flight.failed;
        self.flying.remove(&poll.number);
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
        self.again.extend(std::mem::take(&mut self.flying).into_iter().map(|(number, flight)| (number, flight.failed)));
    }

    // Polls that fail together make one pause.
    fn pause(&mut self, failure: Failure, now: Instant) {
        if self.paused_until(now).is_none() {
            let wait = self.backoff.wait();
            let later = if let Failure::Later(later) = failure { Some(later) } else { None };
            self.not_before = Some(now + wait.max(later.unwrap_or_default()));
            self.asked = later.is_some();
        }
    }
}

#[cfg(test)]
mod tests;
