//! How loud everyone is, in steps that can be seen.

use media::Level;
use proto::PeerId;

/// Decibels of full scale at which the first step of a meter lights, and between its steps.
const SOFTEST_DB: f32 = -54.0;
const STEP_DB: f32 = 6.0;

/// Who speaks, and how loud the own microphone is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Voices {
    /// Steps of the own meter that are lit, muted or not: 0 to [`Voices::STEPS`].
    pub level: u8,
    /// The person speaks, muted or not.
    pub speaks: bool,
    /// Others who speak.
    pub speaking: Vec<PeerId>,
}

impl Voices {
    pub const STEPS: u8 = 8;

    pub(super) fn of(call: &media::Call) -> Self {
        let (own, others) = call.levels();
        let speaking = others.into_iter().filter(|(_, level)| level.speaking).map(|(peer, _)| PeerId(peer));
        Self { level: step(own), speaks: own.speaking, speaking: speaking.collect() }
    }
}

fn step(level: Level) -> u8 {
    let steps = (level.peak_db - SOFTEST_DB) / STEP_DB + 1.0;
    steps.clamp(0.0, Voices::STEPS.into()) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_goes_from_silence_to_full_scale() {
        let steps =
            [-100.0, -55.0, -54.0, -30.0, -12.0, -6.0, 0.0, 3.0].map(|peak_db| step(Level { peak_db, ..Level::default() }));
        assert_eq!(steps, [0, 0, 1, 5, 8, 8, 8, 8]);
    }
}
