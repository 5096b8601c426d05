//! A stream with what was read of it and not yet taken.

use std::{
    io::{self, IoSlice},
    mem::{MaybeUninit, take},
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::chunked::Chunked;

/// Most that one read takes. On the stack, for the time of the read.
const READ: usize = 32 * 1024;

/// Most that is read ahead of being asked for.
const AHEAD: usize = 64 * 1024;

/// Where the body of the request under way ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Here: there is none, or nothing left of it.
    Done,
    /// After so many bytes.
    Length(u64),
    /// Where its chunks say so.
    Chunked(Chunked),
}

impl Framing {
    /// Of a body of so many bytes.
    pub(super) fn of(length: u64) -> Self {
        if length == 0 { Self::Done } else { Self::Length(length) }
    }
}

/// Both the connection and the body of a request hold it. Nobody waits while it is locked.
#[derive(Debug)]
pub(super) struct Shared<S>(Mutex<Link<S>>);

impl<S> Shared<S> {
    pub(super) fn new(link: Link<S>) -> Self {
        Self(Mutex::new(link))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Link<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
pub(super) struct Link<S> {
    stream: S,
    pub(super) unread: Bytes,
    pub(super) framing: Framing,
    /// What is still to be said before the client sends its body: `100 Continue`.
    pub(super) invitation: &'static [u8],
    /// It was written, and may still wait in the stream's own buffer.
    unflushed: bool,
}

impl<S> Link<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, unread: Bytes::new(), framing: Framing::Done, invitation: b"", unflushed: false }
    }

    /// Whether nothing came that was not taken.
    pub(super) fn is_empty(&self) -> bool {
        self.unread.is_empty()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// Reads once and adds it to what is unread; 0 is the end.
    pub(super) fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [MaybeUninit::uninit(); READ];
        let mut buffer = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
        let read = buffer.filled();
        if self.unread.is_empty() {
            self.unread = Bytes::copy_from_slice(read);
        } else if !read.is_empty() {
            let unread = take(&mut self.unread).try_into_mut();
            let mut unread = unread.unwrap_or_else(|shared| BytesMut::from(&shared[..]));
            unread.extend_from_slice(read);
            self.unread = unread.freeze();
        }
        Poll::Ready(Ok(read.len()))
    }

    /// Ready once the client is gone. What it says meanwhile is kept for later, as far as there is room.
    pub(super) fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // While a body is under way, whoever reads that finds out.
        while self.framing == Framing::Done && self.unread.len() < AHEAD {
            match ready!(self.poll_fill(context)) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(_) => {}
            }
        }
        Poll::Pending
    }

    /// The next piece of the body under way; `None` at its end.
    pub(super) fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            let taken = match &mut self.framing {
                Framing::Done => return Poll::Ready(None),
                Framing::Length(left) => {
                    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(self.unread.len());
                    *left -= length as u64;
                    let over = *left == 0;
                    let piece = self.unread.split_to(length);
                    if over {
                        self.framing = Framing::Done;
                    }
                    Ok(Some(piece))
                }
                Framing::Chunked(chunked) => {
                    let taken = chunked.take(&mut self.unread);
                    if chunked.is_over() {
                        self.framing = Framing::Done;
                    }
                    taken
                }
            };
            match taken {
                Ok(Some(piece)) if !piece.is_empty() => return Poll::Ready(Some(Ok(piece))),
                Ok(_) if self.framing == Framing::Done => return Poll::Ready(None),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            while !self.invitation.is_empty() {
                let invitation = self.invitation;
                let written = ready!(self.poll_write(context, invitation, b""))?;
                self.invitation = invitation.get(written..).unwrap_or_default();
                self.unflushed = true;
            }
            if self.unflushed {
                ready!(self.poll_flush(context))?;
                self.unflushed = false;
            }
            if ready!(self.poll_fill(context))? == 0 {
                return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
            }
        }
    }

    /// Takes what is there of a body that nobody reads. Whether that was all of it.
    pub(super) fn pass_over(&mut self, context: &mut Context<'_>) -> bool {
        // Who waits to be asked for the body hasn't sent it.
        while self.framing != Framing::Done && self.invitation.is_empty() {
            if !matches!(self.poll_body(context), Poll::Ready(Some(Ok(_)) | None)) {
                return false;
            }
        }
        self.framing == Framing::Done
    }

    /// Writes what the stream takes of these, one after the other.
    pub(super) fn poll_write(&mut self, context: &mut Context<'_>, head: &[u8], body: &[u8]) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        let written = match (head.is_empty(), body.is_empty()) {
            (true, _) => stream.poll_write(context, body),
            (false, true) => stream.poll_write(context, head),
            (false, false) => stream.poll_write_vectored(context, &[IoSlice::new(head), IoSlice::new(body)]),
        };
        match ready!(written)? {
            0 => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            written => Poll::Ready(Ok(written)),
        }
    }

    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    pub(super) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    /// Reads once for nothing.
    pub(super) fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.unread = Bytes::new();
        self.poll_fill(context)
    }
}
