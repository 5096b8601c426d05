//! What is measured in a call, for a status line and for a report.

mod history;
mod now;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use media::stats::{Delays, Offsets, Received, Stats, VideoReceived, VideoSent};
use proto::PeerId;
use relay_client::lanes;
use serde::Serialize;

use self::history::History;
pub use self::now::{Coming, Figures, Network, Pictures};

/// Everything measured in a call so far; of several peers, the sums.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub call_s: f64,
    pub video: Video,
    pub audio: Audio,
    /// Shared screens.
    pub screen: Video,
    pub delay_ms: DelayPair,
    pub av_offset_ms: Offset,
    pub bitrate_kbps: Bitrates,
    pub http: Http,
    /// Peers whose machines play this one's sound just now.
    pub heard_by: Vec<PeerId>,
    /// What rate control has decided, second by second; of a long call the last half hour.
    pub rate: Vec<Second>,
}

/// A second of the call, its end.
#[derive(Debug, Clone, Serialize)]
pub struct Second {
    pub at_s: f64,
    /// What pictures may cost.
    pub target_kbps: f64,
    /// What they cost in this second.
    pub sent_kbps: f64,
    pub sent_fps: f64,
    pub sent_size: Option<String>,
    /// What came of the others' pictures.
    pub received_kbps: f64,
    pub shown_fps: f64,
    pub received_size: Option<String>,
    /// Waiting on the whole way of what is sent, as far as is known.
    pub queue_ms: Option<f64>,
    /// Capture to decoded of the others' test pictures of this second.
    pub delay_ms: Percentiles,
    pub av_offset_ms: Offset,
    pub concealed_ms: f64,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Video {
    pub captured: u64,
    /// Frames left out because a newer one was there by the time one could be sent.
    pub stale: u64,
    /// Frames left out because the path takes fewer.
    pub paced: u64,
    pub encoded: u64,
    pub skipped: u64,
    pub sent: u64,
    pub keyframes_sent: u64,
    pub gave_up: u64,
    pub received: u64,
    pub duplicates: u64,
    pub lost: u64,
    pub keyframes_received: u64,
    pub keyframes_wanted: u64,
    pub decoded: u64,
    pub refused: u64,
    pub shown: u64,
    pub freezes: u64,
    pub frozen_ms: f64,
    pub pauses: u64,
    pub paused_ms: f64,
    pub size: Option<String>,
    pub encode_ms: Percentiles,
    pub decode_ms: Percentiles,
    /// How long decoded pictures waited for their sound.
    pub held_ms: Percentiles,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Audio {
    pub captured: u64,
    /// Heard by the microphone and not taken in time.
    pub capture_lost_ms: f64,
    pub sent: u64,
    pub received: u64,
    pub duplicates: u64,
    pub late: u64,
    pub lost: u64,
    pub skipped: u64,
    pub played_ms: f64,
    pub recovered_ms: f64,
    pub concealed_ms: f64,
    pub stalled_ms: f64,
    pub playout_delay_ms: f64,
    /// From decoded to out of the speaker, as far as its driver tells.
    pub speaker_ms: f64,
    /// Silence played since the next sound was not decoded in time.
    pub missed_ms: f64,
    pub underruns: u64,
}

/// How much later than a picture is put up for showing its sound is heard, in milliseconds: positive where the sound is late, negative where
/// it comes first. Each picture that has sound counts; without a value there were none.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Offset {
    pub count: u64,
    pub p5: Option<f64>,
    pub p50: Option<f64>,
    pub p95: Option<f64>,
}

/// Capture to decoded for pictures, capture to played for sound: of test pictures and test sound alone.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DelayPair {
    pub video: Percentiles,
    /// Capture to put up for showing.
    pub shown: Percentiles,
    pub audio: Percentiles,
}

