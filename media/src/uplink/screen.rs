//! The shared screen: what has changed is encoded sharply, as soon as what was sent before has had its time.
//!
//! Quality goes before rate. Text that can't be read is worth nothing, so the encoder keeps to no bitrate; instead the next picture waits until the last
//! one is paid for. Where even a single picture is too dear, all are made smaller.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use codecs::{
    Frame, Size,
    convert::Scaler,
    h264::{Encoder, Packet},
};

use super::{Failure, STARVED, Track, video};
use crate::{
    Gate, Slot,
    gate::Credit,
    keyframes::Keyframes,
    payload::{self, Malformed},
    rate::{Decision, Rate},
    spell::Spell,
    stats::VideoSent,
    stop::Stop,
};

/// How often a screen that stands still is sent all the same, as next to nothing: the answers tell who wants a keyframe.
const RENEWED: Duration = Duration::from_millis(500);

/// The shortest time between two pictures.
const APART: Duration = Duration::from_millis(66);

/// The longest wait for a picture to be paid for: what is decided on may be out of date by then.
const PAID_WITHIN: Duration = Duration::from_secs(3);

/// A wait this long says that more of the rate could be used.
const WAITED: Duration = Duration::from_millis(150);

/// The widest and the highest picture.
const MOST: (u32, u32) = (1920, 1080);

/// By what pictures are made smaller where the path is thin, in quarters.
const QUARTERS: [u32; 3] = [4, 3, 2];

/// What a keyframe may cost, in seconds of the rate; a dearer one becomes smaller.
const KEYFRAME: f64 = 2.0;

/// How much less than that the last keyframe must have cost before pictures become larger again: what that makes of it, and some room.
const ROOM: f64 = 3.0;

/// How long one size is kept before a larger one is tried: each change costs a keyframe.
const KEPT: Duration = Duration::from_secs(3);

/// What the thread shares with the call that owns it.
#[derive(Clone)]
pub(crate) struct Shared {
    /// Where the screen's pictures are put.
    pub(crate) slot: Slot,
    /// How many packets may be in flight.
    pub(crate) gate: Gate,
    keyframes: Arc<Mutex<Keyframes>>,
    /// That of all that is sent.
    rate: Arc<Mutex<Rate>>,
    stats: Arc<Mutex<VideoSent>>,
}

impl Shared {
    /// Beside the camera, whose rate it shares.
    pub(crate) fn new(video: &video::Shared) -> Self {
        Self {
            slot: Slot::default(),
            gate: Gate::default(),
            keyframes: Arc::default(),
            rate: Arc::clone(&video.rate),
            stats: Arc::default(),
        }
    }

    /// What is shared begins, or ends.
    pub(crate) fn set_sharing(&self, sharing: bool) {
        self.rate().set_sharing(sharing, Instant::now());
        self.keyframes().need();
    }

    /// An upload of a picture was answered, and this was decided.
    pub(crate) fn uploaded(&self, decision: &Decision) {
        self.gate.release();
        self.keyframes().set_round_trip(decision.keyframes_apart);
        self.count(|stats| stats.bits_per_second = decision.screen_bps);
    }

    /// A picture was given up.
    pub(crate) fn gave_up(&self, now: Instant) {
        self.gate.give_up();
        self.rate().gave_up(now);
    }

    /// A receiver wants a keyframe.
    pub(crate) fn ask_keyframe(&self) {
        self.keyframes().ask();
        self.count(|stats| stats.keyframes_asked += 1);
    }

