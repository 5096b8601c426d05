//! Chirps at known times, and hearing how late they are.
//!
//! A chirp begins at every whole second of the UNIX clock: one that rises in even seconds, one that falls in odd ones. Who hears one
//! and knows the time can tell how long it took, up to two seconds, without any word from the sender, if both
//! clocks agree. The sweep of 700 to 3,100 Hz lies where speech lies, so that any codec and any loudspeaker passes it.

use std::{collections::VecDeque, f64::consts::TAU, time::Duration};

use codecs::opus::SAMPLE_RATE;

/// From chirp to chirp, in microseconds.
const PERIOD: u64 = 1_000_000;
/// Length of a chirp in seconds: three Opus frames, enough for a sharp peak in the correlation.
const LENGTH: f64 = 0.06;
/// Where a sweep begins and ends, in Hz.
const SWEEP: (f64, f64) = (700.0, 3_100.0);
/// Loudest sample.
const LEVEL: f64 = 0.5;

/// The two kinds of chirp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    /// In even seconds.
    Up,
    /// In odd seconds.
    Down,
}

impl Direction {
    fn of(start: u64) -> Self {
        if (start / PERIOD).is_multiple_of(2) { Self::Up } else { Self::Down }
    }

    /// The chirp `seconds` after its start, with its carrier turned by `turn` radians.
    fn wave(self, seconds: f64, turn: f64) -> f64 {
        if !(0.0..LENGTH).contains(&seconds) {
            return 0.0;
        }
        let (from, to) = match self {
            Self::Up => SWEEP,
            Self::Down => (SWEEP.1, SWEEP.0),
        };
        let phase = TAU * (from * seconds + (to - from) * seconds * seconds / (2.0 * LENGTH));
        // A Hann window: no clicks, and low side lobes.
        let window = (TAU / 2.0 * seconds / LENGTH).sin().powi(2);
        LEVEL * window * (phase + turn).sin()
    }
}

/// Makes the sound of a microphone that hears nothing but chirps.
#[derive(Debug, Default)]
pub struct Chirp {
    /// The one that's sounding: its kind, and how many samples ago it began.
    current: Option<(Direction, f64)>,
    /// When the last one began, in microseconds since the UNIX epoch.
    last: u64,
}

impl Chirp {
    /// Fills `out` with sound at 48 kHz, the first sample of which is heard at `unix_micros`.
    pub fn fill(&mut self, out: &mut [f32], unix_micros: u64) {
        out.fill(0.0);
        let mut from = 0;
        if self.current.is_none() {
            let next = unix_micros.div_ceil(PERIOD).saturating_mul(PERIOD);
            let samples = (next - unix_micros.min(next)) as f64 * f64::from(SAMPLE_RATE) / 1e6;
            if next <= self.last || samples >= out.len() as f64 {
                return;
            }
            from = samples.ceil() as usize;
            self.current = Some((Direction::of(next), samples.ceil() - samples));
            self.last = next;
        }
        if let Some((direction, position)) = &mut self.current {
            for sample in out.iter_mut().skip(from) {
                *sample = direction.wave(*position / f64::from(SAMPLE_RATE), 0.0) as f32;
                *position += 1.0;
            }
            if *position / f64::from(SAMPLE_RATE) >= LENGTH {
                self.current = None;
            }
        }
    }
}

/// Samples at 48 kHz that make one for the detector: 8 kHz are enough for the sweep and cost a thirty-sixth.
const DECIMATION: usize = 6;
const RATE: f64 = SAMPLE_RATE as f64 / DECIMATION as f64;
/// Samples from one look to the next: a quarter of a millisecond.
const HOP: usize = 2;
/// How like a chirp something must be, 1 being the chirp itself. Opus at 16 kbit/s leaves 0.9; speech and noise stay under 0.4.
const LIKENESS: f32 = 0.6;
/// Mean power under which nothing is looked for: -70 dB.
const QUIET: f32 = 1e-7;
/// A better match within this many looks (20 ms) replaces the last one.
const HOLD: u32 = 80;

