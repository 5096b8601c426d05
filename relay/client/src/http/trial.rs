//! What the course of one request says about the connections: whether they are few.

use std::time::{Duration, Instant};

use hyper_util::client::legacy::{self, connect::CaptureConnection};

use super::{
    connector::{self, Proven},
    lines::Flight,
    scarcity::Failed,
};

/// A request that is given up after this long was worth an answer, and one that fails before was refused one.
const PATIENT: Duration = Duration::from_millis(1500);

/// A request without a word after each of these was perhaps kept waiting by whoever took its connection: longer than a lost packet's first
/// two retransmissions take, and just below the least time that an upload is given.
const SILENT: [Duration; 2] = [Duration::from_millis(1000), Duration::from_millis(1950)];

/// A request in flight, and the connection it goes by once there is one.
pub(super) struct Trial<'a> {
    flight: Flight<'a>,
    connection: CaptureConnection,
}

impl<'a> Trial<'a> {
    pub(super) fn new(flight: Flight<'a>, connection: CaptureConnection) -> Self {
        Self { flight, connection }
    }

    /// Waits for the answer, and tells meanwhile of a silence that is strange: one of a request that isn't held.
    pub(super) async fn watch<T>(&self, answer: impl Future<Output = T>, held: bool) -> T {
        let mut answer = std::pin::pin!(answer);
        for silent in SILENT.into_iter().filter(|_| !held) {
            match tokio::time::timeout_at((self.flight.began() + silent).into(), &mut answer).await {
                Ok(answer) => return answer,
                Err(_) => self.silent(),
            }
        }
        answer.await
    }

    /// Gives when its connection was made.
    pub(super) fn answered(&self) -> Option<Instant> {
        let proven = self.proven()?;
        // The first answer on a connection says nothing about the others.
        if proven.prove() {
            self.flight.answered(proven.made(), Instant::now());
        }
        Some(proven.made())
    }

    pub(super) fn failed(&self, error: &legacy::Error) {
        let refused = match self.proven() {
            Some(proven) => !proven.get(),
            None => connector::is_refusal(error),
        };
        // One that breaks later was let in.
        if refused && !self.flight.lasted(PATIENT) {
            self.flight.failed(Failed::Refused, Instant::now());
        }
    }

    /// An older connection may have been let in, and have died since.
    fn silent(&self) {
        if self.proven().is_some_and(|proven| !proven.get() && proven.made() >= self.flight.began()) {
            self.flight.failed(Failed::Silent, Instant::now());
        }
    }

    fn proven(&self) -> Option<Proven> {
        let mut extras = http::Extensions::new();
        self.connection.connection_metadata().as_ref()?.get_extras(&mut extras);
        extras.get::<Proven>().cloned()
    }
}
