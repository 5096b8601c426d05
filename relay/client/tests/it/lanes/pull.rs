//! Polls: their overlap, their numbers, and what breaks them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::response::IntoResponse;
use proto::Kind;
use relay_client::{Error, lanes::LaneState};
use tokio::sync::watch;

use super::{Open, Told};
use crate::{
    fake::{Cable, Fake, broken, chunk, chunks, never},
    soon,
};

/// Counts while it lives.
struct Parked(watch::Sender<usize>);

impl Parked {
    fn one(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count.clone())
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[tokio::test]
async fn two_polls_are_parked_at_once_and_more_on_a_long_way() {
    let count = watch::Sender::new(0);
    let (counter, mut counted) = (count.clone(), count.subscribe());
    // The way there and back takes this long altogether.
    let way = Duration::from_millis(65);
    let fake = Fake::serve(move |seen| {
        let counter = counter.clone();
        async move {
            tokio::time::sleep(way).await;
            if !seen.is_poll(Kind::Audio) || seen.number("wait_ms") == 0 {
                return chunks(&[]);
            }
            let _parked = Parked::one(&counter);
            never().await
        }
    })
    .await;
    let mut open = Open::at(&fake.url);
    let limit = open.until(|told| if let Told::InFlight(Kind::Audio, limit) = told { Some(limit) } else { None }).await;
    assert!((5..=8).contains(&limit), "ceil(65 / 20) + 1 or a little more on a busy machine, not {limit}");
    soon(counted.wait_for(|parked| *parked == limit)).await.unwrap();
    assert!(open.lanes.stats().round_trip.unwrap() >= way);
    open.lanes.close().await;
    soon(counted.wait_for(|parked| *parked == 0)).await.unwrap();
}

#[tokio::test]
async fn a_screen_is_asked_for_only_while_somebody_shares_one() {
    let count = watch::Sender::new(0);
    let (counter, mut counted) = (count.clone(), count.subscribe());
    let fake = Fake::serve(move |seen| {
        let counter = counter.clone();
        async move {
            if !seen.is_poll(Kind::Screen) {
                return chunks(&[]);
            }
            let _parked = Parked::one(&counter);
            if seen.number("poll") == 1 { chunks(&[chunk(2, Kind::Screen, 5)]) } else { never().await }
        }
    })
    .await;
    let mut open = Open::at(&fake.url);
    // As long as it takes to hear of the other lanes.
    open.state().await;
    assert_eq!(*counted.borrow(), 0);
    for _ in 0..2 {
        open.lanes.set_watching(true);
        assert_eq!(open.chunk().await.header.track.kind, Kind::Screen);
        soon(counted.wait_for(|parked| *parked > 0)).await.unwrap();
        open.lanes.set_watching(false);
        soon(counted.wait_for(|parked| *parked == 0)).await.unwrap();
    }
}

#[tokio::test]
async fn a_poll_whose_answer_broke_is_asked_for_again_under_its_number() {
    let polls: Arc<Mutex<BTreeMap<u64, Vec<u64>>>> = Arc::default();
    let noted = polls.clone();
    let fake = Fake::serve(move |seen| {
        let noted = noted.clone();
        async move {
            if !seen.is_poll(Kind::Video) {
                return never().await;
            }
            let number = seen.number("poll");
            let times = {
                let mut polls = noted.lock().unwrap();
                let readers = polls.entry(number).or_default();
                readers.push(seen.number("reader"));
                readers.len()
            };
            match (number, times) {
                (1..=9, 1) if number % 2 == 0 => broken(),
                (1..=9, _) => chunks(&[chunk(2, Kind::Video, number as u32)]),
                _ => never().await,
            }
        }
    })
    .await;
    let mut open = Open::at(&fake.url);
    let mut seqs = Vec::new();
    for _ in 0..9 {
        seqs.push(open.chunk().await.header.seq);
    }
    seqs.sort_unstable();
    assert_eq!(seqs, [1, 2, 3, 4, 5, 6, 7, 8, 9], "each came once");
    let polls = polls.lock().unwrap();
    for number in 1..=9 {
        assert_eq!(polls[&number].len(), if number % 2 == 0 { 2 } else { 1 });
    }
    let reader = polls[&1][0];
    assert!(polls.values().flatten().all(|other| *other == reader));
    let spoken_of =
        std::iter::from_fn(|| open.told.try_recv().ok()).any(|told| matches!(told, Told::State(LaneState::Reconnecting { .. })));
    assert!(!spoken_of, "a connection that breaks now and then is no spell");
}

#[tokio::test]
async fn own_chunks_and_those_of_the_other_kind_are_not_handed_on() {
    let fake = Fake::serve(|seen| async move {
        if !seen.is_poll(Kind::Audio) || seen.number("poll") > 1 {
            return never().await;
        }
        chunks(&[chunk(1, Kind::Audio, 0), chunk(2, Kind::Video, 1), chunk(3, Kind::Audio, 2)])
    })
    .await;
    let mut open = Open::at(&fake.url);
    assert_eq!(open.chunk().await, chunk(3, Kind::Audio, 2));
}

#[tokio::test]
async fn an_answer_that_is_no_media_is_a_spell_that_ends_when_the_relay_is_back() {
    let portal = Arc::new(Mutex::new(true));
    let open_door = portal.clone();
    let fake = Fake::serve(move |seen| {
        let shut = *portal.lock().unwrap();
        async move {
            match seen.number("wait_ms") {
                _ if shut && seen.is_poll(Kind::Audio) => axum::response::Html("Welcome").into_response(),
                _ if shut => vec![0; 1 << 20].into_response(),
                0 => chunks(&[]),
                _ => never().await,
            }
        }
    })
    .await;
    let mut open = Open::at(&fake.url);
    match open.state().await {
        LaneState::Reconnecting { reason, .. } => {
            assert!(matches!(*reason, Error::NotARelay { .. } | Error::Oversize { .. }), "{reason:?}");
        }
        other => panic!("{other:?}"),
    }
    *open_door.lock().unwrap() = false;
    assert!(matches!(open.state().await, LaneState::Live));
    assert_eq!(open.lanes.stats().reconnects, 1);
}

#[tokio::test]
async fn a_relay_killed_and_restarted_is_found_again_and_told_once() {
    let fake = Fake::serve(|seen| async move { if seen.number("wait_ms") == 0 { chunks(&[]) } else { never().await } }).await;
    let mut cable = Cable::to(&fake).await;
    let mut open = Open::at(&cable.url);
    assert!(matches!(open.state().await, LaneState::Live));
    cable.cut().await;
    let cut = Instant::now();
    assert!(matches!(open.state().await, LaneState::Reconnecting { since, .. } if since >= cut));
    // Some attempts fail before it is back.
    let retries = open.lanes.stats().retries;
    soon(async {
        while open.lanes.stats().retries < retries + 6 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    cable.mend().await;
    let mended = Instant::now();
    assert!(matches!(open.state().await, LaneState::Live), "nothing is told in between");
    // Each wait is under a second, which the polls' own tests see to in virtual time; a machine may be busy for much longer.
    assert!(mended.elapsed() < Duration::from_secs(15), "it took {:?} to find the relay", mended.elapsed());
    assert_eq!(open.lanes.stats().reconnects, 1);
}
