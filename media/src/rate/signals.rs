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
/// A time this long in which nothing at all is answered is an outage, and no time in which anything could be sent.
const OUTAGE: Duration = Duration::from_millis(500);
/// A lost segment holds back one upload, a queue all: so of so many the quickest counts.
const ALL_OF: usize = 3;
/// As long as they are no further apart.
const TOGETHER: Duration = Duration::from_millis(300);
/// What comes through this much later than the quickest stood in a queue.
const BEGUN: Duration = Duration::from_millis(20);
/// Over how long the mean of the time uploads take is taken.
const MEAN_OVER: Duration = Duration::from_millis(150);
/// Least weight of a new upload in it.
const WEIGHT: f64 = 0.2;

/// Up to so many bytes a screen's picture tells of the way, as any upload does: it's one that says that nothing has changed.
const SMALL: usize = 1000;

/// Signals as they are now.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// By kind.
    lanes: [Lane; 3],
    reported: Option<(Instant, Duration)>,
    before: Option<Duration>,
    received: Option<(Instant, f64)>,
    report: Option<u32>,
    backlog: Option<(Instant, Duration)>,
    /// When something was last answered.
    answered: Option<Instant>,
    /// How much longer than the way several have been on it.
    waiting: Option<(Instant, Duration)>,
    sent: VecDeque<(Instant, usize)>,
    began: Option<Instant>,
}

/// Uploads of one kind.
#[derive(Debug, Default)]
struct Lane {
    least: Least,
    /// What the last ones took longer than the quickest, in seconds.
    last: VecDeque<(Instant, f64)>,
    /// The mean of that.
    longer: Option<(Instant, f64)>,
}

impl Signals {
    /// An upload was answered. While a screen's pictures, some of which are very large, are on their way for as long as they may be by the rate in bits
    /// a second, they stand in no queue.
    pub(super) fn uploaded(&mut self, uploaded: &Uploaded, rate: f64, now: Instant) {
        self.began.get_or_insert(now);
        let silence = self.answered.replace(now).map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        if silence > OUTAGE {
            self.sent.iter_mut().for_each(|(at, _)| *at += silence);
        }
        let large = uploaded.kind == Kind::Screen && uploaded.bytes > SMALL;
        let lane = &mut self.lanes[uploaded.kind as usize];
        if !large {
            lane.least.add(uploaded.took, now);
        }
        let way = self.way();
        let transfer = if large { uploaded.bytes as f64 * 8.0 / rate } else { 0.0 };
        let lane = &mut self.lanes[uploaded.kind as usize];
        lane.last.push_back((now, (uploaded.took.saturating_sub(way).as_secs_f64() - transfer).max(0.0)));
        let out = |lane: &Lane| lane.last.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > TOGETHER);
        while lane.last.len() > ALL_OF || out(lane) {
            lane.last.pop_front();
        }
        let longer = lane.last.iter().map(|(_, longer)| *longer).fold(f64::MAX, f64::min);
        let mean = lane.longer.map_or(longer, |(at, mean)| {
            let passed = now.saturating_duration_since(at).as_secs_f64() / MEAN_OVER.as_secs_f64();
            mean + (longer - mean) * passed.clamp(WEIGHT, 1.0)
        });
        lane.longer = Some((now, mean));
        // Losses hold back what waits, and nothing of what comes through.
        let queued = self.lanes[0].longer.is_some_and(|(_, longer)| longer > BEGUN.as_secs_f64());
        self.waiting = Some((now, if queued { uploaded.waiting.saturating_sub(way) } else { Duration::ZERO }));
        if let Some(delay) = uploaded.delay {
            if let Some((_, last)) = self.reported.filter(|(_, last)| *last != delay) {
                self.before = Some(last);
            }
            self.reported = Some((now, delay));
        }
        if uploaded.kind != Kind::Audio {
            self.sent.push_back((now, uploaded.bytes));
            // With several readers one slow one would speak for all.
            let backlog = if uploaded.readers == 1 { uploaded.backlog } else { Duration::ZERO };
            if uploaded.kind == Kind::Video {
                self.backlog = Some((now, backlog));
            }
            if let Some(bps) = uploaded.received_bps {
                let bps = f64::from(bps);
                // A report is told several times; what it says is of a quarter of a second, in which pictures differ much.
                if self.report != uploaded.received_bps {
                    self.report = uploaded.received_bps;
                    let mean = self.received.map_or(bps, |(_, mean)| f64::midpoint(mean, bps));
                    self.received = Some((now, mean));
                } else if let Some((at, _)) = &mut self.received {
                    *at = now;
                }
            }
        }
        while self.sent.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > SENT_OVER) {
            self.sent.pop_front();
        }
    }

    /// The longest wait that any of them tells of, but for the time a picture takes to pass a link: that is no queue, though sound waits behind it.
    pub(super) fn queue(&self, now: Instant, picture: Duration) -> Option<Duration> {
        let fresh = |at: &Instant| now.saturating_duration_since(*at) <= FRESH;
        let longer = |lane: &Lane| lane.longer.filter(|(at, _)| fresh(at)).map(|(_, mean)| Duration::from_secs_f64(mean));
        let told = [self.reported, self.backlog, self.waiting].map(|told| told.filter(|(at, _)| fresh(at)).map(|(_, wait)| wait));
        let longest = self.lanes.iter().map(longer).chain(told).flatten().max();
        longest.map(|wait| wait.saturating_sub(picture))
    }

    /// How much longer than the way several sounds have been on it.
    pub(super) fn waiting(&self, now: Instant) -> Duration {
        let fresh = self.waiting.filter(|(at, _)| now.saturating_duration_since(*at) <= FRESH);
        fresh.map(|(_, wait)| wait).unwrap_or_default()
    }

    /// How long it is known how uploads fare.
    pub(super) fn known_for(&self, now: Instant) -> Duration {
        self.began.map_or(Duration::ZERO, |began| now.saturating_duration_since(began))
    }

    /// Whether receivers tell of less than before, and uploads don't take long either.
    pub(super) fn falls(&self) -> bool {
        self.before.zip(self.reported).is_some_and(|(before, (_, now))| now + Duration::from_millis(10) < before)
    }

    /// Pictures that get through, in bits a second.
    pub(super) fn through(&self, now: Instant) -> Option<f64> {
        let received = self.received.filter(|(at, _)| now.saturating_duration_since(*at) <= FRESH).map(|(_, bps)| bps);
        match (received, self.sent(now)) {
            (Some(received), Some(sent)) => Some(f64::midpoint(received, sent)),
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

    /// There and back: the quickest upload of the last seconds, on any lane.
    pub(super) fn way(&self) -> Duration {
        self.lanes.iter().filter_map(|lane| lane.least.get()).min().unwrap_or_default()
    }
}
