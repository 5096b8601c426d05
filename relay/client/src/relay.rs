//! A relay by its address: what can be asked of it without being signed in.

use std::sync::Arc;

use http::Method;
use proto::{
    Name,
    api::{Done, Health, SignIn, SignUp, SignedIn},
    version,
};

use crate::{
    browser::BrowserSignIn,
    doctor::{self, Plan, Progress, Report},
    error::Error,
    http::{Ask, Http},
    proxy::ProxySettings,
    session::{Session, json, repeat},
    trust::Trust,
};

/// A relay's address and the connections to it. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Relay {
    http: Arc<Http>,
}

impl Relay {
    /// Takes an address such as `https://relay.example.org` or `http://127.0.0.1:8080`, with or without a path. Connects to
    /// nothing yet.
    ///
    /// # Errors
    /// [`Error::BadUrl`], or [`Error::Setup`] where this computer has what it takes for no HTTP at all.
    pub fn new(url: &str) -> Result<Self, Error> {
        Self::with(url, Trust::system())
    }

    /// The same, with certificates of one's own choice.
    ///
    /// # Errors
    /// As of [`Relay::new`].
    pub fn with(url: &str, trust: Trust) -> Result<Self, Error> {
        Http::new(url, trust).map(|http| Self { http: Arc::new(http) })
    }

    /// The same relay, reached as `settings` say; without this, as the environment and the system say.
    ///
    /// # Errors
    /// As of [`Relay::new`].
    pub fn with_proxy(self, settings: ProxySettings) -> Result<Self, Error> {
        let http = self.http.with_proxy(settings)?;
        Ok(Self { http: Arc::new(http) })
    }

    /// How it is reached.
    #[must_use]
    pub fn proxy(&self) -> &ProxySettings {
        self.http.proxy()
    }

    /// The address as it was understood.
    #[must_use]
    pub fn url(&self) -> &str {
        self.http.base().as_str()
    }

    /// Asks whether it takes requests, once.
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub async fn health(&self) -> Result<Health, Error> {
        let body = self.http.send(&self.http.control, Ask::new(Method::GET, self.http.url(&["health"]))).await?;
        self.http.parse(&body)
    }

    /// Makes an account.
    ///
    /// # Errors
    /// Refused with `name_taken`, `sign_up_closed`, `wrong_code` or `bad_request` (a password too short), or the relay wasn't reached.
    pub async fn sign_up(&self, name: &Name, password: &str) -> Result<(), Error> {
        self.make_account(SignUp { name: name.clone(), password: password.to_owned(), code: None }).await
    }

    /// Makes an account at a relay that takes them by invitation code: one that refuses [`Relay::sign_up`] with `wrong_code`.
    ///
    /// # Errors
    /// As of [`Relay::sign_up`], and `wrong_code` where the code is none, used up or out of date.
    pub async fn sign_up_by_code(&self, name: &Name, password: &str, code: &str) -> Result<(), Error> {
        let code = Some(code.trim().to_owned());
        self.make_account(SignUp { name: name.clone(), password: password.to_owned(), code }).await
    }

    async fn make_account(&self, wish: SignUp) -> Result<(), Error> {
        let body = json(&wish);
        let ask = Ask::new(Method::POST, self.http.url(&["accounts"])).json(body);
        // Repeated after it succeeded unseen it would be refused as taken, so only what never arrived is repeated.
        let body = repeat(&self.http, ask, Error::is_unsent).await?;
        self.http.parse(&body).map(|Done {}| ())
    }

    /// Signs in. `device` is what the person calls this device; it may be empty.
    ///
    /// # Errors
    /// Refused with `wrong_password`, `unsupported_version` or `rate_limited`, or the relay wasn't reached.
    pub async fn sign_in(&self, name: &Name, password: &str, device: &str) -> Result<Session, Error> {
        let body = json(&SignIn {
            name: name.clone(),
            password: password.to_owned(),
            device: device.to_owned(),
            versions: version::SUPPORTED.to_vec(),
        });
        let ask = Ask::new(Method::POST, self.http.url(&["session"])).json(body);
        let body = repeat(&self.http, ask, Error::is_unsent).await?;
        self.resume(self.http.parse(&body)?)
    }

    /// Begins a sign-in by the browser, at a relay whose [`Relay::health`] offers one. `device` is what the person calls this device; it may be
    /// empty.
    ///
    /// # Errors
    /// Refused with `not_found` (this relay offers none), `rate_limited`, or `internal` (whoever would say who someone is can't be reached), or the
    /// relay wasn't reached.
    pub async fn sign_in_by_browser(&self, device: &str) -> Result<BrowserSignIn, Error> {
        BrowserSignIn::begin(self, device).await
    }

    /// Looks how the way there is, rung by rung, and says so as it goes. Takes up to two minutes; dropping it ends it.
    pub async fn examine(&self, plan: &Plan, tell: impl FnMut(Progress) + Send) -> Report {
        doctor::examine(&self.http, plan, tell).await
    }

    pub(crate) fn of(http: &Arc<Http>) -> Self {
        Self { http: http.clone() }
    }

    pub(crate) fn http(&self) -> &Arc<Http> {
        &self.http
    }

    /// Goes on with a session of earlier, as [`Session::signed_in`] gave it. Asks nothing of the relay.
    ///
    /// # Errors
    /// [`Error::NotARelay`] when the token can't be one or the version isn't spoken here.
    pub fn resume(&self, signed_in: SignedIn) -> Result<Session, Error> {
        Session::new(self.http.clone(), signed_in)
    }
}
