//! The thread that plays: it keeps the speaker's buffer short and full, with the mixed voices of all peers.

use std::{
    collections::BTreeMap,
    sync::mpsc::Receiver,
    time::{Duration, Instant},
};

use codecs::opus::FRAME;

use crate::{
    SpeakerSpec,
    camera::unix_micros,
    chirp::Detector,
    downlink::audio::{Audio, Voice},
    mixer,
    recording::Recording,
    speaker::Speaker,
    stop::Stop,
    watch::State,
};

/// How much sound the speaker still has when the next frame is made: a frame, which is what a busy machine may be late by. So
/// 20 to 40 ms are always under way.
const BUFFERED: Duration = Duration::from_millis(20);

/// How soon the thread notices its end while the speaker takes nothing.
const WAIT: Duration = Duration::from_millis(100);

/// How many frames of a voice are searched for a chirp before it's taken for a person's: 6 s, in which a chirp microphone
/// chirps six times.
const LISTENED: u32 = 300;

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
    /// Listens for chirps, and for how many more frames if none comes.
    detector: Option<(Detector, u32)>,
}

/// Plays until stopped.
pub(crate) fn run(spec: &SpeakerSpec, state: State, changes: &Receiver<Change>, recording: &Recording, stop: &Stop) {
    let (_speaker, mut playback) = Speaker::start(spec, state);
    let mut players = BTreeMap::new();
    let mut mix = [0.0; FRAME];
    while !stop.is_set() {
        if !playback.wait_until_below(BUFFERED, WAIT) {
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
        mix.fill(0.0);
        for (peer, player) in &mut players {
            let mut frame = [0.0; FRAME];
            player.voice.pull(now, &mut frame);
            player.detect(&frame, heard_at);
            recording.audio(*peer, &frame);
            mixer::add(&mut mix, &frame);
        }
        mixer::limit(&mut mix);
        // What finds no room would be a second late: it's better dropped.
        playback.write(&mix);
    }
}

impl Player {
    fn new(peer: u16, audio: Audio) -> Self {
        Self { voice: Voice::new(peer, audio.clone()), audio, detector: Some((Detector::new(), LISTENED)) }
    }

    fn detect(&mut self, frame: &[f32; FRAME], heard_at: u64) {
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
