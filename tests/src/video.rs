//! Measuring pictures and sound.

use std::{collections::BTreeMap, path::Path};

use codecs::Frame;
use media::{barcode, camera::clip::Clip};

/// Peak signal-to-noise ratio of the luma of two pictures of one size, in dB; infinite for equal ones.
pub fn psnr(one: &Frame, other: &Frame) -> f64 {
    assert_eq!(one.size(), other.size());
    let squares: f64 = one.y().iter().zip(other.y()).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 / (squares / one.y().len() as f64)).log10()
}

/// Structural similarity of the luma of two pictures of one size (Wang et al., 2004), 1 for equal ones: the mean over all windows of
/// 8x8 pixels that lie 4 apart.
pub fn ssim(one: &Frame, other: &Frame) -> f64 {
    const WINDOW: usize = 8;
    // What keeps flat windows from dividing by nothing: of the 255 steps of luma 1 % and 3 %, squared.
    const FLAT: [f64; 2] = [2.55 * 2.55, 7.65 * 7.65];
    assert_eq!(one.size(), other.size());
    let (width, height) = (one.size().width as usize, one.size().height as usize);
    let strides = [one.strides().0, other.strides().0];
    let window = |left: usize, top: usize| {
        let (mut sums, mut squares, mut product) = ([0.0; 2], [0.0; 2], 0.0);
        for row in top..top + WINDOW {
            let line = |frame: &'_ Frame, stride: usize| frame.y()[row * stride + left..][..WINDOW].to_vec();
            for (a, b) in line(one, strides[0]).into_iter().zip(line(other, strides[1])) {
                let (a, b) = (f64::from(a), f64::from(b));
                (sums[0], sums[1]) = (sums[0] + a, sums[1] + b);
                (squares[0], squares[1], product) = (squares[0] + a * a, squares[1] + b * b, product + a * b);
            }
        }
        let count = (WINDOW * WINDOW) as f64;
        let mean = sums.map(|sum| sum / count);
        let variance = [0, 1].map(|of| squares[of] / count - mean[of] * mean[of]);
        let covariance = product / count - mean[0] * mean[1];
        (2.0 * mean[0] * mean[1] + FLAT[0]) * (2.0 * covariance + FLAT[1])
            / ((mean[0] * mean[0] + mean[1] * mean[1] + FLAT[0]) * (variance[0] + variance[1] + FLAT[1]))
    };
    let places = |length: usize| (0..=length - WINDOW).step_by(WINDOW / 2);
    let all: Vec<f64> =
        places(height).flat_map(|top| places(width).map(move |left| (left, top))).map(|(left, top)| window(left, top)).collect();
    all.iter().sum::<f64>() / all.len() as f64
}

/// Each picture of a clip, by the timecode in it.
pub fn clip(file: &Path) -> BTreeMap<u64, Frame> {
    let mut clip = Clip::open(file).expect("the clip can be read");
    let mut frames = BTreeMap::new();
    while let Some(frame) = clip.next_frame().expect("whole frames") {
        let code = barcode::read(&frame).expect("each picture of the clip carries its time");
        if frames.insert(code, frame).is_some() {
            break;
        }
    }
    frames
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

#[cfg(test)]
mod tests {
    use codecs::{Color, MediaTime, Size};

    use super::*;

    fn picture(luma: impl Fn(usize) -> u8) -> Frame {
        let mut frame = Frame::new(Size::new(64, 32).unwrap(), Color::default(), MediaTime(0));
        frame.planes_mut().0.iter_mut().enumerate().for_each(|(at, pixel)| *pixel = luma(at));
        frame
    }

    #[test]
    fn similarity_falls_with_structure_and_hardly_with_brightness() {
        let stripes = |at: usize| if at % 8 < 4 { 60 } else { 180 };
        let same = picture(stripes);
        assert!((ssim(&same, &same) - 1.0).abs() < 1e-9);
        let brighter = ssim(&same, &picture(|at| stripes(at) + 10));
        assert!((0.95..1.0).contains(&brighter), "{brighter}");
        let flat = ssim(&same, &picture(|_| 120));
        assert!(flat < 0.1, "{flat}");
        let inverse = ssim(&same, &picture(|at| 240 - stripes(at)));
        assert!(inverse < -0.8, "{inverse}");
    }
}
