//! Pictures and measures for the tests of this crate.

use proptest::prelude::Strategy;

use crate::{Color, Frame, MediaTime, Size};

/// Bytes without any order: the SplitMix64 generator.
pub(crate) fn noise(length: usize, mut seed: u64) -> Vec<u8> {
    let mut next = || {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (value ^ (value >> 31)) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// Any size with sides up to `limit` pixels.
pub(crate) fn any_size(limit: u32) -> impl Strategy<Value = Size> {
    (8..=limit / 2, 8..=limit / 2).prop_map(|(width, height)| Size::new(2 * width, 2 * height).expect("even and in bounds"))
}

/// A picture as a camera might see it: soft shapes, some texture, and a disc that moves with `number`.
pub(crate) fn photo(size: Size, number: u64) -> Frame {
    let mut frame = Frame::new(size, Color::default(), MediaTime(number * 33_333));
    let (width, height) = (size.width as usize, size.height as usize);
    let centre = (width as f64 * (0.5 + 0.3 * (number as f64 / 15.0).sin()), height as f64 * 0.5);
    let radius = height as f64 / 5.0;
    let grain = noise(width * height, 99);
    let (luma, u, v) = frame.planes_mut();
    for y in 0..height {
        for x in 0..width {
            let (at_x, at_y) = (x as f64 / 640.0, y as f64 / 480.0);
            let texture = 8.0 * (x as f64 / 5.0).sin() * (y as f64 / 7.0).cos() + f64::from(grain[y * width + x] % 4);
            let disc = if (x as f64 - centre.0).hypot(y as f64 - centre.1) < radius { 60.0 } else { 0.0 };
            luma[y * width + x] =
                (70.0 + 40.0 * (3.0 * at_x).sin() + 30.0 * (2.0 * at_y).cos() + texture + disc).clamp(16.0, 235.0) as u8;
        }
    }
    for y in 0..height / 2 {
        for x in 0..width / 2 {
            u[y * width / 2 + x] = (128.0 + 40.0 * (x as f64 / 90.0).sin()) as u8;
            v[y * width / 2 + x] = (128.0 + 40.0 * (y as f64 / 70.0).cos()) as u8;
        }
    }
    frame
}

/// Likeness of two planes in dB; infinite when equal.
pub(crate) fn psnr(left: &[u8], right: &[u8]) -> f64 {
    assert_eq!(left.len(), right.len());
    let squares = left.iter().zip(right).map(|(&left, &right)| f64::from(left.abs_diff(right)).powi(2)).sum::<f64>();
    10.0 * (255.0_f64.powi(2) * left.len() as f64 / squares).log10()
}
