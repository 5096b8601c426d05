//! Uploads: what is sent, sent again and given up.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::http::Method;
use proto::{Chunk, ErrorCode, Kind, api::Feedback};
use relay_client::lanes::{GaveUp, LaneState};
use tokio::sync::{mpsc, watch};

use super::Open;
use crate::{
    fake::{Cable, Fake, broken, chunk, chunks, json, never, refusal},
    soon,
};

const FEEDBACK: Feedback = Feedback {
    keyframe: true,
    backlog_ms: 7,
    readers: 2,
    delay_ms: Some(35),
    received_bps: Some(640_000),
    round_trip_ms: None,
    heard_by: Vec::new(),
};

#[tokio::test]
async fn a_broken_upload_is_repeated_byte_by_byte_and_its_feedback_told() {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let noted = bodies.clone();
    let fake = Fake::serve(move |seen| {
        let noted = noted.clone();
        async move {
            if !seen.is_upload(Kind::Video) {
                return never().await;
            }
            let first = {
                let mut bodies = noted.lock().unwrap();
                bodies.push(seen.body);
                bodies.len() == 1
            };
            if first { broken() } else { json(&FEEDBACK) }
        }
    })
    .await;
    let mut open = Open::at(&fake.url);
    open.lanes.publish(chunk(1, Kind::Video, 0));
    let (seq, outcome) = open.uploaded(Kind::Video).await;
    assert_eq!((seq, outcome.unwrap()), (0, FEEDBACK));
    let bodies = bodies.lock().unwrap();
    assert_eq!(bodies.len(), 2);
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(Chunk::decode_all(bodies[0].clone()).unwrap(), [chunk(1, Kind::Video, 0)]);
    let stats = open.lanes.stats();
    assert_eq!((stats.posts, stats.chunks_up, stats.retries, stats.bytes_up), (1, 1, 1, bodies[0].len() as u64));
}

#[tokio::test]
async fn uploads_do_not_wait_for_each_other_and_what_piles_up_goes_together() {
    let open_gate = watch::Sender::new(false);
    let gate = open_gate.clone();
    let (sender, mut bodies) = mpsc::unbounded_channel();
    let fake = Fake::serve(move |seen| {
        let (sender, mut gate) = (sender.clone(), gate.subscribe());
        async move {
            if !seen.is_upload(Kind::Audio) {
                return never().await;
            }
            sender.send(seen.body).unwrap();
            gate.wait_for(|open| *open).await.unwrap();
            json(&FEEDBACK)
        }
    })
    .await;
    let mut open = Open::at(&fake.url);
    let mut sent = Vec::new();
    for seq in 0..2 {
        open.lanes.publish(chunk(1, Kind::Audio, seq));
        sent.push(Chunk::decode_all(soon(bodies.recv()).await.unwrap()).unwrap().len());
    }
    for seq in 2..12 {
        open.lanes.publish(chunk(1, Kind::Audio, seq));
    }
    open_gate.send_replace(true);
    let mut seqs = Vec::new();
    for _ in 0..12 {
        let (seq, outcome) = open.uploaded(Kind::Audio).await;
        outcome.unwrap();
        seqs.push(seq);
    }
    seqs.sort_unstable();
    assert_eq!(seqs, (0..12).collect::<Vec<_>>());
    sent.push(Chunk::decode_all(soon(bodies.recv()).await.unwrap()).unwrap().len());
    // Whether both answers are in by then, so that nothing goes along, is chance.
    assert!(matches!(sent[..], [1, 2, 10 | 11]), "what isn't known to have arrived goes along: {sent:?}");
}

#[tokio::test]
async fn what_the_relay_refuses_for_good_is_told_and_the_call_goes_on() {
    let fake = Fake::serve(|seen| async move {
        if !seen.is_upload(Kind::Audio) {
            return never().await;
        }
        let seq = Chunk::decode_all(seen.body).unwrap()[0].header.seq;
        if seq == 0 { refusal(ErrorCode::BadRequest, None) } else { json(&FEEDBACK) }
    })
    .await;
    let mut open = Open::at(&fake.url);
    open.lanes.publish(chunk(1, Kind::Audio, 0));
    let (seq, outcome) = open.uploaded(Kind::Audio).await;
    assert_eq!(seq, 0);
    assert!(matches!(outcome, Err(GaveUp::Refused(error)) if error.code() == Some(ErrorCode::BadRequest)));
    open.lanes.publish(chunk(1, Kind::Audio, 1));
    assert!(matches!(open.uploaded(Kind::Audio).await, (1, Ok(feedback)) if feedback == FEEDBACK));
}

#[tokio::test]
async fn while_the_relay_is_away_sound_grows_old_and_after_that_goes_on() {
    let fake = Fake::serve(|seen| async move {
        if seen.is_upload(Kind::Audio) {
            return json(&FEEDBACK);
        }
        if seen.query.get("wait_ms").is_some_and(|wait| wait == "0") { chunks(&[]) } else { never().await }
    })
    .await;
    let mut cable = Cable::to(&fake).await;
    let mut open = Open::at(&cable.url);
    assert!(matches!(open.state().await, LaneState::Live));
    cable.cut().await;
    let published = Instant::now();
    open.lanes.publish(chunk(1, Kind::Audio, 0));
    assert!(matches!(open.uploaded(Kind::Audio).await, (0, Err(GaveUp::TooOld))));
    assert!(published.elapsed().as_millis() >= 1000);
    cable.mend().await;
    open.lanes.publish(chunk(1, Kind::Audio, 1));
    assert!(matches!(open.uploaded(Kind::Audio).await, (1, Ok(feedback)) if feedback == FEEDBACK));
    assert_eq!(open.lanes.stats().given_up, 1);
}

#[tokio::test]
async fn when_the_network_falls_silent_new_connections_are_made_for_polls_too() {
    let (sender, mut parked) = mpsc::unbounded_channel();
    let fake = Fake::serve(move |seen| {
        let sender = sender.clone();
        async move {
            if seen.method == Method::POST {
                return json(&FEEDBACK);
            }
            if seen.number("wait_ms") == 0 {
                return chunks(&[]);
            }
            if seen.is_poll(Kind::Video) {
                sender.send(seen.number("poll")).unwrap();
            }
            never().await
        }
    })
    .await;
    let cable = Cable::to(&fake).await;
    let mut open = Open::at(&cable.url);
    let first = soon(parked.recv()).await.unwrap();
    let second = soon(parked.recv()).await.unwrap();
    // Connections to be clogged: two for the sound, one for the picture.
    for (kind, seq) in [(Kind::Audio, 0), (Kind::Video, 0)] {
        open.lanes.publish(chunk(1, kind, seq));
        open.uploaded(kind).await.1.unwrap();
    }
    cable.clog();
    let mut seq = 1;
    let (mut again, mut heard) = (None, false);
    soon(async {
        while again.is_none() || !heard {
            tokio::select! {
                number = parked.recv() => again = number,
                (_, outcome) = open.uploaded(Kind::Audio) => heard |= outcome.is_ok(),
                () = tokio::time::sleep(Duration::from_millis(20)) => {
                    // The sound goes on, as it does in a call.
                    open.lanes.publish(chunk(1, Kind::Audio, seq));
                    seq += 1;
                }
            }
        }
    })
    .await;
    assert!(again == Some(first) || again == Some(second), "{again:?} is not asked for again under its number");
}
