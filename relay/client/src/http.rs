//! One request, one answer: the clients underneath, bounded reading, and telling a relay from whatever else may answer.

pub(crate) mod patience;
pub(crate) mod pool;

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use proto::ErrorBody;
use reqwest::{
    Method, Request, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION},
};
use url::Url;

use self::pool::{Pool, Purpose};
use crate::{
    error::{BadUrl, Error, Found},
    trust::Trust,
};

/// Largest answer to a control request, in bytes: 200 messages of 4000 characters, each of four bytes, are a fifth of it.
const CONTROL_ANSWER_MAX: usize = 16 << 20;

/// Largest refusal, in bytes: a code and a sentence.
const REFUSAL_MAX: usize = 64 << 10;

/// Longest message of a refusal that is shown, in characters.
const MESSAGE_MAX: usize = 300;

/// How long one attempt at a control request may take: twice the connect timeout.
pub(crate) const CONTROL_TIMEOUT: Duration = Duration::from_secs(10);

/// The relay's address and the two clients for it: held polls and media must not wait for each other's connections.
#[derive(Debug)]
pub(crate) struct Http {
    /// Scheme, host and port, for people.
    pub(crate) relay: Arc<str>,
    base: Url,
    /// Control requests and the event lane.
    pub(crate) control: Pool,
    /// Polls and uploads of media.
    pub(crate) media: Pool,
}

/// A request before it is sent; it can be sent again.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: Method,
    url: Url,
    bearer: Option<HeaderValue>,
    body: Option<(HeaderValue, Bytes)>,
    timeout: Duration,
    limit: usize,
}

impl Ask {
    pub(crate) fn new(method: Method, url: Url) -> Self {
        Self { method, url, bearer: None, body: None, timeout: CONTROL_TIMEOUT, limit: CONTROL_ANSWER_MAX }
    }

    pub(crate) fn bearer(mut self, bearer: &HeaderValue) -> Self {
        self.bearer = Some(bearer.clone());
        self
    }

    pub(crate) fn json(mut self, body: Bytes) -> Self {
        self.body = Some((HeaderValue::from_static("application/json"), body));
        self
    }

    pub(crate) fn octets(mut self, body: Bytes) -> Self {
        self.body = Some((HeaderValue::from_static("application/octet-stream"), body));
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

    fn into_request(self) -> Request {
        let mut request = Request::new(self.method, self.url);
        *request.timeout_mut() = Some(self.timeout);
        if let Some(bearer) = self.bearer {
            request.headers_mut().insert(AUTHORIZATION, bearer);
        }
        if let Some((kind, body)) = self.body {
            request.headers_mut().insert(CONTENT_TYPE, kind);
            *request.body_mut() = Some(body.into());
        }
        request
    }
}

impl Http {
    pub(crate) fn new(text: &str, trust: Trust) -> Result<Self, Error> {
        let base = check(text).map_err(|reason| Error::BadUrl { url: text.to_owned(), reason })?;
        let relay: Arc<str> = base.origin().ascii_serialization().into();
        let tls = trust.config(&base)?;
        let control = Pool::new(&base, Purpose::Control, tls.clone())?;
        let media = Pool::new(&base, Purpose::Media, tls)?;
        Ok(Self { relay, base, control, media })
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

    /// Sends `ask` once and reads the answer to its end.
    pub(crate) async fn send(&self, pool: &Pool, ask: Ask) -> Result<Bytes, Error> {
        let limit = ask.limit;
        let client = pool.client();
        let outcome = async {
            let response = client.execute(ask.into_request()).await.map_err(|error| Error::from_reqwest(&self.relay, error))?;
            self.read(response, limit).await
        };
        let outcome = outcome.await;
        pool.note(&outcome);
        outcome
    }

    /// Reads JSON out of an answer.
    pub(crate) fn parse<T: serde::de::DeserializeOwned>(&self, body: &[u8]) -> Result<T, Error> {
        serde_json::from_slice(body).map_err(|_| self.not_a_relay(Found::Nonsense))
    }

    pub(crate) fn not_a_relay(&self, found: Found) -> Error {
        Error::NotARelay { relay: self.relay.clone(), found }
    }

    async fn read(&self, response: Response, limit: usize) -> Result<Bytes, Error> {
        let status = response.status();
        if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            return Err(Error::ProxyAuthentication);
        }
        if status.is_redirection() {
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
            return Err(self.not_a_relay(Found::Redirect { to: plain(to) }));
        }
        let page = is_web_page(&response);
        if status.is_success() {
            return if page { Err(self.not_a_relay(Found::WebPage)) } else { self.body(response, limit).await };
        }
        let refusal =
            if page { None } else { serde_json::from_slice::<ErrorBody>(&self.body(response, REFUSAL_MAX).await?).ok() };
        Err(match refusal {
            Some(ErrorBody { error }) => Error::Refused {
                code: error.code,
                message: plain(&error.message),
                retry_after: error.retry_after_ms.map(Duration::from_millis),
            },
            // 511 is a captive portal that says so (RFC 6585).
            None if status == StatusCode::NETWORK_AUTHENTICATION_REQUIRED => self.not_a_relay(Found::WebPage),
            None if status.is_server_error() => Error::Gateway { relay: self.relay.clone(), status: status.as_u16() },
            None => self.not_a_relay(Found::Status(status.as_u16())),
        })
    }

