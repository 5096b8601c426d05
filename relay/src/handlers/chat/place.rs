//! Where people write, and who is there.

use proto::{Chat, ErrorCode, model::Relation};

use crate::{
    app::App,
    handlers::{buddies::someone, people::check_not_blocked},
    refusal::{Answer, Refusal},
    store::{AccountId, GroupRow, Place},
};

/// A conversation with those who are in it.
pub(crate) struct Room {
    pub(crate) place: Place,
    /// Of a group.
    pub(crate) group: Option<GroupRow>,
    /// Of a conversation of two; of a group nobody.
    pair: Vec<AccountId>,
}

impl Room {
    /// Everyone there.
    pub(crate) fn people(&self) -> Vec<AccountId> {
        self.group.as_ref().map_or_else(|| self.pair.clone(), GroupRow::accounts)
    }

    /// Those to whom a message was sent.
    pub(crate) fn readers(&self, message: u64) -> Vec<AccountId> {
        self.group.as_ref().map_or_else(|| self.pair.clone(), |group| group.readers(message))
    }

    /// Only messages after this one are this person's to read.
    pub(crate) fn floor(&self, me: AccountId) -> u64 {
        self.group.as_ref().and_then(|group| group.member(me)).map_or(0, |member| member.after)
    }

    /// Refuses to who may not write here.
    pub(crate) fn check_may_write(&self, app: &App, me: AccountId) -> Answer<()> {
        match &self.place {
            Place::With(other) if app.hub.relation(me, *other) != Some(Relation::Mutual) => {
                let other = app.hub.name(*other).map_or_else(|| "This person".to_owned(), |name| name.to_string());
                Err(Refusal::new(ErrorCode::Forbidden, format!("{other} is not your buddy yet.")))
            }
            Place::With(other) => match app.hub.name(*other) {
                Some(name) => check_not_blocked(app, me, *other, &name),
                None => Ok(()),
            },
            Place::Group(_) => Ok(()),
        }
    }
}

/// What someone speaks of.
pub(crate) fn place(app: &App, chat: &Chat) -> Answer<Place> {
    Ok(match chat {
        Chat::With(name) => Place::With(someone(app, name)?),
        Chat::Group(group) => Place::Group(group.clone()),
    })
}

/// The conversation someone speaks of; of a group they must be a member.
pub(crate) async fn room(app: &App, me: AccountId, chat: &Chat) -> Answer<Room> {
    room_at(app, me, place(app, chat)?).await
}

/// The conversation at a place where they want to write.
pub(crate) async fn room_to_write(app: &App, me: AccountId, place: Place) -> Answer<Room> {
    let room = room_at(app, me, place).await?;
    room.check_may_write(app, me)?;
    Ok(room)
}

/// The conversation at a place where someone is.
pub(crate) async fn room_at(app: &App, me: AccountId, place: Place) -> Answer<Room> {
    let mut room = room_as_it_is(app, place).await?;
    match &room.place {
        Place::With(_) => room.pair.push(me),
        Place::Group(_) if room.group.as_ref().is_none_or(|group| group.member(me).is_none()) => return Err(no_such_group()),
        Place::Group(_) => {}
    }
    Ok(room)
}

/// The conversation at a place, whoever asks.
pub(crate) async fn room_as_it_is(app: &App, place: Place) -> Answer<Room> {
    let (group, pair) = match &place {
        Place::With(other) => (None, vec![*other]),
        Place::Group(group) => (app.store.group(group).await?, Vec::new()),
    };
    Ok(Room { place, group, pair })
}

/// Whether there is none or one of others isn't said.
pub(crate) fn no_such_group() -> Refusal {
    Refusal::not_found("There is no such group, or you are not in it.")
}
