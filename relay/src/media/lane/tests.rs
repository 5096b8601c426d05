//! Publishers and readers of one lane, in virtual time.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proto::{
    Chunk, TrackId,
    limits::{POLL_SOFT_MAX, REPLAY_MAX},
};

use super::*;

const ANA: PeerId = PeerId(1);
const BEN: PeerId = PeerId(2);
const EVA: PeerId = PeerId(3);

/// A lane in virtual time; waiters are numbers, and what they are answered is written down.
struct Bench {
    lane: Lane<u64>,
    kind: Kind,
    now: Instant,
    again: Duration,
    waiters: u64,
    answered: Vec<(u64, Vec<(u16, u32)>)>,
}

impl Bench {
    fn new(kind: Kind) -> Self {
        Self { lane: Lane::new(kind), kind, now: Instant::now(), again: Duration::ZERO, waiters: 0, answered: Vec::new() }
    }

    fn pass(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
    }

    fn publish(&mut self, peer: PeerId, seq: u32, keyframe: bool) -> Feedback {
        self.publish_sized(peer, seq, keyframe, 1)
    }

    fn publish_sized(&mut self, peer: PeerId, seq: u32, keyframe: bool, length: usize) -> Feedback {
        let header = Header { track: TrackId { peer, kind: self.kind }, seq, media_time_us: 0, keyframe };
        let mut wire = bytes::BytesMut::new();
        Chunk { header, payload: vec![7; length].into() }.encode(&mut wire);
        let mut answers = Answers::new();
        let feedback = self.lane.publish(peer, vec![(header, wire.freeze())], self.now, &mut answers);
        self.note(answers);
        feedback
    }

    fn note(&mut self, answers: Answers<u64>) {
        self.answered.extend(answers.into_iter().map(|(waiter, body)| (waiter, read(&body))));
    }

    /// The chunks at once, or the waiter that will get them.
    fn poll(&mut self, peer: PeerId, reader: u32, number: u64) -> Result<Vec<(u16, u32)>, u64> {
        let waiter = self.waiters;
        let mut answers = Answers::new();
        let polled = self.lane.poll(peer, MediaPoll { reader, number, again: self.again }, self.now, || waiter, &mut answers);
        self.note(answers);
        match polled {
            Polled::Now(body) => Ok(read(&body)),
            Polled::Parked(_) => {
                self.waiters += 1;
                Err(waiter)
            }
            Polled::TooMany => panic!("too many polls"),
        }
    }
}

fn read(body: &Bytes) -> Vec<(u16, u32)> {
    let chunks = Chunk::decode_all(body.clone()).unwrap();
    chunks.iter().map(|chunk| (chunk.header.track.peer.0, chunk.header.seq)).collect()
}

#[test]
fn a_waiting_poll_gets_the_next_chunk_and_one_ones_own_never() {
    let mut bench = Bench::new(Kind::Audio);
    assert_eq!(bench.poll(BEN, 1, 2), Err(0));
    assert_eq!(bench.poll(BEN, 1, 1), Err(1));
    assert_eq!(bench.poll(ANA, 9, 1), Err(2));
    let feedback = bench.publish(ANA, 0, true);
    assert_eq!(bench.answered, [(1, vec![(1, 0)])]);
    assert_eq!(feedback, Feedback { readers: 1, ..Feedback::default() });
    bench.publish(ANA, 1, true);
    assert_eq!(bench.answered[1], (0, vec![(1, 1)]));
    assert_eq!(bench.answered.len(), 2);
}

#[test]
fn a_repeated_upload_reaches_nobody_twice_and_a_repeated_poll_gets_the_same() {
    let mut bench = Bench::new(Kind::Audio);
    bench.poll(BEN, 1, 1).unwrap_err();
    bench.publish(ANA, 0, true);
    bench.publish(ANA, 0, true);
    assert_eq!(bench.answered.len(), 1);
    assert_eq!(bench.poll(BEN, 1, 1), Ok(vec![(1, 0)]));
    assert_eq!(bench.poll(BEN, 1, 2), Err(1));
}

