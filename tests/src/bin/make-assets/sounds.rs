//! What the app lets be heard: rings and small signals, played on a synthetic marimba.

use std::{f32::consts::TAU, path::Path};

use crate::speech::RATE;

/// Writes mono 16-bit samples at [`RATE`].
pub(crate) fn save(file: &Path, samples: &[f32]) -> anyhow::Result<()> {
    let spec = hound::WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut wav = hound::WavWriter::create(file, spec)?;
    for sample in samples {
        wav.write_sample((sample.clamp(-1.0, 1.0) * 32767.0).round() as i16)?;
    }
    wav.finalize()?;
    Ok(())
}

pub(crate) fn all() -> [(&'static str, Vec<f32>); 4] {
    [("ring", ring()), ("ringback", ringback()), ("hangup", hangup()), ("message", message())]
}

/// For the one who is rung: a phrase and its echo, then a rest as long as a breath. Loops after 3 s.
fn ring() -> Vec<f32> {
    let mut sound = silence(3.0);
    // E major with a sixth: E5 B5 G#5 C#6, then E6.
    for (at, pitch, loud) in [
        (0.00, 659.26, 0.42),
        (0.16, 987.77, 0.38),
        (0.32, 830.61, 0.38),
        (0.48, 1108.73, 0.40),
        (0.72, 1318.51, 0.36),
        (1.04, 659.26, 0.26),
        (1.20, 987.77, 0.24),
        (1.36, 830.61, 0.24),
        (1.52, 1318.51, 0.22),
    ] {
        strike(&mut sound, at, pitch, loud, 0.32);
    }
    sound
}

/// For the one who rings: two soft, low tones, then a rest. Loops after 4 s.
fn ringback() -> Vec<f32> {
    let mut sound = silence(4.0);
    for (at, loud) in [(0.0, 1.0), (0.62, 0.8)] {
        hum(&mut sound, at, 0.46, &[392.0, 493.88], 0.10 * loud);
    }
    sound
}

/// Two notes down: over.
fn hangup() -> Vec<f32> {
    let mut sound = silence(0.7);
    strike(&mut sound, 0.0, 659.26, 0.34, 0.16);
    strike(&mut sound, 0.14, 440.0, 0.36, 0.22);
    sound
}

/// Two quick notes up: something to read.
fn message() -> Vec<f32> {
    let mut sound = silence(0.5);
    strike(&mut sound, 0.0, 880.0, 0.24, 0.10);
    strike(&mut sound, 0.08, 1318.51, 0.26, 0.16);
    sound
}

fn silence(seconds: f32) -> Vec<f32> {
    vec![0.0; (seconds * RATE as f32) as usize]
}

/// One bar struck: it swings at its pitch, at about four and ten times of it, the higher the sooner gone.
fn strike(sound: &mut [f32], at: f32, pitch: f32, loud: f32, decay: f32) {
    let begin = (at * RATE as f32) as usize;
    let length = sound.len();
    for (index, sample) in sound.iter_mut().enumerate().skip(begin) {
        let time = (index - begin) as f32 / RATE as f32;
        let swing =
            |times: f32, share: f32, shorter: f32| share * (TAU * pitch * times * time).sin() * (-time * shorter / decay).exp();
        let attack = (time / 0.003).min(1.0);
        // Nothing may ring on past the end: the loop would click.
        let end = ((length - index) as f32 / (0.02 * RATE as f32)).min(1.0);
        *sample += loud * attack * end * (swing(1.0, 1.0, 1.0) + swing(3.93, 0.22, 3.5) + swing(9.6, 0.06, 9.0));
    }
}

/// Steady tones that come and go softly.
fn hum(sound: &mut [f32], at: f32, seconds: f32, pitches: &[f32], loud: f32) {
    let (begin, length) = ((at * RATE as f32) as usize, (seconds * RATE as f32) as usize);
    for (index, sample) in sound.iter_mut().skip(begin).take(length).enumerate() {
        let (time, rest) = (index as f32 / RATE as f32, (length - index) as f32 / RATE as f32);
        let swell = (time / 0.05).min(rest / 0.14).min(1.0);
        let swell = swell * swell * (3.0 - 2.0 * swell);
        let tone: f32 = pitches.iter().map(|pitch| (TAU * pitch * time).sin() + 0.15 * (TAU * pitch * 2.0 * time).sin()).sum();
        *sample += loud * swell * tone;
    }
}
