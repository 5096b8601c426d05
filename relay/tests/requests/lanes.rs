//! Media by request.

use proto::{
    CallId, ErrorCode, Kind, PeerId,
    api::{Feedback, Joined},
    limits::{PARKED_MAX, RECEIVED_MAX, UPLOAD_MAX},
};
use relay::Rate;
use serde_json::{Value, json};

use crate::bench::{Bench, Client, chunk};

async fn in_call<'a>(bench: &'a Bench) -> (Client<'a>, Client<'a>, CallId) {
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    let call = ana.call(&ben).await;
    (ana, ben, call)
}

#[tokio::test]
async fn a_chunk_reaches_the_poll_that_waits_for_it() {
    let bench = Bench::new().await;
    let (ana, ben, call) = in_call(&bench).await;
    let (fetched, feedback) = tokio::join!(ben.fetch(&call, Kind::Audio, 7, 1, 9_000), async {
        // The poll is first in the join, so it is parked by now.
        ana.publish(&call, Kind::Audio, 1, 0, true).await
    });
    assert_eq!(fetched.chunks(), [(1, 0)]);
    assert_eq!(fetched.body, chunk(Kind::Audio, 1, 0, true), "as it was sent, byte by byte");
    assert_eq!(feedback, Feedback { readers: 1, ..Feedback::default() });
    assert_eq!(ana.fetch(&call, Kind::Audio, 7, 1, 0).await.chunks(), []);
}

#[tokio::test]
async fn the_end_of_the_wait_is_an_empty_answer_and_its_number_may_be_asked_again() {
    let bench = Bench::new().await;
    let (ana, ben, call) = in_call(&bench).await;
    let empty = ben.fetch(&call, Kind::Video, 7, 1, 20).await;
    assert_eq!((empty.chunks(), empty.body.len()), (vec![], 0));
    ana.publish(&call, Kind::Video, 1, 0, true).await;
    assert_eq!(ben.fetch(&call, Kind::Video, 7, 1, 0).await.chunks(), [(1, 0)]);
    assert_eq!(ben.fetch(&call, Kind::Video, 7, 1, 0).await.chunks(), [(1, 0)], "the same again");
    assert_eq!(ben.fetch(&call, Kind::Video, 7, 2, 0).await.chunks(), []);
    assert_eq!(ben.fetch(&call, Kind::Video, 8, 1, 0).await.chunks(), [(1, 0)], "a new reader starts at the keyframe");
}

#[tokio::test]
async fn several_polls_wait_and_the_lowest_is_answered_first() {
    let bench = Bench::new().await;
    let (ana, ben, call) = in_call(&bench).await;
    let (third, first, second, ()) = tokio::join!(
        ben.fetch(&call, Kind::Audio, 7, 3, 500),
        ben.fetch(&call, Kind::Audio, 7, 1, 9_000),
        ben.fetch(&call, Kind::Audio, 7, 2, 9_000),
        async {
            ana.publish(&call, Kind::Audio, 1, 0, true).await;
            ana.publish(&call, Kind::Audio, 1, 1, true).await;
        }
    );
    assert_eq!((first.chunks(), second.chunks(), third.chunks()), (vec![(1, 0)], vec![(1, 1)], vec![]));
}

#[tokio::test]
async fn a_poll_whose_client_is_gone_takes_nothing_along() {
    let bench = Bench::new().await;
    let (ana, ben, call) = in_call(&bench).await;
    assert_eq!(ana.publish(&call, Kind::Audio, 1, 0, true).await.readers, 0);
    let mut gone = Box::pin(ben.fetch(&call, Kind::Audio, 7, 1, 9_000));
    assert!(poll_once(gone.as_mut()).await.is_none());
    // A repeated chunk reaches nobody, but its answer says that the poll is there; and it still waits, so it is parked.
    assert_eq!(ana.publish(&call, Kind::Audio, 1, 0, true).await.readers, 1);
    assert!(poll_once(gone.as_mut()).await.is_none());
    drop(gone);
    ana.publish(&call, Kind::Audio, 1, 1, true).await;
    assert_eq!(ben.fetch(&call, Kind::Audio, 7, 2, 0).await.chunks(), [(1, 1)]);
}

#[tokio::test]
async fn repeated_uploads_are_fine_and_one_body_may_hold_many_chunks() {
    let bench = Bench::new().await;
    let (ana, ben, call) = in_call(&bench).await;
    ben.fetch(&call, Kind::Audio, 7, 1, 0).await;
    let body = (0..3).flat_map(|seq| chunk(Kind::Audio, 1, seq, true)).collect::<Vec<_>>();
    for _ in 0..2 {
        ana.upload(&call, Kind::Audio, body.clone()).await.read::<Feedback>();
    }
    assert_eq!(ben.fetch(&call, Kind::Audio, 7, 2, 0).await.chunks(), [(1, 0), (1, 1), (1, 2)]);
    assert_eq!(ben.fetch(&call, Kind::Audio, 7, 3, 0).await.chunks(), []);
}