#[test]
fn what_came_between_polls_comes_in_one_answer_in_order_of_arrival() {
    let mut bench = Bench::new(Kind::Audio);
    bench.poll(BEN, 1, 1).unwrap_err();
    bench.publish(ANA, 0, true);
    bench.publish(ANA, 2, true);
    bench.publish(EVA, 0, true);
    bench.publish(ANA, 1, true);
    let feedback = bench.publish(EVA, 1, true);
    assert_eq!(feedback.readers, 1);
    assert_eq!(bench.poll(BEN, 1, 2), Ok(vec![(1, 2), (3, 0), (1, 1), (3, 1)]));
}

#[test]
fn an_answer_stops_at_its_size_but_holds_at_least_one_chunk() {
    let mut bench = Bench::new(Kind::Video);
    bench.poll(BEN, 1, 1).unwrap_err();
    bench.publish(ANA, 0, true);
    bench.publish_sized(ANA, 1, false, POLL_SOFT_MAX + 1);
    bench.publish_sized(ANA, 2, false, POLL_SOFT_MAX / 2);
    bench.publish_sized(ANA, 3, false, POLL_SOFT_MAX / 3);
    bench.publish_sized(ANA, 4, false, POLL_SOFT_MAX / 3);
    assert_eq!(bench.poll(BEN, 1, 2), Ok(vec![(1, 1)]));
    assert_eq!(bench.poll(BEN, 1, 3), Ok(vec![(1, 2), (1, 3)]));
    assert_eq!(bench.poll(BEN, 1, 4), Ok(vec![(1, 4)]));
}

#[test]
fn who_comes_late_to_a_picture_starts_at_the_newest_keyframe() {
    let mut bench = Bench::new(Kind::Video);
    // Uploads overtake each other: what belongs after the keyframe counts though it came before.
    for (seq, keyframe) in [(0, true), (1, false), (3, false), (2, true), (4, false)] {
        bench.publish(ANA, seq, keyframe);
    }
    assert_eq!(bench.poll(BEN, 1, 1), Ok(vec![(1, 3), (1, 2), (1, 4)]));
    assert!(!bench.publish(ANA, 5, false).keyframe);
}

#[test]
fn without_a_keyframe_to_start_at_one_is_asked_for() {
    let mut bench = Bench::new(Kind::Video);
    bench.publish(ANA, 0, true);
    bench.pass(3500);
    bench.publish(ANA, 1, false);
    assert_eq!(bench.poll(BEN, 1, 1), Err(0));
    assert!(bench.publish(ANA, 2, false).keyframe);
    assert!(!bench.publish(ANA, 3, false).keyframe, "asked a moment ago");
    assert_eq!(bench.answered, []);
    bench.publish(ANA, 5, false);
    bench.publish(ANA, 4, true);
    assert_eq!(bench.answered, [(0, vec![(1, 5), (1, 4)])]);
    bench.pass(1000);
    assert!(!bench.publish(ANA, 6, false).keyframe);
}

#[test]
fn who_comes_late_to_a_sound_starts_now() {
    let mut bench = Bench::new(Kind::Audio);
    bench.publish(ANA, 0, true);
    assert_eq!(bench.poll(BEN, 1, 1), Err(0));
    bench.publish(ANA, 1, true);
    assert_eq!(bench.answered, [(0, vec![(1, 1)])]);
}

