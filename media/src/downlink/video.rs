//! One peer's pictures: put in order, decoded at once on a thread of their own, the newest shown once its sound is near.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel},
    },
    time::{Duration, Instant},
};

use codecs::{Frame, MediaTime, Size, h264::Decoder};

use super::{asking::Asking, freezes::Watcher, hold::Hold, pool::Pool, together::Together};
use crate::{
    Incoming, Kind, Report, Slot, barcode,
    camera::unix_micros,
    payload,
    recording::Recording,
    reorder::{Next, Reorder},
    report::Reporter,
    spell::Spell,
    stats::VideoReceived,
};

/// Packets that may wait for the decoder: two seconds' worth. One that is that far behind can't keep up, and starts anew at the
/// next keyframe.
const QUEUE: usize = 64;

/// How long the picture may stand still while newer ones are being decoded.
const SHOW_ANYWAY: Duration = Duration::from_millis(50);

/// The shortest time between two reports of a new picture size, so that a peer who changes it with every frame floods nobody.
const SIZES_APART: Duration = Duration::from_secs(1);

/// The receiving end of a peer's video track. Dropping it ends its thread once that has decoded what it has.
pub(crate) struct Video {
    queue: SyncSender<Queued>,
    shared: Arc<Shared>,
}

/// A packet on its way to the decoder.
struct Queued {
    seq: u32,
    keyframe: bool,
    packet: Packet,
}

struct Packet {
    time: MediaTime,
    keyframe: bool,
    video: payload::Video,
}

#[derive(Default)]
struct Shared {
    stats: Mutex<VideoReceived>,
    watcher: Mutex<Watcher>,
    /// A packet had to be dropped since the queue was full.
    overrun: AtomicBool,
    malformed: AtomicBool,
}

/// Where decoded pictures go.
pub(crate) struct Outlet {
    pub(crate) peer: u16,
    pub(crate) kind: Kind,
    pub(crate) slot: Slot,
    pub(crate) reporter: Reporter,
    pub(crate) recording: Recording,
    pub(crate) together: Together,
}

impl Video {
    /// The receiving end, and the work for a thread of its own.
    pub(crate) fn new(outlet: Outlet) -> (Self, impl FnOnce() + Send + 'static) {
        let (queue, packets) = sync_channel(QUEUE);
        let shared = Arc::new(Shared::default());
        // A screen on which nothing changes isn't frozen.
        shared.watcher().expect(outlet.kind != Kind::Screen);
        let work = Work {
            shared: Arc::clone(&shared),
            outlet,
            decoder: None,
            reorder: Reorder::default(),
            asking: Asking::default(),
            pool: Pool::default(),
            size: None,
            hold: Hold::default(),
            shown: None,
            refusing: Spell::default(),
        };
        (Self { queue, shared }, move || work.run(&packets))
    }

    /// Takes a packet; never blocks.
    pub(crate) fn receive(&self, incoming: Incoming) {
        let bytes = incoming.payload.len() as u64;
        let video = match payload::Video::decode(incoming.payload) {
            Ok(video) => video,
            Err(error) => {
                self.shared.count(|stats| stats.malformed += 1);
                if !self.shared.malformed.swap(true, Ordering::Relaxed) {
                    tracing::warn!(peer = incoming.peer, %error, "a peer sends what is no picture");
                }
                return;
            }
        };
        self.shared.count(|stats| stats.bytes += bytes);
        let packet = Packet { time: incoming.time, keyframe: incoming.keyframe, video };
        match self.queue.try_send(Queued { seq: incoming.seq, keyframe: incoming.keyframe, packet }) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => self.shared.overrun.store(true, Ordering::Relaxed),
        }
    }

    /// Whether the sender says that pictures are to come; without word from it they are.
    pub(crate) fn expect(&self, pictures: bool) {
        self.shared.watcher().expect(pictures);
    }

    /// What is measured up to `now`, the picture that stands still at this moment included.
    pub(crate) fn stats(&self, now: Instant) -> VideoReceived {
        VideoReceived { freezes: self.shared.watcher().freezes_at(now), ..self.shared.stats() }
    }

    /// What has been measured in the end: the picture stands since its sender has gone.
    pub(crate) fn final_stats(&self) -> VideoReceived {
        VideoReceived { freezes: self.shared.watcher().freezes(), ..self.shared.stats() }
    }
}

