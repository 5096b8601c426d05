//! One request, one answer: the clients underneath, the way through proxies, bounded reading, and telling a relay from whatever
//! else may answer.

pub(crate) mod connector;
mod cuts;
pub(crate) mod lines;
pub(crate) mod patience;
pub(crate) mod pool;
mod read;
mod scarcity;
mod trial;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, USER_AGENT as AGENT},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::capture_connection;
use url::Url;

use self::{
    connector::NoConnection,
    lines::{Kind, Lines},
    pool::{Outgoing, Pool, Purpose},
    read::Answer,
    trial::Trial,
};
use crate::{
    backoff::random,
    doctor::Drip,
    error::{BadUrl, Cause, Error, Found},
    files::File,
    proxy::{
        Chooser, Proxy, ProxySettings, Route, is_loopback,
        login::{ATTEMPTS, Answered, Refusal},
    },
    trust::{Shown, Trust},
};

/// What this client calls itself.
pub(crate) const USER_AGENT: &str = concat!("tvphone/", env!("CARGO_PKG_VERSION"));

/// Largest answer to a control request, in bytes: 200 messages of 4000 characters, each of four bytes, are a fifth of it.
const CONTROL_ANSWER_MAX: usize = 16 << 20;

/// Largest page of a proxy that asks for a password which is read to its end, in bytes; past that the connection is given up.
const ASKING_MAX: usize = 64 << 10;

/// How long one attempt at a control request may take: twice the connect timeout.
pub(crate) const CONTROL_TIMEOUT: Duration = Duration::from_secs(10);

/// The relay's address and the clients for it: held polls, media and files must not wait for each other's connections.
#[derive(Debug)]
pub(crate) struct Http {
    /// Scheme, host and port, for people.
    pub(crate) relay: Arc<str>,
    base: Url,
    pub(crate) chooser: Arc<Chooser>,
    trust: Trust,
    /// What the relay has shown to be known by.
    pub(crate) shown: Shown,
    pub(crate) lines: Arc<Lines>,
    /// Control requests and the event lane.
    pub(crate) control: Pool,
    /// Polls and uploads of media.
    pub(crate) media: Pool,
    /// Files on their way in and out.
    pub(crate) files: Pool,
}

/// A request before it is sent; it can be sent again.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: Method,
    url: Url,
    bearer: Option<HeaderValue>,
    headers: HeaderMap,
    body: Option<(HeaderValue, Content)>,
    timeout: Duration,
    limit: usize,
    kind: Kind,
    /// It may be answered only after a while: silence is nothing strange then.
    held: bool,
    light: bool,
}

/// What goes along with a request.
#[derive(Clone, Debug)]
enum Content {
    Whole(Bytes),
    File(File),
    Drip(Drip),
}

