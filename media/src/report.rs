//! What a running call tells whoever owns it.

use std::sync::Arc;

use codecs::Size;

use crate::{Kind, ScreenTrouble, Trouble, devices::InUse};

/// News of a call; a few a second at most, but for test pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Report {
    /// The camera works, or why it doesn't.
    Camera(Result<(), Trouble>),
    /// The microphone works, or why it doesn't.
    Microphone(Result<(), Trouble>),
    /// The speaker works, or why it doesn't.
    Speaker(Result<(), Trouble>),
    /// The screen that is to be shared is seen, or why nothing more of it will be.
    Screen(Result<(), ScreenTrouble>),
    /// A device is in use: the first one of its kind, or another one than before.
    InUse(InUse),
    /// A peer's pictures can't be decoded until that peer sends a keyframe: ask for one.
    KeyframeWanted {
        /// Who has to send it.
        peer: u16,
        /// Of which of their tracks.
        kind: Kind,
    },
    /// A peer's first picture is there, or the first of another size.
    PictureStarted {
        /// Whose picture.
        peer: u16,
        /// Whether it's of their camera or their screen.
        kind: Kind,
        /// How large it is.
        size: Size,
    },
    /// A camera's test picture was decoded. Others don't say when they were captured, and nothing is told of them.
    Decoded {
        /// Whose picture.
        peer: u16,
        /// When it was captured, in microseconds since 1970.
        captured: u64,
        /// When it was decoded, by this machine's clock.
        at: u64,
        /// How many bytes it took.
        bytes: usize,
        /// Whether it stands for itself.
        keyframe: bool,
    },
    /// A camera's test picture was put up for showing.
    Shown {
        /// Whose picture.
        peer: u16,
        /// When it was captured, in microseconds since 1970.
        captured: u64,
        /// When it was put up, by this machine's clock.
        at: u64,
        /// How much later its sound is heard, in microseconds; less than 0 where it's heard first. `None` where there's no sound.
        offset: Option<i64>,
    },
    /// What is received can't be recorded any more, and why; the call goes on.
    Recording {
        /// What went wrong.
        reason: String,
    },
}

/// Hands reports to the owner. Never called with a lock held, so that the owner may call back.
#[derive(Clone)]
pub(crate) struct Reporter(Arc<dyn Fn(Report) + Send + Sync>);

impl Reporter {
    pub(crate) fn new(tell: Box<dyn Fn(Report) + Send + Sync>) -> Self {
        Self(tell.into())
    }

    pub(crate) fn tell(&self, report: Report) {
        (self.0)(report);
    }
}
