//! Accounts and sessions.

use std::time::Instant;

use axum::{Json as Reply, extract::State};
use proto::{
    ErrorCode,
    api::{Done, SignIn, SignUp, SignedIn},
    limits::{PASSWORD_MAX, PASSWORD_MIN},
    version::negotiate,
};

use crate::{
    app::App,
    extract::{Anyone, Caller, Json},
    refusal::{Answer, Refusal},
    store::SessionRow,
    token::{self, TokenHash},
};

/// Longest name of a device, in characters: longer ones are cut.
const DEVICE_MAX: usize = 64;

/// What is wrong with a password as such.
pub(crate) fn check_password(password: &str) -> Result<(), &'static str> {
    if password.chars().count() < PASSWORD_MIN {
        Err("A password has at least 8 characters.")
    } else if password.len() > PASSWORD_MAX {
        Err("A password has at most 256 bytes.")
    } else {
        Ok(())
    }
}

/// `POST /v1/accounts`.
pub(crate) async fn sign_up(State(app): State<App>, Anyone(from): Anyone, Json(wish): Json<SignUp>) -> Answer<Reply<Done>> {
    if !app.config.sign_up {
        return Err(Refusal::new(ErrorCode::SignUpClosed, "This relay takes no new accounts: ask whoever runs it for one."));
    }
    check_password(&wish.password).map_err(Refusal::bad_request)?;
    app.doorman.sign_up(from, Instant::now()).map_err(Refusal::rate_limited)?;
    let taken = || Refusal::new(ErrorCode::NameTaken, "The name is taken: choose another.");
    if app.hub.person_named(&wish.name).is_some() {
        return Err(taken());
    }
    let hash = app.hasher.hash(wish.password).await?;
    let work = app.clone();
    app.see_through(async move {
        let id = work.store.add_account(&wish.name, &hash).await?.ok_or_else(taken)?;
        work.hub.add_person(id, wish.name);
        Ok(Reply(Done {}))
    })
    .await
}

/// `POST /v1/session`.
pub(crate) async fn sign_in(State(app): State<App>, Anyone(from): Anyone, Json(wish): Json<SignIn>) -> Answer<Reply<SignedIn>> {
    let version = negotiate(&wish.versions)
        .ok_or_else(|| Refusal::new(ErrorCode::UnsupportedVersion, "This relay speaks none of the versions offered."))?;
    let guess = app.doorman.sign_in(from, &wish.name, Instant::now()).map_err(Refusal::rate_limited)?;
    let found = app.store.account_by_name(&wish.name).await?;
    let (account, hash) = found.map_or((None, None), |(account, hash)| (Some(account), Some(hash)));
    // A longer one can't be anyone's, and isn't worth the hashing.
    let plausible = wish.password.len() <= PASSWORD_MAX;
    let verified = if plausible { app.hasher.verify(wish.password, hash).await } else { Ok(false) };
    let right = verified.inspect_err(|_| app.doorman.no_guess(guess.clone()))?;
    let Some(account) = account.filter(|_| right) else {
        return Err(Refusal::new(ErrorCode::WrongPassword, "Name or password is wrong."));
    };
    app.doorman.no_guess(guess);
    let device = wish.device.chars().filter(|c| !c.is_control()).take(DEVICE_MAX).collect::<String>();
    let work = app.clone();
    app.see_through(async move {
        let now = Instant::now();
        let token = token::token()?;
        let hash = TokenHash::of(token.reveal());
        // An account made by the admin command a moment ago may not have been noticed yet.
        work.hub.add_person(account.id, account.name.clone());
        work.limit_sessions(account.id, now).await?;
        let id = work.store.add_session(&hash, account.id, &device).await?;
        work.add_session(&SessionRow { id, account: account.id, token: hash }, now);
        Ok(Reply(SignedIn { token, name: account.name, version }))
    })
    .await
}

/// `DELETE /v1/session`.
pub(crate) async fn sign_out(State(app): State<App>, Caller(session): Caller) -> Answer<Reply<Done>> {
    let work = app.clone();
    app.see_through(async move {
        work.store.remove_session(session.id).await?;
        work.hub.sign_out(&session, Instant::now());
        work.hub.flush().await;
        Ok(Reply(Done {}))
    })
    .await
}