impl Ask {
    pub(crate) fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            bearer: None,
            headers: HeaderMap::new(),
            body: None,
            timeout: CONTROL_TIMEOUT,
            limit: CONTROL_ANSWER_MAX,
            kind: Kind::Brief,
            held: false,
            light: false,
        }
    }

    pub(crate) fn bearer(mut self, bearer: &HeaderValue) -> Self {
        self.bearer = Some(bearer.clone());
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    pub(crate) fn json(mut self, body: Bytes) -> Self {
        self.body = Some((HeaderValue::from_static("application/json"), Content::Whole(body)));
        self
    }

    pub(crate) fn octets(mut self, body: Bytes) -> Self {
        self.body = Some((HeaderValue::from_static("application/octet-stream"), Content::Whole(body)));
        self
    }

    /// Takes this file along.
    pub(crate) fn upload(mut self, file: File) -> Self {
        self.body = Some((HeaderValue::from_static("application/octet-stream"), Content::File(file)));
        self.file()
    }

    /// Takes a body along that comes piece by piece.
    pub(crate) fn drip(mut self, body: Drip) -> Self {
        self.body = Some((HeaderValue::from_static("application/octet-stream"), Content::Drip(body)));
        self
    }

    /// It takes a file along, or fetches one.
    pub(crate) fn file(mut self) -> Self {
        self.kind = Kind::File;
        self.held = true;
        self
    }

    /// The whole exchange, from connecting to the answer's last byte.
    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Largest answer, in bytes.
    pub(crate) fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// It may be held for `hold`, so it makes room for others where connections are few.
    pub(crate) fn poll(mut self, hold: Duration) -> Self {
        self.kind = Kind::Poll;
        self.held = !hold.is_zero();
        self.light()
    }

    /// It does no harm to give it up halfway and to send it again: it is, when connections are found to be few.
    pub(crate) fn light(mut self) -> Self {
        self.light = true;
        self
    }

    fn request(&self) -> Result<Request<Outgoing>, Error> {
        let unreadable =
            || Error::BadUrl { url: self.url.to_string(), reason: BadUrl::Syntax(url::ParseError::InvalidDomainCharacter) };
        let body = match &self.body {
            None => Full::<Bytes>::default().boxed(),
            Some((_, Content::Whole(bytes))) => Full::new(bytes.clone()).boxed(),
            Some((_, Content::File(file))) => file.clone().boxed(),
            Some((_, Content::Drip(drip))) => drip.clone().boxed(),
        };
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = Uri::try_from(self.url.as_str()).map_err(|_| unreadable())?;
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(AGENT, HeaderValue::from_static(USER_AGENT));
        if let Some(bearer) = &self.bearer {
            headers.insert(AUTHORIZATION, bearer.clone());
        }
        if let Some((kind, _)) = &self.body {
            headers.insert(CONTENT_TYPE, kind.clone());
        }
        Ok(request)
    }
}

impl Http {
    pub(crate) fn new(text: &str, trust: Trust) -> Result<Self, Error> {
        let base = check(text).map_err(|reason| Error::BadUrl { url: text.to_owned(), reason })?;
        Self::to(base, ProxySettings::default(), trust)
    }

    /// The same relay, reached as `settings` say, by connections of its own.
    pub(crate) fn with_proxy(&self, settings: ProxySettings) -> Result<Self, Error> {
        Self::to(self.base.clone(), settings, self.trust.clone())
    }

    fn to(base: Url, settings: ProxySettings, trust: Trust) -> Result<Self, Error> {
        let chooser = Arc::new(Chooser::new(settings, base.clone()));
        Self::by(base, chooser, trust)
    }

    /// The same way to the same relay, by connections of its own. What is known of the way, and of signing in at its proxies, is shared.
    pub(crate) fn afresh(&self) -> Result<Self, Error> {
        Self::by(self.base.clone(), self.chooser.clone(), self.trust.clone())
    }

    fn by(base: Url, chooser: Arc<Chooser>, trust: Trust) -> Result<Self, Error> {
        let relay: Arc<str> = base.origin().ascii_serialization().into();
        let shown = Shown::default();
        let tls = trust.clone().config(&base, shown.clone())?;
        let control = Pool::new(Purpose::Control, tls.clone());
        let media = Pool::new(Purpose::Media, tls.clone());
        let files = Pool::new(Purpose::Files, tls);
        Ok(Self { relay, base, chooser, trust, shown, lines: Arc::default(), control, media, files })
    }

    /// The certificate that is pinned for it.
    pub(crate) fn pinned(&self) -> Option<proto::Fingerprint> {
        self.trust.pinned()
    }

    /// How the relay is reached.
    pub(crate) fn proxy(&self) -> &ProxySettings {
        self.chooser.settings()
    }

