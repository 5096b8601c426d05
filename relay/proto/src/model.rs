//! Things both requests and events speak of: people, calls, invitations, messages, ticker items.

use serde::{Deserialize, Serialize};

use crate::{
    chat::Attachment,
    id::{CallId, GroupId, InvitationId, MessageId, PeerId},
    name::Name,
};

/// Whether a person can be rung, as their buddies see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Presence {
    /// No client of theirs polls, or they don't want to be seen.
    #[default]
    Offline,
    /// A client polls, and they are in no call.
    Available,
    /// A client polls, but they have done nothing there for a while, or say that they are away.
    Away,
    /// They are in a call.
    Busy,
    /// They are there and want no ring.
    DoNotDisturb,
    /// A state of a later version; treat it like [`Presence::Available`].
    #[serde(other)]
    Unknown,
}

/// How a person wants to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Choice {
    /// As they are: available, away or in a call.
    #[default]
    Available,
    /// Away whenever they are there.
    Away,
    /// Nothing rings.
    DoNotDisturb,
    /// Offline for everyone else.
    Invisible,
    /// A choice of a later version; treat it like [`Choice::Available`].
    #[serde(other)]
    Unknown,
}

/// What a person has chosen for themselves, as all their own clients see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnPresence {
    /// How they want to be seen.
    pub choice: Choice,
    /// A line of plain text for their buddies, at most [`LINE_MAX`](crate::limits::LINE_MAX) characters; empty for none. It is shown
    /// while they are seen at all.
    #[serde(default)]
    pub text: String,
}

/// The rings of one person that came to nothing: nobody answered, or they could not be heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissedCall {
    /// Who rang.
    pub from: Name,
    /// When they last did, in milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
    /// How often they did.
    pub count: u32,
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
    /// What they say of themselves; empty while they are offline.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// When they were last there, in milliseconds since 1970-01-01 UTC: of a mutual buddy who is offline now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_ms: Option<u64>,
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
    /// Whether they say they share a screen or a window; nobody reads the screen lane while no other peer does.
    #[serde(default, skip_serializing_if = "is_false")]
    pub screen: bool,
    /// Whether the owner of the call has muted them: their sound is not passed on until they say themselves that it is on.
    #[serde(default, skip_serializing_if = "is_false")]
    pub muted: bool,
}

/// A call as its members see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Which.
    pub id: CallId,
    /// Who is in it, by rising number.
    pub peers: Vec<Peer>,
    /// The peer that may mute, remove and lock: the one with the lowest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<PeerId>,
    /// Whether nobody comes in but whom the owner rings.
    #[serde(default, skip_serializing_if = "is_false")]
    pub locked: bool,
}

pub(crate) fn is_false(flag: &bool) -> bool {
    !flag
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
    /// The owner of the call has removed this session; the call may go on.
    Removed,
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
