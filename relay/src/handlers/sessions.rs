//! Sessions: beginning one, looking at one's own, ending them.

use std::{cmp::Reverse, time::Instant};

use axum::{Json as Reply, extract::State};
use proto::{
    ErrorCode, SessionId,
    api::{Done, OwnSession, Sessions, SignIn, SignedIn},
    limits::PASSWORD_MAX,
    version::negotiate,
};

use crate::{
    app::App,
    extract::{Anyone, Caller, Id, Json},
    refusal::{Answer, Refusal},
    store::{AccountRow, NewSession, SessionRow, wall_clock_ms},
    text::straight,
    token::{self, TokenHash},
};

/// Longest name of a device, in characters: longer ones are cut.
const DEVICE_MAX: usize = 64;

/// `POST /v1/session`.
pub(crate) async fn sign_in(State(app): State<App>, Anyone(from): Anyone, Json(wish): Json<SignIn>) -> Answer<Reply<SignedIn>> {
    let version = negotiate(&wish.versions)
        .ok_or_else(|| Refusal::new(ErrorCode::UnsupportedVersion, "This relay speaks none of the versions offered."))?;
    let wrong = || Refusal::new(ErrorCode::WrongPassword, "Name or password is wrong.");
    let guess = app.doorman.sign_in(from, &wish.name, Instant::now()).map_err(Refusal::rate_limited)?;
    let found = app.store.account_by_name(&wish.name).await.inspect_err(|_| app.doorman.no_guess(guess.clone()))?;
    let (account, kept) = found.map_or((None, None), |(account, hash)| (Some(account), Some(hash)));
    // A longer one can't be anyone's, and isn't worth the hashing.
    let plausible = wish.password.len() <= PASSWORD_MAX;
    let verified = if plausible { app.hasher.verify(wish.password, kept.clone()).await } else { Ok(false) };
    let right = verified.inspect_err(|_| app.doorman.no_guess(guess.clone()))?;
    let (Some(account), Some(kept), true) = (account, kept, right) else {
        app.metrics.signed_in(false);
        return Err(wrong());
    };
    app.doorman.no_guess(guess);
    let device = device_name(&wish.device);
    let work = app.clone();
    app.see_through(async move { begin(&work, account, &kept, &device, version).await?.ok_or_else(wrong).map(Reply) }).await
}

/// What a person calls a device, fit to be kept.
pub(crate) fn device_name(said: &str) -> String {
    straight(said).chars().filter(|c| !c.is_control()).take(DEVICE_MAX).collect()
}

/// Begins a session of someone who has proved to be that; `None` when the password is not `kept` any more, or the account is gone. To be seen
/// through.
pub(crate) async fn begin(app: &App, account: AccountRow, kept: &str, device: &str, version: u16) -> Answer<Option<SignedIn>> {
    let now = Instant::now();
    let (token, public) = (token::token()?, token::session_id()?);
    let hash = TokenHash::of(token.reveal());
    let order = app.session_order.lock().await;
    app.limit_sessions(account.id, now).await?;
    let public = public.as_str();
    let new = NewSession { token: hash, public, account: account.id, password: kept, device };
    let Some(id) = app.store.add_session(new).await? else { return Ok(None) };
    // One that the admin command made a moment ago may not have been noticed yet. One that it removed meanwhile has no session.
    app.hub.add_person(account.id, account.name.clone());
    app.add_session(&SessionRow { id, account: account.id, token: hash }, now);
    drop(order);
    app.metrics.signed_in(true);
    Ok(Some(SignedIn { token, name: account.name, version }))
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

/// `GET /v1/sessions`.
pub(crate) async fn list(State(app): State<App>, Caller(session): Caller) -> Answer<Reply<Sessions>> {
    let rows = app.store.sessions_of(session.account).await?;
    let (now, now_ms) = (Instant::now(), wall_clock_ms());
    let known = app.hub.sessions_of(session.account);
    let own = rows.into_iter().map(|row| {
        // The database is told now and then alone.
        let idle = known.iter().find(|known| known.id == row.id).and_then(|known| known.idle(now));
        let seen = idle.map(|idle| now_ms.saturating_sub(i64::try_from(idle.as_millis()).unwrap_or(i64::MAX)));
        OwnSession {
            id: SessionId::new(row.public),
            device: row.device,
            signed_in_at_ms: row.signed_in_at_ms.map(positive),
            seen_at_ms: positive(seen.unwrap_or(row.used_at_ms)),
            current: row.id == session.id,
        }
    });
    let mut sessions = own.collect::<Vec<_>>();
    sessions.sort_by_key(|own| Reverse(own.seen_at_ms));
    Ok(Reply(Sessions { sessions }))
}

/// `DELETE /v1/sessions/ID`.
pub(crate) async fn end(State(app): State<App>, Caller(session): Caller, Id(id): Id) -> Answer<Reply<Done>> {
    let work = app.clone();
    app.see_through(async move {
        let order = work.session_order.lock().await;
        // Among one's own alone: nobody can tell whether somebody else has one of that name.
        let rows = work.store.sessions_of(session.account).await?;
        let Some(row) = rows.into_iter().find(|row| row.public == id) else {
            return Err(Refusal::not_found("There is no such session of yours."));
        };
        work.store.remove_session(row.id).await?;
        work.drop_ended(session.account, Instant::now()).await?;
        drop(order);
        work.hub.flush().await;
        Ok(Reply(Done {}))
    })
    .await
}

/// A time before 1970 is a clock that was never set.
fn positive(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or_default()
}
