//! What tells of queues on the path.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::Uploaded;
use crate::{Kind, least::Least};

/// A report of a receiver counts so long after it was last told.
const FRESH: Duration = Duration::from_millis(1000);
/// Over how long what is sent is counted.
const SENT_OVER: Duration = Duration::from_millis(600);
/// Weight of a new upload in the mean time they take.
const WEIGHT: f64 = 0.3;

/// Signals as they are now.
#[derive(Debug, Default)]
pub(super) struct Signals {
    lanes: [Lane; 2],
    reported: Option<(Instant, Duration)>,
    before: Option<Duration>,
    received: Option<(Instant, f64)>,
    backlog: Option<(Instant, Duration)>,
    sent: VecDeque<(Instant, usize)>,
    began: Option<Instant>,
}

/// Uploads of one kind.
#[derive(Debug, Default)]
struct Lane {
    least: Least,
    /// Mean of what they take longer than the quickest, in seconds.
    longer: Option<(Instant, f64)>,
}

impl Signals {
    pub(super) fn uploaded(&mut self, uploaded: &Uploaded, now: Instant) {
        self.began.get_or_insert(now);
        let lane = &mut self.lanes[usize::from(uploaded.kind == Kind::Video)];
        let least = lane.least.add(uploaded.took, now);
        let longer = uploaded.took.saturating_sub(least).as_secs_f64();
        let mean = lane.longer.map_or(longer, |(_, mean)| mean + (longer - mean) * WEIGHT);
        lane.longer = Some((now, mean));
        if let Some(delay) = uploaded.delay {
            if let Some((_, last)) = self.reported.filter(|(_, last)| *last != delay) {
                self.before = Some(last);
            }
            self.reported = Some((now, delay));
        }
        if uploaded.kind == Kind::Video {
            self.sent.push_back((now, uploaded.bytes));
            // With several readers one slow one would speak for all.
            self.backlog = Some((now, if uploaded.readers == 1 { uploaded.backlog } else { Duration::ZERO }));
            if let Some(bps) = uploaded.received_bps {
                self.received = Some((now, f64::from(bps)));
            }
        }
        while self.sent.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > SENT_OVER) {
            self.sent.pop_front();
        }
    }

    /// The longest wait that any of them tells of.
    pub(super) fn queue(&self, now: Instant) -> Option<Duration> {
        let fresh = |at: &Instant| now.saturating_duration_since(*at) <= FRESH;
        let lanes = self.lanes.iter().filter_map(|lane| lane.longer.filter(|(at, _)| fresh(at)));
        let lanes = lanes.map(|(_, mean)| Duration::from_secs_f64(mean));
        let told = [self.reported, self.backlog].into_iter().flatten().filter(|(at, _)| fresh(at)).map(|(_, wait)| wait);
        lanes.chain(told).max()
    }

    /// Whether receivers tell of less than before, and uploads don't take long either.
    pub(super) fn falls(&self) -> bool {
        self.before.zip(self.reported).is_some_and(|(before, (_, now))| now + Duration::from_millis(10) < before)
    }

    /// Pictures that get through, in bits a second.
    pub(super) fn through(&self, now: Instant) -> Option<f64> {
        let received = self.received.filter(|(at, _)| now.saturating_duration_since(*at) <= FRESH).map(|(_, bps)| bps);
        match (received, self.sent(now)) {
            (Some(received), Some(sent)) => Some(received.min(sent)),
            (received, sent) => received.or(sent),
        }
    }

    /// Pictures that the relay has taken, in bits a second.
    pub(super) fn sent(&self, now: Instant) -> Option<f64> {
        let over = now.saturating_duration_since(self.began?).min(SENT_OVER);
        if over < SENT_OVER / 2 {
            return None;
        }
        let bytes: usize = self.sent.iter().map(|(_, bytes)| bytes).sum();
        Some(bytes as f64 * 8.0 / over.as_secs_f64())
    }

    /// The quickest upload of the last seconds.
    pub(super) fn shortest(&self, kind: Kind) -> Option<Duration> {
        self.lanes[usize::from(kind == Kind::Video)].least.get()
    }

    /// There and back, on either lane.
    pub(super) fn way(&self) -> Duration {
        Kind::ALL.into_iter().filter_map(|kind| self.shortest(kind)).min().unwrap_or_default()
    }
}
