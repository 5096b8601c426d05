//! Which chunks to send next: the queue, what is in flight, what is too old. No I/O, no clock.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use proto::{Chunk, Kind, limits::UPLOAD_MAX};

use super::{
    GaveUp,
    failure::Failure,
    hedge::{Allowance, Usual},
    overlap::LEAST,
};
use crate::{backoff::Backoff, error::Error};

/// Sound older than this would only be thrown away by the others' jitter buffers.
const AUDIO_AGE_MAX: Duration = Duration::from_secs(1);

/// A picture this late is of no use, but each later one rests on it, so it gets more time than sound.
const VIDEO_AGE_MAX: Duration = Duration::from_secs(2);

/// A shared screen is of use for as long as it shows what is there, and there's seldom a next picture on the way.
const SCREEN_AGE_MAX: Duration = Duration::from_secs(6);

/// A second of sound.
const AUDIO_QUEUE_MAX: usize = 50;

/// More than the gate of any encoder lets through; only there so that memory is bounded whatever comes.
const VIDEO_QUEUE_MAX: usize = 16;

/// Most audio chunks of one body after a stall: a third of a second, about 3 kB.
const TOGETHER_MAX: usize = 16;

/// So many of the last sounds go along once more until the relay has taken them: one lost packet then costs 20 ms and not a
/// retransmission, and the bytes fit the packet that goes anyway.
const REPEATED: usize = 2;

/// Sound older than this isn't repeated: its retransmission is as good as here.
const REPEATED_AGE_MAX: Duration = Duration::from_millis(120);

/// On a thin way so many sounds share a request: each request is dearer than what it carries.
const THIN_TOGETHER: usize = 3;

/// They don't wait longer for each other, as pauses end in the midst of a request.
const THIN_WAIT: Duration = Duration::from_millis(50);

/// Largest chunk that is repeated, in bytes.
const REPEATED_MAX: usize = 300;

/// Most uploads beyond the overlap in place of ones that are late.
const LATE_MAX: usize = 4;

/// Without any answer for this long, and several round trips more, the connections count as dead.
const STALLED: Duration = Duration::from_millis(800);

/// The same as long as nothing is known of the way: longer than each request's own patience, which ends first.
const UNKNOWN: Duration = Duration::from_secs(3);

/// How often that is doubled while new connections don't help either.
const STALLS_MAX: u32 = 3;

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
    /// The chunks the relay has not taken yet.
    seqs: Vec<u32>,
    /// Chunks of earlier bodies that go along.
    repeated: Vec<u32>,
    /// When it was sent last.
    sent: Instant,
    /// It was sent once more while that was on its way.
    twice: bool,
    /// How many are on their way.
    copies: u32,
    /// When the newest of its chunks was published.
    since: Instant,
    body: Bytes,
    failed: u32,
}

/// One lane's uploads.
pub(super) struct Uploads {
    kind: Kind,
    limit: usize,
    thin: bool,
    queue: VecDeque<Waiting>,
    flying: BTreeMap<u64, Batch>,
    /// Failed, to be sent again byte by byte the same.
    again: BTreeMap<u64, Batch>,
    next: u64,
    /// The last sounds that were sent, and are not known to have arrived.
    recent: VecDeque<Waiting>,
    usual: Usual,
    allowance: Allowance,
    /// When something was answered last, or began to fly alone.
    progress: Option<Instant>,
    stalls: u32,
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
            thin: false,
            queue: VecDeque::new(),
            flying: BTreeMap::new(),
            again: BTreeMap::new(),
            next: 0,
            recent: VecDeque::new(),
            usual: Usual::default(),
            allowance: Allowance::default(),
            progress: None,
            stalls: 0,
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

    /// On a thin way sounds share requests, and nothing is sent twice.
    pub(super) fn set_thin(&mut self, thin: bool) {
        self.thin = thin;
    }

    /// Whether the relay is out of reach.
    pub(super) fn is_down(&self) -> bool {
        self.down
    }

