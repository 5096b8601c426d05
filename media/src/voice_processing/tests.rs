//! A simulated room: what the speaker plays comes back late, reverberated, by a clock of its own, and mixed with a voice or with noise.

use std::{f64::consts::PI, path::Path, sync::LazyLock};

use super::*;

/// From the tap to the speaker's cone and from the microphone to the reader, in seconds, which comes on top of what the sound takes in the
/// air.
const SYSTEM: f64 = 0.04;
/// Echo under what's played, in decibels: a laptop's speaker at half its loudness.
const COUPLING_DB: f32 = 6.0;
const SECONDS: usize = 9;
const RATE: usize = SAMPLE_RATE as usize;

static ANA: LazyLock<Vec<f32>> = LazyLock::new(|| clip("ana"));
static BEN: LazyLock<Vec<f32>> = LazyLock::new(|| clip("ben"));
/// Ana's voice as the room gives it back.
static REVERBERATED: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let mut out = vec![0.0; SECONDS * RATE];
    for (delay, tap) in room() {
        out[delay..].iter_mut().zip(ANA.iter()).for_each(|(out, sample)| *out += tap * sample);
    }
    out
});

fn clip(name: &str) -> Vec<f32> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../assets/clips/{name}.wav"));
    let samples = hound::WavReader::open(path).unwrap().into_samples::<i16>();
    samples.map(|sample| f32::from(sample.unwrap()) / 32_768.0).take(SECONDS * RATE).collect()
}

/// Noise between -1 and 1, the same each time.
fn noise() -> impl Iterator<Item = f32> {
    let mut state = 88_172_645_463_325_252_u64;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    })
}

/// The impulse response of a room that falls by 60 dB in 0.3 s, as loud directly as by all its walls: delays in samples, and how loud.
fn room() -> Vec<(usize, f32)> {
    let length = 3 * RATE / 10;
    let walls = noise().enumerate().take(length).map(|(at, wall)| (at, wall * 10_f32.powf(-3.0 * at as f32 / length as f32)));
    // A third of the taps, which an ear can't tell from all of them.
    let mut taps: Vec<_> = walls.skip(1).step_by(3).collect();
    let power = |taps: &[(usize, f32)]| taps.iter().map(|(_, tap)| tap * tap).sum::<f32>();
    taps.insert(0, (0, power(&taps).sqrt()));
    let scale = 10_f32.powf(-COUPLING_DB / 20.0) / power(&taps).sqrt();
    taps.into_iter().map(|(at, tap)| (at, tap * scale)).collect()
}

/// The sound between two samples.
fn between(samples: &[f32], position: f64) -> f32 {
    const HALF: i64 = 12;
    let (whole, part) = (position.floor() as i64, position - position.floor());
    let weight = |offset: f64| {
        let sinc = if offset.abs() < 1e-9 { 1.0 } else { (PI * offset).sin() / (PI * offset) };
        sinc * (0.5 + 0.5 * (PI * offset / (HALF as f64 + 1.0)).cos())
    };
    let sample = |index: i64| usize::try_from(index).ok().and_then(|index| samples.get(index)).copied().unwrap_or(0.0);
    (1 - HALF..=HALF).map(|step| sample(whole + step) * weight(part - step as f64) as f32).sum()
}

/// The echo that the microphone hears, whose clock is slower than the speaker's by so many millionths.
fn echo(air_s: f64, drift: f64) -> Vec<f32> {
    let late = (air_s + SYSTEM) * RATE as f64;
    (0..SECONDS * RATE).map(|at| between(&REVERBERATED, at as f64 * (1.0 + drift * 1e-6) - late)).collect()
}

/// What comes out of a microphone's sound while Ana's voice is played.
fn process(wanted: VoiceProcessing, microphone: &[f32], drift: f64) -> Vec<f32> {
    let (mut tap, reference) = tap();
    let mut processor = Processor::new(Switches::new(wanted), reference);
    let (mut played, mut out) = (0, Vec::with_capacity(microphone.len()));
    for (index, frame) in microphone.chunks_exact(FRAME).enumerate() {
        // The speaker takes its frames by its own clock.
        while (played + FRAME) as f64 <= ((index + 1) * FRAME) as f64 * (1.0 + drift * 1e-6) {
            tap.play(&ANA[played..played + FRAME], Duration::from_millis(20));
            played += FRAME;
        }
        let mut frame: [f32; FRAME] = frame.try_into().unwrap();
        processor.process(&mut frame);
        out.extend_from_slice(&frame);
    }
    out
}

fn decibels(samples: &[f32]) -> f32 {
    10.0 * (samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32).max(1e-12).log10()
}

/// Loudness of every 20 ms.
fn envelope(samples: &[f32]) -> Vec<f32> {
    samples.chunks_exact(FRAME).map(|frame| 10_f32.powf(decibels(frame) / 20.0)).collect()
}

/// How alike two sequences are, from -1 to 1.
fn correlation(a: &[f32], b: &[f32]) -> f32 {
    let mean = |of: &[f32]| of.iter().sum::<f32>() / of.len() as f32;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut product, mut power_a, mut power_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().map(|a| a - mean_a).zip(b.iter().map(|b| b - mean_b)) {
        (product, power_a, power_b) = (product + a * b, power_a + a * a, power_b + b * b);
    }
    product / (power_a * power_b).sqrt()
}

