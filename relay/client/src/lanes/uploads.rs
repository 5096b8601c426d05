//! Which chunks to send next: the queue, what is in flight, what is too old. No I/O, no clock.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use proto::{Chunk, Kind, limits::UPLOAD_MAX};

use super::{GaveUp, failure::Failure, overlap::LEAST};
use crate::{backoff::Backoff, error::Error};

/// Sound older than this would only be thrown away by the others' jitter buffers.
const AUDIO_AGE_MAX: Duration = Duration::from_secs(1);

/// A picture this late is of no use, but each later one rests on it, so it gets more time than sound.
const VIDEO_AGE_MAX: Duration = Duration::from_secs(2);

/// A second of sound.
const AUDIO_QUEUE_MAX: usize = 50;

/// More than the gate of any encoder lets through; only there so that memory is bounded whatever comes.
const VIDEO_QUEUE_MAX: usize = 16;

/// Most audio chunks of one body after a stall: a third of a second, about 3 kB.
const TOGETHER_MAX: usize = 16;

/// A request body to send.
#[derive(Clone, Debug)]
pub(super) struct Post {
    pub(super) id: u64,
    pub(super) body: Bytes,
    /// Whether it is sent for the first time.
    pub(super) first: bool,
}

struct Waiting {
    chunk: Chunk,
    since: Instant,
}

struct Batch {
    seqs: Vec<u32>,
    /// When the newest of its chunks was published.
    since: Instant,
    body: Bytes,
    failed: u32,
}

/// One lane's uploads.
pub(super) struct Uploads {
    kind: Kind,
    limit: usize,
    queue: VecDeque<Waiting>,
    flying: BTreeMap<u64, Batch>,
    /// Failed, to be sent again byte by byte the same.
    again: BTreeMap<u64, Batch>,
    next: u64,
    given_up: Vec<(u32, GaveUp)>,
    down: bool,
    not_before: Option<Instant>,
    /// The relay itself asked for the pause.
    asked: bool,
    quiet_since: Option<Instant>,
    backoff: Backoff,
}

impl Uploads {
    pub(super) fn new(kind: Kind, seed: u64) -> Self {
        Self {
            kind,
            limit: LEAST,
            queue: VecDeque::new(),
            flying: BTreeMap::new(),
            again: BTreeMap::new(),
            next: 0,
            given_up: Vec::new(),
            down: false,
            not_before: None,
            asked: false,
            quiet_since: None,
            backoff: Backoff::new(seed),
        }
    }

    /// How many may be in flight from now on.
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Whether the relay is out of reach.
    pub(super) fn is_down(&self) -> bool {
        self.down
    }

    /// Takes a chunk in; over the bound the oldest one waiting is given up.
    pub(super) fn publish(&mut self, chunk: Chunk, now: Instant) {
        let most = match self.kind {
            Kind::Audio => AUDIO_QUEUE_MAX,
            Kind::Video => VIDEO_QUEUE_MAX,
        };
        if self.queue.len() >= most
            && let Some(oldest) = self.queue.pop_front()
        {
            self.given_up.push((oldest.chunk.header.seq, GaveUp::Crowded));
        }
        self.queue.push_back(Waiting { chunk, since: now });
    }

    /// The next body to send at `now`, if one may be sent: first what failed before, then what waits.
    pub(super) fn post(&mut self, now: Instant) -> Option<Post> {
        self.expire(now);
        let allowed = if self.down { 1 } else { self.limit };
        if self.flying.len() >= allowed || self.paused_until(now).is_some() {
            return None;
        }
        let (id, batch) = match self.again.pop_first() {
            Some(failed) => failed,
            None => {
                let batch = self.gather()?;
                self.next += 1;
                (self.next, batch)
            }
        };
        let post = Post { id, body: batch.body.clone(), first: batch.failed == 0 };
        self.flying.insert(id, batch);
        Some(post)
    }

    /// When to look again although nothing came: when a pause ends, or something grows too old.
    pub(super) fn wake_at(&self, now: Instant) -> Option<Instant> {
        let oldest = self.queue.iter().map(|w| w.since).chain(self.again.values().map(|b| b.since)).min();
        let expiry = oldest.map(|since| since + self.age_max());
        let pause = self.paused_until(now).filter(|_| oldest.is_some());
        pause.into_iter().chain(expiry).min()
    }

