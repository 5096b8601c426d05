//! Makes a frame of sound a little shorter or longer without changing its pitch: one period of the voice is faded out of it or
//! into it, where the wave repeats itself (the overlap-add of WSOLA, cut down to one seam a frame).

use codecs::opus::{FRAME, SAMPLE_RATE};

/// The shortest and longest period looked for, in samples: 400 to 100 Hz, so that two of the longest fill a frame. A deeper voice
/// repeats itself at a multiple just as well.
const PERIOD_MIN: usize = SAMPLE_RATE as usize / 400;
const PERIOD_MAX: usize = FRAME / 2;

/// Every how many samples are compared: voices carry their pitch below 3 kHz.
const STRIDE: usize = 8;

/// How alike two periods must be, from -1 to 1, for the seam to go unheard. NetEQ asks for 0.9 in a window of its own choosing.
const ALIKE: f32 = 0.8;

/// Mean square under which a frame counts as silent (-60 dB of full scale): there any seam goes unheard.
const SILENT: f32 = 1e-6;

/// The frame with one period less; `None` if it doesn't repeat itself well enough.
pub(crate) fn shorter(frame: &[f32; FRAME]) -> Option<Vec<f32>> {
    let period = period(frame)?;
    let (first, second) = (&frame[..period], &frame[period..2 * period]);
    let mut out = Vec::with_capacity(FRAME - period);
    fade(&mut out, first, second);
    out.extend_from_slice(&frame[2 * period..]);
    Some(out)
}

/// The frame with one period more; `None` if it doesn't repeat itself well enough.
pub(crate) fn longer(frame: &[f32; FRAME]) -> Option<Vec<f32>> {
    let period = period(frame)?;
    let (first, second) = (&frame[..period], &frame[period..2 * period]);
    let mut out = Vec::with_capacity(FRAME + period);
    out.extend_from_slice(first);
    fade(&mut out, second, first);
    out.extend_from_slice(&frame[period..]);
    Some(out)
}

/// Adds a crossfade of two pieces of the same length.
fn fade(out: &mut Vec<f32>, from: &[f32], to: &[f32]) {
    let step = 1.0 / from.len() as f32;
    out.extend(from.iter().zip(to).enumerate().map(|(index, (from, to))| {
        let share = (index as f32 + 0.5) * step;
        from * (1.0 - share) + to * share
    }));
}

/// After how many samples the frame's beginning comes again.
fn period(frame: &[f32; FRAME]) -> Option<usize> {
    let energy = frame.iter().map(|sample| sample * sample).sum::<f32>() / FRAME as f32;
    if energy < SILENT {
        return Some(PERIOD_MAX);
    }
    let (alike, period) = (PERIOD_MIN..=PERIOD_MAX)
        .step_by(2)
        .map(|period| (likeness(&frame[..period], &frame[period..2 * period]), period))
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    (alike >= ALIKE).then_some(period)
}

/// How alike two pieces are: 1 less the energy of their difference over the energy of both.
fn likeness(a: &[f32], b: &[f32]) -> f32 {
    let (mut product, mut energy) = (0.0, f32::EPSILON);
    for (a, b) in a.iter().zip(b).step_by(STRIDE) {
        product += a * b;
        energy += a * a + b * b;
    }
    2.0 * product / energy
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use super::*;

    fn tone(hertz: f32) -> [f32; FRAME] {
        std::array::from_fn(|index| 0.5 * (TAU * hertz * index as f32 / SAMPLE_RATE as f32).sin())
    }

    /// The largest step from one sample to the next.
    fn roughest(samples: &[f32]) -> f32 {
        samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn a_tone_stays_a_tone() {
        for hertz in [60.0, 110.0, 220.0, 400.0, 1000.0] {
            let frame = tone(hertz);
            let smooth = roughest(&frame) * 1.3;
            if hertz > 100.0 {
                let short = shorter(&frame).unwrap();
                assert!((FRAME - PERIOD_MAX..=FRAME - PERIOD_MIN).contains(&short.len()), "{hertz}: {}", short.len());
                assert!(roughest(&short) < smooth, "{hertz}");
                let long = longer(&frame).unwrap();
                assert_eq!(long.len() + short.len(), 2 * FRAME);
                assert!(roughest(&long) < smooth, "{hertz}");
                // The ends join the frames before and after.
                assert!((long[0] - frame[0]).abs() < 1e-3 && (short[0] - frame[0]).abs() < 0.05);
                assert_eq!((long.last(), short.last()), (frame.last(), frame.last()));
            } else {
                assert!(shorter(&frame).is_none_or(|short| roughest(&short) < smooth));
            }
        }
    }

    #[test]
    fn noise_is_left_alone_and_silence_is_not() {
        let mut state = 1_u32;
        let noise = std::array::from_fn(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state as f32 / u32::MAX as f32 - 0.5
        });
        assert_eq!((shorter(&noise), longer(&noise)), (None, None));
        let silence = [0.0; FRAME];
        assert_eq!(shorter(&silence).unwrap().len(), FRAME / 2);
        assert_eq!(longer(&silence).unwrap().len(), FRAME * 3 / 2);
        assert_eq!(shorter(&[f32::NAN; FRAME]), None);
    }
}
