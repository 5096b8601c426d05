//! Sizes and frame rates, and which of them a bitrate is for.

use std::time::{Duration, Instant};

use codecs::Size;

/// Widths below the largest, in pixels.
const WIDTHS: [u32; 4] = [960, 640, 480, 320];
/// Bits a second that a picture should have for each of its pixels: less, and a smaller one looks better.
const PER_PIXEL: f64 = 0.9;
/// The next larger size needs so much more than its due before it's taken: each change costs a keyframe.
const AMPLE: f64 = 1.35;
/// How long it must be ample.
const AMPLE_FOR: Duration = Duration::from_millis(1500);
/// How long it must be too little.
const SHORT_FOR: Duration = Duration::from_millis(1000);
/// How long it's remembered that a size has keyframes which take too long: then the picture may be another one.
const SEEN_FOR: Duration = Duration::from_secs(30);
/// A size is kept so long before a larger one is taken.
const KEPT: Duration = Duration::from_secs(4);

/// Frames a second by bits a second: each is a request, and has its own overhead.
const FRAME_RATES: [(f64, f32); 4] = [(350_000.0, 60.0), (160_000.0, 20.0), (80_000.0, 15.0), (30_000.0, 12.0)];
/// A still picture, renewed once in 2.5 s.
const STILL: f32 = 0.4;
/// A step up in frames needs so much more than the step down.
const AMPLE_FRAMES: f64 = 1.2;

/// Where on the way between large and small a sender is.
#[derive(Debug)]
pub(super) struct Ladder {
    /// The largest first.
    sizes: Vec<Size>,
    at: usize,
    /// What each of them needs for its keyframe not to take too long, in bits a second, as was seen then.
    seen: Vec<Option<(f64, Instant)>>,
    changed: Instant,
    ample_since: Option<Instant>,
    short_since: Option<Instant>,
    most_frames: f32,
    /// Index into [`FRAME_RATES`]; past its end is a still picture.
    frames: usize,
}

impl Ladder {
    pub(super) fn new(largest: Size, most_frames: f32, bps: f64, now: Instant) -> Self {
        let smaller = WIDTHS.iter().filter(|width| **width < largest.width).filter_map(|&width| {
            // Even, and in the same proportions.
            let height = (f64::from(largest.height) * f64::from(width) / f64::from(largest.width) / 2.0).round() as u32 * 2;
            Size::new(width, height).ok()
        });
        let sizes: Vec<Size> = std::iter::once(largest).chain(smaller).collect();
        // A call begins at a low rate that tells little: it will have grown before the picture would have to shrink.
        let at = sizes.iter().position(|size| bps >= due(*size) / 2.0).unwrap_or(sizes.len() - 1);
        // So many frames as there are, until the path is known a little.
        let seen = vec![None; sizes.len()];
        Self { sizes, at, seen, changed: now, ample_since: None, short_since: None, most_frames, frames: 0 }
    }

    /// The rate is `bps` now.
    pub(super) fn follow(&mut self, bps: f64, now: Instant) {
        self.size_for(bps, now);
        while self.frames < FRAME_RATES.len() && bps < FRAME_RATES[self.frames].0 {
            self.frames += 1;
        }
        while self.frames > 0 && bps >= FRAME_RATES[self.frames - 1].0 * AMPLE_FRAMES {
            self.frames -= 1;
        }
    }

    pub(super) fn size(&self) -> Size {
        self.sizes[self.at]
    }

    pub(super) fn frames_per_second(&self) -> f32 {
        FRAME_RATES.get(self.frames).map_or(STILL, |(_, rate)| *rate).min(self.most_frames)
    }

    /// Whether there is no more than a still picture.
    pub(super) fn is_still(&self) -> bool {
        self.frames == FRAME_RATES.len()
    }

    /// A keyframe of this size would take too long; it would not at `needs` bits a second. Whether there is a smaller size, which is taken.
    pub(super) fn shrink(&mut self, needs: f64, now: Instant) -> bool {
        let smaller = self.at + 1 < self.sizes.len();
        if smaller {
            self.seen[self.at] = Some((needs, now));
            self.at += 1;
            self.change(now);
        }
        smaller
    }

    /// Bits a second that pictures of a size should have.
    fn due(&self, at: usize, now: Instant) -> f64 {
        let seen = self.seen[at].filter(|(_, when)| now.saturating_duration_since(*when) < SEEN_FOR);
        seen.map_or(0.0, |(needs, _)| needs).max(due(self.sizes[at]))
    }