#[test]
fn a_slow_reader_of_a_picture_jumps_to_a_newer_keyframe_or_asks_for_one() {
    let mut bench = Bench::new(Kind::Video);
    bench.publish(ANA, 0, true);
    assert_eq!(bench.poll(BEN, 1, 1), Ok(vec![(1, 0)]));
    for seq in 1..10 {
        bench.publish(ANA, seq, false);
        bench.pass(30);
    }
    assert_eq!(bench.poll(BEN, 1, 2).unwrap().len(), 9, "270 ms behind is not slow");
    for seq in 10..30 {
        bench.publish(ANA, seq, seq == 25);
        bench.pass(30);
    }
    assert_eq!(bench.poll(BEN, 1, 3), Ok((25..30).map(|seq| (1, seq)).collect()));
    for seq in 30..50 {
        assert!(!bench.publish(ANA, seq, false).keyframe);
        bench.pass(30);
    }
    assert_eq!(bench.poll(BEN, 1, 4).unwrap().len(), 20, "there is nothing to jump to");
    assert!(bench.publish(ANA, 50, false).keyframe);
}

#[test]
fn a_reader_that_was_away_longer_than_the_ring_waits_for_a_keyframe() {
    let mut bench = Bench::new(Kind::Video);
    bench.publish(ANA, 0, true);
    assert_eq!(bench.poll(BEN, 1, 1), Ok(vec![(1, 0)]));
    for seq in 1..200 {
        bench.publish(ANA, seq, false);
        bench.pass(30);
    }
    assert_eq!(bench.poll(BEN, 1, 2), Err(0));
    assert!(bench.publish(ANA, 200, false).keyframe);
    bench.publish(ANA, 201, true);
    assert_eq!(bench.answered, [(0, vec![(1, 201)])]);
}

#[test]
fn a_publisher_that_begins_anew_reaches_a_reader_that_keeps_up() {
    for (kind, again) in [(Kind::Video, 0), (Kind::Audio, 0), (Kind::Video, 1 << 30), (Kind::Audio, 1 << 30)] {
        let mut bench = Bench::new(kind);
        let mut next = 1;
        let mut park = |bench: &mut Bench| {
            let parked = bench.poll(BEN, 1, next);
            next += 1;
            parked
        };
        bench.publish(ANA, 300, true);
        if kind == Kind::Video {
            assert_eq!(park(&mut bench), Ok(vec![(1, 300)]));
        }
        for seq in 301..=1000 {
            park(&mut bench).unwrap_err();
            bench.publish(ANA, seq, kind == Kind::Audio);
            bench.pass(20);
            assert_eq!(bench.answered.pop(), Some((u64::from(seq) - 301, vec![(1, seq)])));
        }
        let waiter = park(&mut bench).unwrap_err();
        bench.publish(ANA, again, true);
        assert_eq!(bench.answered.pop(), Some((waiter, vec![(1, again)])));
        let waiter = park(&mut bench).unwrap_err();
        bench.publish(ANA, again + 1, kind == Kind::Audio);
        assert_eq!(bench.answered.pop(), Some((waiter, vec![(1, again + 1)])));
    }
}

#[test]
fn a_picture_that_begins_anew_without_a_keyframe_waits_for_one() {
    let mut bench = Bench::new(Kind::Video);
    bench.publish(ANA, 1000, true);
    assert_eq!(bench.poll(BEN, 1, 1), Ok(vec![(1, 1000)]));
    assert_eq!(bench.poll(BEN, 1, 2), Err(0));
    bench.pass(1000);
    assert!(bench.publish(ANA, 1, false).keyframe);
    assert_eq!(bench.answered, []);
    bench.publish(ANA, 2, true);
    assert_eq!(bench.answered, [(0, vec![(1, 2)])]);
}

#[test]
fn a_poll_of_long_ago_is_answered_empty_and_the_others_go_on() {
    let mut bench = Bench::new(Kind::Audio);
    let last = REPLAY_MAX as u64 + 2;
    for number in 1..=last {
        bench.poll(BEN, 1, number).unwrap_err();
        bench.publish(ANA, number as u32, true);
    }
    assert_eq!(bench.poll(BEN, 1, 1), Ok(vec![]), "forgotten");
    assert_eq!(bench.poll(BEN, 1, last), Ok(vec![(1, last as u32)]), "remembered");
    let waiter = bench.poll(BEN, 1, last + 1).unwrap_err();
    bench.publish(ANA, last as u32 + 1, true);
    assert_eq!(bench.answered.last(), Some(&(waiter, vec![(1, last as u32 + 1)])));
}

