//! The thread that plays: it keeps the speaker's buffer short and full, with the mixed voices of all peers.

mod reserve;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, mpsc::Receiver},
    time::{Duration, Instant},
};

use codecs::opus::FRAME;

use self::reserve::Reserve;

use crate::{
    SpeakerSpec,
    camera::unix_micros,
    chirp::Detector,
    devices::choice::Wish,
    downlink::audio::{Audio, Voice},
    mixer,
    recording::Recording,
    speaker::Speaker,
    stats::Played,
    stop::Stop,
    voice_processing::Tap,
};

/// Samples made at once: 10 ms, half of what a packet has, so that no more than that waits for the rest.
const PIECE: usize = FRAME / 2;

/// How soon the thread notices its end while the speaker takes nothing.
const WAIT: Duration = Duration::from_millis(100);

/// How many pieces of a voice are searched for a chirp before it's taken for a person's: 6 s, in which a chirp microphone
/// chirps six times.
const LISTENED: u32 = 600;

/// A change in who is heard.
pub(crate) enum Change {
    /// A peer's sound begins.
    Join(u16, Audio),
    /// A peer is gone.
    Leave(u16),
}

/// One peer as played.
struct Player {
    audio: Audio,
    voice: Voice,
    /// Listens for chirps, and for how many more pieces if none comes.
    detector: Option<(Detector, u32)>,
}

/// What the thread shares with the call that owns it.
#[derive(Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Played>>);

impl Shared {
    pub(crate) fn stats(&self) -> Played {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, played: Played) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = played;
    }
}

/// Who else learns what is played.
#[derive(Default)]
pub(crate) struct Listeners {
    pub(crate) recording: Recording,
    pub(crate) shared: Shared,
    /// The echo canceller, if there's one.
    pub(crate) tap: Option<Tap>,
}

/// Plays until stopped.
pub(crate) fn run(wish: &Wish<SpeakerSpec>, changes: &Receiver<Change>, mut listeners: Listeners, stop: &Stop) {
    let (_speaker, mut playback) = Speaker::begin(wish);
    let mut players = BTreeMap::new();
    let mut mix = [0.0; PIECE];
    let mut reserve = Reserve::new(Instant::now());
    while !stop.is_set() {
        if !playback.wait_until_below(reserve.keep(Instant::now(), playback.missed()), WAIT) {
            continue;
        }
        for change in changes.try_iter() {
            match change {
                Change::Join(peer, audio) => players.insert(peer, Player::new(peer, audio)),
                Change::Leave(peer) => players.remove(&peer),
            };
        }
        let now = Instant::now();
        let heard_at = unix_micros().saturating_add(playback.buffered().as_micros() as u64);
        let ahead = playback.ahead();
        mix.fill(0.0);
        for (peer, player) in &mut players {
            let mut frame = [0.0; PIECE];
            if let Some(time) = player.voice.pull(now, &mut frame) {
                player.audio.heard(now + ahead, time);
            }
            player.detect(&frame, heard_at);
            listeners.recording.audio(*peer, &frame);
            mixer::add(&mut mix, &frame);
        }
        mixer::limit(&mut mix);
        if let Some(tap) = &mut listeners.tap {
            tap.play(&mix, playback.buffered());
        }
        // What finds no room would be a second late: it's better dropped.
        playback.write(&mix);
        listeners.shared.set(Played { missed: playback.missed(), underruns: playback.underruns(), ahead });
    }
}

impl Player {
    fn new(peer: u16, audio: Audio) -> Self {
        Self { voice: Voice::new(peer, audio.clone()), audio, detector: Some((Detector::new(), LISTENED)) }
    }

