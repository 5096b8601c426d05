//! Signing in by the browser at an organisation's OpenID provider: the authorization code flow with PKCE, the relay being the client.
//!
//! The app asks the relay and opens a page of the relay's in the browser; the person compares a code there and goes on to the provider; the
//! provider sends the browser back to the relay, which exchanges the code it brings, checks what it gets and knows who it is; the app's parked
//! poll is answered with a session. So it takes nothing but web pages, on whatever network.

mod claims;
mod fetch;
mod jws;
mod pending;
mod provider;
#[cfg(test)]
mod testing;

use std::{
    fmt, fs,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use proto::{Name, Token};
use sha2::{Digest, Sha256};
use url::Url;

use self::{
    claims::Claims,
    pending::Proofs,
    provider::{Code, Provider},
};
pub(crate) use self::{
    fetch::is_safe,
    pending::{Asker, Failure, Pending, Polled, TIME, Unfit},
};
use crate::{
    config::OidcConfig,
    error::Error,
    password::NO_PASSWORD,
    store::{AccountId, ForSubject, Store, wall_clock_ms},
    token::{self, NoRandomness, TokenHash},
};

/// Names that are tried, the first without a number; then the provider's own name of the person is left.
const NAMES_MAX: u32 = 50;

/// Where the provider sends the browser back to.
const CALLBACK: &str = "v1/oidc/callback";

/// The organisation's provider, and who signs in there now.
pub(crate) struct Oidc {
    config: OidcConfig,
    provider: Provider,
    pending: Mutex<Pending>,
}

impl fmt::Debug for Oidc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oidc").field("config", &self.config).finish_non_exhaustive()
    }
}

/// What a browser brings back from the provider.
pub(crate) struct Brought<'a> {
    pub(crate) state: &'a str,
    pub(crate) browser: Option<TokenHash>,
    pub(crate) code: Option<&'a str>,
    pub(crate) issuer: Option<&'a str>,
}

impl Oidc {
    /// Reads the client's secret; asks nobody yet.
    pub(crate) fn open(config: &OidcConfig) -> Result<Self, Error> {
        let file = &config.client_secret_file;
        let secret = fs::read_to_string(file).map_err(|source| Error::ClientSecret { path: file.clone(), source })?;
        let secret = secret.trim();
        if secret.is_empty() {
            let source = std::io::Error::other("it is empty");
            return Err(Error::ClientSecret { path: file.clone(), source });
        }
        let provider = Provider::new(config, secret.to_owned()).map_err(|error| Error::HttpClient(error.to_string()))?;
        Ok(Self { config: config.clone(), provider, pending: Mutex::default() })
    }

    /// What people call the provider.
    pub(crate) fn name(&self) -> &str {
        &self.config.name
    }

    /// Whether browsers reach the relay by https.
    pub(crate) fn is_https(&self) -> bool {
        self.config.public_url.scheme() == "https"
    }