    /// The address under the base with these path segments, each escaped.
    pub(crate) fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("v1").extend(segments);
        }
        url
    }

    /// The base address as it was understood.
    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    /// Sends `ask` once and reads the answer to its end. Where the way to the relay has several routes and one leads nowhere, the
    /// next is tried at once.
    pub(crate) async fn send(&self, pool: &Pool, ask: Ask) -> Result<Bytes, Error> {
        let began = Instant::now();
        let outcome = tokio::time::timeout(ask.timeout, self.whole(pool, &ask)).await;
        outcome.unwrap_or_else(|_| {
            pool.timed_out(began);
            Err(Error::Timeout { relay: self.relay.clone() })
        })
    }

    /// Sends `ask` once and gives the answer before its body is read, if it is no refusal. The timeout counts from when it is its turn
    /// where connections are few: whoever waits for another file isn't slow.
    pub(crate) async fn open(&self, pool: &Pool, ask: Ask) -> Result<Answer, Error> {
        let turn = self.lines.turn(ask.kind).await;
        let began = tokio::time::Instant::now();
        let deadline = began + ask.timeout;
        let outcome = tokio::time::timeout_at(deadline, self.exchange(pool, &ask)).await;
        let outcome = outcome.unwrap_or_else(|_| {
            pool.timed_out(began.into_std());
            Err(Error::Timeout { relay: self.relay.clone() })
        });
        Ok(Answer::new(self.relay.clone(), outcome?, deadline, turn))
    }

    async fn whole(&self, pool: &Pool, ask: &Ask) -> Result<Bytes, Error> {
        let mut changes = self.lines.changes();
        let _turn = self.lines.turn(ask.kind).await;
        // What is waited for must not be kept borrowed while the request is given up: that may change the bound again.
        let few = async { changes.wait_for(Option::is_some).await.is_ok() };
        let whole = async { self.body(self.exchange(pool, ask).await?, ask.limit).await };
        // Its age counts from when it was its turn, and one that is given up here was cut by nobody.
        let began = Instant::now();
        tokio::select! {
            outcome = whole => {
                if ask.kind == Kind::Poll && matches!(&outcome, Err(error) if error.is_cut()) {
                    self.lines.cut(began.elapsed(), Instant::now());
                }
                outcome
            }
            // What goes by one of many connections must not keep it when they are found to be few, nor wait for one that is none.
            true = few, if ask.light && self.lines.limit().is_none() => {
                let source = Arc::new(std::io::Error::other("it gave its connection up"));
                Err(Error::Broken { relay: self.relay.clone(), source })
            }
        }
    }

    /// Asks by one route after the other, up to the head of an answer that is no refusal.
    async fn exchange(&self, pool: &Pool, ask: &Ask) -> Result<Response<Incoming>, Error> {
        loop {
            let route = self.chooser.route(Instant::now()).await?;
            match self.ask_by(&route, pool, ask).await {
                Err(error) if error.is_about_the_way() => {
                    if !self.chooser.failed(&route).await {
                        return Err(error);
                    }
                    tracing::info!(%route, %error, "this way leads nowhere; the next one is tried");
                }
                outcome => {
                    self.chooser.works(&route).await;
                    return outcome;
                }
            }
        }
    }

    async fn ask_by(&self, route: &Route, pool: &Pool, ask: &Ask) -> Result<Response<Incoming>, Error> {
        let client = self.client(route, pool);
        // Through a tunnel the proxy sees nothing of the request; the connector has signed in there.
        let seeing = route.proxy().filter(|_| self.base.scheme() == "http");
        let mut attempt = 1;
        loop {
            let mut request = ask.request()?;
            let answered = match seeing {
                Some(proxy) => Some((proxy, self.sign(proxy, &mut request)?)),
                None => None,
            };
            let (flight, connection) = (self.lines.begin(Instant::now()), capture_connection(&mut request));
            let trial = Trial::new(flight, connection);
            let response = match trial.watch(client.request(request), ask.held).await {
                Ok(response) => {
                    if let Some(made) = trial.answered() {
                        pool.answered(made);
                    }
                    response
                }
                Err(error) => {
                    trial.failed(&error);
                    return Err(self.failure(route, error));
                }
            };
            let Some((proxy, answered)) = answered else { return self.granted(response).await };
            if response.status() != StatusCode::PROXY_AUTHENTICATION_REQUIRED {
                proxy.login.passed(answered);
                return self.granted(response).await;
            }
            self.be_asked(proxy, answered, response).await?;
            if attempt == ATTEMPTS {
                return Err(Error::ProxyRefused {
                    proxy: proxy.address.to_string().into(),
                    relay: self.relay.clone(),
                    status: 407,
                });
            }
            attempt += 1;
        }
    }

    /// Where connections are few, all requests share those of one pool: of the one with HTTP/2, where that may be had.
    fn client(&self, route: &Route, pool: &Pool) -> pool::Client {
        let limit = self.lines.limit();
        if limit.is_none() {
            return pool.client(route, None);
        }
        let (shared, other) =
            if self.base.scheme() == "https" { (&self.control, &self.media) } else { (&self.media, &self.control) };
        other.close();
        self.files.close();
        shared.client(route, limit)
    }

    /// Puts in what the proxy asked for before.
    fn sign(&self, proxy: &Proxy, request: &mut Request<Outgoing>) -> Result<Answered, Error> {
        let target = request.uri().to_string();
        let signed = proxy.login.authorization(request.method().as_str(), &target, random(), Instant::now());
        let (header, answered) = signed.map_err(|refusal| self.no_entry(proxy, refusal))?;
        if let Some(header) = header {
            request.headers_mut().insert(PROXY_AUTHORIZATION, header);
        }
        Ok(answered)
    }

    /// A proxy wants to know who is there. Fails where it can't be told.
    async fn be_asked(&self, proxy: &Proxy, answered: Answered, response: Response<Incoming>) -> Result<(), Error> {
        let (parts, body) = response.into_parts();
        let lines = parts.headers.get_all(PROXY_AUTHENTICATE).iter().filter_map(|line| line.to_str().ok());
        let asked = proxy.login.challenged(answered, lines, Instant::now());
        asked.map_err(|refusal| self.no_entry(proxy, refusal))?;
        // Read to its end the connection can be used again.
        let _ = Limited::new(body, ASKING_MAX).collect().await;
        Ok(())
    }

    fn no_entry(&self, proxy: &Proxy, refusal: Refusal) -> Error {
        let Refusal { offered, spoken, withheld, had_password } = refusal;
        Error::ProxyAuthentication { proxy: proxy.address.to_string().into(), offered, spoken, withheld, had_password }
    }

    /// Sorts what the HTTP library says.
    fn failure(&self, route: &Route, error: hyper_util::client::legacy::Error) -> Error {
        let connecting = error.is_connect();
        let error: Cause = Arc::new(error);
        let known = connector::reason(&*error).and_then(|reason| self.unconnected(route, reason, error.clone()));
        known.unwrap_or_else(|| Error::of(&self.relay, error, connecting))
    }

    /// What it means that no connection came about, if more than that it didn't.
    fn unconnected(&self, route: &Route, reason: &NoConnection, source: Cause) -> Option<Error> {
        let relay = self.relay.clone();
        if matches!(reason, NoConnection::Occupied) {
            return Some(Error::Timeout { relay });
        }
        let proxy = route.proxy()?;
        let at: Arc<str> = proxy.address.to_string().into();
        match reason {
            NoConnection::Refused(status) => Some(Error::ProxyRefused { proxy: at, relay, status: *status }),
            NoConnection::WhoAreYou(refusal) => Some(self.no_entry(proxy, refusal.clone())),
            NoConnection::Proxy(_) => Some(Error::ProxyUnreachable { proxy: at, source }),
            // Without a tunnel there was nothing to do but to reach the proxy; with one, nobody knows which of the two is silent.
            NoConnection::TooLong if self.base.scheme() == "http" => Some(Error::ProxyUnreachable { proxy: at, source }),
            _ => None,
        }
    }

    /// Reads JSON out of an answer.
    pub(crate) fn parse<T: serde::de::DeserializeOwned>(&self, body: &[u8]) -> Result<T, Error> {
        serde_json::from_slice(body).map_err(|_| self.not_a_relay(Found::Nonsense))
    }

    pub(crate) fn not_a_relay(&self, found: Found) -> Error {
        Error::NotARelay { relay: self.relay.clone(), found }
    }
}