    async fn body(&self, mut response: Response, limit: usize) -> Result<Bytes, Error> {
        let oversize = || Error::Oversize { relay: self.relay.clone(), limit };
        let announced = response.content_length().unwrap_or(0);
        if announced > limit as u64 {
            return Err(oversize());
        }
        let broken = |error| Error::from_reqwest(&self.relay, error);
        let Some(first) = response.chunk().await.map_err(broken)? else { return Ok(Bytes::new()) };
        if first.len() > limit {
            return Err(oversize());
        }
        // Nearly all answers arrive in one piece and needn't be copied.
        let mut whole: Option<BytesMut> = None;
        while let Some(piece) = response.chunk().await.map_err(broken)? {
            let whole = whole.get_or_insert_with(|| {
                let mut whole = BytesMut::with_capacity((announced as usize).max(first.len() + piece.len()).min(limit));
                whole.extend_from_slice(&first);
                whole
            });
            if whole.len() + piece.len() > limit {
                return Err(oversize());
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.map_or(first, BytesMut::freeze))
    }
}

/// Whether what is said to the relay of this address can be read by whoever runs the network: it has no TLS, and isn't on this machine. An
/// address that can't be one is no danger.
#[must_use]
pub fn is_in_the_clear(address: &str) -> bool {
    check(address).is_ok_and(|base| base.scheme() == "http" && !pool::is_loopback(&base))
}

/// Scheme, host and port of a relay's address, as in [`Relay::origin`](crate::Relay::origin).
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

fn is_web_page(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("text/html") || kind.eq_ignore_ascii_case("application/xhtml+xml")
}

/// A stranger's text, fit to be shown on one line.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MESSAGE_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn paths_go_under_the_base_and_are_escaped() {
        let at = |base: &str, segments: &[&str]| Http::new(base, Trust::system()).unwrap().url(segments).to_string();
        assert_eq!(at("http://h", &["health"]), "http://h/v1/health");
        assert_eq!(at("http://h/phone/", &["calls", "a/../b", "leave"]), "http://h/phone/v1/calls/a%2F..%2Fb/leave");
        assert_eq!(at("http://h/phone", &["buddies", "Zoë"]), "http://h/phone/v1/buddies/Zo%C3%AB");
    }

    #[test]
    fn a_message_of_a_stranger_is_tamed() {
        assert_eq!(plain("Go\u{1b}[2J\naway"), "Go[2Jaway");
        assert_eq!(plain(&"x".repeat(1000)).len(), MESSAGE_MAX);
    }
}
