//! The provider: where its endpoints are (OpenID Connect Discovery 1.0), what keys it has, and what it says of whom it sends.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Deserializer, de::Error as _};
use tokio::sync::Mutex;
use url::{Url, form_urlencoded};

use super::{
    claims::{BadClaims, Claims, Expected},
    fetch::{Fetch, FetchFailed, is_safe},
    jws::{BadSignature, Keys},
    pending::Proofs,
};
use crate::config::OidcConfig;

/// How long what was discovered counts: providers move their endpoints rarely, and announce it.
const FRESH: Duration = Duration::from_secs(24 * 3600);

/// How soon it is asked again after it failed: who waits for it presses the button again.
const AGAIN: Duration = Duration::from_secs(5);

/// How soon its keys are fetched again for a token by an unknown one: nobody makes the relay ask all the time by sending nonsense.
const KEYS_AGAIN: Duration = Duration::from_secs(30);

/// Characters of what it calls itself that go into the log.
const SHOWN_MAX: usize = 200;

/// Why the provider is of no help.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderFailed {
    #[error("{what}: {source}")]
    Fetch { what: &'static str, source: FetchFailed },
    #[error("what it says of itself is of {0:?}, and the configuration of another issuer: both must be the same to the letter")]
    Issuer(String),
    #[error("its {0} is no https address")]
    Endpoint(&'static str),
    /// It failed a moment ago and isn't asked again at once.
    #[error("it could not be asked a moment ago")]
    Lately,
    #[error("its answer has no ID token: does the client have the scope openid there?")]
    NoIdToken,
    #[error("its ID token is refused: {0}")]
    Signature(#[from] BadSignature),
    #[error("its ID token is refused: {0}")]
    Claims(#[from] BadClaims),
}

/// What it says of itself, as far as it matters here.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Metadata {
    issuer: String,
    #[serde(deserialize_with = "address")]
    pub(crate) authorization_endpoint: Url,
    #[serde(deserialize_with = "address")]
    token_endpoint: Url,
    #[serde(deserialize_with = "address")]
    jwks_uri: Url,
    #[serde(default, deserialize_with = "address_if_any")]
    userinfo_endpoint: Option<Url>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    /// It names itself when it sends a browser back (RFC 9207).
    #[serde(default)]
    pub(crate) authorization_response_iss_parameter_supported: bool,
}

/// What a browser has brought from it, and what to check the answer by.
#[derive(Clone, Copy)]
pub(crate) struct Code<'a> {
    pub(crate) code: &'a str,
    pub(crate) proofs: &'a Proofs,
    pub(crate) redirect_uri: &'a str,
    /// Asked for beyond the token where it lacks one of these claims.
    pub(crate) wanted: &'a [&'a str],
}

/// What it gives for a code.
#[derive(Deserialize)]
struct Tokens {
    id_token: Option<String>,
    access_token: Option<String>,
}

/// The provider, and what is known of it. Without `Debug`, which would show the secret.
pub(crate) struct Provider {
    issuer: String,
    client_id: String,
    secret: String,
    fetch: Fetch,
    known: Mutex<Known>,
}

/// One asks at a time; the others wait for what it learns.
#[derive(Default)]
struct Known {
    metadata: Option<(Arc<Metadata>, Instant)>,
    failed: Option<Instant>,
    keys: Option<(Keys, Instant)>,
}

impl Provider {
    pub(crate) fn new(config: &OidcConfig, secret: String) -> Result<Self, reqwest::Error> {
        Ok(Self {
            issuer: config.issuer.clone(),
            client_id: config.client_id.clone(),
            secret,
            fetch: Fetch::new(&config.issuer_url())?,
            known: Mutex::default(),
        })
    }

    /// What it says of itself: asked once a day, and of old while it is out of reach.
    pub(crate) async fn metadata(&self, now: Instant) -> Result<Arc<Metadata>, ProviderFailed> {
        let mut known = self.known.lock().await;
        let old = known.metadata.as_ref().map(|(metadata, at)| (metadata.clone(), now.saturating_duration_since(*at) < FRESH));
        if let Some((metadata, true)) = old {
            return Ok(metadata);
        }
        let lately = known.failed.is_some_and(|at| now.saturating_duration_since(at) < AGAIN);
        let began = Instant::now();
        let asked = if lately { Err(ProviderFailed::Lately) } else { self.discover().await };
        match (asked, old) {
            (Ok(metadata), _) => {
                let metadata = Arc::new(metadata);
                known.metadata = Some((metadata.clone(), now));
                known.failed = None;
                tracing::info!(issuer = self.issuer, "the OpenID provider is found");
                Ok(metadata)
            }
            (Err(error), old) => {
                // Once a spell: it is asked again and again.
                if known.failed.is_none() {
                    tracing::warn!(issuer = self.issuer, %error, "the OpenID provider can't be found");
                }
                if !lately {
                    // From the end on: a provider that is silent takes its time to fail.
                    known.failed = Some(now + began.elapsed());
                }
                old.map(|(metadata, _)| metadata).ok_or(error)
            }
        }
    }