    pub(crate) fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for the provider, as long as it can't be found: its name may not be known yet when both machines start.
    pub(crate) async fn find_provider(&self) {
        let mut wait = Duration::from_secs(10);
        while self.provider.metadata(Instant::now()).await.is_err() {
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(300));
        }
    }

    /// Whether somebody could go there now.
    pub(crate) async fn is_there(&self) -> bool {
        self.provider.metadata(Instant::now()).await.is_ok()
    }

    /// The page at which a person begins.
    pub(crate) fn page(&self, handle: &Token) -> String {
        let mut url = self.address("v1/oidc/start");
        url.query_pairs_mut().append_pair("id", handle.reveal());
        url.into()
    }

    /// The person said yes in a browser: where it goes to sign in.
    pub(crate) async fn confirm(&self, handle: &TokenHash, browser: TokenHash) -> Result<String, Confirmed> {
        let metadata = self.provider.metadata(Instant::now()).await.map_err(|_| Confirmed::NoProvider)?;
        let (state, nonce, verifier) = (token::token()?, token::token()?, token::token()?);
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.reveal().as_bytes()));
        let mut url = metadata.authorization_endpoint.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.config.client_id)
            .append_pair("redirect_uri", self.address(CALLBACK).as_str())
            .append_pair("scope", self.scope())
            .append_pair("state", state.reveal())
            .append_pair("nonce", nonce.reveal())
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        let proofs = Proofs { nonce: nonce.reveal().to_owned(), verifier: verifier.reveal().to_owned() };
        let confirmed = self.pending().confirm(handle, browser, TokenHash::of(state.reveal()), proofs, Instant::now());
        confirmed.map_err(Confirmed::Unfit)?;
        Ok(url.into())
    }

    /// The provider sent a browser back: whether somebody is signed in now. The app is told.
    pub(crate) async fn redeem(&self, store: &Store, brought: Brought<'_>) -> Result<Result<(), Failure>, Unfit> {
        let now = Instant::now();
        let (secret, proofs) = self.pending().redeem(&TokenHash::of(brought.state), brought.browser, now)?;
        let outcome = self.identify(store, &brought, &proofs, now).await;
        self.pending().finish(&secret, outcome);
        Ok(outcome.map(drop))
    }

    async fn identify(&self, store: &Store, brought: &Brought<'_>, proofs: &Proofs, now: Instant) -> Result<AccountId, Failure> {
        let code = brought.code.ok_or(Failure::Declined)?;
        let metadata = self.provider.metadata(now).await.map_err(|_| Failure::Provider)?;
        // Another provider's answer that was mixed in (RFC 9207).
        let named = brought.issuer.map(|issuer| issuer == self.config.issuer);
        if !named.unwrap_or(!metadata.authorization_response_iss_parameter_supported) {
            tracing::warn!("an answer that is not of the OpenID provider was refused");
            return Err(Failure::Provider);
        }
        let (redirect_uri, wanted) = (self.address(CALLBACK), self.wanted());
        let code = Code { code, proofs, redirect_uri: redirect_uri.as_str(), wanted: &wanted };
        let redeemed = self.provider.redeem(code, now, wall_clock_ms() as f64 / 1000.0).await;
        let claims = redeemed.map_err(|error| {
            tracing::warn!(%error, "the OpenID provider sent somebody, and it isn't known whom");
            Failure::Provider
        })?;
        if !self.allows(&claims) {
            return Err(Failure::NotAllowed);
        }
        let account = account_of(store, &self.config.issuer, &claims).await;
        account.map_err(|error| {
            tracing::error!(%error, "an account could not be found or made");
            Failure::Internal
        })
    }

    /// What must be known of a person, if the provider says it anywhere.
    fn wanted(&self) -> Vec<&str> {
        let mut wanted = vec!["preferred_username"];
        if !self.config.allow_domains.is_empty() {
            wanted.extend(["email", "email_verified"]);
        }
        wanted.extend(self.config.allow_claim.as_deref());
        wanted
    }

    fn scope(&self) -> &'static str {
        if self.config.allow_domains.is_empty() { "openid profile" } else { "openid profile email" }
    }

    /// Whether this relay is for them.
    fn allows(&self, claims: &Claims) -> bool {
        let domains = &self.config.allow_domains;
        let among = |domain: &str| domains.iter().any(|other| other.eq_ignore_ascii_case(domain));
        let by_domain = domains.is_empty() || claims.email_domain().is_some_and(among);
        let by_claim = self.config.allow_claim.as_deref().is_none_or(|claim| {
            claims.list(claim).iter().any(|value| self.config.allow_values.iter().any(|other| other == value))
        });
        by_domain && by_claim
    }

    /// An address of the relay as browsers know it.
    fn address(&self, path: &str) -> Url {
        let mut url = self.config.public_url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.split('/'));
        }
        url
    }
}

/// Why a person who said yes goes nowhere.
#[derive(Debug)]
pub(crate) enum Confirmed {
    Unfit(Unfit),
    /// The provider can't be found.
    NoProvider,
    NoRandomness(NoRandomness),
}

impl From<NoRandomness> for Confirmed {
    fn from(error: NoRandomness) -> Self {
        Self::NoRandomness(error)
    }
}

/// The account of someone the provider knows, made if there is none. Nobody else's is ever theirs: a name that is taken gets a number.
async fn account_of(store: &Store, issuer: &str, claims: &Claims) -> Result<AccountId, sqlx::Error> {
    let subject = claims.subject();
    if let Some(account) = store.account_of_subject(issuer, subject).await? {
        return Ok(account);
    }
    let name = claims.name();
    let numbered = (2..=NAMES_MAX).filter_map(|number| claims::numbered(name.as_ref()?, number));
    let last = fallback(issuer, subject);
    for name in name.clone().into_iter().chain(numbered).chain(last) {
        if let ForSubject::Account(account) = store.add_account_of_subject(issuer, subject, &name, NO_PASSWORD).await? {
            return Ok(account);
        }
    }
    Err(sqlx::Error::RowNotFound)
}

/// A name for who has none that is free: nobody else gets it by chance.
fn fallback(issuer: &str, subject: &str) -> Option<Name> {
    let hash = TokenHash::of(&format!("{issuer} {subject}")).0;
    format!("person-{}", hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>()).parse().ok()
}
