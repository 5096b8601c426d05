//! What is sent: the tracks on their way from the devices to the sink.

pub(crate) mod audio;
mod cadence;
mod pace;
pub(crate) mod screen;
mod shrink;
pub(crate) mod video;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use codecs::MediaTime;

use crate::{Kind, Outgoing, Sink, payload};

/// Numbers the packets of one track and hands them over.
pub(crate) struct Track {
    kind: Kind,
    sink: Arc<dyn Sink>,
    seq: u32,
    last: MediaTime,
}

impl Track {
    pub(crate) fn new(kind: Kind, sink: Arc<dyn Sink>) -> Self {
        Self { kind, sink, seq: 0, last: MediaTime::ZERO }
    }

    /// Sends the next packet. A time before the last packet's, of a source that was started anew, is taken as that one.
    pub(crate) fn send(&mut self, time: MediaTime, keyframe: bool, payload: Bytes) {
        self.last = self.last.max(time);
        let seq = self.seq;
        self.seq = seq.wrapping_add(1);
        self.sink.send(Outgoing { kind: self.kind, seq, time: self.last, keyframe, payload });
    }
}

/// How long the transport may take nothing before it's worth a line in the log.
const STARVED: Duration = Duration::from_secs(1);

/// Why a frame doesn't get out.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Codec(#[from] codecs::Error),
    #[error(transparent)]
    Payload(#[from] payload::Malformed),
}
