//! Groups: to make, rename and leave them, and who is in them.

use axum::{Json as Reply, extract::State};
use proto::{
    ErrorCode, Event, GroupId, Name,
    api::{AddMember, Done, MakeGroup, RenameGroup},
    chat::Group,
    limits::{GROUP_MEMBERS_MAX, GROUP_TITLE_MAX, GROUPS_MAX},
    model::Relation,
};

use super::{
    buddies::{name_in_path, someone},
    chat::place::no_such_group,
    check_client_id,
    people::check_not_blocked,
};
use crate::{
    app::App,
    extract::{Caller, Id, Ids, Json},
    refusal::{Answer, Refusal},
    store::{AccountId, GroupRow, NewGroup},
    text::straight,
    token,
};

/// `POST /v1/groups`.
pub(crate) async fn make(State(app): State<App>, Caller(session): Caller, Json(wish): Json<MakeGroup>) -> Answer<Reply<Group>> {
    check_client_id(&wish.client_id)?;
    let title = title(&wish.title)?;
    let me = session.account;
    let work = app.clone();
    app.see_through(async move {
        let order = work.chat_order.lock().await;
        // Before anything else is looked at: its answer was lost, and much may have changed since.
        if let Some(known) = work.store.group_made(me, &wish.client_id).await? {
            // Who has left it meanwhile has none.
            return shown(&work, &own(&work, me, &known).await?).map(Reply);
        }
        let mut others = Vec::new();
        for name in &wish.members {
            let other = buddy(&work, me, name)?;
            if !others.contains(&other) {
                others.push(other);
            }
        }
        if others.len() + 1 > GROUP_MEMBERS_MAX {
            return Err(full());
        }
        for account in std::iter::once(&me).chain(&others) {
            check_room_for_one_more(&work, me, *account).await?;
        }
        let id = token::group_id()?;
        let new = NewGroup { id: &id, title: &title, maker: me, others: &others, client_id: &wish.client_id };
        work.store.add_group(new).await?;
        let group = tell(&work, &own(&work, me, &id).await?)?;
        drop(order);
        Ok(Reply(group))
    })
    .await
}

/// `POST /v1/groups/ID`.
pub(crate) async fn rename(
    State(app): State<App>,
    Caller(session): Caller,
    Id(id): Id,
    Json(wish): Json<RenameGroup>,
) -> Answer<Reply<Group>> {
    let (id, title, me) = (GroupId::new(id), title(&wish.title)?, session.account);
    let work = app.clone();
    app.see_through(async move {
        let order = work.chat_order.lock().await;
        let row = own(&work, me, &id).await?;
        if row.owner() != Some(me) {
            return Err(owner_only());
        }
        if row.title == title {
            return shown(&work, &row).map(Reply);
        }
        work.store.rename_group(&id, &title).await?;
        let group = tell(&work, &own(&work, me, &id).await?)?;
        drop(order);
        Ok(Reply(group))
    })
    .await
}

/// `POST /v1/groups/ID/members`.
pub(crate) async fn add(
    State(app): State<App>,
    Caller(session): Caller,
    Id(id): Id,
    Json(wish): Json<AddMember>,
) -> Answer<Reply<Group>> {
    let (id, me) = (GroupId::new(id), session.account);
    let work = app.clone();
    app.see_through(async move {
        let order = work.chat_order.lock().await;
        let row = own(&work, me, &id).await?;
        let other = someone(&work, &wish.name)?;
        if row.member(other).is_some() {
            return shown(&work, &row).map(Reply);
        }
        let other = buddy(&work, me, &wish.name)?;
        if row.members.len() >= GROUP_MEMBERS_MAX {
            return Err(full());
        }
        check_room_for_one_more(&work, me, other).await?;
        work.store.add_member(&id, other).await?;
        let group = tell(&work, &own(&work, me, &id).await?)?;
        drop(order);
        Ok(Reply(group))
    })
    .await
}