    /// The relay took it. Gives the numbers of its chunks.
    pub(super) fn done(&mut self, id: u64) -> Vec<u32> {
        self.down = false;
        self.not_before = None;
        self.backoff.reset();
        self.flying.remove(&id).map(|batch| batch.seqs).unwrap_or_default()
    }

    /// No answer came; it will be sent again unless it grows too old.
    pub(super) fn failed(&mut self, id: u64, failure: Failure, now: Instant) {
        let Some(mut batch) = self.flying.remove(&id) else { return };
        batch.failed += 1;
        let blip = failure == Failure::Blip && batch.failed == 1 && !self.down;
        self.again.insert(id, batch);
        if blip {
            return;
        }
        self.down = true;
        if self.paused_until(now).is_none() {
            let wait = self.backoff.wait();
            let later = if let Failure::Later(later) = failure { Some(later) } else { None };
            self.not_before = Some(now + wait.max(later.unwrap_or_default()));
            self.asked = later.is_some();
        }
    }

    /// The relay will never take it.
    pub(super) fn refused(&mut self, id: u64, error: &Error) {
        // It answers, so it is there.
        self.down = false;
        if let Some(batch) = self.flying.remove(&id) {
            self.given_up.extend(batch.seqs.into_iter().map(|seq| (seq, GaveUp::Refused(error.clone()))));
        }
    }

    /// Someone else got through, so the pause has lost its reason, unless the relay asked for it.
    pub(super) fn hurry(&mut self) {
        if self.down && !self.asked {
            self.not_before = None;
        }
    }

    /// The connections are of no use any more: whatever is in flight is to be sent again.
    pub(super) fn resend(&mut self) {
        self.again.append(&mut self.flying);
    }

    /// Forgets that the relay was out of reach: nobody has tried for a while.
    pub(super) fn rest(&mut self) {
        self.down = false;
        self.not_before = None;
        self.backoff.reset();
    }

    /// What was given up since the last time this was asked.
    pub(super) fn take_given_up(&mut self) -> Vec<(u32, GaveUp)> {
        std::mem::take(&mut self.given_up)
    }

    /// Since when there has been nothing to send.
    pub(super) fn quiet_since(&mut self, now: Instant) -> Option<Instant> {
        let quiet = self.queue.is_empty() && self.flying.is_empty() && self.again.is_empty();
        self.quiet_since = if quiet { self.quiet_since.or(Some(now)) } else { None };
        self.quiet_since
    }

    fn age_max(&self) -> Duration {
        match self.kind {
            Kind::Audio => AUDIO_AGE_MAX,
            Kind::Video => VIDEO_AGE_MAX,
        }
    }

    fn paused_until(&self, now: Instant) -> Option<Instant> {
        self.not_before.filter(|until| *until > now)
    }

    fn expire(&mut self, now: Instant) {
        let most = self.age_max();
        let old = |since: Instant| now.saturating_duration_since(since) >= most;
        while let Some(oldest) = self.queue.pop_front_if(|oldest| old(oldest.since)) {
            self.given_up.push((oldest.chunk.header.seq, GaveUp::TooOld));
        }
        let given_up = &mut self.given_up;
        self.again.retain(|_, batch| {
            if old(batch.since) {
                given_up.extend(batch.seqs.iter().map(|seq| (*seq, GaveUp::TooOld)));
            }
            !old(batch.since)
        });
    }

    // Pictures go alone: a late one must not hold up the next.
    fn gather(&mut self) -> Option<Batch> {
        let together = if self.kind == Kind::Audio { TOGETHER_MAX } else { 1 };
        let mut length = 0;
        let mut count = 0_usize;
        for waiting in self.queue.iter().take(together) {
            if count > 0 && length + waiting.chunk.wire_len() > UPLOAD_MAX {
                break;
            }
            length += waiting.chunk.wire_len();
            count += 1;
        }
        let since = self.queue.get(count.checked_sub(1)?)?.since;
        let mut body = BytesMut::with_capacity(length);
        let mut seqs = Vec::with_capacity(count);
        for waiting in self.queue.drain(..count) {
            waiting.chunk.encode(&mut body);
            seqs.push(waiting.chunk.header.seq);
        }
        Some(Batch { seqs, since, body: body.freeze(), failed: 0 })
    }
}

#[cfg(test)]
mod tests;
