//! Every route refuses in the one form: a status, a code, a sentence.

use axum::{
    body::Body,
    http::{Method, Request},
};
use proto::{ErrorCode, limits::CONTROL_MAX};
use serde_json::json;

use crate::bench::Bench;

/// Every route that wants a session.
const ROUTES: [(&str, &str); 38] = [
    ("DELETE", "/v1/session"),
    ("GET", "/v1/sessions"),
    ("DELETE", "/v1/sessions/x"),
    ("POST", "/v1/account/password"),
    ("GET", "/v1/state"),
    ("GET", "/v1/events?after=x"),
    ("POST", "/v1/buddies"),
    ("DELETE", "/v1/buddies/Ana"),
    ("POST", "/v1/chat"),
    ("GET", "/v1/chat?with=Ana"),
    ("POST", "/v1/invitations"),
    ("POST", "/v1/invitations/x/accept"),
    ("POST", "/v1/invitations/x/decline"),
    ("POST", "/v1/invitations/x/cancel"),
    ("GET", "/v1/calls/x"),
    ("POST", "/v1/calls/x/leave"),
    ("POST", "/v1/calls/x/media"),
    ("POST", "/v1/calls/x/keyframe"),
    ("POST", "/v1/calls/x/report"),
    ("POST", "/v1/calls/x/audio"),
    ("POST", "/v1/calls/x/video"),
    ("POST", "/v1/calls/x/screen"),
    ("GET", "/v1/calls/x/screen?reader=1&poll=1"),
    ("GET", "/v1/calls/x/audio?reader=1&poll=1"),
    ("GET", "/v1/calls/x/video?reader=1&poll=1"),
    ("GET", "/v1/events?after=x&wait_ms=1"),
    ("GET", "/v1/chat?with=Ana&limit=1"),
    ("POST", "/v1/presence"),
    ("POST", "/v1/blocks"),
    ("DELETE", "/v1/blocks/Ana"),
    ("POST", "/v1/reports"),
    ("POST", "/v1/missed/seen"),
    ("POST", "/v1/calls/join"),
    ("POST", "/v1/calls/x/link"),
    ("DELETE", "/v1/calls/x/link"),
    ("POST", "/v1/calls/x/mute"),
    ("POST", "/v1/calls/x/remove"),
    ("POST", "/v1/calls/x/lock"),
];

/// Routes that take a JSON body.
const BODIES: [&str; 17] = [
    "/v1/accounts",
    "/v1/session",
    "/v1/account/password",
    "/v1/buddies",
    "/v1/chat",
    "/v1/invitations",
    "/v1/calls/x/media",
    "/v1/calls/x/keyframe",
    "/v1/calls/x/report",
    "/v1/presence",
    "/v1/blocks",
    "/v1/reports",
    "/v1/missed/seen",
    "/v1/calls/join",
    "/v1/calls/x/mute",
    "/v1/calls/x/remove",
    "/v1/calls/x/lock",
];

#[tokio::test]
async fn without_a_token_that_counts_nothing_is_given() {
    let bench = Bench::new().await;
    let ana = bench.person("Ana").await;
    let wrong_scheme = format!("Basic {}", ana.token);
    let stretched = format!("Bearer {}x", ana.token);
    for (method, path) in ROUTES {
        for header in [
            None,
            Some("Bearer"),
            Some("Bearer "),
            Some("Bearer nonsense"),
            Some(wrong_scheme.as_str()),
            Some(stretched.as_str()),
        ] {
            let mut request = Request::builder().method(method).uri(path);
            if let Some(header) = header {
                request = request.header("authorization", header);
            }
            let reply = bench.raw(request.body(Body::from("{}")).unwrap()).await;
            assert_eq!(reply.code(), ErrorCode::Unauthorized, "{method} {path} {header:?}");
            assert_eq!(reply.headers["www-authenticate"], "Bearer");
        }
    }
}

#[tokio::test]
async fn other_paths_and_methods_are_refused_with_a_code() {
    let bench = Bench::new().await;
    let ana = bench.person("Ana").await;
    for path in ["/", "/v1", "/v2/state", "/v1/health/", "/v1/calls/x/smell", "/v1/calls/x/y/z", "/%ff"] {
        assert_eq!(ana.get(path).await.code(), ErrorCode::NotFound, "{path}");
    }
    for (_, path) in ROUTES.into_iter().chain([("", "/v1/health"), ("", "/v1/accounts")]) {
        for method in [Method::PUT, Method::PATCH] {
            let reply = bench.send(method.clone(), path, Some(&ana.token), Body::empty()).await;
            assert_eq!(reply.code(), ErrorCode::MethodNotAllowed, "{method} {path}");
            assert!(reply.headers.contains_key("allow"));
        }
    }
}

#[tokio::test]
async fn bodies_that_cannot_be_read_or_are_too_large_are_refused() {
    let bench = Bench::new().await;
    let ana = bench.person("Ana").await;
    for path in BODIES {
        for body in ["", "{", "[]", "null", "{}", "\"x\"", r#"{"name": 1, "to": 1, "track": 3, "audio": "yes"}"#] {
            let reply = bench.send(Method::POST, path, Some(&ana.token), body).await;
            assert_eq!(reply.code(), ErrorCode::BadRequest, "{path} {body}");
        }
        let large = json!({"name": "x".repeat(CONTROL_MAX)}).to_string();
        assert_eq!(bench.send(Method::POST, path, Some(&ana.token), large).await.code(), ErrorCode::TooLarge, "{path}");
    }
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    let bench = Bench::new().await;
    let body = json!({"name": "Ana", "password": "correct horse", "shoe_size": 38});
    bench.post("/v1/accounts", None, body).await.read::<serde_json::Value>();
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let bench = Bench::new().await;
    let (mut ana, mut ben) = bench.buddies("Ana", "Ben").await;
    let call = ana.call(&ben).await;
    ana.poll(0).await;
    ben.poll(0).await;
    let before = (ana.state().await, ben.state().await);
    for path in BODIES.into_iter().chain(["/v1/invitations/x/accept", "/v1/calls/nowhere/leave"]) {
        let path = path.replace("/x/", &format!("/{call}/"));
        for body in ["{", r#"{"to": "Ana", "name": "Ana", "text": "", "client_id": "1", "track": 260, "audio": 1}"#] {
            bench.send(Method::POST, &path, Some(&ana.token), body).await.code();
        }
        assert_eq!((ana.state().await, ben.state().await), before, "{path}");
        assert_eq!(ben.poll(0).await, [], "{path}");
    }
}
