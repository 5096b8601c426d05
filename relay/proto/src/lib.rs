//! The wire between tvphone clients and the relay: types, codes and limits, shared by both sides.
//!
//! No I/O and no clock in here. `PROTOCOL.md` beside this crate's manifest is the same thing in words, for a client in another
//! language; a test keeps its fingerprint of these sources true. The routes stand in [`api`], the media framing in [`chunk`].

#![warn(missing_docs)]

pub mod api;
pub mod chunk;
pub mod error;
pub mod event;
pub mod fingerprint;
pub mod id;
pub mod limits;
pub mod model;
pub mod name;
pub mod version;

pub use chunk::{Chunk, Header};
pub use error::{ErrorBody, ErrorCode};
pub use event::Event;
pub use fingerprint::Fingerprint;
pub use id::{CallId, CallLink, Cursor, InvitationId, Kind, MessageId, PeerId, SessionId, Token, TrackId};
pub use name::Name;
