//! How one wants to be seen, of whom one wants nothing, what one has missed, and what whoever runs the relay should know.

use std::time::Instant;

use axum::{Json as Reply, extract::State};
use proto::{
    ErrorCode, Name,
    api::{Block, Done, Report, SeenMissed},
    limits::{BLOCKED_MAX, LINE_MAX, REPORT_MAX, REPORTS_OPEN_MAX},
    model::{Choice, OwnPresence},
};

use super::buddies::{name_in_path, someone};
use crate::{
    app::App,
    extract::{Caller, Id, Json},
    hub::presence::TooManyBlocked,
    refusal::{Answer, Refusal},
    store::AccountId,
    text::straight,
};

/// `POST /v1/presence`.
pub(crate) async fn set_presence(
    State(app): State<App>,
    Caller(session): Caller,
    Json(wish): Json<OwnPresence>,
) -> Answer<Reply<Done>> {
    if wish.choice == Choice::Unknown {
        return Err(Refusal::bad_request("Choose available, away, do_not_disturb or invisible."));
    }
    let own = OwnPresence { choice: wish.choice, text: straight(&wish.text).trim().to_owned() };
    // A separator of lines or paragraphs is no control character, and breaks the line all the same.
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if own.text.chars().count() > LINE_MAX || own.text.chars().any(breaks) {
        return Err(Refusal::bad_request(format!("The text is one line of at most {LINE_MAX} characters.")));
    }
    let work = app.clone();
    app.see_through(async move {
        let order = work.buddy_order.lock().await;
        work.store.set_presence(session.account, &own).await?;
        work.hub.set_presence(session.account, own, Instant::now());
        drop(order);
        Ok(Reply(Done {}))
    })
    .await
}

/// `POST /v1/blocks`.
pub(crate) async fn block(State(app): State<App>, Caller(session): Caller, Json(wish): Json<Block>) -> Answer<Reply<Done>> {
    let other = someone(&app, &wish.name)?;
    if other == session.account {
        return Err(Refusal::bad_request("That is you."));
    }
    let work = app.clone();
    app.see_through(async move {
        // Messages are kept and told in their order: none is half told when this takes effect.
        let orders = (work.buddy_order.lock().await, work.chat_order.lock().await);
        let now = Instant::now();
        let row = work.hub.may_block(session.account, other, now).map_err(|TooManyBlocked| {
            Refusal::new(ErrorCode::Forbidden, format!("You have blocked {BLOCKED_MAX} people, which is as many as go."))
        })?;
        if let Some(row) = row {
            work.store.add_block(row).await?;
            work.hub.block(row, now);
        }
        drop(orders);
        Ok(Reply(Done {}))
    })
    .await
}

/// `DELETE /v1/blocks/NAME`.
pub(crate) async fn unblock(State(app): State<App>, Caller(session): Caller, Id(name): Id) -> Answer<Reply<Done>> {
    let other = someone(&app, &name_in_path(&name)?)?;
    let work = app.clone();
    app.see_through(async move {
        let order = work.buddy_order.lock().await;
        work.store.remove_block(session.account, other).await?;
        work.hub.unblock(session.account, other);
        drop(order);
        Ok(Reply(Done {}))
    })
    .await
}

/// Refuses what the one who asks can only want of somebody they haven't blocked.
pub(crate) fn check_not_blocked(app: &App, who: AccountId, whom: AccountId, name: &Name) -> Answer<()> {
    if app.hub.blocks(who, whom) {
        return Err(Refusal::new(ErrorCode::Forbidden, format!("You have blocked {name}: unblock them first.")));
    }
    Ok(())
}

/// `POST /v1/reports`.
pub(crate) async fn report(State(app): State<App>, Caller(session): Caller, Json(wish): Json<Report>) -> Answer<Reply<Done>> {
    let text = straight(&wish.text);
    let text = text.trim();
    // Whoever runs the relay reads it in a terminal, and must not be played tricks there.
    if text.is_empty() || text.chars().count() > REPORT_MAX || text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err(Refusal::bad_request(format!("A report has 1 to {REPORT_MAX} characters and says what happened.")));
    }
    let about = someone(&app, &wish.name)?;
    if about == session.account {
        return Err(Refusal::bad_request("That is you."));
    }
    app.doorman.report(session.account, Instant::now()).map_err(Refusal::rate_limited)?;
    if !app.store.add_report(session.account, about, text, REPORTS_OPEN_MAX).await? {
        let waits = "So many reports of yours wait already: whoever runs the relay has to look at them first.";
        return Err(Refusal::new(ErrorCode::Forbidden, waits));
    }
    tracing::info!("someone has reported somebody: tvphone-relay admin report list");
    Ok(Reply(Done {}))
}

/// `POST /v1/missed/seen`.
pub(crate) async fn see_missed(
    State(app): State<App>,
    Caller(session): Caller,
    Json(wish): Json<SeenMissed>,
) -> Answer<Reply<Done>> {
    let from = wish.from.as_ref().map(|name| someone(&app, name)).transpose()?;
    app.hub.see_missed(session.account, from, i64::try_from(wish.up_to_ms).unwrap_or(i64::MAX));
    app.hub.flush().await;
    Ok(Reply(Done {}))
}
