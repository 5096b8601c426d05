//! Accounts: making one, and changing its password.

use std::time::Instant;

use axum::{Json as Reply, extract::State};
use proto::{
    ErrorCode,
    api::{ChangePassword, Done, SignUp},
    limits::{PASSWORD_MAX, PASSWORD_MIN},
};

use crate::{
    app::App,
    code::Code,
    config::Admission,
    doorman::Origin,
    extract::{Anyone, Caller, Json},
    password::NO_PASSWORD,
    refusal::{Answer, Refusal},
    store::{ByCode, wall_clock_ms},
    token::TokenHash,
};

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
    if app.config.sign_up == Admission::Closed {
        return Err(Refusal::new(ErrorCode::SignUpClosed, "This relay takes no new accounts: ask whoever runs it for one."));
    }
    check_password(&wish.password).map_err(Refusal::bad_request)?;
    app.doorman.sign_up(from, Instant::now()).map_err(Refusal::rate_limited)?;
    // Before the name: who has no code isn't told which names are taken.
    let code = match app.config.sign_up {
        Admission::Code => Some(check_code(&app, from, wish.code.as_deref()).await?),
        _ => None,
    };
    let taken = || Refusal::new(ErrorCode::NameTaken, "The name is taken: choose another.");
    if app.hub.person_named(&wish.name).is_some() {
        return Err(taken());
    }
    let hash = app.hasher.hash(wish.password).await?;
    let work = app.clone();
    app.see_through(async move {
        let id = match code {
            None => work.store.add_account(&wish.name, &hash).await?.ok_or_else(taken)?,
            Some(code) => match work.store.add_account_by_code(&wish.name, &hash, &code, wall_clock_ms()).await? {
                ByCode::Made(id) => id,
                ByCode::NameTaken => return Err(taken()),
                ByCode::WrongCode => return Err(wrong_code()),
            },
        };
        work.hub.add_person(id, wish.name);
        Ok(Reply(Done {}))
    })
    .await
}

/// The hash of a code that counts now.
async fn check_code(app: &App, from: Option<Origin>, typed: Option<&str>) -> Answer<TokenHash> {
    // What can't be a code at all is no guess of one.
    let code = typed.and_then(Code::typed).ok_or_else(wrong_code)?.hash();
    let guess = app.doorman.code(from, Instant::now()).map_err(Refusal::rate_limited)?;
    let counts = app.store.code_counts(&code, wall_clock_ms()).await.inspect_err(|_| app.doorman.no_guess(guess.clone()))?;
    if !counts {
        return Err(wrong_code());
    }
    app.doorman.no_guess(guess);
    Ok(code)
}

fn wrong_code() -> Refusal {
    Refusal::new(
        ErrorCode::WrongCode,
        "An account here takes an invitation code that counts: ask whoever runs the relay for one.",
    )
}

/// `POST /v1/account/password`.
pub(crate) async fn change_password(
    State(app): State<App>,
    Caller(session): Caller,
    Anyone(from): Anyone,
    Json(wish): Json<ChangePassword>,
) -> Answer<Reply<Done>> {
    check_password(&wish.new).map_err(Refusal::bad_request)?;
    let gone = || Refusal::new(ErrorCode::Unauthorized, "This account is gone.");
    let wrong = || Refusal::new(ErrorCode::WrongPassword, "The old password is wrong.");
    let name = app.hub.name(session.account).ok_or_else(gone)?;
    // Whoever found a signed-in device guesses no faster than whoever signs in.
    let guess = app.doorman.sign_in(from, &name, Instant::now()).map_err(Refusal::rate_limited)?;
    let no_guess = || app.doorman.no_guess(guess.clone());
    let kept = app.store.password(session.account).await.inspect_err(|_| no_guess())?.ok_or_else(gone)?;
    if kept == NO_PASSWORD {
        no_guess();
        return Err(Refusal::new(
            ErrorCode::Forbidden,
            "You sign in here by your organisation, so there is no password to change: change it there.",
        ));
    }
    let plausible = wish.old.len() <= PASSWORD_MAX;
    let verified = if plausible { app.hasher.verify(wish.old, Some(kept.clone())).await } else { Ok(false) };
    if !verified.inspect_err(|_| no_guess())? {
        return Err(wrong());
    }
    no_guess();
    let hash = app.hasher.hash(wish.new).await?;
    let work = app.clone();
    app.see_through(async move {
        let order = work.session_order.lock().await;
        // Another device may have been faster.
        if !work.store.set_password(session.account, Some(&kept), &hash, Some(session.id)).await? {
            return Err(wrong());
        }
        work.drop_ended(session.account, Instant::now()).await?;
        drop(order);
        work.hub.flush().await;
        Ok(Reply(Done {}))
    })
    .await
}
