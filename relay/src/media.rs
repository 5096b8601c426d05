//! The media path: chunks in by upload, out by poll. Pure bookkeeping, with `now` as an argument; no I/O, and
//! no await but in `waiting`.
//!
//! A [`Room`](room::Room) has two [`Lane`](lane::Lane)s, a lane has a [`Ring`](ring::Ring) per track and a few readers per peer, and
//! a reader has a place in the lane and numbered polls ([`Polls`](polls::Polls)).

pub(crate) mod keyframe;
pub(crate) mod lane;
pub(crate) mod polls;
pub(crate) mod reader;
mod receptions;
pub(crate) mod ring;
pub(crate) mod room;
pub(crate) mod waiting;