    /// Who it is that the provider has sent with this code.
    pub(crate) async fn redeem(&self, code: Code<'_>, now: Instant, now_s: f64) -> Result<Claims, ProviderFailed> {
        let metadata = self.metadata(now).await?;
        let tokens = self.exchange(&metadata, code).await?;
        let payload = self.verify(&metadata, &tokens.id_token.ok_or(ProviderFailed::NoIdToken)?, now).await?;
        let nonce = &code.proofs.nonce;
        let expected = Expected { issuer: &self.issuer, client_id: &self.client_id, nonce, now_s };
        let mut claims = Claims::check(&payload, expected)?;
        // Some say there what the person is called, and not in the token.
        if let (Some(url), Some(token)) = (&metadata.userinfo_endpoint, &tokens.access_token)
            && code.wanted.iter().any(|claim| !claims.has(claim))
        {
            match self.fetch.get(url, Some(token)).await {
                Ok(body) => claims.add(Claims::read(&body).unwrap_or_default()),
                Err(error) => tracing::warn!(%error, "the OpenID provider doesn't say more of a person"),
            }
        }
        Ok(claims)
    }

    async fn discover(&self) -> Result<Metadata, ProviderFailed> {
        let failed = |source| ProviderFailed::Fetch { what: "it can't be asked about itself", source };
        let address = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let address = Url::parse(&address).map_err(|error| failed(FetchFailed::Form(error.to_string())))?;
        let metadata = self.fetch.json::<Metadata>(&address).await.map_err(failed)?;
        if metadata.issuer != self.issuer {
            return Err(ProviderFailed::Issuer(metadata.issuer.chars().take(SHOWN_MAX).collect()));
        }
        let userinfo = metadata.userinfo_endpoint.as_ref().unwrap_or(&metadata.jwks_uri);
        for (name, endpoint) in [
            ("authorization_endpoint", &metadata.authorization_endpoint),
            ("token_endpoint", &metadata.token_endpoint),
            ("jwks_uri", &metadata.jwks_uri),
            ("userinfo_endpoint", userinfo),
        ] {
            // One on this machine is believed by one that is on this machine itself.
            if !is_safe(endpoint) || (endpoint.scheme() == "http" && address.scheme() != "http") {
                return Err(ProviderFailed::Endpoint(name));
            }
        }
        Ok(metadata)
    }

    async fn exchange(&self, metadata: &Metadata, code: Code<'_>) -> Result<Tokens, ProviderFailed> {
        let methods = &metadata.token_endpoint_auth_methods_supported;
        let takes = |method: &str| methods.iter().any(|other| other == method);
        let (id, secret) = (encoded(&self.client_id), encoded(&self.secret));
        // Some read the secret in the head as it is, against the standard: in the form nobody does. Without a word of it, it is the head (OpenID
        // Connect Discovery 1.0, 3).
        let ambiguous = id != self.client_id || secret != self.secret;
        let basic = !takes("client_secret_post") || (takes("client_secret_basic") && !ambiguous);
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code.code),
            ("redirect_uri", code.redirect_uri),
            ("code_verifier", &code.proofs.verifier),
        ];
        if !basic {
            fields.extend([("client_id", self.client_id.as_str()), ("client_secret", &self.secret)]);
        }
        let form = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>().join("&");
        let given = self.fetch.post(&metadata.token_endpoint, form, basic.then_some((&*id, &*secret)));
        given.await.map_err(|source| ProviderFailed::Fetch { what: "it gives nothing for a code", source })
    }

    async fn verify(&self, metadata: &Metadata, token: &str, now: Instant) -> Result<Vec<u8>, ProviderFailed> {
        let mut known = self.known.lock().await;
        let kept = known.keys.as_ref().map(|(keys, at)| (keys, now.saturating_duration_since(*at)));
        // One that the provider doesn't publish any more counts a day longer at most.
        if let Some((keys, age)) = kept.filter(|(_, age)| *age < FRESH) {
            match keys.verify(token) {
                // Not every provider names its keys, nor each of them anew.
                Err(BadSignature::UnknownKey | BadSignature::Wrong) if age >= KEYS_AGAIN => {}
                outcome => return Ok(outcome?),
            }
        }
        let keys = self.fetch.json::<Keys>(&metadata.jwks_uri).await;
        let keys = keys.map_err(|source| ProviderFailed::Fetch { what: "its keys can't be fetched", source })?;
        let outcome = keys.verify(token);
        known.keys = Some((keys, now));
        Ok(outcome?)
    }
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    Url::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn address_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| Url::parse(&text).map_err(D::Error::custom)).transpose()
}

/// A value as it goes into a form, and a name or password into Basic (RFC 6749, 2.3.1).
fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests;
