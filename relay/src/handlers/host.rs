//! Links into calls, and what the owner of a call may do.

use std::time::Instant;

use axum::{Json as Reply, extract::State};
use proto::{
    CallId,
    api::{Done, JoinByLink, Joined, Linked, OnePeer, SetLock},
};

use super::calls::not_a_peer;
use crate::{
    app::App,
    extract::{Caller, Id, Json},
    hub::switchboard::Refused,
    refusal::{Answer, Refusal},
    token::{self, TokenHash},
};

/// `POST /v1/calls/join`.
pub(crate) async fn join(State(app): State<App>, Caller(session): Caller, Json(wish): Json<JoinByLink>) -> Answer<Reply<Joined>> {
    // It has 256 random bits: nobody comes upon one by guessing.
    let link = TokenHash::of(wish.link.reveal());
    let joined = app.hub.join_by_link(&session, &link, Instant::now())?;
    app.hub.flush().await;
    Ok(Reply(joined))
}

/// `POST /v1/calls/ID/link`.
pub(crate) async fn link(State(app): State<App>, Caller(session): Caller, Id(id): Id) -> Answer<Reply<Linked>> {
    let (id, link) = (CallId::new(id), token::call_link()?);
    let linked = app.hub.link(&session, &id, TokenHash::of(link.reveal()), Instant::now());
    linked.map_err(|refused| refusal(&app, &id, refused))?;
    app.hub.flush().await;
    Ok(Reply(Linked { link }))
}

/// `DELETE /v1/calls/ID/link`.
pub(crate) async fn unlink(State(app): State<App>, Caller(session): Caller, Id(id): Id) -> Answer<Reply<Done>> {
    let id = CallId::new(id);
    app.hub.unlink(&session, &id, Instant::now()).map_err(|refused| refusal(&app, &id, refused))?;
    app.hub.flush().await;
    Ok(Reply(Done {}))
}

/// `POST /v1/calls/ID/mute`.
pub(crate) async fn mute(
    State(app): State<App>,
    Caller(session): Caller,
    Id(id): Id,
    Json(whom): Json<OnePeer>,
) -> Answer<Reply<Done>> {
    let id = CallId::new(id);
    app.hub.mute(&session, &id, whom.peer, Instant::now()).map_err(|refused| refusal(&app, &id, refused))?;
    app.hub.flush().await;
    Ok(Reply(Done {}))
}

/// `POST /v1/calls/ID/remove`.
pub(crate) async fn remove(
    State(app): State<App>,
    Caller(session): Caller,
    Id(id): Id,
    Json(whom): Json<OnePeer>,
) -> Answer<Reply<Done>> {
    let id = CallId::new(id);
    app.hub.expel(&session, &id, whom.peer, Instant::now()).map_err(|refused| refusal(&app, &id, refused))?;
    app.hub.flush().await;
    Ok(Reply(Done {}))
}

/// `POST /v1/calls/ID/lock`.
pub(crate) async fn lock(
    State(app): State<App>,
    Caller(session): Caller,
    Id(id): Id,
    Json(wish): Json<SetLock>,
) -> Answer<Reply<Done>> {
    let id = CallId::new(id);
    app.hub.lock_call(&session, &id, wish.locked, Instant::now()).map_err(|refused| refusal(&app, &id, refused))?;
    app.hub.flush().await;
    Ok(Reply(Done {}))
}

fn refusal(app: &App, id: &CallId, refused: Refused) -> Refusal {
    match refused {
        Refused::NoSuchCall => not_a_peer(app, id),
        refused => refused.into(),
    }
}
