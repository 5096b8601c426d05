//! One kind of media of one call: everyone's tracks, everyone's readers.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    time::{Duration, Instant},
};

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

/// A poll of a peer: both numbers are the client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MediaPoll {
    pub(crate) reader: u32,
    pub(crate) number: u64,
    /// How old sound may be that it wants once more.
    pub(crate) again: Duration,
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
    polled: Instant,
    /// What it wants once more, by its last poll.
    again: Duration,
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
    /// By whose they are and by the number the client chose.
    readers: BTreeMap<(PeerId, u32), Reader<W>>,
}

impl<W> Lane<W> {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, next_position: 0, tracks: Tracks::new(), readers: BTreeMap::new() }
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
        poll: MediaPoll,
        now: Instant,
        waiter: impl FnOnce() -> W,
        answers: &mut Answers<W>,
    ) -> Polled {
        let MediaPoll { reader: id, number, again } = poll;
        if !self.readers.contains_key(&(peer, id)) {
            self.make_way(peer, answers);
        }
        let reader = self.readers.entry((peer, id)).or_insert_with(|| Reader {
            polled: now,
            again,
            place: Place::new(self.kind, peer, &self.tracks, self.next_position),
            polls: Polls::new(),
        });
        (reader.polled, reader.again) = (now, again);
        match reader.polls.turn(number) {
            Turn::Repeat(answer) => return Polled::Now(answer),
            Turn::Forgotten => return Polled::Now(Bytes::new()),
            Turn::New => {}
        }
        if let Some(body) = reader.place.fetch(&mut self.tracks, again, now) {
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
    pub(crate) fn unpark(&mut self, peer: PeerId, poll: MediaPoll, ticket: Ticket) -> bool {
        let reader = self.readers.get_mut(&(peer, poll.reader));
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
        for ((of, _), reader) in &mut self.readers {
            reader.place.forget(peer);
            if *of == peer {
                reader.dismiss(answers);
            }
        }
        self.readers.retain(|(of, _), _| *of != peer);
    }

    /// Answers every waiting poll empty.
    pub(crate) fn dismiss_all(&mut self, answers: &mut Answers<W>) {
        for reader in self.readers.values_mut() {
            reader.dismiss(answers);
        }
    }

    fn answer_readers(&mut self, now: Instant, answers: &mut Answers<W>) {
        for reader in self.readers.values_mut() {
            while reader.polls.parked() > 0 {
                let Some(body) = reader.place.fetch(&mut self.tracks, reader.again, now) else { break };
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
        let mut counted = None;
        for ((of, _), reader) in &self.readers {
            if *of == peer || !reader.reads(now) {
                continue;
            }
            backlog = backlog.max(reader.place.behind(peer, track, now).unwrap_or_default());
            // Those of one peer stand together, and count as one.
            readers += u32::from(counted != Some(*of));
            counted = Some(*of);
        }
        let backlog_ms = u32::try_from(backlog.as_millis()).unwrap_or(u32::MAX);
        Feedback { keyframe, backlog_ms, readers, ..Feedback::default() }
    }

    /// A new reader takes the place of the peer's longest unused when there are enough.
    fn make_way(&mut self, peer: PeerId, answers: &mut Answers<W>) {
        let of_peer = self.readers.range(of(peer));
        if of_peer.clone().count() >= READERS_MAX
            && let Some(unused) = of_peer.min_by_key(|(_, reader)| reader.polled).map(|(unused, _)| *unused)
            && let Some(mut unused) = self.readers.remove(&unused)
        {
            unused.dismiss(answers);
        }
    }

    /// Past the limit of one peer the readers from before a reconnect give up their waiting polls.
    fn make_room(&mut self, peer: PeerId, id: u32, answers: &mut Answers<W>) {
        if self.readers.range(of(peer)).map(|(_, reader)| reader.polls.parked()).sum::<usize>() > PARKED_MAX {
            for (_, reader) in self.readers.range_mut(of(peer)).filter(|((_, other), _)| *other != id) {
                reader.dismiss(answers);
            }
        }
    }
}

/// All the readers of a peer.
fn of(peer: PeerId) -> RangeInclusive<(PeerId, u32)> {
    (peer, u32::MIN)..=(peer, u32::MAX)
}

#[cfg(test)]
mod tests;
