//! The relay by request: on its router, and over real sockets where the sockets are the point.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails; clippy only knows functions marked as tests")]

mod accounts;
mod attachments;
mod bench;
mod buddies;
mod calls;
mod chat;
mod codes;
mod command_line;
mod configured;
mod database;
mod doctor;
mod events;
mod groups;
mod host;
mod hostile;
mod invisible;
mod lanes;
mod logs;
mod marks;
mod oidc;
mod people;
mod postgres;
mod proxies;
mod refusals;
mod restart;
mod secure;
mod sessions;
mod sockets;
#[cfg(unix)]
mod ticker;
mod upkeep;
mod watch;
