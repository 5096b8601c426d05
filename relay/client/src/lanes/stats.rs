//! What a call's lanes have done so far.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Counts since the lanes were opened, both kinds together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Polls answered.
    pub polls: u64,
    /// Those of them that brought nothing.
    pub empty_polls: u64,
    /// Uploads the relay took.
    pub posts: u64,
    /// Requests that failed for a passing reason. Each is sent again, unless what it carries has grown too old.
    pub retries: u64,
    /// Bytes of chunks received, headers of HTTP not counted.
    pub bytes_down: u64,
    /// Bytes of chunks the relay took, headers of HTTP not counted.
    pub bytes_up: u64,
    /// Chunks received.
    pub chunks_down: u64,
    /// Chunks the relay took.
    pub chunks_up: u64,
    /// Chunks given up.
    pub given_up: u64,
    /// Spells in which the relay was out of reach.
    pub reconnects: u64,
    /// The shortest of the last round trips, once there is one.
    pub round_trip: Option<Duration>,
}

/// The counts while they are counted.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) polls: Counter,
    pub(super) empty_polls: Counter,
    pub(super) posts: Counter,
    pub(super) retries: Counter,
    pub(super) bytes_down: Counter,
    pub(super) bytes_up: Counter,
    pub(super) chunks_down: Counter,
    pub(super) chunks_up: Counter,
    pub(super) given_up: Counter,
    pub(super) reconnects: Counter,
}

/// One count; exact, but without order among the others.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Relaxed);
    }

    fn now(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Counters {
    pub(super) fn snapshot(&self, round_trip: Option<Duration>) -> Stats {
        Stats {
            polls: self.polls.now(),
            empty_polls: self.empty_polls.now(),
            posts: self.posts.now(),
            retries: self.retries.now(),
            bytes_down: self.bytes_down.now(),
            bytes_up: self.bytes_up.now(),
            chunks_down: self.chunks_down.now(),
            chunks_up: self.chunks_up.now(),
            given_up: self.given_up.now(),
            reconnects: self.reconnects.now(),
            round_trip,
        }
    }
}
