//! What goes wrong in this crate outside a running call. Inside one, see [`crate::Trouble`].

use std::{io, path::PathBuf};

use thiserror::Error;

/// Any error of this crate.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A camera, microphone or speaker is described in no form this crate knows.
    #[error("\"{text}\" isn't understood: give {forms}")]
    Spec {
        /// What was given.
        text: String,
        /// What may be given.
        forms: &'static str,
    },
    /// A file can't be opened, read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file isn't of a kind this crate reads, or is damaged.
    #[error("{}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A thread can't be started.
    #[error("no thread could be started: {0}")]
    Thread(#[source] io::Error),
    /// A frame or packet was refused.
    #[error(transparent)]
    Codec(#[from] codecs::Error),
}
