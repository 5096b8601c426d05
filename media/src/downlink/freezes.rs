//! Freezes of a moving picture, by the definitions of the W3C's webrtc-stats (freezeCount, pauseCount).

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::stats::Freezes;

/// Over how many frames the average is taken.
const AVERAGED: usize = 30;

/// How many it takes: before, there is no telling what's usual. The W3C leaves this open; it's what libwebrtc does.
const ENOUGH: usize = 5;

/// What a frame has to stand beyond the average to count as frozen.
const OVER: Duration = Duration::from_millis(150);

/// A frame that stands longer is a pause: somebody has switched something off.
const PAUSE: Duration = Duration::from_secs(5);

/// Watches when frames are shown.
#[derive(Debug, Default)]
pub(crate) struct Watcher {
    last: Option<Instant>,
    stood: VecDeque<Duration>,
    sum: Duration,
    freezes: Freezes,
}

impl Watcher {
    /// A frame is shown at `now`.
    pub(crate) fn shown(&mut self, now: Instant) {
        let Some(last) = self.last.replace(now) else { return };
        let stood = now.saturating_duration_since(last);
        if stood > PAUSE {
            self.freezes.pauses += 1;
            self.freezes.paused += stood;
            return;
        }
        if self.stood.len() >= ENOUGH {
            let average = self.sum / self.stood.len() as u32;
            if stood >= (average * 3).max(average + OVER) {
                self.freezes.freezes += 1;
                self.freezes.frozen += stood;
            }
        }
        if self.stood.len() == AVERAGED {
            self.sum -= self.stood.pop_front().unwrap_or_default();
        }
        self.stood.push_back(stood);
        self.sum += stood;
    }

    pub(crate) fn freezes(&self) -> Freezes {
        self.freezes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(gaps_ms: impl IntoIterator<Item = u64>) -> Freezes {
        let (mut watcher, mut now) = (Watcher::default(), Instant::now());
        watcher.shown(now);
        for gap in gaps_ms {
            now += Duration::from_millis(gap);
            watcher.shown(now);
        }
        watcher.freezes()
    }

    #[test]
    fn a_steady_picture_never_freezes() {
        assert_eq!(watch([33; 500]), Freezes::default());
        assert_eq!(watch((0..500).map(|n| 20 + n * 7 % 60)), Freezes::default());
    }

    #[test]
    fn the_bound_is_150_ms_over_the_average_or_three_times_it() {
        assert_eq!(watch([33; 100].into_iter().chain([182])).freezes, 0);
        let frozen = watch([33; 100].into_iter().chain([183]));
        assert_eq!((frozen.freezes, frozen.frozen), (1, Duration::from_millis(183)));
        assert_eq!(watch([200; 100].into_iter().chain([599])).freezes, 0);
        assert_eq!(watch([200; 100].into_iter().chain([600])).freezes, 1);
    }

    #[test]
    fn a_bumpy_start_is_no_freeze() {
        assert_eq!(watch([2, 300, 5, 200, 33]).freezes, 0);
        assert_eq!(watch([33, 33, 33, 33, 33, 300]).freezes, 1);
    }

    #[test]
    fn a_camera_switched_off_is_a_pause() {
        let paused = watch([33; 50].into_iter().chain([5001]).chain([33; 50]));
        assert_eq!((paused.freezes, paused.pauses, paused.paused), (0, 1, Duration::from_millis(5001)));
    }
}
