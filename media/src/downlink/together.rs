//! One peer's sound and pictures together: how much later than its pictures the sound is.
//!
//! The sender stamps both with one clock. How late a sound or a picture is, is the time it is heard or shown at less that stamp. The two
//! machines' clocks differ, by as much for the one as for the other: only the difference of both means anything.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use codecs::MediaTime;

/// How long after the last sound pictures are still held for the next: a pause between two sentences, and no more.
const PAUSE: Duration = Duration::from_secs(3);

/// How old the last sound may be for a picture to be measured against it.
const FRESH: Duration = Duration::from_millis(500);

/// A break in the sound this long begins anew what is known of it.
const BREAK: Duration = Duration::from_millis(200);

/// What one piece of sound (10 ms) counts against all before it: single ones are shaken by the scheduler and by steps of stretching.
const WEIGHT: f64 = 0.04;

/// A change this large, in microseconds, is no shaking: sound was skipped, or stood still.
const LEAP: f64 = 60_000.0;

/// What the thread that plays a peer's sound tells the one that shows their pictures. A clone is another handle on the same.
#[derive(Clone)]
pub(crate) struct Together(Arc<Shared>);

struct Shared {
    /// What lateness counts from.
    origin: Instant,
    heard: Mutex<Option<Heard>>,
}

/// The sound heard last.
#[derive(Clone, Copy)]
struct Heard {
    at: Instant,
    /// How late it was, in microseconds.
    late: i64,
    /// The same without the shaking.
    steady: f64,
}

impl Together {
    /// Nothing has been heard yet; lateness counts from `origin`.
    pub(crate) fn new(origin: Instant) -> Self {
        Self(Arc::new(Shared { origin, heard: Mutex::default() }))
    }

    /// Sound captured at `time` leaves the speaker at `at`.
    pub(crate) fn heard(&self, at: Instant, time: MediaTime) {
        let late = self.late(at, time);
        let mut heard = self.lock();
        let before =
            heard.filter(|before| at.saturating_duration_since(before.at) < BREAK).map_or(late as f64, |before| before.steady);
        let off = late as f64 - before;
        let steady = if off.abs() > LEAP { late as f64 } else { before + off * WEIGHT };
        *heard = Some(Heard { at, late, steady });
    }

    /// How late what was captured at `time` is at `at`, in microseconds, on a scale of which only differences mean anything.
    pub(crate) fn late(&self, at: Instant, time: MediaTime) -> i64 {
        let since = i64::try_from(at.saturating_duration_since(self.0.origin).as_micros()).unwrap_or(i64::MAX);
        since.saturating_sub_unsigned(time.as_micros())
    }

    /// How late sound is at `now`, in microseconds on the scale of [`Together::late`]; `None` while there is none.
    pub(crate) fn sound(&self, now: Instant) -> Option<i64> {
        self.within(now, PAUSE).map(|heard| heard.steady as i64)
    }

    /// How much later than a picture captured at `time` and shown at `shown` its sound is, in microseconds; less than 0 where sound comes
    /// first, `None` where there is none to compare with.
    pub(crate) fn offset(&self, shown: Instant, time: MediaTime) -> Option<i64> {
        let heard = self.within(shown, FRESH)?;
        Some(heard.late.saturating_sub(self.late(shown, time)))
    }

    /// What was heard last, if that isn't longer ago. It may have been handed over and be heard in a moment.
    fn within(&self, now: Instant, most: Duration) -> Option<Heard> {
        self.lock().filter(|heard| now.saturating_duration_since(heard.at) <= most)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Heard>> {
        self.0.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A peer whose clock began so much before this one's, in milliseconds.
    struct Peer(Together, Instant, u64);

    impl Peer {
        fn new(ahead: u64) -> Self {
            let origin = Instant::now();
            Self(Together::new(origin), origin, ahead)
        }

        fn at(&self, ms: u64) -> Instant {
            self.1 + Duration::from_millis(ms)
        }

        fn time(&self, ms: u64) -> MediaTime {
            MediaTime((ms + self.2) * 1_000)
        }

        /// Sound of these milliseconds, each piece heard so much later.
        fn hears(&self, captured: std::ops::Range<u64>, later: impl Fn(u64) -> u64) {
            captured.step_by(10).for_each(|ms| self.0.heard(self.at(ms + later(ms)), self.time(ms)));
        }
    }

    #[test]
    fn the_clocks_difference_is_nowhere_in_it() {
        for ahead in [0, 77_000_000] {
            let peer = Peer::new(ahead);
            assert_eq!(peer.0.offset(peer.at(10), peer.time(0)), None, "nothing was heard");
            peer.hears(0..1_000, |_| 90);
            assert_eq!(peer.0.offset(peer.at(1_020), peer.time(1_000)), Some(70_000), "the picture came first");
            assert_eq!(peer.0.offset(peer.at(1_190), peer.time(1_000)), Some(-100_000), "the sound did");
        }
    }

    #[test]
    fn shaking_is_evened_out_and_a_leap_is_followed() {
        let peer = Peer::new(5);
        let steady = |now| peer.0.sound(peer.at(now)).unwrap() - peer.0.late(peer.at(0), peer.time(0));
        peer.hears(0..2_000, |ms| 80 + ms / 10 % 3 * 10);
        assert!((85_000..95_000).contains(&steady(2_090)), "{}", steady(2_090));
        peer.hears(2_000..2_010, |_| 200);
        assert_eq!(steady(2_200), 200_000);
    }

    #[test]
    fn who_is_silent_has_no_sound_to_wait_for() {
        let peer = Peer::new(0);
        peer.hears(0..1_000, |_| 90);
        assert!(peer.0.sound(peer.at(4_000)).is_some(), "a pause in the talk");
        assert!(peer.0.offset(peer.at(4_000), peer.time(3_990)).is_none(), "but nothing to compare with");
        assert!(peer.0.sound(peer.at(4_100)).is_none());
        peer.hears(9_000..9_010, |_| 40);
        assert_eq!(peer.0.sound(peer.at(9_040)), Some(40_000), "what was before is forgotten");
    }
}
