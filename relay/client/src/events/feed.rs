//! What the event lane does next: state first, then poll after poll, and what to do when one fails. No I/O, no clock.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use proto::{
    Cursor, ErrorCode, Event,
    api::{Events, State},
    limits::WAIT_MAX,
};

use super::{HASTY, Update};
use crate::{backoff::Backoff, error::Error};

/// The longest a relay that says goodbye may send its clients away.
const GOODBYE_MAX: Duration = Duration::from_secs(10);

/// So many hasty empty answers in a row are let pass; a relay that stops gives one.
const HASTY_MAX: u32 = 3;

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask for the state.
    State,
    /// Ask for events.
    Poll {
        after: Cursor,
        hold: Duration,
    },
    /// Nothing before then.
    Sleep(Instant),
    End,
}

struct Spell {
    since: Instant,
    attempt: u32,
}

/// The event lane's memory.
pub(super) struct Feed {
    cursor: Option<Cursor>,
    updates: VecDeque<Update>,
    backoff: Backoff,
    spell: Option<Spell>,
    not_before: Option<Instant>,
    /// A poll broke and is repeated at once, before anyone hears of it: proxies close connections at will.
    blip: Option<Instant>,
    hasty: u32,
    /// A state was given whose cursor no poll has proven yet.
    unproven: bool,
    ended: bool,
}

impl Feed {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            cursor: None,
            updates: VecDeque::new(),
            backoff: Backoff::new(seed),
            spell: None,
            not_before: None,
            blip: None,
            hasty: 0,
            unproven: false,
            ended: false,
        }
    }

    /// The next thing to tell, oldest first.
    pub(super) fn take(&mut self) -> Option<Update> {
        self.updates.pop_front()
    }

    /// What to do at `now`.
    pub(super) fn step(&self, now: Instant) -> Step {
        if self.ended {
            return Step::End;
        }
        if let Some(until) = self.not_before.filter(|until| *until > now) {
            return Step::Sleep(until);
        }
        match &self.cursor {
            None => Step::State,
            // While it isn't known whether the relay is back an answer at once is worth more than an event.
            Some(after) => {
                let hold = if self.spell.is_some() || self.blip.is_some() { Duration::ZERO } else { WAIT_MAX };
                Step::Poll { after: after.clone(), hold }
            }
        }
    }

    /// The answer to [`Step::State`].
    pub(super) fn state(&mut self, outcome: Result<State, Error>, now: Instant) {
        match outcome {
            Ok(state) => {
                self.succeeded();
                self.cursor = Some(state.cursor.clone());
                self.unproven = true;
                self.updates.push_back(Update::State(state));
            }
            Err(error) => self.failed(error, now),
        }
    }

    /// The answer to [`Step::Poll`], which was to be held for `hold` and took `took`.
    pub(super) fn events(&mut self, outcome: Result<Events, Error>, hold: Duration, took: Duration, now: Instant) {
        match outcome {
            Ok(events) => {
                self.unproven = false;
                self.succeeded();
                self.cursor = Some(events.cursor);
                self.pace(events.events.is_empty() && hold > HASTY && took < HASTY, now);
                let mut goodbye = None;
                for event in events.events {
                    if let Event::Goodbye { retry_after_ms } = event {
                        goodbye = Some(Duration::from_millis(retry_after_ms));
                    }
                    self.updates.push_back(Update::Event(event));
                }
                if let Some(wait) = goodbye {
                    self.leave(wait.min(GOODBYE_MAX), now);
                }
            }
            Err(error) if error.code() == Some(ErrorCode::CursorExpired) => {
                self.cursor = None;
                // A relay that forgets the cursor it just gave must not be asked as fast as the network allows.
                if self.unproven {
                    self.not_before = Some(now + self.backoff.wait());
                }
            }
            Err(error) => self.failed(error, now),
        }
    }

    fn succeeded(&mut self) {
        self.blip = None;
        self.not_before = None;
        if !self.unproven {
            self.backoff.reset();
        }
        if self.spell.take().is_some() {
            self.updates.push_back(Update::Connected);
        }
    }

    fn pace(&mut self, hasty: bool, now: Instant) {
        self.hasty = if hasty { self.hasty + 1 } else { 0 };
        if self.hasty > HASTY_MAX {
            self.not_before = Some(now + self.backoff.wait());
        }
    }

    fn leave(&mut self, wait: Duration, now: Instant) {
        let message = "The relay is stopping and hopes to be back in a moment.".to_owned();
        let reason = Error::Refused { code: ErrorCode::ShuttingDown, message, retry_after: Some(wait) };
        self.spell = Some(Spell { since: now, attempt: 1 });
        self.not_before = Some(now + wait);
        self.updates.push_back(Update::Reconnecting { attempt: 1, since: now, reason: Arc::new(reason) });
    }

    fn failed(&mut self, error: Error, now: Instant) {
        if error.code() == Some(ErrorCode::Unauthorized) {
            self.ended = true;
            self.updates.push_back(Update::SignedOut { reason: Arc::new(error) });
            return;
        }
        if error.is_cut() && self.cursor.is_some() && self.spell.is_none() && self.blip.is_none() {
            self.blip = Some(now);
            return;
        }
        let since = self.blip.take().unwrap_or(now);
        let spell = self.spell.get_or_insert(Spell { since, attempt: 0 });
        spell.attempt = spell.attempt.saturating_add(1);
        let wait = self.backoff.wait().max(error.retry_after().unwrap_or_default().min(GOODBYE_MAX));
        self.not_before = Some(now + wait);
        let (attempt, since) = (spell.attempt, spell.since);
        self.updates.push_back(Update::Reconnecting { attempt, since, reason: Arc::new(error) });
    }
}

#[cfg(test)]
mod tests;
