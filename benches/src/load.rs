//! The load generator: many connections on one thread, HTTP/1.1 by hand.
//!
//! It shares the machine with what it measures, so it does as little as it can: no runtime, one read for each answer, one write
//! for each request. Its own processor time is never counted. Every server is asked through the same code.

mod connection;
mod descriptors;
mod reply;
pub mod request;
mod trusting;

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use mio::{Events, Interest, Poll, Token};
use rustls::ClientConfig;

use self::connection::Connection;
pub use self::{descriptors::connections_possible, reply::Reply, trusting::trusting};

/// One read takes no more than this: a few of the largest answers.
const SCRATCH: usize = 256 * 1024;

/// How long an answer that is waited for alone may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Many connections. Each has a number, from 0 on.
#[derive(Debug)]
pub struct Crowd {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    scratch: Vec<u8>,
    /// For connections with TLS.
    tls: Option<Arc<ClientConfig>>,
}

/// A reply's status and body, kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// When the request was refused, or the body is something else.
    pub fn json(&self) -> anyhow::Result<serde_json::Value> {
        anyhow::ensure!(self.status == 200, "refused: {} {}", self.status, String::from_utf8_lossy(&self.body));
        serde_json::from_slice(&self.body).context("an answer that isn't JSON")
    }
}

/// Who came, with what, when, and where to put the next request on the same connection.
pub type OnReply<'a> = dyn FnMut(usize, &Reply<'_>, Instant, &mut Vec<u8>) -> anyhow::Result<()> + 'a;

impl Crowd {
    /// Nobody yet.
    ///
    /// # Errors
    /// When the system gives no event queue.
    pub fn new() -> io::Result<Self> {
        let (poll, events) = (Poll::new()?, Events::with_capacity(1024));
        Ok(Self { poll, events, connections: Vec::new(), scratch: vec![0; SCRATCH], tls: None })
    }

    /// The same, but for connections with TLS.
    #[must_use]
    pub fn secure(self, tls: Option<Arc<ClientConfig>>) -> Self {
        Self { tls, ..self }
    }

    /// Opens one more connection.
    ///
    /// # Errors
    /// When it can't be.
    pub fn connect(&mut self, to: SocketAddr) -> anyhow::Result<usize> {
        let number = self.connections.len();
        let mut connection = Connection::open(to, self.tls.as_ref())?;
        self.poll.registry().register(connection.socket(), Token(number), Interest::READABLE | Interest::WRITABLE)?;
        self.connections.push(connection);
        Ok(number)
    }

    /// Sends a request; what the socket doesn't take goes when it does.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn send(&mut self, number: usize, request: &[u8]) -> io::Result<()> {
        let connection = &mut self.connections[number];
        connection.outbox.extend_from_slice(request);
        connection.flush()
    }

    /// Hands over what comes until then; returns earlier once something came.
    ///
    /// # Errors
    /// When a connection breaks, an answer can't be read, or `on` fails.
    pub fn turn(&mut self, until: Instant, on: &mut OnReply<'_>) -> anyhow::Result<()> {
        match self.poll.poll(&mut self.events, Some(until.saturating_duration_since(Instant::now()))) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            outcome => outcome?,
        }
        for event in &self.events {
            let number = event.token().0;
            let connection = &mut self.connections[number];
            if event.is_writable() {
                connection.flush().with_context(|| format!("connection {number}"))?;
            }
            if event.is_readable() || event.is_read_closed() {
                connection.receive(&mut self.scratch, |reply, at, outbox| on(number, reply, at, outbox))?;
                connection.flush().with_context(|| format!("connection {number}"))?;
            }
        }
        Ok(())
    }

    /// Sends a request and waits for its answer; others' answers meanwhile go to nobody.
    ///
    /// # Errors
    /// When there is none.
    pub fn ask(&mut self, number: usize, request: &[u8]) -> anyhow::Result<Answer> {
        self.send(number, request)?;
        let mut answer = None;
        let until = Instant::now() + PATIENCE;
        while answer.is_none() {
            anyhow::ensure!(Instant::now() < until, "no answer within {PATIENCE:?}");
            self.turn(until, &mut |from, reply, _, _| {
                if from == number {
                    answer = Some(reply.keep());
                }
                Ok(())
            })?;
        }
        answer.context("no answer")
    }
}

/// Asks all of these over so many connections, and gives the answers in the same order.
///
/// # Errors
/// When one is not answered.
pub fn ask_all(to: SocketAddr, requests: &[Vec<u8>], at_once: usize) -> anyhow::Result<Vec<Answer>> {
    let mut crowd = Crowd::new()?;
    let mut answers: Vec<Option<Answer>> = vec![None; requests.len()];
    let mut asked: Vec<usize> = Vec::new();
    let mut next = at_once.min(requests.len());
    for (at, request) in requests.iter().enumerate().take(next) {
        let number = crowd.connect(to)?;
        asked.push(at);
        crowd.send(number, request)?;
    }
    let mut left = requests.len();
    while left > 0 {
        let until = Instant::now() + PATIENCE;
        let before = left;
        crowd.turn(until, &mut |number, reply, _, outbox| {
            answers[asked[number]] = Some(reply.keep());
            left -= 1;
            if let Some(request) = requests.get(next) {
                asked[number] = next;
                next += 1;
                outbox.extend_from_slice(request);
            }
            Ok(())
        })?;
        anyhow::ensure!(left < before || Instant::now() < until, "no answer within {PATIENCE:?}");
    }
    answers.into_iter().map(|answer| answer.context("a request was not answered")).collect()
}
