//! The codecs of a call behind small types: raw pictures ([`Frame`]), pixel formats ([`convert`]), H.264 ([`h264`]) and
//! Opus ([`opus`]).
//!
//! No threads, no clock, no I/O: a caller hands bytes in and gets bytes out, on the thread and at the time it likes.
//! Bytes from the network or a camera may be anything at all: they end in an [`Error`], never in a panic.
#![warn(missing_docs)]

mod color;
pub mod convert;
mod error;
mod frame;
pub mod h264;
pub mod opus;
mod size;
mod time;

pub use crate::color::{Color, Matrix, Range};
pub use crate::error::Error;
pub use crate::frame::Frame;
pub use crate::size::Size;
pub use crate::time::MediaTime;

#[cfg(test)]
mod testing;
