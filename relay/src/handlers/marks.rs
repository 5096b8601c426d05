//! How far people have come in what they write to each other, and that they are at it.

use std::time::Instant;

use axum::{Json as Reply, extract::State};
use proto::{
    Chat, Event, MessageId, Name,
    api::{Done, MoveMarks, Types},
    chat::{Conversation, Group, Marks, Preview},
    limits::{CONVERSATIONS_MAX, PREVIEW_MAX, TYPING},
};

use super::{
    chat::place::{Room, place, room, room_to_write},
    groups,
};
use crate::{
    app::App,
    extract::{Caller, Json},
    hub::session::Counts,
    refusal::{Answer, Refusal},
    store::{AccountId, ConversationRow, GroupRow, Place, Reached},
};

/// `POST /v1/chat/marks`.
pub(crate) async fn move_marks(
    State(app): State<App>,
    Caller(session): Caller,
    Json(wish): Json<MoveMarks>,
) -> Answer<Reply<Done>> {
    let me = session.account;
    let number = |id: Option<MessageId>| id.map_or(0, |id| id.0);
    let reached = Reached { delivered: number(wish.delivered), read: number(wish.read) };
    let work = app.clone();
    app.see_through(async move {
        let order = work.chat_order.lock().await;
        let room = room(&work, me, &wish.chat).await?;
        let others = others(&work, &room, me);
        // What is shown is shown to all of them, later too. Where one may not know nobody does, until they move once more: in a group of somebody
        // whom they have blocked they are still, as who is offline is.
        let show = !others.is_empty() && others.len() + 1 == room.people().len();
        let Some(moved) = work.store.move_marks(me, &room.place, reached, show).await? else { return Ok(Reply(Done {})) };
        let Some(name) = work.hub.name(me) else { return Ok(Reply(Done {})) };
        let marks = marks(name.clone(), moved.own, room.floor(me));
        if moved.shown_moved {
            let chat = as_others_see(&wish.chat, name);
            work.hub.tell(&others, &Event::Marks { chat, marks: marks.clone(), unread: None });
        }
        if moved.own_moved {
            let unread = Some(work.store.unread(me, &room.place).await?);
            work.hub.tell(&[me], &Event::Marks { chat: wish.chat, marks, unread });
        }
        drop(order);
        Ok(Reply(Done {}))
    })
    .await
}

/// `POST /v1/chat/typing`.
pub(crate) async fn typing(State(app): State<App>, Caller(session): Caller, Json(wish): Json<Types>) -> Answer<Reply<Done>> {
    session.take(Counts::Typing, Instant::now()).map_err(Refusal::rate_limited)?;
    let me = session.account;
    let room = room_to_write(&app, me, place(&app, &wish.chat)?).await?;
    let Some(name) = app.hub.name(me) else { return Ok(Reply(Done {})) };
    let chat = as_others_see(&wish.chat, name.clone());
    let expires_in_ms = u64::try_from(TYPING.as_millis()).unwrap_or(u64::MAX);
    app.hub.tell(&others(&app, &room, me), &Event::Typing { chat, name, expires_in_ms });
    Ok(Reply(Done {}))
}

/// A conversation of this person's as the others there call it.
fn as_others_see(chat: &Chat, me: Name) -> Chat {
    match chat {
        Chat::With(_) => Chat::With(me),
        Chat::Group(group) => Chat::Group(group.clone()),
    }
}

/// The others in a conversation who may learn what someone does there.
fn others(app: &App, room: &Room, me: AccountId) -> Vec<AccountId> {
    let mut others = room.people();
    others.retain(|other| *other != me && app.hub.shows_doings(me, *other, &room.place));
    others
}

/// What a client that knows nothing must know of groups and conversations.
pub(crate) async fn everything(app: &App, me: AccountId) -> Answer<(Vec<Group>, Vec<Conversation>)> {
    let groups = app.store.groups_of(me).await?;
    let rows = app.store.conversations_of(me, CONVERSATIONS_MAX).await?;
    let conversations = rows.into_iter().filter_map(|row| conversation(app, me, row, &groups)).collect();
    let groups = groups.iter().map(|group| groups::shown(app, group)).collect::<Answer<Vec<_>>>()?;
    Ok((groups, conversations))
}

/// `None` when someone in it has just been removed from the relay.
fn conversation(app: &App, me: AccountId, row: ConversationRow, groups: &[GroupRow]) -> Option<Conversation> {
    let own = app.hub.name(me)?;
    let (chat, all) = match row.place {
        Place::With(other) => {
            let name = app.hub.name(other)?;
            let all = vec![marks(own, row.own, 0), marks(name.clone(), row.shown, 0)];
            (Chat::With(name), all)
        }
        Place::Group(id) => {
            let group = groups.iter().find(|group| group.id == id)?;
            let mut all = vec![marks(own, row.own, group.member(me)?.after)];
            let others = group.members.iter().filter(|member| member.account != me);
            all.extend(others.filter_map(|member| Some(marks(app.hub.name(member.account)?, member.shown, member.after))));
            (Chat::Group(id), all)
        }
    };
    let last = match row.last {
        None => None,
        Some(last) => Some(Preview {
            id: MessageId(last.id),
            from: app.hub.name(last.from)?,
            text: last.text.chars().take(PREVIEW_MAX).collect(),
            attachments: last.attached,
            sent_at_ms: last.sent_at_ms,
            deleted: last.deleted,
        }),
    };
    Some(Conversation { chat, last, unread: row.unread, marks: all })
}

fn marks(name: Name, reached: Reached, after: u64) -> Marks {
    let after = Some(MessageId(after)).filter(|after| after.0 > 0);
    Marks { name, delivered: MessageId(reached.delivered), read: MessageId(reached.read), after }
}