    fn detect(&mut self, frame: &[f32], heard_at: u64) {
        let Some((detector, left)) = &mut self.detector else { return };
        let delays = detector.push(frame, heard_at);
        if !delays.is_empty() {
            *left = LISTENED;
        } else if frame.iter().any(|sample| sample.abs() > 1e-3) {
            *left -= 1;
        }
        for delay in delays {
            self.audio.heard_chirp(delay);
        }
        if *left == 0 {
            self.detector = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{f32::consts::TAU, sync::mpsc::channel, thread};

    use codecs::{
        MediaTime,
        opus::{Config, Encoder},
    };

    use super::*;
    use crate::{Incoming, Kind, downlink::together::Together, payload, report::Reporter, watch::State};

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A voice of one tone that's there at once, 100 ms of it.
    fn voice(peer: u16, hertz: f32) -> Audio {
        let (audio, mut encoder) =
            (Audio::new(Instant::now(), Together::new(Instant::now())), Encoder::new(Config::default()).unwrap());
        for seq in 0..5_u32 {
            let start = seq as usize * FRAME;
            let samples = std::array::from_fn(|index| 0.3 * (TAU * hertz * (start + index) as f32 / 48_000.0).sin());
            let packet = encoder.encode(&samples).unwrap();
            let payload = payload::Audio::encode(packet.dtx, &packet.data).unwrap();
            let time = MediaTime(u64::from(seq) * 20_000);
            audio.receive(Instant::now(), Incoming { peer, kind: Kind::Audio, seq, time, keyframe: true, payload });
        }
        audio
    }

    /// Waits until something has come true; looks again every few milliseconds.
    fn until(what: &str, wished: impl Fn() -> bool) {
        let (deadline, pause) = (Instant::now() + PATIENCE, Stop::default());
        while !wished() {
            assert!(Instant::now() < deadline, "{what}");
            pause.wait(Duration::from_millis(5));
        }
    }

    #[test]
    fn voices_are_played_recorded_and_measured_until_they_leave() {
        let folder = tempfile::tempdir().unwrap();
        let (recording, write) = Recording::start(folder.path(), Reporter::new(Box::new(|_| {}))).unwrap();
        let ((to_player, changes), shared, stop) = (channel(), Shared::default(), Stop::default());
        let player = thread::spawn({
            let (listeners, stop) = (Listeners { recording, shared: shared.clone(), ..Listeners::default() }, stop.clone());
            move || run(&Wish::exactly(&SpeakerSpec::Silent, Arc::new(|_| {})), &changes, listeners, &stop)
        });
        let (ana, ben) = (voice(1, 300.0), voice(2, 500.0));
        for (peer, audio) in [(1, &ana), (2, &ben)] {
            to_player.send(Change::Join(peer, audio.clone())).unwrap();
        }
        until("both are played", || [&ana, &ben].iter().all(|audio| audio.stats().played >= Duration::from_millis(40)));
        to_player.send(Change::Leave(1)).unwrap();
        // Ben's pause is counted frame by frame, so it's the clock; once Ana's has stopped, nobody plays her any more.
        let stalled = |audio: &Audio| audio.stats().stalled;
        let before = stalled(&ben);
        until("the thread goes on", || stalled(&ben) > before + Duration::from_millis(60));
        let (left, before) = (stalled(&ana), stalled(&ben));
        until("the thread goes on", || stalled(&ben) > before + Duration::from_millis(60));
        assert_eq!(stalled(&ana), left, "who left isn't asked for sound");
        stop.set();
        player.join().unwrap();
        write();
        for peer in [1, 2] {
            let mut wav = hound::WavReader::open(folder.path().join(format!("peer-{peer}.wav"))).unwrap();
            let loudest = wav.samples::<i16>().map(|sample| sample.unwrap().unsigned_abs()).max().unwrap();
            assert!(loudest > 4_000, "{peer}: {loudest}");
        }
        assert_eq!(shared.stats().underruns, 0);
    }

    #[test]
    fn without_a_speaker_the_call_is_played_to_nobody() {
        let ((to_player, changes), stop, ana) = (channel(), Stop::default(), voice(1, 300.0));
        let (told, news) = channel();
        let player = thread::spawn({
            let (stop, spec) = (stop.clone(), SpeakerSpec::Device(Some("no such speaker".into())));
            let state: State = Arc::new(move |state| drop(told.send(state)));
            move || run(&Wish::exactly(&spec, state), &changes, Listeners::default(), &stop)
        });
        assert!(news.recv_timeout(PATIENCE).unwrap().is_err());
        to_player.send(Change::Join(1, ana.clone())).unwrap();
        until("she is played all the same", || ana.stats().played >= Duration::from_millis(40));
        stop.set();
        player.join().unwrap();
    }
}
