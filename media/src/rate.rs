//! What the path can take now: how many bits a second, of how large pictures, how often. No clock, no I/O.
//!
//! TCP loses nothing, it grows late. So the measure is delay: how long packets wait in queues, as receivers report it, as the relay's
//! backlog shows it, and as uploads take longer than the quickest one. The law is CUBIC's (RFC 9438) with the queue for the loss:
//! over the target the rate falls to 0.85 of what gets through; then it grows slowly near the rate where that happened, and
//! ever faster the further it gets past it without a queue. So a thin path isn't pushed again and again, and one that has become wide
//! again is found to be within seconds.

mod ladder;
mod signals;

use std::time::{Duration, Instant};

use codecs::Size;

use self::{ladder::Ladder, signals::Signals};
use crate::{Kind, VideoConfig};

/// What queues may hold at most in the mean: what an ear doesn't notice in a talk.
const TARGET: Duration = Duration::from_millis(40);
/// From here on the rate is halved: at this pace the queue wouldn't be gone within a second.
const FAR_OVER: Duration = Duration::from_millis(120);
/// Sounds that wait longer than this, several at once, stand in a queue that has just begun.
const CROWDED: Duration = Duration::from_millis(60);
/// Below it the path has room.
const EMPTY: Duration = Duration::from_millis(20);
/// Below it there is none, and pictures pass in no time.
const NONE: Duration = Duration::from_millis(10);

/// What is left of the rate that gets through once the queue is over the target: the rest drains it.
const BACK_OFF: f64 = 0.85;
/// What is left of the rate when the queue is far over.
const HALVED: f64 = 0.5;
/// How much more than what is sent in the mean may be meant: pictures differ.
const UNEVEN: f64 = 1.25;
/// Growth in parts of the rate where the last queue was, per cubed second: back there after 1.4 s, at five times as much 4 s later; a little sooner
/// without any queue.
const CUBIC: f64 = 0.06;
/// How much faster the curve is gone along while there is no queue at all: that is no path at its limit.
const HURRY: f64 = 0.5;
/// Growth a second before any queue was ever seen: tripled.
const START: f64 = 2.0;
/// How long the first rate is kept.
const FIRST_FOR: Duration = Duration::from_millis(600);
/// A queue this soon after the rate was reduced is the one that it was reduced for.
const DRAINS: Duration = Duration::from_millis(350);
/// Pictures given up within this time are lost by one and the same cause.
const TOGETHER: Duration = Duration::from_millis(500);
/// How long a frame that was left out says that more could be used.
const SKIPS: Duration = Duration::from_millis(500);
/// The longest a keyframe may take, in seconds of the rate.
const KEYFRAME_MAX: f64 = 0.4;
/// Below this many bits a second for pictures the requests themselves, one for each packet of sound, take as much as the pictures do.
const THIN: f64 = 300_000.0;
/// From here on they may take it again.
const NOT_THIN: f64 = 650_000.0;
/// How often the rate is looked at.
const STEP: Duration = Duration::from_millis(50);

/// Bits a second to begin with: just enough for a first keyframe of 640x480, and little enough for a thin path's sound to stay whole.
const FIRST_BPS: f64 = 200_000.0;
/// The least for pictures: a still one now and then.
const LEAST_BPS: f64 = 20_000.0;
/// Sound at its best, in bits a second, and what it gets by with while pictures have less than this.
const AUDIO: [(f64, u32); 3] = [(120_000.0, 32_000), (50_000.0, 24_000), (0.0, 16_000)];

/// What the camera is left with while a screen is shared, in parts of the rate: what is shared is what is talked about.
const CAMERA_SHARE: f64 = 0.25;
/// And in bits a second: a small face that moves.
const CAMERA_MOST: f64 = 250_000.0;
/// What a shared screen may cost beside what is allowed for the camera, in bits a second: a page full of text within two seconds.
const SCREEN_MOST: f64 = 2_000_000.0;

/// How much longer than the way pictures may be on it before the next one waits.
const PATIENCE: Duration = Duration::from_millis(30);
/// Fewest pictures in flight where there is room: one on its way while the other one's answer comes back.
const IN_FLIGHT_MIN: usize = 2;

/// What has become of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// Of which track.
    pub kind: Kind,
    /// Time from handing it over to the relay's answer.
    pub took: Duration,
    /// Bytes of payload.
    pub bytes: usize,
    /// How long each of several other uploads of sound has been on its way by now: a queue that is only growing shows there first. Zero where
    /// fewer are.
    pub waiting: Duration,
    /// Age of the oldest packet of this track that some reader hasn't fetched.
    pub backlog: Duration,
    /// How many peers read the track.
    pub readers: u32,
    /// Time packets wait in queues on the whole way, as readers report.
    pub delay: Option<Duration>,
    /// Payload of pictures that gets through, in bits a second, as readers report.
    pub received_bps: Option<u32>,
}

