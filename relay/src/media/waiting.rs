//! A poll that waits, from being parked to its answer.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::room::{ParkedPoll, Room};

/// What a parked poll is answered with: empty when nothing came within `wait`. Dropped before its end, it takes the poll back.
pub(crate) fn answer(
    room: Arc<Room>,
    parked: ParkedPoll,
    mut receiver: oneshot::Receiver<Bytes>,
    wait: Duration,
) -> impl Future<Output = Bytes> {
    let mut waits = Waits { room, parked, over: false };
    async move {
        if let Ok(answer) = tokio::time::timeout(wait, &mut receiver).await {
            waits.answered(answer.is_ok());
            return answer.unwrap_or_default();
        }
        if waits.room.unpark(waits.parked) {
            return Bytes::new();
        }
        // An answer was picked in the last moment and counts as fetched, though it may not have been sent yet.
        receiver.await.unwrap_or_default()
    }
}

/// Whether its time is over or its client gone: the poll is taken back.
struct Waits {
    room: Arc<Room>,
    parked: ParkedPoll,
    over: bool,
}

impl Waits {
    /// Answered, it is parked no more.
    fn answered(&mut self, answered: bool) {
        self.over = answered;
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        if !self.over {
            self.room.unpark(self.parked);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proto::{Chunk, Header, Kind, PeerId, TrackId};

    use super::*;
    use crate::{
        media::{
            lane::{Answers, MediaPoll},
            room::{self, Turn},
        },
        store::SessionId,
    };

    const ANA: (SessionId, PeerId) = (SessionId(1), PeerId(1));
    const BEN: (SessionId, PeerId) = (SessionId(2), PeerId(2));

    fn chunk() -> Bytes {
        let track = TrackId { peer: ANA.1, kind: Kind::Audio };
        let header = Header { track, seq: 0, media_time_us: 0, keyframe: true };
        let mut wire = bytes::BytesMut::new();
        Chunk { header, payload: vec![7; 10].into() }.encode(&mut wire);
        wire.freeze()
    }

    fn park(room: &Room, number: u64) -> (oneshot::Receiver<Bytes>, ParkedPoll) {
        match room.poll(BEN.0, Kind::Audio, MediaPoll { reader: 7, number, again: Duration::ZERO }, Instant::now()).unwrap() {
            Turn::Later(receiver, parked) => (receiver, parked),
            other => panic!("{other:?}"),
        }
    }

    fn both_in() -> Arc<Room> {
        let room = Room::new();
        room.join(ANA.0, ANA.1);
        room.join(BEN.0, BEN.1);
        Arc::new(room)
    }

    #[tokio::test]
    async fn an_answer_picked_in_the_last_moment_is_waited_for() {
        let room = both_in();
        let (receiver, parked) = park(&room, 1);
        // The upload has picked this poll under the lock; the poll's time ends before the chunk is sent.
        let mut answers = Answers::new();
        room.pick(ANA.0, Kind::Audio, chunk(), Instant::now(), &mut answers).unwrap().unwrap();
        let waiting = tokio::spawn(answer(Arc::clone(&room), parked, receiver, Duration::ZERO));
        tokio::time::sleep(Duration::from_millis(20)).await;
        room::send(answers);
        assert_eq!(waiting.await.unwrap(), chunk());
    }

    #[tokio::test]
    async fn the_end_of_the_wait_takes_the_poll_back() {
        let room = both_in();
        let (receiver, parked) = park(&room, 1);
        assert_eq!(answer(Arc::clone(&room), parked, receiver, Duration::ZERO).await, Bytes::new());
        assert!(!room.unpark(parked));
        let (receiver, parked) = park(&room, 1);
        drop(answer(Arc::clone(&room), parked, receiver, Duration::from_secs(60)));
        assert!(!room.unpark(parked), "so does a client that goes away");
    }
}
