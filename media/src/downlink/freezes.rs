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

/// How long a picture stands before it's counted though it hasn't moved again: who hangs up or switches the camera off stops sending
/// before the news of it is here, which takes a round trip or two.
const STANDING: Duration = Duration::from_secs(1);

/// Watches when frames are shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watcher {
    last: Option<Instant>,
    stood: VecDeque<Duration>,
    sum: Duration,
    freezes: Freezes,
    /// The sender has said that nothing comes.
    off: bool,
}

impl Watcher {
    /// A frame is shown at `now`.
    pub(crate) fn shown(&mut self, now: Instant) {
        let last = self.last.replace(now);
        let Some(stood) = last.filter(|_| !self.off).map(|last| now.saturating_duration_since(last)) else { return };
        let from = self.frozen_from();
        count(&mut self.freezes, stood, from);
        if stood > PAUSE {
            return;
        }
        if self.stood.len() == AVERAGED {
            self.sum -= self.stood.pop_front().unwrap_or_default();
        }
        self.stood.push_back(stood);
        self.sum += stood;
    }

    /// Whether the sender says that pictures are to come. What stands while none are is neither frozen nor a pause.
    pub(crate) fn expect(&mut self, pictures: bool) {
        // Saying the same again changes nothing.
        if self.off == pictures {
            self.off = !pictures;
            self.last = None;
        }
    }

    /// What is counted already.
    pub(crate) fn freezes(&self) -> Freezes {
        self.freezes
    }

    /// The same with the picture that stands at `now`: one that never moves again would count as nothing otherwise.
    pub(crate) fn freezes_at(&self, now: Instant) -> Freezes {
        let mut freezes = self.freezes;
        let stood = self.last.filter(|_| !self.off).map(|last| now.saturating_duration_since(last));
        if let Some(stood) = stood.filter(|stood| *stood >= STANDING) {
            count(&mut freezes, stood, self.frozen_from());
        }
        freezes
    }

    /// How long a frame stands at least when it's frozen; `None` while there is no telling.
    fn frozen_from(&self) -> Option<Duration> {
        if self.stood.len() < ENOUGH {
            return None;
        }
        let average = self.sum / self.stood.len() as u32;
        Some((average * 3).max(average + OVER))
    }
}

fn count(freezes: &mut Freezes, stood: Duration, frozen_from: Option<Duration>) {
    if stood > PAUSE {
        freezes.pauses += 1;
        freezes.paused += stood;
    } else if frozen_from.is_some_and(|least| stood >= least) {
        freezes.freezes += 1;
        freezes.frozen += stood;
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
    fn a_picture_that_dies_for_good_is_counted_as_it_stands() {
        let (mut watcher, start) = (Watcher::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        (0..100).for_each(|index| watcher.shown(at(index * 33)));
        let last = 99 * 33;
        assert_eq!(watcher.freezes_at(at(last + 999)), Freezes::default(), "its sender may just have left");
        let frozen = Freezes { freezes: 1, frozen: Duration::from_millis(1_500), ..Freezes::default() };
        assert_eq!(watcher.freezes_at(at(last + 1_500)), frozen);
        let paused = Freezes { pauses: 1, paused: Duration::from_millis(6_000), ..Freezes::default() };
        assert_eq!(watcher.freezes_at(at(last + 6_000)), paused);
        // It isn't counted twice when it moves again.
        watcher.shown(at(last + 6_100));
        assert_eq!((watcher.freezes_at(at(last + 6_101)).pauses, watcher.freezes().pauses), (1, 1));
    }

    #[test]
    fn what_was_announced_is_neither_a_freeze_nor_a_pause() {
        let (mut watcher, start) = (Watcher::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        (0..100).for_each(|index| watcher.shown(at(index * 33)));
        watcher.expect(false);
        // One was still on its way.
        watcher.shown(at(3_300));
        assert_eq!(watcher.freezes_at(at(60_000)), Freezes::default());
        watcher.expect(true);
        assert_eq!(watcher.freezes_at(at(62_000)), Freezes::default(), "none has come yet");
        (0..100).for_each(|index| watcher.shown(at(63_000 + index * 33)));
        assert_eq!(watcher.freezes(), Freezes::default());
        assert_eq!(watcher.freezes_at(at(70_000)).freezes, 1);
    }

    #[test]
    fn a_camera_switched_off_is_a_pause() {
        let paused = watch([33; 50].into_iter().chain([5001]).chain([33; 50]));
        assert_eq!((paused.freezes, paused.pauses, paused.paused), (0, 1, Duration::from_millis(5001)));
    }
}
