//! Signing up, in and off.

use std::net::SocketAddr;

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Method, Request},
};
use proto::{ErrorCode, api::Health, api::SignedIn};
use relay::{Admission, Rate};
use serde_json::{Value, json};

use crate::bench::{Bench, PASSWORD};

#[tokio::test]
async fn a_relay_says_how_it_is() {
    let bench = Bench::new().await;
    let health: Health = bench.send(Method::GET, "/v1/health", None, Body::empty()).await.read();
    assert_eq!((health.status.as_str(), health.protocol.as_slice()), ("ok", &[1][..]));
}

#[tokio::test]
async fn a_name_is_taken_once_however_it_is_typed() {
    let bench = Bench::new().await;
    bench.sign_up("Zoë").await;
    let again = bench.post("/v1/accounts", None, json!({"name": "ZOË", "password": PASSWORD})).await;
    assert_eq!(again.code(), ErrorCode::NameTaken);
    let client = bench.sign_in("zoË").await;
    assert_eq!(client.name.as_str(), "Zoë");
}

#[tokio::test]
async fn names_and_passwords_have_their_limits() {
    let bench = Bench::new().await;
    for (name, password) in
        [("", PASSWORD), ("a b", PASSWORD), (&"x".repeat(33), PASSWORD), ("Ana", "1234567"), ("Ana", &"x".repeat(257))]
    {
        let reply = bench.post("/v1/accounts", None, json!({"name": name, "password": password})).await;
        assert_eq!(reply.code(), ErrorCode::BadRequest, "{name} {password}");
    }
    bench.sign_up("Ana").await;
}

#[tokio::test]
async fn a_wrong_password_and_a_wrong_name_look_the_same() {
    let bench = Bench::new().await;
    bench.sign_up("Ana").await;
    let mut bodies = Vec::new();
    for (name, password) in [("Ana", "wrong password"), ("Nobody", PASSWORD), ("Ana", &"x".repeat(10_000))] {
        let reply = bench.post("/v1/session", None, json!({"name": name, "password": password, "versions": [1]})).await;
        assert_eq!(reply.code(), ErrorCode::WrongPassword);
        bodies.push(reply.body);
    }
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(bodies[0], bodies[2]);
}

#[tokio::test]
async fn versions_are_agreed_on_when_signing_in() {
    let bench = Bench::new().await;
    bench.sign_up("Ana").await;
    let wish = |versions: Value| json!({"name": "Ana", "password": PASSWORD, "versions": versions});
    let signed_in: SignedIn = bench.post("/v1/session", None, wish(json!([7, 1]))).await.read();
    assert_eq!(signed_in.version, 1);
    assert_eq!(bench.post("/v1/session", None, wish(json!([7]))).await.code(), ErrorCode::UnsupportedVersion);
    assert_eq!(bench.post("/v1/session", None, wish(json!([]))).await.code(), ErrorCode::UnsupportedVersion);
}

#[tokio::test]
async fn a_token_is_worth_nothing_after_signing_off() {
    let bench = Bench::new().await;
    let ana = bench.person("Ana").await;
    let other_device = bench.sign_in("Ana").await;
    ana.delete("/v1/session").await.read::<Value>();
    assert_eq!(ana.get("/v1/state").await.code(), ErrorCode::Unauthorized);
    assert_eq!(other_device.state().await.name.as_str(), "Ana");
}

#[tokio::test]
async fn a_closed_relay_takes_no_new_accounts() {
    let bench = Bench::with(|config| config.sign_up = Admission::Closed).await;
    let reply = bench.post("/v1/accounts", None, json!({"name": "Ana", "password": PASSWORD})).await;
    assert_eq!(reply.code(), ErrorCode::SignUpClosed);
}