    pub(crate) fn stats(&self) -> VideoSent {
        let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner).clone();
        stats.gave_up = self.gate.gave_up();
        stats
    }

    fn rate(&self) -> MutexGuard<'_, Rate> {
        self.rate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keyframes(&self) -> MutexGuard<'_, Keyframes> {
        self.keyframes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, by: impl FnOnce(&mut VideoSent)) {
        by(&mut self.stats.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The work of the thread that encodes.
pub(crate) struct Encoding {
    shared: Shared,
    stop: Stop,
    track: Track,
    encoder: Option<Encoder>,
    scaler: Scaler,
    scale: Scale,
    /// When the last picture is paid for.
    paid: Instant,
    failing: Spell,
}

impl Encoding {
    pub(crate) fn new(shared: Shared, stop: Stop, track: Track) -> Self {
        let now = Instant::now();
        let (scaler, scale) = (Scaler::new(), Scale::new(now));
        Self { shared, stop, track, encoder: None, scaler, scale, paid: now, failing: Spell::default() }
    }

    /// Encodes until stopped. To wake it for that, close the gate and clear the slot.
    pub(crate) fn run(mut self) {
        let (mut generation, mut frames, mut latest) = (0, 0, None);
        while !self.stop.is_set() {
            let Some(credit) = self.shared.gate.acquire(STARVED) else { continue };
            let began = Instant::now();
            let patience = if latest.is_some() { RENEWED } else { STARVED };
            let changed = self.shared.slot.wait(generation, patience).is_some();
            if self.stop.wait_until(self.paid) {
                return;
            }
            // The newest there is by now.
            let seen = self.shared.slot.seen();
            let waited = self.paid.saturating_duration_since(began);
            if changed && waited > WAITED {
                self.shared.rate().skipped(Instant::now());
            }
            let new = seen.frames - frames;
            (generation, frames, latest) = (seen.generation, seen.frames, seen.frame);
            self.shared.count(|stats| {
                stats.captured += new;
                stats.stale += new.saturating_sub(1);
            });
            match &latest {
                Some(frame) => self.send(frame, credit),
                // What is shared next is another screen.
                None => self.encoder = None,
            }
        }
    }

    /// Sends one picture, in the size that the path takes.
    fn send(&mut self, frame: &Frame, credit: Credit) {
        let started = Instant::now();
        let bits_per_second = f64::from(self.shared.rate().decision().screen_bps.max(1));
        let outcome = loop {
            let size = self.scale.size(frame.size(), bits_per_second, started);
            let outcome = self.encode(frame, size, started);
            let bytes = match &outcome {
                Ok((packet, payload)) if packet.keyframe => payload.len(),
                Err(Failure::Payload(Malformed::TooLong(bytes))) => *bytes,
                _ => 0,
            };
            if bytes == 0 || !self.scale.is_too_dear(bytes, bits_per_second, started) {
                break outcome;
            }
            // Another size begins with a keyframe of its own, and nobody misses this one.
            self.encoder = None;
        };
        let took = started.elapsed();
        match outcome {
            Ok((packet, payload)) => {
                self.failing.end();
                let cost = Duration::from_secs_f64(payload.len() as f64 * 8.0 / bits_per_second).clamp(APART, PAID_WITHIN);
                self.paid = started + cost;
                let size = self.encoder.as_ref().map(Encoder::size);
                self.shared.count(|stats| stats.sends(size, took, packet.keyframe, payload.len()));
                credit.spend();
                self.track.send(packet.time, packet.keyframe, payload);
            }
            Err(error) => {
                self.shared.count(|stats| stats.failed += 1);
                // What was lost may be what the next picture builds on.
                self.encoder = None;
                self.paid = started + RENEWED;
                if self.failing.begins() {
                    tracing::warn!(%error, size = %frame.size(), "a picture of the screen could not be encoded");
                }
            }
        }
    }

    fn encode(&mut self, frame: &Frame, size: Size, now: Instant) -> Result<(Packet, bytes::Bytes), Failure> {
        let smaller = if size == frame.size() { None } else { Some(self.scaler.scale(frame, size)?) };
        let frame = smaller.as_ref().unwrap_or(frame);
        let encoder = match &mut self.encoder {
            Some(encoder) if encoder.size() == size => encoder,
            other => other.insert(Encoder::screen(size, frame.color())?),
        };
        if self.shared.gate.take_hole() {
            self.shared.keyframes().need();
        }
        if self.shared.keyframes().due(now) {
            encoder.request_keyframe();
        }
        // None is ever skipped; one that were would be of no length.
        let packet = encoder.encode(frame)?.ok_or(Malformed::Empty)?;
        if packet.keyframe {
            self.shared.rate().keyframe(now);
            self.shared.keyframes().made(now);
        }
        let payload = payload::Video::encode(frame.color(), &packet.data)?;
        Ok((packet, payload))
    }
}

/// Decides how large pictures are.
#[derive(Debug)]
struct Scale {
    /// Which of [`QUARTERS`].
    step: usize,
    since: Instant,
    /// Bytes.
    keyframe: usize,
}

impl Scale {
    const fn new(now: Instant) -> Self {
        Self { step: 0, since: now, keyframe: 0 }
    }

    /// The size of the next picture.
    fn size(&mut self, of: Size, bits_per_second: f64, now: Instant) -> Size {
        let kept = now.saturating_duration_since(self.since) >= KEPT;
        if self.step > 0 && kept && seconds(self.keyframe, bits_per_second) * ROOM < KEYFRAME {
            (self.step, self.since) = (self.step - 1, now);
        }
        scaled(of, QUARTERS[self.step])
    }

    /// A keyframe has so many bytes. Whether that is too dear and there is a smaller size, which is decided on.
    fn is_too_dear(&mut self, bytes: usize, bits_per_second: f64, now: Instant) -> bool {
        self.keyframe = bytes;
        let dear = bytes > payload::PAYLOAD_MAX || seconds(bytes, bits_per_second) > KEYFRAME;
        let smaller = dear && self.step + 1 < QUARTERS.len();
        if smaller {
            (self.step, self.since) = (self.step + 1, now);
        }
        smaller
    }
}

fn seconds(bytes: usize, bits_per_second: f64) -> f64 {
    bytes as f64 * 8.0 / bits_per_second
}

/// So many quarters of the picture, or of the largest one of its shape that fits.
fn scaled(of: Size, quarters: u32) -> Size {
    let fits = (f64::from(MOST.0) / f64::from(of.width)).min(f64::from(MOST.1) / f64::from(of.height)).min(1.0);
    let by = fits * f64::from(quarters) / 4.0;
    let side = |side: u32, least: u32| ((f64::from(side) * by / 2.0).round() as u32 * 2).max(least);
    Size::new(side(of.width, Size::MIN.width), side(of.height, Size::MIN.height)).unwrap_or(of)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::mpsc::{Receiver, Sender, channel},
        thread,
    };

    use codecs::{Color, MediaTime};

    use super::*;
    use crate::{Outgoing, Sink, VideoConfig, track};

    const PATIENCE: Duration = Duration::from_secs(10);

    #[test]
    fn pictures_keep_their_shape_fit_and_are_even() {
        let to = |from: &str, quarters| scaled(from.parse().unwrap(), quarters).to_string();
        assert_eq!(to("1280x720", 4), "1280x720");
        assert_eq!(to("3840x2160", 4), "1920x1080");
        assert_eq!(to("3840x2160", 2), "960x540");
        assert_eq!(to("1080x2160", 4), "540x1080");
        assert_eq!(to("3840x1080", 4), "1920x540");
        assert_eq!(to("1366x768", 3), "1024x576");
        assert_eq!(to("3840x16", 2), "960x16");
    }

    #[test]
    fn a_thin_path_makes_pictures_smaller_and_a_wider_one_larger_after_a_while() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut scale = Scale::new(start);
        let page: Size = "1920x1080".parse().unwrap();
        assert!(!scale.is_too_dear(100_000, 1e6, start));
        assert!(scale.is_too_dear(100_000, 2e5, start));
        assert_eq!(scale.size(page, 2e5, start).to_string(), "1440x810");
        assert!(scale.is_too_dear(60_000, 2e5, start));
        assert!(!scale.is_too_dear(30_000, 1e5, start), "there is no smaller one");
        assert_eq!(scale.size(page, 1e6, at(1)).to_string(), "960x540", "too soon");
        assert_eq!(scale.size(page, 2e5, at(9)).to_string(), "960x540", "still too dear");
        assert_eq!(scale.size(page, 1e6, at(9)).to_string(), "1440x810");
        assert_eq!(scale.size(page, 1e6, at(10)).to_string(), "1440x810", "each size is kept for a while");
        assert_eq!(scale.size(page, 1e6, at(13)).to_string(), "1920x1080");
    }

    struct Wire(Mutex<Sender<Outgoing>>);

    impl Sink for Wire {
        fn send(&self, outgoing: Outgoing) {
            let _ = self.0.lock().unwrap().send(outgoing);
        }
    }

    struct Bench {
        shared: Shared,
        stop: Stop,
        sent: Receiver<Outgoing>,
        thread: Option<thread::JoinHandle<()>>,
    }

    impl Bench {
        fn new() -> Self {
            let shared = Shared::new(&video::Shared::new(VideoConfig::default()));
            let (stop, (to_bench, sent)) = (Stop::default(), channel());
            let track = Track::new(track::Kind::Screen, Arc::new(Wire(Mutex::new(to_bench))));
            let encoding = Encoding::new(shared.clone(), stop.clone(), track);
            shared.set_sharing(true);
            Self { shared, stop, sent, thread: Some(thread::spawn(move || encoding.run())) }
        }

        fn show(&self, luma: u8) {
            let mut frame = Frame::new(Size::VGA, Color::default(), MediaTime(u64::from(luma)));
            frame.planes_mut().0.fill(luma);
            self.shared.slot.put(frame);
        }

        /// Takes delivery of the next packet.
        fn receive(&self) -> Outgoing {
            let outgoing = self.sent.recv_timeout(PATIENCE).unwrap();
            self.shared.gate.release();
            outgoing
        }
    }

    impl Drop for Bench {
        fn drop(&mut self) {
            self.stop.set();
            self.shared.gate.close();
            self.shared.slot.clear();
            self.thread.take().unwrap().join().unwrap();
        }
    }

    #[test]
    fn a_screen_that_stands_still_costs_next_to_nothing_and_answers_who_comes_later() {
        let bench = Bench::new();
        bench.show(50);
        assert!(bench.receive().keyframe);
        for _ in 0..3 {
            let still = bench.receive();
            assert!(!still.keyframe && still.payload.len() < 100, "{} bytes", still.payload.len());
        }
        bench.shared.ask_keyframe();
        let deadline = Instant::now() + PATIENCE;
        while !bench.receive().keyframe {
            assert!(Instant::now() < deadline, "no keyframe comes");
        }
        bench.show(200);
        let before = bench.shared.stats();
        assert!(before.sent >= 5 && before.keyframes >= 2 && before.failed == 0, "{before:?}");
    }

    #[test]
    fn nothing_is_sent_of_a_screen_that_is_not_shared() {
        let bench = Bench::new();
        bench.show(50);
        assert!(bench.receive().keyframe);
        bench.shared.slot.clear();
        // One may have been on its way.
        while bench.sent.recv_timeout(2 * RENEWED).is_ok() {
            bench.shared.gate.release();
        }
        bench.show(60);
        assert!(bench.receive().keyframe, "another screen begins anew");
    }
}
