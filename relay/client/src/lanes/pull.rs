//! Keeps one lane's polls parked and hands on what they bring.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use futures::{StreamExt, stream::FuturesUnordered};
use http::Method;
use proto::{
    Chunk, Kind,
    chunk::HEADER_LEN,
    limits::{PAYLOAD_MAX, POLL_SOFT_MAX},
};
use url::Url;

use super::{
    Shared, Worker,
    failure::{Failure, ends},
    lock,
    polls::{Poll, Polls},
    until,
};
use crate::{
    backoff::random,
    error::{Error, Found},
    http::Ask,
};

/// Largest answer to a poll, in bytes: a full one takes one more chunk of the largest size.
const ANSWER_MAX: usize = POLL_SOFT_MAX + HEADER_LEN + PAYLOAD_MAX;

/// How much longer than its hold a poll may take: a slow network's transfer of a keyframe.
const MARGIN: Duration = Duration::from_secs(5);

/// From this round trip on a lost packet is dearer than to have each sound twice or thrice.
const FAR: Duration = Duration::from_millis(15);

/// Asks for what was given in the last two packets' time once more: an answer that is lost is not missed.
const REPEATED: &str = "&again_ms=45";

struct Answer {
    poll: Poll,
    took: Duration,
    chunks: Result<Vec<Chunk>, Error>,
}

/// Runs until the call is over, and rests while there is nothing to watch.
pub(super) async fn run_while_watching(shared: Arc<Shared>, kind: Kind) {
    let mut watching = shared.watching.subscribe();
    while watching.wait_for(|watching| *watching).await.is_ok() {
        tokio::select! {
            () = run(shared.clone(), kind) => return,
            _ = watching.wait_for(|watching| !*watching) => shared.rests(Worker::Pull(kind)),
        }
    }
}

/// Runs until the call is over.
pub(super) async fn run(shared: Arc<Shared>, kind: Kind) {
    let url = shared.session.http().url(&["calls", shared.call.as_str(), kind.as_str()]);
    let worker = Worker::Pull(kind);
    let mut polls = Polls::new(kind, random() as u32, random());
    let mut depth = shared.lane(kind).depth.subscribe();
    let mut back = shared.back.subscribe();
    let mut renewals = shared.session.http().media.renewals();
    let mut flying = FuturesUnordered::new();
    loop {
        let now = Instant::now();
        let measure = lock(&shared.round_trips).are_stale(now);
        while let Some(poll) = polls.poll(now, measure) {
            flying.push(ask(&shared, &url, kind, poll));
        }
        tokio::select! {
            Some(answer) = flying.next() => {
                if let Err(error) = settle(&shared, kind, &mut polls, answer) {
                    if ends(&error) {
                        return shared.ends(&error);
                    }
                    if polls.is_down() {
                        shared.fails(worker, &error);
                    }
                } else {
                    shared.works(worker);
                }
            }
            () = until(polls.wake_at(now)) => {}
            Ok(()) = depth.changed() => {
                let round_trip = lock(&shared.round_trips).shortest(Instant::now());
                polls.set_depth(*depth.borrow_and_update(), round_trip);
            }
            Ok(()) = back.changed() => polls.hurry(),
            Ok(()) = renewals.changed() => {
                flying.clear();
                polls.resend();
            }
        }
    }
}

async fn ask(shared: &Shared, url: &Url, kind: Kind, poll: Poll) -> Answer {
    let http = shared.session.http();
    let mut url = url.clone();
    let hold = http.lines.media_hold(poll.hold);
    let far = lock(&shared.round_trips).shortest(Instant::now()).is_some_and(|round_trip| round_trip >= FAR);
    let again = if kind == Kind::Audio && far && !shared.thin.load(Ordering::Relaxed) { REPEATED } else { "" };
    url.set_query(Some(&format!("reader={}&poll={}&wait_ms={}{again}", poll.reader, poll.number, hold.as_millis())));
    let ask = Ask::new(Method::GET, url).bearer(shared.session.bearer()).timeout(poll.hold + MARGIN).limit(ANSWER_MAX).poll(hold);
    let start = Instant::now();
    let body = http.send(&http.media, ask).await;
    let took = start.elapsed();
    let chunks = body.and_then(|body| {
        shared.counters.bytes_down.add(body.len());
        Chunk::decode_all(body).map_err(|_| http.not_a_relay(Found::Nonsense))
    });
    Answer { poll, took, chunks }
}

fn settle(shared: &Shared, kind: Kind, polls: &mut Polls, answer: Answer) -> Result<(), Error> {
    let Answer { poll, took, chunks } = answer;
    let now = Instant::now();
    match chunks {
        Ok(chunks) => {
            shared.counters.polls.add(1);
            shared.counters.chunks_down.add(chunks.len());
            if chunks.is_empty() {
                shared.counters.empty_polls.add(1);
            }
            if poll.hold.is_zero() {
                lock(&shared.round_trips).add(took, now);
            }
            polls.answered(poll, chunks.is_empty(), took, now);
            for chunk in chunks {
                let track = chunk.header.track;
                if track.kind == kind && track.peer != shared.me {
                    shared.handler.chunk(chunk);
                }
            }
            Ok(())
        }
        Err(error) => {
            shared.counters.retries.add(1);
            polls.failed(poll, Failure::of(&error), now);
            Err(error)
        }
    }
}
