//! One call: the only bridge between the media pipelines and the relay's lanes. Windows and robots use the same one.

mod hearing;
mod voices;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock, PoisonError, RwLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures::channel::mpsc::UnboundedSender;
use media::{
    CameraSpec, Incoming, MicrophoneSpec, Outgoing, Part, ScreenSpec, ScreenTrouble, Slot, SpeakerSpec, Trouble, VideoConfig,
    VoiceProcessing, camera::Turn, devices::InUse, rate::Uploaded,
};
use proto::{
    CallId, Chunk, Header, Kind, PeerId, TrackId,
    api::{Feedback, Joined, Received, Reception, SetMedia},
    limits::RECEIVED_MAX,
    model,
};
use relay_client::{
    Session,
    lanes::{GaveUp, Handler, LaneState, Lanes},
};
use tokio::runtime::Handle;

use self::hearing::Hearing;
pub use self::voices::Voices;
pub use crate::figures::{Coming, Figures, Pictures, Report};
use crate::{
    figures::{Meter, Network},
    trace::{Line, Trace},
};

/// How often it is looked at who hears.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(100);
/// How many of these looks later figures are taken and the report file is renewed: once a second.
const FIGURES_EVERY: u32 = 10;
/// Uploads remembered for when they are answered: more than the lanes ever have under way.
const UNDER_WAY_MAX: usize = 128;
/// One lost packet holds up one request, a queue all of them: more sounds than two requests carry, where each carries its own and where they
/// share them.
const SEVERAL: [usize; 2] = [3, 7];

/// What a call captures, plays and keeps.
#[derive(Debug, Clone)]
pub struct Setup {
    pub camera: CameraSpec,
    pub microphone: MicrophoneSpec,
    pub speaker: SpeakerSpec,
    /// What is shared beside the camera from the beginning.
    pub screen: ScreenSpec,
    pub video: VideoConfig,
    /// How the camera's pictures are turned.
    pub turn: Turn,
    /// What is done to the sound of a real microphone.
    pub voice: VoiceProcessing,
    /// Whether the system's default device stands in for one that was chosen and isn't there.
    pub stand_ins: bool,
    /// Folder to write what is received into.
    pub record: Option<PathBuf>,
    /// File to keep a report of the call in.
    pub report: Option<PathBuf>,
    /// File for a line of JSON about each test picture and each packet of sound received.
    pub trace: Option<PathBuf>,
}

impl Setup {
    pub fn new(camera: CameraSpec, microphone: MicrophoneSpec, speaker: SpeakerSpec) -> Self {
        let (video, turn, voice) = (VideoConfig::default(), Turn::None, VoiceProcessing::ALL);
        Self {
            camera,
            microphone,
            speaker,
            screen: ScreenSpec::None,
            video,
            turn,
            voice,
            stand_ins: false,
            record: None,
            report: None,
            trace: None,
        }
    }

    /// What there is something to send of.
    pub fn sends(&self) -> SetMedia {
        SetMedia {
            audio: self.microphone != MicrophoneSpec::None,
            video: self.camera != CameraSpec::None,
            screen: self.screen != ScreenSpec::None,
        }
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self::new(CameraSpec::Device(None), MicrophoneSpec::Device(None), SpeakerSpec::Device(None))
    }
}

/// Which device a trouble is with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Device {
    Camera,
    Microphone,
    Speaker,
}

/// How the way to the relay is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaneHealth {
    Live,
    Reconnecting { since: Instant, reason: String },
    Ended { reason: String },
}

/// What the engine tells whoever shows the call, at most a few times a second.
#[derive(Debug, Clone)]
pub enum Update {
    /// A device has a trouble, or no longer has one.
    Trouble {
        device: Device,
        trouble: Option<Trouble>,
    },
    /// What is shared is seen, or why it has ended.
    Screen(Result<(), ScreenTrouble>),
    /// A device is in use: the first one of its kind, or another one than before.
    InUse(InUse),
    /// How loud it is, whenever that changes to be seen.
    Voices(Voices),
    /// What is received can't be kept.
    NotRecorded {
        reason: String,
    },
    Lanes(LaneHealth),
    /// The first picture of a peer is there.
    PictureStarted(PeerId),
    /// The first picture of what a peer shares is there.
    ScreenStarted(PeerId),
    /// Whose machines play this one's sound just now, whenever that changes.
    HeardBy(Vec<PeerId>),
    Figures(Figures),
}

