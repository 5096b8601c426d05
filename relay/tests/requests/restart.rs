//! What outlives the relay's process.

use std::time::Instant;

use proto::{
    ErrorCode, Event, Kind,
    api::History,
    limits::VANISHED,
    model::{EndReason, Message, Presence},
};
use relay::{Error, Relay};
use serde_json::json;

use crate::bench::{Bench, Client, chunk, config};

/// The same client on the relay that came after.
pub(crate) fn again<'a>(bench: &'a Bench, client: &(String, proto::Name)) -> Client<'a> {
    Client { bench, token: client.0.clone(), name: client.1.clone(), cursor: proto::Cursor::new("") }
}

/// What a device knows of its client.
pub(crate) fn keep(client: &Client<'_>) -> (String, proto::Name) {
    (client.token.clone(), client.name.clone())
}

#[tokio::test]
async fn sessions_buddies_chat_and_the_call_outlive_a_crash() {
    let bench = Bench::new().await;
    let (ana, ben, call, cursor) = {
        let (ana, ben) = bench.buddies("Ana", "Ben").await;
        let call = ana.call(&ben).await;
        let message = json!({"to": "Ben", "text": "still there?", "client_id": "1"});
        ana.post("/v1/chat", message).await.read::<Message>();
        ana.post(&format!("/v1/calls/{call}/media"), json!({"audio": false, "video": true, "screen": true})).await;
        ana.publish(&call, Kind::Video, 1, 0, true).await;
        (keep(&ana), keep(&ben), call, ana.cursor.clone())
    };
    let bench = bench.crash_and_restart().await;
    let (mut ana, mut ben) = (again(&bench, &ana), again(&bench, &ben));
    assert_eq!(ana.poll_after(&cursor, 0).await.code(), ErrorCode::CursorExpired);
    let state = ana.show_up().await;
    let joined = state.call.unwrap();
    assert_eq!((joined.call.id.clone(), joined.me.0, joined.call.peers.len()), (call.clone(), 1, 2));
    assert!(!joined.call.peers[0].audio && joined.call.peers[0].video, "muted as before");
    assert!(joined.call.peers[0].screen && !joined.call.peers[1].screen, "shared as before");
    assert_eq!(state.buddies[0].presence, Presence::Busy);
    ben.show_up().await;
    assert_eq!(ben.get("/v1/chat?with=Ana").await.read::<History>().messages.len(), 1);
    assert_eq!(ben.fetch(&call, Kind::Video, 7, 1, 0).await.chunks(), [], "the rings start empty");
    ana.publish(&call, Kind::Video, 1, 1, true).await;
    assert_eq!(ben.fetch(&call, Kind::Video, 7, 1, 0).await.chunks(), [(1, 1)]);
}

#[tokio::test]
async fn who_does_not_come_back_after_a_restart_leaves_the_call() {
    let bench = Bench::new().await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    ana.call(&ben).await;
    let ana = keep(&ana);
    let bench = bench.crash_and_restart().await;
    let mut ana = again(&bench, &ana);
    assert!(ana.show_up().await.call.is_some());
    bench.relay.tick(Instant::now() + VANISHED);
    let events = ana.poll(0).await;
    assert!(events.iter().any(|event| matches!(event, Event::CallEnded { reason: EndReason::Vanished, .. })), "{events:?}");
    // What was acknowledged after the end of the call was stored after it.
    bench.sign_in("Ana").await.delete("/v1/session").await.read::<serde_json::Value>();
    let ana = keep(&ana);
    let bench = bench.crash_and_restart().await;
    assert_eq!(again(&bench, &ana).state().await.call, None, "the end of the call was stored, too");
}

#[tokio::test]
async fn a_number_once_given_in_a_call_is_never_given_again() {
    let bench = Bench::new().await;
    let (ana, ben, eva, call) = {
        let (ana, ben) = bench.buddies("Ana", "Ben").await;
        let mut eva = bench.person("Eva").await;
        eva.befriend(&ana).await;
        eva.show_up().await;
        let call = ana.call(&ben).await;
        let rung: proto::api::Rung = ana.try_ring(&eva.name, Some(&call)).await.read();
        eva.accept(&rung).await.read::<proto::api::Joined>();
        eva.post(&format!("/v1/calls/{call}/leave"), ()).await.read::<serde_json::Value>();
        (keep(&ana), keep(&ben), keep(&eva), call)
    };
    let bench = bench.crash_and_restart().await;
    let (mut ana, mut eva) = (again(&bench, &ana), again(&bench, &eva));
    again(&bench, &ben).show_up().await;
    ana.show_up().await;
    eva.show_up().await;
    let rung: proto::api::Rung = ana.try_ring(&eva.name, Some(&call)).await.read();
    let joined: proto::api::Joined = eva.accept(&rung).await.read();
    assert_eq!(joined.me.0, 4);
    assert_eq!(eva.upload(&call, Kind::Audio, chunk(Kind::Audio, 3, 0, true)).await.code(), ErrorCode::BadRequest);
}

#[tokio::test]
async fn signed_off_stays_signed_off() {
    let bench = Bench::new().await;
    let ana = bench.person("Ana").await;
    ana.delete("/v1/session").await.read::<serde_json::Value>();
    let ana = keep(&ana);
    let bench = bench.crash_and_restart().await;
    assert_eq!(again(&bench, &ana).get("/v1/state").await.code(), ErrorCode::Unauthorized);
}

#[tokio::test]
async fn two_relays_never_share_a_folder() {
    let bench = Bench::new().await;
    let second = Relay::open(config(bench.folder.path())).await;
    assert!(matches!(second, Err(Error::InUse { .. })));
    bench.relay.stop().await;
    Relay::open(config(bench.folder.path())).await.unwrap().kill();
}