/// What to send from now on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// The camera's pictures, in bits a second.
    pub video_bps: u32,
    /// A shared screen's, in bits a second; 0 while there is none.
    pub screen_bps: u32,
    /// Most pictures a second; below one it is a still picture that is renewed now and then.
    pub frames_per_second: f32,
    /// Size of the pictures.
    pub size: Size,
    /// Sound, in bits a second.
    pub audio_bps: u32,
    /// Most pictures on their way to the relay at a time.
    pub in_flight: usize,
    /// While two pictures have been on their way to the relay for longer, none follows.
    pub patience: Duration,
    /// The shortest time between two keyframes made on request: the way there and back.
    pub keyframes_apart: Duration,
    /// Each request is dear: several packets of sound should share one, and nothing be sent twice.
    pub thin: bool,
}

/// Decides on the rate of one sender.
#[derive(Debug)]
pub struct Rate {
    config: VideoConfig,
    ladder: Ladder,
    signals: Signals,
    /// Bits a second for pictures, those of a shared screen included.
    video: f64,
    sharing: bool,
    /// Where the last queue was, and since when the rate grows from there.
    knee: Option<(f64, Instant)>,
    reduced: Option<Instant>,
    skipped: Option<Instant>,
    burst: Option<Instant>,
    stepped: Instant,
    thin: bool,
    crowded: bool,
}

impl Rate {
    /// Never more than `config` says.
    #[must_use]
    pub fn new(config: VideoConfig, now: Instant) -> Self {
        let video = FIRST_BPS.min(f64::from(config.bits_per_second));
        let ladder = Ladder::new(config.size, config.frames_per_second, video, now);
        Self {
            config,
            ladder,
            signals: Signals::default(),
            video,
            sharing: false,
            knee: None,
            reduced: None,
            skipped: None,
            burst: None,
            stepped: now,
            thin: false,
            crowded: false,
        }
    }

    /// An upload was answered.
    pub fn uploaded(&mut self, uploaded: &Uploaded, now: Instant) {
        self.signals.uploaded(uploaded, self.video, now);
        self.step(now);
    }

    /// A screen is shared from now on, or isn't any more: then the camera has the whole rate again.
    pub fn set_sharing(&mut self, sharing: bool, now: Instant) {
        self.sharing = sharing;
        self.video = self.video.min(self.most());
        self.ladder.follow(self.camera(), now);
    }

    /// The camera's part of the rate.
    fn camera(&self) -> f64 {
        if self.sharing { (self.video * CAMERA_SHARE).clamp(LEAST_BPS, CAMERA_MOST) } else { self.video }
    }

    /// The most that pictures may cost, in bits a second.
    fn most(&self) -> f64 {
        let screen = if self.sharing { SCREEN_MOST } else { 0.0 };
        (f64::from(self.config.bits_per_second) + screen).max(LEAST_BPS)
    }

    /// A picture was given up: the path took nothing for seconds. Those given up together count once, and before anything got through they
    /// say nothing about how much does.
    pub fn gave_up(&mut self, now: Instant) {
        let just = self.reduced.is_some_and(|at| now.saturating_duration_since(at) < TOGETHER);
        if just || self.signals.known_for(now).is_zero() {
            return;
        }
        self.reduce(self.video * HALVED, now);
        self.ladder.follow(self.camera(), now);
    }

    /// The encoder left a frame out to keep to the rate: it could use more.
    pub const fn skipped(&mut self, now: Instant) {
        self.skipped = Some(now);
    }

    /// A keyframe of this size would be so many bytes long. Whether that takes too long and there is a smaller size, which is decided on.
    pub fn is_too_long(&mut self, bytes: usize, now: Instant) -> bool {
        let needs = bytes as f64 * 8.0 / KEYFRAME_MAX;
        needs > self.camera() && self.ladder.shrink(needs, now)
    }

    /// A keyframe sets out, which is a short queue of its own.
    pub const fn keyframe(&mut self, now: Instant) {
        self.burst = Some(now);
    }

