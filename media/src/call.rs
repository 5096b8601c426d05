//! One call's media: its threads, the devices they use and the peers they hear and see.
//!
//! ```text
//! camera -> slot -> [encode] -> sink          receive -> [decode] -> slot of the peer
//! screen -> slot -> [encode screen] -> sink   receive -> [decode] -> slot of the peer's screen
//! microphone ----> [send audio] -> sink       receive -> jitter buffer -> [play] -> speaker
//! ```
//! What stands in brackets is a thread; a peer has one to decode on.

mod peers;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::channel,
    },
    time::{Duration, Instant},
};

use self::peers::Peers;
use crate::{
    CameraSpec, Gate, Incoming, Kind, Level, MicrophoneSpec, Part, Report, ScreenSpec, Sink, Slot, SpeakerSpec, Stats,
    VideoConfig,
    camera::{Camera, Turn},
    devices::choice::{Choice, Wish},
    playout::{self, Listeners},
    rate::{Decision, Uploaded},
    reception::Reception,
    recording::Recording,
    report::Reporter,
    screen::Screen,
    stats::Sent,
    stop::Stop,
    uplink::{Track, audio, screen, video},
    voice_processing::{self, Processor, Switches, VoiceProcessing},
    watch::{State, Told},
    workers::Workers,
};

/// What a call captures, plays and keeps.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Where pictures come from.
    pub camera: CameraSpec,
    /// Where sound comes from.
    pub microphone: MicrophoneSpec,
    /// What is done to the sound of a real microphone; made-up sound is left as it is.
    pub voice: VoiceProcessing,
    /// Where sound goes to.
    pub speaker: SpeakerSpec,
    /// The pictures sent, and what they may cost.
    pub video: VideoConfig,
    /// How those of a device or a file are turned.
    pub turn: Turn,
    /// The folder that what is received is recorded into, decoded.
    pub record: Option<PathBuf>,
    /// Whether the system's default device stands in for one that's named above, or [chosen](Call::choose) later, while that isn't there.
    pub stand_ins: bool,
}

/// A running call, with camera and microphone on. Dropping it ends it, as [`Call::stop`] does.
pub struct Call {
    start: Instant,
    config: Config,
    reporter: Reporter,
    video: video::Shared,
    audio: audio::Shared,
    shared: screen::Shared,
    played: playout::Shared,
    /// Whether the speaker works.
    hearing: Arc<AtomicBool>,
    voice: Switches,
    /// What is filmed with, while the camera is on.
    filmed: Wish<CameraSpec>,
    /// Camera, microphone and speaker.
    choices: [Choice; 3],
    camera: Mutex<Option<Camera>>,
    screen: Mutex<Option<Screen>>,
    peers: Mutex<Peers>,
    stop: Stop,
    /// Taken out when the call ends.
    workers: Arc<Mutex<Option<Workers>>>,
}

impl Call {
    /// Starts to capture, send and play. What is sent goes to `sink`, what there is to tell to `report`, both on threads of the call.
    ///
    /// A device in trouble is reported, and the call goes on without it.
    #[must_use]
    pub fn start(config: Config, sink: Arc<dyn Sink>, report: Box<dyn Fn(Report) + Send + Sync>) -> Self {
        let (start, stop, reporter) = (Instant::now(), Stop::default(), Reporter::new(report));
        let (video, audio) = (video::Shared::new(config.video), audio::Shared::default());
        let mut workers = Workers::default();
        let recording = record(config.record.as_deref(), &reporter, &mut workers);

        let track = Track::new(Kind::Video, Arc::clone(&sink));
        let pictures = video::Video::new(video.clone(), stop.clone(), config.video, track);
        workers.spawn("encode", move || pictures.run());

        let shared = screen::Shared::new(&video);
        let encoder = screen::Encoding::new(shared.clone(), stop.clone(), Track::new(Kind::Screen, Arc::clone(&sink)));
        workers.spawn("encode screen", move || encoder.run());

        let real = matches!(config.microphone, MicrophoneSpec::Device(_));
        let voice = Switches::new(if real { config.voice } else { VoiceProcessing::NONE });
        let (tap, reference) = voice_processing::tap();
        let processor = Processor::new(voice.clone(), reference);
        let sound = audio::Audio::new(audio.clone(), Track::new(Kind::Audio, sink));
        let microphone = Wish::new(&config.microphone, config.stand_ins, device(&reporter, Report::Microphone));
        let (wish, ended) = (microphone.clone(), stop.clone());
        workers.spawn("send audio", move || audio::run(&wish, start, processor, sound, &ended));

        let (changes, players) = channel();
        let hearing = Arc::new(AtomicBool::new(true));
        let (works, Told { state: told, used }) = (Arc::clone(&hearing), device(&reporter, Report::Speaker));
        let state: State = Arc::new(move |state| {
            works.store(state.is_ok(), Ordering::Relaxed);
            told(state);
        });
        let speaker = Wish::new(&config.speaker, config.stand_ins, Told { state, used });
        let (wish, ended) = (speaker.clone(), stop.clone());
        let played = playout::Shared::default();
        let listeners = Listeners { recording: recording.clone(), shared: played.clone(), tap: Some(tap) };
        workers.spawn("play", move || playout::run(&wish, &players, listeners, &ended));

        let workers = Arc::new(Mutex::new(Some(workers)));
        let peers = Mutex::new(Peers::new(reporter.clone(), recording, changes, Arc::clone(&workers)));
        let filmed = Wish::new(&config.camera, config.stand_ins, device(&reporter, Report::Camera));
        filmed.choice.turned().set(config.turn);
        let choices = [filmed.choice.clone(), microphone.choice, speaker.choice];
        let call = Self {
            filmed,
            choices,
            start,
            config,
            reporter,
            video,
            audio,
            shared,
            played,
            hearing,
            voice,
            camera: Mutex::default(),
            screen: Mutex::default(),
            peers,
            stop,
            workers,
        };
        call.set_camera_on(true);
        call
    }

