//! What screens deliver to I420.

use dcv_color_primitives::{ColorSpace, ImageFormat, PixelFormat, convert_image};

use crate::{Color, Error, Frame, MediaTime, Size};

/// Blue, green, red and a byte of no meaning for each pixel, in rows of `stride` bytes, to I420. What is right of the size or below is left out.
///
/// # Errors
/// [`Error::Length`] when the rows are shorter than the size says or there are fewer, [`Error::Convert`], which that should rule out.
pub fn bgrx(buf: &[u8], stride: usize, size: Size, time: MediaTime) -> Result<Frame, Error> {
    let (width, height) = (size.width as usize, size.height as usize);
    let expected = stride.max(4 * width).saturating_mul(height - 1).saturating_add(4 * width);
    if stride < 4 * width || buf.len() < expected {
        return Err(Error::Length { expected, actual: buf.len() });
    }
    let mut frame = Frame::new(size, Color::default(), time);
    let packed = ImageFormat { pixel_format: PixelFormat::Bgra, color_space: ColorSpace::Rgb, num_planes: 1 };
    let planar = ImageFormat { pixel_format: PixelFormat::I420, color_space: ColorSpace::Bt601, num_planes: 3 };
    let (y, u, v) = frame.planes_mut();
    // To the end of the rows: the library asks for whole ones.
    let rows = buf.get(..stride.saturating_mul(height)).unwrap_or(buf);
    convert_image(size.width, size.height, &packed, Some(&[stride]), &[rows], &planar, None, &mut [y, u, v])
        .map_err(Error::Convert)?;
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::rgba;

    /// Colours by their place, each four by four pixels large, so that halving the colours loses nothing.
    fn pixel(x: usize, y: usize) -> [u8; 3] {
        [(x / 4 * 37 % 256) as u8, (y / 4 * 59 % 256) as u8, ((x / 4 + y / 4) * 23 % 256) as u8]
    }

    #[test]
    fn colours_come_back_and_padding_is_left_out() {
        for (size, stride) in [("64x48", 256), ("64x48", 300), ("16x16", 4 * 17), ("638x482", 4 * 640)] {
            let size: Size = size.parse().unwrap();
            let (width, height) = (size.width as usize, size.height as usize);
            let mut buf = vec![0xee; stride * (height + 1)];
            for y in 0..height {
                for x in 0..width {
                    let [red, green, blue] = pixel(x, y);
                    buf[y * stride + 4 * x..][..4].copy_from_slice(&[blue, green, red, 0]);
                }
            }
            let frame = bgrx(&buf, stride, size, MediaTime(9)).unwrap();
            assert_eq!((frame.size(), frame.time()), (size, MediaTime(9)));
            let mut out = Vec::new();
            rgba(&frame, &mut out).unwrap();
            for y in 0..height {
                for x in 0..width {
                    let shown = &out[4 * (y * width + x)..][..3];
                    assert!(
                        shown.iter().zip(pixel(x, y)).all(|(a, b)| a.abs_diff(b) <= 6),
                        "{x},{y}: {shown:?} for {:?}",
                        pixel(x, y)
                    );
                }
            }
        }
    }

    #[test]
    fn too_little_is_refused() {
        let size = Size::MIN;
        let (width, height) = (size.width as usize, size.height as usize);
        let buf = vec![0; 4 * width * height];
        assert!(bgrx(&buf, 4 * width, size, MediaTime::ZERO).is_ok());
        assert!(matches!(bgrx(&buf[1..], 4 * width, size, MediaTime::ZERO), Err(Error::Length { .. })));
        assert!(matches!(bgrx(&buf, 4 * width - 1, size, MediaTime::ZERO), Err(Error::Length { .. })));
        assert!(matches!(bgrx(&buf, usize::MAX, size, MediaTime::ZERO), Err(Error::Length { .. })));
    }
}
