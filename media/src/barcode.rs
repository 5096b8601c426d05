//! The capture time of a picture, drawn into the picture itself.
//!
//! 64 bits of time and 16 of checksum stand as black and white cells in two rows of 40 along the upper edge: the first row holds
//! the upper half. The most significant bit comes first. A cell is a fortieth of the picture wide and a thirtieth high (16x16,
//! one macroblock, at 640x480), so that a hard-pressed encoder still gets its mean right; cells are placed by proportion, so
//! that a scaled picture, or a window's screenshot with the picture in it, reads as well.
//!
//! The time is microseconds since the UNIX epoch, so two programs on one machine (or on two with the same clock) can tell the
//! delay between them. The checksum is CRC-16/IBM-3740 (CCITT with the register preset to ones).

use codecs::Frame;

/// Cells in a row.
const COLUMNS: u32 = 40;
/// Rows of cells.
const ROWS: u32 = 2;
/// Rows of cells the whole height would hold.
const HEIGHTS: u32 = 30;
/// Luma of a cleared and of a set bit: within the limited range, with room for an encoder's overshoot.
const LUMA: [u8; 2] = [32, 220];
/// Luma a cell's mean must be away from the middle. Nearer means blur, or a picture without barcode.
const CONTRAST: f32 = 24.0;
/// The smallest picture that carries a barcode, in pixels: cells under 4x4 don't survive an encoder.
pub const SMALLEST: (u32, u32) = (COLUMNS * 4, HEIGHTS * 4);

/// Draws `micros` (microseconds since the UNIX epoch) into the upper edge. A picture under [`SMALLEST`] stays as it is.
pub fn draw(frame: &mut Frame, micros: u64) {
    let size = frame.size();
    if size.width < SMALLEST.0 || size.height < SMALLEST.1 {
        return;
    }
    let bits = (u128::from(micros) << 16) | u128::from(checksum(micros));
    let (y_stride, u_stride, v_stride) = frame.strides();
    let (y, u, v) = frame.planes_mut();
    let width = size.width as usize;
    for row in 0..ROWS {
        let (top, bottom) = (edge(row, size.height, HEIGHTS), edge(row + 1, size.height, HEIGHTS));
        let Some((first, rest)) = y[top * y_stride..bottom * y_stride].split_at_mut_checked(y_stride) else { continue };
        for column in 0..COLUMNS {
            let bit = bits >> (ROWS * COLUMNS - 1 - (row * COLUMNS + column)) & 1;
            first[edge(column, size.width, COLUMNS)..edge(column + 1, size.width, COLUMNS)].fill(LUMA[bit as usize]);
        }
        for line in rest.chunks_exact_mut(y_stride) {
            line[..width].copy_from_slice(&first[..width]);
        }
    }
    // The last chroma line may reach half under the cells: neutral all the same, so that no colour bleeds in.
    let chroma_lines = edge(ROWS, size.height, HEIGHTS).div_ceil(2);
    for (plane, stride) in [(u, u_stride), (v, v_stride)] {
        for line in plane.chunks_exact_mut(stride).take(chroma_lines) {
            line[..width / 2].fill(128);
        }
    }
}

/// Reads the time back, or `None` if the picture has no barcode that's whole.
#[must_use]
pub fn read(frame: &Frame) -> Option<u64> {
    let size = frame.size();
    read_luma(frame.y(), frame.strides().0, 0, 0, size.width, size.height)
}

/// Reads the barcode of a picture that fills the rectangle of `w` by `h` pixels at (`x`, `y`) of a luma plane, for instance of a
/// screenshot. `None` if there's none, or if the rectangle reaches outside.
#[must_use]
pub fn read_luma(luma: &[u8], stride: usize, x: u32, y: u32, w: u32, h: u32) -> Option<u64> {
    if w < COLUMNS * 2 || h < HEIGHTS * 2 || (x as usize).checked_add(w as usize)? > stride {
        return None;
    }
    let lines = (y as usize).checked_add(edge(ROWS, h, HEIGHTS))?;
    if lines.checked_mul(stride)? > luma.len() {
        return None;
    }
    let mut bits = 0u128;
    for row in 0..ROWS {
        let rows = core(row, h, HEIGHTS);
        for column in 0..COLUMNS {
            let columns = core(column, w, COLUMNS);
            let count = rows.len() * columns.len();
            let sum: u64 = (rows.clone())
                .map(|line| {
                    let start = (y as usize + line) * stride + x as usize;
                    luma[start + columns.start..start + columns.end].iter().map(|&luma| u64::from(luma)).sum::<u64>()
                })
                .sum();
            let mean = sum as f32 / count as f32;
            if (mean - 126.0).abs() < CONTRAST {
                return None;
            }
            bits = bits << 1 | u128::from(mean > 126.0);
        }
    }
    let micros = (bits >> 16) as u64;
    (checksum(micros) == bits as u16).then_some(micros)
}

/// The first pixel of cell `index`, of `cells` along `length` pixels.
fn edge(index: u32, length: u32, cells: u32) -> usize {
    (u64::from(index) * u64::from(length) / u64::from(cells)) as usize
}

/// The middle half of a cell: what a neighbour's blur or a rectangle that's a pixel off doesn't reach. Never empty.
fn core(index: u32, length: u32, cells: u32) -> std::ops::Range<usize> {
    let (start, end) = (edge(index, length, cells), edge(index + 1, length, cells));
    let margin = (end - start) / 4;
    start + margin..end - margin
}

/// CRC-16/IBM-3740 of the eight bytes, most significant first.
fn checksum(micros: u64) -> u16 {
    micros.to_be_bytes().iter().fold(0xffff, |crc: u16, &byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| crc << 1 ^ if crc & 0x8000 == 0 { 0 } else { 0x1021 })
    })
}

