//! JPEG photos to RGBA, made smaller while they are decoded.

use turbojpeg::{Image, PixelFormat, ScalingFactor};

use super::mjpeg::{but_for_padding, open};
use crate::Error;

/// A photo to be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photo {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// 4 bytes a pixel, opaque, rows without gaps.
    pub rgba: Vec<u8>,
}

/// Decodes a JPEG from anywhere. Of a photo whose longer side is more than twice `side` pixels no more is made than is needed
/// for that, in eighths. What the picture says of how it is to be turned is left to the caller.
///
/// # Errors
/// [`Error::JpegPixels`] when it has more than `pixels_max`; [`Error::Jpeg`] when it is no JPEG, or broken, cut short, of more
/// scans than any camera makes, or in colors for print.
pub fn photo(jpeg: &[u8], pixels_max: usize, side: usize) -> Result<Photo, Error> {
    let mut decompressor = open()?;
    let header = decompressor.read_header(jpeg).map_err(Error::Jpeg)?;
    if header.width.saturating_mul(header.height) > pixels_max {
        return Err(Error::JpegPixels { width: header.width, height: header.height });
    }
    let whole = ScalingFactor::new(1, 1);
    let eighths = (1..8).map(|eighths| ScalingFactor::new(eighths, 8));
    let scale = eighths.filter(|_| !header.is_lossless).find(|scale| scale.scale(header.width.max(header.height)) >= side);
    let scale = scale.unwrap_or(whole);
    decompressor.set_scaling_factor(scale).map_err(Error::Jpeg)?;
    let (width, height) = (scale.scale(header.width), scale.scale(header.height));
    let mut rgba = vec![0; 4 * width * height];
    let pixels = Image { pixels: rgba.as_mut_slice(), width, pitch: 4 * width, height, format: PixelFormat::RGBA };
    but_for_padding(decompressor.decompress(jpeg, pixels))?;
    Ok(Photo { width, height, rgba })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use turbojpeg::Subsamp;

    use super::*;

    /// Red on the left, blue on the right.
    fn jpeg(width: usize, height: usize) -> Vec<u8> {
        let color = |index: usize| if index % width < width / 2 { [220, 30, 30] } else { [30, 30, 220] };
        let pixels: Vec<u8> = (0..width * height).flat_map(color).collect();
        let image = Image { pixels: pixels.as_slice(), width, pitch: 3 * width, height, format: PixelFormat::RGB };
        turbojpeg::compress(image, 90, Subsamp::Sub2x2).unwrap().to_vec()
    }

    #[test]
    fn a_photo_keeps_its_colors_and_comes_no_larger_than_wanted() {
        for (size, side, expected) in [
            ((33, 20), 100, (33, 20)),
            ((800, 600), 800, (800, 600)),
            ((1600, 1200), 800, (800, 600)),
            ((1000, 7), 120, (125, 1)),
        ] {
            let photo = photo(&jpeg(size.0, size.1), usize::MAX, side).unwrap();
            assert_eq!((photo.width, photo.height), expected);
            assert_eq!(photo.rgba.len(), 4 * photo.width * photo.height);
            let (first, last) = (&photo.rgba[..4], &photo.rgba[4 * (photo.width - 1)..4 * photo.width]);
            assert!(first[0] > 200 && first[2] < 60 && first[3] == 255, "{first:?}");
            assert!(last[0] < 60 && last[2] > 200 && last[3] == 255, "{last:?}");
        }
    }

    #[test]
    fn what_says_it_is_enormous_is_not_decoded() {
        let mut bomb = jpeg(64, 48);
        let frame = bomb.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
        bomb[frame + 5..frame + 9].fill(0xf0);
        assert!(matches!(photo(&bomb, 40_000_000, 800), Err(Error::JpegPixels { width: 61_680, height: 61_680 })));
        assert!(matches!(photo(&jpeg(64, 48), 64 * 48 - 1, 800), Err(Error::JpegPixels { .. })));
    }

    proptest! {
        #[test]
        fn broken_bytes_never_panic(damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..12)) {
            let mut bytes = jpeg(80, 40);
            for (at, value) in damage {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let _ = photo(&bytes, 10_000_000, 20);
        }

        #[test]
        fn random_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
            prop_assert!(photo(&bytes, 10_000_000, 800).is_err());
        }
    }
}
