//! From one size to another.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use super::enlarge::Enlarger;
use crate::{Error, Frame, Size};

/// Scales frames plane by plane, keeping its work buffers from frame to frame.
#[derive(Debug, Default)]
pub struct Scaler {
    resizer: Resizer,
    enlarger: Enlarger,
}

impl Scaler {
    /// A scaler.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The picture at another size, color and time kept. It is stretched when the proportions differ.
    ///
    /// # Errors
    /// [`Error::Scale`], which a [`Frame`] should never bring about.
    pub fn scale(&mut self, frame: &Frame, size: Size) -> Result<Frame, Error> {
        if frame.size() == size {
            return Ok(frame.clone());
        }
        // Bilinear with a support that grows as the picture shrinks: no aliasing when it gets smaller, and several times
        // as fast as Lanczos.
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        let larger = size.width >= frame.size().width && size.height >= frame.size().height;
        let mut scaled = Frame::new(size, frame.color(), frame.time());
        let (y, u, v) = scaled.planes_mut();
        for (from, to, divisor) in [(frame.y(), y, 1), (frame.u(), u, 2), (frame.v(), v, 2)] {
            if larger {
                self.enlarger.plane(from, (frame.size().width / divisor) as usize, to, (size.width / divisor) as usize);
                continue;
            }
            let from = TypedImageRef::<U8>::from_buffer(frame.size().width / divisor, frame.size().height / divisor, from)
                .map_err(Error::ScalePlane)?;
            let mut to =
                TypedImage::<U8>::from_buffer(size.width / divisor, size.height / divisor, to).map_err(Error::ScalePlane)?;
            // The untyped call would do, but it is compiled for every pixel type there is: two minutes of building.
            self.resizer.resize_typed(&from, &mut to, &options).map_err(Error::Scale)?;
        }
        Ok(scaled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{photo, psnr};
    use crate::{Color, MediaTime};

    #[test]
    fn color_time_and_flat_planes_are_kept() {
        let mut frame = Frame::new(Size::VGA, Color::JPEG, MediaTime(12));
        let planes = frame.planes_mut();
        planes.0.fill(77);
        planes.1.fill(33);
        planes.2.fill(201);
        let mut scaler = Scaler::new();
        for size in ["320x240", "1280x720", "16x16", "638x482", "3840x2160", "642x480", "640x480"] {
            let size = size.parse().unwrap();
            let scaled = scaler.scale(&frame, size).unwrap();
            assert_eq!((scaled.size(), scaled.color(), scaled.time()), (size, Color::JPEG, MediaTime(12)));
            assert!(scaled.y().iter().all(|&value| value == 77), "{size}");
            assert!(scaled.u().iter().all(|&value| value == 33), "{size}");
            assert!(scaled.v().iter().all(|&value| value == 201), "{size}");
        }
    }

    #[test]
    fn a_picture_survives_going_up_and_down_again() {
        let frame = photo(Size::VGA, 0);
        let mut scaler = Scaler::new();
        let larger = scaler.scale(&frame, Size::HD).unwrap();
        let again = scaler.scale(&larger, Size::VGA).unwrap();
        assert!(psnr(again.y(), frame.y()) > 30.0, "{}", psnr(again.y(), frame.y()));
        assert!(psnr(again.u(), frame.u()) > 35.0, "{}", psnr(again.u(), frame.u()));
    }

    #[test]
    fn halving_takes_the_mean() {
        let mut frame = Frame::new(Size::new(64, 64).unwrap(), Color::default(), MediaTime::ZERO);
        for (at, luma) in frame.planes_mut().0.iter_mut().enumerate() {
            *luma = if (at % 64 + at / 64) % 2 == 0 { 50 } else { 150 };
        }
        let scaled = Scaler::new().scale(&frame, Size::new(32, 32).unwrap()).unwrap();
        let inner = scaled.y().chunks(32).skip(2).take(28).flat_map(|row| &row[2..30]);
        assert!(inner.clone().all(|&luma| luma.abs_diff(100) <= 1), "{:?}", inner.collect::<Vec<_>>());
    }
}