#[test]
fn a_slow_reader_of_a_sound_jumps_near_to_now() {
    let mut bench = Bench::new(Kind::Audio);
    bench.poll(BEN, 1, 1).unwrap_err();
    bench.publish(ANA, 0, true);
    for seq in 1..=20 {
        bench.pass(20);
        bench.publish(ANA, seq, true);
    }
    assert_eq!(bench.poll(BEN, 1, 2).unwrap().len(), 20, "400 ms behind is not slow");
    for seq in 21..=60 {
        bench.pass(20);
        bench.publish(ANA, seq, true);
    }
    assert_eq!(bench.poll(BEN, 1, 3), Ok((55..=60).map(|seq| (1, seq)).collect()));
}

#[test]
fn the_publisher_hears_how_far_behind_its_readers_are() {
    let mut bench = Bench::new(Kind::Audio);
    bench.poll(BEN, 1, 1).unwrap_err();
    bench.poll(EVA, 1, 1).unwrap_err();
    assert_eq!(bench.publish(ANA, 0, true).readers, 2);
    bench.publish(ANA, 1, true);
    bench.pass(100);
    assert_eq!(bench.publish(ANA, 2, true), Feedback { backlog_ms: 100, readers: 2, ..Feedback::default() });
    bench.poll(EVA, 1, 2).unwrap();
    bench.pass(2000);
    assert_eq!(bench.publish(ANA, 3, true).readers, 1);
    bench.pass(3000);
    assert_eq!(bench.publish(ANA, 4, true), Feedback::default());
}

#[test]
fn readers_and_polls_of_one_peer_are_limited() {
    let mut bench = Bench::new(Kind::Audio);
    for reader in 0..READERS_MAX as u32 {
        bench.poll(BEN, reader, 1).unwrap_err();
        bench.pass(1);
    }
    bench.poll(BEN, 77, 1).unwrap_err();
    assert_eq!(bench.answered, [(0, vec![])], "the longest unused gives way");
    for number in 2..=PARKED_MAX as u64 {
        bench.poll(BEN, 77, number).unwrap_err();
    }
    assert_eq!(bench.answered.len(), 4, "the relics of a reconnect give up their polls");
    let polled =
        bench.lane.poll(BEN, MediaPoll { reader: 77, number: 99, again: Duration::ZERO }, bench.now, || 99, &mut Answers::new());
    assert!(matches!(polled, Polled::TooMany));
    bench.poll(BEN, 77, 5).unwrap_err();
    assert_eq!(bench.answered.len(), 5, "the same number again replaces the older");
}

#[test]
fn a_peer_that_leaves_takes_its_track_and_polls_along() {
    let mut bench = Bench::new(Kind::Video);
    bench.poll(BEN, 1, 1).unwrap_err();
    bench.publish(BEN, 0, true);
    let mut answers = Answers::new();
    bench.lane.leave(BEN, &mut answers);
    assert_eq!(answers.len(), 1);
    assert_eq!(bench.poll(ANA, 1, 1), Err(1));
    let mut answers = Answers::new();
    bench.lane.dismiss_all(&mut answers);
    assert_eq!(answers, [(1, Bytes::new())]);
}

