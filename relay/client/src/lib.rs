//! The only HTTP client of tvphone: signing in, control requests, the event lane and the media lanes.
//!
//! Everything is a complete request with a complete answer; what must be told at once waits in parked polls. A [`Relay`] is an
//! address, a [`Session`] someone signed in there, [`Session::events`] tells what happens, and [`lanes::Lanes`] carries one
//! call's sound and picture. All three reconnect by themselves for as long as they live.
//!
//! Needs a tokio runtime with time and I/O enabled.

#![warn(missing_docs)]

mod backoff;
pub mod crypto;
pub mod error;
pub mod events;
mod http;
pub mod lanes;
pub mod relay;
pub mod session;
pub mod trust;

pub use error::Error;
pub use events::Update;
pub use http::{is_in_the_clear, origin};
pub use relay::Relay;
pub use session::Session;
pub use trust::Trust;