#[tokio::test]
async fn a_wanted_keyframe_is_told_with_the_next_upload() {
    let bench = Bench::new().await;
    let (ana, ben, call) = in_call(&bench).await;
    ana.publish(&call, Kind::Video, 1, 0, false).await;
    ben.post(&format!("/v1/calls/{call}/keyframe"), json!({"track": 258})).await.read::<Value>();
    assert!(ana.publish(&call, Kind::Video, 1, 1, false).await.keyframe);
    assert!(!ana.publish(&call, Kind::Video, 1, 2, true).await.keyframe);
    // Of each track by itself.
    ana.publish(&call, Kind::Screen, 1, 0, false).await;
    ben.post(&format!("/v1/calls/{call}/keyframe"), json!({"track": 259})).await.read::<Value>();
    assert!(!ana.publish(&call, Kind::Video, 1, 3, false).await.keyframe);
    assert!(ana.publish(&call, Kind::Screen, 1, 1, false).await.keyframe);
}

#[tokio::test]
async fn a_shared_screen_has_a_lane_of_its_own_and_everyone_is_told_of_it() {
    let bench = Bench::new().await;
    let (mut ana, mut ben, call) = in_call(&bench).await;
    let shares = |client: &Joined| client.call.peers.iter().map(|peer| peer.screen).collect::<Vec<_>>();
    assert_eq!(shares(&ben.show_up().await.call.unwrap()), [false, false]);
    let media = format!("/v1/calls/{call}/media");
    ana.post(&media, json!({"audio": true, "video": true, "screen": true})).await.read::<Value>();
    assert_eq!(shares(&ben.show_up().await.call.unwrap()), [true, false]);
    // Neither lane gives what is the other's.
    assert_eq!(ana.upload(&call, Kind::Screen, chunk(Kind::Video, 1, 0, true)).await.code(), ErrorCode::BadRequest);
    ana.publish(&call, Kind::Video, 1, 5, true).await;
    assert_eq!(ben.fetch(&call, Kind::Screen, 7, 1, 0).await.chunks(), []);
    ana.publish(&call, Kind::Screen, 1, 0, true).await;
    assert_eq!(ben.fetch(&call, Kind::Screen, 8, 1, 0).await.chunks(), [(1, 0)]);
    ana.publish(&call, Kind::Screen, 1, 1, false).await;
    assert_eq!(ben.fetch(&call, Kind::Video, 8, 1, 0).await.chunks(), [(1, 5)]);
    // A client of before speaks of two kinds alone, and so shares nothing.
    ana.post(&media, json!({"audio": true, "video": true})).await.read::<Value>();
    assert_eq!(shares(&ana.show_up().await.call.unwrap()), [false, false]);
}

#[tokio::test]
async fn what_a_reader_reports_is_told_to_that_publisher_alone() {
    let bench = Bench::new().await;
    let (ana, ben, call) = in_call(&bench).await;
    let route = format!("/v1/calls/{call}/report");
    let entry = |peer: u16| json!({"peer": peer, "delay_ms": 35, "received_bps": 640_000, "heard_ms": 240});
    ben.post(&route, json!({"peers": [entry(1), entry(2), entry(9)]})).await.read::<Value>();
    for kind in Kind::ALL {
        let feedback = ana.publish(&call, kind, 1, 0, true).await;
        assert_eq!((feedback.delay_ms, feedback.received_bps), (Some(35), Some(640_000)));
        assert_eq!(feedback.heard_by, [PeerId(2)]);
        assert_eq!(ben.publish(&call, kind, 2, 0, true).await, Feedback::default(), "nobody speaks of themselves");
    }
    let entries = |count: usize| json!({"peers": vec![entry(1); count]});
    assert_eq!(ben.post(&route, entries(RECEIVED_MAX + 1)).await.code(), ErrorCode::BadRequest);
    ben.post(&route, entries(RECEIVED_MAX)).await.read::<Value>();
    let eva = bench.person("Eva").await;
    assert_eq!(eva.post(&route, entries(1)).await.code(), ErrorCode::Forbidden);
    assert_eq!(eva.post("/v1/calls/nowhere/report", entries(1)).await.code(), ErrorCode::NotFound);
}

