//! The routes: what each takes and gives. All but sign-up, sign-in, health and doctor want `Authorization: Bearer TOKEN`; a sign-in by the
//! browser has a secret of its own in its place.
//!
//! | route | takes | gives |
//! |---|---|---|
//! | `GET /v1/health` | | [`Health`] |
//! | `GET /v1/doctor?bytes=N&wait_ms=N&spread_ms=N` | [`AskDoctor`] | bytes |
//! | `POST /v1/doctor` | bytes | [`DoctorTook`] |
//! | `POST /v1/accounts` | [`SignUp`] | [`Done`] |
//! | `POST /v1/session` | [`SignIn`] | [`SignedIn`] |
//! | `DELETE /v1/session` | | [`Done`] |
//! | `POST /v1/oidc` | [`BeginOidc`] | [`OidcBegun`] |
//! | `GET /v1/oidc?wait_ms=N` | | [`OidcAnswer`] |
//! | `DELETE /v1/oidc` | | [`Done`] |
//! | `GET /v1/sessions` | | [`Sessions`] |
//! | `DELETE /v1/sessions/ID` | | [`Done`] |
//! | `POST /v1/account/password` | [`ChangePassword`] | [`Done`] |
//! | `GET /v1/state` | | [`State`] |
//! | `GET /v1/events?after=CURSOR&wait_ms=N` | | [`Events`] |
//! | `POST /v1/buddies` | [`AddBuddy`] | [`Done`] |
//! | `DELETE /v1/buddies/NAME` | | [`Done`] |
//! | `POST /v1/presence` | [`OwnPresence`] | [`Done`] |
//! | `POST /v1/blocks` | [`Block`] | [`Done`] |
//! | `DELETE /v1/blocks/NAME` | | [`Done`] |
//! | `POST /v1/reports` | [`Report`] | [`Done`] |
//! | `POST /v1/missed/seen` | [`SeenMissed`] | [`Done`] |
//! | `POST /v1/chat` | [`SendChat`] | [`Message`](crate::model::Message) |
//! | `GET /v1/chat?with=NAME&group=ID&before=ID&after=ID&limit=N` | [`PageHistory`] | [`History`] |
//! | `POST /v1/chat/ID` | [`EditChat`] | [`Message`](crate::model::Message) |
//! | `DELETE /v1/chat/ID` | | [`Message`](crate::model::Message) |
//! | `POST /v1/chat/marks` | [`MoveMarks`] | [`Done`] |
//! | `POST /v1/chat/typing` | [`Types`] | [`Done`] |
//! | `POST /v1/groups` | [`MakeGroup`] | [`Group`] |
//! | `POST /v1/groups/ID` | [`RenameGroup`] | [`Group`] |
//! | `POST /v1/groups/ID/members` | [`AddMember`] | [`Group`] |
//! | `DELETE /v1/groups/ID/members/NAME` | | [`Done`] |
//! | `POST /v1/attachments?name=NAME&type=TYPE` | bytes | [`Attachment`](crate::chat::Attachment) |
//! | `GET /v1/attachments/ID` | | bytes |
//! | `POST /v1/invitations` | [`Ring`] | [`Rung`] |
//! | `POST /v1/invitations/ID/accept` | | [`Joined`] |
//! | `POST /v1/invitations/ID/decline` | | [`Done`] |
//! | `POST /v1/invitations/ID/cancel` | | [`Done`] |
//! | `POST /v1/calls/join` | [`JoinByLink`] | [`Joined`] |
//! | `GET /v1/calls/ID` | | [`Call`] |
//! | `POST /v1/calls/ID/leave` | | [`Done`] |
//! | `POST /v1/calls/ID/media` | [`SetMedia`] | [`Done`] |
//! | `POST /v1/calls/ID/keyframe` | [`WantKeyframe`] | [`Done`] |
//! | `POST /v1/calls/ID/link` | | [`Linked`] |
//! | `DELETE /v1/calls/ID/link` | | [`Done`] |
//! | `POST /v1/calls/ID/mute` | [`OnePeer`] | [`Done`] |
//! | `POST /v1/calls/ID/remove` | [`OnePeer`] | [`Done`] |
//! | `POST /v1/calls/ID/lock` | [`SetLock`] | [`Done`] |
//! | `POST /v1/calls/ID/audio`, `.../video`, `.../screen` | chunks | [`Feedback`] |
//! | `GET /v1/calls/ID/audio?reader=R&poll=N&wait_ms=N`, `.../video?...`, `.../screen?...` | | chunks |

mod chat;
mod doctor;
mod oidc;

use serde::{Deserialize, Serialize};

