//! The buddy list.

use axum::{Json as Reply, extract::State};
use proto::{
    ErrorCode, Name,
    api::{AddBuddy, Done},
    limits::BUDDIES_MAX,
    model::Relation,
};

use super::people::check_not_blocked;
use crate::{
    app::App,
    extract::{Caller, Id, Json},
    refusal::{Answer, Refusal},
    store::AccountId,
};

/// Finds someone by name.
pub(crate) fn someone(app: &App, name: &Name) -> Answer<AccountId> {
    app.hub.person_named(name).ok_or_else(|| Refusal::not_found(format!("There is nobody called {name} here.")))
}

/// The name that stands in a path.
pub(crate) fn name_in_path(text: &str) -> Answer<Name> {
    text.parse::<Name>().map_err(|error| Refusal::bad_request(format!("{error}.")))
}

/// `POST /v1/buddies`.
pub(crate) async fn add(State(app): State<App>, Caller(session): Caller, Json(wish): Json<AddBuddy>) -> Answer<Reply<Done>> {
    let buddy = someone(&app, &wish.name)?;
    if buddy == session.account {
        return Err(Refusal::bad_request("That is you."));
    }
    check_not_blocked(&app, session.account, buddy, &wish.name)?;
    let work = app.clone();
    app.see_through(async move {
        let order = work.buddy_order.lock().await;
        match work.hub.relation(session.account, buddy) {
            Some(Relation::Mutual | Relation::Asked) => return Ok(Reply(Done {})),
            Some(_) => {}
            None if work.hub.buddies(session.account) >= BUDDIES_MAX => {
                return Err(Refusal::new(ErrorCode::Forbidden, "Your buddy list is full."));
            }
            None if work.hub.buddies(buddy) >= BUDDIES_MAX => {
                return Err(Refusal::new(ErrorCode::Forbidden, "Their buddy list is full."));
            }
            None => {}
        }
        work.store.add_buddy(session.account, buddy).await?;
        work.hub.set_wishes(session.account, &work.store.buddies_of(session.account).await?);
        drop(order);
        Ok(Reply(Done {}))
    })
    .await
}

/// `DELETE /v1/buddies/NAME`.
pub(crate) async fn remove(State(app): State<App>, Caller(session): Caller, Id(name): Id) -> Answer<Reply<Done>> {
    let buddy = someone(&app, &name_in_path(&name)?)?;
    let work = app.clone();
    app.see_through(async move {
        let order = work.buddy_order.lock().await;
        work.store.remove_buddies(session.account, buddy).await?;
        work.hub.set_wishes(session.account, &work.store.buddies_of(session.account).await?);
        drop(order);
        Ok(Reply(Done {}))
    })
    .await
}
