//! What the two say, and how their faces go with it.

use std::{f32::consts::TAU, process::Command};

use anyhow::{Context, ensure};

use crate::{Expression, Person, canvas::smooth};

/// Samples a second of everything that is written.
pub(crate) const RATE: u32 = 48_000;
/// Pictures a second of the clips.
pub(crate) const FRAMES_PER_SECOND: u32 = 30;
/// Length of the clips in seconds: whole breaths and sways fit, so that the end runs into the beginning.
pub(crate) const SECONDS: u32 = 10;

const SAMPLES_PER_FRAME: usize = (RATE / FRAMES_PER_SECOND) as usize;
const FRAMES: usize = (FRAMES_PER_SECOND * SECONDS) as usize;

const ANA: &str = "Hello Ben! How good to see you. The sun is out over here, so I am having breakfast by the window. \
                   How is your evening? And did the guitar arrive?";
const BEN: &str = "Hey Ana, there you are! It is late over here, I was about to read a little. But yes, it came today, \
                   and it sounds lovely. Shall I play you something?";

/// A clip's sound, and for each of its pictures what the face does.
pub(crate) struct Speech {
    /// Mono at [`RATE`], -1 to 1.
    pub(crate) samples: Vec<f32>,
    /// One per picture.
    pub(crate) expressions: Vec<Expression>,
}

impl Speech {
    pub(crate) fn speak(person: Person) -> anyhow::Result<Self> {
        let (voice, pitch, text) = match person {
            Person::Ana => ("en-us+f3", "58", ANA),
            Person::Ben => ("en-us+m3", "42", BEN),
        };
        let spoken = espeak(voice, pitch, text)?;
        let mut samples = vec![0.0; (RATE * SECONDS) as usize];
        // A breath before the first word, and what is left after the last.
        let start = RATE as usize / 3;
        ensure!(start + spoken.len() < samples.len() - RATE as usize / 5, "{person:?} speaks for too long");
        samples[start..start + spoken.len()].copy_from_slice(&spoken);
        let expressions = act(person, &samples);
        Ok(Self { samples, expressions })
    }
}

/// Has espeak-ng read `text` and brings it to [`RATE`] and to a level.
fn espeak(voice: &str, pitch: &str, text: &str) -> anyhow::Result<Vec<f32>> {
    let output = Command::new("espeak-ng")
        .args(["-v", voice, "-p", pitch, "-s", "172", "--stdout", text])
        .output()
        .context("espeak-ng does not run; Debian's package is called the same")?;
    ensure!(output.status.success(), "espeak-ng failed: {}", String::from_utf8_lossy(&output.stderr));
    let mut wav = hound::WavReader::new(output.stdout.as_slice()).context("espeak-ng wrote no WAV")?;
    let spec = wav.spec();
    ensure!(spec.channels == 1 && spec.bits_per_sample == 16, "espeak-ng wrote {spec:?}");
    // Its header names a length it can't know yet: what there is counts.
    let source: Vec<f32> = wav.samples::<i16>().map_while(Result::ok).map(|sample| f32::from(sample) / 32768.0).collect();
    let first = source.iter().position(|sample| sample.abs() > 0.01).unwrap_or(0);
    let last = source.iter().rposition(|sample| sample.abs() > 0.004).unwrap_or(0);
    let mut samples = resample(&source[first..=last.max(first)], spec.sample_rate);
    let peak = samples.iter().fold(1e-6, |peak: f32, sample| peak.max(sample.abs()));
    for sample in &mut samples {
        *sample *= 0.6 / peak;
    }
    Ok(samples)
}

/// Windowed-sinc interpolation, upwards only.
fn resample(source: &[f32], rate: u32) -> Vec<f32> {
    const REACH: i64 = 24;
    let step = f64::from(rate) / f64::from(RATE);
    let length = (source.len() as f64 / step) as usize;
    let tap = |at: i64| usize::try_from(at).ok().and_then(|at| source.get(at)).copied().unwrap_or(0.0);
    let sample = |index: usize| {
        let at = index as f64 * step;
        let middle = at.floor() as i64;
        let weigh = |other: i64| {
            let x = (at - other as f64) * std::f64::consts::PI;
            let sinc = if x.abs() < 1e-9 { 1.0 } else { x.sin() / x };
            let window = 0.5 + 0.5 * (x / (REACH + 1) as f64).cos();
            f64::from(tap(other)) * sinc * window
        };
        (middle - REACH + 1..=middle + REACH).map(weigh).sum::<f64>() as f32
    };
    (0..length).map(sample).collect()
}

