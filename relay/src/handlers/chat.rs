//! Messages: to write, read, change and delete them.

pub(crate) mod place;

use axum::{Json as Reply, extract::State};
use proto::{
    AttachmentId, ErrorCode, Event, MessageId,
    api::{EditChat, History, PageHistory, SendChat},
    chat::Attachment,
    limits::{ATTACHMENTS_MAX, EDIT_WINDOW, HISTORY_MAX, HTML_MAX, TEXT_MAX},
    model::Message,
};

use self::place::{Room, room, room_to_write};
use super::check_client_id;
use crate::{
    app::App,
    extract::{Caller, Id, Json, Query},
    html,
    refusal::{Answer, Refusal},
    store::{AccountId, AttachmentRow, Kept, NewMessage, Page, Place, wall_clock_ms},
};

/// Messages of a page when the client doesn't say.
const PAGE: u32 = 50;

/// `POST /v1/chat`.
pub(crate) async fn send(State(app): State<App>, Caller(session): Caller, Json(wish): Json<SendChat>) -> Answer<Reply<Message>> {
    check_client_id(&wish.client_id)?;
    if wish.attachments.len() > ATTACHMENTS_MAX {
        return Err(Refusal::bad_request(format!("A message has at most {ATTACHMENTS_MAX} attachments.")));
    }
    let words = Words::read(wish.text, wish.html, !wish.attachments.is_empty())?;
    let chat = proto::Chat::from_parts(wish.to, wish.group);
    let chat = chat.map_err(|_| Refusal::bad_request("A message goes to one person (to) or to one group (group)."))?;
    let attachments = wish.attachments.into_iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>();
    let (work, me) = (app.clone(), session.account);
    app.see_through(async move {
        let order = work.chat_order.lock().await;
        let place = place::place(&work, &chat)?;
        // Before anything else is looked at: its answer was lost, and much may have changed since.
        if let Some(kept) = work.store.message_sent(me, &wish.client_id).await? {
            let untouched = kept.edited_at_ms.is_none() && !kept.deleted;
            let same_files = || kept.attachments.iter().map(|attachment| &attachment.id).eq(&attachments);
            let same_words = || (&kept.text, &kept.html) == (&words.text, &words.html);
            if kept.to != place || untouched && !(same_words() && same_files()) {
                return Err(Refusal::bad_request("This client id was used for another message."));
            }
            return shown(&work, kept).map(Reply);
        }
        let room = room_to_write(&work, me, place).await?;
        let withheld = withheld(&work, me, &room.place);
        let new = NewMessage {
            from: me,
            to: &room.place,
            text: &words.text,
            html: words.html.as_deref(),
            attachments: &attachments,
            client_id: &wish.client_id,
            withheld,
        };
        let no_attachment = || Refusal::not_found("An attachment is not there any more, or is not yours: upload it again.");
        let message = shown(&work, work.store.keep_message(new).await?.ok_or_else(no_attachment)?)?;
        let people = if withheld { vec![me] } else { room.people() };
        work.hub.tell(&people, &Event::Chat { message: message.clone() });
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
    let limit = wish.limit.unwrap_or(PAGE);
    if !(1..=HISTORY_MAX).contains(&limit) {
        return Err(Refusal::bad_request(format!("A page has 1 to {HISTORY_MAX} messages.")));
    }
    let me = session.account;
    let room = room(&app, me, &wish.chat).await?;
    let floor = room.floor(me);
    let page = Page { me, place: room.place, floor, before: wish.before, after: wish.after, limit };
    let (messages, more) = app.store.page(page).await?;
    let messages = messages.into_iter().map(|kept| shown(&app, kept)).collect::<Answer<Vec<_>>>()?;
    Ok(Reply(History { messages, more }))
}

/// `POST /v1/chat/ID`.
pub(crate) async fn edit(
    State(app): State<App>,
    Caller(session): Caller,
    Id(id): Id,
    Json(wish): Json<EditChat>,
) -> Answer<Reply<Message>> {
    let id = message_id(&id)?;
    let (work, me) = (app.clone(), session.account);
    app.see_through(async move {
        let order = work.chat_order.lock().await;
        let before = own_message(&work, me, id).await?;
        let words = Words::read(wish.text, wish.html, !before.attachments.is_empty())?;
        if before.deleted {
            return Err(no_such_message());
        }
        let age_ms = wall_clock_ms().saturating_sub(i64::try_from(before.sent_at_ms).unwrap_or(i64::MAX));
        if u128::try_from(age_ms).unwrap_or(0) > EDIT_WINDOW.as_millis() {
            let hours = EDIT_WINDOW.as_secs() / 3600;
            return Err(Refusal::new(ErrorCode::Forbidden, format!("A message can be changed for {hours} hours.")));
        }
        let room = place::room_at(&work, me, before.to.clone()).await?;
        room.check_may_write(&work, me)?;
        if (&before.text, &before.html) == (&words.text, &words.html) {
            return shown(&work, before).map(Reply);
        }
        let withheld = withheld(&work, me, &room.place);
        let after = work.store.edit_message(me, id, &words.text, words.html.as_deref(), withheld).await?;
        let after = after.ok_or_else(no_such_message)?;
        let message = tell_changed(&work, &room, after)?;
        drop(order);
        Ok(Reply(message))
    })
    .await
}

/// `DELETE /v1/chat/ID`.
pub(crate) async fn delete(State(app): State<App>, Caller(session): Caller, Id(id): Id) -> Answer<Reply<Message>> {
    let id = message_id(&id)?;
    let (work, me) = (app.clone(), session.account);
    app.see_through(async move {
        let order = work.chat_order.lock().await;
        let before = own_message(&work, me, id).await?;
        if before.deleted {
            return shown(&work, before).map(Reply);
        }
        // Whoever has left a group may still take back what they said there.
        let room = place::room_as_it_is(&work, before.to.clone()).await?;
        let after = work.store.delete_message(me, id).await?.ok_or_else(no_such_message)?;
        let message = tell_changed(&work, &room, after)?;
        drop(order);
        Ok(Reply(message))
    })
    .await
}

/// What a message says, as it is kept.
struct Words {
    text: String,
    html: Option<String>,
}

impl Words {
    /// Checks and cleans what was sent; `blank` says whether a message may do without.
    fn read(text: String, html: Option<String>, blank: bool) -> Answer<Self> {
        if html.as_ref().is_some_and(|html| html.len() > HTML_MAX) {
            return Err(long_html());
        }
        let overdone = || Refusal::bad_request(format!("The HTML of a message has at most {} tags.", html::TAGS_MAX));
        let html = html.map(|html| html::sanitize(&html).ok_or_else(overdone)).transpose()?;
        let html = html.filter(|html| !html.trim().is_empty());
        // Characters that have a meaning in HTML are longer there.
        if html.as_ref().is_some_and(|html| html.len() > HTML_MAX) {
            return Err(long_html());
        }
        let text = match &html {
            Some(html) if text.trim().is_empty() => html::to_text(html),
            _ => text,
        };
        let empty = text.trim().is_empty();
        if empty && !blank || text.chars().count() > TEXT_MAX {
            return Err(Refusal::bad_request(format!("A message has 1 to {TEXT_MAX} characters.")));
        }
        Ok(if empty { Self { text: String::new(), html: None } } else { Self { text, html } })
    }
}

fn long_html() -> Refusal {
    Refusal::bad_request(format!("The HTML of a message has at most {HTML_MAX} bytes."))
}

fn no_such_message() -> Refusal {
    Refusal::not_found("There is no such message of yours.")
}

fn message_id(id: &str) -> Answer<u64> {
    id.parse().map_err(|_| no_such_message())
}

async fn own_message(app: &App, me: AccountId, id: u64) -> Answer<Kept> {
    app.store.message_of(me, id).await?.ok_or_else(no_such_message)
}

/// Whether what someone writes there is for themselves alone, since the other has blocked them.
fn withheld(app: &App, me: AccountId, place: &Place) -> bool {
    matches!(place, Place::With(other) if app.hub.blocks(*other, me))
}

/// Tells everyone who has the message what it is now.
fn tell_changed(app: &App, room: &Room, after: Kept) -> Answer<Message> {
    let (id, from) = (after.id, after.from);
    let withheld = after.withheld || withheld(app, from, &room.place);
    let message = shown(app, after)?;
    let mut people = if withheld { Vec::new() } else { room.readers(id) };
    people.push(from);
    app.hub.tell(&people, &Event::Chat { message: message.clone() });
    Ok(message)
}

/// A message as it goes over the wire.
fn shown(app: &App, kept: Kept) -> Answer<Message> {
    let gone = || Refusal::not_found("The other person is not here any more.");
    let (to, group) = match kept.to {
        Place::With(to) => (Some(app.hub.name(to).ok_or_else(gone)?), None),
        Place::Group(group) => (None, Some(group)),
    };
    Ok(Message {
        id: MessageId(kept.id),
        from: app.hub.name(kept.from).ok_or_else(gone)?,
        to,
        group,
        text: kept.text,
        html: kept.html,
        attachments: kept.attachments.into_iter().map(attachment).collect(),
        sent_at_ms: kept.sent_at_ms,
        edited_at_ms: kept.edited_at_ms,
        deleted: kept.deleted,
        client_id: kept.client_id,
    })
}

/// An attachment as it goes over the wire.
pub(crate) fn attachment(row: AttachmentRow) -> Attachment {
    Attachment { id: AttachmentId::new(row.id), name: row.name, kind: row.kind, size: row.size, sha256: row.hash }
}