/// A distribution in milliseconds; without a value there were no samples.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Percentiles {
    pub count: u64,
    pub p50: Option<f64>,
    pub p95: Option<f64>,
    pub p99: Option<f64>,
    pub max: Option<f64>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Bitrates {
    pub video_up: f64,
    pub audio_up: f64,
    pub screen_up: f64,
    pub video_down: f64,
    pub audio_down: f64,
    pub screen_down: f64,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Http {
    pub polls: u64,
    pub posts: u64,
    pub bytes_up: u64,
    pub bytes_down: u64,
    pub reconnects: u64,
    pub rtt_ms: Option<f64>,
}

/// Turns growing counts into figures, and keeps the report file.
pub struct Meter {
    begun: Instant,
    file: Option<PathBuf>,
    last: Mutex<Last>,
    history: History,
}

struct Last {
    at: Instant,
    stats: Stats,
    network: Network,
}

impl Meter {
    pub fn new(file: Option<PathBuf>) -> Self {
        let now = Instant::now();
        Self {
            begun: now,
            file,
            last: Mutex::new(Last { at: now, stats: Stats::default(), network: Network::default() }),
            history: History::default(),
        }
    }

    /// The figures since the last time they were taken.
    pub fn figures(&self, stats: Stats, network: Network) -> Figures {
        self.history.note(self.begun.elapsed(), &stats);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let at = Instant::now();
        let figures = now::between((&last.stats, &last.network), (&stats, &network), at - last.at);
        *last = Last { at, stats, network };
        figures
    }

    /// Puts together what the pipelines and the lanes have counted.
    pub fn report(&self, stats: &Stats, lanes: &lanes::Stats, heard_by: &[PeerId]) -> Report {
        let call = self.begun.elapsed();
        let kbps = |bytes: u64| bytes as f64 * 8.0 / 1000.0 / call.as_secs_f64().max(0.001);
        let sum = |count: fn(&Received) -> u64| stats.received.values().map(count).sum::<u64>();
        let time = |span: fn(&Received) -> Duration| millis(stats.received.values().map(span).sum());
        let merged = |delays: fn(&Received) -> &Delays| merge(stats.received.values().map(delays));
        let (video, audio) = (&stats.sent.video, &stats.sent.audio);
        Report {
            call_s: call.as_secs_f64(),
            video: Video::of(video, stats.received.values().map(|peer| &peer.video)),
            screen: Video::of(&stats.sent.screen, stats.received.values().map(|peer| &peer.screen)),
            audio: Audio {
                captured: audio.captured,
                capture_lost_ms: millis(audio.lost),
                sent: audio.sent,
                received: sum(|peer| peer.audio.received),
                duplicates: sum(|peer| peer.audio.duplicates),
                late: sum(|peer| peer.audio.late),
                lost: sum(|peer| peer.audio.lost),
                skipped: sum(|peer| peer.audio.skipped),
                played_ms: time(|peer| peer.audio.played),
                recovered_ms: time(|peer| peer.audio.recovered),
                concealed_ms: time(|peer| peer.audio.concealed),
                stalled_ms: time(|peer| peer.audio.stalled),
                playout_delay_ms: stats.received.values().map(|peer| millis(peer.audio.playout_delay)).fold(0.0, f64::max),
                speaker_ms: millis(stats.played.ahead),
                missed_ms: millis(stats.played.missed),
                underruns: stats.played.underruns,
            },
            delay_ms: DelayPair {
                video: merged(|peer| &peer.video.delay),
                shown: merged(|peer| &peer.video.shown_delay),
                audio: merged(|peer| &peer.audio.delay),
            },
            av_offset_ms: Offset::of(stats.received.values().map(|peer| peer.video.offset.clone())),
            bitrate_kbps: Bitrates {
                video_up: kbps(video.bytes),
                audio_up: kbps(audio.bytes),
                screen_up: kbps(stats.sent.screen.bytes),
                video_down: kbps(sum(|peer| peer.video.bytes)),
                audio_down: kbps(sum(|peer| peer.audio.bytes)),
                screen_down: kbps(sum(|peer| peer.screen.bytes)),
            },
            http: Http {
                polls: lanes.polls,
                posts: lanes.posts,
                bytes_up: lanes.bytes_up,
                bytes_down: lanes.bytes_down,
                reconnects: lanes.reconnects,
                rtt_ms: lanes.round_trip.map(millis),
            },
            heard_by: heard_by.to_vec(),
            rate: self.history.seconds(),
        }
    }

    /// Renews the report file, if there is to be one. Whoever reads it never sees half a report.
    pub fn write(&self, report: impl FnOnce() -> Report) {
        if let Some(file) = &self.file
            && let Err(error) = replace(file, &report())
        {
            tracing::warn!(%error, file = %file.display(), "can't write the report");
        }
    }
}

impl Video {
    /// Of one kind of pictures: what is sent, and what all the others send.
    fn of<'a>(sent: &VideoSent, received: impl Iterator<Item = &'a VideoReceived> + Clone) -> Self {
        let sum = |count: fn(&VideoReceived) -> u64| received.clone().map(count).sum::<u64>();
        let time = |span: fn(&VideoReceived) -> Duration| millis(received.clone().map(span).sum());
        Self {
            captured: sent.captured,
            stale: sent.stale,
            paced: sent.paced,
            encoded: sent.encoded,
            skipped: sent.skipped,
            sent: sent.sent,
            keyframes_sent: sent.keyframes,
            gave_up: sent.gave_up,
            received: sum(|video| video.received),
            duplicates: sum(|video| video.duplicates),
            lost: sum(|video| video.lost),
            keyframes_received: sum(|video| video.keyframes),
            keyframes_wanted: sum(|video| video.keyframes_wanted),
            decoded: sum(|video| video.decoded),
            refused: sum(|video| video.refused),
            shown: sum(|video| video.shown),
            freezes: sum(|video| video.freezes.freezes),
            frozen_ms: time(|video| video.freezes.frozen),
            pauses: sum(|video| video.freezes.pauses),
            paused_ms: time(|video| video.freezes.paused),
            size: received.clone().find_map(|video| video.size).map(|size| size.to_string()),
            encode_ms: Percentiles::of(&sent.encode_time),
            decode_ms: merge(received.clone().map(|video| &video.decode_time)),
            held_ms: merge(received.map(|video| &video.held)),
        }
    }
}

impl Percentiles {
    fn of(delays: &Delays) -> Self {
        let at = |quantile| delays.quantile(quantile).map(millis);
        Self { count: delays.count(), p50: at(0.5), p95: at(0.95), p99: at(0.99), max: delays.max().map(millis) }
    }
}

impl Offset {
    fn of(all: impl Iterator<Item = Offsets>) -> Self {
        let mut merged = Offsets::default();
        all.for_each(|offsets| merged.add(&offsets));
        let at = |quantile| merged.quantile(quantile).map(|micros| micros as f64 / 1000.0);
        Self { count: merged.count(), p5: at(0.05), p50: at(0.5), p95: at(0.95) }
    }
}

fn merge<'a>(all: impl Iterator<Item = &'a Delays>) -> Percentiles {
    let mut merged = Delays::default();
    for delays in all {
        merged.add(delays);
    }
    Percentiles::of(&merged)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn replace(file: &Path, report: &Report) -> anyhow::Result<()> {
    let fresh = file.with_extension("fresh");
    fs::write(&fresh, serde_json::to_vec_pretty(report)?)?;
    Ok(fs::rename(&fresh, file)?)
}
