//! Adds the peers' voices up without clipping hard.

/// Up to this level sound passes unchanged; from here on it is bent so that it never reaches full scale.
const KNEE: f32 = 0.8;

/// Adds one voice to the mix. Both have the same length.
pub(crate) fn add(mix: &mut [f32], voice: &[f32]) {
    for (sum, sample) in mix.iter_mut().zip(voice) {
        *sum += sample;
    }
}

/// Brings a mix back between -1 and 1: unchanged where it's below the knee, smoothly bent above it.
pub(crate) fn limit(mix: &mut [f32]) {
    for sample in mix {
        let size = sample.abs();
        if size > KNEE {
            let over = (size - KNEE) / (1.0 - KNEE);
            *sample = sample.signum() * (KNEE + (1.0 - KNEE) * (1.0 - 1.0 / (1.0 + over)));
        } else if size.is_nan() {
            *sample = 0.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quiet_voices_just_add_up() {
        let mut mix = [0.1, -0.2, 0.0];
        add(&mut mix, &[0.3, -0.1, 0.5]);
        limit(&mut mix);
        assert_eq!(mix, [0.1 + 0.3, -0.2 - 0.1, 0.5]);
    }

    proptest! {
        #[test]
        fn loud_ones_stay_in_range_and_in_order(a in -50.0_f32..50.0, b in -50.0_f32..50.0) {
            let mut mix = [a, b, f32::NAN, f32::INFINITY];
            limit(&mut mix);
            prop_assert!(mix.iter().take(2).all(|sample| sample.abs() <= 1.0));
            prop_assert_eq!(a <= b, mix[0] <= mix[1] || a == b);
            prop_assert_eq!(mix[2], 0.0);
        }
    }
}
