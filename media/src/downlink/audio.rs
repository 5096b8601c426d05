//! One peer's sound: kept in the jitter buffer until its turn, then decoded, made up or stretched into frames of 20 ms.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use codecs::{
    MediaTime,
    opus::{Decoder, FRAME, SAMPLE_RATE},
};

use super::together::Together;
use crate::{
    Incoming, Level,
    drift::{self, Drift},
    jitter::{self, Jitter, Output, Pace, Packet},
    level::Meter,
    payload,
    resample::Resampler,
    spell::Spell,
    stats::{AudioReceived, Delays},
    stretch,
};

/// The receiving end of a peer's audio track.
#[derive(Clone)]
pub(crate) struct Audio {
    state: Arc<Mutex<State>>,
    together: Together,
}

struct State {
    jitter: Jitter,
    /// What the jitter buffer doesn't count itself.
    extra: Extra,
    malformed: bool,
}

#[derive(Default)]
struct Extra {
    malformed: u64,
    refused: u64,
    bytes: u64,
    shortened: u64,
    stretched: u64,
    delay: Delays,
    level: Level,
}

impl Audio {
    /// Tells `together` what is heard.
    pub(crate) fn new(now: Instant, together: Together) -> Self {
        let state = State { jitter: Jitter::new(now), extra: Extra::default(), malformed: false };
        Self { state: Arc::new(Mutex::new(state)), together }
    }

    /// Takes a packet that came at `now`.
    pub(crate) fn receive(&self, now: Instant, incoming: Incoming) {
        let bytes = incoming.payload.len() as u64;
        let decoded = payload::Audio::decode(incoming.payload);
        let mut state = self.lock();
        match decoded {
            Ok(audio) => {
                state.extra.bytes += bytes;
                let packet = Packet { time: incoming.time, silence: audio.silence, data: audio.data };
                state.jitter.push(now, incoming.seq, packet);
            }
            Err(error) => {
                state.extra.malformed += 1;
                if !std::mem::replace(&mut state.malformed, true) {
                    drop(state);
                    tracing::warn!(peer = incoming.peer, %error, "a peer sends what is no sound");
                }
            }
        }
    }

    /// A chirp was heard that set out so long ago.
    pub(crate) fn heard_chirp(&self, delay: Duration) {
        self.lock().extra.delay.record(delay);
    }

    /// How loud the peer is.
    pub(crate) fn level(&self) -> Level {
        self.lock().extra.level
    }

    /// Sound captured at `time` leaves the speaker at `at`.
    pub(crate) fn heard(&self, at: Instant, time: MediaTime) {
        self.together.heard(at, time);
    }