    /// The credit for the camera's or the screen's packets in flight, to be given back by whoever carries them; sound needs none.
    #[must_use]
    pub fn gate(&self, kind: Kind) -> Option<Gate> {
        match kind {
            Kind::Audio => None,
            Kind::Video => Some(self.video.gate.clone()),
            Kind::Screen => Some(self.shared.gate.clone()),
        }
    }

    /// A packet has arrived at the relay: what that tells of the path decides on what is sent next, and how. Of pictures its credit is free
    /// again.
    pub fn uploaded(&self, uploaded: &Uploaded) -> Decision {
        let decision = self.video.uploaded(uploaded, Instant::now());
        self.audio.set_bitrate(decision.audio_bps);
        match uploaded.kind {
            Kind::Audio => {}
            Kind::Video => self.video.gate.release(),
            Kind::Screen => self.shared.uploaded(&decision),
        }
        decision
    }

    /// A packet of pictures was given up by whoever carries it.
    pub fn gave_up(&self, kind: Kind) {
        match kind {
            Kind::Audio => {}
            Kind::Video => self.video.gave_up(Instant::now()),
            Kind::Screen => self.shared.gave_up(Instant::now()),
        }
    }

    /// How the others' packets have come since this was last asked, of all from whom there is anything to tell.
    #[must_use]
    pub fn receptions(&self) -> Vec<Reception> {
        let heard = self.hearing.load(Ordering::Relaxed);
        let mut receptions = self.peers().receptions(Instant::now());
        if !heard {
            receptions.iter_mut().for_each(|reception| reception.heard = Duration::ZERO);
        }
        receptions
    }

    /// Takes a packet of another peer; never blocks. A peer who was removed is no longer listened to.
    pub fn receive(&self, incoming: Incoming) {
        if !self.stop.is_set() {
            self.peers().receive(Instant::now(), incoming);
        }
    }

    /// Another peer can't decode this one's pictures without a keyframe.
    pub fn request_keyframe(&self, kind: Kind) {
        match kind {
            Kind::Audio => {}
            Kind::Video => self.video.ask_keyframe(),
            Kind::Screen => self.shared.ask_keyframe(),
        }
    }

    /// Muted, nothing that the microphone hears leaves this machine.
    pub fn set_muted(&self, muted: bool) {
        self.audio.set_muted(muted);
    }

    /// Says what is done to the own sound from now on.
    pub fn set_voice_processing(&self, wanted: VoiceProcessing) {
        self.voice.set(wanted);
    }

    /// What is done to the own sound.
    #[must_use]
    pub fn voice_processing(&self) -> VoiceProcessing {
        self.voice.get()
    }

    /// Switches the camera on or off: off, the device is given back, and its light goes out, as soon as the driver lets it. Switched on
    /// again before that, the new pictures wait for it.
    pub fn set_camera_on(&self, on: bool) {
        let mut camera = lock(&self.camera);
        let mut started = Ok(());
        if !on || self.stop.is_set() {
            *camera = None;
            self.video.slot.clear();
        } else if camera.is_none() {
            self.video.need_keyframe();
            let (video, slot) = (self.config.video, self.video.slot.clone());
            let (new, spawned) = Camera::begin_since(self.start, &self.filmed, video, slot);
            (*camera, started) = (Some(new), spawned);
        }
        drop(camera);
        if started.is_err() {
            self.reporter.tell(Report::Camera(started));
        }
    }

