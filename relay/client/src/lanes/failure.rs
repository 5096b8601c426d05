//! What a failure means for a lane.

use std::time::Duration;

use proto::ErrorCode;

use crate::error::Error;

/// The longest a lane lets itself be sent away for.
const LATER_MAX: Duration = Duration::from_secs(5);

/// How to go on after a failed exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The connection broke or was cut, which proxies do at will: again at once, the first time.
    Blip,
    /// The relay is out of reach.
    Lasting,
    /// The relay says when to come again.
    Later(Duration),
}

impl Failure {
    pub(super) fn of(error: &Error) -> Self {
        match error.retry_after() {
            _ if error.is_cut() => Self::Blip,
            Some(wait) => Self::Later(wait.min(LATER_MAX)),
            None => Self::Lasting,
        }
    }
}

/// Whether the call is over for this session.
pub(super) fn ends(error: &Error) -> bool {
    matches!(error.code(), Some(ErrorCode::Unauthorized | ErrorCode::NotFound | ErrorCode::Forbidden))
}

/// Whether the same bytes would be refused again.
pub(super) fn is_final(error: &Error) -> bool {
    matches!(error, Error::Refused { .. }) && !error.is_transient()
}