/// Whether what is said to the relay of this address can be read by whoever runs the network: it has no TLS, and isn't on this machine. An
/// address that can't be one is no danger.
#[must_use]
pub fn is_in_the_clear(address: &str) -> bool {
    check(address).is_ok_and(|base| base.scheme() == "http" && !is_loopback(&base))
}

/// Scheme, host and port of a relay's address: what a certificate is shown for, and pinned for.
///
/// # Errors
/// [`Error::BadUrl`].
pub fn origin(address: &str) -> Result<String, Error> {
    let base = check(address).map_err(|reason| Error::BadUrl { url: address.to_owned(), reason })?;
    Ok(base.origin().ascii_serialization())
}

fn check(text: &str) -> Result<Url, BadUrl> {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    if !lower.starts_with("http://") && !lower.starts_with("https://") {
        return Err(BadUrl::Scheme);
    }
    let url = Url::parse(text)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BadUrl::Credentials);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(BadUrl::Query);
    }
    Ok(url)
}

/// Whether a browser shows what is at this address as a page.
pub(crate) fn is_web(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::login::Login;

    #[test]
    fn addresses_are_checked() {
        for good in ["https://relay.example.org", "http://127.0.0.1:8080", " https://example.org/phone/ ", "HTTP://[::1]:80"] {
            assert!(check(good).is_ok(), "{good}");
        }
        assert_eq!(check("relay.example.org"), Err(BadUrl::Scheme));
        assert_eq!(check("localhost:8080"), Err(BadUrl::Scheme));
        assert_eq!(check("ftp://example.org"), Err(BadUrl::Scheme));
        assert!(matches!(check("http://"), Err(BadUrl::Syntax(_))));
        assert!(matches!(check("http://a:99999"), Err(BadUrl::Syntax(_))));
        assert_eq!(check("http://ana:secret@example.org"), Err(BadUrl::Credentials));
        assert_eq!(check("http://example.org/?a=b"), Err(BadUrl::Query));
        assert_eq!(check("http://example.org/#top"), Err(BadUrl::Query));
    }

    #[test]
    fn only_plain_http_to_another_machine_is_in_the_clear() {
        for clear in ["http://relay.example.org", "http://192.0.2.1:80", " HTTP://[2001:db8::1]/phone"] {
            assert!(is_in_the_clear(clear), "{clear}");
        }
        for safe in
            ["https://relay.example.org", "http://localhost:80", "http://127.3.2.1", "http://[::1]:7480", "http://", "relay"]
        {
            assert!(!is_in_the_clear(safe), "{safe}");
        }
        assert_eq!(origin("https://Relay.example.org/phone/").unwrap(), "https://relay.example.org");
        assert_eq!(origin("https://relay.example.org:8443").unwrap(), "https://relay.example.org:8443");
        assert!(matches!(origin("relay"), Err(Error::BadUrl { .. })));
    }

    #[test]
    fn a_way_on_which_nobody_answers_is_left_for_the_next() {
        let source: Cause = Arc::new(std::io::Error::other("silence"));
        let way = |http: &Http, by: &Route, reason: &NoConnection| {
            let known = http.unconnected(by, reason, source.clone());
            known.unwrap_or_else(|| Error::of(&http.relay, source.clone(), true))
        };
        let proxy = Proxy { address: "proxy:3128".parse().unwrap(), login: Login::new(None) };
        let proxy = Route::Via(Arc::new(proxy));
        for relay in ["http://relay.example", "https://relay.example"] {
            // A computer without certificates can't begin to try TLS.
            let Ok(http) = Http::new(relay, Trust::system()) else { continue };
            for by in [&Route::Direct, &proxy] {
                let error = way(&http, by, &NoConnection::TooLong);
                assert!(error.is_about_the_way() && error.is_transient(), "{relay} by {by}: {error:?}");
                let error = way(&http, by, &NoConnection::Occupied);
                assert!(!error.is_about_the_way() && error.is_transient(), "{relay} by {by}: {error:?}");
            }
        }
    }

    #[test]
    fn paths_go_under_the_base_and_are_escaped() {
        let at = |base: &str, segments: &[&str]| Http::new(base, Trust::system()).unwrap().url(segments).to_string();
        assert_eq!(at("http://h", &["health"]), "http://h/v1/health");
        assert_eq!(at("http://h/phone/", &["calls", "a/../b", "leave"]), "http://h/phone/v1/calls/a%2F..%2Fb/leave");
        assert_eq!(at("http://h/phone", &["buddies", "Zoë"]), "http://h/phone/v1/buddies/Zo%C3%AB");
    }
}