/// Hears chirps in a sound.
#[derive(Debug)]
pub struct Detector {
    templates: Vec<(Direction, Vec<f32>, Vec<f32>)>,
    /// 48 kHz samples that don't make a group yet.
    rest: Vec<f32>,
    /// The latest samples at 8 kHz, as many as a chirp is long.
    window: VecDeque<f32>,
    /// When the first sample of the window was heard, in microseconds since the UNIX epoch.
    time: f64,
    energy: f32,
    hop: usize,
    best: Option<Match>,
}

#[derive(Clone, Copy, Debug)]
struct Match {
    likeness: f32,
    direction: Direction,
    /// When the chirp was heard.
    time: f64,
    /// Looks since.
    age: u32,
}

impl Default for Detector {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector {
    /// Hasn't heard anything yet.
    #[must_use]
    pub fn new() -> Self {
        let length = (LENGTH * RATE) as usize;
        let template = |direction: Direction, turn: f64| {
            let mut wave: Vec<f32> = (0..length).map(|index| direction.wave(index as f64 / RATE, turn) as f32).collect();
            let norm = wave.iter().map(|sample| sample * sample).sum::<f32>().sqrt();
            wave.iter_mut().for_each(|sample| *sample /= norm);
            wave
        };
        let templates = [Direction::Up, Direction::Down]
            .map(|direction| (direction, template(direction, 0.0), template(direction, TAU / 4.0)))
            .into();
        let window = VecDeque::from(vec![0.0; length]);
        Self { templates, rest: Vec::new(), window, time: 0.0, energy: 0.0, hop: 0, best: None }
    }

    /// Listens to `samples` at 48 kHz, the first of which is heard at `unix_micros`, and returns how late each chirp in them is, up to two
    /// seconds. A chirp is told of 20 ms after its end.
    #[must_use]
    pub fn push(&mut self, samples: &[f32], unix_micros: u64) -> Vec<Duration> {
        let mut heard = Vec::new();
        // The time of the group's middle, led back to the start of the window.
        let group = 1e6 / RATE;
        let lead = self.rest.len() as f64 * 1e6 / f64::from(SAMPLE_RATE);
        let mut time = unix_micros as f64 - lead + group / 2.0 - (self.window.len() - 1) as f64 * group;
        self.rest.extend_from_slice(samples);
        let whole = self.rest.len() / DECIMATION * DECIMATION;
        let rest = self.rest.split_off(whole);
        let groups = std::mem::replace(&mut self.rest, rest);
        for samples in groups.chunks_exact(DECIMATION) {
            let sample = samples.iter().sum::<f32>() / DECIMATION as f32;
            let oldest = self.window.pop_front().unwrap_or_default();
            self.window.push_back(sample);
            self.energy += sample * sample - oldest * oldest;
            self.time = time;
            time += group;
            self.hop += 1;
            if self.hop.is_multiple_of(HOP) {
                heard.extend(self.look());
            }
        }
        // The running sum gathers rounding errors.
        self.energy = self.window.iter().map(|sample| sample * sample).sum();
        heard
    }

    /// Compares the window with both kinds of chirp.
    fn look(&mut self) -> Option<Duration> {
        let count = self.window.len() as f32;
        if self.energy > QUIET * count {
            let window = self.window.make_contiguous();
            let scale = self.energy.sqrt().recip();
            for (direction, sine, cosine) in &self.templates {
                let likeness = dot(window, sine).hypot(dot(window, cosine)) * scale;
                if likeness > self.best.map_or(LIKENESS, |best| best.likeness) {
                    self.best = Some(Match { likeness, direction: *direction, time: self.time, age: 0 });
                }
            }
        }
        let best = self.best.as_mut()?;
        best.age += 1;
        if best.age < HOLD {
            return None;
        }
        let best = self.best.take()?;
        Some(delay(best.direction, best.time))
    }
}

/// The time from the latest beginning of such a chirp before `time`.
fn delay(direction: Direction, time: f64) -> Duration {
    let offset = if direction == Direction::Up { 0.0 } else { PERIOD as f64 };
    // A chirp heard a moment before its time means clocks that differ by that, not a delay of two seconds.
    let delay = (time - offset + EARLY).rem_euclid(2.0 * PERIOD as f64) - EARLY;
    Duration::from_micros(delay.max(0.0) as u64)
}

/// How much too early a chirp may seem to be, in microseconds.
const EARLY: f64 = 10_000.0;

/// Four sums side by side, which the compiler turns into vector instructions.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use codecs::opus::{Config, Decoder, Encoder, FRAME};
    use proptest::prelude::*;

