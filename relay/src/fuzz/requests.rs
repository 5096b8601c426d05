//! Whole requests: methods, paths, queries, cookies, authorization, other headers and bodies, on the real router.

use std::panic::AssertUnwindSafe;

use axum::{
    Router,
    body::Body,
    http::{HeaderName, HeaderValue, Method, Request, StatusCode, header},
};
use proto::error::ErrorBody;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{BRIEFLY, Damage, damaged, examples};
use crate::{Config, Rate, Relay};

const METHODS: [Method; 6] = [Method::GET, Method::POST, Method::DELETE, Method::PUT, Method::HEAD, Method::OPTIONS];

/// Paths with queries, of every form there is. Signing up and in are left out: hashing passwords takes the time of a thousand others.
const TARGETS: [&str; 21] = [
    "/v1/health",
    "/v1/state",
    "/v1/events?after=e.0&wait_ms=0",
    "/v1/sessions",
    "/v1/sessions/mB5kT0xWq3Zy8nRj1LcVfA",
    "/v1/buddies",
    "/v1/buddies/Zo%C3%AB",
    "/v1/chat",
    "/v1/chat?with=Ben&before=9&after=1&limit=5",
    "/v1/invitations",
    "/v1/invitations/u0XbQ2h7VfYw9zKc1LmNoA/accept",
    "/v1/invitations/u0XbQ2h7VfYw9zKc1LmNoA/decline",
    "/v1/calls/Zk3vT8yRqWe5aSd2FgHjKw",
    "/v1/calls/Zk3vT8yRqWe5aSd2FgHjKw/media",
    "/v1/calls/Zk3vT8yRqWe5aSd2FgHjKw/keyframe",
    "/v1/calls/Zk3vT8yRqWe5aSd2FgHjKw/report",
    "/v1/calls/Zk3vT8yRqWe5aSd2FgHjKw/audio?reader=1&poll=1&wait_ms=0",
    "/v1/calls/Zk3vT8yRqWe5aSd2FgHjKw/leave",
    "/healthz",
    "/readyz",
    "/metrics",
];

/// Headers that mean something, to the relay or to what may stand before it.
const HEADERS: [(HeaderName, &str); 8] = [
    (header::COOKIE, "session=abc; other=\"d e f\"; __Host-x=1"),
    (header::AUTHORIZATION, "Basic QW5hOnNlY3JldA=="),
    (header::CONTENT_TYPE, "application/json; charset=utf-8"),
    (header::CONTENT_LENGTH, "12"),
    (header::HOST, "relay.example.org:80"),
    (header::FORWARDED, "for=192.0.2.1;proto=https, for=\"[2001:db8::1]:4711\""),
    (header::RANGE, "bytes=0-1,2-"),
    (header::ACCEPT_ENCODING, "gzip;q=0, *"),
];

/// Which method, target, headers and body, and what is done to target, header, token and body.
type Input = (u8, u8, u8, u8, Vec<Damage>, Vec<Damage>, Vec<Damage>, Vec<Damage>);

struct Asked {
    router: Router,
    token: String,
    bodies: Vec<&'static str>,
}

impl Asked {
    /// A request; `None` where the library that reads HTTP would have refused it before.
    fn request(&self, input: &Input) -> Option<Request<Body>> {
        let (method, target, which, body, ..) = input;
        let (.., target_damage, header_damage, token_damage, body_damage) = input;
        let method = METHODS[usize::from(*method) % METHODS.len()].clone();
        let target = damaged(TARGETS[usize::from(*target) % TARGETS.len()].as_bytes(), target_damage);
        let (name, value) = &HEADERS[usize::from(*which) % HEADERS.len()];
        let value = HeaderValue::from_bytes(&damaged(value.as_bytes(), header_damage)).ok()?;
        let bearer = damaged(format!("Bearer {}", self.token).as_bytes(), token_damage);
        let body = damaged(self.bodies[usize::from(*body) % self.bodies.len()].as_bytes(), body_damage);
        let request = Request::builder().method(method).uri(target.as_slice()).header(name, value);
        let request = request.header(header::AUTHORIZATION, HeaderValue::from_bytes(&bearer).ok()?);
        request.body(Body::from(body)).ok()
    }

    /// The answer keeps to the rules, whatever was asked.
    async fn ask(&self, request: Request<Body>) {
        let asked = format!("{request:?}");
        let response = self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body that is there");
        // A panic in a handler comes out as this one, too.
        assert_ne!(head.status, StatusCode::INTERNAL_SERVER_ERROR, "{asked}");
        assert_eq!(head.headers[header::CACHE_CONTROL], "no-store", "{asked}");
        // An answer to HEAD has none.
        if head.status != StatusCode::OK && !body.is_empty() {
            let refusal: ErrorBody = serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error}: {asked}"));
            assert_eq!(refusal.error.code.status(), head.status.as_u16(), "{asked}");
        }
    }
}

async fn asked(relay: &Relay) -> Asked {
    let router = relay.router();
    let post = async |path: &str, body: Value| {
        let request = Request::post(path).body(Body::from(body.to_string())).expect("a request");
        let body = router.clone().oneshot(request).await.unwrap_or_else(|never| match never {}).into_body();
        serde_json::from_slice::<Value>(&axum::body::to_bytes(body, usize::MAX).await.expect("a body")).expect("JSON")
    };
    let who = json!({"name": "Ana", "password": "correct horse", "versions": [1]});
    post("/v1/accounts", who.clone()).await;
    let token = post("/v1/session", who).await["token"].as_str().expect("a token").to_owned();
    Asked { router, token, bodies: examples().into_iter().map(|(_, text)| text).chain([""]).collect() }
}

#[test]
fn no_request_makes_the_relay_fail_or_answer_out_of_form() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = Config::new(folder.path());
    config.rates.control = Rate { burst: 1e9, per_second: 1e9 };
    let relay = runtime.block_on(Relay::open(config)).expect("a relay");
    let asked = runtime.block_on(asked(&relay));
    let (runtime, asked) = (AssertUnwindSafe(&runtime), AssertUnwindSafe(&asked));
    bolero::check!().with_test_time(BRIEFLY).with_type::<Input>().for_each(|input| {
        // Whole, not only what they hold: so they are safe to unwind from.
        let (runtime, asked) = (&runtime, &asked);
        if let Some(request) = asked.request(input) {
            runtime.block_on(asked.ask(request));
        }
    });
    runtime.block_on(relay.stop());
}
