//! The answer to a request that can't be granted: JSON with a code, whatever went wrong.

use std::{borrow::Cow, time::Duration};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use proto::error::{ErrorBody, ErrorCode, ErrorDetail};

use crate::password::HashFailed;

/// When to sign in again if too many do at once: by then those who wait have had their turn.
const CROWDED: Duration = Duration::from_secs(2);

/// Why a request is refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    code: ErrorCode,
    message: Cow<'static, str>,
    retry_after: Option<Duration>,
}

/// What a handler gives.
pub(crate) type Answer<T> = Result<T, Refusal>;

impl Refusal {
    pub(crate) fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), retry_after: None }
    }

    pub(crate) fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::BadRequest, message)
    }

    pub(crate) fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::NotFound, message)
    }

    pub(crate) fn rate_limited(wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..Self::new(ErrorCode::RateLimited, "Too many requests: wait a moment.") }
    }

    pub(crate) fn shutting_down(back_in: Duration) -> Self {
        Self { retry_after: Some(back_in), ..Self::new(ErrorCode::ShuttingDown, "The relay is stopping: try again in a moment.") }
    }

    /// Something failed that isn't the client's doing. What it was is for the log alone.
    pub(crate) fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(ErrorCode::Internal, "The relay failed: try again, and tell whoever runs it if it goes on.")
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::internal(&error)
    }
}

impl From<crate::token::NoRandomness> for Refusal {
    fn from(error: crate::token::NoRandomness) -> Self {
        Self::internal(&error)
    }
}

impl From<HashFailed> for Refusal {
    fn from(error: HashFailed) -> Self {
        match error {
            HashFailed::Crowded => Self::rate_limited(CROWDED),
            HashFailed::Failed(_) => Self::internal(&error),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let retry_after_ms = self.retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1));
        let detail = ErrorDetail { code: self.code, message: self.message.into_owned(), retry_after_ms };
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(ErrorBody { error: detail })).into_response();
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == ErrorCode::Unauthorized {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
