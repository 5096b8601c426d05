//! Things both requests and events speak of: people, calls, invitations, messages, ticker items.

use serde::{Deserialize, Serialize};

use crate::{
    chat::{Attachment, is_false},
    id::{CallId, GroupId, InvitationId, MessageId, PeerId},
    name::Name,
};

/// Whether a person can be rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Presence {
    /// No client of theirs polls.
    #[default]
    Offline,
    /// A client polls, and they are in no call.
    Available,
    /// They are in a call.
    Busy,
    /// A state of a later version; treat it like [`Presence::Available`].
    #[serde(other)]
    Unknown,
}

/// How far two people are buddies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Relation {
    /// Both want it: they see each other's presence and may ring and write.
    Mutual,
    /// Asked by me, not answered yet.
    Asked,
    /// They ask me; adding them makes it mutual, removing them declines.
    Asking,
    /// A state of a later version.
    #[serde(other)]
    Unknown,
}

/// One line of the buddy list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buddy {
    /// Who.
    pub name: Name,
    /// How far it has come.
    pub relation: Relation,
    /// Always offline unless the relation is mutual.
    #[serde(default)]
    pub presence: Presence,
}

/// What became of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum InvitationState {
    /// It rings.
    Ringing,
    /// Taken; the call is on.
    Accepted,
    /// Refused by the one who was rung.
    Declined,
    /// Taken back by the one who rang.
    Canceled,
    /// Nobody answered in time.
    Missed,
    /// A state of a later version; treat it as over.
    #[serde(other)]
    Unknown,
}

/// One person asks another into a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Which.
    pub id: InvitationId,
    /// Into which call.
    pub call: CallId,
    /// Who rings.
    pub from: Name,
    /// Who is rung.
    pub to: Name,
    /// What became of it.
    pub state: InvitationState,
    /// How much longer it rings, in milliseconds; 0 once it is over.
    #[serde(default)]
    pub expires_in_ms: u64,
}

/// One participant of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Their number in this call.
    pub peer: PeerId,
    /// Who they are.
    pub name: Name,
    /// Whether they say they send sound (false: muted).
    pub audio: bool,
    /// Whether they say they send a picture (false: camera off).
    pub video: bool,
}

/// A call as its members see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Which.
    pub id: CallId,
    /// Who is in it, by rising number.
    pub peers: Vec<Peer>,
}

/// Why a call is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EndReason {
    /// The others hung up.
    HungUp,
    /// The one who was rung refused.
    Declined,
    /// Nobody answered in time.
    Missed,
    /// The ring was taken back.
    Canceled,
    /// The others' clients are gone.
    Vanished,
    /// A reason of a later version.
    #[serde(other)]
    Unknown,
}

/// One chat message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Which; rises with time.
    pub id: MessageId,
    /// Who wrote it.
    pub from: Name,
    /// To whom, if it is to one person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Name>,
    /// To which group, if it is to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupId>,
    /// Plain text. Empty where there are only attachments, or where it was deleted.
    pub text: String,
    /// The same in HTML of a few harmless elements, sanitised by the relay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// What goes along.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// When the relay kept it, in milliseconds since 1970-01-01 UTC.
    pub sent_at_ms: u64,
    /// When its sender last changed it, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at_ms: Option<u64>,
    /// Whether its sender has deleted it: then nothing is left of what it said.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deleted: bool,
    /// The sender's own id of it, so that its clients know their own message again.
    #[serde(default)]
    pub client_id: String,
}

/// One item of a ticker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickerItem {
    /// The line that runs: plain text.
    pub title: String,
    /// More of it: HTML of a few harmless elements, sanitised by the relay.
    #[serde(default)]
    pub body: Option<String>,
    /// Where a click leads: an http or https address.
    #[serde(default)]
    pub link: Option<String>,
}

/// All a provider has to say now. A later one with the same provider replaces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticker {
    /// The provider's name: its file's name without the extension.
    pub provider: String,
    /// What it says; empty when it has fallen silent.
    pub items: Vec<TickerItem>,
}