/// One call's media and lanes. Clones share it; it ends with [`Engine::stop`] or with the last clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    call: CallId,
    session: Session,
    media: media::call::Call,
    way: Arc<Way>,
    hearing: Mutex<Hearing>,
    far: Mutex<Far>,
    meter: Meter,
    trace: Trace,
    sharing: Mutex<Sharing>,
}

/// What is to be shared, and what is.
#[derive(Default)]
struct Sharing {
    wanted: ScreenSpec,
    /// Nothing before the relay has said that the others know of it: an older one has no lane for it.
    on: ScreenSpec,
}

impl Engine {
    /// Starts capturing, sending, receiving and playing. Must run inside a tokio runtime.
    pub fn start(session: &Session, joined: &Joined, setup: Setup, updates: UnboundedSender<Update>) -> Self {
        let way = Arc::new(Way::new(joined.me));
        let back = Arc::new(OnceLock::<Weak<Inner>>::new());
        let trace = Trace::open(setup.trace.as_deref());
        let report = media_reports(Arc::clone(&back), updates.clone(), trace.clone(), Handle::current());
        let meter = Meter::new(setup.report.clone());
        let config = media::call::Config {
            camera: setup.camera,
            microphone: setup.microphone,
            voice: setup.voice,
            speaker: setup.speaker,
            video: setup.video,
            turn: setup.turn,
            record: setup.record,
            stand_ins: setup.stand_ins,
        };
        let media = media::call::Call::start(config, Arc::clone(&way) as Arc<dyn media::Sink>, report);
        let call = joined.call.id.clone();
        let (hearing, far) = (Mutex::default(), Mutex::default());
        let sharing = Mutex::new(Sharing { wanted: setup.screen, on: ScreenSpec::None });
        let inner = Inner { call: call.clone(), session: session.clone(), media, way, hearing, far, meter, trace, sharing };
        let inner = Arc::new(inner);
        let _ = back.set(Arc::downgrade(&inner));
        let downlink = Downlink { inner: Arc::downgrade(&inner), updates: updates.clone() };
        inner.way.open(Lanes::open(session, call, joined.me, Arc::new(downlink)));
        inner.expect(&joined.call);
        let engine = Self(inner);
        engine.watch(updates);
        engine
    }

    /// The relay says who is in the call now: peers who left are forgotten.
    pub fn call_changed(&self, before: &model::Call, now: &model::Call) {
        for gone in before.peers.iter().filter(|old| now.peers.iter().all(|peer| peer.peer != old.peer)) {
            self.0.media.remove_peer(gone.peer.0);
        }
        self.0.expect(now);
    }

    pub fn set_muted(&self, muted: bool) {
        self.0.media.set_muted(muted);
    }

    pub fn set_camera_on(&self, on: bool) {
        self.0.media.set_camera_on(on);
    }

    /// Shares this from now on, or nothing any more, as soon as the call says that this peer does ([`SetMedia::screen`]).
    pub fn share(&self, what: ScreenSpec) {
        let mut sharing = self.0.sharing.lock().unwrap_or_else(PoisonError::into_inner);
        // What was shared ends at once, whatever the relay says.
        if sharing.on != ScreenSpec::None {
            self.0.media.share(&what);
            sharing.on = what.clone();
        }
        sharing.wanted = what;
    }

    /// From now on this device is used, or the system's default one.
    pub fn choose(&self, part: Part, id: Option<String>) {
        self.0.media.choose(part, id);
    }

    /// From now on the camera's pictures are turned so far.
    pub fn turn(&self, turn: Turn) {
        self.0.media.turn(turn);
    }

    /// What is done to the own sound from now on.
    pub fn set_voice_processing(&self, wanted: VoiceProcessing) {
        self.0.media.set_voice_processing(wanted);
    }

    /// What the own camera sees.
    pub fn preview(&self) -> Slot {
        self.0.media.preview()
    }

    /// What a peer's camera sees.
    pub fn picture(&self, peer: PeerId) -> Slot {
        self.0.media.picture(peer.0)
    }

    /// What a peer shares.
    pub fn screen_of(&self, peer: PeerId) -> Slot {
        self.0.media.screen_of(peer.0)
    }

