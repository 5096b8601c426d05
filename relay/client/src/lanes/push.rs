//! Keeps one lane's uploads in flight and tells what became of each chunk.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream::FuturesUnordered};
use http::Method;
use proto::{Kind, api::Feedback};
use url::Url;

use super::{
    GaveUp, Shared, Worker,
    failure::{Failure, ends, is_final},
    lock, until,
    uploads::Post,
};
use crate::{error::Error, http::Ask};

/// How long one attempt may take. Sound is too old by then, and a new connection doesn't share the old one's retransmission timer.
const AUDIO_TIMEOUT: Duration = Duration::from_secs(2);

/// How long one attempt may take: a keyframe over a slow uplink needs seconds.
const VIDEO_TIMEOUT: Duration = Duration::from_secs(3);

/// How long one attempt may take: the picture of a screen full of text is many times as large as a face.
const SCREEN_TIMEOUT: Duration = Duration::from_secs(6);

/// After this long with nothing to send, a worker that failed last no longer says that the relay is out of reach.
const QUIET: Duration = Duration::from_secs(3);

/// Largest answer to an upload, in bytes.
const ANSWER_MAX: usize = 4096;

struct Answer {
    post: Post,
    took: Duration,
    feedback: Result<Feedback, Error>,
}

/// Runs until the call is over.
pub(super) async fn run(shared: Arc<Shared>, kind: Kind) {
    let url = shared.session.http().url(&["calls", shared.call.as_str(), kind.as_str()]);
    let worker = Worker::Push(kind);
    let lane = shared.lane(kind);
    let mut depth = lane.depth.subscribe();
    let mut back = shared.back.subscribe();
    let mut renewals = shared.session.http().media.renewals();
    let mut flying = FuturesUnordered::new();
    loop {
        let now = Instant::now();
        let (posts, given_up, wake) = {
            let mut uploads = lock(&lane.uploads);
            let media = &shared.session.http().media;
            if uploads.stalls(now) {
                media.stalled(now);
            } else if let Some(since) = uploads.silent_since(now) {
                media.silent(since, now);
            }
            let posts: Vec<_> = std::iter::from_fn(|| uploads.post(now)).collect();
            let wake = match uploads.quiet_since(now) {
                Some(since) if uploads.is_down() => Some(since + QUIET),
                Some(_) => None,
                None => uploads.wake_at(now),
            };
            (posts, uploads.take_given_up(), wake)
        };
        give_up(&shared, kind, given_up);
        for post in posts {
            flying.push(send(&shared, &url, kind, post));
        }
        tokio::select! {
            Some(answer) = flying.next() => {
                match settle(&shared, kind, answer) {
                    Ok(()) => shared.works(worker),
                    Err(error) if ends(&error) => return shared.ends(&error),
                    // The relay answers, so it is there.
                    Err(error) if is_final(&error) => shared.works(worker),
                    Err(error) => {
                        let down = lock(&lane.uploads).is_down();
                        if down {
                            shared.fails(worker, &error);
                        }
                    }
                }
            }
            () = lane.published.notified() => {}
            () = until(wake) => {
                let now = Instant::now();
                let quiet = lock(&lane.uploads).quiet_since(now);
                if quiet.is_some_and(|since| now.saturating_duration_since(since) >= QUIET) {
                    lock(&lane.uploads).rest();
                    shared.rests(worker);
                }
            }
            Ok(()) = depth.changed() => {
                let limit = *depth.borrow_and_update();
                lock(&lane.uploads).set_limit(limit);
            }
            Ok(()) = back.changed() => lock(&lane.uploads).hurry(),
            Ok(()) = renewals.changed() => {
                flying.clear();
                lock(&lane.uploads).resend();
            }
        }
    }
}

async fn send(shared: &Shared, url: &Url, kind: Kind, post: Post) -> Answer {
    let http = shared.session.http();
    let timeout = match kind {
        Kind::Audio => AUDIO_TIMEOUT,
        Kind::Video => VIDEO_TIMEOUT,
        Kind::Screen => SCREEN_TIMEOUT,
    };
    let ask = Ask::new(Method::POST, url.clone()).bearer(shared.session.bearer()).octets(post.body.clone()).light();
    let start = Instant::now();
    let body = http.send(&http.media, ask.timeout(timeout).limit(ANSWER_MAX)).await;
    let took = start.elapsed();
    let feedback = body.and_then(|body| http.parse(&body));
    Answer { post, took, feedback }
}

fn settle(shared: &Shared, kind: Kind, answer: Answer) -> Result<(), Error> {
    let Answer { post, took, feedback } = answer;
    let now = Instant::now();
    let uploads = &shared.lane(kind).uploads;
    match feedback {
        Ok(feedback) => {
            if post.first {
                lock(&shared.round_trips).add(took, now);
            }
            let seqs = lock(uploads).done(post.id, took, now);
            shared.counters.posts.add(1);
            shared.counters.bytes_up.add(post.body.len());
            shared.counters.chunks_up.add(seqs.len());
            for seq in seqs {
                shared.handler.uploaded(kind, seq, Ok(feedback.clone()));
            }
            Ok(())
        }
        Err(error) => {
            if is_final(&error) {
                lock(uploads).refused(post.id, &error);
            } else {
                shared.counters.retries.add(1);
                lock(uploads).failed(post.id, Failure::of(&error), now);
            }
            Err(error)
        }
    }
}

fn give_up(shared: &Shared, kind: Kind, given_up: Vec<(u32, GaveUp)>) {
    shared.counters.given_up.add(given_up.len());
    for (seq, reason) in given_up {
        shared.handler.uploaded(kind, seq, Err(reason));
    }
}
