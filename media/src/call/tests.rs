//! Two calls joined in one process: what one sends, the other receives at once, or not at all.

use std::{
    sync::{
        OnceLock, Weak,
        atomic::{AtomicU32, AtomicUsize, Ordering},
        mpsc::Receiver,
    },
    time::Duration,
};

use codecs::{MediaTime, Size};

use super::*;
use crate::{Outgoing, stats::Received};

const PATIENCE: Duration = Duration::from_secs(20);

/// Carries one call's packets to the other.
struct Wire {
    from: u16,
    sender: OnceLock<Weak<Call>>,
    receiver: OnceLock<Weak<Call>>,
    /// Video packets that are still to be lost, from the 20th on.
    to_lose: AtomicU32,
    sent: AtomicUsize,
}

impl Wire {
    fn new(from: u16) -> Arc<Self> {
        let (sender, receiver) = (OnceLock::new(), OnceLock::new());
        Arc::new(Self { from, sender, receiver, to_lose: AtomicU32::new(0), sent: AtomicUsize::new(0) })
    }

    fn loses(&self, outgoing: &Outgoing) -> bool {
        outgoing.kind == Kind::Video
            && outgoing.seq >= 20
            && self.to_lose.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

impl Sink for Wire {
    fn send(&self, outgoing: Outgoing) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let (Some(sender), Some(receiver)) = (self.sender.wait().upgrade(), self.receiver.wait().upgrade()) else { return };
        let lost = self.loses(&outgoing);
        let Outgoing { kind, seq, time, keyframe, payload } = outgoing;
        if !lost {
            receiver.receive(Incoming { peer: self.from, kind, seq, time, keyframe, payload });
        }
        if let Some(gate) = sender.gate(kind) {
            gate.release();
        }
    }
}

/// One end: number 1 or 2.
struct End {
    number: u16,
    call: Arc<Call>,
    reports: Receiver<Report>,
    wire: Arc<Wire>,
}

impl End {
    fn start(number: u16, record: Option<PathBuf>) -> Self {
        let (to_test, reports) = channel();
        let config = Config {
            camera: CameraSpec::Pattern { size: Size::new(320, 240).unwrap(), frames_per_second: 30.0 },
            microphone: MicrophoneSpec::Chirp,
            speaker: SpeakerSpec::Silent,
            record,
            ..Config::default()
        };
        let wire = Wire::new(number);
        let report = Box::new(move |report| drop(to_test.send(report)));
        let call = Arc::new(Call::start(config, wire.clone(), report));
        Self { number, call, reports, wire }
    }

    fn pair(record: Option<PathBuf>) -> (Self, Self) {
        let (ana, ben) = (Self::start(1, None), Self::start(2, record));
        for (from, to) in [(&ana, &ben), (&ben, &ana)] {
            from.wire.sender.set(Arc::downgrade(&from.call)).unwrap();
            from.wire.receiver.set(Arc::downgrade(&to.call)).unwrap();
        }
        (ana, ben)
    }

    fn received(&self) -> Received {
        self.call.stats().received.remove(&(3 - self.number)).unwrap_or_default()
    }

