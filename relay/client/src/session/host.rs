//! Links into calls, and what the owner of a call may do.

use proto::{
    CallId, CallLink, ErrorCode, PeerId,
    api::{JoinByLink, Joined, Linked, OnePeer, SetLock},
};
use reqwest::Method;

use super::{Session, json};
use crate::error::Error;

/// What stands between the relay's address and the secret in a link as people see it. What follows a `#` is never sent to anybody.
const MARK: &str = "#call=";

/// The length of the secret: 256 bits in base64url.
const SECRET: usize = 43;

/// Why a text leads into no call here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoLink {
    /// It is no link of a call.
    #[error("That is no link to a call. It looks like https://relay.example.org/#call=\u{2026}")]
    Nonsense,
    /// It is one of another relay.
    #[error("That call is on another relay: sign in there first.")]
    OtherRelay,
}

impl Session {
    /// Gives out a link by which whoever is signed in here comes into the call. The one given out before counts no longer.
    ///
    /// # Errors
    /// Refused with `not_found` or `forbidden`.
    pub async fn call_link(&self, call: &CallId) -> Result<CallLink, Error> {
        self.request(Method::POST, &["calls", call.as_str(), "link"], None).await.map(|Linked { link }| link)
    }

    /// Takes the own link back; the owner of the call takes back everyone's.
    ///
    /// # Errors
    /// Refused with `not_found` or `forbidden`.
    pub async fn revoke_link(&self, call: &CallId) -> Result<(), Error> {
        self.done(Method::DELETE, &["calls", call.as_str(), "link"], None).await
    }

    /// Comes into a call by its link.
    ///
    /// # Errors
    /// Refused with `not_found` (it leads nowhere any more), `call_locked`, `call_full`, `forbidden` (removed by the owner) or `busy`.
    pub async fn join(&self, link: &CallLink) -> Result<Joined, Error> {
        self.request(Method::POST, &["calls", "join"], Some(json(&JoinByLink { link: link.clone() }))).await
    }

    /// A link as people hand it on.
    #[must_use]
    pub fn link_text(&self, link: &CallLink) -> String {
        format!("{}/{MARK}{}", self.relay_url().trim_end_matches('/'), link.reveal())
    }

    /// Reads what someone was handed.
    ///
    /// # Errors
    /// When it is no link, or one of another relay.
    pub fn read_link(&self, text: &str) -> Result<CallLink, NoLink> {
        let text = text.trim();
        let (relay, secret) = text.split_once(MARK).map_or((None, text), |(relay, secret)| (Some(relay), secret));
        let plain = secret.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        if secret.len() != SECRET || !plain {
            return Err(NoLink::Nonsense);
        }
        let same = relay.is_none_or(|relay| relay.trim_end_matches('/') == self.relay_url().trim_end_matches('/'));
        if same { Ok(CallLink::new(secret)) } else { Err(NoLink::OtherRelay) }
    }

    /// Mutes a peer of a call that is this session's own, until that one turns its sound on again.
    ///
    /// # Errors
    /// Refused with `forbidden` (not the owner), `not_found` or `bad_request` (oneself).
    pub async fn mute(&self, call: &CallId, peer: PeerId) -> Result<(), Error> {
        self.done(Method::POST, &["calls", call.as_str(), "mute"], Some(json(&OnePeer { peer }))).await
    }

    /// Removes a peer from a call that is this session's own. One who is gone already is as good.
    ///
    /// # Errors
    /// Refused with `forbidden` (not the owner) or `bad_request` (oneself).
    pub async fn remove(&self, call: &CallId, peer: PeerId) -> Result<(), Error> {
        match self.done(Method::POST, &["calls", call.as_str(), "remove"], Some(json(&OnePeer { peer }))).await {
            Err(Error::Refused { code: ErrorCode::NotFound, .. }) => Ok(()),
            outcome => outcome,
        }
    }

    /// Locks a call that is this session's own, or opens it again.
    ///
    /// # Errors
    /// Refused with `forbidden` (not the owner) or `not_found`.
    pub async fn lock(&self, call: &CallId, locked: bool) -> Result<(), Error> {
        self.done(Method::POST, &["calls", call.as_str(), "lock"], Some(json(&SetLock { locked }))).await
    }
}
