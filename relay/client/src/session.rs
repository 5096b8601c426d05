//! Someone signed in: the control requests, one method each.

mod chat;
mod host;
mod people;

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::Stream;
use http::{HeaderValue, Method};
use proto::{
    CallId, InvitationId, Name, SessionId, TrackId,
    api::{
        AddBuddy, ChangePassword, Done, Events, Joined, OwnSession, PollEvents, Ring, Rung, Sessions, SetMedia, SignedIn, State,
        WantKeyframe,
    },
    model::Call,
    version,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::Notify;
use url::Url;

pub use self::host::NoLink;
use crate::{
    backoff::{Backoff, random},
    error::{Error, Found},
    events::{self, Update},
    http::{Ask, Http},
    relay::Relay,
};

/// How often a request is sent at most.
const ATTEMPTS: u32 = 4;

/// After this long a request isn't repeated any more: a person is waiting.
const PATIENCE: Duration = Duration::from_secs(12);

/// How much longer than its hold a poll of the event lane may take: a slow network's round trips and a new connection.
pub(crate) const POLL_MARGIN: Duration = Duration::from_secs(7);

/// A session at a relay. Cloning shares it; dropping it doesn't sign out.
///
/// Each method sends a request and waits for its answer. What fails for a passing reason is repeated a few times first, within
/// some seconds; all requests are made so that a repetition does no harm.
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

struct Inner {
    http: Arc<Http>,
    signed_in: SignedIn,
    bearer: HeaderValue,
    /// Says for how long the person has done nothing here.
    idle: OnceLock<fn() -> Duration>,
    /// Wakes the event lane when they are back.
    back: Notify,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("relay", &self.inner.http.relay).field("name", self.name()).finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn new(http: Arc<Http>, signed_in: SignedIn) -> Result<Self, Error> {
        let nonsense = || http.not_a_relay(Found::Nonsense);
        if !version::SUPPORTED.contains(&signed_in.version) {
            return Err(nonsense());
        }
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", signed_in.token.reveal())).map_err(|_| nonsense())?;
        bearer.set_sensitive(true);
        let (idle, back) = (OnceLock::new(), Notify::new());
        Ok(Self { inner: Arc::new(Inner { http, signed_in, bearer, idle, back }) })
    }

    /// Whose session it is, as they write it.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.inner.signed_in.name
    }

    /// The relay's address.
    #[must_use]
    pub fn relay_url(&self) -> &str {
        self.inner.http.base().as_str()
    }

    /// The relay itself, reached the same way.
    #[must_use]
    pub fn relay(&self) -> Relay {
        Relay::of(&self.inner.http)
    }

    /// Whether whoever runs the network can read what is said to the relay.
    #[must_use]
    pub fn is_in_the_clear(&self) -> bool {
        crate::http::is_in_the_clear(self.relay_url())
    }

    /// What [`Relay::resume`](crate::Relay::resume) takes. It holds the session's secret.
    #[must_use]
    pub fn signed_in(&self) -> &SignedIn {
        &self.inner.signed_in
    }

    /// Everything a client that knows nothing must know. [`events`](Self::events) begins with it.
    ///
    /// # Errors
    /// See [`Error`]; refused with `unauthorized` when the session is over. So are all methods below.
    pub async fn state(&self) -> Result<State, Error> {
        self.request(Method::GET, &["state"], None).await
    }

    /// Rings someone, into `call` or into a new one.
    ///
    /// # Errors
    /// Refused with `offline`, `busy`, `forbidden` (no mutual buddy), `not_found` or `call_full`; with `invitation_over` when the first
    /// answer was lost and the ring ended before it was asked for again.
    pub async fn ring(&self, to: &Name, call: Option<CallId>) -> Result<Rung, Error> {
        // One id however often it is sent: it rings once.
        let client_id = Some(format!("{:016x}{:016x}", random(), random()));
        self.request(Method::POST, &["invitations"], Some(json(&Ring { to: to.clone(), call, client_id }))).await
    }

    /// Takes an invitation.
    ///
    /// # Errors
    /// Refused with `invitation_over`, `not_found`, `busy` or `call_full`.
    pub async fn accept(&self, invitation: &InvitationId) -> Result<Joined, Error> {
        self.request(Method::POST, &["invitations", invitation.as_str(), "accept"], None).await
    }

    /// Refuses an invitation.
    ///
    /// # Errors
    /// Refused with `invitation_over` or `not_found`.
    pub async fn decline(&self, invitation: &InvitationId) -> Result<(), Error> {
        self.done(Method::POST, &["invitations", invitation.as_str(), "decline"], None).await
    }

    /// Takes the own ring back.
    ///
    /// # Errors
    /// Refused with `invitation_over` or `not_found`.
    pub async fn cancel(&self, invitation: &InvitationId) -> Result<(), Error> {
        self.done(Method::POST, &["invitations", invitation.as_str(), "cancel"], None).await
    }

    /// A call as it is now.
    ///
    /// # Errors
    /// Refused with `not_found` or `forbidden`.
    pub async fn call(&self, call: &CallId) -> Result<Call, Error> {
        self.request(Method::GET, &["calls", call.as_str()], None).await
    }

    /// Hangs up.
    ///
    /// # Errors
    /// Refused with `not_found` when the call is over already.
    pub async fn leave(&self, call: &CallId) -> Result<(), Error> {
        self.done(Method::POST, &["calls", call.as_str(), "leave"], None).await
    }

    /// Says what this peer sends now.
    ///
    /// # Errors
    /// Refused with `not_found` or `forbidden`.
    pub async fn set_media(&self, call: &CallId, media: SetMedia) -> Result<(), Error> {
        self.done(Method::POST, &["calls", call.as_str(), "media"], Some(json(&media))).await
    }

    /// Asks the publisher of a track for a keyframe.
    ///
    /// # Errors
    /// Refused with `not_found` or `forbidden`.
    pub async fn want_keyframe(&self, call: &CallId, track: TrackId) -> Result<(), Error> {
        self.done(Method::POST, &["calls", call.as_str(), "keyframe"], Some(json(&WantKeyframe { track }))).await
    }

    /// Asks someone to be buddies, or says yes to someone who asks.
    ///
    /// # Errors
    /// Refused with `not_found`.
    pub async fn add_buddy(&self, name: &Name) -> Result<(), Error> {
        self.done(Method::POST, &["buddies"], Some(json(&AddBuddy { name: name.clone() }))).await
    }

    /// Ends being buddies, takes the own question back or declines theirs.
    ///
    /// # Errors
    /// Refused with `not_found`.
    pub async fn remove_buddy(&self, name: &Name) -> Result<(), Error> {
        self.done(Method::DELETE, &["buddies", name.as_str()], None).await
    }

    /// All sessions of this person, the one used last first.
    ///
    /// # Errors
    /// Only those of every request.
    pub async fn sessions(&self) -> Result<Vec<OwnSession>, Error> {
        self.request(Method::GET, &["sessions"], None).await.map(|Sessions { sessions }| sessions)
    }

    /// Ends one of this person's sessions: that of a lost device, say. One that is over already is as good.
    ///
    /// # Errors
    /// Only those of every request.
    pub async fn end_session(&self, id: &SessionId) -> Result<(), Error> {
        match self.done(Method::DELETE, &["sessions", id.as_str()], None).await {
            Err(Error::Refused { code: proto::ErrorCode::NotFound, .. }) => Ok(()),
            outcome => outcome,
        }
    }

    /// Changes this person's password; all their other sessions end.
    ///
    /// # Errors
    /// Refused with `wrong_password` (the old one is), `bad_request` (the new one is too short or too long) or `rate_limited`.
    /// After [`Error::Broken`] or [`Error::Timeout`] it may have been changed all the same.
    pub async fn change_password(&self, old: &str, new: &str) -> Result<(), Error> {
        let body = json(&ChangePassword { old: old.to_owned(), new: new.to_owned() });
        let ask = Ask::new(Method::POST, self.url(&["account", "password"])).json(body).bearer(&self.inner.bearer);
        // Repeated after it succeeded unseen it would be refused, the old password being wrong by then.
        let body = repeat(&self.inner.http, ask, Error::is_unsent).await?;
        self.parse(body).map(|Done {}| ())
    }

    /// Ends the session at the relay, for all clones of it.
    ///
    /// # Errors
    /// When the relay wasn't reached; the token then stays good until it expires.
    pub async fn sign_out(self) -> Result<(), Error> {
        match self.done(Method::DELETE, &["session"], None).await {
            // Over is over: most likely the answer to an earlier attempt was lost.
            Err(Error::Refused { code: proto::ErrorCode::Unauthorized, .. }) => Ok(()),
            outcome => outcome,
        }
    }

    /// What happens from now on, beginning with the whole state. It reconnects by itself and ends only after
    /// [`Update::SignedOut`]. One stream per session: a second one would take the first one's polls away again and again.
    pub fn events(&self) -> impl Stream<Item = Update> + Send + 'static + use<> {
        events::stream(self.clone())
    }

    pub(crate) fn http(&self) -> &Arc<Http> {
        &self.inner.http
    }

    pub(crate) fn bearer(&self) -> &HeaderValue {
        &self.inner.bearer
    }

    /// One attempt: the event lane does its own repeating.
    pub(crate) async fn state_once(&self) -> Result<State, Error> {
        self.parse(self.once(Ask::new(Method::GET, self.url(&["state"]))).await?)
    }

    /// One attempt, held up to `poll.wait_ms`.
    pub(crate) async fn events_once(&self, poll: &PollEvents) -> Result<Events, Error> {
        let mut url = self.url(&["events"]);
        let hold = self.inner.http.lines.event_hold(Duration::from_millis(poll.wait_ms));
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("after", poll.after.as_str()).append_pair("wait_ms", &hold.as_millis().to_string());
            if let Some(idle_ms) = poll.idle_ms {
                query.append_pair("idle_ms", &idle_ms.to_string());
            }
        }
        let timeout = Duration::from_millis(poll.wait_ms) + POLL_MARGIN;
        self.parse(self.once(Ask::new(Method::GET, url).timeout(timeout).poll(hold)).await?)
    }

    fn url(&self, segments: &[&str]) -> Url {
        self.inner.http.url(segments)
    }

    fn parse<T: DeserializeOwned>(&self, body: Bytes) -> Result<T, Error> {
        self.inner.http.parse(&body)
    }

    async fn once(&self, ask: Ask) -> Result<Bytes, Error> {
        self.inner.http.send(&self.inner.http.control, ask.bearer(&self.inner.bearer)).await
    }

    async fn repeat(&self, ask: Ask) -> Result<Bytes, Error> {
        repeat(&self.inner.http, ask.bearer(&self.inner.bearer), Error::is_transient).await
    }

    async fn request<T: DeserializeOwned>(&self, method: Method, path: &[&str], body: Option<Bytes>) -> Result<T, Error> {
        let ask = Ask::new(method, self.url(path));
        let ask = match body {
            Some(body) => ask.json(body),
            None => ask,
        };
        self.parse(self.repeat(ask).await?)
    }

    async fn done(&self, method: Method, path: &[&str], body: Option<Bytes>) -> Result<(), Error> {
        self.request(method, path, body).await.map(|Done {}| ())
    }
}

/// Sends a control request until it succeeds, fails for good (`again` says no), or patience ends.
pub(crate) async fn repeat(http: &Http, ask: Ask, again: fn(&Error) -> bool) -> Result<Bytes, Error> {
    let mut backoff = Backoff::new(random());
    let start = Instant::now();
    let mut attempt = 1;
    loop {
        let error = match http.send(&http.control, ask.clone()).await {
            Ok(body) => return Ok(body),
            Err(error) => error,
        };
        let wait = backoff.wait().max(error.retry_after().unwrap_or_default());
        if !again(&error) || attempt == ATTEMPTS || start.elapsed() + wait > PATIENCE {
            return Err(error);
        }
        tracing::debug!(%error, attempt, wait_ms = wait.as_millis() as u64, "a request is repeated");
        tokio::time::sleep(wait).await;
        attempt += 1;
    }
}

/// The types of the wire always have a JSON form: their keys are strings, and nothing in them fails to serialize.
pub(crate) fn json<T: Serialize>(body: &T) -> Bytes {
    serde_json::to_vec(body).unwrap_or_default().into()
}
