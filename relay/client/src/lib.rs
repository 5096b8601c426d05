//! The only HTTP client of tvphone: signing in, control requests, the event lane and the media lanes.
//!
//! Everything is a complete request with a complete answer; what must be told at once waits in parked polls. A [`Relay`] is an
//! address, a [`Session`] someone signed in there, [`Relay::examine`] looks what is the matter with the way, [`Session::events`] tells what happens, and [`lanes::Lanes`] carries one
//! call's sound and picture. All three reconnect by themselves for as long as they live.
//!
//! Needs a tokio runtime with time and I/O enabled.

#![warn(missing_docs)]

mod backoff;
pub mod browser;
pub mod crypto;
pub mod doctor;
pub mod error;
pub mod events;
mod files;
mod http;
pub mod lanes;
pub mod proxy;
pub mod relay;
pub mod session;
mod text;
pub mod trust;

pub use self::{
    browser::BrowserSignIn,
    http::{is_in_the_clear, origin},
};
pub use error::Error;
pub use events::Update;
pub use proxy::{ProxyLogin, ProxySettings, ProxySource};
pub use relay::Relay;
pub use session::Session;
pub use trust::Trust;