const ECHO_ONLY: VoiceProcessing = VoiceProcessing { echo_cancellation: true, ..VoiceProcessing::NONE };
const NOISE_ONLY: VoiceProcessing = VoiceProcessing { noise_suppression: true, ..VoiceProcessing::NONE };
const GAIN_ONLY: VoiceProcessing = VoiceProcessing { automatic_gain: true, ..VoiceProcessing::NONE };

#[test]
fn the_echo_of_a_room_is_gone_after_three_seconds() {
    for (air_s, drift) in [(0.0, 0.0), (0.02, 100.0), (0.08, 0.0), (0.15, 0.0), (0.15, 100.0)] {
        let out = process(ECHO_ONLY, &echo(air_s, drift), drift);
        let after = 3 * RATE;
        let loss = decibels(&ANA[after..]) - decibels(&out[after..]);
        println!("{air_s} s, {drift} ppm: echo return loss {loss:.1} dB");
        assert!(loss >= 30.0, "{air_s} s, {drift} ppm: {loss}");
    }
}

#[test]
fn a_voice_is_kept_while_the_other_speaks() {
    // Ben begins once the echo is known.
    let begin = 4 * RATE;
    let ben: Vec<f32> = (0..SECONDS * RATE).map(|at| if at < begin { 0.0 } else { BEN[at] }).collect();
    let microphone: Vec<f32> = ben.iter().zip(echo(0.05, 0.0)).map(|(ben, echo)| ben + echo * 0.5).collect();
    let out = process(ECHO_ONLY, &microphone, 0.0);
    let from = begin + RATE / 2;
    let late = (ECHO_DELAY.as_secs_f64() * RATE as f64) as usize;
    let (clean, kept) = (&ben[from - late..SECONDS * RATE - late], &out[from..]);
    let (level, alike) = (decibels(kept) - decibels(clean), correlation(&envelope(clean), &envelope(kept)));
    println!("double talk: level {level:.1} dB, envelopes alike {alike:.2}");
    assert!((-5.0..1.0).contains(&level), "{level}");
    assert!(alike > 0.8, "{alike}");
}

#[test]
fn noise_is_lowered_and_the_voice_in_it_is_not() {
    let hiss: Vec<f32> = noise().take(SECONDS * RATE).map(|sample| sample * 0.01).collect();
    let out = process(NOISE_ONLY, &hiss, 0.0);
    let down = decibels(&hiss[3 * RATE..]) - decibels(&out[3 * RATE..]);
    let both: Vec<f32> = BEN.iter().zip(&hiss).map(|(ben, hiss)| ben + hiss).collect();
    let out = process(NOISE_ONLY, &both, 0.0);
    let level = decibels(&out[3 * RATE..]) - decibels(&BEN[3 * RATE..]);
    println!("noise: {down:.1} dB down, the voice in it {level:.1} dB");
    assert!(down >= 12.0, "{down}");
    assert!(level.abs() < 2.0, "{level}");
}

#[test]
fn a_quiet_voice_is_made_louder_and_a_loud_one_stays_in_range() {
    let quiet: Vec<f32> = BEN.iter().map(|sample| sample * 0.03).collect();
    let out = process(GAIN_ONLY, &quiet, 0.0);
    let louder = decibels(&out[6 * RATE..]) - decibels(&quiet[6 * RATE..]);
    println!("gain: {louder:.1} dB");
    assert!(louder > 10.0, "{louder}");
    let loud: Vec<f32> = BEN.iter().map(|sample| sample * 4.0).collect();
    assert!(process(GAIN_ONLY, &loud, 0.0).iter().all(|sample| sample.abs() <= 1.0));
}

#[test]
fn switched_off_nothing_is_touched_and_nonsense_does_no_harm() {
    let (mut tap, reference) = tap();
    let switches = Switches::new(VoiceProcessing::NONE);
    let mut processor = Processor::new(switches.clone(), reference);
    let mut frame = [0.3; FRAME];
    assert_eq!((processor.process(&mut frame), frame), (Duration::ZERO, [0.3; FRAME]));
    for wanted in [VoiceProcessing::ALL, ECHO_ONLY, NOISE_ONLY, GAIN_ONLY] {
        switches.set(wanted);
        assert_eq!(switches.get(), wanted);
        // More is played than anyone reads.
        (0..100).for_each(|_| tap.play(&[f32::INFINITY; FRAME], Duration::MAX));
        for sample in [f32::NAN, f32::INFINITY, 1e30] {
            processor.process(&mut [sample; FRAME]);
        }
        (0..50).for_each(|_| tap.play(&[0.0; FRAME], Duration::ZERO));
        let mut frame = [0.1; FRAME];
        for _ in 0..100 {
            processor.process(&mut frame);
        }
        assert!(frame.iter().all(|sample| sample.is_finite()), "{wanted:?}");
    }
    switches.set(VoiceProcessing::NONE);
    let mut frame = [0.2; FRAME];
    assert_eq!((processor.process(&mut frame), frame), (Duration::ZERO, [0.2; FRAME]));
}
