//! Sound at one rate to sound at another, in pieces of any length.

use audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Adjustable as _, Async, FixedAsync, Resampler as _, SincInterpolationParameters, WindowFunction};

/// Lowest and highest rate that's converted, in Hz: telephony at half rate, and what studio cards reach.
pub(crate) const RATES: std::ops::RangeInclusive<u32> = 4_000..=384_000;
/// Length of the filter in samples: passes all that Opus carries of 44.1 kHz, and delays it by 1.5 ms.
const TAPS: usize = 128;
/// The same where rates are nearly equal: passes 20 kHz, and delays by 0.7 ms.
const NEAR_TAPS: usize = 64;
/// Samples that are converted at once there, since others wait for them: 1 ms.
const NEAR_CHUNK: usize = 48;

/// Converts one channel from a rate to another. What comes out begins with what went in: the filter's delay is taken off.
pub(crate) struct Resampler {
    kind: Kind,
    /// What waits for a whole chunk.
    pending: Vec<f32>,
    output: Vec<f32>,
    /// Samples of the filter's delay that are still to be left out.
    delay: usize,
}

enum Kind {
    /// The rates are the same.
    Same,
    Convert(Box<Async<f32>>),
}

impl Resampler {
    /// From `from` Hz to `to` Hz; `None` outside [`RATES`].
    pub(crate) fn new(from: u32, to: u32) -> Option<Self> {
        if !RATES.contains(&from) || !RATES.contains(&to) {
            return None;
        }
        let kind = if from == to { Kind::Same } else { Kind::Convert(convert(from, to)?) };
        let (output, delay) = match &kind {
            Kind::Same => (Vec::new(), 0),
            Kind::Convert(resampler) => (vec![0.0; resampler.output_frames_max()], delay(from, to)),
        };
        Some(Self { kind, pending: Vec::new(), output, delay })
    }

    /// At the same rate, but for up to `most` of it, by [`Resampler::set_ratio`]. The filter's delay stays.
    pub(crate) fn near(most: f64) -> Option<Self> {
        let filter = SincInterpolationParameters::new(NEAR_TAPS, WindowFunction::BlackmanHarris2);
        let sinc = Async::<f32>::new_sinc(1.0, 1.0 + 2.0 * most, &filter, NEAR_CHUNK, 1, FixedAsync::Input).ok()?;
        let output = vec![0.0; sinc.output_frames_max()];
        Some(Self { kind: Kind::Convert(Box::new(sinc)), pending: Vec::new(), output, delay: 0 })
    }

    /// From now on a second becomes `ratio` seconds.
    pub(crate) fn set_ratio(&mut self, ratio: f64) {
        if let Kind::Convert(resampler) = &mut self.kind {
            // One out of range leaves it as it is.
            let _ = resampler.set_resample_ratio_relative(ratio, true);
        }
    }

    /// Converts `input` and appends the result to `out`. What doesn't fill a chunk (10 ms or a little more) waits for the next call.
    pub(crate) fn push(&mut self, input: &[f32], out: &mut Vec<f32>) {
        let Kind::Convert(resampler) = &mut self.kind else {
            out.extend_from_slice(input);
            return;
        };
        self.pending.extend_from_slice(input);
        let mut used = 0;
        loop {
            let chunk = resampler.input_frames_next();
            let Some(input) = self.pending.get(used..used + chunk) else { break };
            used += chunk;
            let room = self.output.len();
            let (Ok(input), Ok(mut output)) =
                (InterleavedSlice::new(input, 1, chunk), InterleavedSlice::new_mut(&mut self.output, 1, room))
            else {
                break;
            };
            match resampler.process_into_buffer(&input, &mut output, None) {
                Ok((_, written)) => {
                    let skip = self.delay.min(written);
                    self.delay -= skip;
                    out.extend_from_slice(&self.output[skip..written]);
                }
                // Only buffers of the wrong length are refused, which these aren't; a chunk less is a click.
                Err(error) => tracing::error!(%error, "sound can't be converted"),
            }
        }
        self.pending.drain(..used);
    }

