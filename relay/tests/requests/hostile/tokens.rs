//! Tokens that were guessed, kept too long or taken from someone.

use std::time::Duration;

use proto::ErrorCode;
use serde_json::{Value, json};

use super::{beside_a_call, hasty};
use crate::{
    bench::{Bench, PASSWORD, config},
    sockets::{Wire, blocking, serve},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessed_tokens_are_worth_nothing_however_many_are_tried() {
    beside_a_call(|address, token| {
        let mut wire = Wire::open(address);
        for at in 0..2000 {
            // Right but for one character, and of every length.
            let mut guess = token[..token.len() - at % 4].to_owned();
            guess.push(char::from(b'!' + (at % 90) as u8));
            wire.get("/v1/state", &guess);
            let (head, body) = wire.answer();
            assert!(guess == token || head.starts_with("http/1.1 401") && body.contains("unauthorized"), "{guess}: {head}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_token_lasts_until_its_owner_ends_it_and_the_thief_hears_so_at_once() {
    let bench = Bench::with(hasty).await;
    let ana = bench.person("Ana").await;
    let second = bench.sign_in("Ana").await;
    let cursor = second.state().await.cursor;
    let (address, _serving) = serve(&bench).await;
    let stolen = second.token.clone();
    let parked = blocking(move || {
        let mut thief = Wire::open(address);
        thief.get("/v1/state", &stolen);
        assert!(thief.answer().0.starts_with("http/1.1 200"), "who has it is taken for its owner");
        thief.get(&format!("/v1/events?after={cursor}&wait_ms=25000"), &stolen);
        thief.0.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        thief
    })
    .await;
    let change = json!({"old": PASSWORD, "new": "another password"});
    ana.post("/v1/account/password", change).await.read::<Value>();
    blocking(move || {
        let mut thief = parked;
        // The poll may have come after the change; what matters is that it is not held.
        let (head, body) = thief.answer();
        assert!(head.starts_with("http/1.1 401") && body.contains("unauthorized"), "{head}{body}");
    })
    .await;
    assert_eq!(second.get("/v1/state").await.code(), ErrorCode::Unauthorized);
    ana.state().await;
    bench.relay.stop().await;
}

#[tokio::test]
async fn a_token_that_expired_while_the_relay_was_down_is_worth_nothing() {
    let bench = Bench::new().await;
    let token = bench.person("Ana").await.token.clone();
    bench.relay.stop().await;
    let mut config = config(bench.folder.path());
    config.session_unused = Duration::ZERO;
    // The clock that counts has milliseconds.
    tokio::time::sleep(Duration::from_millis(5)).await;
    let relay = relay::Relay::open(config).await.unwrap();
    let later = Bench::over(relay, bench.folder);
    let reply = later.send(axum::http::Method::GET, "/v1/state", Some(&token), axum::body::Body::empty()).await;
    assert_eq!(reply.code(), ErrorCode::Unauthorized);
}
