//! What round trips say. No I/O, no clock.
//!
//! HTTP shows no lost packet, but each one costs time: TCP sends it again after 200 ms or more, when nothing else follows it. So small
//! requests go one after the other, and those are counted that took at least 150 ms (and half as long again) more than most. Each has two
//! packets that matter, its own and its answer's; so half the share of late ones is taken for the share of lost packets. A queue that
//! fills and empties, or a computer with much else to do, looks the same: it is an estimate.

use std::time::Duration;

use serde::Serialize;

/// How much longer than most a request takes at least whose packet was lost. The kernel's own shortest wait is 200 ms.
const AGAIN: Duration = Duration::from_millis(150);

/// Fewer late ones than this are no sign of anything.
const FEW: usize = 3;

/// There and back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Trips {
    /// How many requests were answered or given up.
    pub count: usize,
    /// The shortest, in milliseconds.
    pub min_ms: f64,
    /// Half take longer, in milliseconds.
    pub median_ms: f64,
    /// One in twenty takes longer, in milliseconds.
    pub p95_ms: f64,
    /// How many took so much longer that a packet may have been lost.
    pub late: usize,
    /// Packets lost, in per cent, estimated from that.
    pub loss_percent: f64,
}

impl Trips {
    /// Of these requests, and of some that were never answered. `None` without any answer.
    pub(super) fn of(mut times: Vec<Duration>, unanswered: usize) -> Option<Self> {
        times.sort_unstable();
        let at = |share: f64| times.get(((times.len() - 1) as f64 * share).round() as usize).copied();
        let (min, median, p95) = (*times.first()?, at(0.5)?, at(0.95)?);
        let bound = median + AGAIN.max(median / 2);
        let late = times.iter().filter(|time| **time > bound).count() + unanswered;
        let count = times.len() + unanswered;
        let ms = |time: Duration| (time.as_secs_f64() * 1e4).round() / 10.0;
        let loss_percent = (late as f64 / count as f64 * 500.0).round() / 10.0;
        Some(Self { count, min_ms: ms(min), median_ms: ms(median), p95_ms: ms(p95), late, loss_percent })
    }

    /// Whether packets are lost, as far as it can be told.
    pub(super) fn loses(&self) -> bool {
        self.late >= FEW && self.loss_percent > 1.5
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(usual_ms: u64, late_ms: u64, late: usize) -> Vec<Duration> {
        let usual = (0..100 - late as u64).map(|at| Duration::from_millis(usual_ms + at % 5));
        usual.chain(std::iter::repeat_n(Duration::from_millis(late_ms), late)).collect()
    }

    #[test]
    fn what_takes_as_long_as_most_is_not_late_however_long_that_is() {
        for usual in [0, 50, 800] {
            let trips = Trips::of(times(usual, usual + 100, 6), 0).unwrap();
            assert!(trips.late == 0 && !trips.loses(), "{trips:?}");
        }
    }

    #[test]
    fn late_requests_are_lost_packets_at_two_a_request() {
        let trips = Trips::of(times(50, 260, 6), 0).unwrap();
        assert_eq!((trips.late, trips.loss_percent, trips.loses()), (6, 3.0, true));
        assert_eq!((trips.min_ms, trips.median_ms), (50.0, 52.0));
        let trips = Trips::of(times(50, 260, 2), 0).unwrap();
        assert!(!trips.loses(), "two may be an accident");
        assert!(Trips::of(times(50, 50, 0), 4).unwrap().loses(), "what is never answered is late, too");
        assert_eq!(Trips::of(vec![], 4), None);
    }
}
