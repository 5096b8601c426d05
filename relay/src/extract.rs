//! What handlers take: who asks, and what for. Everything that can't be read is refused in the one form.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Instant};

use axum::{
    body::{Bytes, HttpBody as _},
    extract::{
        ConnectInfo, FromRequest, FromRequestParts, Path, Request,
        rejection::{BytesRejection, PathRejection, QueryRejection},
    },
    http::{HeaderMap, HeaderValue, header, request::Parts},
};
use bytes::BytesMut;
use proto::{ErrorCode, limits::CONTROL_MAX};
use serde::de::DeserializeOwned;

use crate::{
    app::App,
    doorman::Origin,
    hub::session::{Counts, Session},
    refusal::{Answer, Refusal},
    token::TokenHash,
};

/// The session that asks; its request counts against its control rate.
pub(crate) struct Caller(pub(crate) Arc<Session>);

/// The same for an upload.
pub(crate) struct Uploader(pub(crate) Arc<Session>);

/// The same for a poll.
pub(crate) struct Poller(pub(crate) Arc<Session>);

/// Nobody in particular, from there, while the relay runs.
pub(crate) struct Anyone(pub(crate) Option<Origin>);

/// Nobody in particular, from there, whether the relay runs or stops.
pub(crate) struct Whence(pub(crate) Option<Origin>);

/// A JSON body.
pub(crate) struct Json<T>(pub(crate) T);

/// A query.
pub(crate) struct Query<T>(pub(crate) T);

/// The variable part of the path.
pub(crate) struct Id(pub(crate) String);

/// The two variable parts of the path.
pub(crate) struct Ids(pub(crate) String, pub(crate) String);

/// A body as it is, of at most so many bytes.
pub(crate) struct Raw<const MAX: usize>(pub(crate) Bytes);

/// The session that asks, by the bytes of its `Authorization`; its request counts against that rate.
pub(crate) fn session(authorization: Option<&[u8]>, app: &App, counts: Counts) -> Answer<Arc<Session>> {
    app.check_running()?;
    let unauthorized = || Refusal::new(ErrorCode::Unauthorized, "Sign in first: the token is missing or not valid any more.");
    let session = authorization.and_then(token).and_then(|token| app.hub.session(&token)).ok_or_else(unauthorized)?;
    session.take(counts, Instant::now()).map_err(Refusal::rate_limited)?;
    Ok(session)
}

impl FromRequestParts<App> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Answer<Self> {
        session(authorization(&parts.headers), app, Counts::Control).map(Self)
    }
}

impl FromRequestParts<App> for Uploader {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Answer<Self> {
        session(authorization(&parts.headers), app, Counts::Upload).map(Self)
    }
}

impl FromRequestParts<App> for Poller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Answer<Self> {
        session(authorization(&parts.headers), app, Counts::Poll).map(Self)
    }
}

impl FromRequestParts<App> for Anyone {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Answer<Self> {
        app.check_running()?;
        Ok(Self(origin(parts, app)))
    }
}

impl FromRequestParts<App> for Whence {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self(origin(parts, app)))
    }
}

fn origin(parts: &Parts, app: &App) -> Option<Origin> {
    let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    app.config.proxies.origin(peer.ip(), &parts.headers)
}

fn authorization(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes)
}

/// The token of an `Authorization: Bearer` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<TokenHash> {
    authorization(headers).and_then(token)
}

fn token(authorization: &[u8]) -> Option<TokenHash> {
    let (scheme, token) = std::str::from_utf8(authorization).ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| TokenHash::of(token.trim()))
}

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Answer<Self> {
        let Raw(body) = Raw::<CONTROL_MAX>::from_request(request, app).await?;
        if has_nul(&body) {
            return Err(Refusal::bad_request("A text has no NUL character."));
        }
        let value = serde_json::from_slice(&body);
        value.map(Self).map_err(|error| Refusal::bad_request(format!("The body can't be read: {error}.")))
    }
}

/// Whether a text in this JSON has the character NUL, which is written as an escape alone. PostgreSQL can't keep it.
fn has_nul(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        let escape = &rest[at + 1..];
        if escape.starts_with(b"u0000") {
            return true;
        }
        rest = escape.get(1..).unwrap_or_default();
    }
    false
}

impl<const MAX: usize> FromRequest<App> for Raw<MAX> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Answer<Self> {
        let too_large = || Refusal::new(ErrorCode::TooLarge, "The body is larger than this route takes.");
        // Who says beforehand that it is too much needn't send it to hear so.
        if request.body().size_hint().lower() > MAX as u64 {
            return Err(too_large());
        }
        // Into one piece as it comes: kept apart until its end, a body of single bytes takes forty times its size.
        let body = tokio::time::timeout(app.config.patience.body, BytesMut::from_request(request, app)).await;
        let body = body.map_err(|_| Refusal::bad_request("The body took too long to arrive."))?;
        body.map(|body| Self(body.freeze())).map_err(|rejection| match rejection {
            BytesRejection::FailedToBufferBody(failed) if failed.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE => {
                too_large()
            }
            other => Refusal::bad_request(format!("The body can't be read: {other}.")),
        })
    }
}

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Answer<Self> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        let read = query.map(|axum::extract::Query(value)| Self(value));
        read.map_err(|rejection: QueryRejection| {
            Refusal::bad_request(format!("The query can't be read: {}.", rejection.body_text()))
        })
    }
}

impl FromRequestParts<App> for Id {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Answer<Self> {
        let path = <Path<String> as FromRequestParts<App>>::from_request_parts(parts, app).await;
        path.map(|Path(id)| Self(id)).map_err(bad_path)
    }
}

impl FromRequestParts<App> for Ids {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Answer<Self> {
        let path = <Path<(String, String)> as FromRequestParts<App>>::from_request_parts(parts, app).await;
        path.map(|Path((first, second))| Self(first, second)).map_err(bad_path)
    }
}

fn bad_path(rejection: PathRejection) -> Refusal {
    Refusal::bad_request(format!("The path can't be read: {}.", rejection.body_text()))
}
