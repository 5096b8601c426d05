//! I420 to RGBA, for screens without a shader.

use dcv_color_primitives::{ColorSpace, ImageFormat, PixelFormat, convert_image};

use crate::{Error, Frame, Matrix, Range};

/// Writes the picture as RGBA, 4 bytes a pixel, opaque, rows without gaps.
///
/// `out` is resized to fit and reused as it is: keep it from frame to frame.
///
/// # Errors
/// [`Error::Convert`], which a [`Frame`] should never bring about.
pub fn rgba(frame: &Frame, out: &mut Vec<u8>) -> Result<(), Error> {
    let size = frame.size();
    out.resize(4 * size.pixels(), 0);
    let color_space = match (frame.color().matrix, frame.color().range) {
        (Matrix::Bt601, Range::Limited) => ColorSpace::Bt601,
        (Matrix::Bt601, Range::Full) => ColorSpace::Bt601FR,
        (Matrix::Bt709, Range::Limited) => ColorSpace::Bt709,
        (Matrix::Bt709, Range::Full) => ColorSpace::Bt709FR,
    };
    let planar = ImageFormat { pixel_format: PixelFormat::I420, color_space, num_planes: 3 };
    let packed = ImageFormat { pixel_format: PixelFormat::Rgba, color_space: ColorSpace::Rgb, num_planes: 1 };
    let planes = [frame.y(), frame.u(), frame.v()];
    convert_image(size.width, size.height, &planar, None, &planes, &packed, None, &mut [out]).map_err(Error::Convert)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Color, MediaTime, Size};

    /// RGB of one YUV triple by the definition (ITU-R BT.601 and BT.709, section 3).
    fn reference(color: Color, y: u8, u: u8, v: u8) -> [f64; 3] {
        let (luma, chroma, black) = match color.range {
            Range::Limited => (219.0, 224.0, 16.0),
            Range::Full => (255.0, 255.0, 0.0),
        };
        let (red, blue) = match color.matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
        };
        let (y, u, v) = ((f64::from(y) - black) / luma, (f64::from(u) - 128.0) / chroma, (f64::from(v) - 128.0) / chroma);
        let (r, b) = (y + 2.0 * (1.0 - red) * v, y + 2.0 * (1.0 - blue) * u);
        let g = (y - red * r - blue * b) / (1.0 - red - blue);
        [r, g, b].map(|value| (255.0 * value).clamp(0.0, 255.0))
    }

    #[test]
    fn range_and_matrix_are_honoured() {
        let size = Size::new(38, 16).unwrap();
        let mut out = Vec::new();
        for range in [Range::Limited, Range::Full] {
            for matrix in [Matrix::Bt601, Matrix::Bt709] {
                let color = Color { range, matrix };
                for (y, u, v) in [(16, 128, 128), (235, 128, 128), (81, 90, 240), (145, 54, 34), (41, 240, 110), (128, 100, 150)]
                {
                    let mut frame = Frame::new(size, color, MediaTime::ZERO);
                    let planes = frame.planes_mut();
                    planes.0.fill(y);
                    planes.1.fill(u);
                    planes.2.fill(v);
                    rgba(&frame, &mut out).unwrap();
                    assert_eq!(out.len(), 4 * size.pixels());
                    let expected = reference(color, y, u, v);
                    for pixel in out.chunks(4) {
                        for (actual, expected) in pixel.iter().zip(expected) {
                            assert!(
                                (f64::from(*actual) - expected).abs() < 2.5,
                                "{color:?} {y} {u} {v}: {pixel:?}, {expected:?}"
                            );
                        }
                        assert_eq!(pixel[3], 255);
                    }
                }
            }
        }
    }

    #[test]
    fn a_used_buffer_is_resized() {
        let mut out = vec![7; 10_000];
        rgba(&Frame::new(Size::MIN, Color::default(), MediaTime::ZERO), &mut out).unwrap();
        assert_eq!(out, [0, 0, 0, 255].repeat(256));
    }
}