pub use self::{
    chat::{AddMember, EditChat, History, MakeGroup, MoveMarks, PageHistory, RenameGroup, SendChat, Types, Upload},
    doctor::{AskDoctor, DoctorTook},
    oidc::{BeginOidc, OidcAnswer, OidcBegun, OidcOffer, PollOidc},
};
use crate::{
    chat::{Conversation, Group},
    event::Event,
    id::{CallId, CallLink, Cursor, PeerId, SessionId, Token, TrackId},
    model::{Buddy, Call, Invitation, MissedCall, OwnPresence, Ticker},
    name::Name,
};

/// The answer where there is nothing to say: `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {}

/// Answer of `GET /v1/health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// "ok" while the relay takes requests, "stopping" once it no longer does.
    pub status: String,
    /// The relay's version.
    pub version: String,
    /// The protocol versions it speaks, most preferred first.
    pub protocol: Vec<u16>,
    /// Who else than the relay may say who someone is, by their browser; not every relay has one.
    #[serde(default)]
    pub oidc: Option<OidcOffer>,
}

/// Body of `POST /v1/accounts`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignUp {
    /// The name wanted.
    pub name: Name,
    /// At least [`PASSWORD_MIN`](crate::limits::PASSWORD_MIN) characters.
    pub password: String,
    /// The invitation code, where the relay takes new accounts by such a code only.
    #[serde(default)]
    pub code: Option<String>,
}

/// Body of `POST /v1/session`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// Who.
    pub name: Name,
    /// Their password.
    pub password: String,
    /// What the person calls this device. Kept with the session, without control characters and cut at 64 characters; it tells
    /// their sessions apart for them.
    #[serde(default)]
    pub device: String,
    /// Protocol versions this client speaks, most preferred first.
    pub versions: Vec<u16>,
}

/// Answer of `POST /v1/session`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedIn {
    /// Proves this session from now on.
    pub token: Token,
    /// The name as its owner writes it.
    pub name: Name,
    /// The version to go on in.
    pub version: u16,
}

/// Answer of `GET /v1/sessions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// All sessions of the person who asks, the one used last first.
    pub sessions: Vec<OwnSession>,
}

/// One session, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnSession {
    /// Names it for ending it. It proves nothing.
    pub id: SessionId,
    /// What the person called the device when they signed in there.
    pub device: String,
    /// When they did, in milliseconds since 1970-01-01 UTC; not known of one from before relays noted it.
    #[serde(default)]
    pub signed_in_at_ms: Option<u64>,
    /// When it last asked something, in milliseconds since 1970-01-01 UTC.
    pub seen_at_ms: u64,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// Body of `POST /v1/account/password`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangePassword {
    /// The password so far.
    pub old: String,
    /// The password from now on: at least [`PASSWORD_MIN`](crate::limits::PASSWORD_MIN) characters.
    pub new: String,
}

/// Answer of `GET /v1/state`: everything a client that knows nothing must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Whose session this is.
    pub name: Name,
    /// The buddy list.
    pub buddies: Vec<Buddy>,
    /// Invitations from or to this person that ring now.
    pub invitations: Vec<Invitation>,
    /// The call this session is in.
    #[serde(default)]
    pub call: Option<Joined>,
    /// What each ticker provider says now.
    pub tickers: Vec<Ticker>,
    /// The groups this person is in.
    #[serde(default)]
    pub groups: Vec<Group>,
    /// Conversations: those of groups, and the [`CONVERSATIONS_MAX`](crate::limits::CONVERSATIONS_MAX) with one person in which
    /// something was written last. The one where that was most lately comes first.
    #[serde(default)]
    pub conversations: Vec<Conversation>,
    /// Largest file this relay takes, in bytes.
    #[serde(default)]
    pub attachment_max: u64,
    /// How this person has chosen to be seen.
    #[serde(default)]
    pub presence: OwnPresence,
    /// Whom this person has blocked.
    #[serde(default)]
    pub blocked: Vec<Name>,
    /// The calls this person has missed and not seen yet, the newest first.
    #[serde(default)]
    pub missed: Vec<MissedCall>,
    /// Events after this state come after this cursor.
    pub cursor: Cursor,
}

/// Query of `GET /v1/events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollEvents {
    /// The last cursor received: whatever came up to it is acknowledged and forgotten.
    pub after: Cursor,
    /// How long to wait for an event, in milliseconds, at most [`WAIT_MAX`](crate::limits::WAIT_MAX).
    #[serde(default)]
    pub wait_ms: u64,
    /// For how long the person has done nothing at this client, in milliseconds; without it they count as there.
    #[serde(default)]
    pub idle_ms: Option<u64>,
}

/// Answer of `GET /v1/events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
    /// What happened, oldest first; empty at the end of the wait.
    pub events: Vec<Event>,
    /// Where to go on.
    pub cursor: Cursor,
}

/// Body of `POST /v1/buddies`: ask someone, or say yes to someone who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddBuddy {
    /// Whom.
    pub name: Name,
}

/// Body of `POST /v1/blocks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Whom.
    pub name: Name,
}

