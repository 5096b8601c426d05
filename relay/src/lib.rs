//! The relay: accounts, presence, rings, chat, and chunks of media passed on over nothing but complete HTTP requests.
//!
//! ```no_run
//! # async fn example() -> Result<(), relay::Error> {
//! let relay = relay::Relay::open(relay::Config::new("/var/lib/tvphone-relay")).await?;
//! let sockets = relay.bind()?;
//! relay.serve(sockets).await?; // until `relay.stop()` on a clone
//! # Ok(())
//! # }
//! ```

#![warn(missing_docs)]

pub mod admin;
mod app;
mod code;
mod config;
mod descriptors;
mod doctor;
mod doorman;
mod error;
mod extract;
mod files;
mod forwarded;
#[cfg(test)]
mod fuzz;
mod handlers;
mod html;
mod hub;
mod journal;
mod listen;
mod media;
mod metrics;
mod oidc;
mod password;
mod rate;
mod refusal;
mod relay;
mod router;
mod server;
mod slots;
mod store;
mod text;
mod ticker;
mod tls;
mod token;

pub use crate::{
    config::{
        Admission, Attachments, Config, DatabaseUrl, FILE, Flags, MetricsAccess, NotADatabase, OidcConfig, PORT, Patience,
        PlainHttp,
    },
    error::Error,
    forwarded::{ForwardedHeader, Network, NotANetwork, TrustedProxies},
    listen::{Listen, NotAnAddress, Socket},
    rate::{Rate, Rates},
    relay::Relay,
    tls::{BadCertificate, CertificateFiles},
    token::NoRandomness,
};
