//! Packets on their way out and in: what a call hands to whoever carries it, and takes from them.

use bytes::Bytes;
use codecs::MediaTime;

/// What a track carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Sound: one packet every 20 ms.
    Audio,
    /// Pictures: one packet a frame.
    Video,
    /// A shared screen or window: one packet for each picture that differs, and now and then one that says it still stands.
    Screen,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Audio, Self::Video, Self::Screen];
}

/// A packet to be carried to the other peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Which of this peer's tracks.
    pub kind: Kind,
    /// Position in the track: from 0 on, one more with each packet, wrapping after 2^32 - 1.
    pub seq: u32,
    /// When it was captured, since the call's start. It never goes back.
    pub time: MediaTime,
    /// Whether a receiver may start here. Every audio packet is one.
    pub keyframe: bool,
    /// Flags and coded data, as in [`crate::payload`].
    pub payload: Bytes,
}

/// A packet that another peer sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Who sent it.
    pub peer: u16,
    /// Which of their tracks.
    pub kind: Kind,
    /// As [`Outgoing::seq`]. Packets may come twice and in any order.
    pub seq: u32,
    /// As [`Outgoing::time`], on the sender's clock.
    pub time: MediaTime,
    /// As [`Outgoing::keyframe`].
    pub keyframe: bool,
    /// As [`Outgoing::payload`].
    pub payload: Bytes,
}

/// Carries packets to the other peers.
pub trait Sink: Send + Sync + 'static {
    /// Takes a packet. Called on the encoders' threads, so it must not block.
    ///
    /// A packet of pictures has to be answered with [`Gate::release`](crate::Gate::release) or
    /// [`Gate::give_up`](crate::Gate::give_up) of its kind in the end.
    fn send(&self, outgoing: Outgoing);
}
