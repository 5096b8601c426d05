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
    let columns = (0..width).map(|x| (70.0 + 40.0 * (x as f64 / 213.0).sin(), 8.0 * (x as f64 / 5.0).sin())).collect::<Vec<_>>();
    let (luma, u, v) = frame.planes_mut();
    for (y, (row, grain)) in luma.chunks_mut(width).zip(grain.chunks(width)).enumerate() {
        let (slope, texture) = (30.0 * (y as f64 / 240.0).cos(), (y as f64 / 7.0).cos());
        let reach = (radius.powi(2) - (y as f64 - centre.1).powi(2)).max(0.0).sqrt();
        for (x, (luma, grain)) in row.iter_mut().zip(grain).enumerate() {
            let disc = if (x as f64 - centre.0).abs() < reach { 60.0 } else { 0.0 };
            *luma = (columns[x].0 + slope + columns[x].1 * texture + f64::from(grain % 4) + disc) as u8;
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