#[tokio::test]
async fn guessing_passwords_is_slow() {
    let bench = Bench::with(|config| config.rates.wrong_password = Rate { burst: 2.0, per_second: 0.1 }).await;
    let wish = |name: &str| json!({"name": name, "password": "wrong password", "versions": [1]});
    for _ in 0..2 {
        assert_eq!(bench.post("/v1/session", None, wish("Ana")).await.code(), ErrorCode::WrongPassword);
    }
    let limited = bench.post("/v1/session", None, wish("aNA")).await;
    assert_eq!(limited.code(), ErrorCode::RateLimited);
    assert!((9_000..=10_000).contains(&limited.retry_after_ms().unwrap()));
    assert_eq!(limited.headers["retry-after"], "10");
    assert_eq!(bench.post("/v1/session", None, wish("Ben")).await.code(), ErrorCode::WrongPassword);
}

#[tokio::test]
async fn who_guesses_somebody_s_password_does_not_lock_them_out() {
    let bench = Bench::with(|config| config.rates.wrong_password = Rate { burst: 2.0, per_second: 0.001 }).await;
    bench.sign_up("Ana").await;
    let sign_in = async |password: &str, from: &str| {
        let address = from.parse::<SocketAddr>().unwrap();
        let body = json!({"name": "Ana", "password": password, "versions": [1]}).to_string();
        let request = Request::builder().method(Method::POST).uri("/v1/session").extension(ConnectInfo(address));
        bench.raw(request.body(Body::from(body)).unwrap()).await
    };
    // However the guesser writes an address of that network: it is one network.
    for from in ["[2001:db8::1]:1", "[2001:db8::2]:1"] {
        assert_eq!(sign_in("wrong password", from).await.code(), ErrorCode::WrongPassword);
    }
    assert_eq!(sign_in(PASSWORD, "[2001:db8::3]:1").await.code(), ErrorCode::RateLimited);
    for _ in 0..5 {
        sign_in(PASSWORD, "192.0.2.1:1").await.read::<SignedIn>();
    }
}

#[tokio::test]
async fn one_address_makes_few_accounts_but_the_machine_itself_may() {
    let bench = Bench::with(|config| config.rates.sign_up = Rate { burst: 1.0, per_second: 0.001 }).await;
    let sign_up = async |name: &str, from: &str| {
        let address = from.parse::<SocketAddr>().unwrap();
        let body = json!({"name": name, "password": PASSWORD}).to_string();
        let request = Request::builder().method(Method::POST).uri("/v1/accounts").extension(ConnectInfo(address));
        bench.raw(request.body(Body::from(body)).unwrap()).await
    };
    sign_up("Ana", "192.0.2.1:1").await.read::<Value>();
    assert_eq!(sign_up("Ben", "192.0.2.1:2").await.code(), ErrorCode::RateLimited);
    sign_up("Ben", "192.0.2.2:1").await.read::<Value>();
    sign_up("Eva", "127.0.0.1:1").await.read::<Value>();
    sign_up("Ida", "127.0.0.1:1").await.read::<Value>();
}

#[tokio::test]
async fn one_session_asks_only_so_fast() {
    let bench = Bench::with(|config| config.rates.control = Rate { burst: 3.0, per_second: 0.5 }).await;
    bench.sign_up("Ana").await;
    let ana = bench.sign_in("Ana").await;
    for _ in 0..3 {
        ana.state().await;
    }
    assert_eq!(ana.get("/v1/state").await.code(), ErrorCode::RateLimited);
}

#[tokio::test]
async fn the_longest_unused_of_too_many_sessions_gives_way_and_not_the_one_that_polls() {
    let bench = Bench::new().await;
    bench.sign_up("Ana").await;
    let mut first = bench.sign_in("Ana").await;
    first.show_up().await;
    let second = bench.sign_in("Ana").await;
    let third = bench.sign_in("Ana").await;
    for _ in 0..30 {
        bench.sign_in("Ana").await;
    }
    assert_eq!(second.get("/v1/state").await.code(), ErrorCode::Unauthorized);
    third.state().await;
    first.state().await;
}
