//! The body of a request, read from the connection as it is asked for.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite};

use super::link::{Framing, Shared};

/// A body that is still on its way.
#[derive(Debug)]
pub(super) struct Incoming<S> {
    link: Arc<Shared<S>>,
    /// Where its length was told: how much is left.
    left: Option<u64>,
}

impl<S> Incoming<S> {
    pub(super) fn new(link: Arc<Shared<S>>, framing: Framing) -> Self {
        let left = if let Framing::Length(length) = framing { Some(length) } else { None };
        Self { link, left }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Body for Incoming<S> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = self.link.lock().poll_body(context);
        piece.map(|piece| {
            if let (Some(Ok(bytes)), Some(left)) = (&piece, &mut self.left) {
                *left = left.saturating_sub(bytes.len() as u64);
            }
            piece.map(|bytes| bytes.map(Frame::data))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}
