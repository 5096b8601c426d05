//! One reader's place in a lane: what it has fetched, what it shall skip.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use proto::{Kind, PeerId, limits::POLL_SOFT_MAX};

use super::{
    keyframe::KeyframeRequest,
    ring::{Entry, Ring, at_or_after},
};

/// A reader whose oldest unread chunk is older than this is moved forward: half a second is where talk turns into radio.
const BEHIND: Duration = Duration::from_millis(500);

/// What a reader of audio keeps when it is moved forward: enough to fill a jitter buffer.
const LIVE_EDGE: Duration = Duration::from_millis(100);

/// How far back in the lane sound is looked for that is given once more: three packets of each of fifteen others.
const REPEATED_SPAN: u64 = 45;

/// Most bytes of an answer that are given once more.
const REPEATED_BYTES: usize = 8 * 1024;

/// One track of a lane.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) ring: Ring,
    pub(crate) request: KeyframeRequest,
}

/// The tracks of a lane by who sends them.
pub(crate) type Tracks = BTreeMap<PeerId, Track>;

/// Where a reader is in one track.
#[derive(Clone, Copy, Debug, Default)]
struct Follow {
    /// Chunks before this sequence number are of no use to it.
    from_seq: Option<u32>,
    /// Chunks before this position are too old for it.
    from_position: u64,
    /// It can't go on before the next keyframe.
    waiting: bool,
    /// Of which beginning of the publisher all this speaks.
    generation: u64,
}

impl Follow {
    fn takes(&self, entry: &Entry) -> bool {
        !self.waiting && entry.position >= self.from_position && self.from_seq.is_none_or(|from| at_or_after(entry.seq, from))
    }
}

/// A place in a lane.
#[derive(Debug)]
pub(crate) struct Place {
    kind: Kind,
    /// Who reads: their own track is not for them.
    peer: PeerId,
    cursor: u64,
    follows: BTreeMap<PeerId, Follow>,
}

impl Place {
    /// A new reader: at the newest keyframe of each picture, at the live edge of each sound.
    pub(crate) fn new(kind: Kind, peer: PeerId, tracks: &Tracks, live: u64) -> Self {
        let start = |track: &Track| track.ring.first_at_or_after(track.ring.newest_keyframe()?.seq);
        let cursor = match kind {
            Kind::Audio => live,
            Kind::Video | Kind::Screen => {
                let others = tracks.iter().filter(|(sender, _)| **sender != peer);
                others.filter_map(|(_, track)| start(track)).min().unwrap_or(live)
            }
        };
        Self { kind, peer, cursor, follows: BTreeMap::new() }
    }

    /// The chunks to answer a poll with; `None` when there are no new ones. Counts them as fetched. Before them comes, once more, what sound
    /// was fetched and is no older than `again`.
    pub(crate) fn fetch(&mut self, tracks: &mut Tracks, again: Duration, now: Instant) -> Option<Bytes> {
        let me = self.peer;
        for (sender, track) in tracks.iter_mut().filter(|(sender, _)| **sender != me) {
            track.ring.evict(now);
            self.catch_up(*sender, track, now);
        }
        let first = self.next(tracks)?;
        let repeated = self.repeated(tracks, again, now);
        self.cursor = first.position + 1;
        if !repeated.is_empty() {
            let mut body = repeated;
            body.extend_from_slice(&first.wire);
            return Some(self.fill(body, tracks));
        }
        let Some(second) = self.next(tracks).filter(|second| first.wire.len() + second.wire.len() <= POLL_SOFT_MAX) else {
            return Some(first.wire.clone());
        };
        let mut body = BytesMut::with_capacity(2 * (first.wire.len() + second.wire.len()));
        body.extend_from_slice(&first.wire);
        Some(self.fill(body, tracks))
    }

