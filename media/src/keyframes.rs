//! When the encoder has to make a keyframe: requests from several receivers are met by one, and not too often.

use std::time::{Duration, Instant};

/// The shortest time between two keyframes made on request. A keyframe costs about four frames' worth of bits, and takes a
/// round trip to arrive: who asks again before has not seen it yet.
const APART: Duration = Duration::from_millis(300);

/// Merges requests for keyframes.
#[derive(Debug, Default)]
pub(crate) struct Keyframes {
    wanted: bool,
    needed: bool,
    last: Option<Instant>,
    /// The way there and back.
    round_trip: Duration,
}

impl Keyframes {
    /// A receiver asks. Met by the next frame, or by the first one that is far enough from the last keyframe.
    pub(crate) fn ask(&mut self) {
        self.wanted = true;
    }

    /// No receiver can go on without one: met by the next frame in any case.
    pub(crate) fn need(&mut self) {
        self.needed = true;
    }

    /// Who asks has seen nothing of the last keyframe before it is a round trip old.
    pub(crate) fn set_round_trip(&mut self, round_trip: Duration) {
        self.round_trip = round_trip;
    }

    /// Whether the frame encoded at `now` should be one.
    pub(crate) fn due(&self, now: Instant) -> bool {
        self.needed
            || self.wanted && self.last.is_none_or(|last| now.saturating_duration_since(last) >= APART.max(self.round_trip))
    }

    /// The frame encoded at `now` has become one.
    pub(crate) fn made(&mut self, now: Instant) {
        *self = Self { wanted: false, needed: false, last: Some(now), round_trip: self.round_trip };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_requests_make_one_keyframe() {
        let start = Instant::now();
        let mut keyframes = Keyframes::default();
        assert!(!keyframes.due(start));
        keyframes.ask();
        keyframes.ask();
        assert!(keyframes.due(start));
        keyframes.made(start);
        assert!(!keyframes.due(start + Duration::from_secs(9)));
    }

    #[test]
    fn a_request_too_soon_is_met_later() {
        let start = Instant::now();
        let mut keyframes = Keyframes::default();
        keyframes.made(start);
        keyframes.ask();
        assert!(!keyframes.due(start + Duration::from_millis(299)));
        assert!(keyframes.due(start + Duration::from_millis(300)));
    }

    #[test]
    fn over_a_long_way_requests_are_met_once_per_round_trip() {
        let start = Instant::now();
        let mut keyframes = Keyframes::default();
        keyframes.set_round_trip(Duration::from_millis(600));
        keyframes.made(start);
        keyframes.ask();
        assert!(!keyframes.due(start + Duration::from_millis(599)));
        assert!(keyframes.due(start + Duration::from_millis(600)));
    }

    #[test]
    fn a_need_does_not_wait() {
        let start = Instant::now();
        let mut keyframes = Keyframes::default();
        keyframes.made(start);
        keyframes.need();
        assert!(keyframes.due(start));
        keyframes.made(start);
        assert!(!keyframes.due(start));
    }
}
