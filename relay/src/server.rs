//! The sockets: who is let in, what a connection may cost, and how the relay stops.

mod connection;
mod handle;
mod http1;
mod streams;
mod watched;

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};

pub(crate) use self::handle::Handle;
use self::{connection::Connection, handle::Phase};
use crate::{
    config::{Patience, PlainHttp},
    doorman::Origin,
    forwarded::TrustedProxies,
    listen::Socket,
    router::{self, Routes},
    slots::Slots,
};

/// How long to wait when no connection can be accepted: the system has run out of something, and asking at once would only keep it busy.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a connection may take for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// For the handshake of TLS: a slow network needs some round trips, a lost packet a second or three.
    pub(crate) handshake: Duration,
    /// For a request's head.
    pub(crate) head: Duration,
    /// Without a byte in either direction, and it is closed; so is a stream of HTTP/2.
    pub(crate) silence: Duration,
    /// How often a silent HTTP/2 connection is asked whether it is still there, and how long it has to say so.
    pub(crate) ping: (Duration, Duration),
}

impl Limits {
    pub(crate) fn new(patience: &Patience) -> Self {
        let seconds = Duration::from_secs;
        let Patience { head, silence, .. } = *patience;
        Self { handshake: seconds(10), head, silence, ping: (seconds(20), seconds(15)) }
    }
}

#[cfg(test)]
impl Default for Limits {
    fn default() -> Self {
        Self::new(&Patience::default())
    }
}

/// What all sockets of a relay have in common. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct Server(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    routes: Routes,
    /// What answers in their place where TLS is wanted.
    refusal: Routes,
    handle: Handle,
    slots: Slots,
    proxies: TrustedProxies,
    plain_http: PlainHttp,
    limits: Limits,
}

impl Server {
    pub(crate) fn new(
        routes: impl Into<Routes>,
        handle: Handle,
        slots: Slots,
        proxies: TrustedProxies,
        plain_http: PlainHttp,
        limits: Limits,
    ) -> Self {
        Self(Arc::new(Parts {
            routes: routes.into(),
            refusal: router::https_only().into(),
            handle,
            slots,
            proxies,
            plain_http,
            limits,
        }))
    }

    /// Serves a socket, with TLS where it is one for that, until the handle says stop.
    pub(crate) async fn serve(self, socket: Socket, tls: Option<Arc<ServerConfig>>) -> io::Result<()> {
        let tls = match (socket.secure, tls) {
            (false, _) => None,
            (true, Some(tls)) => Some(tls),
            (true, None) => return Err(io::Error::other("there is no certificate for it")),
        };
        socket.listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(socket.listener)?;
        let mut handle = self.0.handle.listener();
        let mut failing = false;
        while handle.phase() == Phase::Running {
            let accepted = tokio::select! {
                biased;
                _ = handle.changed() => continue,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    failing = false;
                    self.admit(stream, peer, tls.as_ref());
                }
                // It was gone before it was here.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::error!(%error, "no connection can be accepted");
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        // Whoever knocks from now on is refused at once.
        drop(listener);
        handle.ended().await;
        Ok(())
    }

    /// Lets a connection in if there is room for it; else it is closed without a word.
    fn admit(&self, stream: TcpStream, peer: SocketAddr, tls: Option<&Arc<ServerConfig>>) {
        let trusted = self.0.proxies.trust(peer.ip());
        // A trusted proxy is there for many.
        let origin = if trusted { None } else { Origin::of(peer.ip()) };
        let Ok(slot) = self.0.slots.take(origin) else { return };
        // A trusted proxy and this machine are of no origin.
        let welcome = tls.is_some() || origin.is_none() || self.0.plain_http == PlainHttp::Everyone;
        let connection = Connection {
            routes: if welcome { self.0.routes.clone() } else { self.0.refusal.clone() },
            peer,
            limits: self.0.limits,
            handle: self.0.handle.listener(),
            slot,
        };
        match tls {
            None => tokio::spawn(connection.plain(stream)),
            Some(tls) => tokio::spawn(connection.secure(stream, tls.clone(), self.0.refusal.clone())),
        };
    }
}

#[cfg(test)]
mod tests;
