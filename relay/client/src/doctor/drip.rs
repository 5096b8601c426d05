//! A body that comes piece by piece, to see whether it is passed on like that.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// So many equal pieces with pauses between. A clone begins anew.
#[derive(Debug)]
pub(crate) struct Drip {
    piece: Bytes,
    count: u32,
    pause: Duration,
    given: u32,
    waits: Option<Pin<Box<Sleep>>>,
}

impl Drip {
    pub(crate) fn new(piece: Bytes, count: u32, pause: Duration) -> Self {
        Self { piece, count, pause, given: 0, waits: None }
    }
}

impl Clone for Drip {
    fn clone(&self) -> Self {
        Self::new(self.piece.clone(), self.count, self.pause)
    }
}

impl Body for Drip {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.given == self.count {
            return Poll::Ready(None);
        }
        if let Some(waits) = &mut self.waits {
            ready!(waits.as_mut().poll(context));
        }
        self.given += 1;
        self.waits = Some(Box::pin(sleep(self.pause)));
        Poll::Ready(Some(Ok(Frame::data(self.piece.clone()))))
    }

    fn is_end_stream(&self) -> bool {
        self.given == self.count
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.piece.len() as u64 * u64::from(self.count - self.given))
    }
}
