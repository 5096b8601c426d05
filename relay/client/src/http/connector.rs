//! Makes connections: to the relay itself, or to a proxy, with a tunnel through it (CONNECT) where the relay speaks TLS.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::{
    client::legacy::connect::{Connected, Connection, HttpConnector},
    rt::TokioIo,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tower_service::Service;

use crate::{
    backoff::random,
    proxy::{
        Proxy, Route,
        login::{ATTEMPTS, Refusal},
    },
};

/// How long a connection may take: a slow network needs three round trips, a lost packet costs one or three seconds.
const CONNECT: Duration = Duration::from_secs(5);

/// Where there may be only so many connections, an old one is given so long to close.
const CLOSING: Duration = Duration::from_secs(1);

/// A parked poll is silent, so the kernel asks now and then whether the other end is still there.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// Data unacknowledged for this long means a dead connection; Linux alone would try for a quarter of an hour.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
const UNACKNOWLEDGED: Duration = Duration::from_secs(8);

/// Largest head of a proxy's answer to CONNECT, in bytes.
const HEAD_MAX: usize = 16 << 10;

/// Most lines of that head.
const LINES_MAX: usize = 100;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoConnection {
    #[error("{0}")]
    Relay(#[source] BoxError),
    #[error("the proxy can't be reached: {0}")]
    Proxy(#[source] BoxError),
    #[error("the connection through the proxy broke: {0}")]
    Tunnel(#[source] io::Error),
    #[error("the proxy answered CONNECT with status {0}")]
    Refused(u16),
    #[error("the proxy wants to know who is there")]
    WhoAreYou(Refusal),
    /// Nobody answers at the other end, or at that of the proxy.
    #[error("it took too long")]
    TooLong,
    /// It was never begun, which says nothing about the way.
    #[error("there may be no more connections, and none has become free")]
    Occupied,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Connects by one route.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    tcp: HttpConnector,
    route: Route,
    /// As many permits as there may be connections, where there is a bound.
    permits: Option<Arc<Semaphore>>,
}

impl Connector {
    /// With at most `limit` connections at a time.
    pub(crate) fn new(route: Route, limit: Option<usize>) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.set_keepalive(Some(KEEPALIVE));
        tcp.set_keepalive_interval(Some(Duration::from_secs(3)));
        tcp.set_keepalive_retries(Some(3));
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
        tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
        Self { tcp, route, permits: limit.map(|limit| Arc::new(Semaphore::new(limit))) }
    }

    async fn connect(mut self, relay: Uri) -> Result<Line, NoConnection> {
        let permit = match &self.permits {
            // While this waits the request is given the connection that becomes free, and nobody needs this one any more.
            Some(permits) => {
                let waiting = tokio::time::timeout(CLOSING, permits.clone().acquire_owned()).await;
                Some(waiting.ok().and_then(Result::ok).ok_or(NoConnection::Occupied)?)
            }
            None => None,
        };
        let connecting = async {
            match self.route.clone() {
                Route::Direct => {
                    let io = self.tcp.call(relay).await.map_err(|error| NoConnection::Relay(error.into()))?;
                    Ok((io, false))
                }
                Route::Via(proxy) if relay.scheme() == Some(&http::uri::Scheme::HTTPS) => {
                    Ok((self.tunnel(&proxy, &relay).await?, false))
                }
                Route::Via(proxy) => Ok((self.reach(&proxy).await?, true)),
            }
        };
        let (io, to_proxy) = tokio::time::timeout(CONNECT, connecting).await.unwrap_or(Err(NoConnection::TooLong))?;
        Ok(Line { io, to_proxy, proven: Proven::new(Instant::now()), _permit: permit })
    }

    /// Makes a connection to whoever is next on this route, the proxy or the relay itself, and lets it go again.
    pub(crate) async fn touch(mut self, relay: Uri) -> Result<(), NoConnection> {
        match self.route.clone() {
            Route::Direct => self.tcp.call(relay).await.map_err(|error| NoConnection::Relay(error.into()))?,
            Route::Via(proxy) => self.reach(&proxy).await?,
        };
        Ok(())
    }

    async fn reach(&mut self, proxy: &Proxy) -> Result<TokioIo<TcpStream>, NoConnection> {
        let address = proxy.address.uri().map_err(|error| NoConnection::Proxy(error.into()))?;
        self.tcp.call(address).await.map_err(|error| NoConnection::Proxy(error.into()))
    }

    async fn tunnel(&mut self, proxy: &Proxy, relay: &Uri) -> Result<TokioIo<TcpStream>, NoConnection> {
        let host = relay.host().unwrap_or_default();
        let target = format!("{host}:{}", relay.port_u16().unwrap_or(443));
        let mut attempt = 1;
        loop {
            let (authorization, answered) =
                proxy.login.authorization("CONNECT", &target, random(), Instant::now()).map_err(NoConnection::WhoAreYou)?;
            let mut stream = self.reach(proxy).await?.into_inner();
            let mut head =
                format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: {}\r\n", super::USER_AGENT).into_bytes();
            if let Some(authorization) = authorization {
                head.extend_from_slice(b"Proxy-Authorization: ");
                head.extend_from_slice(authorization.as_bytes());
                head.extend_from_slice(b"\r\n");
            }
            head.extend_from_slice(b"\r\n");
            stream.write_all(&head).await.map_err(NoConnection::Tunnel)?;
            let answer = read_head(&mut stream).await.map_err(NoConnection::Tunnel)?;
            match answer.status {
                200..=299 => {
                    proxy.login.passed(answered);
                    return Ok(TokioIo::new(stream));
                }
                407 => {
                    let lines = answer.challenges.iter().map(String::as_str);
                    let asked = proxy.login.challenged(answered, lines, Instant::now());
                    asked.map_err(NoConnection::WhoAreYou)?;
                    if attempt == ATTEMPTS {
                        return Err(NoConnection::Refused(407));
                    }
                    attempt += 1;
                }
                status => return Err(NoConnection::Refused(status)),
            }
        }
    }
}

impl Service<Uri> for Connector {
    type Response = Line;
    type Error = NoConnection;
    type Future = Pin<Box<dyn Future<Output = Result<Line, NoConnection>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoConnection>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, relay: Uri) -> Self::Future {
        Box::pin(self.clone().connect(relay))
    }
}

struct Head {
    status: u16,
    /// What stands in its `Proxy-Authenticate` lines.
    challenges: Vec<String>,
}

/// Reads up to the empty line, and not a byte further: what follows belongs to TLS.
async fn read_head(stream: &mut TcpStream) -> io::Result<Head> {
    let mut head = Vec::with_capacity(512);
    while !head.ends_with(b"\r\n\r\n") && !head.ends_with(b"\n\n") {
        if head.len() == HEAD_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the proxy's answer has too long a head"));
        }
        // Byte by byte out of the kernel's buffer: once per connection, and only some hundred of them.
        head.push(stream.read_u8().await?);
    }
    let mut lines = [httparse::EMPTY_HEADER; LINES_MAX];
    let mut answer = httparse::Response::new(&mut lines);
    let unreadable = |_| io::Error::new(io::ErrorKind::InvalidData, "the proxy's answer can't be read");
    answer.parse(&head).map_err(unreadable)?;
    let challenges = answer.headers.iter().filter(|line| line.name.eq_ignore_ascii_case("proxy-authenticate"));
    let challenges = challenges.map(|line| String::from_utf8_lossy(line.value).into_owned()).collect();
    Ok(Head { status: answer.code.unwrap_or_default(), challenges })
}