/// `DELETE /v1/groups/ID/members/NAME`.
pub(crate) async fn remove(State(app): State<App>, Caller(session): Caller, Ids(id, name): Ids) -> Answer<Reply<Done>> {
    let (id, me) = (GroupId::new(id), session.account);
    let name = name_in_path(&name)?;
    let work = app.clone();
    app.see_through(async move {
        let order = work.chat_order.lock().await;
        let row = own(&work, me, &id).await?;
        let other = someone(&work, &name)?;
        if row.member(other).is_none() {
            return Ok(Reply(Done {}));
        }
        if other != me && row.owner() != Some(me) {
            return Err(owner_only());
        }
        work.store.remove_member(&id, other).await?;
        work.hub.tell(&[other], &Event::GroupLeft { group: id.clone() });
        if let Some(rest) = work.store.group(&id).await? {
            tell(&work, &rest)?;
        }
        drop(order);
        Ok(Reply(Done {}))
    })
    .await
}

/// A group as it goes over the wire.
pub(crate) fn shown(app: &App, row: &GroupRow) -> Answer<Group> {
    // Whoever's account is being removed at this moment has no name any more.
    let members = row.members.iter().filter_map(|member| app.hub.name(member.account)).collect::<Vec<_>>();
    let owner = members.first().cloned().ok_or_else(no_such_group)?;
    Ok(Group { id: row.id.clone(), title: row.title.clone(), owner, members })
}

/// Tells a person what their groups are now.
pub(crate) async fn tell_all_of(app: &App, account: AccountId) -> Result<(), sqlx::Error> {
    let order = app.chat_order.lock().await;
    for row in app.store.groups_of(account).await? {
        if let Ok(group) = shown(app, &row) {
            app.hub.tell(&[account], &Event::Group { group });
        }
    }
    drop(order);
    Ok(())
}

/// Tells all its members what a group is now.
fn tell(app: &App, row: &GroupRow) -> Answer<Group> {
    let group = shown(app, row)?;
    app.hub.tell(&row.accounts(), &Event::Group { group: group.clone() });
    Ok(group)
}

/// A group in which someone is.
async fn own(app: &App, me: AccountId, id: &GroupId) -> Answer<GroupRow> {
    app.store.group(id).await?.filter(|group| group.member(me).is_some()).ok_or_else(no_such_group)
}

/// Someone whom this person may bring into a group.
fn buddy(app: &App, me: AccountId, name: &Name) -> Answer<AccountId> {
    let other = someone(app, name)?;
    check_not_blocked(app, me, other, name)?;
    if app.hub.relation(me, other) == Some(Relation::Mutual) {
        return Ok(other);
    }
    Err(Refusal::new(ErrorCode::Forbidden, format!("{name} is not your buddy yet.")))
}

async fn check_room_for_one_more(app: &App, me: AccountId, account: AccountId) -> Answer<()> {
    let has_room = app.store.count_groups(account).await? < GROUPS_MAX;
    // Who has blocked them isn't theirs to know: that person has no room for them, and is asked for as long.
    if has_room && !app.hub.blocks(account, me) {
        return Ok(());
    }
    let who = if account == me { "You are" } else { "One of them is" };
    Err(Refusal::new(ErrorCode::Forbidden, format!("{who} in {GROUPS_MAX} groups, which is as many as there may be.")))
}

fn title(text: &str) -> Answer<String> {
    let title = straight(text).split_whitespace().collect::<Vec<_>>().join(" ");
    if (1..=GROUP_TITLE_MAX).contains(&title.chars().count()) && !title.chars().any(char::is_control) {
        return Ok(title);
    }
    Err(Refusal::bad_request(format!("A title has 1 to {GROUP_TITLE_MAX} characters, none of them a control character.")))
}

fn full() -> Refusal {
    Refusal::new(ErrorCode::Forbidden, format!("A group has at most {GROUP_MEMBERS_MAX} members."))
}

fn owner_only() -> Refusal {
    Refusal::new(ErrorCode::Forbidden, "Only the owner of the group may do that.")
}
