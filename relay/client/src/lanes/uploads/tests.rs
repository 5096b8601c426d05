//! The uploads of a lane in virtual time.

use proto::{ErrorCode, Header, PeerId, TrackId};

use super::*;

fn chunk(kind: Kind, seq: u32, length: usize) -> Chunk {
    let track = TrackId { peer: PeerId(1), kind };
    let header = Header { track, seq, media_time_us: u64::from(seq) * 20_000, keyframe: true };
    Chunk { header, payload: vec![seq as u8; length].into() }
}

fn seqs(post: &Post) -> Vec<u32> {
    Chunk::decode_all(post.body.clone()).unwrap().iter().map(|chunk| chunk.header.seq).collect()
}

fn all(uploads: &mut Uploads, now: Instant) -> Vec<Post> {
    std::iter::from_fn(|| uploads.post(now)).collect()
}

fn given_up(uploads: &mut Uploads) -> Vec<u32> {
    uploads.take_given_up().into_iter().map(|(seq, _)| seq).collect()
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_chunk_goes_at_once_while_few_are_in_flight() {
    let now = Instant::now();
    let mut uploads = Uploads::new(Kind::Audio, 1);
    let mut posts = Vec::new();
    for seq in 0..4 {
        uploads.publish(chunk(Kind::Audio, seq, 80), now);
        posts.extend(uploads.post(now));
    }
    assert_eq!(posts.iter().map(seqs).collect::<Vec<_>>(), [vec![0], vec![0, 1]], "what isn't known to have arrived goes along");
    assert_eq!(uploads.done(posts[1].id, ms(5), now), [1, 0]);
    let third = uploads.post(now).unwrap();
    assert_eq!(seqs(&third), [2, 3], "what has to wait goes together");
    assert!(uploads.done(posts[0].id, ms(5), now).is_empty(), "that was told");
    uploads.set_limit(4);
    uploads.publish(chunk(Kind::Audio, 4, 80), now);
    uploads.publish(chunk(Kind::Audio, 5, 80), now);
    assert_eq!(all(&mut uploads, now).iter().map(seqs).collect::<Vec<_>>(), [[2, 3, 4, 5]]);
    assert!(given_up(&mut uploads).is_empty());
}

#[test]
fn on_a_thin_way_three_sounds_share_a_request_and_nothing_is_sent_twice() {
    let start = Instant::now();
    let mut uploads = usual(Kind::Audio, start);
    uploads.set_thin(true);
    let mut posts = Vec::new();
    for seq in 100..106 {
        let now = start + ms(20 * u64::from(seq - 100));
        uploads.publish(chunk(Kind::Audio, seq, 80), now);
        posts.extend(uploads.post(now).map(|post| seqs(&post)));
    }
    assert_eq!(posts, [[100, 101, 102], [103, 104, 105]]);
    let end = start + ms(200);
    uploads.publish(chunk(Kind::Audio, 106, 80), end);
    assert_eq!(uploads.wake_at(end), Some(end + THIN_WAIT), "nobody comes after it");
    assert_eq!(seqs(&uploads.post(end + THIN_WAIT).unwrap()), [106]);
    assert!(uploads.post(end + ms(500)).is_none(), "late, and not sent again");
    uploads.set_thin(false);
    uploads.set_limit(8);
    uploads.publish(chunk(Kind::Audio, 107, 80), end);
    assert!(uploads.post(end).is_some(), "at once");
}

#[test]
fn pictures_go_one_by_one() {
    let now = Instant::now();
    let mut uploads = Uploads::new(Kind::Video, 1);
    for seq in 0..3 {
        uploads.publish(chunk(Kind::Video, seq, 5000), now);
    }
    assert_eq!(all(&mut uploads, now).iter().map(seqs).collect::<Vec<_>>(), [[0], [1]]);
}

#[test]
fn no_body_is_larger_than_the_relay_takes() {
    let now = Instant::now();
    let mut uploads = Uploads::new(Kind::Audio, 1);
    for seq in 0..5 {
        uploads.publish(chunk(Kind::Audio, seq, 150_000), now);
    }
    let posts = all(&mut uploads, now);
    assert_eq!(posts.iter().map(seqs).collect::<Vec<_>>(), [[0, 1], [2, 3]]);
    assert!(posts.iter().all(|post| post.body.len() <= UPLOAD_MAX));
}

#[test]
fn what_failed_is_sent_again_byte_by_byte_before_anything_else() {
    let now = Instant::now();
    let mut uploads = Uploads::new(Kind::Audio, 1);
    uploads.publish(chunk(Kind::Audio, 0, 80), now);
    let post = uploads.post(now).unwrap();
    assert!(post.first);
    uploads.publish(chunk(Kind::Audio, 1, 80), now);
    uploads.failed(post.id, Failure::Blip, now);
    let again = uploads.post(now).unwrap();
    assert_eq!((again.id, &again.body, again.first), (post.id, &post.body, false));
    assert!(!uploads.is_down());
    uploads.failed(again.id, Failure::Blip, now);
    assert!(uploads.is_down());
    assert!(uploads.post(now).is_none());
    let wake = uploads.wake_at(now).unwrap();
    assert!(wake - now <= ms(100));
    assert_eq!(all(&mut uploads, wake).iter().map(|post| &post.body).collect::<Vec<_>>(), [&post.body], "one at a time");
    assert_eq!(uploads.done(post.id, ms(5), now), [0]);
    assert!(!uploads.is_down());
    assert_eq!(seqs(&uploads.post(wake).unwrap()), [1], "what has arrived does not go along");
}

#[test]
fn during_an_outage_the_old_is_given_up_and_the_new_kept() {
    let start = Instant::now();
    let mut uploads = Uploads::new(Kind::Audio, 1);
    let mut told = Vec::new();
    let mut tried = 0;
    for tick in 0..250_u32 {
        let now = start + ms(20) * tick;
        uploads.publish(chunk(Kind::Audio, tick, 80), now);
        for post in all(&mut uploads, now) {
            tried += 1;
            uploads.failed(post.id, Failure::Lasting, now);
        }
        told.extend(given_up(&mut uploads));
        assert!(uploads.queue.len() <= AUDIO_QUEUE_MAX);
    }
    assert!((5..=20).contains(&tried), "{tried} attempts in five seconds");
    // Back: only sound of the last second is sent, and no chunk is forgotten.
    let mut now = start + ms(20) * 250;
    let mut sent = Vec::new();
    loop {
        for post in all(&mut uploads, now) {
            sent.extend(uploads.done(post.id, ms(5), now));
        }
        told.extend(given_up(&mut uploads));
        let Some(wake) = uploads.wake_at(now) else { break };
        now = wake;
    }
    assert!(now - start < ms(20) * 250 + Duration::from_secs(1));
    assert!(!sent.is_empty());
    let oldest = now - start - AUDIO_AGE_MAX - ms(20) * TOGETHER_MAX as u32;
    assert!(sent.iter().all(|seq| ms(20) * *seq >= oldest));
    told.extend(sent);
    told.sort_unstable();
    assert_eq!(told, (0..250).collect::<Vec<_>>());
}

#[test]
fn over_the_bound_the_oldest_goes() {
    let now = Instant::now();
    for (kind, most) in [(Kind::Audio, AUDIO_QUEUE_MAX), (Kind::Video, VIDEO_QUEUE_MAX)] {
        let mut uploads = Uploads::new(kind, 1);
        for seq in 0..most as u32 + 3 {
            uploads.publish(chunk(kind, seq, 80), now);
        }
        let given_up = uploads.take_given_up();
        assert!(given_up.iter().all(|(_, reason)| matches!(reason, GaveUp::Crowded)));
        assert_eq!(given_up.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [0, 1, 2]);
    }
}

#[test]
fn a_picture_is_tried_for_two_seconds() {
    let now = Instant::now();
    let mut uploads = Uploads::new(Kind::Video, 1);
    uploads.publish(chunk(Kind::Video, 0, 80), now);
    let post = uploads.post(now).unwrap();
    uploads.failed(post.id, Failure::Later(Duration::from_secs(5)), now);
    assert_eq!(uploads.wake_at(now), Some(now + VIDEO_AGE_MAX));
    assert!(uploads.post(now + ms(1999)).is_none());
    assert!(given_up(&mut uploads).is_empty());
    assert!(uploads.post(now + ms(2000)).is_none());
    assert_eq!(given_up(&mut uploads), [0]);
    assert_eq!(uploads.quiet_since(now + ms(2000)), Some(now + ms(2000)));
    assert_eq!(uploads.quiet_since(now + ms(2500)), Some(now + ms(2000)));
    assert_eq!(uploads.wake_at(now + ms(2000)), None);
}

#[test]
fn what_the_relay_refuses_is_not_sent_again() {
    let now = Instant::now();
    let mut uploads = Uploads::new(Kind::Video, 1);
    uploads.publish(chunk(Kind::Video, 0, 80), now);
    let post = uploads.post(now).unwrap();
    let error = Error::Refused { code: ErrorCode::TooLarge, message: "Too large.".to_owned(), retry_after: None };
    uploads.refused(post.id, &error);
    assert!(matches!(uploads.take_given_up()[..], [(0, GaveUp::Refused(_))]));
    assert!(uploads.post(now).is_none());
}

#[test]
fn when_others_get_through_it_is_tried_at_once() {
    let now = Instant::now();
    let mut uploads = Uploads::new(Kind::Video, 1);
    uploads.publish(chunk(Kind::Video, 0, 80), now);
    let post = uploads.post(now).unwrap();
    uploads.failed(post.id, Failure::Lasting, now);
    assert!(uploads.post(now).is_none());
    uploads.hurry();
    let post = uploads.post(now).unwrap();
    uploads.failed(post.id, Failure::Later(ms(500)), now);
    uploads.hurry();
    assert!(uploads.post(now).is_none(), "the relay asked for this pause");
}

#[test]
fn new_connections_take_everything_in_flight_along() {
    let now = Instant::now();
    let mut uploads = Uploads::new(Kind::Video, 1);
    for seq in 0..2 {
        uploads.publish(chunk(Kind::Video, seq, 80), now);
    }
    let before = all(&mut uploads, now);
    uploads.resend();
    let after = all(&mut uploads, now);
    assert_eq!(before.iter().map(|p| &p.body).collect::<Vec<_>>(), after.iter().map(|p| &p.body).collect::<Vec<_>>());
}

/// Uploads whose usual time is 40 ms, late after 60.
fn usual(kind: Kind, now: Instant) -> Uploads {
    let mut uploads = Uploads::new(kind, 1);
    for seq in 0..8 {
        uploads.publish(chunk(kind, seq, 80), now);
        let post = uploads.post(now).unwrap();
        assert_eq!(uploads.done(post.id, ms(40), now), [seq]);
    }
    uploads
}

#[test]
fn a_late_picture_goes_once_more_and_another_has_its_place() {
    let now = Instant::now();
    let mut uploads = usual(Kind::Video, now);
    uploads.publish(chunk(Kind::Video, 8, 5000), now);
    uploads.publish(chunk(Kind::Video, 9, 5000), now);
    let first = all(&mut uploads, now);
    uploads.publish(chunk(Kind::Video, 10, 5000), now);
    assert!(uploads.post(now + ms(59)).is_none());
    assert_eq!(uploads.done(first[1].id, ms(40), now + ms(40)), [9]);
    assert_eq!(seqs(&uploads.post(now + ms(40)).unwrap()), [10]);
    let late = now + ms(60);
    assert_eq!(uploads.wake_at(now + ms(40)), Some(late));
    let twice = uploads.post(late).unwrap();
    assert_eq!((twice.id, &twice.body, twice.first), (first[0].id, &first[0].body, false));
    uploads.publish(chunk(Kind::Video, 11, 5000), late);
    assert_eq!(seqs(&uploads.post(late).unwrap()), [11], "the late one doesn't count");
    uploads.failed(twice.id, Failure::Blip, late);
    assert!(!uploads.is_down() && uploads.post(late).is_none(), "its first copy is under way");
    assert_eq!(uploads.done(first[0].id, ms(90), late), [8]);
    assert!(uploads.done(first[0].id, ms(90), late).is_empty(), "its second copy tells nothing new");
}

#[test]
fn late_sound_that_later_uploads_have_brought_does_not_go_again() {
    let now = Instant::now();
    let mut uploads = usual(Kind::Audio, now);
    uploads.publish(chunk(Kind::Audio, 8, 80), now);
    let lost = uploads.post(now).unwrap();
    uploads.publish(chunk(Kind::Audio, 9, 80), now + ms(20));
    let next = uploads.post(now + ms(20)).unwrap();
    assert_eq!(seqs(&next), [8, 9]);
    assert_eq!(uploads.done(next.id, ms(40), now + ms(60)), [9, 8]);
    assert!(uploads.post(now + ms(60)).is_none());
    uploads.failed(lost.id, Failure::Blip, now + ms(300));
    assert!(uploads.post(now + ms(300)).is_none(), "nothing of it is missing");
    assert!(given_up(&mut uploads).is_empty());
}

#[test]
fn where_no_sound_is_answered_new_connections_are_made_ever_more_rarely() {
    let start = Instant::now();
    let mut uploads = usual(Kind::Audio, start);
    let mut stalls = Vec::new();
    for tick in 0..400_u32 {
        let now = start + ms(20) * tick;
        uploads.publish(chunk(Kind::Audio, tick + 8, 80), now);
        if uploads.stalls(now) {
            stalls.push((now - start).as_millis());
            uploads.resend();
        }
        all(&mut uploads, now);
    }
    assert_eq!(stalls, [1040, 2880, 6320]);
    let mut pictures = usual(Kind::Video, start);
    pictures.publish(chunk(Kind::Video, 8, 80), start);
    all(&mut pictures, start);
    assert!(!pictures.stalls(start + ms(60_000)));
}

#[test]
fn what_stays_silent_while_others_are_answered_is_told() {
    let start = Instant::now();
    let mut uploads = usual(Kind::Audio, start);
    uploads.set_limit(3);
    let mut silent = None;
    for tick in 1..100_u32 {
        let now = start + ms(20) * tick;
        uploads.publish(chunk(Kind::Audio, 100 + tick, 80), now);
        assert!(!uploads.stalls(now));
        silent = silent.or_else(|| uploads.silent_since(now).map(|since| (since - start, now - start)));
        if let Some(post) = uploads.post(now).filter(|_| tick != 25) {
            uploads.done(post.id, ms(40), now);
        }
    }
    assert_eq!(silent, Some((ms(500), ms(500 + 1040))));
}
