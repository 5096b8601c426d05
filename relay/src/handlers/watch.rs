//! For whoever looks after the relay, and the programs that do it for them: is it there, is it well, how much goes on.

use std::time::{Duration, Instant};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
};
use proto::ErrorCode;

use crate::{
    app::App,
    extract::{Whence, bearer},
    handlers::no_such_route,
    metrics::text,
    refusal::{Answer, Refusal},
};

/// The database has this long to answer. It takes under a millisecond when all is well.
const DATABASE: Duration = Duration::from_secs(2);

/// `GET /healthz`: the process answers.
pub(crate) async fn healthz() -> Response<Body> {
    plain(StatusCode::OK, "ok\n".to_owned(), "text/plain; charset=utf-8")
}

/// `GET /readyz`: it takes requests, and the database answers.
pub(crate) async fn readyz(State(app): State<App>) -> Response<Body> {
    let (status, says) = if app.is_stopping() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
    } else if let Ok(Ok(())) = tokio::time::timeout(DATABASE, app.store.answers()).await {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n")
    };
    plain(status, says.to_owned(), "text/plain; charset=utf-8")
}

/// `GET /metrics`: how much goes on, for whom the configuration lets ask.
pub(crate) async fn metrics(State(app): State<App>, Whence(from): Whence, headers: HeaderMap) -> Answer<Response<Body>> {
    let Some(access) = &app.config.metrics else { return Err(no_such_route().await) };
    match access.token_hash() {
        // Compared by their hashes: how long that takes says nothing of the token.
        Some(token) if bearer(&headers) != Some(token) => {
            return Err(Refusal::new(ErrorCode::Unauthorized, "The measurements are for who has the token for them."));
        }
        None if from.is_some() => {
            return Err(Refusal::new(ErrorCode::Forbidden, "The measurements are for this machine alone."));
        }
        _ => {}
    }
    Ok(plain(StatusCode::OK, text::page(&app, Instant::now()), text::CONTENT_TYPE))
}

fn plain(status: StatusCode, says: String, kind: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(says));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
