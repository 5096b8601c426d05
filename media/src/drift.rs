//! Clocks that don't agree: a sender's sound card and ours differ by up to some hundred millionths, which is a second in an hour. So what
//! is played is resampled by that much, which nobody hears, instead of being cut or stretched now and then.
//!
//! The rate is led by how long sound waits: a controller with a proportional and an integral part, of which the latter comes to be the
//! difference of the clocks.

use std::time::Duration;

/// By how much of its duration sound is sped up for each second that it waits too long, in 1/s: 1 ms makes 100 millionths.
const PROPORTIONAL: f64 = 0.1;
/// The same for the past, in 1/s²: a quarter of the square, where the delay doesn't swing.
const INTEGRAL: f64 = PROPORTIONAL * PROPORTIONAL / 4.0;
/// Over how many seconds delays are averaged: a sound card takes its sound in lumps.
const AVERAGED_S: f64 = 1.0;
/// Most that clocks are believed to differ. Quartzes keep to a tenth of that.
const MOST_DRIFT: f64 = 5e-4;
/// Most that sound is sped up or slowed down: 2 hundredths of a semitone.
pub(crate) const MOST: f64 = 1e-3;

/// What one voice's rate should be.
#[derive(Debug, Default)]
pub(crate) struct Drift {
    averaged: Option<f64>,
    difference: f64,
}

impl Drift {
    /// Sound of this `length` was waiting `excess_us` microseconds too long (too short if negative). How much longer to make it,
    /// relative to its length: within [`MOST`] of 1.
    pub(crate) fn follow(&mut self, length: Duration, excess_us: i64) -> f64 {
        let (length, excess) = (length.as_secs_f64(), excess_us as f64 * 1e-6);
        let averaged = self.averaged.get_or_insert(excess);
        *averaged += (excess - *averaged) * (length / AVERAGED_S).min(1.0);
        self.difference = (self.difference + INTEGRAL * *averaged * length).clamp(-MOST_DRIFT, MOST_DRIFT);
        1.0 - (PROPORTIONAL * *averaged + self.difference).clamp(-MOST, MOST)
    }

    /// What waits now has nothing to do with what waited before.
    pub(crate) fn leap(&mut self) {
        self.averaged = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use codecs::MediaTime;

    use super::*;
    use crate::jitter::{self, Jitter, Output, Pace, Packet};

    /// Sound waits this long too much in the end, and at most on the way, by a clock that's off by so many millionths.
    fn drift(millionths: f64) -> (f64, f64) {
        let (mut drift, mut excess, mut most) = (Drift::default(), 0.0_f64, 0.0_f64);
        for _ in 0..50 * 600 {
            let ratio = drift.follow(Duration::from_millis(20), (excess * 1e6) as i64);
            excess += 0.02 * (millionths * 1e-6 + ratio - 1.0);
            most = most.max(excess.abs());
        }
        (excess.abs(), most)
    }

    #[test]
    fn the_difference_of_clocks_is_found_and_made_up_for() {
        for millionths in [-300.0, -100.0, 0.0, 100.0, 300.0] {
            let (last, most) = drift(millionths);
            assert!(last < 1e-4 && most < 4e-3, "{millionths}: {last} {most}");
        }
    }

    /// What becomes of an hour of packets from a sender whose clock is off by so many millionths, with up to 8 ms of jitter: by how much
    /// the delay changes in a minute (in milliseconds), how often sound was cut or stretched, and the counts.
    fn hour(millionths: f64) -> (f64, u32, jitter::Counts) {
        let start = Instant::now();
        let at = |micros: f64| start + Duration::from_nanos((micros * 1e3) as u64);
        let (mut jitter, mut drift) = (Jitter::new(start), Drift::default());
        let (mut sent, mut ready, mut cut, mut delays) = (0_u32, 0.0_f64, 0, Vec::new());
        let captured = |number: u32| f64::from(number) * 20e3 * (1.0 + millionths * 1e-6);
        for tick in 0..100 * 3_600_u32 {
            let now = f64::from(tick) * 10e3;
            loop {
                let arrives = captured(sent) + f64::from(sent.wrapping_mul(2_654_435_761) >> 19);
                if arrives > now {
                    break;
                }
                let time = MediaTime(u64::from(sent) * 20_000);
                jitter.push(at(arrives), sent, Packet { time, silence: false, data: sent.to_be_bytes().to_vec().into() });
                sent += 1;
            }
            while ready < 10e3 {
                let Output::Packet { packet: Packet { data, .. }, pace } =
                    jitter.pull(at(now), Duration::from_nanos((ready * 1e3) as u64))
                else {
                    ready += 20e3;
                    continue;
                };
                let number = u32::from_be_bytes(data[..].try_into().unwrap());
                delays.push(now + ready - captured(number));
                let ratio = jitter.excess().map_or(1.0, |excess| drift.follow(Duration::from_millis(20), excess));
                if pace == Pace::Slower {
                    jitter.stretched();
                }
                cut += u32::from(pace != Pace::Normal && tick > 6_000);
                ready += ratio * 20e3 + if pace == Pace::Faster { -8e3 } else { f64::from(pace == Pace::Slower) * 8e3 };
            }
            ready -= 10e3;
        }
        let minute = |from: usize| delays[from * 3_000..][..3_000].iter().sum::<f64>() / 3e6;
        ((minute(58) - minute(2)) / 56.0, cut, jitter.counts())
    }

    #[test]
    fn an_hour_of_drifting_clocks_neither_cuts_nor_makes_up_nor_delays() {
        for millionths in [-300.0, -100.0, 0.0, 100.0, 300.0] {
            let (slope, cut, counts) = hour(millionths);
            println!("{millionths}: {slope} ms a minute, {cut} cut, {counts:?}");
            assert!(slope.abs() < 0.02, "{millionths}: {slope} ms a minute");
            assert_eq!(cut, 0, "{millionths}");
            assert_eq!((counts.lost, counts.concealed, counts.skipped, counts.late), (0, 0, 0, 0), "{millionths}");
        }
    }

    #[test]
    fn it_never_exceeds_its_bounds() {
        let mut drift = Drift::default();
        for excess in [i64::MAX, i64::MIN, 10_000_000, -10_000_000, 0] {
            assert!((drift.follow(Duration::MAX, excess) - 1.0).abs() <= MOST + 1e-9);
            drift.leap();
        }
    }
}