    /// What is shared with the others.
    pub fn shared_screen(&self) -> Slot {
        self.0.media.shared_screen()
    }

    /// Everything measured so far.
    pub fn report(&self) -> Report {
        self.0.report()
    }

    /// Ends capture, lanes and playing. The other clones are of no use afterwards.
    pub fn stop(&self) {
        self.0.write_report();
        self.0.way.close();
        self.0.media.stop();
    }

    fn watch(&self, updates: UnboundedSender<Update>) {
        let weak = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            let mut every = tokio::time::interval(LOOKED_AT_EVERY);
            let mut looks = 0_u32;
            let mut voices = Voices::default();
            every.tick().await;
            loop {
                every.tick().await;
                looks = looks.wrapping_add(1);
                let Some(inner) = weak.upgrade() else { break };
                let heard_by = inner.hearing.lock().unwrap_or_else(PoisonError::into_inner).changed(Instant::now());
                let figures = looks.is_multiple_of(FIGURES_EVERY).then(|| inner.figures());
                if figures.is_some() {
                    inner.write_report();
                }
                let now = Voices::of(&inner.media);
                let changed = (now != voices).then(|| Update::Voices(now.clone()));
                voices = now;
                let news = heard_by.map(Update::HeardBy).into_iter().chain(figures.map(Update::Figures)).chain(changed);
                if news.into_iter().any(|update| updates.unbounded_send(update).is_err()) {
                    break;
                }
            }
        });
    }
}

/// What is known of the way beyond the relay.
#[derive(Debug, Clone, Copy, Default)]
struct Far {
    /// The others' to the relay and back, as they report it.
    round_trip: Option<Duration>,
    /// How long what they send waits in queues.
    queue: Option<Duration>,
}

impl Inner {
    /// Whose pictures are to come: what stands still for want of any isn't frozen. And who shares a screen, this peer included.
    fn expect(&self, call: &model::Call) {
        let (own, others): (Vec<_>, Vec<_>) = call.peers.iter().partition(|peer| peer.peer == self.way.me);
        for peer in &others {
            self.media.expect_pictures(peer.peer.0, peer.video);
            if !peer.screen {
                self.media.end_screen_of(peer.peer.0);
            }
        }
        self.way.set_watching(others.iter().any(|peer| peer.screen));
        let mut sharing = self.sharing.lock().unwrap_or_else(PoisonError::into_inner);
        let on = if own.iter().any(|peer| peer.screen) { sharing.wanted.clone() } else { ScreenSpec::None };
        if on != sharing.on {
            self.media.share(&on);
            sharing.on = on;
        }
    }

    fn figures(&self) -> Figures {
        self.trace.figures(&self.report());
        let lanes = self.way.stats();
        let far = *self.far.lock().unwrap_or_else(PoisonError::into_inner);
        let network = Network {
            round_trip: lanes.round_trip,
            far_round_trip: far.round_trip,
            queue: far.queue,
            bytes_up: lanes.bytes_up,
            bytes_down: lanes.bytes_down,
        };
        self.meter.figures(self.media.stats(), network)
    }

    fn report(&self) -> Report {
        let heard_by = self.hearing.lock().unwrap_or_else(PoisonError::into_inner).now(Instant::now());
        self.meter.report(&self.media.stats(), &self.way.stats(), &heard_by)
    }

    fn write_report(&self) {
        self.meter.write(|| self.report());
    }
}

/// The lanes as the media threads see them.
struct Way {
    me: PeerId,
    open: OnceLock<()>,
    /// None before they are open and after they are closed.
    lanes: RwLock<Option<Lanes>>,
    /// When they were handed over that aren't answered yet, and their bytes.
    under_way: Mutex<BTreeMap<(Kind, u32), (Instant, usize)>>,
    /// Sounds share requests.
    thin: AtomicBool,
}

impl Way {
    fn new(me: PeerId) -> Self {
        Self { me, open: OnceLock::new(), lanes: RwLock::new(None), under_way: Mutex::default(), thin: AtomicBool::new(false) }
    }