    /// Takes a chunk in; over the bound the oldest one waiting is given up.
    pub(super) fn publish(&mut self, chunk: Chunk, now: Instant) {
        let most = match self.kind {
            Kind::Audio => AUDIO_QUEUE_MAX,
            Kind::Video | Kind::Screen => VIDEO_QUEUE_MAX,
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
        if self.paused_until(now).is_some() {
            return None;
        }
        if let Some(post) = self.hedge(now) {
            return Some(post);
        }
        let late = self.flying.values().filter(|batch| self.is_late(batch, now)).count().min(LATE_MAX);
        let allowed = if self.down { 1 } else { self.limit + late };
        if self.flying.len() >= allowed {
            return None;
        }
        let (id, mut batch) = match self.again.pop_first() {
            Some(failed) => failed,
            None => {
                let batch = self.gather(now)?;
                self.next += 1;
                (self.next, batch)
            }
        };
        let post = Post { id, body: batch.body.clone(), first: batch.failed == 0 };
        if self.flying.is_empty() {
            self.progress = Some(now);
        }
        (batch.sent, batch.twice, batch.copies) = (now, false, 1);
        self.flying.insert(id, batch);
        Some(post)
    }

    /// When to look again although nothing came: when a pause ends, something grows too old, is late, or all has stalled.
    pub(super) fn wake_at(&self, now: Instant) -> Option<Instant> {
        let oldest = self.queue.iter().map(|w| w.since).chain(self.again.values().map(|b| b.since)).min();
        let expiry = oldest.map(|since| since + self.age_max());
        let pause = self.paused_until(now).filter(|_| oldest.is_some());
        let late_after = self.usual.late_after();
        let late = self.flying.values().filter_map(|batch| Some(batch.sent + late_after?)).filter(|at| *at > now).min();
        [pause, expiry, late, self.stalls_at(), self.gathered_at()].into_iter().flatten().min()
    }

    /// The relay took it, after this long. Gives the numbers of the chunks that it has now.
    pub(super) fn done(&mut self, id: u64, took: Duration, now: Instant) -> Vec<u32> {
        self.down = false;
        self.not_before = None;
        self.backoff.reset();
        self.usual.add(took);
        self.allowance.earn();
        (self.progress, self.stalls) = (Some(now), 0);
        let Some(batch) = self.flying.remove(&id) else { return Vec::new() };
        let mut taken = batch.seqs;
        for repeated in batch.repeated {
            for other in self.flying.values_mut().chain(self.again.values_mut()) {
                if let Some(at) = other.seqs.iter().position(|seq| *seq == repeated) {
                    taken.push(other.seqs.swap_remove(at));
                }
            }
        }
        self.again.retain(|_, batch| !batch.seqs.is_empty());
        self.recent.retain(|recent| !taken.contains(&recent.chunk.header.seq));
        taken
    }

    /// Since when one has been without an answer for so long that its connection may be dead, though others are not.
    pub(super) fn silent_since(&self, now: Instant) -> Option<Instant> {
        let oldest = self.flying.values().map(|batch| batch.sent).min();
        oldest.filter(|sent| self.kind == Kind::Audio && *sent + self.stall() <= now)
    }

    /// True once whenever nothing at all has been answered for so long that only new connections can help.
    pub(super) fn stalls(&mut self, now: Instant) -> bool {
        let stalls = self.stalls_at().is_some_and(|at| at <= now);
        if stalls {
            self.progress = Some(now);
            self.stalls = (self.stalls + 1).min(STALLS_MAX);
        }
        stalls
    }

    /// No answer came; it will be sent again unless it grows too old.
    pub(super) fn failed(&mut self, id: u64, failure: Failure, now: Instant) {
        let Some(mut batch) = self.flying.remove(&id) else { return };
        if batch.copies > 1 {
            batch.copies -= 1;
            self.flying.insert(id, batch);
            return;
        }
        batch.failed += 1;
        let blip = failure == Failure::Blip && batch.failed == 1 && !self.down;
        if !batch.seqs.is_empty() {
            self.again.insert(id, batch);
        }
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
            // What is wrong with it is not to be wrong with the next one, too.
            self.recent.retain(|recent| !batch.seqs.contains(&recent.chunk.header.seq));
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
        self.again.retain(|_, batch| !batch.seqs.is_empty());
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
            Kind::Screen => SCREEN_AGE_MAX,
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

    // Pictures of a screen differ so much in size that none is known to be late.
    fn is_late(&self, batch: &Batch, now: Instant) -> bool {
        self.kind != Kind::Screen
            && self.usual.late_after().is_some_and(|after| now.saturating_duration_since(batch.sent) >= after)
    }

    /// What is late goes once more, by another connection.
    fn hedge(&mut self, now: Instant) -> Option<Post> {
        if self.down || self.thin {
            return None;
        }
        let late = self.flying.iter().find(|(_, batch)| !batch.twice && !batch.seqs.is_empty() && self.is_late(batch, now));
        let id = *late?.0;
        if !self.allowance.spend() {
            return None;
        }
        let batch = self.flying.get_mut(&id)?;
        (batch.twice, batch.copies) = (true, batch.copies + 1);
        Some(Post { id, body: batch.body.clone(), first: false })
    }

    fn stalls_at(&self) -> Option<Instant> {
        // Pictures may take long on a slow way that is none the worse for it.
        let watched = self.kind == Kind::Audio && !self.flying.is_empty();
        self.progress.filter(|_| watched).map(|progress| progress + self.stall())
    }

    fn stall(&self) -> Duration {
        let Some(late_after) = self.usual.late_after() else { return UNKNOWN };
        STALLED * (1 << self.stalls) + 4 * late_after.min(STALLED)
    }

    /// When what waits has waited long enough for company, if it waits for any.
    fn gathered_at(&self) -> Option<Instant> {
        let waits = self.thin && self.kind == Kind::Audio && self.queue.len() < THIN_TOGETHER;
        self.queue.front().filter(|_| waits).map(|first| first.since + THIN_WAIT)
    }

    // Pictures go alone: a late one must not hold up the next.
    fn gather(&mut self, now: Instant) -> Option<Batch> {
        if self.gathered_at().is_some_and(|at| at > now) {
            return None;
        }
        let together = if self.kind == Kind::Audio { TOGETHER_MAX } else { 1 };
        let young = |recent: &&Waiting| now.saturating_duration_since(recent.since) <= REPEATED_AGE_MAX;
        let recent = self.recent.iter().filter(young).map(|recent| &recent.chunk).collect::<Vec<_>>();
        let mut length = recent.iter().map(|chunk| chunk.wire_len()).sum::<usize>();
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
        for chunk in &recent {
            chunk.encode(&mut body);
        }
        let repeated = recent.iter().map(|chunk| chunk.header.seq).collect();
        let mut seqs = Vec::with_capacity(count);
        for waiting in self.queue.drain(..count) {
            waiting.chunk.encode(&mut body);
            seqs.push(waiting.chunk.header.seq);
            if self.kind == Kind::Audio && !self.thin && waiting.chunk.wire_len() <= REPEATED_MAX {
                self.recent.push_back(waiting);
            }
        }
        let repeated_max = if self.thin { 0 } else { REPEATED };
        while self.recent.len() > repeated_max {
            self.recent.pop_front();
        }
        Some(Batch { seqs, repeated, since, body: body.freeze(), failed: 0, sent: now, twice: false, copies: 1 })
    }
}

#[cfg(test)]
mod tests;
