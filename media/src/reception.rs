//! How a peer's packets come, for the sender to know: how long they wait on the way, and how much gets through.

use std::time::{Duration, Instant};

use codecs::MediaTime;

use crate::least::Least;

/// Packets of one interval that are remembered: half a second's.
const SAMPLES_MAX: usize = 32;
/// A packet this much later than the quickest is of a sender that began anew, with another clock.
const ANOTHER_CLOCK: i64 = 10_000_000;

/// What there is to report of one peer, since it was last asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reception {
    /// Whose packets.
    pub peer: u16,
    /// How much longer they were on their way than the quickest of the last 10 s; of sound and the camera's pictures the longer
    /// one. `None` if nothing of these came.
    pub delay: Option<Duration>,
    /// Payload of pictures, shared screens included, in bits a second.
    pub received_bps: u32,
    /// Sound played from its own packets into a speaker that works.
    pub heard: Duration,
}

/// The packets of one track.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    /// Of arrival minus media time, in microseconds: only differences mean anything.
    least: Least<i64>,
    samples: Vec<i64>,
    bytes: usize,
}

impl Arrivals {
    /// A packet came, so long after whatever moment the owner counts from.
    pub(crate) fn arrived(&mut self, since: Duration, time: MediaTime, bytes: usize, now: Instant) {
        let took = micros(since) - i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 2);
        if self.least.get().is_some_and(|least| took > least + ANOTHER_CLOCK) {
            *self = Self { bytes: self.bytes, ..Self::default() };
        }
        self.least.add(took, now);
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(took);
        }
        self.bytes += bytes;
    }

    /// How long three in four waited, and all bytes, since this was last asked. Not the mean: a lost segment holds back some packets and
    /// those that share a request wait for the last of them; a queue holds back all.
    pub(crate) fn take(&mut self) -> (Option<Duration>, usize) {
        self.samples.sort_unstable();
        let most = self.samples.get(self.samples.len() / 4).zip(self.least.get());
        let delay = most.map(|(wait, least)| Duration::from_micros(u64::try_from(wait - least).unwrap_or(0)));
        self.samples.clear();
        (delay, std::mem::take(&mut self.bytes))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_packets_wait_is_told_and_not_what_one_does() {
        let (start, mut arrivals) = (Instant::now(), Arrivals::default());
        let come = |arrivals: &mut Arrivals, from: u64, wait: &dyn Fn(u64) -> u64| {
            for ms in (from..from + 240).step_by(30) {
                let since = Duration::from_millis(5_000 + ms + wait(ms));
                arrivals.arrived(since, MediaTime(ms * 1000), 1000, start + Duration::from_millis(ms));
            }
        };
        assert_eq!(arrivals.take(), (None, 0));
        come(&mut arrivals, 0, &|_| 0);
        assert_eq!(arrivals.take(), (Some(Duration::ZERO), 8000));
        come(&mut arrivals, 240, &|ms| if ms == 300 { 300 } else { 3 });
        assert_eq!(arrivals.take().0, Some(Duration::from_millis(3)));
        come(&mut arrivals, 480, &|_| 80);
        assert_eq!(arrivals.take(), (Some(Duration::from_millis(80)), 8000));
        assert_eq!(arrivals.take(), (None, 0));
        // The sender begins anew: its clock starts again at nothing.
        let since = Duration::from_secs(60);
        arrivals.arrived(since, MediaTime(0), 1, start + Duration::from_secs(1));
        assert_eq!(arrivals.take().0, Some(Duration::ZERO));
    }
}
