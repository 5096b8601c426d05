//! Chat between two people.

use axum::{Json as Reply, extract::State};
use proto::{
    ErrorCode, Event, MessageId,
    api::{History, PageHistory, SendChat},
    limits::{HISTORY_MAX, TEXT_MAX},
    model::{Message, Relation},
};

use super::{buddies::someone, check_client_id, people::check_not_blocked};
use crate::{
    app::App,
    extract::{Caller, Json, Query},
    refusal::{Answer, Refusal},
    store::{Kept, NewMessage, Page},
};

/// Messages of a page when the client doesn't say.
const PAGE: u32 = 50;

/// `POST /v1/chat`.
pub(crate) async fn send(State(app): State<App>, Caller(session): Caller, Json(wish): Json<SendChat>) -> Answer<Reply<Message>> {
    if wish.text.trim().is_empty() || wish.text.chars().count() > TEXT_MAX {
        return Err(Refusal::bad_request(format!("A message has 1 to {TEXT_MAX} characters.")));
    }
    check_client_id(&wish.client_id)?;
    let to = someone(&app, &wish.to)?;
    if app.hub.relation(session.account, to) != Some(Relation::Mutual) {
        return Err(Refusal::new(ErrorCode::Forbidden, format!("{} is not your buddy yet.", wish.to)));
    }
    check_not_blocked(&app, session.account, to, &wish.to)?;
    let work = app.clone();
    app.see_through(async move {
        let order = work.chat_order.lock().await;
        let withheld = work.hub.blocks(to, session.account);
        let new = NewMessage { from: session.account, to, text: &wish.text, client_id: &wish.client_id, withheld };
        let (kept, is_new) = work.store.keep_message(new).await?;
        if !is_new && (kept.to != to || kept.text != wish.text) {
            return Err(Refusal::bad_request("This client id was used for another message."));
        }
        let message = shown(&work, kept)?;
        if is_new {
            let people = if withheld { vec![session.account] } else { vec![session.account, to] };
            work.hub.tell(&people, &Event::Chat { message: message.clone() });
        }
        drop(order);
        Ok(Reply(message))
    })
    .await
}

/// `GET /v1/chat`.
pub(crate) async fn history(
    State(app): State<App>,
    Caller(session): Caller,
    Query(wish): Query<PageHistory>,
) -> Answer<Reply<History>> {
    let other = someone(&app, &wish.with)?;
    let limit = wish.limit.unwrap_or(PAGE);
    if !(1..=HISTORY_MAX).contains(&limit) {
        return Err(Refusal::bad_request(format!("A page has 1 to {HISTORY_MAX} messages.")));
    }
    let page = Page { one: session.account, other, before: wish.before, after: wish.after, limit };
    let (messages, more) = app.store.page(page).await?;
    let messages = messages.into_iter().map(|kept| shown(&app, kept)).collect::<Answer<Vec<_>>>()?;
    Ok(Reply(History { messages, more }))
}

fn shown(app: &App, kept: Kept) -> Answer<Message> {
    let gone = || Refusal::not_found("The other person is not here any more.");
    Ok(Message {
        id: MessageId(kept.id),
        from: app.hub.name(kept.from).ok_or_else(gone)?,
        to: app.hub.name(kept.to).ok_or_else(gone)?,
        text: kept.text,
        sent_at_ms: kept.sent_at_ms,
        client_id: kept.client_id,
    })
}
