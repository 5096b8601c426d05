//! The chunk header, as the relay and a client read it.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use proto::{Chunk, Header, Kind, PeerId, TrackId, chunk::HEADER_LEN};

use super::{BRIEFLY, Damage, damaged};
use crate::{
    media::{
        lane::MediaPoll,
        room::{Room, Turn},
    },
    store::SessionId,
};

const ANA: (SessionId, PeerId) = (SessionId(1), PeerId(1));
const BEN: (SessionId, PeerId) = (SessionId(2), PeerId(2));

/// Two chunks of Ana's picture.
fn upload() -> Vec<u8> {
    let mut body = BytesMut::new();
    for seq in 0..2 {
        let header = Header { track: TrackId { peer: ANA.1, kind: Kind::Video }, seq, media_time_us: 0, keyframe: seq == 0 };
        Chunk { header, payload: vec![7; 20].into() }.encode(&mut body);
    }
    body.to_vec()
}

#[test]
fn what_is_read_as_chunks_is_written_as_the_same_bytes() {
    let upload = upload();
    bolero::check!().with_test_time(BRIEFLY).with_type::<Vec<Damage>>().for_each(move |damages| {
        let body = damaged(&upload, damages);
        let Ok(chunks) = Chunk::decode_all(Bytes::from(body.clone())) else { return };
        let mut again = BytesMut::new();
        chunks.iter().for_each(|chunk| chunk.encode(&mut again));
        assert_eq!(again.len(), body.len());
        let mut at = 0;
        for chunk in &chunks {
            // Of the flags a reader knows one and ignores the others.
            let flags = at + 3;
            assert_eq!(again[flags], body[flags] & 1);
            assert!(again[at..flags] == body[at..flags] && again[flags + 1..at + HEADER_LEN] == body[flags + 1..at + HEADER_LEN]);
            at += chunk.wire_len();
            assert_eq!(again[at - chunk.payload.len()..at], body[at - chunk.payload.len()..at]);
        }
    });
}

#[test]
fn an_upload_is_taken_whole_or_not_at_all_and_only_on_ones_own_track() {
    let upload = upload();
    bolero::check!().with_test_time(BRIEFLY).with_type::<Vec<Damage>>().for_each(move |damages| {
        let body = Bytes::from(damaged(&upload, damages));
        let (room, now) = (Room::new(), Instant::now());
        room.join(ANA.0, ANA.1);
        room.join(BEN.0, BEN.1);
        let poll = |number| {
            room.poll(BEN.0, Kind::Video, MediaPoll { reader: 1, number, again: Duration::from_millis(number % 200) }, now)
        };
        let parked = poll(1).expect("Ben is in");
        let taken = room.publish(ANA.0, Kind::Video, body, now).expect("Ana is in").is_ok();
        let mut heard = match parked {
            Turn::Later(mut receiver, _) => receiver.try_recv().unwrap_or_default().to_vec(),
            other => panic!("{other:?}"),
        };
        for number in 2.. {
            match poll(number).expect("Ben is in") {
                Turn::Now(more) => heard.extend(more),
                _ => break,
            }
        }
        assert!(taken || heard.is_empty());
        let own = u32::from(TrackId { peer: ANA.1, kind: Kind::Video });
        let chunks = Chunk::decode_all(heard.into()).expect("what goes out can be read");
        assert!(chunks.iter().all(|chunk| u32::from(chunk.header.track) == own));
    });
}
