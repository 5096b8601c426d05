//! What happens, as the event lane tells it.
//!
//! Each event carries the whole new state of the thing it speaks of, so that a client need only replace what it had.

use serde::{Deserialize, Serialize};

use crate::{
    id::CallId,
    model::{Buddy, Call, EndReason, Invitation, Message, MissedCall, OwnPresence, Presence, Ticker},
    name::Name,
};

/// Something happened. On the wire an object whose `type` names the variant in snake_case, beside the variant's fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The buddy list is now this one.
    Roster {
        /// All of it.
        buddies: Vec<Buddy>,
    },
    /// A buddy came, went, took a call, or says something else of themselves.
    Presence {
        /// Who.
        name: Name,
        /// Since now.
        presence: Presence,
        /// What they say of themselves; empty while they are offline.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
        /// When they were last there, in milliseconds since 1970-01-01 UTC, if they are offline now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_seen_ms: Option<u64>,
    },
    /// This person has chosen how to be seen, on this client or another of theirs.
    OwnPresence {
        /// As it is now.
        presence: OwnPresence,
    },
    /// Whom this person has blocked.
    Blocked {
        /// All of them.
        names: Vec<Name>,
    },
    /// The calls this person has missed and not seen yet.
    Missed {
        /// All of them, the newest first.
        calls: Vec<MissedCall>,
    },
    /// An invitation from or to this person rings or is over.
    Invitation {
        /// As it is now.
        invitation: Invitation,
    },
    /// A call this session is in has changed: someone came, left, muted.
    Call {
        /// As it is now.
        call: Call,
    },
    /// A call this session was in is over.
    CallEnded {
        /// Which.
        call: CallId,
        /// Why.
        reason: EndReason,
    },
    /// Someone wrote to this person, or this person wrote from another client or this one.
    Chat {
        /// What.
        message: Message,
    },
    /// A ticker provider speaks.
    Ticker {
        /// All it says now.
        ticker: Ticker,
    },
    /// The relay stops; it hopes to be back after this while.
    Goodbye {
        /// In milliseconds.
        retry_after_ms: u64,
    },
    /// An event of a later version: ignore it.
    #[serde(other)]
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_a_later_version_and_unknown_fields_are_ignored() {
        let later: Event = serde_json::from_str(r#"{"type":"hologram","x":[1,2]}"#).unwrap();
        assert_eq!(later, Event::Unknown);
        let more: Event = serde_json::from_str(r#"{"type":"goodbye","retry_after_ms":5,"why":"tea"}"#).unwrap();
        assert_eq!(more, Event::Goodbye { retry_after_ms: 5 });
    }
}