/// Body of `POST /v1/reports`: something for whoever runs the relay to look at.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Of whom.
    pub name: Name,
    /// What happened: 1 to [`REPORT_MAX`](crate::limits::REPORT_MAX) characters.
    pub text: String,
}

/// Body of `POST /v1/missed/seen`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenMissed {
    /// Whose rings; everyone's if not given.
    #[serde(default)]
    pub from: Option<Name>,
    /// Those up to this time, as the list has it: what came meanwhile stays.
    pub up_to_ms: u64,
}

/// Body of `POST /v1/invitations`. Ringing someone who rings here already accepts their invitation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ring {
    /// Whom: a mutual buddy.
    pub to: Name,
    /// Into which call of this session; a new one if not given.
    #[serde(default)]
    pub call: Option<CallId>,
    /// The client's own id of this ring, 1 to [`CLIENT_ID_MAX`](crate::limits::CLIENT_ID_MAX) characters, new for each. With it
    /// the request is safe to repeat: one id makes one ring.
    #[serde(default)]
    pub client_id: Option<String>,
}

/// Answer of `POST /v1/invitations`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// Ringing, or accepted at once where both rang.
    pub invitation: Invitation,
    /// The call this session is in now.
    pub joined: Joined,
}

/// This session is in a call. Answer of `POST /v1/invitations/ID/accept`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// The call.
    pub call: Call,
    /// Which of its peers this session is.
    pub me: PeerId,
}

/// Answer of `POST /v1/calls/ID/link`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linked {
    /// What lets others in.
    pub link: CallLink,
}

/// Body of `POST /v1/calls/join`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinByLink {
    /// As a member of the call gave it.
    pub link: CallLink,
}

/// Body of `POST /v1/calls/ID/mute` and `.../remove`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnePeer {
    /// Whom.
    pub peer: PeerId,
}

/// Body of `POST /v1/calls/ID/lock`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetLock {
    /// Whether nobody may come in but whom the owner rings.
    pub locked: bool,
}

/// Body of `POST /v1/calls/ID/media`: what this peer sends, for the others' screens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetMedia {
    /// Whether sound is on.
    pub audio: bool,
    /// Whether the camera is on.
    pub video: bool,
    /// Whether a screen or a window is shared.
    #[serde(default, skip_serializing_if = "crate::model::is_false")]
    pub screen: bool,
}

/// Body of `POST /v1/calls/ID/keyframe`: a reader can't go on without a keyframe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantKeyframe {
    /// Of which track.
    pub track: TrackId,
}

/// Body of `POST /v1/calls/ID/report`: how the others' media come here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reception {
    /// One entry for each peer that something has come from; at most [`RECEIVED_MAX`](crate::limits::RECEIVED_MAX).
    pub peers: Vec<Received>,
}

/// How one peer's media come, since the last report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// Whose.
    pub peer: PeerId,
    /// How much longer its chunks were on their way than the quickest of the last 10 s, in milliseconds: the queues on the whole way.
    /// Absent when none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u32>,
    /// Payload of its pictures that came, in bits per second.
    #[serde(default)]
    pub received_bps: u32,
    /// Sound of its own packets that was really played here, in milliseconds.
    #[serde(default)]
    pub heard_ms: u32,
    /// The reader's own way to the relay and back, in milliseconds. Absent while it isn't known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<u32>,
}

/// Answer to an upload: what the publisher of the track must know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// A reader wants a keyframe: make the next picture one.
    #[serde(default)]
    pub keyframe: bool,
    /// Age of the oldest chunk of this track that some reader has not fetched yet, in milliseconds.
    #[serde(default)]
    pub backlog_ms: u32,
    /// How many peers read this track.
    #[serde(default)]
    pub readers: u32,
    /// How long this peer's chunks wait in queues on the whole way, in milliseconds, as its readers report. Of several the second
    /// longest: one slow reader alone must not make it worse for all. Absent without a fresh report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u32>,
    /// Payload of this peer's pictures that came, in bits per second, at the reader whose delay this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_bps: Option<u32>,
    /// The way from the relay to that reader and back, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<u32>,
    /// Who has just played this peer's sound.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heard_by: Vec<PeerId>,
}

/// Query of a media poll.
///
/// A client keeps several polls parked at once, numbered from 1 on; the lowest parked one is answered first. A poll
/// asked for again after a broken connection gets the same chunks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollMedia {
    /// Chosen at random by the client when it opens the lane. A new one starts at the newest keyframe.
    pub reader: u32,
    /// Number of this poll, from 1 on.
    pub poll: u64,
    /// How long to wait for a chunk, in milliseconds, at most [`WAIT_MAX`](crate::limits::WAIT_MAX).
    #[serde(default)]
    pub wait_ms: u64,
    /// Sound that came at most so many milliseconds ago is given once more along with new sound, at most
    /// [`AGAIN_MAX`](crate::limits::AGAIN_MAX): an answer that is lost on its way is then not missed.
    #[serde(default)]
    pub again_ms: u64,
}