#[cfg(test)]
mod tests {
    use codecs::{Color, MediaTime, Size, convert::Scaler, h264};
    use proptest::prelude::*;

    use super::*;
    use crate::camera::pattern::Pattern;

    fn frame(width: u32, height: u32) -> Frame {
        Frame::new(Size::new(width, height).unwrap(), Color::default(), MediaTime(0))
    }

    #[test]
    fn checksum_is_the_catalogued_one() {
        // Check value of CRC-16/IBM-3740 over "123456789", with the first byte folded in by hand.
        let nine = b"123456789".iter().fold(0xffff, |crc: u16, &byte| {
            (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| crc << 1 ^ if crc & 0x8000 == 0 { 0 } else { 0x1021 })
        });
        assert_eq!(nine, 0x29b1);
        assert_ne!(checksum(0), 0, "a black edge must not read as a time");
    }

    #[test]
    fn plain_pictures_have_none() {
        let mut plain = frame(640, 480);
        assert_eq!(read(&plain), None);
        plain.planes_mut().0.fill(255);
        assert_eq!(read(&plain), None);
        assert_eq!(read(&Pattern::new(Size::new(640, 480).unwrap()).draw(std::time::Duration::ZERO, MediaTime(0))), None);
    }

    #[test]
    fn a_picture_too_small_stays_as_it_is() {
        let mut small = frame(158, 120);
        draw(&mut small, 1);
        assert_eq!(small.data(), frame(158, 120).data());
    }

    #[test]
    fn reads_the_picture_inside_a_screenshot() {
        let mut picture = frame(640, 480);
        draw(&mut picture, 1_790_000_000_123_456);
        let scaled = Scaler::default().scale(&picture, Size::new(1106, 830).unwrap()).unwrap();
        let (stride, left, top) = (1500, 203, 77);
        let mut screen = vec![200u8; stride * 1000];
        for line in 0..830 {
            let start = (top + line) * stride + left;
            screen[start..start + 1106].copy_from_slice(&scaled.y()[line * 1106..(line + 1) * 1106]);
        }
        for (dx, dy) in [(0, 0), (2, -2), (-3, 3)] {
            let (x, y) = (left.wrapping_add_signed(dx) as u32, top.wrapping_add_signed(dy) as u32);
            assert_eq!(read_luma(&screen, stride, x, y, 1106, 830), Some(1_790_000_000_123_456), "{dx} {dy}");
        }
    }

    fn survives(size: Size, frames_per_second: f32, bits_per_second: u32) -> (usize, usize) {
        let config = h264::EncoderConfig { size, frames_per_second, bits_per_second, color: Color::default() };
        let (mut encoder, mut decoder) = (h264::Encoder::new(config).unwrap(), h264::Decoder::new().unwrap());
        let pattern = Pattern::new(size);
        let (mut coded, mut read_back) = (0, 0);
        for index in 0..60u64 {
            let time = std::time::Duration::from_micros((index as f64 * 1e6 / f64::from(frames_per_second)) as u64);
            let stamp = 1_790_000_000_000_000 + time.as_micros() as u64 * 7 / 5;
            let mut picture = pattern.draw(time, MediaTime::from(time));
            draw(&mut picture, stamp);
            let Some(packet) = encoder.encode(&picture).unwrap() else { continue };
            coded += 1;
            let decoded = decoder.decode(&packet.data, Color::default(), packet.time).unwrap().unwrap();
            read_back += usize::from(read(&decoded.to_frame()) == Some(stamp));
        }
        (coded, read_back)
    }

    #[test]
    fn survives_low_bitrates() {
        for (width, height, rate, bits) in [(640, 480, 30.0, 100_000), (320, 240, 15.0, 50_000), (1280, 720, 30.0, 300_000)] {
            let (coded, read_back) = survives(Size::new(width, height).unwrap(), rate, bits);
            assert!(coded >= 20, "{width}x{height} at {bits}: only {coded} frames coded");
            assert_eq!(read_back, coded, "{width}x{height} at {bits}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn what_is_drawn_reads_back(micros: u64, width in 80u32..700, height in 60u32..500) {
            let mut picture = frame(width * 2, height * 2);
            draw(&mut picture, micros);
            prop_assert_eq!(read(&picture), Some(micros));
        }

        #[test]
        fn scaling_does_no_harm(micros: u64, width in 80u32..500, height in 60u32..400) {
            let mut picture = frame(640, 480);
            draw(&mut picture, micros);
            let scaled = Scaler::default().scale(&picture, Size::new(width * 2, height * 2).unwrap()).unwrap();
            prop_assert_eq!(read(&scaled), Some(micros));
        }

        #[test]
        fn one_wrong_bit_is_noticed(micros: u64, cell in 0u32..80) {
            let mut picture = frame(640, 480);
            draw(&mut picture, micros);
            let (row, column) = (cell / COLUMNS, cell % COLUMNS);
            let luma = picture.planes_mut().0;
            for line in row * 16..(row + 1) * 16 {
                for pixel in column * 16..(column + 1) * 16 {
                    let pixel = &mut luma[(line * 640 + pixel) as usize];
                    *pixel = LUMA[0] + LUMA[1] - *pixel;
                }
            }
            prop_assert_eq!(read(&picture), None);
        }

        #[test]
        fn no_rectangle_panics(x: u32, y: u32, w: u32, h: u32, stride in 0usize..400, length in 0usize..40_000) {
            let _ = read_luma(&vec![255; length], stride, x % 500, y % 500, w % 500, h % 500);
            let _ = read_luma(&vec![255; length], stride, x, y, w, h);
        }
    }
}
