//! What was sent and received in each second of a call.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use media::stats::{Delays, Received, Stats};

use super::{Offset, Percentiles, Second, millis};

/// Seconds kept: half an hour.
const SECONDS_MAX: usize = 1800;

/// The seconds of a call.
#[derive(Default)]
pub(super) struct History(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    seconds: VecDeque<Second>,
    at: Duration,
    before: Stats,
}

impl History {
    /// What is measured `at` so far into the call.
    pub(super) fn note(&self, at: Duration, stats: &Stats) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let second = second(at, at.saturating_sub(kept.at), &kept.before, stats);
        if kept.seconds.len() == SECONDS_MAX {
            kept.seconds.pop_front();
        }
        kept.seconds.push_back(second);
        kept.at = at;
        kept.before = stats.clone();
    }

    pub(super) fn seconds(&self) -> Vec<Second> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).seconds.iter().cloned().collect()
    }
}

fn second(at: Duration, passed: Duration, before: &Stats, now: &Stats) -> Second {
    let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / passed.as_secs_f64().max(0.001);
    let kbps = |now: u64, before: u64| rate(now, before) * 8.0 / 1000.0;
    let sum = |stats: &Stats, count: fn(&Received) -> u64| stats.received.values().map(count).sum::<u64>();
    let concealed =
        |stats: &Stats| stats.received.values().map(|peer| peer.audio.concealed + peer.audio.stalled).sum::<Duration>();
    let mut delays = Delays::default();
    for (peer, received) in &now.received {
        let before = before.received.get(peer);
        delays.add(&received.video.delay.since(before.map(|received| &received.video.delay)));
    }
    let sent = &now.sent.video;
    Second {
        at_s: at.as_secs_f64(),
        target_kbps: f64::from(sent.bits_per_second) / 1000.0,
        sent_kbps: kbps(sent.bytes, before.sent.video.bytes),
        sent_fps: rate(sent.sent, before.sent.video.sent),
        sent_size: sent.size.map(|size| size.to_string()),
        received_kbps: kbps(sum(now, |peer| peer.video.bytes), sum(before, |peer| peer.video.bytes)),
        shown_fps: rate(sum(now, |peer| peer.video.shown), sum(before, |peer| peer.video.shown)),
        received_size: now.received.values().find_map(|peer| peer.video.size).map(|size| size.to_string()),
        queue_ms: sent.queue.map(millis),
        delay_ms: Percentiles::of(&delays),
        av_offset_ms: Offset::of(now.received.iter().map(|(peer, received)| {
            received.video.offset.since(before.received.get(peer).map(|received| &received.video.offset))
        })),
        concealed_ms: millis(concealed(now).saturating_sub(concealed(before))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_says_what_came_in_it_and_not_before() {
        let history = History::default();
        let mut stats = Stats::default();
        for second in 1..=3_u64 {
            stats.sent.video.bytes += 12_500 * second;
            stats.sent.video.sent += 10 * second;
            let received = stats.received.entry(2).or_default();
            received.video.delay.record(Duration::from_millis(100 * second));
            received.video.shown += 30;
            history.note(Duration::from_secs(second), &stats);
        }
        let seconds = history.seconds();
        let third = &seconds[2];
        assert_eq!((seconds.len(), third.at_s, third.sent_kbps, third.sent_fps, third.shown_fps), (3, 3.0, 300.0, 30.0, 30.0));
        assert_eq!(third.delay_ms.count, 1);
        assert!((third.delay_ms.p50.unwrap() - 300.0).abs() < 1.0, "{:?}", third.delay_ms);
        for second in 4..3000 {
            history.note(Duration::from_secs(second), &stats);
        }
        assert_eq!(history.seconds().len(), SECONDS_MAX);
    }
}
