//! Asking the provider: over https alone, within a time and a size, and nobody else it may point to.

use std::{error::Error as _, net::IpAddr, time::Duration};

use reqwest::{Client, Method, header, redirect::Policy};
use serde::de::DeserializeOwned;
use url::{Host, Url};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How long an answer may take: somebody looks at an empty page meanwhile.
const ANSWER: Duration = Duration::from_secs(10);

/// Largest answer, in bytes: the keys of a large provider are a tenth of it.
const ANSWER_MAX: usize = 256 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchFailed {
    #[error("{0}")]
    Http(String),
    #[error("it answered with status {status}{}", said.as_deref().map(|said| format!(": {said}")).unwrap_or_default())]
    Status {
        status: u16,
        /// The error code of OAuth 2.0, if there is one.
        said: Option<String>,
    },
    #[error("its answer has more than {ANSWER_MAX} bytes")]
    TooLarge,
    #[error("its answer can't be read: {0}")]
    Form(String),
}

/// An error as OAuth 2.0 tells it (RFC 6749, 5.2).
#[derive(serde::Deserialize)]
struct OAuthError {
    error: String,
}

/// What asks.
#[derive(Clone, Debug)]
pub(crate) struct Fetch(Client);

impl Fetch {
    /// For a provider at this address.
    pub(crate) fn new(issuer: &Url) -> Result<Self, reqwest::Error> {
        // An error only says that someone else was first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .user_agent(concat!("tvphone-relay/", env!("CARGO_PKG_VERSION")))
            // What goes along is a secret between the relay and the provider.
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .timeout(ANSWER);
        if is_loopback(issuer) {
            // No proxy can reach this machine's own provider.
            builder = builder.no_proxy();
        }
        builder = match issuer.scheme() {
            // Without TLS the system's certificates aren't needed, and a machine that has none needn't be refused.
            "http" => builder.tls_certs_only([]),
            _ => builder.https_only(true),
        };
        builder.build().map(Self)
    }

    /// What JSON an address gives.
    pub(crate) async fn json<T: DeserializeOwned>(&self, url: &Url) -> Result<T, FetchFailed> {
        parse(&self.get(url, None).await?)
    }

    /// What an address gives to whom has a token.
    pub(crate) async fn get(&self, url: &Url, bearer: Option<&str>) -> Result<Vec<u8>, FetchFailed> {
        let mut request = self.0.request(Method::GET, url.clone()).header(header::ACCEPT, "application/json");
        if let Some(token) = bearer {
            request = request.bearer_auth(token);
        }
        read(request).await
    }

    /// What JSON an address gives for a form, with name and password or without.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        url: &Url,
        form: String,
        basic: Option<(&str, &str)>,
    ) -> Result<T, FetchFailed> {
        let mut request = self.0.request(Method::POST, url.clone()).header(header::ACCEPT, "application/json");
        if let Some((name, password)) = basic {
            request = request.basic_auth(name, Some(password));
        }
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
        parse(&read(request).await?)
    }
}

async fn read(request: reqwest::RequestBuilder) -> Result<Vec<u8>, FetchFailed> {
    let mut response = request.send().await.map_err(failed)?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(failed)? {
        if body.len() + piece.len() > ANSWER_MAX {
            return Err(FetchFailed::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    if !status.is_success() {
        // A code of the standard is a few letters; whatever else stands there stays out of the log.
        let said = serde_json::from_slice::<OAuthError>(&body).ok().map(|said| said.error);
        let said = said.filter(|said| said.len() <= 40 && said.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
        return Err(FetchFailed::Status { status: status.as_u16(), said });
    }
    Ok(body)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, FetchFailed> {
    serde_json::from_slice(body).map_err(|error| FetchFailed::Form(without_quotes(&error.to_string())))
}

/// What is wrong, up to what is quoted: that is the answer's own, as long as it likes, and may be a token.
fn without_quotes(says: &str) -> String {
    says.split('"').next().unwrap_or_default().trim_end().to_owned()
}

fn failed(error: reqwest::Error) -> FetchFailed {
    // The address is in the configuration; a query of it is nobody's business.
    let error = error.without_url();
    let mut says = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        says = format!("{says}: {error}");
        source = error.source();
    }
    FetchFailed::Http(says)
}

/// Whether what goes to this address is safe on its way: by https, or without leaving this machine.
pub(crate) fn is_safe(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.host().is_some(),
        "http" => is_loopback(url),
        _ => false,
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use proto::api::OidcOffer;

    use super::*;

    #[test]
    fn an_error_says_what_is_missing_and_repeats_nothing_of_the_answer() {
        let refused = |body: &str| parse::<OidcOffer>(body.as_bytes()).unwrap_err().to_string();
        assert!(refused("{}").contains("missing field `name`"));
        for body in [r#""s3cret""#, r#"{"name": {"s3cret": 1}}"#, r#"["s3cret", "s3cret"]"#, "s3cret", r#"{"s3cret"#] {
            let says = refused(body);
            assert!(says.starts_with("its answer can't be read: ") && !says.contains("s3cret"), "{says}");
        }
    }
}
