//! One connection of the generator.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::SocketAddr,
    sync::Arc,
    time::Instant,
};

use anyhow::Context;
use mio::net::TcpStream;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::reply::Reply;

/// What a connection's bytes go over.
#[derive(Debug)]
enum Wire {
    Plain(TcpStream),
    Secure(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    fn ends(&mut self) -> &mut (dyn ReadAndWrite + '_) {
        match self {
            Self::Plain(stream) => stream,
            Self::Secure(stream) => stream,
        }
    }
}

trait ReadAndWrite: Read + Write {}

impl<T: Read + Write> ReadAndWrite for T {}

/// A connection with what is still to go out, and what came in but isn't a whole answer yet.
#[derive(Debug)]
pub(super) struct Connection {
    wire: Wire,
    pub(super) outbox: Vec<u8>,
    inbox: Vec<u8>,
}

impl Connection {
    /// Connects, which on one machine takes no time, and turns Nagle's delay off.
    pub(super) fn open(to: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> anyhow::Result<Self> {
        let stream = std::net::TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let stream = TcpStream::from_std(stream);
        let wire = match tls {
            None => Wire::Plain(stream),
            Some(tls) => {
                let tls = ClientConnection::new(Arc::clone(tls), to.ip().into())?;
                Wire::Secure(Box::new(StreamOwned::new(tls, stream)))
            }
        };
        Ok(Self { wire, outbox: Vec::new(), inbox: Vec::new() })
    }

    pub(super) fn socket(&mut self) -> &mut TcpStream {
        match &mut self.wire {
            Wire::Plain(stream) => stream,
            Wire::Secure(stream) => &mut stream.sock,
        }
    }

    /// Writes what the socket takes.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while !self.outbox.is_empty() {
            match self.wire.ends().write(&self.outbox) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                // All of it, as good as always.
                Ok(written) if written == self.outbox.len() => self.outbox.clear(),
                Ok(written) => drop(self.outbox.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        match self.wire.ends().flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    /// Reads what is there and hands over each whole answer with the moment it was read.
    pub(super) fn receive(
        &mut self,
        scratch: &mut [u8],
        mut on: impl FnMut(&Reply<'_>, Instant, &mut Vec<u8>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        loop {
            let read = match self.wire.ends().read(scratch) {
                Ok(0) => anyhow::bail!("the server closed a connection"),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("a connection broke"),
            };
            let at = Instant::now();
            if self.inbox.is_empty() {
                let taken = hand_over(&scratch[..read], at, &mut self.outbox, &mut on)?;
                self.inbox.extend_from_slice(&scratch[taken..read]);
            } else {
                self.inbox.extend_from_slice(&scratch[..read]);
                let taken = hand_over(&self.inbox, at, &mut self.outbox, &mut on)?;
                self.inbox.drain(..taken);
            }
            // Less than there is room for: there is no more, and the queue says when there is. TLS reads a record at a time.
            if read < scratch.len() && matches!(self.wire, Wire::Plain(_)) {
                return Ok(());
            }
        }
    }
}

/// How many bytes the whole answers took.
fn hand_over(
    bytes: &[u8],
    at: Instant,
    outbox: &mut Vec<u8>,
    on: &mut impl FnMut(&Reply<'_>, Instant, &mut Vec<u8>) -> anyhow::Result<()>,
) -> anyhow::Result<usize> {
    let mut taken = 0;
    while let Some((reply, length)) = Reply::read(&bytes[taken..])? {
        on(&reply, at, outbox)?;
        taken += length;
    }
    Ok(taken)
}
