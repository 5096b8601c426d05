//! Tells the relay how the others' media come here, for those who send them.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream::FuturesUnordered};
use http::Method;
use proto::api::{Done, Reception};
use tokio::time::MissedTickBehavior;

use super::Shared;
use crate::{error::Error, http::Ask, session::json};

/// How often: a queue that grows is known of within a few pictures.
const EVERY: Duration = Duration::from_millis(250);

/// A report that takes longer is of no use any more, and the next ones say what it would have said.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Most reports under way: where the round trip is long they overlap.
const UNDER_WAY_MAX: usize = 4;

/// Largest answer, in bytes.
const ANSWER_MAX: usize = 4096;

/// Runs until the call is over. A report that fails is not repeated: the lanes themselves notice what is in the way.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut under_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            _ = tick.tick() => {
                // Where connections are few, reports must not take them from the media.
                let few = shared.session.http().lines.limit().is_some();
                let most = if few { 1 } else { UNDER_WAY_MAX };
                if under_way.len() < most
                    && let Some(reception) = shared.handler.reception()
                {
                    under_way.push(send(&shared, reception));
                }
            }
            Some(outcome) = under_way.next() => {
                if let Err(error) = outcome {
                    tracing::debug!(%error, "a report of reception is lost");
                }
            }
        }
    }
}

async fn send(shared: &Shared, reception: Reception) -> Result<(), Error> {
    let http = shared.session.http();
    let url = http.url(&["calls", shared.call.as_str(), "report"]);
    let ask = Ask::new(Method::POST, url).bearer(shared.session.bearer()).json(json(&reception)).light();
    let body = http.send(&http.media, ask.timeout(TIMEOUT).limit(ANSWER_MAX)).await?;
    http.parse(&body).map(|Done {}| ())
}
