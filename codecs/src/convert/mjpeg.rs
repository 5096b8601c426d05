//! Motion JPEG to I420, from the coefficients straight to planes.

use turbojpeg::{Colorspace, Decompressor, Subsamp, YuvImage, yuv_pixels_len};

use super::average;
use crate::{Color, Error, Frame, MediaTime, Size};

/// Scans a picture may have. Cameras send one; a progressive JPEG from elsewhere has about ten, and each costs a pass over
/// the whole picture, so that a small hostile file with thousands of them would hold the thread for minutes.
const SCAN_LIMIT: u32 = 50;

/// Decodes a camera's Motion JPEG: one per camera, used for all its pictures.
///
/// Pictures come out as JPEG carries them, full range BT.601 ([`Color::JPEG`]). 4:2:2, 4:2:0, 4:4:4 and gray pictures are
/// taken; the chroma of 4:2:2 and 4:4:4 is averaged down.
#[derive(Debug)]
pub struct Mjpeg {
    /// `None` after an error: the library then goes on with the next picture from where it was in the broken one, and may
    /// take its size for another than it is.
    decompressor: Option<Decompressor>,
    /// Planes that are not 4:2:0 yet.
    planes: Vec<u8>,
}

impl Mjpeg {
    /// A decoder.
    ///
    /// # Errors
    /// [`Error::Jpeg`] without memory.
    pub fn new() -> Result<Self, Error> {
        Ok(Self { decompressor: Some(open()?), planes: Vec::new() })
    }

    /// Decodes one picture; bytes after its end are ignored.
    ///
    /// # Errors
    /// [`Error::Jpeg`] when it is no JPEG, or broken or cut short; [`Error::JpegFormat`] for chroma that cameras don't
    /// send; [`Error::Size`] when its sides are odd or out of bounds. The decoder goes on with the next picture.
    pub fn decode(&mut self, jpeg: &[u8], time: MediaTime) -> Result<Frame, Error> {
        let mut decompressor = match self.decompressor.take() {
            Some(decompressor) => decompressor,
            None => open()?,
        };
        let (size, data) = planar(&mut decompressor, jpeg, &mut self.planes)?;
        self.decompressor = Some(decompressor);
        Frame::from_data(size, Color::JPEG, time, data)
    }
}

pub(super) fn open() -> Result<Decompressor, Error> {
    let mut decompressor = Decompressor::new().map_err(Error::Jpeg)?;
    decompressor.set_scan_limit(SCAN_LIMIT).map_err(Error::Jpeg)?;
    Ok(decompressor)
}

/// The picture as I420; `planes` is for work.
fn planar(decompressor: &mut Decompressor, jpeg: &[u8], planes: &mut Vec<u8>) -> Result<(Size, Vec<u8>), Error> {
    let header = decompressor.read_header(jpeg).map_err(Error::Jpeg)?;
    let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
    let size = Size::new(side(header.width), side(header.height))?;
    let (colorspace, subsampling) = (header.colorspace, header.subsamp);
    if !matches!(colorspace, Colorspace::YCbCr | Colorspace::Gray) || header.is_lossless {
        return Err(Error::JpegFormat { colorspace, subsampling });
    }
    match subsampling {
        Subsamp::Sub2x2 => {
            // The sides are even, so the planes without alignment are I420 as it stands.
            let mut data = vec![0; size.i420_len()];
            decompress(decompressor, jpeg, size, subsampling, &mut data)?;
            Ok((size, data))
        }
        Subsamp::Sub2x1 | Subsamp::None | Subsamp::Gray => {
            planes.resize(yuv_pixels_len(header.width, 1, header.height, subsampling).map_err(Error::Jpeg)?, 0);
            decompress(decompressor, jpeg, size, subsampling, planes)?;
            Ok((size, subsample(planes, size, subsampling)))
        }
        _ => Err(Error::JpegFormat { colorspace, subsampling }),
    }
}

fn decompress(
    decompressor: &mut Decompressor,
    jpeg: &[u8],
    size: Size,
    subsamp: Subsamp,
    pixels: &mut [u8],
) -> Result<(), Error> {
    let image = YuvImage { pixels, width: size.width as usize, align: 1, height: size.height as usize, subsamp };
    but_for_padding(decompressor.decompress_to_yuv(jpeg, image))
}

