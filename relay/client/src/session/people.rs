//! How the person wants to be seen, of whom they want nothing, and what they have missed.

use std::time::Duration;

use proto::{
    Name,
    api::{Block, Done, Report, SeenMissed},
    model::OwnPresence,
};
use reqwest::Method;

use super::{Session, json, repeat};
use crate::{error::Error, http::Ask};

impl Session {
    /// Says how the person wants to be seen; it holds until they say otherwise, for all their devices.
    ///
    /// # Errors
    /// Refused with `bad_request` where the text is too long or more than a line.
    pub async fn set_presence(&self, presence: &OwnPresence) -> Result<(), Error> {
        self.done(Method::POST, &["presence"], Some(json(presence))).await
    }

    /// Has the event lane say with each poll for how long the person has done nothing at this device, as `idle` tells it. Without it
    /// they count as there. The first one given stays.
    pub fn watch_idle(&self, idle: fn() -> Duration) {
        // There is one person at a device, so a second one says the same.
        let _ = self.inner.idle.set(idle);
    }

    /// The person has done something here after a while in which they had done nothing: the relay hears of it at once.
    pub fn person_is_back(&self) {
        self.inner.back.notify_one();
    }

    /// Wants nothing of someone any more. They don't notice.
    ///
    /// # Errors
    /// Refused with `not_found`, or `forbidden` where too many are blocked.
    pub async fn block(&self, name: &Name) -> Result<(), Error> {
        self.done(Method::POST, &["blocks"], Some(json(&Block { name: name.clone() }))).await
    }

    /// Ends that.
    ///
    /// # Errors
    /// Refused with `not_found`.
    pub async fn unblock(&self, name: &Name) -> Result<(), Error> {
        self.done(Method::DELETE, &["blocks", name.as_str()], None).await
    }

    /// Tells whoever runs the relay something of a person.
    ///
    /// # Errors
    /// Refused with `not_found`, `bad_request` (too long), `rate_limited`, or `forbidden` where too many reports wait.
    pub async fn report(&self, name: &Name, text: &str) -> Result<(), Error> {
        let body = json(&Report { name: name.clone(), text: text.to_owned() });
        let ask = Ask::new(Method::POST, self.url(&["reports"])).json(body).bearer(&self.inner.bearer);
        // What may have arrived isn't sent again: it would be there twice.
        let body = repeat(&self.inner.http, ask, Error::is_unsent).await?;
        self.parse(body).map(|Done {}| ())
    }

    /// Forgets the missed calls of one person, or of everyone, up to that time.
    ///
    /// # Errors
    /// Refused with `not_found`.
    pub async fn see_missed(&self, from: Option<&Name>, up_to_ms: u64) -> Result<(), Error> {
        let body = SeenMissed { from: from.cloned(), up_to_ms };
        self.done(Method::POST, &["missed", "seen"], Some(json(&body))).await
    }

    /// For how long the person has done nothing here, if anybody watches.
    pub(crate) fn idle(&self) -> Option<Duration> {
        self.inner.idle.get().map(|idle| idle())
    }

    /// Ends when the person is back.
    pub(crate) async fn person_back(&self) {
        self.inner.back.notified().await;
    }
}
