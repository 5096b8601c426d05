//! How many polls and uploads to keep in flight, from the round trip. No I/O, no clock.
//!
//! A poll that was answered is away for one round trip until the next one is parked. For a chunk that comes every period to always
//! find one, ceil(round trip / period) + 1 must be in flight (RFC 6202, section 2.2, says the same in words).

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use proto::Kind;

/// Fewest in flight: one is on its way while the other waits.
pub const LEAST: usize = 2;

/// Most in flight: enough for sound at a round trip of 200 ms; the relay parks a few more at most.
pub const MOST: usize = 12;

/// Samples older than this may be of another network.
const WINDOW: Duration = Duration::from_secs(10);

/// Of how long the shortest is kept as one sample.
const SECOND: Duration = Duration::from_secs(1);

/// A kind that has sent nothing for this long gives no estimate; then a poll is made to give one.
const STALE: Duration = Duration::from_secs(5);

/// The first exchange on a connection takes longer, so one alone is no estimate.
const ENOUGH: usize = 2;

/// How often a chunk of the kind comes from one peer.
#[must_use]
pub const fn period(kind: Kind) -> Duration {
    match kind {
        // One Opus packet.
        Kind::Audio => Duration::from_millis(20),
        // 30 pictures a second.
        Kind::Video => Duration::from_micros(33_333),
        // 10 pictures a second.
        Kind::Screen => Duration::from_millis(100),
    }
}

/// How many to keep in flight.
#[must_use]
pub fn depth(round_trip: Option<Duration>, period: Duration) -> usize {
    let Some(round_trip) = round_trip else { return LEAST };
    let periods = round_trip.as_nanos().div_ceil(period.as_nanos().max(1));
    usize::try_from(periods).unwrap_or(MOST).saturating_add(1).clamp(LEAST, MOST)
}

/// The shortest of the last round trips: the longer ones hold waiting, transfer and loss as well.
///
/// Of each second only the shortest is kept, so that a queue that stands for a second or two isn't taken for a longer way.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoundTrips {
    /// When each second began, and its shortest.
    seconds: VecDeque<(Instant, Duration)>,
    newest: Option<Instant>,
    count: usize,
}

impl RoundTrips {
    /// An exchange that the relay answered at once took this long.
    pub(crate) fn add(&mut self, took: Duration, now: Instant) {
        self.newest = Some(now);
        self.count = self.count.saturating_add(1);
        match self.seconds.back_mut() {
            Some((began, least)) if now.saturating_duration_since(*began) < SECOND => *least = took.min(*least),
            _ => self.seconds.push_back((now, took)),
        }
        while self.seconds.len() > 1 && self.seconds.front().is_some_and(|(began, _)| is_old(*began, now)) {
            self.seconds.pop_front();
        }
    }

    /// The estimate; of old samples the newest is better than nothing.
    pub(crate) fn shortest(&self, now: Instant) -> Option<Duration> {
        let fresh = self.seconds.iter().filter(|(began, _)| !is_old(*began, now));
        fresh.map(|(_, least)| *least).min().or_else(|| self.seconds.back().map(|(_, least)| *least))
    }

    /// Whether an exchange just to measure is due.
    pub(crate) fn are_stale(&self, now: Instant) -> bool {
        self.count < ENOUGH || self.newest.is_none_or(|newest| now.saturating_duration_since(newest) > STALE)
    }
}

fn is_old(began: Instant, now: Instant) -> bool {
    now.saturating_duration_since(began) > WINDOW
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn depth_follows_the_measured_table() {
        // The smallest number of polls without added wait, as a discrete-event model gives it for these round trips and periods.
        for (round_trip, period, polls) in [(20, 20, 2), (50, 20, 4), (100, 20, 6), (50, 33, 3), (100, 33, 5), (200, 33, 8)] {
            assert_eq!(depth(Some(ms(round_trip)), ms(period)), polls, "{round_trip} ms at one in {period} ms");
        }
        assert_eq!(depth(None, ms(20)), LEAST);
        assert_eq!(depth(Some(Duration::ZERO), ms(20)), LEAST);
        assert_eq!(depth(Some(Duration::MAX), ms(20)), MOST);
        assert_eq!(depth(Some(ms(1)), Duration::ZERO), MOST);
    }

    /// Periodic chunks against parked polls: how long a chunk waits at the relay for a poll, at most. Written anew from the
    /// definition, so that `depth` is checked against what it is for.
    fn longest_wait(round_trip: u64, period: u64, polls: usize) -> u64 {
        // When each poll is parked at the relay; times in microseconds.
        let mut parked = vec![0_u64; polls];
        let mut longest = 0;
        let mut waiting: VecDeque<u64> = VecDeque::new();
        for chunk in 1..500 {
            waiting.push_back(chunk * period);
            let next_chunk = (chunk + 1) * period;
            loop {
                parked.sort_unstable();
                let Some(&oldest) = waiting.front() else { break };
                let at = parked[0].max(oldest);
                if at >= next_chunk {
                    break;
                }
                if chunk > 50 {
                    longest = longest.max(at - oldest);
                }
                // An answer takes all there is.
                waiting.retain(|came| *came > at);
                parked[0] = at + round_trip;
            }
        }
        longest
    }

    #[test]
    fn with_the_advised_depth_no_chunk_waits_and_with_one_poll_they_do() {
        for round_trip_ms in [1, 5, 19, 20, 21, 50, 66, 99, 100, 120, 139] {
            for kind in Kind::ALL {
                let round_trip = ms(round_trip_ms);
                let polls = depth(Some(round_trip), period(kind));
                let wait = |polls| longest_wait(round_trip_ms * 1000, period(kind).as_micros() as u64, polls);
                assert_eq!(wait(polls), 0, "{kind} at {round_trip_ms} ms with {polls} polls");
                if round_trip > period(kind) {
                    assert!(wait(1) > 0, "{kind} at {round_trip_ms} ms with one poll");
                }
            }
        }
    }

    #[test]
    fn the_estimate_is_the_shortest_of_the_fresh_ones() {
        let start = Instant::now();
        let mut trips = RoundTrips::default();
        assert_eq!(trips.shortest(start), None);
        assert!(trips.are_stale(start));
        trips.add(ms(50), start);
        assert!(trips.are_stale(start), "one sample holds the connection's setup");
        trips.add(ms(90), start + ms(9_000));
        assert_eq!(trips.shortest(start + ms(9_000)), Some(ms(50)));
        assert!(!trips.are_stale(start + ms(14_000)));
        assert_eq!(trips.shortest(start + ms(11_000)), Some(ms(90)), "the first is too old");
        assert_eq!(trips.shortest(start + ms(60_000)), Some(ms(90)), "old ones are better than none");
        assert!(trips.are_stale(start + ms(14_001)));
        for exchange in 0..10_000 {
            trips.add(ms(70), start + ms(60_000 + exchange * 3));
        }
        assert!(trips.seconds.len() <= 12);
    }

    #[test]
    fn a_queue_that_stands_for_seconds_is_no_longer_way() {
        let start = Instant::now();
        let mut trips = RoundTrips::default();
        trips.add(ms(50), start);
        // 70 exchanges a second through a queue of 200 ms.
        for exchange in 1..600 {
            let now = start + ms(exchange * 14);
            trips.add(ms(250), now);
            assert_eq!(trips.shortest(now), Some(ms(50)));
        }
        trips.add(ms(250), start + ms(11_500));
        assert_eq!(trips.shortest(start + ms(11_500)), Some(ms(250)), "by then it is");
    }
}