    /// What to send now.
    #[must_use]
    pub fn decision(&self) -> Decision {
        let frames_per_second = self.ladder.frames_per_second();
        let way = self.signals.way();
        // As of the polls: one in each period of the way, and one more.
        let periods = (way.as_secs_f64() * f64::from(frames_per_second)).ceil() as usize;
        Decision {
            video_bps: self.camera() as u32,
            screen_bps: if self.sharing { (self.video - self.camera()).max(LEAST_BPS) as u32 } else { 0 },
            frames_per_second,
            size: self.ladder.size(),
            audio_bps: AUDIO.iter().find(|(from, _)| self.video >= *from).map_or(16_000, |(_, rate)| *rate),
            in_flight: if self.crowded { 1 } else { (periods + 1).clamp(IN_FLIGHT_MIN, crate::gate::LIMIT_MAX) },
            patience: way + PATIENCE + self.share(),
            keyframes_apart: way,
            thin: self.thin,
        }
    }

    /// How long packets wait in queues now, as far as is known.
    #[must_use]
    pub fn queue(&self, now: Instant) -> Option<Duration> {
        self.signals.queue(now, self.share())
    }

    fn step(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.stepped);
        if passed < STEP {
            return;
        }
        self.stepped = now;
        let Some(queue) = self.queue(now) else { return };
        let drains = DRAINS + self.signals.way();
        let just = |at: Option<Instant>| at.is_some_and(|at| now.saturating_duration_since(at) < drains);
        let (draining, burst) = (just(self.reduced), just(self.burst));
        let through = self.signals.through(now).unwrap_or(self.video);
        // What was allowed and not used has filled no queue.
        let used = self.video.min(self.signals.sent(now).unwrap_or(self.video).max(through) * UNEVEN);
        // Sound's requests alone may fill a path that has become narrow.
        let growing = self.signals.waiting(now) > CROWDED;
        self.thin |= queue > FAR_OVER || growing;
        self.crowded = growing || self.thin && queue > CROWDED;
        if queue > FAR_OVER && !draining {
            // What got through before the path became narrow says little.
            let through = if growing { 0.0 } else { through };
            self.reduce((used * HALVED).max(through * BACK_OFF).min(used * BACK_OFF), now);
        } else if queue > TARGET && !draining && !burst && !self.signals.falls() {
            self.reduce((through * BACK_OFF).clamp(used * HALVED, used * BACK_OFF), now);
        } else if queue < EMPTY && !draining {
            self.grow(passed, now);
        } else if let Some((_, since)) = &mut self.knee {
            // Neither: it stays where it is on the curve.
            *since += passed;
        }
        self.ladder.follow(self.camera(), now);
        let enough = NOT_THIN.min(0.95 * f64::from(self.config.bits_per_second));
        self.thin = if self.thin { self.video < enough } else { self.knee.is_some() && self.video < THIN };
    }

    /// How long a picture takes to pass a link that is well used: the larger part of the time between two. That is no queue.
    fn share(&self) -> Duration {
        Duration::from_secs_f64(0.75 / f64::from(self.ladder.frames_per_second().max(10.0)))
    }

    fn reduce(&mut self, to: f64, now: Instant) {
        // Where the queue began is between what gets through and what was sent.
        let knee = (to / BACK_OFF).min(self.video);
        let back = ((1.0 - to / knee) / CUBIC).max(0.0).cbrt();
        self.knee = Some((knee.max(LEAST_BPS), now + Duration::from_secs_f64(back)));
        self.video = to.max(LEAST_BPS);
        self.reduced = Some(now);
    }

    fn grow(&mut self, passed: Duration, now: Instant) {
        let most = self.most();
        // What isn't used says nothing of whether more would get through; a still picture never uses its rate.
        let skips = self.skipped.is_some_and(|skipped| now.saturating_duration_since(skipped) < SKIPS);
        let used = skips || self.signals.sent(now).is_none_or(|sent| sent >= self.video * 0.5);
        if !used && !self.ladder.is_still() {
            if let Some((_, since)) = &mut self.knee {
                *since += passed;
            }
            return;
        }
        if let Some((_, at)) = &mut self.knee
            && self.signals.queue(now, Duration::ZERO).is_some_and(|queue| queue < NONE)
            && let Some(earlier) = at.checked_sub(passed.mul_f64(HURRY))
        {
            *at = earlier;
        }
        let grown = match self.knee {
            // Before receivers have reported a queue is hardly seen.
            None if self.signals.known_for(now) < FIRST_FOR => self.video,
            None => self.video * (1.0 + START * passed.as_secs_f64()),
            Some((knee, at)) => {
                let seconds = match now.checked_duration_since(at) {
                    Some(past) => past.as_secs_f64(),
                    None => -(at.saturating_duration_since(now).as_secs_f64()),
                };
                knee * (1.0 + CUBIC * seconds.powi(3))
            }
        };
        self.video = grown.max(self.video).min(most);
    }
}

#[cfg(test)]
mod tests;
