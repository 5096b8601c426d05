//! Signing in by the browser, where the relay's organisation has an OpenID provider.

use std::{
    fmt,
    time::{Duration, Instant},
};

use http::{HeaderValue, Method};
use proto::{
    ErrorCode,
    api::{BeginOidc, Done, OidcAnswer, OidcBegun},
    limits::WAIT_MAX,
    version,
};

use crate::{
    backoff::{Backoff, random},
    error::{Error, Found},
    events::HASTY,
    http::{Ask, is_web},
    relay::Relay,
    session::{POLL_MARGIN, Session, json, repeat},
    text::one_line,
};

/// A sign-in that is done in the browser: open [`Self::url`] there, show [`Self::code`] for the person to compare, and [`Self::wait`].
///
/// Dropping it leaves the relay to forget it by itself after some minutes; [`Self::cancel`] has it forgotten at once. Cloning shares it.
#[derive(Clone)]
pub struct BrowserSignIn {
    relay: Relay,
    url: String,
    code: String,
    bearer: HeaderValue,
    until: Instant,
}

impl fmt::Debug for BrowserSignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address is a secret too: whoever has it can go on with the sign-in.
        f.debug_struct("BrowserSignIn").field("relay", &self.relay.url()).field("code", &self.code).finish_non_exhaustive()
    }
}

impl BrowserSignIn {
    pub(crate) async fn begin(relay: &Relay, device: &str) -> Result<Self, Error> {
        let http = relay.http();
        let wish = BeginOidc { device: device.to_owned(), versions: version::SUPPORTED.to_vec() };
        let ask = Ask::new(Method::POST, http.url(&["oidc"])).json(json(&wish));
        // One that was begun and not heard of is forgotten by the relay, so this may be sent again.
        let begun: OidcBegun = http.parse(&repeat(http, ask, Error::is_transient).await?)?;
        let nonsense = || http.not_a_relay(Found::Nonsense);
        // It is handed to the system, which opens more than web pages.
        if !is_web(&begun.url) {
            return Err(nonsense());
        }
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", begun.secret.reveal())).map_err(|_| nonsense())?;
        bearer.set_sensitive(true);
        let until = Instant::now() + Duration::from_millis(begun.expires_in_ms).min(TIME_MAX);
        Ok(Self { relay: relay.clone(), url: begun.url, code: one_line(&begun.code, CODE_MAX), bearer, until })
    }

    /// The page to open in the browser: an `https` or `http` address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What that page shows too.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Waits until the person has signed in, through passing trouble of the network.
    ///
    /// # Errors
    /// Refused with `forbidden` (the person or the provider said no, or the relay isn't for them), or with `not_found` once the time is over or
    /// the sign-in was cancelled.
    pub async fn wait(&self) -> Result<Session, Error> {
        let http = self.relay.http();
        let mut backoff = Backoff::new(random());
        loop {
            let start = Instant::now();
            let hold = http.lines.event_hold(WAIT_MAX);
            let mut url = http.url(&["oidc"]);
            url.query_pairs_mut().append_pair("wait_ms", &hold.as_millis().to_string());
            let ask = Ask::new(Method::GET, url).bearer(&self.bearer).timeout(WAIT_MAX + POLL_MARGIN).poll(hold);
            let answer = http.send(&http.control, ask).await.and_then(|body| http.parse::<OidcAnswer>(&body));
            let trouble = match answer {
                Ok(OidcAnswer { signed_in: Some(signed_in) }) => return self.relay.resume(signed_in),
                Ok(OidcAnswer { signed_in: None }) if start < self.until => None,
                Ok(OidcAnswer { signed_in: None }) => return Err(over()),
                Err(error) if error.is_transient() && start < self.until => Some(error),
                Err(error) => return Err(error),
            };
            // An answer in haste is as good as trouble: whoever gives it would be asked without end.
            if trouble.is_some() || start.elapsed() < HASTY {
                let asked = trouble.as_ref().and_then(Error::retry_after).unwrap_or_default();
                tokio::time::sleep(backoff.wait().max(asked.min(WAIT_MAX))).await;
            } else {
                backoff.reset();
            }
        }
    }

    /// Has the relay forget it.
    ///
    /// # Errors
    /// When the relay wasn't reached; it then forgets by itself after some minutes.
    pub async fn cancel(&self) -> Result<(), Error> {
        let http = self.relay.http();
        let ask = Ask::new(Method::DELETE, http.url(&["oidc"])).bearer(&self.bearer);
        http.parse(&repeat(http, ask, Error::is_transient).await?).map(|Done {}| ())
    }
}

/// What a relay says once the time is over.
fn over() -> Error {
    let message = "This sign-in took too long: begin again.".to_owned();
    Error::Refused { code: ErrorCode::NotFound, message, retry_after: None }
}

/// Nobody sits before a browser for longer, whatever the relay says.
const TIME_MAX: Duration = Duration::from_secs(3600);

/// Longest code that is shown, in characters: ours have seven.
const CODE_MAX: usize = 16;