    pub(crate) fn stats(&self) -> AudioReceived {
        let state = self.lock();
        let (counts, extra) = (state.jitter.counts(), &state.extra);
        AudioReceived {
            received: counts.received,
            duplicates: counts.duplicates,
            late: counts.late,
            lost: counts.lost,
            skipped: counts.skipped,
            malformed: extra.malformed,
            refused: extra.refused,
            bytes: extra.bytes,
            played: frames(counts.played),
            recovered: frames(counts.recovered),
            concealed: frames(counts.concealed),
            stalled: frames(counts.stalled),
            shortened: samples(extra.shortened),
            stretched: samples(extra.stretched),
            playout_delay: state.jitter.playout_delay(),
            level: extra.level,
            target_delay: state.jitter.target_delay(),
            delay: extra.delay.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn frames(count: u64) -> Duration {
    jitter::FRAME * u32::try_from(count).unwrap_or(u32::MAX)
}

fn samples(count: u64) -> Duration {
    Duration::from_secs_f64(count as f64 / f64::from(SAMPLE_RATE))
}

/// How much later than it was captured sound is in a decoded packet: what Opus looks ahead.
const CODEC_DELAY: Duration = Duration::from_micros(6_500);

/// Samples over which sound that comes back grows to its loudness: 5 ms, in which an ear hears no delay and no click.
const FADE_IN: usize = FRAME / 4;

/// Takes a frame down to silence.
fn fade_out(frame: &mut [f32; FRAME]) {
    frame.iter_mut().zip((0..FRAME).rev()).for_each(|(sample, left)| *sample *= left as f32 / FRAME as f32);
}

/// Lets a frame begin with silence.
fn fade_in(frame: &mut [f32; FRAME]) {
    frame.iter_mut().take(FADE_IN).enumerate().for_each(|(index, sample)| *sample *= index as f32 / FADE_IN as f32);
}

/// Turns a peer's packets into sound; belongs to the thread that plays.
pub(crate) struct Voice {
    peer: u16,
    audio: Audio,
    decoder: Option<Decoder>,
    /// Whether the last frame was sound, real or made up. What comes after silence begins softly, and what goes before it ends so.
    sounding: bool,
    /// Makes up for the difference of the clocks.
    drift: Drift,
    resampler: Option<Resampler>,
    meter: Meter,
    /// Sound ready beyond the last frame given: what stretching leaves over, less than two frames.
    ready: Vec<f32>,
    /// When the end of that was captured; `None` where it's made up or silence.
    until: Option<MediaTime>,
    refusing: Spell,
}

impl Voice {
    pub(crate) fn new(peer: u16, audio: Audio) -> Self {
        Self {
            peer,
            audio,
            decoder: None,
            sounding: false,
            drift: Drift::default(),
            resampler: Resampler::near(drift::MOST),
            meter: Meter::default(),
            ready: Vec::with_capacity(3 * FRAME),
            until: None,
            refusing: Spell::default(),
        }
    }

    /// The next piece of sound, at most 20 ms, asked for at `now`; when it was captured, where somebody is to be heard in it.
    pub(crate) fn pull(&mut self, now: Instant, out: &mut [f32]) -> Option<MediaTime> {
        while self.ready.len() < out.len() {
            let spare = self.spare();
            let mut state = self.audio.lock();
            let (output, excess) = (state.jitter.pull(now, spare), state.jitter.excess());
            drop(state);
            self.lead(excess);
            self.render(output);
        }
        let time = self.until.map(|until| until - self.spare());
        out.copy_from_slice(&self.ready[..out.len()]);
        self.ready.drain(..out.len());
        self.audio.lock().extra.level = self.meter.measure(out);
        time
    }

    /// Sound decoded and not given yet.
    fn spare(&self) -> Duration {
        let waiting = self.resampler.as_ref().map_or(0, Resampler::waiting);
        samples((self.ready.len() + waiting) as u64)
    }

    /// Speeds sound up a little if it waits too long, or slows it down.
    fn lead(&mut self, excess: Option<i64>) {
        match (excess, &mut self.resampler) {
            (Some(excess), Some(resampler)) => resampler.set_ratio(self.drift.follow(jitter::FRAME, excess)),
            _ => self.drift.leap(),
        }
    }

    fn give(&mut self, sound: &[f32]) {
        match &mut self.resampler {
            Some(resampler) => resampler.push(sound, &mut self.ready),
            None => self.ready.extend_from_slice(sound),
        }
    }

    fn render(&mut self, output: Output) {
        let decoder = match &mut self.decoder {
            Some(decoder) => decoder,
            none => match Decoder::new() {
                Ok(decoder) => none.insert(decoder),
                Err(error) => {
                    self.refuse(&error);
                    self.give(&[0.0; FRAME]);
                    return;
                }
            },
        };
        let mut frame = [0.0; FRAME];
        let mut pace = Pace::Normal;
        let sounding = output != Output::Silence;
        self.until = None;
        match output {
            Output::Packet { packet, pace: wanted } => {
                pace = wanted;
                self.until = (!packet.silence).then(|| packet.time + jitter::FRAME - CODEC_DELAY);
                match decoder.decode(&packet.data, &mut frame) {
                    Ok(()) => self.refusing.end(),
                    Err(error) => {
                        decoder.conceal(&mut frame);
                        self.refuse(&error);
                    }
                }
            }
            Output::Recover { next } => decoder.recover(&next, &mut frame),
            // In a pause of the talk that's the room as the sender's encoder last described it.
            Output::Conceal | Output::Quiet => decoder.conceal(&mut frame),
            Output::Silence if self.sounding => {
                decoder.conceal(&mut frame);
                fade_out(&mut frame);
            }
            Output::Silence => {}
        }
        if sounding && !self.sounding {
            fade_in(&mut frame);
        }
        self.sounding = sounding;
        match pace {
            Pace::Normal => self.give(&frame),
            Pace::Faster => self.stretch(&frame, stretch::shorter(&frame)),
            Pace::Slower => self.stretch(&frame, stretch::longer(&frame)),
        }
    }

    fn stretch(&mut self, frame: &[f32; FRAME], stretched: Option<Vec<f32>>) {
        let Some(stretched) = stretched else {
            self.give(frame);
            return;
        };
        let by = stretched.len() as i64 - FRAME as i64;
        let mut state = self.audio.lock();
        if by < 0 {
            state.extra.shortened += by.unsigned_abs();
        } else {
            state.extra.stretched += by.unsigned_abs();
            state.jitter.stretched();
        }
        drop(state);
        self.give(&stretched);
    }

    fn refuse(&mut self, error: &codecs::Error) {
        self.audio.lock().extra.refused += 1;
        if self.refusing.begins() {
            tracing::warn!(peer = self.peer, %error, "a peer's sound can't be decoded");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use codecs::{
        MediaTime,
        opus::{Config, Encoder},
    };

    use super::*;
    use crate::Kind;

    /// A tone of 300 Hz in 20 ms packets.
    fn tone(count: u32) -> Vec<Incoming> {
        let mut encoder = Encoder::new(Config::default()).unwrap();
        (0..count)
            .map(|seq| {
                let start = seq as usize * FRAME;
                let samples = std::array::from_fn(|index| 0.3 * (TAU * 300.0 * (start + index) as f32 / 48_000.0).sin());
                let packet = encoder.encode(&samples).unwrap();
                Incoming {
                    peer: 1,
                    kind: Kind::Audio,
                    seq,
                    time: MediaTime(u64::from(seq) * 20_000),
                    keyframe: true,
                    payload: payload::Audio::encode(packet.dtx, &packet.data).unwrap(),
                }
            })
            .collect()
    }

    /// What is heard of packets that come with these delays in milliseconds, and the measurements.
    fn hear(packets: Vec<Incoming>, delay: impl Fn(u32) -> Option<u64>) -> (Vec<f32>, AudioReceived) {
        let start = Instant::now();
        let audio = Audio::new(start, Together::new(start));
        let mut voice = Voice::new(1, audio.clone());
        let mut coming: Vec<_> = packets.into_iter().filter_map(|p| Some((u64::from(p.seq) * 20 + delay(p.seq)?, p))).collect();
        coming.sort_by_key(|(at, _)| *at);
        let end = coming.last().map_or(0, |(at, _)| *at);
        let mut coming = coming.into_iter().peekable();
        let mut heard = Vec::new();
        for millis in (5..end).step_by(20) {
            while let Some((at, packet)) = coming.next_if(|(at, _)| *at <= millis) {
                audio.receive(start + Duration::from_millis(at), packet);
            }
            let mut frame = [0.0; FRAME];
            voice.pull(start + Duration::from_millis(millis), &mut frame);
            assert!(voice.ready.len() < 2 * FRAME);
            heard.extend_from_slice(&frame);
        }
        (heard, audio.stats())
    }

    /// Loudness of a frame of the tone: 0.21, which the codec keeps.
    const AUDIBLE: std::ops::Range<f32> = 0.18..0.24;

    /// Loudness of each frame.
    fn levels(heard: &[f32]) -> Vec<f32> {
        heard.chunks(FRAME).map(|frame| (frame.iter().map(|s| s * s).sum::<f32>() / FRAME as f32).sqrt()).collect()
    }

    #[test]
    fn a_tone_comes_through_whole() {
        let (heard, stats) = hear(tone(200), |_| Some(0));
        assert!(levels(&heard)[5..].iter().all(|level| AUDIBLE.contains(level)), "{:?}", levels(&heard));
        assert_eq!((stats.concealed, stats.lost, stats.refused), (Duration::ZERO, 0, 0));
        assert!(stats.playout_delay < Duration::from_millis(41));
    }

    #[test]
    fn lost_packets_leave_no_hole_to_be_heard() {
        let (heard, stats) = hear(tone(600), |n| (n % 50 != 49).then_some(u64::from(n % 5) * 8));
        // A pure tone is what Opus makes up worst; silence it never is.
        // Nor may what follows clip.
        assert!(levels(&heard)[10..].iter().all(|level| (0.005..0.5).contains(level)), "{:?}", levels(&heard));
        assert!(stats.recovered + stats.concealed >= Duration::from_millis(200), "{stats:?}");
        assert!((11..=17).contains(&stats.lost), "{stats:?}");
    }

    #[test]
    fn sound_that_breaks_off_ends_softly_and_comes_back_softly() {
        // Nothing comes for 600 ms, then everything: what's made up lasts a sixth of that.
        let (heard, stats) = hear(tone(200), |n| Some(if (60..90).contains(&n) { u64::from(90 - n) * 20 } else { 0 }));
        assert!(stats.stalled > Duration::from_millis(200), "{stats:?}");
        let audible = |sample: &f32| sample.abs() > 1e-5;
        let (mut at, mut silences) = (10 * FRAME, Vec::new());
        for part in heard[10 * FRAME..].chunk_by(|a, b| audible(a) == audible(b)) {
            if !audible(&part[0]) && part.len() >= FRAME {
                silences.push((at, at + part.len()));
            }
            at += part.len();
        }
        assert_eq!(silences.len(), 1, "{silences:?}");
        let (first, last) = silences[0];
        let loudest = |part: &[f32]| part.iter().fold(0.0_f32, |most, sample| most.max(sample.abs()));
        assert!(loudest(&heard[first - FRAME..first]) > 0.0);
        assert!(loudest(&heard[first - 20..first]) < 0.01, "{:?}", &heard[first - 20..first]);
        assert!(loudest(&heard[last..last + 10]) < 0.02, "{:?}", &heard[last..last + 10]);
        assert!(loudest(&heard[last..last + FRAME]) > 0.05);
    }

    #[test]
    fn fades_are_even_and_whole() {
        let (mut out, mut into) = ([1.0; FRAME], [1.0; FRAME]);
        fade_out(&mut out);
        fade_in(&mut into);
        assert!(out.is_sorted_by(|a, b| a > b) && out[0] > 0.99 && out[FRAME - 1] == 0.0);
        assert!(
            into[..=FADE_IN].is_sorted_by(|a, b| a < b) && into[0] == 0.0 && into[FADE_IN..].iter().all(|&sample| sample == 1.0)
        );
    }

    #[test]
    fn after_a_stall_sound_is_shortened_back_to_a_short_delay() {
        let (heard, stats) = hear(tone(500), |n| Some(if (100..110).contains(&n) { u64::from(110 - n) * 20 } else { 0 }));
        assert!(stats.shortened > Duration::from_millis(20), "{stats:?}");
        assert!(stats.playout_delay <= stats.target_delay + Duration::from_millis(20), "{stats:?}");
        assert!(levels(&heard)[150..].iter().all(|level| AUDIBLE.contains(level)), "{:?}", &levels(&heard)[150..]);
    }

    #[test]
    fn nonsense_is_counted_and_the_rest_plays_on() {
        let mut packets = tone(100);
        packets[40].payload = bytes::Bytes::from_static(&[0]);
        packets[41].payload = bytes::Bytes::from_static(&[0, 0xff, 0xff, 0xff]);
        packets[42].payload = bytes::Bytes::from_static(&[0, 0x00, 1, 2, 3]);
        let (heard, stats) = hear(packets, |_| Some(0));
        assert_eq!(stats.malformed, 1);
        assert_eq!(stats.refused, 2);
        assert!(levels(&heard)[50..].iter().all(|level| AUDIBLE.contains(level)));
    }
}