proptest! {
    /// Whatever order uploads and polls come in, a reader that keeps up gets each chunk of the others exactly once.
    #[test]
    fn each_chunk_is_fetched_once(
        steps in prop::collection::vec((0_u16..4, 0_u32..40, 1_usize..3000), 1..200), ahead in 1_u64..8
    ) {
        let mut bench = Bench::new(Kind::Audio);
        let mut next = 1;
        for _ in 0..ahead {
            prop_assert!(bench.poll(BEN, 1, next).is_err());
            next += 1;
        }
        let (mut sent, mut got) = (BTreeSet::new(), Vec::new());
        for (peer, seq, length) in steps {
            if peer > 0 {
                bench.publish_sized(PeerId(peer), seq, true, length);
                if PeerId(peer) != BEN {
                    sent.insert((peer, seq));
                }
                bench.pass(1);
            } else if let Ok(chunks) = bench.poll(BEN, 1, next) {
                got.extend(chunks);
                next += 1;
            } else {
                next += 1;
                if next > PARKED_MAX as u64 {
                    let mut answers = Answers::new();
                    bench.lane.dismiss_all(&mut answers);
                }
            }
        }
        while let Ok(chunks) = bench.poll(BEN, 1, next) {
            got.extend(chunks);
            next += 1;
        }
        got.extend(bench.answered.into_iter().flat_map(|(_, chunks)| chunks));
        prop_assert_eq!(got.len(), sent.len());
        prop_assert_eq!(got.into_iter().collect::<BTreeSet<_>>(), sent);
    }

    /// A reader of a picture never gets a chunk it can't decode: from a keyframe on, without holes but those it was jumped over.
    #[test]
    fn a_picture_is_always_fetched_from_a_keyframe_on(
        steps in prop::collection::vec((0_u64..400, any::<bool>(), prop::bool::weighted(0.1)), 1..100)
    ) {
        let mut bench = Bench::new(Kind::Video);
        let (mut next, mut keyframes, mut last) = (1, BTreeSet::new(), None::<u32>);
        for (seq, (ms, fetch, keyframe)) in (0_u32..).zip(steps) {
            if keyframe {
                keyframes.insert(seq);
            }
            bench.publish(ANA, seq, keyframe);
            bench.pass(ms);
            let mut fetched = std::mem::take(&mut bench.answered).into_iter().flat_map(|(_, chunks)| chunks).collect::<Vec<_>>();
            if fetch {
                if let Ok(chunks) = bench.poll(BEN, 1, next) {
                    fetched.extend(chunks);
                }
                next += 1;
                if next % 10 == 0 {
                    let mut answers = Answers::new();
                    bench.lane.dismiss_all(&mut answers);
                }
            }
            for (_, seq) in fetched {
                prop_assert!(last.map(|last| last + 1) == Some(seq) || keyframes.contains(&seq), "{seq} after {last:?}");
                last = Some(seq);
            }
        }
    }
}

#[test]
fn sound_that_came_just_now_is_given_once_more_to_whom_asks_for_it() {
    let mut bench = Bench::new(Kind::Audio);
    bench.again = Duration::from_millis(45);
    assert_eq!(bench.poll(BEN, 7, 1), Err(0));
    let mut wanted = Vec::new();
    for seq in 0..4_u32 {
        bench.publish(ANA, seq, false);
        wanted.push((u64::from(seq), (seq.saturating_sub(2)..=seq).map(|seq| (1, seq)).collect::<Vec<_>>()));
        assert_eq!(bench.poll(BEN, 7, u64::from(seq) + 2), Err(u64::from(seq) + 1), "nothing new is no answer");
        bench.pass(20);
    }
    assert_eq!(bench.answered, wanted);
    bench.pass(100);
    bench.publish(ANA, 4, false);
    assert_eq!(bench.answered.last(), Some(&(4, vec![(1, 4)])), "the others are too old");
    let mut pictures = Bench::new(Kind::Video);
    pictures.again = bench.again;
    for seq in 0..2_u32 {
        assert_eq!(pictures.poll(BEN, 7, u64::from(seq) + 1), Err(u64::from(seq)));
        pictures.publish(ANA, seq, seq == 0);
    }
    assert_eq!(pictures.answered, [(0, vec![(1, 0)]), (1, vec![(1, 1)])], "pictures go once");
}
