//! The pictures sent: the newest frame is encoded whenever the transport can take a packet.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use codecs::{
    Color, Frame, Size,
    h264::{Encoder, EncoderConfig, Packet},
};

use super::{Failure, STARVED, Track, cadence::Cadence, pace::Pace, shrink::Shrink};
use crate::{
    Gate, Slot, VideoConfig,
    gate::Credit,
    keyframes::Keyframes,
    payload,
    rate::{Decision, Rate, Uploaded},
    spell::Spell,
    stats::VideoSent,
    stop::Stop,
};

/// A bitrate this much off the decided one is set anew: each change costs the library some work.
const OFF: f64 = 0.03;

/// What a keyframe may cost, in seconds of the rate, before it is encoded again: longer, and it holds up all that follows.
const KEYFRAME: f64 = 0.2;

/// What any keyframe may cost, in bytes: no picture of use is smaller.
const KEYFRAME_LEAST: usize = 2000;

/// What the thread shares with the call that owns it.
#[derive(Clone)]
pub(crate) struct Shared {
    /// Where the camera puts its frames.
    pub(crate) slot: Slot,
    /// How many packets may be in flight.
    pub(crate) gate: Gate,
    keyframes: Arc<Mutex<Keyframes>>,
    /// Of all that is sent.
    pub(super) rate: Arc<Mutex<Rate>>,
    stats: Arc<Mutex<VideoSent>>,
}

impl Shared {
    pub(crate) fn new(config: VideoConfig) -> Self {
        Self {
            slot: Slot::default(),
            gate: Gate::default(),
            keyframes: Arc::default(),
            rate: Arc::new(Mutex::new(Rate::new(config, Instant::now()))),
            stats: Arc::default(),
        }
    }

    /// An upload was answered, of either kind. What to send from now on.
    pub(crate) fn uploaded(&self, uploaded: &Uploaded, now: Instant) -> Decision {
        let mut rate = self.rate();
        rate.uploaded(uploaded, now);
        let (decision, queue) = (rate.decision(), rate.queue(now));
        drop(rate);
        self.gate.set_window(decision.in_flight, decision.patience);
        self.keyframes.lock().unwrap_or_else(PoisonError::into_inner).set_round_trip(decision.keyframes_apart);
        self.count(|stats| {
            stats.bits_per_second = decision.video_bps;
            stats.frames_per_second = decision.frames_per_second;
            stats.queue = queue;
        });
        decision
    }

    /// A picture was given up.
    pub(crate) fn gave_up(&self, now: Instant) {
        self.gate.give_up();
        self.rate().gave_up(now);
    }

    fn decision(&self) -> Decision {
        self.rate().decision()
    }

    fn rate(&self) -> MutexGuard<'_, Rate> {
        self.rate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A receiver wants a keyframe.
    pub(crate) fn ask_keyframe(&self) {
        self.keyframes.lock().unwrap_or_else(PoisonError::into_inner).ask();
        self.count(|stats| stats.keyframes_asked += 1);
    }

    /// The next frame can't follow on the last one.
    pub(crate) fn need_keyframe(&self) {
        self.keyframes.lock().unwrap_or_else(PoisonError::into_inner).need();
    }

