//! Leaves out frames where the path takes fewer than the camera gives.

use std::time::Duration;

use codecs::MediaTime;

/// Picks frames at a rate.
#[derive(Debug, Default)]
pub(super) struct Pace {
    next: Option<MediaTime>,
}

impl Pace {
    /// Whether the frame captured at `time` is one of `wanted` a second, of a camera that gives `given`.
    pub(super) fn takes(&mut self, time: MediaTime, wanted: f32, given: f32) -> bool {
        if wanted >= given * 0.9 {
            self.next = None;
            return true;
        }
        let interval = Duration::from_secs_f32(wanted.max(0.1).recip());
        let half = Duration::from_secs_f32(0.5 / given.max(1.0));
        let due = match self.next {
            None => time,
            Some(next) => match next.checked_since(time) {
                // A camera that was started anew may be behind, and a still picture's turn is far off.
                Some(left) if left > interval => time,
                Some(left) if left > half => return false,
                Some(_) => next,
                None if time - next < interval => next,
                None => time,
            },
        };
        self.next = Some(MediaTime(due.as_micros() + interval.as_micros() as u64));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(wanted: f32) -> usize {
        let mut pace = Pace::default();
        (0..300_u64).filter(|index| pace.takes(MediaTime(index * 33_333 + index % 7 * 1000), wanted, 30.0)).count()
    }

    #[test]
    fn of_ten_seconds_so_many_frames_are_taken() {
        assert_eq!(taken(60.0), 300);
        assert_eq!(taken(29.0), 300);
        for (wanted, about) in [(20.0, 200), (15.0, 150), (10.0, 100), (0.4, 4)] {
            assert!(taken(wanted).abs_diff(about) <= 1, "{wanted}: {}", taken(wanted));
        }
    }

    #[test]
    fn a_camera_whose_time_goes_back_and_a_faster_rate_are_taken_at_once() {
        let mut pace = Pace::default();
        assert!(pace.takes(MediaTime(50_000_000), 10.0, 30.0));
        assert!(!pace.takes(MediaTime(50_033_000), 10.0, 30.0));
        assert!(pace.takes(MediaTime(1_000_000), 10.0, 30.0));
        assert!(pace.takes(MediaTime(1_100_000), 0.4, 30.0));
        assert!(!pace.takes(MediaTime(1_900_000), 0.4, 30.0));
        assert!(pace.takes(MediaTime(1_933_000), 15.0, 30.0), "the still picture's turn doesn't count any more");
    }
}
