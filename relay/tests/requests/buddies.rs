//! Buddy lists and presence.

use std::time::{Duration, Instant};

use proto::{
    ErrorCode, Event,
    limits::VANISHED,
    model::{Buddy, Presence, Relation},
};
use serde_json::Value;

use crate::bench::Bench;

fn buddy(name: &str, relation: Relation, presence: Presence) -> Buddy {
    Buddy { name: name.parse().unwrap(), relation, presence, text: String::new(), last_seen_ms: None }
}

/// Who was told to be how; nothing else may have happened.
pub(crate) fn told(events: &[Event]) -> Vec<(&str, Presence)> {
    let told = events.iter().map(|event| match event {
        Event::Presence { name, presence, .. } => (name.as_str(), *presence),
        other => panic!("{other:?}"),
    });
    told.collect()
}

#[tokio::test]
async fn asking_and_answering_makes_it_mutual_and_shows_presence() {
    let bench = Bench::new().await;
    let (mut ana, mut ben) = (bench.person("Ana").await, bench.person("Ben").await);
    ana.add_buddy(&ben.name).await.read::<Value>();
    assert_eq!(ana.poll(0).await, [Event::Roster { buddies: vec![buddy("Ben", Relation::Asked, Presence::Offline)] }]);
    assert_eq!(ben.poll(0).await, [Event::Roster { buddies: vec![buddy("Ana", Relation::Asking, Presence::Offline)] }]);
    ana.add_buddy(&ben.name).await.read::<Value>();
    assert_eq!(ana.poll(0).await, [], "asking again changes nothing");
    ben.add_buddy(&ana.name).await.read::<Value>();
    let mutual = vec![buddy("Ben", Relation::Mutual, Presence::Available)];
    assert_eq!(ana.poll(0).await, [Event::Roster { buddies: mutual.clone() }]);
    assert_eq!(ana.state().await.buddies, mutual);
}

#[tokio::test]
async fn removing_ends_it_for_both_and_declines_who_asks() {
    let bench = Bench::new().await;
    let (mut ana, ben) = bench.buddies("Ana", "Ben").await;
    ben.delete("/v1/buddies/ana").await.read::<Value>();
    assert_eq!(ana.poll(0).await, [Event::Roster { buddies: vec![] }]);
    assert_eq!(ben.state().await.buddies, []);
    ana.add_buddy(&ben.name).await.read::<Value>();
    ben.delete("/v1/buddies/Ana").await.read::<Value>();
    assert_eq!(ana.state().await.buddies, []);
    ben.delete("/v1/buddies/Ana").await.read::<Value>();
}

#[tokio::test]
async fn nobody_adds_themselves_or_a_stranger_to_the_relay() {
    let bench = Bench::new().await;
    let ana = bench.person("Ana").await;
    assert_eq!(ana.add_buddy(&"ANA".parse().unwrap()).await.code(), ErrorCode::BadRequest);
    assert_eq!(ana.add_buddy(&"Nobody".parse().unwrap()).await.code(), ErrorCode::NotFound);
    assert_eq!(ana.delete("/v1/buddies/Nobody").await.code(), ErrorCode::NotFound);
    assert_eq!(ana.delete("/v1/buddies/%20").await.code(), ErrorCode::BadRequest);
    assert_eq!(ana.state().await.buddies, []);
}

#[tokio::test]
async fn presence_follows_polls_calls_and_signing_off() {
    let bench = Bench::new().await;
    let (mut ana, ben) = bench.buddies("Ana", "Ben").await;
    let mut eva = bench.person("Eva").await;
    ben.befriend(&eva).await;
    eva.show_up().await;
    let call = ben.call(&eva).await;
    assert_eq!(told(&ana.poll(0).await), [("Ben", Presence::Busy)]);
    ben.post(&format!("/v1/calls/{call}/leave"), ()).await.read::<Value>();
    assert_eq!(told(&ana.poll(0).await), [("Ben", Presence::Available)]);
    ben.delete("/v1/session").await.read::<Value>();
    assert_eq!(told(&ana.poll(0).await), [("Ben", Presence::Offline)]);
}

#[tokio::test]
async fn a_client_that_stops_polling_is_offline_within_40_s_and_back_at_once() {
    // The relay looks once a second.
    assert!(VANISHED + Duration::from_secs(2) < Duration::from_secs(40));
    let bench = Bench::new().await;
    let (mut ana, mut ben) = bench.buddies("Ana", "Ben").await;
    let polled = Instant::now();
    bench.relay.tick(polled + VANISHED - Duration::from_secs(1));
    assert_eq!(ana.poll(0).await, []);
    bench.relay.tick(polled + VANISHED + Duration::from_secs(1));
    assert_eq!(told(&ana.poll(0).await), [("Ben", Presence::Offline)]);
    ben.poll(0).await;
    assert_eq!(told(&ana.poll(0).await), [("Ben", Presence::Available)]);
}
