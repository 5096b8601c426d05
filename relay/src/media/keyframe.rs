//! Keyframe requests to one publisher, merged over all who ask.

use std::time::{Duration, Instant};

/// A request not answered by a keyframe is told again after this while: longer than an encoder and the way back take.
const AGAIN: Duration = Duration::from_millis(300);

/// Who asks so soon after a keyframe came just hasn't fetched it yet.
const FRESH: Duration = Duration::from_millis(150);

/// Whether a keyframe is wanted, and when the publisher was told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KeyframeRequest {
    wanted: bool,
    told: Option<Instant>,
    came: Option<Instant>,
}

impl KeyframeRequest {
    /// A reader can't go on without one.
    pub(crate) fn want(&mut self, now: Instant) {
        if self.came.is_none_or(|came| now.saturating_duration_since(came) > FRESH) {
            self.wanted = true;
        }
    }

    /// Whether to tell the publisher with the answer that goes out now.
    pub(crate) fn tell(&mut self, now: Instant) -> bool {
        let due = self.wanted && self.told.is_none_or(|told| now.saturating_duration_since(told) >= AGAIN);
        if due {
            self.told = Some(now);
        }
        due
    }

    /// One came.
    pub(crate) fn came(&mut self, now: Instant) {
        *self = Self { wanted: false, told: None, came: Some(now) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_merged_and_told_again_until_a_keyframe_comes() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut request = KeyframeRequest::default();
        assert!(!request.tell(at(0)));
        request.want(at(0));
        request.want(at(1));
        assert!(request.tell(at(2)));
        assert!(!request.tell(at(3)));
        assert!(request.tell(at(302)));
        request.came(at(310));
        assert!(!request.tell(at(900)));
        request.want(at(320));
        assert!(!request.tell(at(900)));
        request.want(at(900));
        assert!(request.tell(at(900)));
    }
}