    /// Samples that went in and wait for more.
    pub(crate) fn waiting(&self) -> usize {
        self.pending.len()
    }
}

/// Samples that come out before the first one that went in is in the middle of the filter. The first of all is a step late already,
/// which the crate's own figure leaves out.
fn delay(from: u32, to: u32) -> usize {
    (TAPS as f64 / 2.0 * f64::from(to) / f64::from(from) - 1.0).round() as usize
}

fn convert(from: u32, to: u32) -> Option<Box<Async<f32>>> {
    let (ratio, chunk) = (f64::from(to) / f64::from(from), (from / 100) as usize);
    let filter = SincInterpolationParameters::new(TAPS, WindowFunction::BlackmanHarris2);
    let sinc = Async::<f32>::new_sinc(ratio, 1.0, &filter, chunk, 1, FixedAsync::Input).ok()?;
    Some(Box::new(sinc))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tone(rate: u32, hertz: f64, seconds: f64) -> Vec<f32> {
        let count = (f64::from(rate) * seconds) as usize;
        (0..count).map(|index| (index as f64 * hertz * std::f64::consts::TAU / f64::from(rate)).sin() as f32 * 0.5).collect()
    }

    fn convert(from: u32, to: u32, input: &[f32], piece: usize) -> Vec<f32> {
        let mut resampler = Resampler::new(from, to).unwrap();
        let mut out = Vec::new();
        input.chunks(piece).for_each(|piece| resampler.push(piece, &mut out));
        out
    }

    #[test]
    fn a_tone_stays_the_tone_it_was() {
        for from in [8_000, 11_025, 16_000, 22_050, 32_000, 44_099, 44_100, 48_000, 96_000, 192_000] {
            let out = convert(from, 48_000, &tone(from, 440.0, 1.0), 441);
            let expected = tone(48_000, 440.0, 1.0);
            assert!(out.len() > 45_000 && out.len() <= 48_001, "{from}: {}", out.len());
            // The ends aside, where the filter sees silence.
            let error: f32 = (4_800..40_000).map(|index| (out[index] - expected[index]).abs()).fold(0.0, f32::max);
            // The filter is centred to half a sample of the lower rate.
            let half_a_sample = 0.5 * 440.0 * std::f32::consts::TAU * 0.5 / from.min(48_000) as f32;
            assert!(error < half_a_sample + 0.005, "{from}: off by {error}");
        }
    }

    #[test]
    fn impossible_rates_are_refused() {
        assert!(Resampler::new(0, 48_000).is_none());
        assert!(Resampler::new(u32::MAX, 48_000).is_none());
    }

    #[test]
    fn a_rate_can_be_led_without_a_click() {
        let mut resampler = Resampler::near(1e-3).unwrap();
        let (input, mut out) = (tone(48_000, 440.0, 4.0), Vec::new());
        for (second, ratio) in [1.001, 0.999, 1.0005, 1.0].into_iter().enumerate() {
            resampler.set_ratio(ratio);
            resampler.push(&input[second * 48_000..][..48_000], &mut out);
        }
        assert!(out.len().abs_diff(192_024) < 4, "{}", out.len());
        // The tone begins with a bend, which rings in the filter.
        let steepest = out[480..].windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
        assert!(steepest < 0.5 * 440.0 * std::f32::consts::TAU / 48_000.0 * 1.01, "{steepest}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn pieces_make_no_difference(from in prop::sample::select(vec![8_000u32, 44_100, 48_000, 50_001]), piece in 1usize..3_000) {
            let input = tone(from, 300.0, 0.2);
            prop_assert_eq!(convert(from, 48_000, &input, piece), convert(from, 48_000, &input, input.len()));
        }
    }
}