    use super::*;

    const NOON: u64 = 1_790_000_000_000_000;

    /// What a microphone makes from `start` on, in frames of 20 ms whose times the thread's delays shake by `jitter` microseconds.
    fn record(start: u64, seconds: u64, jitter: u64) -> Vec<f32> {
        let mut chirp = Chirp::default();
        let mut sound = Vec::new();
        for index in 0..seconds * 50 {
            let mut block = [0.0; FRAME];
            chirp.fill(&mut block, start + index * 20_000 + (index * 7_919) % (jitter + 1));
            sound.extend(block);
        }
        sound
    }

    /// What a receiver makes of it that hears the first sample at `start`.
    fn hear(sound: &[f32], start: u64) -> Vec<f64> {
        let mut detector = Detector::new();
        let mut heard = Vec::new();
        for (index, block) in sound.chunks(FRAME).enumerate() {
            heard.extend(detector.push(block, start + index as u64 * 20_000));
        }
        heard.into_iter().map(|delay| delay.as_secs_f64() * 1e3).collect()
    }

    fn noise(seed: u64) -> impl FnMut() -> f32 {
        let mut state = seed | 1;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
        }
    }

    #[test]
    fn hears_the_delay_and_the_whole_of_it() {
        for delay in [0u64, 17, 150, 999, 1_000, 1_700] {
            let heard = hear(&record(NOON + 123_456, 6, 50), NOON + 123_456 + delay * 1_000);
            assert_eq!(heard.len(), 6, "{delay} ms");
            assert!(heard.iter().all(|heard| (heard - delay as f64).abs() < 1.0), "{delay} ms: {heard:?}");
        }
    }

    #[test]
    fn silence_noise_and_hum_are_no_chirps() {
        let mut random = noise(3);
        let hiss: Vec<f32> = (0..480_000).map(|_| random() * 0.5).collect();
        let hum: Vec<f32> = (0..480_000).map(|index| (index as f32 * 0.13).sin() * 0.5).collect();
        assert!(hear(&vec![0.0; 96_000], NOON).is_empty());
        assert!(hear(&hiss, NOON).is_empty());
        assert!(hear(&hum, NOON).is_empty());
    }

    #[test]
    fn hears_through_opus() {
        let (mut encoder, mut decoder) = (Encoder::new(Config::default()).unwrap(), Decoder::new().unwrap());
        let lookahead = encoder.lookahead().unwrap() as f64 * 1e3 / f64::from(SAMPLE_RATE);
        let mut sound = Vec::new();
        for block in record(NOON + 7, 8, 0).chunks_exact(FRAME) {
            let packet = encoder.encode(block.try_into().unwrap()).unwrap();
            let mut out = [0.0; FRAME];
            decoder.decode(&packet.data, &mut out).unwrap();
            sound.extend(out);
        }
        let heard = hear(&sound, NOON + 7 + 80_000);
        assert!(heard.len() >= 7, "{heard:?}");
        assert!(heard.iter().all(|heard| (heard - 80.0 - lookahead).abs() < 2.0), "{lookahead} {heard:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn hears_through_noise(start in 0u64..2_000_000, delay in 0u64..1_900_000, seed: u64) {
            let mut random = noise(seed);
            let sound: Vec<f32> = record(NOON + start, 4, 0).into_iter().map(|sample| sample * 0.2 + random() * 0.05).collect();
            let heard = hear(&sound, NOON + start + delay);
            prop_assert!(heard.len() >= 3, "{:?}", heard);
            for heard in heard {
                prop_assert!((heard - delay as f64 / 1e3).abs() < 2.0, "{} against {}", heard, delay);
            }
        }
    }
}
