//! One connection, from its first byte to its last.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
};

use axum::{body::Body, response::Response};
use hyper::{
    Request,
    body::Incoming,
    server::conn::http2,
    service::{Service as HttpService, service_fn},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    Limits,
    handle::{Listener, Phase},
    http1,
    streams::Streams,
    watched::{Moved, Watched},
};
use crate::{router::Routes, slots::Slot, tls::ALPN};

/// Most bytes of a request's head with HTTP/2, where it is packed.
const HEADERS: u32 = 16 * 1024;

/// Requests under way on one connection of HTTP/2: all of a client in a call, or the control requests of many behind one proxy, which opens
/// another connection where it needs more. Each costs memory until its answer is read, so there are no more than that.
const STREAMS: u32 = 64;

/// Streams a client may open and take back before anything was done for them, and streams that were refused for a fault of theirs:
/// past that the connection is ended. Both are floods that cost their sender nothing (CVE-2023-44487 and its like).
const RESETS: usize = 20;
const FAULTS: usize = 64;

/// What a client may send ahead of being read, on one stream and on all: the largest upload needs no second round trip.
const STREAM_WINDOW: u32 = 512 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Most of an answer that is kept ready for a stream whose reader is slow, in bytes; the rest stays where it is.
const UNSENT: usize = 128 * 1024;

/// The first byte of a handshake of TLS: the type of its records (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;

/// A connection that was let in.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) routes: Routes,
    pub(super) peer: SocketAddr,
    pub(super) limits: Limits,
    pub(super) handle: Listener,
    /// Free again once the connection is gone.
    pub(super) slot: Slot,
}

impl Connection {
    /// Serves plain HTTP/1. Without TLS nobody negotiates HTTP/2.
    pub(super) async fn plain(self, stream: TcpStream) {
        if stream.set_nodelay(true).is_ok() {
            let (stream, moved) = Watched::new(stream);
            self.http1(stream, moved).await;
        }
    }

    /// Serves whichever HTTP was agreed on in the handshake of TLS. Whoever speaks plain HTTP is told by `refusal`.
    pub(super) async fn secure(mut self, stream: TcpStream, tls: Arc<ServerConfig>, refusal: Routes) {
        let greeted = tokio::select! {
            greeted = timeout(self.limits.handshake, greet(stream, tls)) => greeted,
            // A handshake is nothing that a stop waits for.
            _ = self.handle.changed() => return,
        };
        match greeted {
            Ok(Ok(Greeted::Secure(stream, moved))) if stream.get_ref().1.alpn_protocol() == Some(ALPN[0]) => {
                self.http2(stream, moved).await;
            }
            Ok(Ok(Greeted::Secure(stream, moved))) => self.http1(stream, moved).await,
            Ok(Ok(Greeted::Plain(stream, moved))) => {
                self.routes = refusal;
                self.http1(stream, moved).await;
            }
            // Scanners, old clients, people who don't trust the certificate: nothing the relay can mend.
            Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
            Err(_) => tracing::debug!("a handshake took too long"),
        }
    }

    async fn http1<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S, moved: Moved) {
        // It notices by itself when the relay stops.
        let conversation = Box::pin(http1::serve(stream, self.routes.clone(), self.peer, self.limits.head, self.handle.clone()));
        self.see_through(conversation, |_| {}, moved).await;
    }

    async fn http2<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S, moved: Moved) {
        let mut http = http2::Builder::new(Streams(self.limits.silence));
        let (every, within) = self.limits.ping;
        http.timer(TokioTimer::new())
            .keep_alive_interval(every)
            .keep_alive_timeout(within)
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(HEADERS)
            .max_pending_accept_reset_streams(RESETS)
            .max_local_error_reset_streams(FAULTS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(UNSENT);
        let connection = Box::pin(http.serve_connection(TokioIo::new(stream), service(self.routes.clone(), self.peer)));
        self.see_through(connection, http2::Connection::graceful_shutdown, moved).await;
    }

    /// Runs a connection to its end, which comes sooner if the relay stops or nothing moves any more. It lies in a box: handed on by value it
    /// would be in memory once for each hand.
    async fn see_through<C: Future>(mut self, mut connection: Pin<Box<C>>, stop: fn(Pin<&mut C>), moved: Moved) {
        let silence = self.limits.silence;
        let mut look = pin!(sleep(silence));
        match self.handle.phase() {
            Phase::Running => {}
            Phase::Stopping => stop(connection.as_mut()),
            Phase::Ended => return,
        }
        loop {
            tokio::select! {
                biased;
                _ = connection.as_mut() => break,
                phase = self.handle.changed() => match phase {
                    Phase::Ended => break,
                    Phase::Running | Phase::Stopping => stop(connection.as_mut()),
                },
                () = look.as_mut() => {
                    if !moved.take() {
                        break;
                    }
                    look.as_mut().reset(Instant::now() + silence);
                }
            }
        }
        drop(self.slot);
    }
}

/// What came of the first bytes.
enum Greeted {
    Secure(Box<TlsStream<Watched<TcpStream>>>, Moved),
    Plain(Watched<TcpStream>, Moved),
}

async fn greet(stream: TcpStream, tls: Arc<ServerConfig>) -> std::io::Result<Greeted> {
    stream.set_nodelay(true)?;
    let mut first = [0];
    let read = stream.peek(&mut first).await?;
    let (stream, moved) = Watched::new(stream);
    match first[0] {
        _ if read == 0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
        HANDSHAKE => Ok(Greeted::Secure(Box::new(TlsAcceptor::from(tls).accept(stream).await?), moved)),
        // Methods are letters.
        first if first.is_ascii_alphabetic() => Ok(Greeted::Plain(stream, moved)),
        _ => Err(std::io::Error::other("the first byte is neither of TLS nor of HTTP")),
    }
}

/// The routes for the requests of one connection.
fn service(
    routes: Routes,
    peer: SocketAddr,
) -> impl HttpService<Request<Incoming>, Response = Response, Error = Infallible, Future: Send + 'static> {
    service_fn(move |request: Request<Incoming>| {
        let answering = routes.answer(request.map(Body::new), peer);
        async move { Ok::<_, Infallible>(answering.await) }
    })
}