impl Shared {
    fn stats(&self) -> VideoReceived {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn watcher(&self) -> MutexGuard<'_, Watcher> {
        self.watcher.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, by: impl FnOnce(&mut VideoReceived)) {
        by(&mut self.stats.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// A picture, and when it was captured in microseconds since 1970, if it says so.
type Decoded = (Arc<Frame>, Option<u64>);

/// The state of the thread.
struct Work {
    shared: Arc<Shared>,
    outlet: Outlet,
    decoder: Option<Decoder>,
    reorder: Reorder<Packet>,
    asking: Asking,
    pool: Pool,
    /// The size last reported, and when.
    size: Option<(Size, Instant)>,
    /// The pictures that aren't shown yet.
    hold: Hold<Decoded>,
    /// When one was shown.
    shown: Option<Instant>,
    refusing: Spell,
}

impl Work {
    fn run(mut self, packets: &Receiver<Queued>) {
        loop {
            let received = match packets.try_recv() {
                Err(TryRecvError::Empty) => {
                    self.show(Instant::now());
                    match self.reorder.deadline().into_iter().chain(self.hold.deadline()).min() {
                        Some(deadline) => packets.recv_timeout(deadline.saturating_duration_since(Instant::now())),
                        None => packets.recv().map_err(|_| RecvTimeoutError::Disconnected),
                    }
                }
                more => {
                    // Something newer is at hand, and worth waiting for, unless that never ends.
                    if self.shown.is_none_or(|shown| shown.elapsed() >= SHOW_ANYWAY) {
                        self.show(Instant::now());
                    }
                    more.map_err(|_| RecvTimeoutError::Disconnected)
                }
            };
            if self.shared.overrun.swap(false, Ordering::Relaxed) {
                tracing::info!(peer = self.outlet.peer, "the decoder is too slow for this peer's pictures and starts anew");
                while packets.try_recv().is_ok() {}
                self.reorder.lose_sync();
                self.want_keyframe();
                continue;
            }
            match received {
                Ok(Queued { seq, keyframe, packet }) => self.reorder.push(Instant::now(), seq, keyframe, packet),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            while let Some(next) = self.reorder.pop(Instant::now()) {
                match next {
                    Next::Packet(packet) => {
                        if let Some(decoded) = self.decode(&packet) {
                            self.hold(decoded);
                        }
                    }
                    Next::Ask => self.want_keyframe(),
                }
            }
            if self.reorder.needs_keyframe() {
                self.want_keyframe();
            }
            let counts = self.reorder.counts();
            self.shared.count(|stats| {
                stats.received = counts.received;
                stats.duplicates = counts.duplicates;
                stats.late = counts.late;
                stats.lost = counts.lost;
                stats.undecodable = counts.undecodable;
            });
        }
        // The peer is gone, and so is the picture.
        self.outlet.slot.clear();
    }

    fn decode(&mut self, packet: &Packet) -> Option<Decoded> {
        let started = Instant::now();
        let outcome = self.attempt(packet);
        let took = started.elapsed();
        match outcome {
            Ok(decoded) => {
                self.refusing.end();
                if packet.keyframe {
                    self.asking.met();
                }
                let (frame, captured) = decoded.unzip();
                let (captured, at) = (captured.flatten(), unix_micros());
                let delay = captured.and_then(|micros| at.checked_sub(micros));
                self.shared.count(|stats| {
                    stats.keyframes += u64::from(packet.keyframe);
                    stats.decoded += u64::from(frame.is_some());
                    stats.decode_time.record(took);
                    if let Some(delay) = delay {
                        stats.delay.record(Duration::from_micros(delay));
                    }
                });
                if let Some(captured) = captured.filter(|_| self.outlet.kind == Kind::Video) {
                    let (bytes, keyframe) = (packet.video.data.len(), packet.keyframe);
                    self.outlet.reporter.tell(Report::Decoded { peer: self.outlet.peer, captured, at, bytes, keyframe });
                }
                let frame = frame?;
                self.outlet.recording.video(self.outlet.peer, self.outlet.kind, &frame);
                Some((frame, captured))
            }
            Err(error) => {
                self.shared.count(|stats| stats.refused += 1);
                if self.refusing.begins() {
                    tracing::warn!(peer = self.outlet.peer, %error, "a peer's picture can't be decoded");
                }
                self.reorder.lose_sync();
                self.want_keyframe();
                None
            }
        }
    }

    /// The picture in a packet, if there's one.
    fn attempt(&mut self, packet: &Packet) -> Result<Option<Decoded>, codecs::Error> {
        let decoder = match &mut self.decoder {
            Some(decoder) => decoder,
            none => none.insert(Decoder::new()?),
        };
        let Some(picture) = decoder.decode(&packet.video.data, packet.video.color, packet.time)? else { return Ok(None) };
        let size = picture.size();
        let captured = barcode::read_luma(picture.y(), picture.strides().0, 0, 0, size.width, size.height);
        Ok(Some((self.pool.copy(&picture), captured)))
    }

    /// Has a picture wait for its sound, if it's far.
    fn hold(&mut self, decoded: Decoded) {
        let now = Instant::now();
        let together = &self.outlet.together;
        self.hold.push(now, together.late(now, decoded.0.time()), together.sound(now), decoded);
    }

    fn show(&mut self, now: Instant) {
        let Some(((frame, captured), held)) = self.hold.pop(now) else { return };
        self.shown = Some(now);
        let size = frame.size();
        let at = unix_micros();
        let delay = captured.and_then(|micros| at.checked_sub(micros));
        let offset = self.outlet.together.offset(now, frame.time());
        self.shared.watcher().shown(now);
        self.shared.count(|stats| {
            stats.shown += 1;
            stats.size = Some(size);
            stats.held.record(held);
            if let Some(delay) = delay {
                stats.shown_delay.record(Duration::from_micros(delay));
            }
            if let Some(offset) = offset {
                stats.offset.record(offset);
            }
        });
        self.outlet.slot.put(frame);
        if let Some(captured) = captured.filter(|_| self.outlet.kind == Kind::Video) {
            self.outlet.reporter.tell(Report::Shown { peer: self.outlet.peer, captured, at, offset });
        }
        let news = self.size.is_none_or(|(last, when)| last != size && now.saturating_duration_since(when) >= SIZES_APART);
        if news {
            self.size = Some((size, now));
            self.outlet.reporter.tell(Report::PictureStarted { peer: self.outlet.peer, kind: self.outlet.kind, size });
        }
    }

    fn want_keyframe(&mut self) {
        if self.asking.ask(Instant::now()) {
            self.shared.count(|stats| stats.keyframes_wanted += 1);
            self.outlet.reporter.tell(Report::KeyframeWanted { peer: self.outlet.peer, kind: self.outlet.kind });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use codecs::{
        Color,
        h264::{Encoder, EncoderConfig},
    };

    use super::*;
    use crate::camera::pattern::Pattern;

    const PATIENCE: Duration = Duration::from_secs(10);
    const SIZE: Size = Size::VGA;

    /// A track with a keyframe at each of these positions.
    fn track(count: u32, keyframes: &[u32]) -> Vec<Incoming> {
        let config = EncoderConfig { size: SIZE, frames_per_second: 30.0, bits_per_second: 3_000_000, color: Color::default() };
        let (mut encoder, pattern) = (Encoder::new(config).unwrap(), Pattern::new(SIZE));
        (0..count)
            .map(|seq| {
                let time = Duration::from_micros(u64::from(seq) * 33_333);
                let mut frame = pattern.draw(time, MediaTime::from(time));
                barcode::draw(&mut frame, unix_micros());
                if keyframes.contains(&seq) {
                    encoder.request_keyframe();
                }
                let packet = encoder.encode(&frame).unwrap().unwrap();
                Incoming {
                    peer: 5,
                    kind: Kind::Video,
                    seq,
                    time: packet.time,
                    keyframe: packet.keyframe,
                    payload: payload::Video::encode(frame.color(), &packet.data).unwrap(),
                }
            })
            .collect()
    }

    struct Screen {
        video: Option<Video>,
        slot: Slot,
        reports: Receiver<Report>,
        thread: Option<std::thread::JoinHandle<()>>,
    }

    impl Screen {
        fn new() -> Self {
            Self::after(&[])
        }

        /// A screen whose thread starts only once all these have arrived.
        fn after(arrived: &[Incoming]) -> Self {
            let (slot, (to_screen, reports)) = (Slot::new(), channel());
            let reporter = Reporter::new(Box::new(move |report| {
                if !matches!(report, Report::Decoded { .. } | Report::Shown { .. }) {
                    to_screen.send(report).unwrap();
                }
            }));
            let together = Together::new(Instant::now());
            let outlet =
                Outlet { peer: 5, kind: Kind::Video, slot: slot.clone(), reporter, recording: Recording::default(), together };
            let (video, work) = Video::new(outlet);
            for incoming in arrived {
                video.receive(incoming.clone());
            }
            Self { video: Some(video), slot, reports, thread: Some(std::thread::spawn(work)) }
        }

        fn receive(&self, incoming: &Incoming) {
            self.video.as_ref().unwrap().receive(incoming.clone());
        }

        /// Waits until the frame captured at `time` is shown.
        fn until_shown(&self, time: MediaTime) {
            let mut seen = self.slot.seen();
            while seen.frame.as_ref().is_none_or(|frame| frame.time() != time) {
                seen = self.slot.wait(seen.generation, PATIENCE).expect("the frame is never shown");
            }
        }

        fn until(&self, wanted: impl Fn(&Report) -> bool) {
            while !wanted(&self.reports.recv_timeout(PATIENCE).expect("the report never comes")) {}
        }

        fn end(&mut self) -> VideoReceived {
            let stats = self.video.as_ref().unwrap().final_stats();
            self.video = None;
            self.thread.take().unwrap().join().unwrap();
            assert!(self.slot.latest().is_none());
            stats
        }
    }

    #[test]
    fn pictures_are_decoded_shown_and_measured() {
        let (mut screen, track) = (Screen::new(), track(10, &[]));
        for incoming in &track {
            screen.receive(incoming);
            screen.until_shown(incoming.time);
        }
        assert_eq!(
            screen.reports.recv_timeout(PATIENCE).unwrap(),
            Report::PictureStarted { peer: 5, kind: Kind::Video, size: SIZE }
        );
        let stats = screen.end();
        assert_eq!((stats.received, stats.decoded, stats.shown, stats.keyframes, stats.keyframes_wanted), (10, 10, 10, 1, 0));
        assert_eq!((stats.delay.count(), stats.size), (10, Some(SIZE)));
        assert!(stats.bytes > 0 && stats.decode_time.count() == 10);
    }

    #[test]
    fn a_picture_that_stays_still_is_frozen_until_its_sender_leaves_or_says_why() {
        let (mut screen, track) = (Screen::new(), track(10, &[]));
        for incoming in &track {
            screen.receive(incoming);
            screen.until_shown(incoming.time);
        }
        let video = screen.video.as_ref().unwrap();
        let later = Instant::now() + Duration::from_secs(3);
        let (before, stands) = (video.final_stats().freezes, video.stats(later).freezes);
        assert_eq!((stands.freezes, stands.pauses), (before.freezes + 1, before.pauses));
        assert_eq!(video.stats(later + Duration::from_secs(10)).freezes.pauses, before.pauses + 1);
        video.expect(false);
        assert_eq!(video.stats(later).freezes, before);
        video.expect(true);
        assert_eq!(screen.end().freezes, before);
    }

    #[test]
    fn packets_out_of_order_and_twice_make_the_same_pictures() {
        let (mut screen, track) = (Screen::new(), track(9, &[]));
        for index in [0, 2, 1, 1, 4, 5, 3, 8, 7, 6, 6] {
            screen.receive(&track[index]);
        }
        screen.until_shown(track[8].time);
        let stats = screen.end();
        assert_eq!((stats.decoded, stats.duplicates, stats.lost, stats.refused), (9, 2, 0, 0));
    }

    #[test]
    fn a_hole_asks_for_a_keyframe_and_goes_on_with_it() {
        let (mut screen, track) = (Screen::new(), track(20, &[15]));
        for incoming in track.iter().filter(|incoming| incoming.seq != 5 && incoming.seq < 12) {
            screen.receive(incoming);
        }
        screen.until(|report| *report == Report::KeyframeWanted { peer: 5, kind: Kind::Video });
        screen.until_shown(track[4].time);
        for incoming in &track[12..] {
            screen.receive(incoming);
        }
        screen.until_shown(track[19].time);
        let stats = screen.end();
        assert_eq!((stats.decoded, stats.lost, stats.refused), (10, 1, 0));
        assert_eq!(stats.received, stats.decoded + stats.undecodable);
    }

    #[test]
    fn nonsense_asks_for_a_keyframe_and_goes_on_with_it() {
        let (mut screen, mut track) = (Screen::new(), track(12, &[8]));
        track[3].payload = bytes::Bytes::from_static(&[0, 0, 0, 0, 1, 0x65, 0xff, 0x12, 0x34]);
        track[4].payload = bytes::Bytes::from_static(&[0]);
        for incoming in &track[..4] {
            screen.receive(incoming);
        }
        screen.until(|report| *report == Report::KeyframeWanted { peer: 5, kind: Kind::Video });
        for incoming in &track[4..] {
            screen.receive(incoming);
        }
        screen.until_shown(track[11].time);
        let stats = screen.end();
        assert_eq!((stats.refused, stats.malformed, stats.decoded), (1, 1, 7));
    }

    #[test]
    fn a_flood_is_cut_off_and_ends_in_a_request() {
        let mut track = track(QUEUE as u32 + 10, &[QUEUE as u32 + 9]);
        let last = track.pop().unwrap();
        let mut screen = Screen::after(&track);
        screen.until(|report| *report == Report::KeyframeWanted { peer: 5, kind: Kind::Video });
        screen.receive(&last);
        screen.until_shown(last.time);
        assert_eq!(screen.end().decoded, 1);
    }
}