    pub(crate) fn stats(&self) -> VideoSent {
        let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner).clone();
        stats.gave_up = self.gate.gave_up();
        stats
    }

    fn count(&self, by: impl FnOnce(&mut VideoSent)) {
        by(&mut self.stats.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The work of the thread that encodes.
pub(crate) struct Video {
    shared: Shared,
    stop: Stop,
    track: Track,
    encoder: Option<(Kind, Encoder)>,
    cadence: Cadence,
    pace: Pace,
    shrink: Shrink,
    starved: Spell,
    failing: Spell,
}

/// What an encoder is bound to.
type Kind = (Size, Color);

impl Video {
    pub(crate) fn new(shared: Shared, stop: Stop, config: VideoConfig, track: Track) -> Self {
        Self {
            shared,
            stop,
            track,
            encoder: None,
            cadence: Cadence::new(config.frames_per_second),
            pace: Pace::default(),
            shrink: Shrink::default(),
            starved: Spell::default(),
            failing: Spell::default(),
        }
    }

    /// Encodes until stopped. To wake it for that, close the gate and clear the slot.
    pub(crate) fn run(mut self) {
        let (mut generation, mut frames) = (0, 0);
        while !self.stop.is_set() {
            // The credit first: the frame is then the newest at the moment it's encoded.
            let Some(credit) = self.shared.gate.acquire(STARVED) else {
                if !self.stop.is_set() && self.starved.begins() {
                    tracing::info!("the network takes no pictures");
                }
                continue;
            };
            self.starved.end();
            let Some(seen) = self.shared.slot.wait(generation, STARVED) else { continue };
            generation = seen.generation;
            let new = seen.frames - frames;
            frames = seen.frames;
            self.shared.count(|stats| {
                stats.captured += new;
                stats.stale += new.saturating_sub(u64::from(seen.frame.is_some()));
            });
            match seen.frame {
                Some(frame) => {
                    if self.cadence.frame(frame.time(), new) {
                        let frames_per_second = self.cadence.rate();
                        tracing::info!(frames_per_second, "the camera's frame rate is another one than before");
                    }
                    let frames_per_second = self.shared.decision().frames_per_second;
                    if self.pace.takes(frame.time(), frames_per_second, self.cadence.rate()) {
                        self.encode(&frame, credit);
                    } else {
                        self.shared.count(|stats| stats.paced += 1);
                    }
                }
                None => self.shared.need_keyframe(),
            }
        }
    }

    /// Tells the encoder what its packets may cost now.
    fn follow(&mut self, decision: &Decision) -> Result<(), codecs::Error> {
        let frames_per_second = self.frames_per_second(decision);
        let Some((_, encoder)) = &mut self.encoder else { return Ok(()) };
        let is = encoder.config();
        if (frames_per_second / is.frames_per_second - 1.0).abs() > OFF as f32 {
            encoder.set_frame_rate(frames_per_second)?;
        }
        if (f64::from(decision.video_bps) / f64::from(is.bits_per_second) - 1.0).abs() > OFF {
            encoder.set_bitrate(decision.video_bps)?;
        }
        let keyframe_max = f64::from(decision.video_bps) * KEYFRAME / 8.0;
        encoder.set_keyframe_max((keyframe_max as usize).max(KEYFRAME_LEAST));
        Ok(())
    }

    /// How often frames come to the encoder.
    fn frames_per_second(&self, decision: &Decision) -> f32 {
        self.cadence.rate().min(decision.frames_per_second).max(1.0)
    }

    /// Encodes the frame in the size that the path takes.
    fn encode(&mut self, frame: &Frame, credit: Credit) {
        let started = Instant::now();
        loop {
            let decision = self.shared.decision();
            let smaller = match self.shrink.apply(frame, decision.size) {
                Ok(smaller) => smaller,
                Err(error) => return self.finish(Err(error.into()), frame.size(), started, credit),
            };
            let frame = smaller.as_ref().unwrap_or(frame);
            let outcome = self.attempt(frame, &decision, started);
            let keyframe = outcome.as_ref().ok().and_then(Option::as_ref).filter(|(packet, _)| packet.keyframe);
            let too_long = keyframe.is_some_and(|(_, payload)| self.shared.rate().is_too_long(payload.len(), started));
            if !too_long {
                return self.finish(outcome, frame.size(), started, credit);
            }
            // Another size begins with a keyframe of its own, and nobody misses this one.
            self.encoder = None;
        }
    }

    fn finish(&mut self, outcome: Result<Option<(Packet, bytes::Bytes)>, Failure>, size: Size, started: Instant, credit: Credit) {
        let took = started.elapsed();
        match outcome {
            Ok(Some((packet, payload))) => {
                self.failing.end();
                self.shared.count(|stats| stats.sends(Some(size), took, packet.keyframe, payload.len()));
                credit.spend();
                self.track.send(packet.time, packet.keyframe, payload);
            }
            Ok(None) => {
                self.shared.rate().skipped(started);
                self.shared.count(|stats| {
                    stats.encoded += 1;
                    stats.encode_time.record(took);
                    stats.skipped += 1;
                });
            }
            Err(error) => {
                self.shared.count(|stats| stats.failed += 1);
                // What was lost may be what the next frame builds on.
                self.encoder = None;
                if self.failing.begins() {
                    tracing::warn!(%error, %size, "a frame could not be encoded");
                }
            }
        }
    }

    fn attempt(&mut self, frame: &Frame, decision: &Decision, now: Instant) -> Result<Option<(Packet, bytes::Bytes)>, Failure> {
        let kind = (frame.size(), frame.color());
        if self.encoder.as_ref().is_none_or(|(is, _)| *is != kind) {
            self.encoder = Some((kind, self.open(kind, decision)?));
        }
        self.follow(decision)?;
        let Some((_, encoder)) = &mut self.encoder else { return Ok(None) };
        if self.shared.gate.take_hole() {
            self.shared.need_keyframe();
        }
        if self.shared.keyframes.lock().unwrap_or_else(PoisonError::into_inner).due(now) {
            encoder.request_keyframe();
        }
        let Some(packet) = encoder.encode(frame)? else { return Ok(None) };
        if packet.keyframe {
            self.shared.rate().keyframe(now);
            self.shared.keyframes.lock().unwrap_or_else(PoisonError::into_inner).made(now);
        }
        let payload = payload::Video::encode(frame.color(), &packet.data)?;
        Ok(Some((packet, payload)))
    }

    fn open(&self, (size, color): Kind, decision: &Decision) -> Result<Encoder, codecs::Error> {
        let (frames_per_second, bits_per_second) = (self.frames_per_second(decision), decision.video_bps);
        Encoder::new(EncoderConfig { size, frames_per_second, bits_per_second, color })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::mpsc::{Receiver, Sender, channel},
        thread,
        time::Duration,
    };

    use codecs::MediaTime;

    use super::*;
    use crate::{Outgoing, Sink, track};

    const PATIENCE: Duration = Duration::from_secs(10);

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
        frames: u64,
    }

    impl Bench {
        fn new() -> Self {
            let (shared, stop, (to_bench, sent)) = (Shared::new(VideoConfig::default()), Stop::default(), channel());
            let track = Track::new(track::Kind::Video, Arc::new(Wire(Mutex::new(to_bench))));
            let video = Video::new(shared.clone(), stop.clone(), VideoConfig::default(), track);
            let thread = Some(thread::spawn(move || video.run()));
            Self { shared, stop, sent, thread, frames: 0 }
        }

        /// The camera gives a frame that differs from the last one.
        fn shoot(&mut self, width: u32) {
            let mut frame = Frame::new(Size::new(width, 64).unwrap(), Color::default(), MediaTime(self.frames * 33_333));
            let luma = 50 + (self.frames * 31 % 150) as u8;
            frame.planes_mut().0.fill(luma);
            self.frames += 1;
            self.shared.slot.put(frame);
        }

        fn receive(&self) -> Outgoing {
            self.sent.recv_timeout(PATIENCE).unwrap()
        }

        /// Shoots and takes delivery.
        fn deliver(&mut self) -> Outgoing {
            self.shoot(64);
            let outgoing = self.receive();
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
    fn frames_go_out_numbered_and_only_the_first_is_a_keyframe() {
        let mut bench = Bench::new();
        for seq in 0..20 {
            let outgoing = bench.deliver();
            assert_eq!((outgoing.seq, outgoing.keyframe), (seq, seq == 0));
            assert_eq!(outgoing.time, MediaTime(u64::from(seq) * 33_333));
            assert!(payload::Video::decode(outgoing.payload).is_ok());
        }
        let stats = bench.shared.stats();
        assert_eq!((stats.captured, stats.encoded, stats.sent, stats.keyframes, stats.stale), (20, 20, 20, 1, 0));
    }

    #[test]
    fn the_encoder_goes_by_the_rate_the_camera_really_has() {
        let (shared, (to_test, _sent)) = (Shared::new(VideoConfig::default()), channel());
        let track = Track::new(track::Kind::Video, Arc::new(Wire(Mutex::new(to_test))));
        let mut video = Video::new(shared.clone(), Stop::default(), VideoConfig::default(), track);
        let mut seen = Vec::new();
        for index in 0..60_u64 {
            let frame = Frame::new(Size::new(64, 64).unwrap(), Color::default(), MediaTime(index * 100_000));
            video.cadence.frame(frame.time(), 1);
            video.encode(&frame, shared.gate.acquire(PATIENCE).unwrap());
            shared.gate.release();
            seen.push(video.encoder.as_ref().unwrap().1.config().frames_per_second);
        }
        assert_eq!(seen[0], VideoConfig::default().frames_per_second);
        assert!((seen[59] - 10.0).abs() < 1.0, "{seen:?}");
        let size = Size::new(128, 64).unwrap();
        assert_eq!(video.open((size, Color::default()), &shared.decision()).unwrap().config().frames_per_second, seen[59]);
    }

    #[test]
    fn without_credit_nothing_is_encoded_and_then_only_the_newest() {
        let mut bench = Bench::new();
        for _ in 0..2 {
            bench.shoot(64);
            bench.receive();
        }
        for _ in 0..10 {
            bench.shoot(64);
        }
        assert!(bench.sent.try_recv().is_err());
        bench.shared.gate.release();
        assert_eq!(bench.receive().time, MediaTime(11 * 33_333));
        let stats = bench.shared.stats();
        assert_eq!((stats.captured, stats.stale, stats.encoded), (12, 9, 3));
    }

    #[test]
    fn a_packet_given_up_makes_the_next_one_a_keyframe() {
        let mut bench = Bench::new();
        assert!(bench.deliver().keyframe);
        bench.shoot(64);
        assert!(!bench.receive().keyframe);
        bench.shared.gate.give_up();
        assert!(bench.deliver().keyframe);
        assert!(!bench.deliver().keyframe);
        assert_eq!(bench.shared.stats().gave_up, 1);
    }

    #[test]
    fn another_size_begins_with_a_keyframe() {
        let mut bench = Bench::new();
        bench.deliver();
        bench.deliver();
        bench.shoot(128);
        assert!(bench.receive().keyframe);
        assert_eq!(bench.shared.stats().size, Some(Size::new(128, 64).unwrap()));
    }

    #[test]
    fn a_camera_switched_off_and_on_begins_with_a_keyframe() {
        let mut bench = Bench::new();
        bench.deliver();
        bench.deliver();
        bench.shared.slot.clear();
        bench.shared.need_keyframe();
        assert!(bench.deliver().keyframe);
    }

    #[test]
    fn a_path_that_gives_up_pictures_gets_smaller_and_fewer_ones() {
        let (shared, (to_test, sent)) = (Shared::new(VideoConfig::default()), channel());
        let track = Track::new(track::Kind::Video, Arc::new(Wire(Mutex::new(to_test))));
        let mut video = Video::new(shared.clone(), Stop::default(), VideoConfig::default(), track);
        let frame = Frame::new(Size::VGA, Color::default(), MediaTime(1));
        let mut shoot = || {
            video.encode(&frame, shared.gate.acquire(PATIENCE).unwrap());
            (sent.recv_timeout(PATIENCE).unwrap().keyframe, video.encoder.as_ref().unwrap().1.config())
        };
        let (_, before) = shoot();
        let now = Instant::now();
        shared.gave_up(now);
        assert_eq!(shared.decision().video_bps, before.bits_per_second, "nothing is known of the path");
        let (took, backlog) = (Duration::from_millis(10), Duration::ZERO);
        let (kind, bytes, readers) = (track::Kind::Video, 1000, 1);
        let waiting = Duration::ZERO;
        shared.uploaded(&Uploaded { kind, took, bytes, waiting, backlog, readers, delay: None, received_bps: None }, now);
        for second in 1..4 {
            shared.gave_up(now + Duration::from_secs(second));
            shared.gave_up(now + Duration::from_secs(second));
        }
        let (keyframe, after) = shoot();
        assert!(keyframe);
        assert_eq!((before.size, after.size.to_string()), (Size::VGA, "320x240".to_owned()));
        assert!(after.bits_per_second * 7 < before.bits_per_second, "{after:?}");
        assert!(after.frames_per_second < before.frames_per_second, "{after:?}");
    }

    #[test]
    fn requests_are_merged() {
        let mut bench = Bench::new();
        bench.deliver();
        for _ in 0..5 {
            bench.shared.ask_keyframe();
        }
        let deadline = Instant::now() + PATIENCE;
        let mut before = 0;
        while !bench.deliver().keyframe {
            before += 1;
            assert!(Instant::now() < deadline, "no keyframe within {before} frames");
        }
        assert!((0..10).all(|_| !bench.deliver().keyframe));
        assert_eq!(bench.shared.stats().keyframes_asked, 5);
    }
}
