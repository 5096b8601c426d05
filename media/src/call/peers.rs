//! The others in a call, as far as anything has come from them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError, mpsc::Sender},
    time::{Duration, Instant},
};

use crate::{
    Incoming, Kind, Level, Slot,
    downlink::{audio::Audio, together::Together, video},
    playout::Change,
    reception::{Arrivals, Reception},
    recording::Recording,
    report::Reporter,
    spell::Spell,
    stats::{AudioReceived, Received, VideoReceived},
    workers::Workers,
};

/// The most peers listened to at a time: what a call may have. Each costs a thread and a decoder.
const PEERS_MAX: usize = 16;

/// Everyone heard of.
pub(super) struct Peers {
    reporter: Reporter,
    recording: Recording,
    changes: Option<Sender<Change>>,
    workers: Arc<Mutex<Option<Workers>>>,
    here: BTreeMap<u16, Peer>,
    gone: BTreeMap<u16, Received>,
    ignored: BTreeSet<u16>,
    /// Of cameras and screens.
    pictures: BTreeMap<(u16, Kind), Slot>,
    crowded: Spell,
    start: Instant,
    /// When receptions were last asked for.
    told: Instant,
}

/// One who sends something.
struct Peer {
    /// What its sound tells its pictures.
    together: Together,
    audio: Option<Audio>,
    video: Option<video::Video>,
    screen: Option<video::Video>,
    /// By kind.
    arrivals: [Arrivals; 3],
    /// Sound of its own packets that was played until receptions were last asked for.
    heard: Duration,
}

impl Peers {
    pub(super) fn new(
        reporter: Reporter,
        recording: Recording,
        changes: Sender<Change>,
        workers: Arc<Mutex<Option<Workers>>>,
    ) -> Self {
        let now = Instant::now();
        Self {
            start: now,
            told: now,
            reporter,
            recording,
            changes: Some(changes),
            workers,
            here: BTreeMap::new(),
            gone: BTreeMap::new(),
            ignored: BTreeSet::new(),
            pictures: BTreeMap::new(),
            crowded: Spell::default(),
        }
    }

