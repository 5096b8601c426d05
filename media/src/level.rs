//! How loud a voice is, for a meter, and whether somebody speaks, for a mark beside the name.

use std::time::Duration;

use codecs::opus::SAMPLE_RATE;

/// What counts as no sound at all, in decibels of full scale.
const SILENCE_DB: f32 = -100.0;
/// How fast a meter falls, in decibels a second; it rises at once.
const FALL: f32 = 40.0;
/// How fast the noise is believed to grow, in decibels a second, so that a fan that's switched on is no voice after a while.
const NOISE_GROWS: f32 = 3.0;
/// How far over the noise a voice begins, and over how little of it the voice has ended, in decibels.
const BEGINS_DB: f32 = 15.0;
const ENDS_DB: f32 = 9.0;
/// What's softer is never a voice, in decibels of full scale.
const SOFTEST_DB: f32 = -55.0;
/// How long a voice lasts for it to be one, and not a door; and how long its pauses are.
const BEGINS: Duration = Duration::from_millis(60);
const ENDS: Duration = Duration::from_millis(400);

/// The loudness of one voice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// The loudest sample of late, in decibels of full scale: -100 to 0, or a little more of sound that's cut off.
    pub peak_db: f32,
    /// Loudness of late (root mean square), in decibels of full scale: -100 to 0.
    pub rms_db: f32,
    /// Somebody speaks.
    pub speaking: bool,
}

impl Default for Level {
    fn default() -> Self {
        Self { peak_db: SILENCE_DB, rms_db: SILENCE_DB, speaking: false }
    }
}

/// Measures one voice.
#[derive(Debug)]
pub(crate) struct Meter {
    level: Level,
    noise_db: f32,
    /// How long it has been as if the mark were to change.
    other: Duration,
}

impl Default for Meter {
    fn default() -> Self {
        Self { level: Level::default(), noise_db: SOFTEST_DB - BEGINS_DB, other: Duration::ZERO }
    }
}

impl Meter {
    /// Takes the next samples (48 kHz, one channel).
    pub(crate) fn measure(&mut self, samples: &[f32]) -> Level {
        if samples.is_empty() {
            return self.level;
        }
        let length = Duration::from_secs_f32(samples.len() as f32 / SAMPLE_RATE as f32);
        let (mut peak, mut power) = (0.0_f32, 0.0);
        for sample in samples.iter().filter(|sample| sample.is_finite()) {
            peak = peak.max(sample.abs());
            power += sample * sample;
        }
        let rms_db = (10.0 * (power / samples.len() as f32).log10()).max(SILENCE_DB);
        let fallen = FALL * length.as_secs_f32();
        self.level.peak_db = (20.0 * peak.log10()).max(self.level.peak_db - fallen).max(SILENCE_DB);
        self.level.rms_db = rms_db.max(self.level.rms_db - fallen);
        self.noise_db = rms_db.min(self.noise_db + NOISE_GROWS * length.as_secs_f32()).max(SOFTEST_DB - BEGINS_DB);
        let over = if self.level.speaking { ENDS_DB } else { BEGINS_DB };
        let speaks = rms_db >= self.noise_db + over;
        if speaks == self.level.speaking {
            self.other = Duration::ZERO;
        } else {
            self.other += length;
            if self.other >= if speaks { BEGINS } else { ENDS } {
                (self.level.speaking, self.other) = (speaks, Duration::ZERO);
            }
        }
        self.level
    }
}

#[cfg(test)]
mod tests {
    use codecs::opus::FRAME;

    use super::*;

    /// Measures a tone of this amplitude for so long, and tells after how many milliseconds the mark changed first.
    fn listen(meter: &mut Meter, amplitude: f32, millis: usize) -> (Level, Option<usize>) {
        let samples: [f32; FRAME] = std::array::from_fn(|at| amplitude * (at as f32 * std::f32::consts::TAU / 96.0).sin());
        let (before, mut changed) = (meter.level.speaking, None);
        for frame in 1..=millis / 20 {
            if meter.measure(&samples).speaking != before {
                changed.get_or_insert(frame * 20);
            }
        }
        (meter.level, changed)
    }

    #[test]
    fn a_tone_is_as_loud_as_it_is_and_fades_evenly() {
        let mut meter = Meter::default();
        let (level, _) = listen(&mut meter, 0.5, 200);
        assert!((level.peak_db + 6.0).abs() < 0.1 && (level.rms_db + 9.0).abs() < 0.1, "{level:?}");
        let (level, _) = listen(&mut meter, 0.0, 1_000);
        assert!((level.peak_db + 46.0).abs() < 1.0 && (level.rms_db + 49.0).abs() < 1.0, "{level:?}");
        assert_eq!(listen(&mut meter, 0.0, 2_000).0, Level::default());
    }

    #[test]
    fn the_mark_comes_soon_stays_in_short_pauses_and_goes() {
        let mut meter = Meter::default();
        assert_eq!(listen(&mut meter, 0.0, 1_000).1, None);
        assert_eq!(listen(&mut meter, 0.3, 40).1, None, "a door");
        assert_eq!(listen(&mut meter, 0.0, 1_000).1, None);
        assert_eq!(listen(&mut meter, 0.1, 500).1, Some(60));
        for _ in 0..5 {
            assert_eq!(listen(&mut meter, 0.0, 300).1, None, "a pause");
            assert_eq!(listen(&mut meter, 0.1, 300).1, None);
        }
        assert_eq!(listen(&mut meter, 0.0, 1_000).1, Some(400));
    }

    #[test]
    fn a_fan_is_no_voice_and_a_voice_beside_it_is() {
        let mut meter = Meter::default();
        listen(&mut meter, 0.01, 12_000);
        assert!(!meter.level.speaking);
        assert_eq!(listen(&mut meter, 0.2, 100).1, Some(60));
        for nonsense in [f32::NAN, f32::INFINITY, 1e30] {
            let level = meter.measure(&[nonsense; FRAME]);
            assert!(!level.peak_db.is_nan() && !level.rms_db.is_nan());
        }
        assert_eq!(meter.measure(&[]).speaking, meter.level.speaking);
    }
}
