//! What a request is refused with: a stable code for programs, a sentence for people.

use serde::{Deserialize, Serialize};

/// Why a request was refused. The code is the contract; the message beside it may change at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// The request can't be read: a field is missing, of the wrong type or out of range.
    BadRequest,
    /// None of the offered protocol versions is spoken here.
    UnsupportedVersion,
    /// The token is missing, unknown, expired or signed off. Sign in again.
    Unauthorized,
    /// Name or password is wrong; which of the two isn't said.
    WrongPassword,
    /// The name is taken.
    NameTaken,
    /// The relay takes no new accounts.
    SignUpClosed,
    /// The invitation code is missing, unknown, used up or out of date; which of these isn't said.
    WrongCode,
    /// Not allowed for this person: not a buddy, not a member of the call.
    Forbidden,
    /// The relay takes encrypted connections only, and this one isn't.
    HttpsOnly,
    /// There is no such route, person, invitation or call.
    NotFound,
    /// The route exists, the method doesn't.
    MethodNotAllowed,
    /// The invitation isn't ringing any more; the message says what became of it.
    InvitationOver,
    /// The person is in another call.
    Busy,
    /// The person is not there.
    Offline,
    /// The person is there and wants no ring now.
    DoNotDisturb,
    /// The call has as many peers as it may have.
    CallFull,
    /// The owner of the call has locked it.
    CallLocked,
    /// The events after this cursor aren't kept any more. Ask for the state and go on from its cursor.
    CursorExpired,
    /// The body is larger than this route takes.
    TooLarge,
    /// Too many requests. Try again after `retry_after_ms`.
    RateLimited,
    /// The relay is stopping. Try again after `retry_after_ms`.
    ShuttingDown,
    /// The relay failed. It has logged why; trying again may help.
    Internal,
    /// A code of a later version.
    #[serde(other)]
    Unknown,
}

impl ErrorCode {
    /// The HTTP status that goes with the code.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest | Self::UnsupportedVersion => 400,
            Self::Unauthorized | Self::WrongPassword => 401,
            Self::Forbidden | Self::SignUpClosed | Self::WrongCode | Self::HttpsOnly => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::NameTaken
            | Self::InvitationOver
            | Self::Busy
            | Self::Offline
            | Self::DoNotDisturb
            | Self::CallFull
            | Self::CallLocked => 409,
            Self::CursorExpired => 410,
            Self::TooLarge => 413,
            Self::RateLimited => 429,
            Self::ShuttingDown => 503,
            Self::Internal | Self::Unknown => 500,
        }
    }
}

/// The body of every refusal: `{"error":{"code":"busy","message":"Ben is in another call.","retry_after_ms":null}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The one member.
    pub error: ErrorDetail,
}

/// What [`ErrorBody`] holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// Why, for programs.
    pub code: ErrorCode,
    /// Why, for people: one sentence that says what to do.
    pub message: String,
    /// When trying again may help, in milliseconds from now.
    #[serde(default)]
    pub retry_after_ms: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_of_a_later_version_is_read_as_unknown() {
        let body: ErrorBody = serde_json::from_str(r#"{"error":{"code":"from_the_future","message":"x","more":1}}"#).unwrap();
        assert_eq!(body.error.code, ErrorCode::Unknown);
        assert_eq!(body.error.retry_after_ms, None);
    }
}
