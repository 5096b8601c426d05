//! How late packets come, and how long they should wait so that few come too late.
//!
//! A packet's transit time is its arrival less its capture; the clocks differ, so only differences mean anything. The least
//! transit of the last seconds is the quickest path; what a packet took longer is its relative delay. The target is the
//! relative delay that 19 of 20 half seconds don't exceed, as in NetEQ's delay manager.

use std::collections::VecDeque;

/// The longest target, in microseconds: what waits longer is no conversation.
pub(crate) const TARGET_MAX_US: i64 = 250_000;

/// The shortest target, in microseconds: what is played at once. Where packets come more unevenly than that the histogram says so.
pub(crate) const TARGET_MIN_US: i64 = 10_000;

/// Over how long the quickest transit counts, in microseconds. Long enough to see a quick packet between slow ones, short enough to
/// follow a new path; clocks drift less than 1 ms meanwhile.
const BASE_WINDOW_US: i64 = 5_000_000;

/// Stalls further apart, in microseconds, are single events.
const STALLS_APART_US: i64 = 10_000_000;

/// How often the worst delay since the last time is taken down, in microseconds.
const SAMPLE_US: i64 = 500_000;

/// What is left of a sample's weight after the next one: a half-life of 40 samples, or 20 s.
const KEPT: f32 = 0.983;

/// The share of samples the target covers.
const QUANTILE: f32 = 0.95;

/// Width of a step of the histogram, in microseconds.
const STEP_US: i64 = 5_000;

/// Steps up to the longest target, and one for what is beyond.
const STEPS: usize = (TARGET_MAX_US / STEP_US) as usize + 1;

/// The most candidates kept for the quickest transit: more than come within the window at 50 packets a second.
const CANDIDATES_MAX: usize = 512;

/// Learns how late packets come.
#[derive(Debug)]
pub(crate) struct Delay {
    /// Arrival and transit of packets that are or may become the quickest of the window: both ascending.
    quickest: VecDeque<(i64, i64)>,
    /// When the current sample began, and its worst relative delay.
    sample: Option<(i64, i64)>,
    /// How much of the past went into each step; sums to 1 once there is a sample.
    histogram: [f32; STEPS],
    samples: u32,
    target: i64,
    /// When a packet was last later than any target would allow for.
    last_stall: Option<i64>,
}

impl Default for Delay {
    fn default() -> Self {
        Self {
            quickest: VecDeque::new(),
            sample: None,
            histogram: [0.0; STEPS],
            samples: 0,
            target: TARGET_MIN_US,
            last_stall: None,
        }
    }
}

impl Delay {
    /// A packet came at `at` after `transit`, both in microseconds.
    pub(crate) fn arrive(&mut self, at: i64, transit: i64) {
        while self.quickest.back().is_some_and(|(_, slower)| *slower >= transit) {
            self.quickest.pop_back();
        }
        self.quickest.push_back((at, transit));
        while self.quickest.len() > CANDIDATES_MAX || self.quickest.front().is_some_and(|(then, _)| at - then > BASE_WINDOW_US) {
            self.quickest.pop_front();
        }
        let relative = transit - self.base().unwrap_or(transit);
        match &mut self.sample {
            Some((since, worst)) if at - *since < SAMPLE_US => {
                *worst = relative.max(*worst);
                // A rise is met at once while little is known yet.
                if self.samples == 0 && *worst <= TARGET_MAX_US {
                    self.target = self.target.max(clamp(*worst + STEP_US));
                }
            }
            Some((_, worst)) => {
                let worst = *worst;
                self.sample = Some((at, relative));
                // Waiting would not have helped against a stall, so it's no reason to wait longer; one after the other is.
                let stall = worst > TARGET_MAX_US;
                let again = self.last_stall.is_some_and(|last| at - last < STALLS_APART_US);
                if !stall || again {
                    self.learn(worst);
                }
                if stall {
                    self.last_stall = Some(at);
                }
            }
            None => self.sample = Some((at, relative)),
        }
    }

    /// The sender's clock begins anew: transit times from before mean nothing. What is known of their spread stays.
    pub(crate) fn rebase(&mut self) {
        self.quickest.clear();
    }

    /// The quickest transit, in microseconds; `None` before the first packet.
    pub(crate) fn base(&self) -> Option<i64> {
        self.quickest.front().map(|(_, transit)| *transit)
    }

    /// How long after its quickest possible arrival a packet should play, in microseconds.
    pub(crate) fn target(&self) -> i64 {
        self.target
    }

    fn learn(&mut self, worst: i64) {
        self.samples = self.samples.saturating_add(1);
        // The first samples weigh more, or the emptiness before them would.
        let kept = KEPT.min(1.0 - 2.0 / (self.samples as f32 + 1.0)).max(0.0);
        let step = usize::try_from(worst / STEP_US).unwrap_or(0).min(STEPS - 1);
        for (index, weight) in self.histogram.iter_mut().enumerate() {
            *weight = *weight * kept + if index == step { 1.0 - kept } else { 0.0 };
        }
        let mut sum = 0.0;
        let covering = self.histogram.iter().position(|weight| {
            sum += weight;
            sum >= QUANTILE
        });
        self.target = clamp((covering.unwrap_or(STEPS - 1) as i64 + 1) * STEP_US);
    }
}

fn clamp(target: i64) -> i64 {
    target.clamp(TARGET_MIN_US, TARGET_MAX_US)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets every 20 ms with these relative delays, in milliseconds.
    fn feed(delay: &mut Delay, from_ms: i64, relative_ms: impl IntoIterator<Item = i64>) -> i64 {
        let mut sent = from_ms;
        for late in relative_ms {
            delay.arrive((sent + late) * 1000, (7_000 + late) * 1000);
            sent += 20;
        }
        sent
    }

    #[test]
    fn a_quiet_network_asks_for_one_frame() {
        let mut delay = Delay::default();
        feed(&mut delay, 0, std::iter::repeat_n(0, 500));
        assert_eq!(delay.base(), Some(7_000_000));
        assert_eq!(delay.target(), TARGET_MIN_US);
    }

    #[test]
    fn jitter_is_covered_and_forgotten() {
        let mut delay = Delay::default();
        let shaken = (0..1500).map(|packet| packet * 37 % 61);
        let now = feed(&mut delay, 0, shaken);
        assert!((60_000..=65_000).contains(&delay.target()), "{}", delay.target());
        feed(&mut delay, now, std::iter::repeat_n(0, 50 * 120));
        assert_eq!(delay.target(), TARGET_MIN_US);
    }

    #[test]
    fn one_stall_in_a_minute_changes_nothing() {
        let mut delay = Delay::default();
        let now = feed(&mut delay, 0, std::iter::repeat_n(0, 1500));
        // 2 s of packets that all come at once.
        let now = feed(&mut delay, now, (0..100).map(|packet| 2000 - packet * 20));
        feed(&mut delay, now, std::iter::repeat_n(0, 100));
        assert_eq!(delay.target(), TARGET_MIN_US);
    }

    #[test]
    fn the_target_has_an_end() {
        let mut delay = Delay::default();
        feed(&mut delay, 0, (0..3000).map(|packet| packet % 50 * 20));
        assert_eq!(delay.target(), TARGET_MAX_US);
    }

    #[test]
    fn a_longer_path_becomes_the_base() {
        let mut delay = Delay::default();
        let now = feed(&mut delay, 0, std::iter::repeat_n(0, 500));
        feed(&mut delay, now, std::iter::repeat_n(100, 300));
        assert_eq!(delay.base(), Some(7_100_000));
    }
}
