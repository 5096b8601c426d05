//! Bodies, queries and answers of the routes of chat.

use serde::{Deserialize, Serialize};

use crate::{
    chat::Chat,
    id::{AttachmentId, GroupId, MessageId},
    model::Message,
    name::Name,
};

/// Body of `POST /v1/chat`. Safe to repeat: one `client_id` makes one message.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendChat {
    /// To whom, if it is to one person: a mutual buddy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Name>,
    /// To which group, if it is to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupId>,
    /// 1 to [`TEXT_MAX`](crate::limits::TEXT_MAX) characters. May be empty where there is HTML, from which the relay then makes it, or
    /// an attachment.
    #[serde(default)]
    pub text: String,
    /// The same in HTML, at most [`HTML_MAX`](crate::limits::HTML_MAX) bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// What goes along: uploads of this person, at most [`ATTACHMENTS_MAX`](crate::limits::ATTACHMENTS_MAX).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<AttachmentId>,
    /// The sender's own id, 1 to [`CLIENT_ID_MAX`](crate::limits::CLIENT_ID_MAX) characters without control characters, never used
    /// for another message.
    pub client_id: String,
}

impl SendChat {
    /// Plain text to there.
    #[must_use]
    pub fn new(chat: Chat, text: impl Into<String>, client_id: impl Into<String>) -> Self {
        let (to, group) = chat.into_parts();
        Self { to, group, text: text.into(), html: None, attachments: Vec::new(), client_id: client_id.into() }
    }
}

/// Body of `POST /v1/chat/ID`: the message says this from now on.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditChat {
    /// As in [`SendChat`].
    #[serde(default)]
    pub text: String,
    /// As in [`SendChat`]; without it the message has none any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
}

/// Query of `GET /v1/chat`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageHistory {
    /// Which conversation.
    #[serde(flatten)]
    pub chat: Chat,
    /// Only messages before this one.
    #[serde(default)]
    pub before: Option<u64>,
    /// Only messages after this one.
    #[serde(default)]
    pub after: Option<u64>,
    /// How many at most; the newest that fit the bounds (with only `after`: the oldest).
    #[serde(default)]
    pub limit: Option<u32>,
}

impl PageHistory {
    /// The newest messages there, as many as the relay likes.
    #[must_use]
    pub fn newest(chat: Chat) -> Self {
        Self { chat, before: None, after: None, limit: None }
    }
}

/// Answer of `GET /v1/chat`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Oldest first.
    pub messages: Vec<Message>,
    /// Whether there are more in the direction asked.
    pub more: bool,
}

/// Body of `POST /v1/chat/marks`: how far this person has come. What is behind where they are already changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveMarks {
    /// In which conversation.
    #[serde(flatten)]
    pub chat: Chat,
    /// Everything up to this message is on this client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<MessageId>,
    /// Everything up to this message was seen; it was delivered, then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<MessageId>,
}

/// Body of `POST /v1/chat/typing`: the person is at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Types {
    /// In which conversation.
    #[serde(flatten)]
    pub chat: Chat,
}

/// Body of `POST /v1/groups`. Safe to repeat: one `client_id` makes one group.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakeGroup {
    /// 1 to [`GROUP_TITLE_MAX`](crate::limits::GROUP_TITLE_MAX) characters.
    pub title: String,
    /// Who is in it besides the one who makes it: mutual buddies of theirs.
    pub members: Vec<Name>,
    /// As in [`SendChat`], never used for another group.
    pub client_id: String,
}

/// Body of `POST /v1/groups/ID`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenameGroup {
    /// As in [`MakeGroup`].
    pub title: String,
}

/// Body of `POST /v1/groups/ID/members`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddMember {
    /// Whom: a mutual buddy of the one who asks.
    pub name: Name,
}

/// Query of `POST /v1/attachments`, whose body is the file itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// What the file is called.
    pub name: String,
    /// Its media type.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
}