/// A connection, and who is at its other end.
#[derive(Debug)]
pub(crate) struct Line {
    io: TokioIo<TcpStream>,
    /// A proxy, which wants whole URLs.
    to_proxy: bool,
    proven: Proven,
    _permit: Option<OwnedSemaphorePermit>,
}

/// Whether a connection has carried an answer, and how old it is.
#[derive(Clone, Debug)]
pub(crate) struct Proven {
    answered: Arc<AtomicBool>,
    made: Instant,
}

impl Proven {
    fn new(made: Instant) -> Self {
        Self { answered: Arc::default(), made }
    }

    /// It just has. Gives what was before.
    pub(crate) fn prove(&self) -> bool {
        self.answered.swap(true, Relaxed)
    }

    pub(crate) fn get(&self) -> bool {
        self.answered.load(Relaxed)
    }

    /// When the connection was made.
    pub(crate) fn made(&self) -> Instant {
        self.made
    }
}

impl Connection for Line {
    fn connected(&self) -> Connected {
        self.io.connected().proxy(self.to_proxy).extra(self.proven.clone())
    }
}

impl Read for Line {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl Write for Line {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, parts)
    }
}

/// The reason of ours within what the HTTP library says.
pub(crate) fn reason<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a NoConnection> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// Whether there was someone who refused the connection, rather than nobody, or no way there.
pub(crate) fn is_refusal(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return matches!(io.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset);
        }
        next = error.source();
    }
    false
}
