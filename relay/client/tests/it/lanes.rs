//! The media lanes over a real socket.

mod ends;
mod pull;
mod push;

use std::sync::Arc;

use proto::{CallId, Chunk, Kind, PeerId, api::Feedback};
use relay_client::lanes::{GaveUp, Handler, LaneState, Lanes};
use tokio::sync::mpsc;

use crate::{session, soon};

/// What the handler was told.
#[derive(Debug)]
enum Told {
    Chunk(Chunk),
    Uploaded(Kind, u32, Result<Feedback, GaveUp>),
    State(LaneState),
    InFlight(Kind, usize),
}

struct Recorder(mpsc::UnboundedSender<Told>);

impl Recorder {
    fn note(&self, told: Told) {
        // The test may have ended.
        let _ = self.0.send(told);
    }
}

impl Handler for Recorder {
    fn chunk(&self, chunk: Chunk) {
        self.note(Told::Chunk(chunk));
    }

    fn uploaded(&self, kind: Kind, seq: u32, outcome: Result<Feedback, GaveUp>) {
        self.note(Told::Uploaded(kind, seq, outcome));
    }

    fn state(&self, state: LaneState) {
        self.note(Told::State(state));
    }

    fn in_flight(&self, kind: Kind, limit: usize) {
        self.note(Told::InFlight(kind, limit));
    }
}

/// Lanes of peer 1 in call "c", and what they tell.
struct Open {
    lanes: Lanes,
    told: mpsc::UnboundedReceiver<Told>,
}

impl Open {
    fn at(url: &str) -> Self {
        let (sender, told) = mpsc::unbounded_channel();
        Self { lanes: Lanes::open(&session(url), CallId::new("c"), PeerId(1), Arc::new(Recorder(sender))), told }
    }

    /// The first thing told that `pick` takes; the others are passed over.
    async fn until<T>(&mut self, mut pick: impl FnMut(Told) -> Option<T>) -> T {
        soon(async {
            loop {
                if let Some(picked) = pick(self.told.recv().await.expect("the lanes are open")) {
                    return picked;
                }
            }
        })
        .await
    }

    async fn chunk(&mut self) -> Chunk {
        self.until(|told| if let Told::Chunk(chunk) = told { Some(chunk) } else { None }).await
    }

    async fn state(&mut self) -> LaneState {
        self.until(|told| if let Told::State(state) = told { Some(state) } else { None }).await
    }

    async fn uploaded(&mut self, of: Kind) -> (u32, Result<Feedback, GaveUp>) {
        self.until(|told| match told {
            Told::Uploaded(kind, seq, outcome) if kind == of => Some((seq, outcome)),
            _ => None,
        })
        .await
    }
}
