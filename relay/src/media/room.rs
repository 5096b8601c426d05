//! The media side of one call, behind one lock that is held only for bookkeeping.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use bytes::Bytes;
use proto::{
    Chunk, Header, Kind, PeerId, TrackId,
    api::{Feedback, Reception},
    chunk::ChunkError,
};
use tokio::sync::oneshot;

use super::{
    lane::{Answers, Lane, MediaPoll, Polled},
    polls::Ticket,
    receptions::Receptions,
};
use crate::store::SessionId;

/// Waits for the answer to one poll.
pub(crate) type Waiter = oneshot::Sender<Bytes>;

/// The session is no peer of this call (any more).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAPeer;

/// Why an upload was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadUpload {
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    #[error("an upload has at least one chunk")]
    Empty,
    #[error("track {} is not yours to send on this lane", u32::from(*.0))]
    Track(TrackId),
}

#[derive(Debug)]
struct Media {
    peers: Vec<(SessionId, PeerId)>,
    /// Whose sound goes nowhere, as the owner of the call wants it.
    muted: Vec<PeerId>,
    audio: Lane<Waiter>,
    video: Lane<Waiter>,
    screen: Lane<Waiter>,
    receptions: Receptions,
}

impl Media {
    fn lane(&mut self, kind: Kind) -> &mut Lane<Waiter> {
        match kind {
            Kind::Audio => &mut self.audio,
            Kind::Video => &mut self.video,
            Kind::Screen => &mut self.screen,
        }
    }
}

/// The lanes of one call and who may use them.
#[derive(Debug)]
pub(crate) struct Room {
    media: Mutex<Media>,
}

/// How a poll is to be answered.
#[derive(Debug)]
pub(crate) enum Turn {
    Now(Bytes),
    /// Through the receiver. The [`ParkedPoll`] must be given to [`Room::unpark`] when the wait is over.
    Later(oneshot::Receiver<Bytes>, ParkedPoll),
    TooMany,
}

