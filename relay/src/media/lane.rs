//! One kind of media of one call: everyone's tracks, everyone's readers.

use std::time::{Duration, Instant};

use bytes::Bytes;
use proto::{
    Header, Kind, PeerId,
    api::Feedback,
    limits::{PARKED_MAX, READERS_MAX},
};

use super::{
    keyframe::KeyframeRequest,
    polls::{Polls, Ticket, Turn},
    reader::{Place, Track, Tracks},
    ring::{Bounds, Ring},
};

/// A reader that has not polled for this long doesn't count as reading: its network hangs, or it is a relic of a reconnect.
const READING: Duration = Duration::from_secs(2);

/// Waiters and what to answer them with, to be sent once the lock is released.
pub(crate) type Answers<W> = Vec<(W, Bytes)>;

/// Which poll of a peer: both numbers are the client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PollId {
    pub(crate) reader: u32,
    pub(crate) number: u64,
}

/// What becomes of a poll.
#[derive(Debug)]
pub(crate) enum Polled {
    /// Answer it now.
    Now(Bytes),
    /// It waits.
    Parked(Ticket),
    /// This reader has enough polls waiting.
    TooMany,
}

#[derive(Debug)]
struct Reader<W> {
    id: u32,
    peer: PeerId,
    polled: Instant,
    place: Place,
    polls: Polls<W>,
}

impl<W> Reader<W> {
    fn reads(&self, now: Instant) -> bool {
        self.polls.parked() > 0 || now.saturating_duration_since(self.polled) <= READING
    }

    fn dismiss(&mut self, answers: &mut Answers<W>) {
        while let Some((_, waiter)) = self.polls.next() {
            answers.push((waiter, Bytes::new()));
        }
    }
}

/// `W` is whoever waits for the answer to a poll.
#[derive(Debug)]
pub(crate) struct Lane<W> {
    kind: Kind,
    next_position: u64,
    tracks: Tracks,
    readers: Vec<Reader<W>>,
}

