//! What is counted for whoever looks after the relay. Numbers alone: no names, no tokens, nothing of what anyone says.

pub(crate) mod requests;
pub(crate) mod text;

use std::sync::atomic::{AtomicU64, Ordering};

use proto::{
    Kind,
    chunk::{HEADER_LEN, LENGTH_AT},
};

use self::requests::Requests;

/// The counters. Those of requests and of media are counted only where someone may read them.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) requests: Requests,
    signed_in: AtomicU64,
    not_signed_in: AtomicU64,
    event_polls: AtomicU64,
    audio: Lane,
    video: Lane,
    screen: Lane,
}

/// One kind of media of all calls.
#[derive(Debug, Default)]
struct Lane {
    parked: AtomicU64,
    came: Flow,
    went: Flow,
}

#[derive(Debug, Default)]
struct Flow {
    chunks: AtomicU64,
    bytes: AtomicU64,
}

impl Flow {
    fn count(&self, body: &[u8]) {
        if !body.is_empty() {
            self.chunks.fetch_add(chunks(body), Ordering::Relaxed);
            self.bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
        }
    }
}

/// A poll that waits, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Parked<'a>(&'a AtomicU64);

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// Somebody's sign-in ended well, or with a wrong name or password.
    pub(crate) fn signed_in(&self, well: bool) {
        let counter = if well { &self.signed_in } else { &self.not_signed_in };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A poll for events waits from now on.
    pub(crate) fn park_events(&self) -> Parked<'_> {
        self.event_polls.fetch_add(1, Ordering::Relaxed);
        Parked(&self.event_polls)
    }

    /// A poll for chunks waits from now on.
    pub(crate) fn park(&self, kind: Kind) -> Parked<'_> {
        let parked = &self.lane(kind).parked;
        parked.fetch_add(1, Ordering::Relaxed);
        Parked(parked)
    }

    /// An upload was taken.
    pub(crate) fn came(&self, kind: Kind, body: &[u8]) {
        self.lane(kind).came.count(body);
    }

    /// A poll was answered.
    pub(crate) fn went(&self, kind: Kind, body: &[u8]) {
        self.lane(kind).went.count(body);
    }

    fn lane(&self, kind: Kind) -> &Lane {
        match kind {
            Kind::Audio => &self.audio,
            Kind::Video => &self.video,
            Kind::Screen => &self.screen,
        }
    }
}

/// How many chunks a body has, by the lengths in their headers.
fn chunks(mut body: &[u8]) -> u64 {
    let mut count = 0;
    while let Some(length) = body.get(LENGTH_AT..).and_then(|rest| rest.first_chunk()) {
        count += 1;
        let end = HEADER_LEN.saturating_add(u32::from_be_bytes(*length) as usize);
        body = body.get(end..).unwrap_or_default();
    }
    count
}

#[cfg(test)]
mod tests {
    use proto::{Chunk, Header, PeerId, TrackId};

    use super::*;

    #[test]
    fn chunks_are_counted_by_their_headers() {
        let track = TrackId { peer: PeerId(1), kind: Kind::Video };
        let mut body = bytes::BytesMut::new();
        for (count, payload) in [(1, 1), (2, 1000), (3, 70_000)] {
            let header = Header { track, seq: 0, media_time_us: 0, keyframe: true };
            Chunk { header, payload: vec![7; payload].into() }.encode(&mut body);
            assert_eq!(chunks(&body), count);
        }
        assert_eq!((chunks(&[]), chunks(&[0xff; 23]), chunks(&[0xff; 100])), (0, 0, 1));
    }

    #[test]
    fn a_poll_counts_while_it_waits() {
        let metrics = Metrics::default();
        let (one, two) = (metrics.park(Kind::Audio), metrics.park(Kind::Audio));
        let events = metrics.park_events();
        assert_eq!(metrics.audio.parked.load(Ordering::Relaxed), 2);
        drop((one, two, events));
        assert_eq!((metrics.audio.parked.load(Ordering::Relaxed), metrics.event_polls.load(Ordering::Relaxed)), (0, 0));
    }
}