    /// Takes a packet that came at `now`. The first one of a track sets up what it takes to decode it.
    pub(super) fn receive(&mut self, now: Instant, incoming: Incoming) {
        let number = incoming.peer;
        let Some(changes) = self.changes.as_ref().filter(|_| !self.ignored.contains(&number)) else { return };
        if !self.here.contains_key(&number) && self.here.len() >= PEERS_MAX {
            if self.crowded.begins() {
                tracing::warn!(peer = number, "more peers than a call may have: this one is left out");
            }
            return;
        }
        let peer = self.here.entry(number).or_insert_with(|| Peer::new(now));
        let since = now.saturating_duration_since(self.start);
        peer.arrivals[incoming.kind as usize].arrived(since, incoming.time, incoming.payload.len(), now);
        match incoming.kind {
            Kind::Audio => {
                let audio = peer.audio.get_or_insert_with(|| {
                    let audio = Audio::new(now, peer.together.clone());
                    // Without the thread that plays there's nobody to hear it.
                    let _ = changes.send(Change::Join(number, audio.clone()));
                    audio
                });
                audio.receive(now, incoming);
            }
            kind @ (Kind::Video | Kind::Screen) => {
                let track = if kind == Kind::Video { &mut peer.video } else { &mut peer.screen };
                let video = track.get_or_insert_with(|| {
                    let outlet = video::Outlet {
                        peer: number,
                        kind,
                        slot: self.pictures.entry((number, kind)).or_default().clone(),
                        reporter: self.reporter.clone(),
                        recording: self.recording.clone(),
                        together: peer.together.clone(),
                    };
                    let (video, work) = video::Video::new(outlet);
                    if let Some(workers) = &mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner) {
                        workers.spawn("decode", work);
                    }
                    video
                });
                video.receive(incoming);
            }
        }
    }

    pub(super) fn picture(&mut self, peer: u16, kind: Kind) -> Slot {
        if self.ignored.contains(&peer) { Slot::new() } else { self.pictures.entry((peer, kind)).or_default().clone() }
    }

    /// A peer shares no screen any more: what it showed is gone, and what it shows next is another one.
    pub(super) fn end_screen(&mut self, number: u16) {
        if let Some(slot) = self.pictures.get(&(number, Kind::Screen)) {
            slot.clear();
        }
    }

    pub(super) fn remove(&mut self, number: u16) {
        self.ignored.insert(number);
        for kind in Kind::ALL {
            if let Some(slot) = self.pictures.remove(&(number, kind)) {
                slot.clear();
            }
        }
        if let Some(peer) = self.here.remove(&number) {
            self.gone.insert(number, peer.final_stats());
            if let Some(changes) = &self.changes {
                let _ = changes.send(Change::Leave(number));
            }
        }
    }

    /// How the packets of each have come since this was last asked; nothing of those from whom nothing came.
    pub(super) fn receptions(&mut self, now: Instant) -> Vec<Reception> {
        let seconds = now.saturating_duration_since(std::mem::replace(&mut self.told, now)).as_secs_f64().max(0.001);
        let each = self.here.iter_mut().map(|(number, peer)| peer.reception(*number, seconds));
        each.filter(|reception| reception.delay.is_some() || reception.heard > Duration::ZERO).collect()
    }

    /// A peer says whether pictures are to come.
    pub(super) fn expect(&mut self, number: u16, pictures: bool) {
        if let Some(video) = self.here.get(&number).and_then(|peer| peer.video.as_ref()) {
            video.expect(pictures);
        }
    }

    /// How loud each one is from whom any sound has come.
    pub(super) fn levels(&self) -> BTreeMap<u16, Level> {
        let level = |(number, peer): (&u16, &Peer)| Some((*number, peer.audio.as_ref()?.level()));
        self.here.iter().filter_map(level).collect()
    }

    /// All leave, and nobody comes any more.
    pub(super) fn end(&mut self) {
        for number in self.here.keys().copied().collect::<Vec<_>>() {
            self.remove(number);
        }
        self.changes = None;
        self.recording = Recording::default();
    }

    /// What is measured up to `now`.
    pub(super) fn stats(&self, now: Instant) -> BTreeMap<u16, Received> {
        let here = self.here.iter().map(|(number, peer)| (*number, peer.stats(now)));
        self.gone.iter().map(|(number, stats)| (*number, stats.clone())).chain(here).collect()
    }
}

impl Peer {
    fn new(now: Instant) -> Self {
        Self {
            together: Together::new(now),
            audio: None,
            video: None,
            screen: None,
            arrivals: Default::default(),
            heard: Duration::ZERO,
        }
    }

    fn reception(&mut self, peer: u16, seconds: f64) -> Reception {
        // What a screen's pictures wait says more of their sizes than of the way.
        let [(sound, _), (pictures, bytes), (_, screen)] = self.arrivals.each_mut().map(Arrivals::take);
        let played = self.audio.as_ref().map_or(Duration::ZERO, |audio| {
            let stats = audio.stats();
            stats.played + stats.recovered
        });
        let heard = played.saturating_sub(std::mem::replace(&mut self.heard, played));
        Reception { peer, delay: sound.max(pictures), received_bps: ((bytes + screen) as f64 * 8.0 / seconds) as u32, heard }
    }

    fn stats(&self, now: Instant) -> Received {
        self.received(|video| video.stats(now))
    }

    fn final_stats(&self) -> Received {
        self.received(video::Video::final_stats)
    }

    fn received(&self, video: impl Fn(&video::Video) -> VideoReceived) -> Received {
        Received {
            video: self.video.as_ref().map_or_else(VideoReceived::default, &video),
            screen: self.screen.as_ref().map_or_else(VideoReceived::default, &video),
            audio: self.audio.as_ref().map_or_else(AudioReceived::default, Audio::stats),
        }
    }
}
