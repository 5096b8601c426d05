//! What people write to each other, and where: conversations of two and groups, what was read of them, and files.

use serde::{Deserialize, Serialize};

use crate::{
    id::{AttachmentId, GroupId, MessageId},
    model::{Message, is_false},
    name::Name,
};

/// Where people write. On the wire it is one field of what speaks of it: `with` or `group`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Place", into = "Place")]
pub enum Chat {
    /// With one other person.
    With(Name),
    /// In a group.
    Group(GroupId),
}

/// [`Chat`] on the wire.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Place {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    with: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<GroupId>,
}

/// It is said of neither a person nor a group, or of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("name one person or one group, and not both")]
pub struct NoPlace;

impl Chat {
    /// Whichever of the two is there.
    ///
    /// # Errors
    /// When both are there, or neither.
    pub fn from_parts(person: Option<Name>, group: Option<GroupId>) -> Result<Self, NoPlace> {
        match (person, group) {
            (Some(name), None) => Ok(Self::With(name)),
            (None, Some(group)) => Ok(Self::Group(group)),
            _ => Err(NoPlace),
        }
    }

    /// The person or the group.
    #[must_use]
    pub fn into_parts(self) -> (Option<Name>, Option<GroupId>) {
        match self {
            Self::With(name) => (Some(name), None),
            Self::Group(group) => (None, Some(group)),
        }
    }

    /// Equal for one conversation however its person's name is typed.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::With(name) => format!("with {}", name.key()),
            Self::Group(group) => format!("group {group}"),
        }
    }
}

impl TryFrom<Place> for Chat {
    type Error = NoPlace;

    fn try_from(place: Place) -> Result<Self, NoPlace> {
        Self::from_parts(place.with, place.group)
    }
}

impl From<Chat> for Place {
    fn from(chat: Chat) -> Self {
        let (with, group) = chat.into_parts();
        Self { with, group }
    }
}

impl Message {
    /// The conversation it belongs to, for `me`; none when a later version says something else of it.
    #[must_use]
    pub fn chat(&self, me: &Name) -> Option<Chat> {
        let other = self.to.clone().map(|to| if self.from.is(me) { to } else { self.from.clone() });
        Chat::from_parts(other, self.group.clone()).ok()
    }
}

/// People who write to each other together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Which.
    pub id: GroupId,
    /// What its owner calls it.
    pub title: String,
    /// The member who has been in it the longest: may rename it and remove others.
    pub owner: Name,
    /// Everyone in it, the owner too, in the order they came.
    pub members: Vec<Name>,
}

/// A file, picture or voice message that was uploaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Which.
    pub id: AttachmentId,
    /// The file's name, fit to be shown and to be saved under.
    pub name: String,
    /// The media type by which it is served: one of a few of pictures and sound, else `application/octet-stream`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its length in bytes.
    pub size: u64,
    /// SHA-256 of its bytes, in hexadecimal digits. Missing once the relay no longer has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// How far someone's clients have come in a conversation. Both only ever rise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// Whose.
    pub name: Name,
    /// Everything up to this message has reached a client of theirs; 0 for nothing yet.
    pub delivered: MessageId,
    /// Everything up to this message was seen by the person; 0 for nothing yet.
    pub read: MessageId,
    /// Of who came into a group later: only what comes after this message was for them, and is meant by the two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<MessageId>,
}

/// What a list of conversations shows of the newest message in one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// Which.
    pub id: MessageId,
    /// Who wrote it.
    pub from: Name,
    /// The beginning of its text, at most [`PREVIEW_MAX`](crate::limits::PREVIEW_MAX) characters.
    pub text: String,
    /// How many attachments it has.
    #[serde(default)]
    pub attachments: u32,
    /// When the relay kept it, in milliseconds since 1970-01-01 UTC.
    pub sent_at_ms: u64,
    /// Whether it was deleted since.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deleted: bool,
}

/// A conversation as the state shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Which.
    #[serde(flatten)]
    pub chat: Chat,
    /// The newest message; none in a group where nobody has written yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Preview>,
    /// Messages of others after the own read mark, at most [`UNREAD_MAX`](crate::limits::UNREAD_MAX): that many may be more.
    pub unread: u32,
    /// Marks of this person and of all the others, as far as they may be seen.
    pub marks: Vec<Marks>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Speaks {
        #[serde(flatten)]
        of: Chat,
        beside: u64,
    }

    #[test]
    fn a_conversation_is_named_by_a_person_or_a_group_and_never_both() {
        for (text, chat) in [
            (r#"{"with":"Ben","beside":1}"#, Chat::With("Ben".parse().unwrap())),
            (r#"{"group":"g","beside":1}"#, Chat::Group(GroupId::new("g"))),
        ] {
            let speaks: Speaks = serde_json::from_str(text).unwrap();
            assert_eq!(speaks, Speaks { of: chat, beside: 1 });
            assert_eq!(serde_json::to_string(&speaks).unwrap(), text);
        }
        for text in [r#"{"beside":1}"#, r#"{"with":"Ben","group":"g","beside":1}"#, r#"{"with":"no name","beside":1}"#] {
            assert!(serde_json::from_str::<Speaks>(text).is_err(), "{text}");
        }
        let null: Speaks = serde_json::from_str(r#"{"with":null,"group":"g","beside":1,"more":2}"#).unwrap();
        assert_eq!(null.of, Chat::Group(GroupId::new("g")));
    }
}
