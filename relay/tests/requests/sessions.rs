//! A person's own sessions, and their password.

use std::time::Duration;

use proto::{
    ErrorCode, Event,
    api::{OwnSession, Sessions, SignedIn},
    model::EndReason,
};
use relay::Rate;
use serde_json::{Value, json};

use crate::bench::{Bench, Client, PASSWORD, Reply};

const NEW: &str = "battery staple";

async fn own(client: &Client<'_>) -> Vec<OwnSession> {
    client.get("/v1/sessions").await.read::<Sessions>().sessions
}

async fn end(client: &Client<'_>, session: &OwnSession) -> Reply {
    client.delete(&format!("/v1/sessions/{}", session.id)).await
}

async fn change(client: &Client<'_>, old: &str, new: &str) -> Reply {
    client.post("/v1/account/password", json!({"old": old, "new": new})).await
}

async fn try_sign_in(bench: &Bench, password: &str) -> Reply {
    bench.post("/v1/session", None, json!({"name": "Ana", "password": password, "versions": [1]})).await
}

#[tokio::test]
async fn a_person_sees_their_own_sessions_the_one_used_last_first() {
    let bench = Bench::new().await;
    bench.person("Ben").await;
    bench.sign_up("Ana").await;
    let (first, second) = (bench.sign_in("Ana").await, bench.sign_in("Ana").await);
    second.state().await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let sessions = own(&first).await;
    assert_eq!(sessions.iter().map(|session| session.current).collect::<Vec<_>>(), [true, false]);
    assert_ne!(sessions[0].id, sessions[1].id);
    for session in &sessions {
        assert_eq!(session.device, "test");
        assert!(session.signed_in_at_ms.unwrap().abs_diff(session.seen_at_ms) < 60_000, "{session:?}");
        assert!(!first.token.contains(session.id.as_str()) && !second.token.contains(session.id.as_str()));
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(own(&second).await[0].id, sessions[1].id);
    let (seen, token) = (first.get("/v1/sessions").await, &first.token);
    assert!(!String::from_utf8_lossy(&seen.body).contains(token.as_str()));
}

#[tokio::test]
async fn a_person_ends_their_own_sessions_and_nobody_else_s() {
    let bench = Bench::new().await;
    let ben = bench.person("Ben").await;
    bench.sign_up("Ana").await;
    let (here, lost) = (bench.sign_in("Ana").await, bench.sign_in("Ana").await);
    let sessions = own(&here).await;
    let (mine, other) = (sessions.iter().find(|it| it.current).unwrap(), sessions.iter().find(|it| !it.current).unwrap());
    assert_eq!(end(&ben, other).await.code(), ErrorCode::NotFound);
    lost.state().await;
    end(&here, other).await.read::<Value>();
    assert_eq!(lost.get("/v1/state").await.code(), ErrorCode::Unauthorized);
    assert_eq!(end(&here, other).await.code(), ErrorCode::NotFound);
    assert_eq!(own(&here).await.len(), 1);
    end(&here, mine).await.read::<Value>();
    assert_eq!(here.get("/v1/state").await.code(), ErrorCode::Unauthorized);
    // The token is no name of a session, nor is a number of a row.
    for id in [ben.token.as_str(), "1", "", "x%2f.."] {
        assert_eq!(ben.delete(&format!("/v1/sessions/{id}")).await.code(), ErrorCode::NotFound, "{id}");
    }
    ben.state().await;
}

#[tokio::test]
async fn a_session_that_is_ended_hangs_up_and_hears_of_it_at_once() {
    let bench = Bench::new().await;
    let (mut ana, mut ben) = bench.buddies("Ana", "Ben").await;
    ana.call(&ben).await;
    ana.show_up().await;
    ben.show_up().await;
    let other = bench.sign_in("Ana").await;
    let sessions = own(&other).await;
    let lost = sessions.iter().find(|session| !session.current).unwrap();
    let (poll, ()) = tokio::join!(ana.poll_after(&ana.cursor, 20_000), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        end(&other, lost).await.read::<Value>();
    });
    assert_eq!(poll.code(), ErrorCode::Unauthorized);
    let events = ben.next().await;
    assert!(events.iter().any(|event| matches!(event, Event::CallEnded { reason: EndReason::HungUp, .. })), "{events:?}");
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_and_the_old_one_is_worth_nothing() {
    let bench = Bench::new().await;
    bench.sign_up("Ana").await;
    let (here, there) = (bench.sign_in("Ana").await, bench.sign_in("Ana").await);
    assert_eq!(change(&here, "wrong horse", NEW).await.code(), ErrorCode::WrongPassword);
    assert_eq!(change(&here, &"x".repeat(10_000), NEW).await.code(), ErrorCode::WrongPassword);
    for new in ["1234567", &"x".repeat(257)] {
        assert_eq!(change(&here, PASSWORD, new).await.code(), ErrorCode::BadRequest);
    }
    there.state().await;
    change(&here, PASSWORD, NEW).await.read::<Value>();
    assert_eq!(there.get("/v1/state").await.code(), ErrorCode::Unauthorized);
    assert_eq!(own(&here).await.len(), 1);
    assert_eq!(change(&here, PASSWORD, NEW).await.code(), ErrorCode::WrongPassword, "sent again");
    assert_eq!(try_sign_in(&bench, PASSWORD).await.code(), ErrorCode::WrongPassword);
    try_sign_in(&bench, NEW).await.read::<SignedIn>();
    let (here, there) = (here.token.clone(), there.token.clone());
    let bench = bench.crash_and_restart().await;
    let again = async |token: &str| bench.send(axum::http::Method::GET, "/v1/sessions", Some(token), "").await;
    assert_eq!(again(&here).await.read::<Sessions>().sessions.len(), 2);
    assert_eq!(again(&there).await.code(), ErrorCode::Unauthorized);
}

#[tokio::test]
async fn no_session_begins_by_a_password_that_was_changed_meanwhile() {
    let bench = Bench::new().await;
    bench.sign_up("Ana").await;
    let here = bench.sign_in("Ana").await;
    let late = async || try_sign_in(&bench, PASSWORD).await;
    let (changed, a, b, c, d) = tokio::join!(change(&here, PASSWORD, NEW), late(), late(), late(), late());
    changed.read::<Value>();
    for reply in [a, b, c, d] {
        if reply.status.is_success() {
            let token = reply.read::<SignedIn>().token;
            let state = bench.send(axum::http::Method::GET, "/v1/state", Some(token.reveal()), "").await;
            assert_eq!(state.code(), ErrorCode::Unauthorized);
        } else {
            assert_eq!(reply.code(), ErrorCode::WrongPassword);
        }
    }
    assert_eq!(own(&here).await.len(), 1);
}

#[tokio::test]
async fn who_found_a_signed_in_device_guesses_the_password_no_faster() {
    let bench = Bench::with(|config| config.rates.wrong_password = Rate { burst: 2.0, per_second: 0.1 }).await;
    bench.sign_up("Ana").await;
    let here = bench.sign_in("Ana").await;
    for _ in 0..2 {
        assert_eq!(change(&here, "wrong horse", NEW).await.code(), ErrorCode::WrongPassword);
    }
    let limited = change(&here, PASSWORD, NEW).await;
    assert_eq!(limited.code(), ErrorCode::RateLimited);
    assert!(limited.retry_after_ms().is_some());
    assert_eq!(try_sign_in(&bench, PASSWORD).await.code(), ErrorCode::RateLimited, "it is the same count");
}
