//! The three pages of a sign-in by the browser: compare the code, go to the provider, come back.
//!
//! A cookie keeps them in one browser. Without it, whoever began a sign-in could say yes themselves and send the rest of the way to somebody
//! else, who would sign that one's app in. The yes is a form with a mark that only this page in this browser has, so no other page can say it.

use axum::{
    body::Body,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use url::form_urlencoded;

use super::page;
use crate::{
    app::App,
    extract::Raw,
    oidc::{Brought, Confirmed, Failure, Oidc, Unfit},
    refusal::Refusal,
    token::{self, TokenHash},
};

/// The cookie's name. The prefix has browsers take it over https from this very host alone.
const COOKIE_HTTPS: &str = "__Host-tvphone-sign-in";

/// The same for a relay on one's own machine.
const COOKIE_HTTP: &str = "tvphone-sign-in";

/// Letters of a token, as the cookie has it.
const COOKIE_LENGTH: usize = 43;

/// Longest code or state a provider sends back, in bytes.
const PARAMETER_MAX: usize = 8192;

/// `GET /v1/oidc/start`: is it your app?
pub(crate) async fn start(State(app): State<App>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response<Body> {
    let Some(oidc) = &app.oidc else { return no_provider() };
    let Some(handle) = parameter(query.as_deref(), "id") else { return unfit(Unfit::Unknown) };
    let hash = TokenHash::of(&handle);
    let code = oidc.pending().code(&hash, std::time::Instant::now()).map(str::to_owned);
    let Some(code) = code else { return unfit(Unfit::Unknown) };
    // The one it has, or two pages open at once would shut each other out.
    let browser = match cookie(oidc, &headers).map_or_else(|| token::token().map(|new| new.reveal().to_owned()), Ok) {
        Ok(browser) => browser,
        Err(error) => return failed(&error),
    };
    let mut response = page::confirm(oidc.name(), &code, &handle, &mark(&browser));
    if let Some(cookie) = set_cookie(oidc, &browser) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Largest form, in bytes: ours has two fields of some dozen letters.
const FORM_MAX: usize = 4096;

/// `POST /v1/oidc/confirm`: yes.
pub(crate) async fn confirm(State(app): State<App>, headers: HeaderMap, Raw(body): Raw<FORM_MAX>) -> Response<Body> {
    let Some(oidc) = &app.oidc else { return no_provider() };
    let form = std::str::from_utf8(&body).ok();
    let (Some(handle), Some(said)) = (parameter(form, "id"), parameter(form, "mark")) else { return unfit(Unfit::Unknown) };
    let Some(browser) = cookie(oidc, &headers) else { return page::no_cookie() };
    // Compared by their hashes: how long that takes says nothing of the mark.
    if TokenHash::of(&said) != TokenHash::of(&mark(&browser)) {
        return unfit(Unfit::Elsewhere);
    }
    let location = match oidc.confirm(&TokenHash::of(&handle), TokenHash::of(&browser)).await {
        Ok(url) => HeaderValue::from_str(&url).ok(),
        Err(Confirmed::Unfit(why)) => return unfit(why),
        Err(Confirmed::NoProvider) => return page::provider_away(oidc.name()),
        Err(Confirmed::NoRandomness(error)) => return failed(&error),
    };
    let Some(location) = location else { return page::provider_away(oidc.name()) };
    let mut response = page::empty(StatusCode::SEE_OTHER);
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// `GET /v1/oidc/callback`: back from the provider.
pub(crate) async fn callback(State(app): State<App>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response<Body> {
    let Some(oidc) = &app.oidc else { return no_provider() };
    if app.is_stopping() {
        return page::stopping();
    }
    let query = query.as_deref();
    let Some(state) = parameter(query, "state") else { return unfit(Unfit::Unknown) };
    let browser = cookie(oidc, &headers).map(|browser| TokenHash::of(&browser));
    let (code, issuer, refused) = (parameter(query, "code"), parameter(query, "iss"), parameter(query, "error"));
    let work = app.clone();
    // To its end even when the browser is closed meanwhile: what is stored is also told.
    let redeemed = app.see_through(async move {
        let Some(oidc) = &work.oidc else { return Ok(None) };
        let code = code.as_deref().filter(|_| refused.is_none());
        let brought = Brought { state: &state, browser, code, issuer: issuer.as_deref() };
        Ok(Some(oidc.redeem(&work.store, brought).await))
    });
    match redeemed.await {
        Ok(Some(Ok(Ok(())))) => page::done(),
        Ok(Some(Ok(Err(Failure::Declined)))) => page::declined(oidc.name()),
        Ok(Some(Ok(Err(Failure::NotAllowed)))) => page::not_allowed(oidc.name()),
        Ok(Some(Ok(Err(Failure::Provider)))) => page::provider_failed(oidc.name()),
        Ok(Some(Ok(Err(Failure::Internal))) | None) | Err(_) => page::failed(),
        Ok(Some(Err(why))) => unfit(why),
    }
}

fn unfit(why: Unfit) -> Response<Body> {
    match why {
        Unfit::Unknown => page::over(),
        Unfit::Elsewhere => page::elsewhere(),
    }
}

fn no_provider() -> Response<Body> {
    page::over()
}

fn failed(error: &dyn std::fmt::Display) -> Response<Body> {
    drop(Refusal::internal(error));
    page::failed()
}

/// The first of a form's or query's fields of that name, if it isn't longer than any of ours.
fn parameter(form: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(form?.as_bytes());
    let (_, value) = pairs.find(|(key, _)| key == name)?;
    (value.len() <= PARAMETER_MAX).then(|| value.into_owned())
}

/// What proves that a form comes from the page this browser was shown.
fn mark(browser: &str) -> String {
    URL_SAFE_NO_PAD.encode(TokenHash::of(&format!("mark {browser}")).0)
}

fn cookie_name(oidc: &Oidc) -> &'static str {
    if oidc.is_https() { COOKIE_HTTPS } else { COOKIE_HTTP }
}

/// The cookie, if the browser brings one that can be ours.
fn cookie(oidc: &Oidc, headers: &HeaderMap) -> Option<String> {
    let name = cookie_name(oidc);
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut values = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = values.find(|(key, _)| *key == name)?;
    let ours = value.len() == COOKIE_LENGTH && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    ours.then(|| value.to_owned())
}

/// Lax: it comes along when the provider sends the browser back, and with no form of another site.
fn set_cookie(oidc: &Oidc, browser: &str) -> Option<HeaderValue> {
    let secure = if oidc.is_https() { "; Secure" } else { "" };
    let seconds = crate::oidc::TIME.as_secs();
    let cookie = format!("{}={browser}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}", cookie_name(oidc));
    HeaderValue::from_str(&cookie).ok()
}
