//! Signing in by the browser: what the app asks. What the browser is shown is in [`browser`].

pub(crate) mod browser;
mod page;

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use axum::{Json as Reply, extract::State, http::HeaderMap};
use proto::{
    ErrorCode,
    api::{BeginOidc, Done, OidcAnswer, OidcBegun, PollOidc, SignedIn},
    limits::WAIT_MAX,
    version::negotiate,
};

use super::sessions;
use crate::{
    app::App,
    code,
    extract::{Anyone, Json, Query, bearer},
    oidc::{Asker, Failure, Oidc, Polled, TIME},
    refusal::{Answer, Refusal},
    store::AccountId,
    token::{self, TokenHash},
};

/// `POST /v1/oidc`.
pub(crate) async fn begin(State(app): State<App>, Anyone(from): Anyone, Json(wish): Json<BeginOidc>) -> Answer<Reply<OidcBegun>> {
    let oidc = offered(&app)?;
    let version = negotiate(&wish.versions)
        .ok_or_else(|| Refusal::new(ErrorCode::UnsupportedVersion, "This relay speaks none of the versions offered."))?;
    let now = Instant::now();
    app.doorman.sign_in_elsewhere(from, now).map_err(Refusal::rate_limited)?;
    if !oidc.is_there().await {
        let message = format!("{} can't be reached from the relay: try again in a moment.", oidc.name());
        return Err(Refusal::new(ErrorCode::Internal, message));
    }
    let (secret, handle, code) = (token::token()?, token::token()?, code::pairing()?);
    let asker = Asker { code: code.clone(), device: sessions::device_name(&wish.device), version, from };
    let (hash, url) = (TokenHash::of(handle.reveal()), oidc.page(&handle));
    oidc.pending().begin(TokenHash::of(secret.reveal()), hash, asker, now).map_err(Refusal::rate_limited)?;
    let expires_in_ms = u64::try_from(TIME.as_millis()).unwrap_or(u64::MAX);
    Ok(Reply(OidcBegun { url, code, secret, expires_in_ms }))
}

/// `GET /v1/oidc`.
pub(crate) async fn poll(
    State(app): State<App>,
    Anyone(_): Anyone,
    headers: HeaderMap,
    Query(poll): Query<PollOidc>,
) -> Answer<Reply<OidcAnswer>> {
    let oidc = offered(&app)?;
    let secret = bearer(&headers).ok_or_else(over)?;
    let until = Instant::now() + Duration::from_millis(poll.wait_ms).min(WAIT_MAX);
    // An older poll that still waits, on a connection the app may have given up, gives way.
    let (mine, wake) = oidc.pending().poll_begins(&secret).ok_or_else(over)?;
    loop {
        let mut woken = pin!(wake.notified());
        woken.as_mut().enable();
        let polled = oidc.pending().poll(&secret, Instant::now()).ok_or_else(over)?;
        match polled {
            Polled::Wait => {}
            Polled::Begin(account, asker) => return session(&app, secret, account, asker).await.map(answer),
            Polled::Again(signed_in) => return Ok(answer(signed_in)),
            Polled::Failed(failure) => return Err(refused(oidc, failure)),
        }
        let replaced = !oidc.pending().is_newest(&secret, mine);
        if replaced || app.is_stopping() || tokio::time::timeout_at(until.into(), woken).await.is_err() {
            return Ok(Reply(OidcAnswer { signed_in: None }));
        }
    }
}

/// `DELETE /v1/oidc`.
pub(crate) async fn cancel(State(app): State<App>, Anyone(_): Anyone, headers: HeaderMap) -> Answer<Reply<Done>> {
    let oidc = offered(&app)?;
    if let Some(secret) = bearer(&headers) {
        oidc.pending().cancel(&secret);
    }
    Ok(Reply(Done {}))
}

fn answer(signed_in: SignedIn) -> Reply<OidcAnswer> {
    Reply(OidcAnswer { signed_in: Some(signed_in) })
}

/// Begins the session of someone who has signed in.
async fn session(app: &App, secret: TokenHash, account: AccountId, asker: Asker) -> Answer<SignedIn> {
    let work = app.clone();
    let begun = app.see_through(async move {
        let oidc = offered(&work)?;
        let gone = || Refusal::new(ErrorCode::Forbidden, "This account is gone: sign in again.");
        let begun = async {
            let row = work.store.account(account).await?.ok_or_else(gone)?;
            let kept = work.store.password(account).await?.ok_or_else(gone)?;
            sessions::begin(&work, row, &kept, &asker.device, asker.version).await?.ok_or_else(gone)
        };
        let begun = begun.await;
        match &begun {
            Ok(signed_in) => oidc.pending().answered(&secret, signed_in.clone(), Instant::now()),
            // The database may have failed for a moment: who asks again gets another try.
            Err(_) => oidc.pending().finish(&secret, Ok(account)),
        }
        begun
    });
    begun.await
}

/// The provider, where there is one.
fn offered(app: &App) -> Answer<&Oidc> {
    app.oidc.as_ref().ok_or_else(|| Refusal::not_found("This relay has nobody else to sign in at: sign in by password."))
}

fn over() -> Refusal {
    Refusal::not_found("This sign-in is over, or took too long: begin again.")
}

fn refused(oidc: &Oidc, failure: Failure) -> Refusal {
    let name = oidc.name();
    let message = match failure {
        Failure::Declined => format!("The sign-in at {name} was broken off: begin again."),
        Failure::NotAllowed => format!("You are known to {name}, but this relay is not for everyone there: ask whoever runs it."),
        Failure::Provider => {
            format!("{name} did not answer as it should: begin again, and tell whoever runs the relay if it goes on.")
        }
        Failure::Internal => "The relay failed: begin again, and tell whoever runs it if it goes on.".to_owned(),
    };
    Refusal::new(ErrorCode::Forbidden, message)
}