    fn goes(&self, kind: Kind, seq: u32, bytes: usize) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if under_way.len() >= UNDER_WAY_MAX {
            under_way.clear();
        }
        under_way.insert((kind, seq), (Instant::now(), bytes));
    }

    /// It is answered: how long that took, and its bytes.
    fn answered(&self, kind: Kind, seq: u32) -> Option<(Duration, usize)> {
        let gone = self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&(kind, seq));
        gone.map(|(when, bytes)| (when.elapsed(), bytes))
    }

    /// How long each of several sounds has been on its way; zero where fewer are.
    fn waiting(&self) -> Duration {
        let several = SEVERAL[usize::from(self.thin.load(Ordering::Relaxed))];
        let under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gone: Vec<_> =
            under_way.iter().filter(|((kind, _), _)| *kind == Kind::Audio).map(|(_, (when, _))| *when).collect();
        gone.sort_unstable();
        gone.get(several - 1).map(Instant::elapsed).unwrap_or_default()
    }

    fn open(&self, lanes: Lanes) {
        *self.lanes.write().unwrap_or_else(PoisonError::into_inner) = Some(lanes);
        let _ = self.open.set(());
    }

    fn close(&self) {
        drop(self.lanes.write().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn set_thin(&self, thin: bool) {
        self.thin.store(thin, Ordering::Relaxed);
        if let Some(lanes) = self.lanes.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            lanes.set_thin(thin);
        }
    }

    fn set_watching(&self, watching: bool) {
        if let Some(lanes) = self.lanes.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            lanes.set_watching(watching);
        }
    }

    fn stats(&self) -> relay_client::lanes::Stats {
        self.lanes.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(Lanes::stats).unwrap_or_default()
    }
}

impl media::Sink for Way {
    fn send(&self, outgoing: Outgoing) {
        // The media threads may be quicker than the lanes at the very start; nothing may be lost then, it is the keyframe.
        self.open.wait();
        let track = TrackId { peer: self.me, kind: wire_kind(outgoing.kind) };
        let header = Header { track, seq: outgoing.seq, media_time_us: outgoing.time.0, keyframe: outgoing.keyframe };
        self.goes(track.kind, outgoing.seq, outgoing.payload.len());
        if let Some(lanes) = self.lanes.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            lanes.publish(Chunk { header, payload: outgoing.payload });
        }
    }
}

/// Chunks and news coming from the relay.
struct Downlink {
    inner: Weak<Inner>,
    updates: UnboundedSender<Update>,
}

impl Handler for Downlink {
    fn chunk(&self, chunk: Chunk) {
        let Some(inner) = self.inner.upgrade() else { return };
        if chunk.header.track.kind == Kind::Audio {
            inner.trace.note(|at| Line::Audio { at, seq: chunk.header.seq, media_us: chunk.header.media_time_us });
        }
        inner.media.receive(Incoming {
            peer: chunk.header.track.peer.0,
            kind: media_kind(chunk.header.track.kind),
            seq: chunk.header.seq,
            time: codecs::MediaTime(chunk.header.media_time_us),
            keyframe: chunk.header.keyframe,
            payload: chunk.payload,
        });
    }

    fn uploaded(&self, kind: Kind, seq: u32, outcome: Result<Feedback, GaveUp>) {
        let Some(inner) = self.inner.upgrade() else { return };
        let (took, bytes) = inner.way.answered(kind, seq).unwrap_or_default();
        match outcome {
            Ok(feedback) => {
                let decision = inner.media.uploaded(&Uploaded {
                    kind: media_kind(kind),
                    took,
                    bytes,
                    waiting: inner.way.waiting(),
                    backlog: Duration::from_millis(feedback.backlog_ms.into()),
                    readers: feedback.readers,
                    delay: feedback.delay_ms.map(|delay_ms| Duration::from_millis(delay_ms.into())),
                    received_bps: feedback.received_bps,
                });
                inner.way.set_thin(decision.thin);
                if feedback.keyframe {
                    inner.media.request_keyframe(media_kind(kind));
                }
                inner.hearing.lock().unwrap_or_else(PoisonError::into_inner).told(&feedback.heard_by, Instant::now());
                if let Some(ms) = feedback.round_trip_ms {
                    inner.far.lock().unwrap_or_else(PoisonError::into_inner).round_trip = Some(Duration::from_millis(ms.into()));
                }
            }
            // It leaves a hole at the receivers; the gate sees to the keyframe that mends it.
            Err(_) => inner.media.gave_up(media_kind(kind)),
        }
    }