    /// Shares a screen or a window from now on, in place of what was shared before, or with [`ScreenSpec::None`] nothing any more.
    /// [`Report::Screen`] says how that goes; what is in trouble doesn't come back by itself.
    pub fn share(&self, what: &ScreenSpec) {
        let mut screen = lock(&self.screen);
        *screen = None;
        self.shared.slot.clear();
        let on = *what != ScreenSpec::None && !self.stop.is_set();
        self.shared.set_sharing(on);
        if on {
            let reporter = self.reporter.clone();
            *screen = Some(Screen::start(self.start, what, self.shared.slot.clone(), move |state| {
                reporter.tell(Report::Screen(state));
            }));
        }
    }

    /// What the own screen shows the others; empty while nothing is shared.
    #[must_use]
    pub fn shared_screen(&self) -> Slot {
        self.shared.slot.clone()
    }

    /// From now on this device is used, by its id or name, or the system's default one; where sound or pictures are made up nothing changes.
    /// [`Report::InUse`] says what came of it.
    pub fn choose(&self, part: Part, id: Option<String>) {
        let [camera, microphone, speaker] = &self.choices;
        let choice = match part {
            Part::Camera => camera,
            Part::Microphone => microphone,
            Part::Speaker => speaker,
        };
        choice.choose(id);
    }

    /// From now on the camera's pictures are turned so far.
    pub fn turn(&self, turn: Turn) {
        self.filmed.choice.turned().set(turn);
    }

    /// How loud the own microphone is, muted or not, and each peer from whom sound has come. Costs far less than [`Call::stats`].
    #[must_use]
    pub fn levels(&self) -> (Level, BTreeMap<u16, Level>) {
        (self.audio.level(), self.peers().levels())
    }

    /// What the own camera sees.
    #[must_use]
    pub fn preview(&self) -> Slot {
        self.video.slot.clone()
    }

    /// What a peer's camera sees. It may be asked for before anything has come.
    #[must_use]
    pub fn picture(&self, peer: u16) -> Slot {
        self.peers().picture(peer, Kind::Video)
    }

    /// What a peer shares. It may be asked for before anything has come.
    #[must_use]
    pub fn screen_of(&self, peer: u16) -> Slot {
        self.peers().picture(peer, Kind::Screen)
    }

    /// A peer says that it shares nothing any more.
    pub fn end_screen_of(&self, peer: u16) {
        self.peers().end_screen(peer);
    }

    /// A peer says whether pictures are to come. While none are, what stands still is no freeze. Without word from a peer they are.
    pub fn expect_pictures(&self, peer: u16, pictures: bool) {
        self.peers().expect(peer, pictures);
    }

    /// A peer has left and won't come back under this number.
    pub fn remove_peer(&self, peer: u16) {
        self.peers().remove(peer);
    }

    /// What has been measured so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let sent = Sent { video: self.video.stats(), audio: self.audio.stats(), screen: self.shared.stats() };
        Stats { sent, received: self.peers().stats(Instant::now()), played: self.played.stats() }
    }

    /// Ends the call: nothing is sent or played any more and recordings are whole when it returns. Devices are given back as soon as
    /// their drivers let them, most often by then; a call that's started before that waits for them. What has been measured can
    /// still be read.
    pub fn stop(&self) {
        self.stop.set();
        self.set_camera_on(false);
        self.share(&ScreenSpec::None);
        self.video.gate.close();
        self.shared.gate.close();
        self.peers().end();
        let workers = lock(&self.workers).take();
        if let Some(workers) = workers {
            workers.join();
        }
    }

    fn peers(&self) -> MutexGuard<'_, Peers> {
        lock(&self.peers)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.stop();
    }
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("config", &self.config).field("stopped", &self.stop.is_set()).finish_non_exhaustive()
    }
}

/// Passes what a device tells on as reports.
fn device(reporter: &Reporter, report: fn(Result<(), crate::Trouble>) -> Report) -> Told {
    let (state, used) = (reporter.clone(), reporter.clone());
    Told {
        state: Arc::new(move |news| state.tell(report(news))),
        used: Some(Arc::new(move |device| used.tell(Report::InUse(device)))),
    }
}

/// Begins to record, if that's wanted and can be.
fn record(folder: Option<&std::path::Path>, reporter: &Reporter, workers: &mut Workers) -> Recording {
    let Some(folder) = folder else { return Recording::default() };
    match Recording::start(folder, reporter.clone()) {
        Ok((recording, work)) => {
            workers.spawn("record", work);
            recording
        }
        Err(error) => {
            tracing::error!(%error, "what is received can't be recorded");
            reporter.tell(Report::Recording { reason: error.to_string() });
            Recording::default()
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