/// Some cameras pad the coded data. The picture is whole, and libjpeg only warns of it, but this binding reports warnings as
/// errors and tells them apart by their text alone.
pub(super) fn but_for_padding(result: turbojpeg::Result<()>) -> Result<(), Error> {
    match result {
        Err(turbojpeg::Error::TurboJpegError(message)) if message.contains("extraneous bytes before marker") => Ok(()),
        other => other.map_err(Error::Jpeg),
    }
}

/// I420 out of 4:2:2, 4:4:4 or gray planes.
fn subsample(planes: &[u8], size: Size, subsampling: Subsamp) -> Vec<u8> {
    let (luma, chroma) = planes.split_at(size.pixels());
    let half = size.chroma_width();
    let mut data = Vec::with_capacity(size.i420_len());
    data.extend_from_slice(luma);
    data.resize(size.i420_len(), 128);
    let rows = data[size.pixels()..].chunks_exact_mut(half);
    // U's rows and then V's: their heights are even, so no pair of rows straddles the two planes.
    match subsampling {
        Subsamp::Sub2x1 => {
            for (out, pair) in rows.zip(chroma.chunks_exact(2 * half)) {
                let (upper, lower) = pair.split_at(half);
                for ((out, &upper), &lower) in out.iter_mut().zip(upper).zip(lower) {
                    *out = average(upper, lower);
                }
            }
        }
        Subsamp::None => {
            for (out, pair) in rows.zip(chroma.chunks_exact(4 * half)) {
                let (upper, lower) = pair.split_at(2 * half);
                for ((out, upper), lower) in out.iter_mut().zip(upper.chunks_exact(2)).zip(lower.chunks_exact(2)) {
                    let sum = [upper[0], upper[1], lower[0], lower[1]].map(u16::from).iter().sum::<u16>();
                    *out = ((sum + 2) / 4) as u8;
                }
            }
        }
        _ => {}
    }
    data
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use turbojpeg::Compressor;

    use super::*;
    use crate::testing::{any_size, noise, photo, psnr};

    /// A JPEG whose planes are `frame`'s, chroma repeated to `subsamp`.
    fn jpeg(frame: &Frame, subsamp: Subsamp, quality: i32) -> Vec<u8> {
        let size = frame.size();
        let (width, height) = (size.width as usize, size.height as usize);
        let mut pixels = frame.y().to_vec();
        let (columns, rows) = match subsamp {
            Subsamp::None => (width, height),
            Subsamp::Sub2x1 => (width / 2, height),
            Subsamp::Sub1x2 => (width, height / 2),
            Subsamp::Gray => (0, 0),
            _ => (width / 2, height / 2),
        };
        for plane in [frame.u(), frame.v()] {
            for y in 0..rows {
                let row = &plane[y * height / 2 / rows * (width / 2)..][..width / 2];
                pixels.extend((0..columns).map(|x| row[x * (width / 2) / columns]));
            }
        }
        let mut compressor = Compressor::new().unwrap();
        compressor.set_quality(quality).unwrap();
        let image = YuvImage { pixels: pixels.as_slice(), width, align: 1, height, subsamp };
        compressor.compress_yuv_to_vec(image).unwrap()
    }

    #[test]
    fn every_chroma_format_comes_out_as_it_went_in() {
        let mut decoder = Mjpeg::new().unwrap();
        for size in [Size::VGA, Size::new(322, 182).unwrap(), Size::MIN, Size::new(66, 1080).unwrap()] {
            let frame = photo(size, 3);
            for subsampling in [Subsamp::Sub2x1, Subsamp::Sub2x2, Subsamp::None, Subsamp::Gray] {
                let decoded = decoder.decode(&jpeg(&frame, subsampling, 98), MediaTime(9)).unwrap();
                assert_eq!((decoded.size(), decoded.color(), decoded.time()), (size, Color::JPEG, MediaTime(9)));
                assert!(psnr(decoded.y(), frame.y()) > 45.0, "{size} {subsampling:?} luma: {}", psnr(decoded.y(), frame.y()));
                if subsampling == Subsamp::Gray {
                    assert!(decoded.u().iter().chain(decoded.v()).all(|&chroma| chroma == 128));
                } else {
                    let (u, v) = (psnr(decoded.u(), frame.u()), psnr(decoded.v(), frame.v()));
                    assert!(u > 42.0 && v > 42.0, "{size} {subsampling:?} chroma: {u} {v}");
                }
            }
        }
    }

    #[test]
    fn chroma_is_averaged_exactly() {
        let size = Size::new(20, 16).unwrap();
        let planes = noise(size.pixels() * 3, 1);
        let mean = |cells: &[usize]| {
            let sum = cells.iter().map(|&at| usize::from(planes[at])).sum::<usize>();
            ((sum + cells.len() / 2) / cells.len()) as u8
        };
        let data = subsample(&planes[..size.pixels() * 2], size, Subsamp::Sub2x1);
        assert_eq!(data[..320], planes[..320]);
        for at in 0..160 {
            let upper = 320 + at / 10 * 20 + at % 10;
            assert_eq!(data[320 + at], mean(&[upper, upper + 10]), "4:2:2 chroma {at}");
        }
        let data = subsample(&planes, size, Subsamp::None);
        for at in 0..160 {
            let upper = 320 + at / 10 * 40 + at % 10 * 2;
            assert_eq!(data[320 + at], mean(&[upper, upper + 1, upper + 20, upper + 21]), "4:4:4 chroma {at}");
        }
    }

    #[test]
    fn sizes_and_formats_that_do_not_fit_are_refused() {
        let mut decoder = Mjpeg::new().unwrap();
        let frame = photo(Size::new(64, 48).unwrap(), 1);
        let unusual = decoder.decode(&jpeg(&frame, Subsamp::Sub1x2, 90), MediaTime::ZERO);
        assert!(matches!(unusual, Err(Error::JpegFormat { subsampling: Subsamp::Sub1x2, .. })), "{unusual:?}");
        let pixels = vec![90; 33 * 20 * 3];
        let image =
            turbojpeg::Image { pixels: pixels.as_slice(), width: 33, pitch: 99, height: 20, format: turbojpeg::PixelFormat::RGB };
        let odd = decoder.decode(&turbojpeg::compress(image, 90, Subsamp::Sub2x2).unwrap(), MediaTime::ZERO);
        assert!(matches!(odd, Err(Error::Size { width: 33, height: 20 })), "{odd:?}");
    }

    #[test]
    fn camera_padding_is_no_error_but_a_missing_end_is() {
        let mut decoder = Mjpeg::new().unwrap();
        let frame = photo(Size::new(64, 48).unwrap(), 1);
        let whole = jpeg(&frame, Subsamp::Sub2x1, 90);
        let expected = decoder.decode(&whole, MediaTime::ZERO).unwrap();
        let mut padded = whole.clone();
        let end = padded.len() - 2;
        padded.splice(end..end, [0x11, 0x22, 0x33]);
        assert_eq!(decoder.decode(&padded, MediaTime::ZERO).unwrap(), expected);
        let followed = [whole.as_slice(), &[0xaa; 300]].concat();
        assert_eq!(decoder.decode(&followed, MediaTime::ZERO).unwrap(), expected);
        for length in 0..end {
            assert!(matches!(decoder.decode(&whole[..length], MediaTime::ZERO), Err(Error::Jpeg(_))), "cut at {length}");
            assert_eq!(decoder.decode(&whole, MediaTime::ZERO).unwrap(), expected, "after a cut at {length}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn broken_bytes_never_panic(size in any_size(80), damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..12)) {
            let mut bytes = jpeg(&photo(size, 2), Subsamp::Sub2x1, 80);
            for (at, value) in damage {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let mut decoder = Mjpeg::new().unwrap();
            let _ = decoder.decode(&bytes, MediaTime::ZERO);
            let whole = jpeg(&photo(Size::MIN, 2), Subsamp::Sub2x2, 80);
            prop_assert!(decoder.decode(&whole, MediaTime::ZERO).is_ok());
        }

        #[test]
        fn random_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
            prop_assert!(Mjpeg::new().unwrap().decode(&bytes, MediaTime::ZERO).is_err());
        }
    }
}
