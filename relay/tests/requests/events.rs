//! The state and the event lane.

use std::time::{Duration, Instant};

use proto::{Cursor, ErrorCode, Event, api::Events};
use serde_json::json;

use crate::bench::Bench;

#[tokio::test]
async fn an_event_wakes_the_poll_that_waits() {
    let bench = Bench::new().await;
    let (ana, mut ben) = bench.buddies("Ana", "Ben").await;
    let (events, _) = tokio::join!(ben.next(), ana.post("/v1/chat", json!({"to": "Ben", "text": "hi", "client_id": "1"})));
    assert!(matches!(&events[..], [Event::Chat { message }] if message.text == "hi"));
}

#[tokio::test]
async fn nothing_unacknowledged_is_lost_and_nothing_acknowledged_comes_again() {
    let bench = Bench::new().await;
    let (ana, mut ben) = bench.buddies("Ana", "Ben").await;
    let start = ben.cursor.clone();
    for id in ["1", "2"] {
        ana.post("/v1/chat", json!({"to": "Ben", "text": id, "client_id": id})).await;
    }
    let first: Events = ben.poll_after(&start, 0).await.read();
    let again: Events = ben.poll_after(&start, 0).await.read();
    assert_eq!((first.events.len(), &first), (2, &again));
    assert_eq!(ben.poll_after(&first.cursor, 0).await.read::<Events>(), Events { events: vec![], cursor: first.cursor.clone() });
    assert_eq!(ben.poll_after(&start, 0).await.code(), ErrorCode::CursorExpired);
    ben.cursor = first.cursor;
    ben.poll(0).await;
}

#[tokio::test]
async fn the_wait_ends_empty_and_an_older_poll_gives_way_to_a_newer() {
    let bench = Bench::new().await;
    let ana = bench.person("Ana").await;
    let start = Instant::now();
    let waited: Events = ana.poll_after(&ana.cursor, 50).await.read();
    assert_eq!(waited, Events { events: vec![], cursor: ana.cursor.clone() });
    assert!(start.elapsed() >= Duration::from_millis(50));
    let (older, newer) = tokio::join!(ana.poll_after(&ana.cursor, 9_000), ana.poll_after(&ana.cursor, 50));
    assert_eq!(older.read::<Events>(), newer.read::<Events>());
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn cursors_that_are_not_ours_have_expired() {
    let bench = Bench::new().await;
    let ana = bench.person("Ana").await;
    for cursor in ["", "0", "nonsense", "x.0", "%22", &format!("{}9", ana.cursor)] {
        assert_eq!(ana.poll_after(&Cursor::new(cursor), 0).await.code(), ErrorCode::CursorExpired, "{cursor}");
    }
    let new = bench.sign_in("Ana").await;
    assert_eq!(new.poll_after(&ana.cursor, 0).await.code(), ErrorCode::CursorExpired, "before it read the state");
    for query in ["", "?after=x&wait_ms=-1", "?after=x&wait_ms=y"] {
        assert_eq!(ana.get(&format!("/v1/events{query}")).await.code(), ErrorCode::BadRequest, "{query}");
    }
}

#[tokio::test]
async fn who_stays_away_for_long_starts_anew() {
    let bench = Bench::new().await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    ana.post("/v1/chat", json!({"to": "Ben", "text": "hi", "client_id": "1"})).await;
    bench.relay.tick(Instant::now() + Duration::from_secs(600));
    assert_eq!(ben.poll_after(&ben.cursor, 0).await.code(), ErrorCode::CursorExpired);
}

#[tokio::test]
async fn signing_off_ends_the_poll_that_waits() {
    let bench = Bench::new().await;
    let ana = bench.person("Ana").await;
    let (waiting, _) = tokio::join!(ana.poll_after(&ana.cursor, 9_000), ana.delete("/v1/session"));
    assert_eq!(waiting.code(), ErrorCode::Unauthorized);
}
