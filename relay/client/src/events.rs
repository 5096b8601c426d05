//! The event lane: one long poll after the other, for as long as the session lives.

mod feed;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::Stream;
use proto::{
    Cursor, Event,
    api::{Events, PollEvents, State},
    limits::AWAY,
};

use self::feed::{Feed, Step};
use crate::{backoff::random, error::Error, session::Session};

/// What the event lane tells.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Update {
    /// Everything as it is now. Comes first, and again when the relay no longer knows what was missed: replace all there was.
    State(State),
    /// Something happened. Each event comes once.
    Event(Event),
    /// The relay is out of reach; another attempt follows by itself. Comes with each attempt of a spell.
    Reconnecting {
        /// Which attempt is next, from 1 on.
        attempt: u32,
        /// When the spell began.
        since: Instant,
        /// What is in the way.
        reason: Arc<Error>,
    },
    /// The relay is back: ends a spell of [`Update::Reconnecting`].
    Connected,
    /// The session is over, and so is the stream.
    SignedOut {
        /// What the relay said.
        reason: Arc<Error>,
    },
}

struct Lane {
    session: Session,
    feed: Feed,
}

pub(crate) fn stream(session: Session) -> impl Stream<Item = Update> + Send + 'static {
    let lane = Lane { session, feed: Feed::new(random()) };
    futures::stream::unfold(lane, |mut lane| async move { lane.next().await.map(|update| (update, lane)) })
}

impl Lane {
    async fn next(&mut self) -> Option<Update> {
        loop {
            if let Some(update) = self.feed.take() {
                return Some(update);
            }
            let start = Instant::now();
            match self.feed.step(start) {
                Step::End => return None,
                Step::Sleep(until) => tokio::time::sleep_until(until.into()).await,
                Step::State => {
                    let outcome = self.session.state_once().await;
                    self.feed.state(outcome, Instant::now());
                }
                Step::Poll { after, hold } => {
                    let Some(outcome) = self.poll(after, hold).await else { continue };
                    let now = Instant::now();
                    self.feed.events(outcome, hold, now.saturating_duration_since(start), now);
                }
            }
        }
    }
}

impl Lane {
    /// One poll; `None` when it was given up because the person is back, which the relay is to know at once.
    async fn poll(&self, after: Cursor, hold: Duration) -> Option<Result<Events, Error>> {
        let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let idle = self.session.idle();
        let poll = PollEvents { after, wait_ms: ms(hold), idle_ms: idle.map(ms) };
        let poll = self.session.events_once(&poll);
        if idle.is_none_or(|idle| idle < AWAY) {
            return Some(poll.await);
        }
        tokio::select! {
            outcome = poll => Some(outcome),
            () = self.session.person_back() => None,
        }
    }
}

/// A poll that is answered empty sooner than this although it was to be held is answered in haste.
pub(crate) const HASTY: Duration = Duration::from_millis(50);