/// Names a waiting poll.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ParkedPoll {
    kind: Kind,
    peer: PeerId,
    poll: MediaPoll,
    ticket: Ticket,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self {
            media: Mutex::new(Media {
                peers: Vec::new(),
                muted: Vec::new(),
                audio: Lane::new(Kind::Audio),
                video: Lane::new(Kind::Video),
                screen: Lane::new(Kind::Screen),
                receptions: Receptions::default(),
            }),
        }
    }

    /// Lets a session in; again changes nothing.
    pub(crate) fn join(&self, session: SessionId, peer: PeerId) {
        let mut media = self.lock();
        if !media.peers.contains(&(session, peer)) {
            media.peers.push((session, peer));
        }
    }

    /// Lets a peer's sound through, or nowhere.
    pub(crate) fn set_muted(&self, peer: PeerId, muted: bool) {
        let mut media = self.lock();
        media.muted.retain(|other| *other != peer);
        if muted {
            media.muted.push(peer);
        }
    }

    /// Shows a peer out: its waiting polls are answered empty.
    pub(crate) fn leave(&self, peer: PeerId) {
        let mut answers = Answers::new();
        let mut media = self.lock();
        media.peers.retain(|(_, other)| *other != peer);
        media.muted.retain(|other| *other != peer);
        for kind in Kind::ALL {
            media.lane(kind).leave(peer, &mut answers);
        }
        media.receptions.leave(peer);
        drop(media);
        send(answers);
    }

    /// Answers every waiting poll empty.
    pub(crate) fn dismiss(&self) {
        let mut answers = Answers::new();
        let mut media = self.lock();
        for kind in Kind::ALL {
            media.lane(kind).dismiss_all(&mut answers);
        }
        drop(media);
        send(answers);
    }

    /// Takes an upload in, whole or not at all.
    pub(crate) fn publish(
        &self,
        session: SessionId,
        kind: Kind,
        body: Bytes,
        now: Instant,
    ) -> Result<Result<Feedback, BadUpload>, NotAPeer> {
        let mut answers = Answers::new();
        let outcome = self.pick(session, kind, body, now, &mut answers);
        send(answers);
        outcome
    }

    /// The part of [`Self::publish`] under the lock: picks the polls to answer.
    pub(super) fn pick(
        &self,
        session: SessionId,
        kind: Kind,
        body: Bytes,
        now: Instant,
        answers: &mut Answers<Waiter>,
    ) -> Result<Result<Feedback, BadUpload>, NotAPeer> {
        let chunks = split(body);
        let mut media = self.lock();
        let peer = peer(&media, session)?;
        let chunks = match chunks {
            Ok(chunks) => chunks,
            Err(bad) => return Ok(Err(bad)),
        };
        let own = TrackId { peer, kind };
        if let Some((header, _)) = chunks.iter().find(|(header, _)| header.track != own) {
            return Ok(Err(BadUpload::Track(header.track)));
        }
        if kind == Kind::Audio && media.muted.contains(&peer) {
            // Nobody reads it, and that is what its sender is told.
            return Ok(Ok(Feedback::default()));
        }
        let mut feedback = media.lane(kind).publish(peer, chunks, now, answers);
        media.receptions.tell(peer, now, &mut feedback);
        Ok(Ok(feedback))
    }

    /// A session says how the others' media come to it.
    pub(crate) fn report(&self, session: SessionId, reception: &Reception, now: Instant) -> Result<(), NotAPeer> {
        let mut media = self.lock();
        let reader = peer(&media, session)?;
        for received in &reception.peers {
            // Nobody speaks of themselves, and memory is kept for those alone who are here.
            if received.peer != reader && media.peers.iter().any(|(_, other)| *other == received.peer) {
                media.receptions.report(reader, received, now);
            }
        }
        Ok(())
    }

    /// Answers a poll or lets it wait.
    pub(crate) fn poll(&self, session: SessionId, kind: Kind, poll: MediaPoll, now: Instant) -> Result<Turn, NotAPeer> {
        let mut answers = Answers::new();
        let mut receiver = None;
        let mut media = self.lock();
        let peer = peer(&media, session)?;
        let waiter = || {
            let (sender, waiting) = oneshot::channel();
            receiver = Some(waiting);
            sender
        };
        let polled = media.lane(kind).poll(peer, poll, now, waiter, &mut answers);
        drop(media);
        send(answers);
        Ok(match (polled, receiver) {
            (Polled::Now(body), _) => Turn::Now(body),
            (Polled::Parked(ticket), Some(receiver)) => Turn::Later(receiver, ParkedPoll { kind, peer, poll, ticket }),
            (Polled::Parked(_), None) | (Polled::TooMany, _) => Turn::TooMany,
        })
    }

    /// The handler of a waiting poll is gone or its time is over. Whether it still waited: if not, an answer is on its way to it.
    pub(crate) fn unpark(&self, parked: ParkedPoll) -> bool {
        self.lock().lane(parked.kind).unpark(parked.peer, parked.poll, parked.ticket)
    }

    /// A session can't go on without a keyframe of that track.
    pub(crate) fn want_keyframe(&self, session: SessionId, track: TrackId, now: Instant) -> Result<(), NotAPeer> {
        let mut media = self.lock();
        peer(&media, session)?;
        media.lane(track.kind).want_keyframe(track.peer, now);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Media> {
        // A panic in here would be a bug; going on with the other chunks beats ending everyone's call.
        self.media.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn peer(media: &Media, session: SessionId) -> Result<PeerId, NotAPeer> {
    media.peers.iter().find(|(other, _)| *other == session).map(|(_, peer)| *peer).ok_or(NotAPeer)
}

/// Wakes the handlers. One that is gone misses nothing: its answer is remembered for when it asks again.
pub(super) fn send(answers: Answers<Waiter>) {
    for (waiter, body) in answers {
        let _ = waiter.send(body);
    }
}

/// The chunks of a body, each as it goes out again.
fn split(mut body: Bytes) -> Result<Vec<(Header, Bytes)>, BadUpload> {
    let mut chunks = Vec::with_capacity(1);
    while !body.is_empty() {
        let mut rest = body.clone();
        let chunk = Chunk::decode(&mut rest)?;
        // Copied, because a slice would keep the whole buffer it came in for as long as the ring keeps the chunk.
        chunks.push((chunk.header, Bytes::copy_from_slice(&body[..chunk.wire_len()])));
        body = rest;
    }
    if chunks.is_empty() { Err(BadUpload::Empty) } else { Ok(chunks) }
}