    fn state(&self, state: LaneState) {
        let health = match state {
            LaneState::Live => LaneHealth::Live,
            LaneState::Reconnecting { since, reason } => LaneHealth::Reconnecting { since, reason: reason.to_string() },
            LaneState::Ended { reason } => LaneHealth::Ended { reason: reason.to_string() },
            _ => return,
        };
        let _ = self.updates.unbounded_send(Update::Lanes(health));
    }

    fn in_flight(&self, kind: Kind, limit: usize) {
        if let Some(gate) = self.inner.upgrade().and_then(|inner| inner.media.gate(media_kind(kind))) {
            gate.set_limit(limit);
        }
    }

    fn reception(&self) -> Option<Reception> {
        let inner = self.inner.upgrade()?;
        let round_trip_ms = inner.way.stats().round_trip.map(millis);
        let receptions = inner.media.receptions();
        let queue = receptions.iter().filter_map(|reception| reception.delay).max();
        inner.far.lock().unwrap_or_else(PoisonError::into_inner).queue = queue;
        let received = |reception: media::reception::Reception| Received {
            peer: PeerId(reception.peer),
            delay_ms: reception.delay.map(millis),
            received_bps: reception.received_bps,
            heard_ms: millis(reception.heard),
            round_trip_ms,
        };
        let peers: Vec<_> = receptions.into_iter().map(received).take(RECEIVED_MAX).collect();
        (!peers.is_empty()).then_some(Reception { peers })
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

fn media_kind(kind: Kind) -> media::Kind {
    match kind {
        Kind::Audio => media::Kind::Audio,
        Kind::Video => media::Kind::Video,
        Kind::Screen => media::Kind::Screen,
    }
}

fn wire_kind(kind: media::Kind) -> Kind {
    match kind {
        media::Kind::Audio => Kind::Audio,
        media::Kind::Video => Kind::Video,
        media::Kind::Screen => Kind::Screen,
    }
}

/// Passes on what the media threads report.
fn media_reports(
    inner: Arc<OnceLock<Weak<Inner>>>,
    updates: UnboundedSender<Update>,
    trace: Trace,
    runtime: Handle,
) -> Box<dyn Fn(media::Report) + Send + Sync> {
    Box::new(move |report| {
        let trouble = |device, state: Result<(), Trouble>| Some(Update::Trouble { device, trouble: state.err() });
        let update = match report {
            media::Report::Camera(state) => trouble(Device::Camera, state),
            media::Report::Microphone(state) => trouble(Device::Microphone, state),
            media::Report::Speaker(state) => trouble(Device::Speaker, state),
            media::Report::Screen(state) => Some(Update::Screen(state)),
            media::Report::InUse(device) => {
                trace.device(&device);
                Some(Update::InUse(device))
            }
            media::Report::PictureStarted { peer, kind: media::Kind::Screen, .. } => Some(Update::ScreenStarted(PeerId(peer))),
            media::Report::PictureStarted { peer, .. } => Some(Update::PictureStarted(PeerId(peer))),
            media::Report::KeyframeWanted { peer, kind } => {
                if let Some(inner) = inner.get().and_then(Weak::upgrade) {
                    ask_for_keyframe(&inner, TrackId { peer: PeerId(peer), kind: wire_kind(kind) }, &runtime);
                }
                None
            }
            media::Report::Decoded { captured, at, bytes, keyframe, .. } => {
                trace.note(|_| Line::Video { captured, at, bytes, keyframe });
                None
            }
            media::Report::Shown { captured, at, offset, .. } => {
                trace.note(|_| Line::Shown { captured, at, av_offset_us: offset });
                None
            }
            media::Report::Recording { reason } => Some(Update::NotRecorded { reason }),
            _ => None,
        };
        if let Some(update) = update {
            let _ = updates.unbounded_send(update);
        }
    })
}

fn ask_for_keyframe(inner: &Inner, track: TrackId, runtime: &Handle) {
    let (session, call) = (inner.session.clone(), inner.call.clone());
    runtime.spawn(async move {
        if let Err(error) = session.want_keyframe(&call, track).await {
            tracing::debug!(%error, peer = %track.peer, "could not ask for a keyframe; the decoder asks again");
        }
    });
}