    /// Adds what else there is, as far as it fits.
    fn fill(&mut self, mut body: BytesMut, tracks: &Tracks) -> Bytes {
        while let Some(next) = self.next(tracks).filter(|next| body.len() + next.wire.len() <= POLL_SOFT_MAX) {
            body.extend_from_slice(&next.wire);
            self.cursor = next.position + 1;
        }
        body.freeze()
    }

    /// The sound that was fetched lately.
    fn repeated(&self, tracks: &Tracks, again: Duration, now: Instant) -> BytesMut {
        let mut body = BytesMut::new();
        if self.kind != Kind::Audio || again.is_zero() {
            return body;
        }
        for (sender, follow) in &self.follows {
            let Some(track) = tracks.get(sender) else { continue };
            let recent =
                track.ring.from(self.cursor.saturating_sub(REPEATED_SPAN)).take_while(|entry| entry.position < self.cursor);
            for entry in recent.filter(|entry| follow.takes(entry) && now.saturating_duration_since(entry.at) <= again) {
                if body.len() + entry.wire.len() <= REPEATED_BYTES {
                    body.extend_from_slice(&entry.wire);
                }
            }
        }
        body
    }

    /// Age of the oldest chunk of a track that this reader has yet to fetch.
    pub(crate) fn behind(&self, sender: PeerId, track: &Track, now: Instant) -> Option<Duration> {
        let follow = self.follows.get(&sender)?;
        let oldest = track.ring.from(self.cursor).find(|entry| follow.takes(entry))?;
        Some(now.saturating_duration_since(oldest.at))
    }

    /// The sender is gone; its number will not come again.
    pub(crate) fn forget(&mut self, sender: PeerId) {
        self.follows.remove(&sender);
    }

    /// The next chunk in the order of the lane.
    fn next<'a>(&self, tracks: &'a Tracks) -> Option<&'a Entry> {
        let of_each = self.follows.iter().filter_map(|(sender, follow)| {
            let track = tracks.get(sender)?;
            track.ring.from(self.cursor).find(|entry| follow.takes(entry))
        });
        of_each.min_by_key(|entry| entry.position)
    }

    /// Moves the reader forward in one track where it has to.
    fn catch_up(&mut self, sender: PeerId, track: &mut Track, now: Instant) {
        let generation = track.ring.generation();
        let new = self.follows.get(&sender).is_none_or(|follow| follow.generation != generation);
        let follow = self.follows.entry(sender).or_default();
        if new {
            *follow = Follow { generation, ..Follow::default() };
        }
        let oldest = track.ring.from(self.cursor).find(|entry| follow.takes(entry));
        let behind = oldest.is_some_and(|oldest| now.saturating_duration_since(oldest.at) > BEHIND);
        if self.kind == Kind::Audio {
            if behind {
                let young = |entry: &&Entry| now.saturating_duration_since(entry.at) <= LIVE_EDGE;
                let live = track.ring.from(self.cursor).find(young).or_else(|| track.ring.from(self.cursor).last());
                follow.from_position = live.map_or(self.cursor, |entry| entry.position);
            }
            return;
        }
        let lost = new || follow.waiting || track.ring.lost_before() > self.cursor;
        if !lost && !behind {
            return;
        }
        let oldest = oldest.map(|entry| entry.seq);
        let further = |keyframe: &&Entry| oldest.is_none_or(|oldest| keyframe.seq != oldest && at_or_after(keyframe.seq, oldest));
        let newest = track.ring.newest_keyframe();
        if lost {
            // A keyframe fetched before the gap doesn't help over it, but a new reader starts wherever one is.
            let usable = newest.filter(|keyframe| keyframe.position >= self.cursor || new);
            follow.waiting = usable.is_none();
            follow.from_seq = usable.map(|keyframe| keyframe.seq).or(follow.from_seq);
        } else if let Some(keyframe) = newest.filter(further) {
            follow.from_seq = Some(keyframe.seq);
        } else {
            track.request.want(now);
        }
        if follow.waiting {
            track.request.want(now);
        }
    }
}
