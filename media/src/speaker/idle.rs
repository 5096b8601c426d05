//! Uses up sound that nobody hears, exactly as fast as a speaker would.

use std::time::Instant;

use codecs::opus::SAMPLE_RATE;
use ringbuf::traits::Consumer;

use crate::sound::ring::{Drain, Wake};

/// Takes 48,000 samples out of a ring every second.
pub(super) struct Idle {
    drain: Drain,
    wake: Wake,
    start: Instant,
    /// Samples played since the start, silence included.
    played: u64,
}

impl Idle {
    /// Begins at `start`.
    pub(super) fn new(drain: Drain, wake: Wake, start: Instant) -> Self {
        Self { drain, wake, start, played: 0 }
    }

    /// Takes what a speaker would have played by now. Where there's nothing it would have played silence: that's not made up for.
    pub(super) fn use_up(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.start).as_nanos();
        let due = u64::try_from(elapsed * u128::from(SAMPLE_RATE) / 1_000_000_000).unwrap_or(u64::MAX);
        let wanted = due.saturating_sub(self.played) as usize;
        self.played = due;
        let taken = self.drain.samples.skip(wanted);
        self.drain.lose(wanted - taken);
        self.wake.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use ringbuf::traits::Producer;

    use super::*;
    use crate::sound::ring::{filled, ring};

    proptest! {
        #[test]
        fn plays_at_the_pace_of_the_clock(steps in prop::collection::vec(0u64..40_000, 1..60)) {
            let (mut source, drain) = ring(SAMPLE_RATE);
            let start = Instant::now();
            let mut idle = Idle::new(drain, Wake::default(), start);
            let (mut micros, mut written) = (0, 0);
            for step in steps {
                // Always enough in it: 40 ms more than a step takes.
                written += source.samples.push_slice(&[0.1; 1_920]) as u64;
                micros += step;
                idle.use_up(start + Duration::from_micros(micros));
                let played = written - filled(&source.samples) as u64;
                prop_assert_eq!(played.min(written), (micros * 48 / 1_000).min(written));
            }
        }
    }

    #[test]
    fn silence_is_not_made_up_for() {
        let (mut source, drain) = ring(SAMPLE_RATE);
        let start = Instant::now();
        let mut idle = Idle::new(drain, Wake::default(), start);
        idle.use_up(start + Duration::from_millis(500));
        source.samples.push_slice(&[0.1; 4_800]);
        idle.use_up(start + Duration::from_millis(520));
        assert_eq!(filled(&source.samples), 4_800 - 960);
    }
}
