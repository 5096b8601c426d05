//! A call on the relay as a fan-out: its first peer publishes, all the others read.

use std::net::SocketAddr;

use anyhow::Context;
use proto::PeerId;

use crate::{
    fan::Target,
    house::{Guest, House},
    load::{Reply, request},
    spent::Spent,
};

/// As which peer the one who rang publishes.
pub const PUBLISHER: PeerId = PeerId(1);

/// A call with its publisher and its readers.
pub struct Audience<'a> {
    house: &'a House,
    publisher: Guest,
    readers: Vec<Guest>,
    call: String,
    /// Number of the reader that each peer opened for this run.
    run: u32,
    polls: Vec<u64>,
}

impl<'a> Audience<'a> {
    /// Brings these people into a call; the first of them publishes.
    ///
    /// # Errors
    /// When the relay refuses something.
    pub fn gather(house: &'a House, guests: &[Guest]) -> anyhow::Result<Self> {
        let call = house.call(guests)?;
        let (publisher, readers) = guests.split_first().context("nobody there")?;
        Ok(Self { house, publisher: publisher.clone(), readers: readers.to_vec(), call, run: 0, polls: Vec::new() })
    }
}

impl Target for Audience<'_> {
    fn address(&self) -> SocketAddr {
        self.house.address()
    }

    fn begin(&mut self, readers: usize) -> anyhow::Result<()> {
        anyhow::ensure!(readers == self.readers.len(), "all the peers of the call read");
        // Who only publishes polls no media; without any poll it would count as gone.
        self.house.show_up(std::slice::from_ref(&self.publisher))?;
        self.run += 1;
        self.polls = vec![0; readers];
        Ok(())
    }

    fn post(&mut self, body: &[u8], out: &mut Vec<u8>) {
        request::post(out, &format!("/v1/calls/{}/video", self.call), Some(&self.publisher.token), body);
    }

    fn poll(&mut self, reader: usize, out: &mut Vec<u8>) {
        self.polls[reader] += 1;
        let (call, run, poll) = (&self.call, self.run, self.polls[reader]);
        let token = &self.readers[reader].token;
        request::put(
            out,
            format_args!(
                "GET /v1/calls/{call}/video?reader={run}&poll={poll}&wait_ms=25000 HTTP/1.1\r\nHost: bench\r\n\
                 Authorization: Bearer {token}\r\n\r\n"
            ),
        );
    }

    fn polled(&mut self, _reader: usize, reply: &Reply<'_>) -> anyhow::Result<()> {
        let text = || String::from_utf8_lossy(reply.body);
        anyhow::ensure!(reply.status == 200, "the relay answered a poll with {}: {}", reply.status, text());
        Ok(())
    }

    fn spent(&self) -> Spent {
        self.house.spent()
    }
}
