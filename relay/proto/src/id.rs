//! Identifiers, each a type of its own so that none is taken for another.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps the text as it came over the wire; the relay alone knows which ones exist.
            #[must_use]
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text that goes over the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// A call: 22 characters of base64url, 128 random bits.
    CallId
}
text_id! {
    /// An invitation: 22 characters of base64url, 128 random bits.
    InvitationId
}
text_id! {
    /// One of a person's sessions, as it is shown to that person. Not the [`Token`], and worth nothing to anyone else.
    SessionId
}
text_id! {
    /// A group of people who write to each other: 22 characters of base64url, 128 random bits.
    GroupId
}
text_id! {
    /// Something uploaded: 22 characters of base64url, 128 random bits.
    AttachmentId
}
text_id! {
    /// A place in a session's event feed. Opaque: only ever given back as it came.
    Cursor
}

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident, $for_whom:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps the text as the relay gave it.
            #[must_use]
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            #[doc = concat!("The secret itself, ", $for_whom, ".")]
            #[must_use]
            pub fn reveal(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(hidden)"))
            }
        }
    };
}

secret! {
    /// What proves a session: 43 characters of base64url, 256 random bits. It is a secret, so `Debug` hides it.
    Token, "for the `Authorization` header and nothing else"
}
secret! {
    /// What lets whoever is signed in into a call: 43 characters of base64url, 256 random bits. It is a secret of those it was given to, so
    /// `Debug` hides it.
    CallLink, "to be handed to whom one wants in the call"
}

/// A chat message as the relay keeps it. Grows with every message kept, so it also orders a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub u64);

/// One participant's endpoint within a call, from 1 on. Never reused within that call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PeerId(pub u16);

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a track carries, and so which lane it travels on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Opus packets.
    Audio,
    /// H.264 access units.
    Video,
    /// The picture of a shared screen or window.
    Screen,
}

impl Kind {
    /// All kinds, for loops over lanes.
    pub const ALL: [Self; 3] = [Self::Audio, Self::Video, Self::Screen];

    /// The name as it stands in a URL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Screen => "screen",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One stream of one kind from one peer. On the wire a `u32`: the peer times 256, plus 1 for audio, 2 for video or 3 for a shared screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct TrackId {
    /// Who sends it.
    pub peer: PeerId,
    /// What it carries.
    pub kind: Kind,
}

/// The number is no track of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} names no track: the low byte must be 1 (audio), 2 (video) or 3 (screen), the upper ones a peer from 1 to 65535")]
pub struct NoTrack(pub u32);

impl TryFrom<u32> for TrackId {
    type Error = NoTrack;

    fn try_from(number: u32) -> Result<Self, NoTrack> {
        let kind = match number & 0xff {
            1 => Kind::Audio,
            2 => Kind::Video,
            3 => Kind::Screen,
            _ => return Err(NoTrack(number)),
        };
        match u16::try_from(number >> 8) {
            Ok(peer) if peer > 0 => Ok(Self { peer: PeerId(peer), kind }),
            _ => Err(NoTrack(number)),
        }
    }
}

impl From<TrackId> for u32 {
    fn from(track: TrackId) -> Self {
        let kind = match track.kind {
            Kind::Audio => 1,
            Kind::Video => 2,
            Kind::Screen => 3,
        };
        Self::from(track.peer.0) << 8 | kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_survives_its_number_and_nothing_else_does() {
        for number in 0..0x2_0000_u32 {
            if let Ok(track) = TrackId::try_from(number) {
                assert_eq!(u32::from(track), number);
            } else {
                assert!(!matches!(number & 0xff, 1..=3) || number >> 8 == 0);
            }
        }
        assert_eq!(TrackId::try_from(0x0100_0001), Err(NoTrack(0x0100_0001)));
    }

    #[test]
    fn a_token_and_a_link_are_not_shown_by_debug() {
        assert_eq!(format!("{:?}", Token::new("abc")), "Token(hidden)");
        assert_eq!(format!("{:?}", CallLink::new("abc")), "CallLink(hidden)");
    }
}
