//! Fan-out: one publisher, so many readers with one poll parked each.
//!
//! What it means here: on the relay the readers are the other peers of one call, each with a session, a reader and a poll of its own on
//! the video lane, asking for the next number the moment an answer is read; on nchan they are subscribers of one channel by long poll, each
//! asking with the id of the message it has. A call has 16 peers at most unless whoever runs the relay says otherwise
//! (`call_peers`), as the configuration of these runs does: nothing else is different from a call of two.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context;
use bytes::BytesMut;
use proto::{
    Chunk, Header, Kind, PeerId, TrackId,
    chunk::{HEADER_LEN, LENGTH_AT},
};

use crate::{
    load::{Crowd, Reply},
    spent::Spent,
};

/// Where in a chunk its sequence number stands.
const SEQ_AT: usize = 8;

/// Size of a chunk, header included.
const CHUNK: usize = 4096;

/// Chunks a second.
const RATE: u32 = 30;

/// One of so many is a keyframe, for readers that begin in the middle: every two seconds.
const KEYFRAMES: u32 = 60;

/// Not measured: connections are opened, buffers grow.
const WARM_UP: Duration = Duration::from_secs(1);

/// How long a chunk may take; those that are missing after it are lost.
const LATE: Duration = Duration::from_secs(1);

/// Connections the publisher posts over in turn, so that no post waits for the answer to another.
const PUBLISHERS: usize = 4;

/// A server that passes on what is posted.
pub trait Target {
    /// Where it listens.
    fn address(&self) -> SocketAddr;

    /// Readers begin anew, at what is posted from now on.
    ///
    /// # Errors
    /// When the server isn't ready for it.
    fn begin(&mut self, readers: usize) -> anyhow::Result<()>;

    /// The publisher's request for this body.
    fn post(&mut self, body: &[u8], out: &mut Vec<u8>);

    /// A reader's next poll.
    fn poll(&mut self, reader: usize, out: &mut Vec<u8>);

    /// Notes what the next poll of the reader has to say of this answer.
    ///
    /// # Errors
    /// When it is none to go on from.
    fn polled(&mut self, reader: usize, reply: &Reply<'_>) -> anyhow::Result<()>;

    /// Processor time of all its processes so far.
    fn spent(&self) -> Spent;
}

/// What one run gave.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Chunks that reached a reader.
    pub delivered: usize,
    /// Chunks that didn't.
    pub lost: usize,
    /// The server's processor time.
    pub spent: Duration,
    /// From post to receipt in milliseconds, rising.
    pub delays: Vec<f32>,
}

impl Outcome {
    /// The server's processor time for each chunk delivered, in microseconds.
    #[must_use]
    pub fn per_chunk_us(&self) -> f64 {
        self.spent.as_secs_f64() * 1e6 / (self.delivered.max(1) as f64)
    }

    /// The delay in milliseconds that so many of a hundred chunks stay within.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> f64 {
        let at = (self.delays.len() * percent / 100).min(self.delays.len().saturating_sub(1));
        self.delays.get(at).copied().map_or(f64::NAN, f64::from)
    }
}