/// Makes the face follow the sound: the mouth its loudness, the brows and the head its phrases.
fn act(person: Person, samples: &[f32]) -> Vec<Expression> {
    let loudness: Vec<f32> = (0..FRAMES).map(|frame| level(samples, frame)).collect();
    let mut ranked = loudness.clone();
    ranked.sort_by(f32::total_cmp);
    let loud = ranked[FRAMES * 92 / 100].max(1e-4);
    let open: Vec<f32> = loudness.iter().map(|level| (level / loud).powf(0.8).min(1.0)).collect();
    let around = |frame: usize, reach: usize| {
        let (from, to) = (frame.saturating_sub(reach), (frame + reach + 1).min(FRAMES));
        open[from..to].iter().sum::<f32>() / (2 * reach + 1) as f32
    };
    let (blinks, phase): (&[f32], f32) = match person {
        Person::Ana => (&[0.9, 3.4, 3.75, 6.6, 9.1], 0.0),
        Person::Ben => (&[1.6, 4.3, 7.2, 7.55, 9.5], 1.9),
    };
    let expression = |frame: usize| {
        let time = frame as f32 / FRAMES_PER_SECOND as f32;
        // Whole turns in a clip, so that it can be looped.
        let sway = |turns: f32, offset: f32| (TAU * turns * time / SECONDS as f32 + phase + offset).sin();
        let (now, phrase) = (around(frame, 0) * 0.65 + around(frame, 1) * 0.35, around(frame, 9));
        let blink = blinks.iter().map(|&at| 1.0 - smooth(0.03, 0.13, (time - at).abs())).fold(0.0, f32::max);
        // Every so often a thought is looked for beside the camera.
        let aside = smooth(4.6, 4.75, time) * (1.0 - smooth(5.5, 5.65, time));
        Expression {
            mouth: now * 0.85,
            width: (hiss(samples, frame) * 1.6 - 0.3 + 0.5 * sway(7.0, 0.4) * now).clamp(-1.0, 1.0),
            blink: 0.1 + 0.9 * blink,
            brows: (smooth(0.35, 0.75, phrase) * 0.8 + 0.2 * sway(2.0, 1.0)).clamp(0.0, 1.0),
            gaze: (0.12 * sway(3.0, 0.7) + aside * if phase > 0.0 { -0.8 } else { 0.8 }, 0.1 * sway(2.0, 0.2) - aside * 0.5),
            shift: (7.0 * sway(1.0, 0.0) + 3.0 * sway(3.0, 2.0), 3.0 * sway(2.0, 1.1) + 5.0 * phrase),
            lean: 0.03 * sway(1.0, 0.6) + 0.012 * sway(4.0, 0.0) + 0.02 * phrase * sway(5.0, 0.3),
            breath: 2.0 + 2.0 * sway(3.0, 0.0),
        }
    };
    (0..FRAMES).map(expression).collect()
}

/// The sound while a picture shows, and a little around.
fn heard(samples: &[f32], frame: usize) -> &[f32] {
    let from = (frame * SAMPLES_PER_FRAME).saturating_sub(SAMPLES_PER_FRAME / 2);
    &samples[from..(from + 2 * SAMPLES_PER_FRAME).min(samples.len())]
}

fn level(samples: &[f32], frame: usize) -> f32 {
    let window = heard(samples, frame);
    (window.iter().map(|sample| sample * sample).sum::<f32>() / window.len() as f32).sqrt()
}

/// How much of the sound is hissing, 0 to 1: the mouth is wide for an "s" and round for an "o".
fn hiss(samples: &[f32], frame: usize) -> f32 {
    let window = heard(samples, frame);
    let crossings = window.windows(2).filter(|pair| (pair[0] < 0.0) != (pair[1] < 0.0)).count();
    (crossings as f32 / window.len() as f32 * 6.0).min(1.0)
}