impl<W> Lane<W> {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, next_position: 0, tracks: Tracks::new(), readers: Vec::new() }
    }

    /// Takes one peer's chunks in, answers the polls that wait for them, and tells the publisher what it must know.
    pub(crate) fn publish(
        &mut self,
        peer: PeerId,
        chunks: Vec<(Header, Bytes)>,
        now: Instant,
        answers: &mut Answers<W>,
    ) -> Feedback {
        let kind = self.kind;
        let track = self
            .tracks
            .entry(peer)
            .or_insert_with(|| Track { ring: Ring::new(Bounds::of(kind)), request: KeyframeRequest::default() });
        let mut news = false;
        for (header, wire) in chunks {
            if track.ring.push(self.next_position, header, wire, now) {
                self.next_position += 1;
                news = true;
                if header.keyframe {
                    track.request.came(now);
                }
            }
        }
        if news {
            self.answer_readers(now, answers);
        }
        self.feedback(peer, now)
    }

    /// A poll came in. `waiter` is called when it has to wait.
    pub(crate) fn poll(
        &mut self,
        peer: PeerId,
        poll: PollId,
        now: Instant,
        waiter: impl FnOnce() -> W,
        answers: &mut Answers<W>,
    ) -> Polled {
        let PollId { reader: id, number } = poll;
        let at = self.reader(peer, id, now, answers);
        let reader = &mut self.readers[at];
        reader.polled = now;
        match reader.polls.turn(number) {
            Turn::Repeat(answer) => return Polled::Now(answer),
            Turn::Forgotten => return Polled::Now(Bytes::new()),
            Turn::New => {}
        }
        if let Some(body) = reader.place.fetch(&mut self.tracks, now) {
            reader.polls.remember(number, body.clone());
            return Polled::Now(body);
        }
        if reader.polls.parked() >= PARKED_MAX && !reader.polls.is_parked(number) {
            return Polled::TooMany;
        }
        let (ticket, replaced) = reader.polls.park(number, waiter());
        answers.extend(replaced.map(|waiter| (waiter, Bytes::new())));
        self.make_room(peer, id, answers);
        Polled::Parked(ticket)
    }

    /// A waiting poll's handler is gone or its time is over. Whether it still waited: if not, an answer is on its way to it.
    pub(crate) fn unpark(&mut self, peer: PeerId, poll: PollId, ticket: Ticket) -> bool {
        let reader = self.readers.iter_mut().find(|reader| reader.peer == peer && reader.id == poll.reader);
        reader.is_some_and(|reader| reader.polls.leave(poll.number, ticket))
    }

    /// A reader can't decode without a keyframe of that peer.
    pub(crate) fn want_keyframe(&mut self, of: PeerId, now: Instant) {
        if let Some(track) = self.tracks.get_mut(&of) {
            track.request.want(now);
        }
    }

    /// The peer is gone, with its track and readers.
    pub(crate) fn leave(&mut self, peer: PeerId, answers: &mut Answers<W>) {
        self.tracks.remove(&peer);
        for reader in &mut self.readers {
            reader.place.forget(peer);
            if reader.peer == peer {
                reader.dismiss(answers);
            }
        }
        self.readers.retain(|reader| reader.peer != peer);
    }

    /// Answers every waiting poll empty.
    pub(crate) fn dismiss_all(&mut self, answers: &mut Answers<W>) {
        for reader in &mut self.readers {
            reader.dismiss(answers);
        }
    }

    fn answer_readers(&mut self, now: Instant, answers: &mut Answers<W>) {
        for reader in &mut self.readers {
            while reader.polls.parked() > 0 {
                let Some(body) = reader.place.fetch(&mut self.tracks, now) else { break };
                if let Some((number, waiter)) = reader.polls.next() {
                    reader.polls.remember(number, body.clone());
                    answers.push((waiter, body));
                }
            }
        }
    }

    fn feedback(&mut self, peer: PeerId, now: Instant) -> Feedback {
        let Some(track) = self.tracks.get_mut(&peer) else { return Feedback::default() };
        let keyframe = track.request.tell(now);
        let mut backlog = Duration::ZERO;
        let mut readers = 0;
        for (at, reader) in self.readers.iter().enumerate() {
            if reader.peer == peer || !reader.reads(now) {
                continue;
            }
            backlog = backlog.max(reader.place.behind(peer, track, now).unwrap_or_default());
            let counted = self.readers[..at].iter().any(|other| other.peer == reader.peer && other.reads(now));
            readers += u32::from(!counted);
        }
        Feedback { keyframe, backlog_ms: u32::try_from(backlog.as_millis()).unwrap_or(u32::MAX), readers }
    }

    /// Where the reader is; a new one takes the place of the peer's longest unused when there are enough.
    fn reader(&mut self, peer: PeerId, id: u32, now: Instant, answers: &mut Answers<W>) -> usize {
        if let Some(at) = self.readers.iter().position(|reader| reader.peer == peer && reader.id == id) {
            return at;
        }
        if self.readers.iter().filter(|reader| reader.peer == peer).count() >= READERS_MAX {
            let of_peer = self.readers.iter().enumerate().filter(|(_, reader)| reader.peer == peer);
            if let Some((at, _)) = of_peer.min_by_key(|(_, reader)| reader.polled) {
                self.readers.remove(at).dismiss(answers);
            }
        }
        let place = Place::new(self.kind, peer, &self.tracks, self.next_position);
        self.readers.push(Reader { id, peer, polled: now, place, polls: Polls::new() });
        self.readers.len() - 1
    }

    /// Past the limit of one peer the readers from before a reconnect give up their waiting polls.
    fn make_room(&mut self, peer: PeerId, id: u32, answers: &mut Answers<W>) {
        let of_peer = |reader: &&Reader<W>| reader.peer == peer;
        if self.readers.iter().filter(of_peer).map(|reader| reader.polls.parked()).sum::<usize>() > PARKED_MAX {
            for reader in self.readers.iter_mut().filter(|reader| reader.peer == peer && reader.id != id) {
                reader.dismiss(answers);
            }
        }
    }
}

#[cfg(test)]
mod tests;
