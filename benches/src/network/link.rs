//! What a bad line does to packets. No I/O, no clock.

use std::time::{Duration, Instant};

/// What is wrong with a line, the same in both directions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Impairment {
    /// There and back.
    pub round_trip: Duration,
    /// Share of the packets that are lost in each direction, from 0 to 1.
    pub loss: f64,
    /// Kilobits a second in each direction, packets' headers included; without one there's no bound.
    pub rate: Option<u32>,
    /// How long a packet may wait for the rate; one that would wait longer is dropped.
    pub queue: Duration,
}

impl Impairment {
    /// A line with nothing wrong but its length.
    #[must_use]
    pub const fn round_trip(ms: u64) -> Self {
        Self { round_trip: Duration::from_millis(ms), loss: 0.0, rate: None, queue: Duration::from_millis(200) }
    }

    /// The same, which loses so many percent of the packets.
    #[must_use]
    pub const fn loss(self, percent: f64) -> Self {
        Self { loss: percent / 100.0, ..self }
    }

    /// The same with so many kilobits a second.
    #[must_use]
    pub const fn rate(self, kbit: u32) -> Self {
        Self { rate: Some(kbit), ..self }
    }
}

/// What became of the packets of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that came.
    pub seen: u64,
    /// Of those, lost by chance.
    pub lost: u64,
    /// Of those, dropped since the queue was full.
    pub dropped: u64,
    /// Bytes that were passed on.
    pub bytes: u64,
}

/// One direction of a line.
#[derive(Debug)]
pub(super) struct Direction {
    seed: u64,
    /// When the last packet will have left the queue.
    free: Option<Instant>,
    pub(super) counts: Counts,
}

impl Direction {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, free: None, counts: Counts::default() }
    }

    /// A packet of so many bytes comes: when it arrives, unless it is lost.
    pub(super) fn pass(&mut self, now: Instant, length: usize, wrong: &Impairment) -> Option<Instant> {
        self.counts.seen += 1;
        if chance(self.seed, self.counts.seen) < wrong.loss {
            self.counts.lost += 1;
            return None;
        }
        let mut due = now;
        if let Some(kbit) = wrong.rate {
            due = self.free.map_or(now, |free| free.max(now));
            if due.saturating_duration_since(now) > wrong.queue {
                self.counts.dropped += 1;
                return None;
            }
            due += Duration::from_secs_f64(length as f64 * 8.0 / (f64::from(kbit) * 1000.0));
            self.free = Some(due);
        }
        self.counts.bytes += length as u64;
        Some(due + wrong.round_trip / 2)
    }
}

/// A number from 0 to 1 that depends on the seed and the packet's number alone: whoever sends is met by the same losses (SplitMix64).
fn chance(seed: u64, number: u64) -> f64 {
    let mut bits = seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_packet_takes_half_a_round_trip() {
        let now = Instant::now();
        assert_eq!(Direction::new(1).pass(now, 1500, &Impairment::round_trip(50)), Some(now + 25 * MS));
    }

    #[test]
    fn losses_are_as_many_as_asked_for_and_the_same_for_everyone() {
        let now = Instant::now();
        let wrong = Impairment::round_trip(0).loss(3.0);
        let lost = |seed| {
            let mut direction = Direction::new(seed);
            (0..100_000).filter(|_| direction.pass(now, 100, &wrong).is_none()).collect::<Vec<u32>>()
        };
        assert!((2_800..3_200).contains(&lost(7).len()), "{}", lost(7).len());
        assert_eq!(lost(7), lost(7));
        assert_ne!(lost(7), lost(8));
    }

    #[test]
    fn a_rate_spaces_packets_and_a_full_queue_drops_them() {
        let now = Instant::now();
        let wrong = Impairment::round_trip(0).rate(1_000);
        let mut direction = Direction::new(1);
        // 125 bytes at 1 Mbit/s take a millisecond.
        let arrivals: Vec<_> = (0..1_000).filter_map(|_| direction.pass(now, 125, &wrong)).collect();
        assert_eq!(arrivals[..3], [now + MS, now + 2 * MS, now + 3 * MS]);
        assert_eq!(arrivals.len(), 201);
        assert_eq!(direction.counts, Counts { seen: 1_000, lost: 0, dropped: 799, bytes: 201 * 125 });
        let later = now + 500 * MS;
        assert_eq!(direction.pass(later, 125, &wrong), Some(later + MS), "the queue has run empty");
    }
}
