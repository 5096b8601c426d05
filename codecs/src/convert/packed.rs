//! Raw camera formats to I420.

use super::average;
use crate::{Color, Error, Frame, MediaTime, Size};

/// YUYV (YUY2, 4:2:2 packed) to I420; each pair of chroma rows is averaged.
///
/// Bytes after the picture are left alone: capture buffers are rounded up to whole memory pages.
///
/// # Errors
/// [`Error::Length`] when `buf` is shorter than the picture's 2 bytes a pixel.
pub fn yuyv(buf: &[u8], size: Size, color: Color, time: MediaTime) -> Result<Frame, Error> {
    let picture = take(buf, 2 * size.pixels())?;
    let (width, half) = (size.width as usize, size.chroma_width());
    let mut frame = Frame::new(size, color, time);
    let (y, u, v) = frame.planes_mut();
    let rows = picture.chunks_exact(4 * width).zip(y.chunks_exact_mut(2 * width));
    for ((pair, y), (u, v)) in rows.zip(u.chunks_exact_mut(half).zip(v.chunks_exact_mut(half))) {
        for (luma, pixel) in y.iter_mut().zip(pair.chunks_exact(2)) {
            *luma = pixel[0];
        }
        let (upper, lower) = pair.split_at(2 * width);
        let cells = upper.chunks_exact(4).zip(lower.chunks_exact(4));
        for ((u, v), (upper, lower)) in u.iter_mut().zip(v).zip(cells) {
            (*u, *v) = (average(upper[1], lower[1]), average(upper[3], lower[3]));
        }
    }
    Ok(frame)
}

/// NV12 (4:2:0, U and V interleaved) to I420, exactly.
///
/// Bytes after the picture are left alone, as in [`yuyv`].
///
/// # Errors
/// [`Error::Length`] when `buf` is shorter than the picture's 12 bits a pixel.
pub fn nv12(buf: &[u8], size: Size, color: Color, time: MediaTime) -> Result<Frame, Error> {
    let picture = take(buf, size.i420_len())?;
    let (luma, chroma) = picture.split_at(size.pixels());
    let mut data = Vec::with_capacity(size.i420_len());
    data.extend_from_slice(luma);
    data.extend(chroma.chunks_exact(2).map(|pair| pair[0]));
    data.extend(chroma.chunks_exact(2).map(|pair| pair[1]));
    Frame::from_data(size, color, time, data)
}

fn take(buf: &[u8], expected: usize) -> Result<&[u8], Error> {
    buf.get(..expected).ok_or(Error::Length { expected, actual: buf.len() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{any_size, noise};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn yuyv_is_exact(size in any_size(200), seed: u64, padding in 0..5000_usize) {
            let buf = noise(2 * size.pixels() + padding, seed);
            let frame = yuyv(&buf, size, Color::JPEG, MediaTime(3)).unwrap();
            prop_assert_eq!((frame.size(), frame.color(), frame.time()), (size, Color::JPEG, MediaTime(3)));
            let (width, height) = (size.width as usize, size.height as usize);
            for y in 0..height {
                for x in 0..width {
                    prop_assert_eq!(frame.y()[y * width + x], buf[2 * (y * width + x)]);
                }
            }
            for y in 0..height / 2 {
                for x in 0..width / 2 {
                    let mean = |at: usize| (u16::from(buf[at]) + u16::from(buf[at + 2 * width])).div_ceil(2) as u8;
                    let cell = 2 * (2 * y * width + 2 * x);
                    prop_assert_eq!(frame.u()[y * width / 2 + x], mean(cell + 1));
                    prop_assert_eq!(frame.v()[y * width / 2 + x], mean(cell + 3));
                }
            }
        }

        #[test]
        fn nv12_is_exact(size in any_size(200), seed: u64, padding in 0..5000_usize) {
            let buf = noise(size.i420_len() + padding, seed);
            let frame = nv12(&buf, size, Color::default(), MediaTime(4)).unwrap();
            let chroma = &buf[size.pixels()..size.i420_len()];
            prop_assert_eq!(frame.y(), &buf[..size.pixels()]);
            prop_assert!(frame.u().iter().eq(chroma.iter().step_by(2)));
            prop_assert!(frame.v().iter().eq(chroma.iter().skip(1).step_by(2)));
        }

        #[test]
        fn short_buffers_are_refused(size in any_size(100), short in 0.0..1.0_f64) {
            let length = |full: usize| ((full as f64 * short) as usize).min(full - 1);
            let buf = vec![0; 2 * size.pixels()];
            let (packed, planar) = (length(2 * size.pixels()), length(size.i420_len()));
            let refused = |frame: Result<Frame, Error>, length: usize| matches!(frame, Err(Error::Length { actual, .. }) if actual == length);
            prop_assert!(refused(yuyv(&buf[..packed], size, Color::default(), MediaTime::ZERO), packed));
            prop_assert!(refused(nv12(&buf[..planar], size, Color::default(), MediaTime::ZERO), planar));
        }
    }

    #[test]
    fn the_widest_picture_fits() {
        let size = Size::MAX;
        let buf = noise(2 * size.pixels(), 5);
        let frame = yuyv(&buf, size, Color::default(), MediaTime::ZERO).unwrap();
        assert!(frame.y().iter().eq(buf.iter().step_by(2)));
    }
}
