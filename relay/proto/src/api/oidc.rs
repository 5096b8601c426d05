//! Signing in by the browser, at an organisation's OpenID provider.

use serde::{Deserialize, Serialize};

use super::SignedIn;
use crate::id::Token;

/// What [`Health`](super::Health) tells of the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OidcOffer {
    /// What people call it, for a button "Sign in with NAME".
    pub name: String,
}

/// Body of `POST /v1/oidc`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeginOidc {
    /// What the person calls this device, as in [`SignIn`](super::SignIn).
    #[serde(default)]
    pub device: String,
    /// Protocol versions this client speaks, most preferred first.
    pub versions: Vec<u16>,
}

/// Answer of `POST /v1/oidc`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OidcBegun {
    /// The page to open in the browser: an `https` or `http` address of the relay.
    pub url: String,
    /// What that page shows too, so that the person sees that it belongs to their app.
    pub code: String,
    /// Proves that who asks for the outcome is who began, in the header `Authorization: Bearer SECRET`.
    pub secret: Token,
    /// How long there is for it all, in milliseconds.
    pub expires_in_ms: u64,
}

/// Query of `GET /v1/oidc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollOidc {
    /// How long to wait for the outcome, in milliseconds, at most [`WAIT_MAX`](crate::limits::WAIT_MAX).
    #[serde(default)]
    pub wait_ms: u64,
}

/// Answer of `GET /v1/oidc`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OidcAnswer {
    /// The session, once the person has signed in; until then ask again.
    #[serde(default)]
    pub signed_in: Option<SignedIn>,
}