    /// Watches the other's pictures until what has been received is as wished, answering requests for keyframes.
    fn watch_until(&self, other: &Self, wished: impl Fn(&Received) -> bool) -> Received {
        let (slot, deadline) = (self.call.picture(other.number), Instant::now() + PATIENCE);
        loop {
            let received = self.received();
            if wished(&received) {
                return received;
            }
            assert!(Instant::now() < deadline, "{received:#?}");
            for report in self.reports.try_iter() {
                if let Report::KeyframeWanted { kind, .. } = report {
                    other.call.request_keyframe(kind);
                }
            }
            // The pictures are the clock.
            let _ = slot.wait(slot.generation(), Duration::from_millis(100));
        }
    }
}

#[test]
fn two_calls_see_and_hear_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let (ana, ben) = End::pair(Some(folder.path().to_owned()));
    let enough = |received: &Received| received.video.shown >= 60 && received.audio.delay.count() >= 2;
    let (at_ben, at_ana) = (ben.watch_until(&ana, enough), ana.watch_until(&ben, enough));
    for received in [&at_ana, &at_ben] {
        let video = &received.video;
        assert_eq!((video.lost, video.refused, video.malformed, video.undecodable), (0, 0, 0, 0));
        assert!(video.decoded >= video.shown && video.received >= video.decoded);
        assert_eq!(video.size, Some(Size::new(320, 240).unwrap()));
        // How long it takes is the benches' to say: this machine may be busy.
        assert!(video.delay.count() >= 60, "{video:?}");
        let audio = &received.audio;
        assert_eq!((audio.lost, audio.malformed, audio.refused), (0, 0, 0));
    }
    let started = Instant::now();
    for end in [&ana, &ben] {
        end.call.stop();
        let (sent, packets) = (end.call.stats().sent, end.wire.sent.load(Ordering::Relaxed) as u64);
        assert_eq!(sent.video.sent + sent.audio.sent, packets);
        let video = &sent.video;
        assert_eq!(video.captured, video.stale + video.encoded + video.failed);
        assert_eq!(video.encoded, video.sent + video.skipped);
        assert_eq!(sent.audio.captured, sent.audio.sent + sent.audio.silent);
        assert!(end.call.preview().latest().is_none());
    }
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    // The recording is whole once the call has ended.
    let after = ben.received();
    let mut pictures = crate::y4m::Reader::open(&folder.path().join("peer-1.y4m")).unwrap();
    let recorded = std::iter::from_fn(|| pictures.next_frame().unwrap()).count() as u64;
    assert!((at_ben.video.decoded..=after.video.decoded + 1).contains(&recorded), "{recorded}");
    assert!(hound::WavReader::open(folder.path().join("peer-1.wav")).unwrap().len() > 48_000);
}

#[test]
fn lost_pictures_are_asked_for_and_come_back() {
    let (ana, ben) = End::pair(None);
    ana.wire.to_lose.store(2, Ordering::Relaxed);
    let received = ben.watch_until(&ana, |received| received.video.lost == 2 && received.video.shown >= 40);
    assert!(received.video.keyframes_wanted >= 1 && received.video.keyframes >= 2, "{:?}", received.video);
    assert_eq!(received.video.refused, 0);
    assert!(ana.call.stats().sent.video.keyframes >= 2);
}

#[test]
fn camera_off_sends_nothing_and_on_again_begins_anew() {
    let (ana, ben) = End::pair(None);
    let before = ben.watch_until(&ana, |received| received.video.shown >= 3);
    ana.call.set_camera_on(false);
    assert!(ana.call.preview().latest().is_none());
    let off = ana.call.stats().sent.video;
    // The sound goes on meanwhile.
    let later = before.audio.played + Duration::from_millis(300);
    let last = ben.watch_until(&ana, |received| received.audio.played >= later);
    // One frame may have been with the encoder.
    assert!(ana.call.stats().sent.video.sent <= off.sent + 1);
    let last_time = ben.call.picture(1).latest().unwrap().time();
    let on = MediaTime::from(ana.call.start.elapsed());
    ana.call.set_camera_on(true);
    let received = ben.watch_until(&ana, |received| received.video.keyframes >= 2 && received.video.shown > last.video.shown);
    assert_eq!((received.video.lost, received.video.keyframes_wanted), (0, 0));
    // The camera has begun anew, the clock has not: it's the call's.
    assert!(on > last_time);
    for time in [ben.call.picture(1).latest().unwrap().time(), ana.call.preview().latest().unwrap().time()] {
        assert!((on..=MediaTime::from(ana.call.start.elapsed())).contains(&time), "{time} after {on}");
    }
}