/// A run. Sequence numbers go on from `seq`, which is moved along.
///
/// # Errors
/// When the server refuses something or a connection breaks.
pub fn run(target: &mut dyn Target, readers: usize, peer: PeerId, seq: &mut u32, measured: Duration) -> anyhow::Result<Outcome> {
    target.begin(readers)?;
    let mut crowd = Crowd::new()?;
    let mut request = Vec::new();
    for reader in 0..readers {
        let number = crowd.connect(target.address())?;
        request.clear();
        target.poll(reader, &mut request);
        crowd.send(number, &request)?;
    }
    for _ in 0..PUBLISHERS {
        crowd.connect(target.address())?;
    }
    let mut run =
        Run { readers, first: *seq, measured_from: None, posted: Vec::new(), newest: vec![None; readers], delays: Vec::new() };
    // By then every poll is parked; whoever comes later finds the keyframe.
    run.wait(&mut crowd, target, Instant::now() + LATE / 5)?;
    let period = Duration::from_secs(1) / RATE;
    let start = Instant::now();
    let end = start + WARM_UP + measured;
    let mut before = None;
    let mut due = start;
    let mut body = vec![0; CHUNK];
    while due < end {
        while Instant::now() < due {
            run.turn(&mut crowd, target, due)?;
        }
        if before.is_none() && due >= start + WARM_UP {
            before = Some(target.spent());
            run.measured_from = Some(*seq);
        }
        write_chunk(&mut body, peer, *seq, (run.posted.len() as u32).is_multiple_of(KEYFRAMES));
        request.clear();
        target.post(&body, &mut request);
        let number = readers + run.posted.len() % PUBLISHERS;
        run.posted.push(Instant::now());
        crowd.send(number, &request)?;
        *seq = seq.wrapping_add(1);
        due += period;
    }
    let before = before.context("the run is too short")?;
    let last = Instant::now() + LATE;
    while run.missing(*seq) > 0 && Instant::now() < last {
        run.wait(&mut crowd, target, last)?;
    }
    let spent = target.spent().since(&before);
    run.delays.sort_by(f32::total_cmp);
    Ok(Outcome { delivered: run.delays.len(), lost: run.missing(*seq), spent, delays: run.delays })
}

struct Run {
    readers: usize,
    first: u32,
    measured_from: Option<u32>,
    posted: Vec<Instant>,
    /// Of each reader, as counted from the first.
    newest: Vec<Option<u32>>,
    delays: Vec<f32>,
}

impl Run {
    fn missing(&self, next: u32) -> usize {
        let measured = self.measured_from.map_or(0, |from| next.wrapping_sub(from) as usize);
        (measured * self.readers).saturating_sub(self.delays.len())
    }

    fn wait(&mut self, crowd: &mut Crowd, target: &mut dyn Target, until: Instant) -> anyhow::Result<()> {
        while Instant::now() < until && !(self.measured_from.is_some() && self.missing(self.next()) == 0) {
            self.turn(crowd, target, until)?;
        }
        Ok(())
    }

    fn next(&self) -> u32 {
        self.first.wrapping_add(self.posted.len() as u32)
    }

    fn turn(&mut self, crowd: &mut Crowd, target: &mut dyn Target, until: Instant) -> anyhow::Result<()> {
        crowd.turn(until, &mut |number, reply, at, outbox| {
            if number >= self.readers {
                let text = String::from_utf8_lossy(reply.body);
                anyhow::ensure!((200..300).contains(&reply.status), "a post was refused: {} {text}", reply.status);
                return Ok(());
            }
            target.polled(number, reply)?;
            self.note(number, reply.body, at)?;
            target.poll(number, outbox);
            Ok(())
        })
    }

    fn note(&mut self, reader: usize, mut body: &[u8], at: Instant) -> anyhow::Result<()> {
        while !body.is_empty() {
            let (seq, length) = head(body).context("what came is no chunk")?;
            body = body.get(HEADER_LEN + length..).context("half a chunk came")?;
            let index = seq.wrapping_sub(self.first);
            // From an earlier run, kept for who begins.
            let Some(posted) = self.posted.get(index as usize) else { continue };
            if self.newest[reader].is_some_and(|newest| index <= newest) {
                continue;
            }
            self.newest[reader] = Some(index);
            if self.measured_from.is_some_and(|from| index >= from.wrapping_sub(self.first)) {
                self.delays.push((at - *posted).as_secs_f32() * 1e3);
            }
        }
        Ok(())
    }
}

/// Sequence number and length of the payload. Not decoded as a client does, which would copy it.
fn head(body: &[u8]) -> Option<(u32, usize)> {
    let number = |at: usize| body.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
    Some((number(SEQ_AT)?, number(LENGTH_AT)? as usize))
}

fn write_chunk(body: &mut [u8], peer: PeerId, seq: u32, keyframe: bool) {
    let header = Header { track: TrackId { peer, kind: Kind::Video }, seq, media_time_us: u64::from(seq) * 33_333, keyframe };
    let payload = vec![seq as u8; CHUNK - HEADER_LEN];
    let mut wire = BytesMut::with_capacity(CHUNK);
    Chunk { header, payload: payload.into() }.encode(&mut wire);
    body.copy_from_slice(&wire);
}
