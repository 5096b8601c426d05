//! A signed-in client as the relay keeps it in memory.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use proto::limits::{AWAY, VANISHED};
use tokio::sync::Notify;

use super::switchboard::Who;
use crate::{
    rate::{Bucket, Rate, Rates},
    store::{AccountId, SessionId},
    token::TokenHash,
};

/// Which rate a request counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    Control,
    Upload,
    Poll,
    Typing,
}

/// How fast one session may say that its person is typing: once in a while is enough, and each time it is told to everyone there.
const TYPING: Rate = Rate { burst: 4.0, per_second: 0.5 };

/// One session. What every request needs is in here, so that none of them takes the hub's lock for it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) account: AccountId,
    pub(crate) token: TokenHash,
    /// Wakes the parked event poll.
    pub(crate) wake: Notify,
    /// Number of the newest event poll: an older one that still waits gives way to it.
    pub(crate) newest_poll: AtomicU64,
    /// Used since the database was last told.
    used: AtomicBool,
    origin: Instant,
    /// When it last polled, in milliseconds since `origin`, plus 1; 0: never.
    polled: AtomicU64,
    /// When it last asked anything, likewise.
    asked: AtomicU64,
    /// Its person has done nothing there for long, as it said with its newest event poll.
    person_idle: AtomicBool,
    rates: Rates,
    buckets: Mutex<[Bucket; 4]>,
}

impl Session {
    pub(crate) fn new(id: SessionId, account: AccountId, token: TokenHash, rates: Rates, now: Instant) -> Self {
        Self {
            id,
            account,
            token,
            wake: Notify::new(),
            newest_poll: AtomicU64::new(0),
            used: AtomicBool::new(false),
            origin: now,
            polled: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            person_idle: AtomicBool::new(false),
            rates,
            buckets: Mutex::new([
                Bucket::full(rates.control, now),
                Bucket::full(rates.uploads, now),
                Bucket::full(rates.polls, now),
                Bucket::full(TYPING, now),
            ]),
        }
    }

    pub(crate) fn who(&self) -> Who {
        Who { session: self.id, account: self.account }
    }

    /// Counts a request, or says when to come again.
    pub(crate) fn take(&self, counts: Counts, now: Instant) -> Result<(), Duration> {
        let (at, rate): (usize, Rate) = match counts {
            Counts::Control => (0, self.rates.control),
            Counts::Upload => (1, self.rates.uploads),
            Counts::Poll => (2, self.rates.polls),
            Counts::Typing => (3, TYPING),
        };
        self.used.store(true, Ordering::Relaxed);
        self.asked.fetch_max(self.since_origin(now), Ordering::Relaxed);
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)[at].take(rate, now)
    }

    /// It polls, or a poll of it ends.
    pub(crate) fn polls(&self, now: Instant) {
        self.polled.fetch_max(self.since_origin(now), Ordering::Relaxed);
    }

    /// It says for how long its person has done nothing there.
    pub(crate) fn set_person_idle(&self, idle: Option<Duration>) {
        self.person_idle.store(idle.is_some_and(|idle| idle >= AWAY), Ordering::Relaxed);
    }

    /// Whether its person is away from it.
    pub(crate) fn person_is_idle(&self) -> bool {
        self.person_idle.load(Ordering::Relaxed)
    }

    /// How long ago it asked anything, or a poll of it ended; `None` when it did neither since it was signed in or restored.
    pub(crate) fn idle(&self, now: Instant) -> Option<Duration> {
        let last = self.asked.load(Ordering::Relaxed).max(self.polled.load(Ordering::Relaxed));
        let at = self.origin + Duration::from_millis(last.checked_sub(1)?);
        Some(now.saturating_duration_since(at))
    }

    /// In milliseconds, plus 1.
    fn since_origin(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.origin).as_millis();
        u64::try_from(since).unwrap_or(u64::MAX - 1).saturating_add(1)
    }

    /// Whether it polled not long ago. A poll is held for less than [`VANISHED`], so one that waits counts too.
    pub(crate) fn is_there(&self, now: Instant) -> bool {
        match self.polled.load(Ordering::Relaxed) {
            0 => false,
            at => now.saturating_duration_since(self.origin + Duration::from_millis(at - 1)) < VANISHED,
        }
    }

    /// When it last polled; if it never did, when it was signed in or restored.
    pub(crate) fn last_seen(&self) -> Instant {
        self.origin + Duration::from_millis(self.polled.load(Ordering::Relaxed).saturating_sub(1))
    }

    /// Whether it was used since this was last asked.
    pub(crate) fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_nothing_for_long_is_away_until_the_client_says_otherwise() {
        let now = Instant::now();
        let session = Session::new(SessionId(1), AccountId(1), TokenHash::of("x"), Rates::default(), now);
        for (idle, away) in
            [(Some(AWAY), true), (Some(AWAY - Duration::from_millis(1)), false), (Some(AWAY * 9), true), (None, false)]
        {
            session.set_person_idle(idle);
            assert_eq!(session.person_is_idle(), away, "{idle:?}");
        }
    }

    #[test]
    fn it_is_idle_since_it_last_asked_or_polled() {
        let start = Instant::now();
        let session = Session::new(SessionId(1), AccountId(1), TokenHash::of("x"), Rates::default(), start);
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(session.idle(after(9)), None);
        session.take(Counts::Control, after(10)).unwrap();
        assert_eq!(session.idle(after(15)), Some(Duration::from_secs(5)));
        session.polls(after(14));
        assert_eq!(session.idle(after(15)), Some(Duration::from_secs(1)));
        assert_eq!(session.idle(after(13)), Some(Duration::ZERO));
    }
}
