//! Reading an answer, up to a bound, and telling a relay's from whatever else may come.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{
    Response, StatusCode,
    header::{CONTENT_TYPE, LOCATION},
};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use proto::ErrorBody;
use tokio::time::{Instant, timeout_at};

use super::{Http, lines::Turn};
use crate::{
    error::{Error, Found},
    text::one_line,
};

/// Largest refusal, in bytes: a code and a sentence.
const REFUSAL_MAX: usize = 64 << 10;

/// Longest message of a refusal that is shown, in characters.
const MESSAGE_MAX: usize = 300;

/// A granted answer whose body is still to be read.
#[derive(Debug)]
pub(crate) struct Answer {
    relay: Arc<str>,
    response: Response<Incoming>,
    /// When it must be here to its end.
    deadline: Instant,
    /// Its share of the connections, where they are few.
    _turn: Turn,
}

impl Answer {
    pub(super) fn new(relay: Arc<str>, response: Response<Incoming>, deadline: Instant, turn: Turn) -> Self {
        Self { relay, response, deadline, _turn: turn }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The next piece of the body; `None` at its end.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let frame = timeout_at(self.deadline, self.response.body_mut().frame()).await;
            let Some(frame) = frame.map_err(|_| Error::Timeout { relay: self.relay.clone() })? else { return Ok(None) };
            let frame = frame.map_err(|error| broken(&self.relay, error))?;
            if let Ok(piece) = frame.into_data() {
                return Ok(Some(piece));
            }
        }
    }

    /// The whole body, of at most `limit` bytes.
    pub(crate) async fn whole(self, http: &Http, limit: usize) -> Result<Bytes, Error> {
        let body = timeout_at(self.deadline, http.body(self.response, limit)).await;
        body.unwrap_or_else(|_| Err(Error::Timeout { relay: self.relay }))
    }
}

impl Http {
    /// The answer, if it is the relay's and no refusal.
    pub(super) async fn granted(&self, response: Response<Incoming>) -> Result<Response<Incoming>, Error> {
        let status = response.status();
        if status.is_redirection() {
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
            return Err(self.not_a_relay(Found::Redirect { to: one_line(to, MESSAGE_MAX) }));
        }
        let page = is_web_page(&response);
        if status.is_success() {
            return if page { Err(self.not_a_relay(Found::WebPage)) } else { Ok(response) };
        }
        let refusal =
            if page { None } else { serde_json::from_slice::<ErrorBody>(&self.body(response, REFUSAL_MAX).await?).ok() };
        Err(match refusal {
            Some(ErrorBody { error }) => Error::Refused {
                code: error.code,
                message: one_line(&error.message, MESSAGE_MAX),
                retry_after: error.retry_after_ms.map(Duration::from_millis),
            },
            // 511 is a captive portal that says so (RFC 6585).
            None if status == StatusCode::NETWORK_AUTHENTICATION_REQUIRED => self.not_a_relay(Found::WebPage),
            None if status.is_server_error() => Error::Gateway { relay: self.relay.clone(), status: status.as_u16() },
            None => self.not_a_relay(Found::Status(status.as_u16())),
        })
    }

    pub(super) async fn body(&self, response: Response<Incoming>, limit: usize) -> Result<Bytes, Error> {
        let oversize = || Error::Oversize { relay: self.relay.clone(), limit };
        let mut body = response.into_body();
        let announced = body.size_hint().exact().unwrap_or(0);
        if announced > limit as u64 {
            return Err(oversize());
        }
        // Nearly all answers arrive in one piece and needn't be copied.
        let mut first = Bytes::new();
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| broken(&self.relay, error))?;
            let Ok(piece) = frame.into_data() else { continue };
            if first.len().max(whole.len()) + piece.len() > limit {
                return Err(oversize());
            }
            if first.is_empty() && whole.is_empty() {
                first = piece;
                continue;
            }
            if whole.is_empty() {
                whole.reserve((announced as usize).max(first.len() + piece.len()).min(limit));
                whole.extend_from_slice(&first);
            }
            whole.extend_from_slice(&piece);
        }
        Ok(if whole.is_empty() { first } else { whole.freeze() })
    }
}

/// The connection was lost within an answer.
fn broken(relay: &Arc<str>, error: hyper::Error) -> Error {
    Error::of(relay, Arc::new(error), false)
}

fn is_web_page<B>(response: &Response<B>) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("text/html") || kind.eq_ignore_ascii_case("application/xhtml+xml")
}
