//! Random identifiers and secrets, and the only form a secret is kept in.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use proto::{CallId, CallLink, InvitationId, SessionId, Token};
use sha2::{Digest, Sha256};

/// The SHA-256 of a token. The token has 256 random bits, so a plain hash can't be guessed back, and a lookup by it tells
/// nothing by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TokenHash(pub(crate) [u8; 32]);

impl TokenHash {
    /// Hashes a token as it came over the wire.
    pub(crate) fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }
}

/// The system's source of random numbers failed.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the system gives no random numbers: {0}")]
pub struct NoRandomness(getrandom::Error);

/// A new token: 256 random bits.
pub(crate) fn token() -> Result<Token, NoRandomness> {
    Ok(Token::new(random::<32>()?))
}

/// A new call: 128 random bits.
pub(crate) fn call_id() -> Result<CallId, NoRandomness> {
    Ok(CallId::new(random::<16>()?))
}

/// A new link into a call: 256 random bits.
pub(crate) fn call_link() -> Result<CallLink, NoRandomness> {
    Ok(CallLink::new(random::<32>()?))
}

/// A new invitation: 128 random bits.
pub(crate) fn invitation_id() -> Result<InvitationId, NoRandomness> {
    Ok(InvitationId::new(random::<16>()?))
}

/// A new session's name for its owner: 128 random bits.
pub(crate) fn session_id() -> Result<SessionId, NoRandomness> {
    Ok(SessionId::new(random::<16>()?))
}

/// A mark that tells one run of the relay from every other: 48 random bits.
pub(crate) fn epoch() -> Result<String, NoRandomness> {
    random::<6>()
}

fn random<const N: usize>() -> Result<String, NoRandomness> {
    Ok(URL_SAFE_NO_PAD.encode(bytes::<N>()?))
}

/// Random bytes.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(NoRandomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_the_documented_length_and_differ() {
        assert_eq!(token().unwrap().reveal().len(), 43);
        assert_eq!(call_id().unwrap().as_str().len(), 22);
        assert_ne!(call_id().unwrap(), call_id().unwrap());
    }
}