#[tokio::test]
async fn a_bad_upload_is_refused_as_a_whole() {
    let bench = Bench::new().await;
    let (ana, ben, call) = in_call(&bench).await;
    ben.fetch(&call, Kind::Audio, 7, 1, 0).await;
    let good = chunk(Kind::Audio, 1, 0, true);
    let mut truncated = [good.clone(), good.clone()].concat();
    truncated.pop();
    let with = |at: usize, value: u8| {
        let mut second = chunk(Kind::Audio, 1, 1, true);
        second[at] = value;
        [good.clone(), second].concat()
    };
    let foreign = [good.clone(), chunk(Kind::Audio, 2, 0, true)].concat();
    let other_kind = [good.clone(), chunk(Kind::Video, 1, 0, true)].concat();
    for body in [vec![], b"x".to_vec(), truncated, with(0, b'X'), with(2, 9), with(7, 3), foreign, other_kind] {
        assert_eq!(ana.upload(&call, Kind::Audio, body).await.code(), ErrorCode::BadRequest);
    }
    assert_eq!(ben.fetch(&call, Kind::Audio, 7, 1, 0).await.chunks(), []);
    assert_eq!(ana.upload(&call, Kind::Audio, vec![0; UPLOAD_MAX + 1]).await.code(), ErrorCode::TooLarge);
    ana.publish(&call, Kind::Audio, 1, 0, true).await;
}

#[tokio::test]
async fn strangers_neither_hear_nor_speak() {
    let bench = Bench::new().await;
    let (_ana, _ben, call) = in_call(&bench).await;
    let eva = bench.person("Eva").await;
    for kind in Kind::ALL {
        assert_eq!(eva.upload(&call, kind, chunk(kind, 1, 0, true)).await.code(), ErrorCode::Forbidden);
        assert_eq!(eva.fetch(&call, kind, 1, 1, 0).await.code(), ErrorCode::Forbidden);
        let nowhere = CallId::new("nowhere");
        assert_eq!(eva.upload(&nowhere, kind, chunk(kind, 1, 0, true)).await.code(), ErrorCode::NotFound);
        assert_eq!(eva.fetch(&nowhere, kind, 1, 1, 0).await.code(), ErrorCode::NotFound);
    }
    assert_eq!(eva.post(&format!("/v1/calls/{call}/keyframe"), json!({"track": 258})).await.code(), ErrorCode::Forbidden);
}

#[tokio::test]
async fn polls_that_make_no_sense_are_refused() {
    let bench = Bench::new().await;
    let (ana, _ben, call) = in_call(&bench).await;
    for query in
        ["", "?reader=1", "?poll=1", "?reader=x&poll=1", "?reader=1&poll=0", "?reader=4294967296&poll=1", "?reader=1&poll=-1"]
    {
        assert_eq!(ana.get(&format!("/v1/calls/{call}/audio{query}")).await.code(), ErrorCode::BadRequest, "{query}");
    }
}

#[tokio::test]
async fn only_so_many_polls_wait_and_hanging_up_answers_them() {
    let bench = Bench::new().await;
    let (ana, ben, call) = in_call(&bench).await;
    let polls = (1..=PARKED_MAX as u64).map(|poll| ben.fetch(&call, Kind::Audio, 7, poll, 9_000)).collect::<Vec<_>>();
    let polls = join_all(polls);
    let (answers, ()) = tokio::join!(polls, async {
        let crowded = ben.fetch(&call, Kind::Audio, 7, 99, 9_000).await;
        assert_eq!(crowded.code(), ErrorCode::RateLimited);
        ben.post(&format!("/v1/calls/{call}/leave"), ()).await.read::<Value>();
    });
    assert_eq!(answers.len(), PARKED_MAX);
    assert!(answers.iter().all(|answer| answer.chunks().is_empty()));
    assert_eq!(ben.fetch(&call, Kind::Audio, 7, 100, 0).await.code(), ErrorCode::NotFound);
    assert_eq!(ana.upload(&call, Kind::Audio, chunk(Kind::Audio, 1, 0, true)).await.code(), ErrorCode::NotFound);
}

#[tokio::test]
async fn uploads_and_polls_have_rates_of_their_own() {
    let slow = Rate { burst: 2.0, per_second: 0.1 };
    let bench = Bench::with(|config| (config.rates.uploads, config.rates.polls) = (slow, slow)).await;
    let (ana, ben, call) = in_call(&bench).await;
    for seq in 0..2 {
        ana.publish(&call, Kind::Audio, 1, seq, true).await;
        ben.fetch(&call, Kind::Audio, 7, 1, 0).await.chunks();
    }
    assert_eq!(ana.upload(&call, Kind::Audio, chunk(Kind::Audio, 1, 2, true)).await.code(), ErrorCode::RateLimited);
    assert_eq!(ben.fetch(&call, Kind::Audio, 7, 1, 0).await.code(), ErrorCode::RateLimited);
    ana.state().await;
}

/// What the future gives if it is done when polled now.
async fn poll_once<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
    std::future::poll_fn(|context| match std::pin::Pin::new(&mut future).poll(context) {
        std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

/// Polls all at once, in order.
async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures = futures.into_iter().map(|future| (Box::pin(future), None)).collect::<Vec<_>>();
    std::future::poll_fn(|context| {
        for (future, output) in &mut futures {
            if output.is_none()
                && let std::task::Poll::Ready(done) = future.as_mut().poll(context)
            {
                *output = Some(done);
            }
        }
        if futures.iter().all(|(_, output)| output.is_some()) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    futures.into_iter().filter_map(|(_, output)| output).collect()
}