    fn size_for(&mut self, bps: f64, now: Instant) {
        let lasts = |since: &mut Option<Instant>, holds: bool, long: Duration| {
            if !holds {
                *since = None;
                return false;
            }
            now.saturating_duration_since(*since.get_or_insert(now)) >= long
        };
        let short = self.at + 1 < self.sizes.len() && bps < due(self.sizes[self.at]);
        // Half of what it should have: there is nothing to wait for.
        let far = bps < due(self.sizes[self.at]) / 2.0;
        if lasts(&mut self.short_since, short, if far { Duration::ZERO } else { SHORT_FOR }) {
            while self.at + 1 < self.sizes.len() && bps < due(self.sizes[self.at]) {
                self.at += 1;
            }
            self.change(now);
            return;
        }
        let ample = self.at > 0 && bps >= self.due(self.at - 1, now) * AMPLE;
        let kept = now.saturating_duration_since(self.changed) >= KEPT;
        if lasts(&mut self.ample_since, ample, AMPLE_FOR) && kept {
            while self.at > 0 && bps >= self.due(self.at - 1, now) * AMPLE {
                self.at -= 1;
            }
            self.change(now);
        }
    }

    fn change(&mut self, now: Instant) {
        self.changed = now;
        self.ample_since = None;
        self.short_since = None;
    }
}

/// Bits a second that a picture of this size should have.
fn due(size: Size) -> f64 {
    f64::from(size.width) * f64::from(size.height) * PER_PIXEL
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ladder(size: &str, bps: f64) -> (Ladder, Instant) {
        let now = Instant::now();
        (Ladder::new(size.parse().unwrap(), 30.0, bps, now), now)
    }

    #[test]
    fn sizes_keep_the_proportions_of_the_largest() {
        let sizes = |largest| ladder(largest, 1e9).0.sizes.iter().map(Size::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!(sizes("1280x720"), "1280x720 960x540 640x360 480x270 320x180");
        assert_eq!(sizes("640x480"), "640x480 480x360 320x240");
        assert_eq!(sizes("160x120"), "160x120");
    }

    #[test]
    fn a_little_less_for_a_moment_or_a_little_more_for_long_changes_no_size() {
        let (mut ladder, start) = ladder("640x480", 500_000.0);
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(ladder.size().to_string(), "640x480");
        ladder.follow(250_000.0, at(0));
        ladder.follow(250_000.0, at(200));
        ladder.follow(300_000.0, at(250));
        ladder.follow(250_000.0, at(300));
        assert_eq!(ladder.size().to_string(), "640x480");
        ladder.follow(250_000.0, at(1300));
        assert_eq!(ladder.size().to_string(), "480x360");
        for second in 1..60 {
            ladder.follow(350_000.0, at(1300 + second * 1000));
        }
        assert_eq!(ladder.size().to_string(), "480x360", "not ample");
        ladder.follow(400_000.0, at(61_000));
        ladder.follow(400_000.0, at(62_500));
        assert_eq!(ladder.size().to_string(), "640x480");
        ladder.follow(90_000.0, at(62_600));
        assert_eq!(ladder.size().to_string(), "320x240", "at once, and past the one between");
        ladder.follow(900_000.0, at(62_700));
        ladder.follow(900_000.0, at(65_000));
        assert_eq!(ladder.size().to_string(), "320x240", "kept for a while");
        ladder.follow(900_000.0, at(67_000));
        assert_eq!(ladder.size().to_string(), "640x480");
    }

    #[test]
    fn a_size_whose_keyframe_takes_too_long_is_left_and_not_tried_again_soon() {
        let (mut ladder, start) = ladder("640x480", 500_000.0);
        let at = |ms| start + Duration::from_millis(ms);
        assert!(ladder.shrink(900_000.0, at(0)));
        for ms in (0..29_000).step_by(100) {
            ladder.follow(800_000.0, at(ms));
            assert_eq!(ladder.size().to_string(), "480x360");
        }
        ladder.follow(800_000.0, at(30_000));
        ladder.follow(800_000.0, at(32_000));
        assert_eq!(ladder.size().to_string(), "640x480");
        assert!(ladder.shrink(1.0, at(32_000)) && ladder.shrink(1.0, at(32_000)));
        assert!(!ladder.shrink(1.0, at(32_000)), "there is no smaller one");
    }

    #[test]
    fn frames_become_fewer_with_the_rate_down_to_a_still_picture_and_more_again() {
        let (mut ladder, start) = ladder("320x240", 500_000.0);
        let mut rates = Vec::new();
        for bps in [500e3, 300e3, 170e3, 150e3, 170e3, 70e3, 29e3, 31e3, 60e3, 200e3, 400e3, 430e3] {
            ladder.follow(bps, start);
            rates.push(ladder.frames_per_second());
        }
        assert_eq!(rates, [30.0, 20.0, 20.0, 15.0, 15.0, 12.0, 0.4, 0.4, 12.0, 20.0, 20.0, 30.0]);
        ladder.follow(0.0, start);
        assert!(ladder.is_still());
    }
}