#[test]
fn a_shared_screen_is_seen_beside_the_camera_and_ends() {
    let (ana, ben) = End::pair(None);
    ben.watch_until(&ana, |received| received.video.shown >= 3);
    assert!(ana.call.shared_screen().latest().is_none());
    ana.call.share(&"pattern:640x360@10".parse().unwrap());
    let received = ben.watch_until(&ana, |received| received.screen.shown >= 5 && received.screen.delay.count() >= 5);
    assert_eq!((received.screen.lost, received.screen.refused, received.screen.keyframes), (0, 0, 1));
    assert_eq!(ben.call.screen_of(1).latest().unwrap().size(), Size::new(640, 360).unwrap());
    assert_eq!(ben.call.picture(1).latest().unwrap().size(), Size::new(320, 240).unwrap());
    ana.call.share(&ScreenSpec::None);
    ben.call.end_screen_of(1);
    let video = received.video.shown;
    ben.watch_until(&ana, |received| received.video.shown >= video + 30);
    let sent = ana.call.stats().sent.screen.sent;
    assert!(ana.call.shared_screen().latest().is_none());
    // Another one begins anew, on the same track.
    ana.call.share(&"pattern:320x180@10".parse().unwrap());
    let again = ben.watch_until(&ana, |received| received.screen.size == Size::new(320, 180).ok());
    assert!(again.screen.keyframes >= 2 && again.screen.lost == 0 && again.screen.received > sent, "{:?}", again.screen);
    assert_eq!(again.screen.freezes, crate::stats::Freezes::default());
}

#[test]
fn one_who_left_is_not_heard_again() {
    let (ana, ben) = End::pair(None);
    ben.watch_until(&ana, |received| received.video.shown >= 3 && !received.audio.played.is_zero());
    let slot = ben.call.picture(1);
    ben.call.remove_peer(1);
    let left = ben.received();
    ana.watch_until(&ben, |received| received.video.shown >= 10);
    assert_eq!(ben.received().video.received, left.video.received);
    assert!(slot.latest().is_none() && ben.call.picture(1).latest().is_none());
}

#[test]
fn strangers_and_nonsense_do_no_harm() {
    let (ana, ben) = End::pair(None);
    // As many as there's room for beside Ana.
    for peer in 10..25_u16 {
        for (seq, kind) in [(0, Kind::Audio), (7, Kind::Video), (u32::MAX, Kind::Audio), (1 << 31, Kind::Video)] {
            for payload in [&b""[..], b"\x00", b"\xff\xff\xff\xff", b"\x00\x00\x00\x00\x01\x67\x42"] {
                let time = MediaTime(u64::MAX - u64::from(seq));
                ben.call.receive(Incoming { peer, kind, seq, time, keyframe: true, payload: payload.into() });
            }
        }
    }
    let strangers = || ben.call.stats().received.into_iter().filter(|(peer, _)| *peer >= 10).map(|(_, received)| received);
    let all_refused = || strangers().all(|stranger| stranger.video.refused > 0);
    let received = ben.watch_until(&ana, |received| received.video.shown >= 3 && all_refused());
    assert_eq!((received.video.refused, received.video.malformed, received.audio.malformed), (0, 0, 0));
    assert!(strangers().all(|stranger| stranger.video.malformed > 0 && stranger.audio.malformed > 0));
    assert_eq!(strangers().count(), 15);
}

#[test]
fn one_more_than_a_call_may_have_is_left_out() {
    let (ana, ben) = End::pair(None);
    ben.watch_until(&ana, |received| received.video.shown >= 3);
    for peer in 10..26_u16 {
        let (seq, time, payload) = (0, MediaTime::ZERO, b"\x00\x00\x00\x00\x01\x67\x42"[..].into());
        ben.call.receive(Incoming { peer, kind: Kind::Video, seq, time, keyframe: true, payload });
    }
    let here: Vec<_> = ben.call.stats().received.into_keys().collect();
    assert_eq!(here, [1].into_iter().chain(10..25).collect::<Vec<_>>());
    let before = ben.received().video.shown;
    ben.watch_until(&ana, |received| received.video.shown > before);
}

#[test]
fn a_call_without_anything_ends_at_once() {
    let (to_test, reports) = channel();
    let report = Box::new(move |report| drop(to_test.send(report)));
    let record = PathBuf::from("/dev/null/no/folder");
    let call = Call::start(Config { record: Some(record), ..Config::default() }, Wire::new(1), report);
    call.set_muted(true);
    call.set_camera_on(false);
    call.set_camera_on(true);
    let started = Instant::now();
    call.stop();
    call.stop();
    call.set_camera_on(true);
    assert!(call.preview().latest().is_none());
    drop(call);
    assert!(started.elapsed() < Duration::from_secs(10));
    assert!(reports.try_iter().any(|report| matches!(report, Report::Recording { .. })));
}
