//! What a client must know at start, and what happens from then on.

use std::{
    pin::pin,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use axum::{
    Json as Reply,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, Response, header},
};
use proto::{
    ErrorCode,
    api::{PollEvents, State as Everything},
    limits::WAIT_MAX,
};

use crate::{
    app::App,
    extract::{Caller, Query},
    hub::feed,
    refusal::{Answer, Refusal},
};

/// `GET /v1/state`.
pub(crate) async fn state(State(app): State<App>, Caller(session): Caller) -> Answer<Reply<Everything>> {
    let state = app.hub.state(&session, Instant::now());
    state.map(Reply).ok_or_else(signed_out)
}

/// `GET /v1/events`.
pub(crate) async fn poll(
    State(app): State<App>,
    Caller(session): Caller,
    Query(poll): Query<PollEvents>,
) -> Answer<Response<Body>> {
    let start = Instant::now();
    let until = start + Duration::from_millis(poll.wait_ms).min(WAIT_MAX);
    let mine = session.newest_poll.fetch_add(1, Ordering::Relaxed) + 1;
    // An older poll that still waits, on a connection the client may have given up, gives way.
    session.wake.notify_waiters();
    session.set_person_idle(poll.idle_ms.map(Duration::from_millis));
    let _parked = app.metrics.park_events();
    loop {
        let mut woken = pin!(session.wake.notified());
        woken.as_mut().enable();
        if app.hub.session(&session.token).is_none() {
            return Err(signed_out());
        }
        let expired =
            |_| Refusal::new(ErrorCode::CursorExpired, "These events are gone: ask for the state and go on from there.");
        if let Some(body) = app.hub.events(&session, &poll.after, Instant::now()).map_err(expired)? {
            return Ok(json(body));
        }
        let replaced = session.newest_poll.load(Ordering::Relaxed) != mine;
        if replaced || app.is_stopping() || tokio::time::timeout_at(until.into(), woken).await.is_err() {
            session.polls(Instant::now());
            return Ok(json(feed::nothing_after(&poll.after)));
        }
    }
}

fn signed_out() -> Refusal {
    Refusal::new(ErrorCode::Unauthorized, "This session was signed off: sign in again.")
}

fn json(body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
