//! What went wrong, in a sentence for the person in front of the screen.

use proto::ErrorCode;

/// A failed request, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub text: String,
    /// Why the relay refused, if it did.
    pub code: Option<ErrorCode>,
}

impl Notice {
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: None }
    }
}

impl From<relay_client::Error> for Notice {
    fn from(error: relay_client::Error) -> Self {
        Self { code: error.code(), text: error.to_string() }
    }
}
