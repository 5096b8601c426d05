//! Measuring pictures and sound.

use codecs::Frame;

/// Peak signal-to-noise ratio of the luma of two pictures of one size, in dB; infinite for equal ones.
pub fn psnr(one: &Frame, other: &Frame) -> f64 {
    assert_eq!(one.size(), other.size());
    let squares: f64 = one.y().iter().zip(other.y()).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 / (squares / one.y().len() as f64)).log10()
}

/// Best normalised correlation of `part` with any place of `whole` (1 is the same wave), and where that is, in samples.
///
/// The search goes over every 8th place on an eighth of the rate first, and then samples around the best.
pub fn correlate(whole: &[f32], part: &[f32]) -> (f32, usize) {
    let at = |offset: usize, step: usize| {
        let (mut dot, mut a, mut b) = (0.0_f32, 1e-9_f32, 1e-9_f32);
        for index in (0..part.len()).step_by(step) {
            let (x, y) = (part[index], whole[offset + index]);
            dot += x * y;
            a += x * x;
            b += y * y;
        }
        dot / (a * b).sqrt()
    };
    let places = whole.len().saturating_sub(part.len());
    let best = |range: &mut dyn Iterator<Item = usize>, step| {
        range.map(|offset| (at(offset, step), offset)).max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((0.0, 0))
    };
    let (_, rough) = best(&mut (0..=places).step_by(8), 8);
    best(&mut (rough.saturating_sub(16)..=(rough + 16).min(places)), 1)
}
