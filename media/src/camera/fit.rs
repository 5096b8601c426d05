//! Brings a camera's picture upright and to the wanted size, without stretching faces.

use codecs::{Error, Frame, Size, convert::Scaler};

use super::Turned;

/// The largest part of a picture that's cut off to fill the wanted shape: a 16:9 camera then fills 4:3 (a quarter is lost at the
/// sides). An upright phone picture doesn't, and gets black bars instead.
const MOST_CUT: f64 = 0.34;
/// Shapes that differ by less than this are taken for the same: a stretch by 2 % is invisible.
const SAME_SHAPE: f64 = 0.02;

/// Turns pictures, and scales them to one size.
pub(crate) struct Fit {
    want: Size,
    turned: Turned,
    scaler: Scaler,
}

impl Fit {
    pub(crate) fn new(want: Size, turned: Turned) -> Self {
        Self { want, turned, scaler: Scaler::default() }
    }

    /// The picture as it is to be seen; unchanged if it is that.
    pub(crate) fn apply(&mut self, frame: Frame) -> Result<Frame, Error> {
        let frame = self.turned.apply(frame)?;
        let size = frame.size();
        if size == self.want {
            return Ok(frame);
        }
        let (shape, want) = (aspect(size), aspect(self.want));
        let kept = (shape / want).min(want / shape);
        if kept > 1.0 - SAME_SHAPE {
            self.scaler.scale(&frame, self.want)
        } else if kept >= 1.0 - MOST_CUT {
            let cut = if shape > want {
                (even(f64::from(size.height) * want), size.height)
            } else {
                (size.width, even(f64::from(size.width) / want))
            };
            match crop(&frame, cut) {
                Ok(middle) => self.scaler.scale(&middle, self.want),
                // So small that what's left would be no picture any more.
                Err(_) => self.scaler.scale(&frame, self.want),
            }
        } else {
            let inner = if shape > want {
                Size::new(self.want.width, even(f64::from(self.want.width) / shape))
            } else {
                Size::new(even(f64::from(self.want.height) * shape), self.want.height)
            };
            match inner {
                Ok(inner) => frame_in(&self.scaler.scale(&frame, inner)?, self.want),
                // So narrow that nothing is to be seen of it any more: a stretched picture tells more.
                Err(_) => self.scaler.scale(&frame, self.want),
            }
        }
    }
}

fn aspect(size: Size) -> f64 {
    f64::from(size.width) / f64::from(size.height)
}

fn even(pixels: f64) -> u32 {
    (pixels / 2.0).round() as u32 * 2
}

/// The middle of a picture, not larger than it.
fn crop(frame: &Frame, (width, height): (u32, u32)) -> Result<Frame, Error> {
    let size = frame.size();
    let to = Size::new(width.min(size.width), height.min(size.height))?;
    // Chroma has half the pixels, so the first one must be even.
    let (left, top) = (((size.width - to.width) / 4 * 2) as usize, ((size.height - to.height) / 4 * 2) as usize);
    let strides = frame.strides();
    let planes = (
        &frame.y()[top * strides.0 + left..],
        &frame.u()[top / 2 * strides.1 + left / 2..],
        &frame.v()[top / 2 * strides.2 + left / 2..],
    );
    Frame::from_planes(to, frame.color(), frame.time(), planes, strides)
}

/// The picture in the middle of a black one, not smaller than it.
fn frame_in(frame: &Frame, size: Size) -> Result<Frame, Error> {
    let mut out = Frame::new(size, frame.color(), frame.time());
    let inner = frame.size();
    let (left, top) = (((size.width - inner.width) / 4 * 2) as usize, ((size.height - inner.height) / 4 * 2) as usize);
    let (from, to) = (frame.strides(), out.strides());
    let (width, height) = (inner.width as usize, inner.height as usize);
    let (y, u, v) = out.planes_mut();
    for (out, plane, from, to, left, top, width, height) in [
        (y, frame.y(), from.0, to.0, left, top, width, height),
        (u, frame.u(), from.1, to.1, left / 2, top / 2, width / 2, height / 2),
        (v, frame.v(), from.2, to.2, left / 2, top / 2, width / 2, height / 2),
    ] {
        for (out, line) in out.chunks_exact_mut(to).skip(top).zip(plane.chunks(from)).take(height) {
            out[left..left + width].copy_from_slice(&line[..width]);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use codecs::{Color, MediaTime};
    use proptest::prelude::*;

    use super::*;

    fn white(width: u32, height: u32) -> Frame {
        let mut frame = Frame::new(Size::new(width, height).unwrap(), Color::default(), MediaTime(7));
        frame.planes_mut().0.fill(235);
        frame
    }

    fn corner_and_middle(frame: &Frame) -> (u8, u8) {
        let size = frame.size();
        (frame.y()[0], frame.y()[(size.height / 2 * size.width + size.width / 2) as usize])
    }

    #[test]
    fn the_same_size_is_left_alone() {
        let frame = Fit::new(Size::new(64, 48).unwrap(), Turned::default()).apply(white(64, 48)).unwrap();
        assert_eq!(frame.data(), white(64, 48).data());
    }

    #[test]
    fn a_wide_camera_fills_the_picture_and_an_upright_one_gets_bars() {
        let want = Size::new(640, 480).unwrap();
        assert_eq!(corner_and_middle(&Fit::new(want, Turned::default()).apply(white(1280, 720)).unwrap()), (235, 235));
        let (corner, middle) = corner_and_middle(&Fit::new(want, Turned::default()).apply(white(720, 1280)).unwrap());
        assert!(corner < 20 && middle == 235, "{corner} {middle}");
    }

    #[test]
    fn what_is_cut_off_is_the_edge() {
        let mut wide = white(1280, 720);
        let luma = wide.planes_mut().0;
        for line in luma.chunks_exact_mut(1280) {
            line[..156].fill(16);
            line[1124..].fill(16);
        }
        let frame = Fit::new(Size::new(960, 720).unwrap(), Turned::default()).apply(wide).unwrap();
        assert!(frame.y().iter().all(|&luma| luma == 235));
        assert_eq!(frame.time(), MediaTime(7));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn any_size_becomes_any_other(a in 8u32..200, b in 8u32..200, c in 8u32..200, d in 8u32..200) {
            let want = Size::new(c * 2, d * 2).unwrap();
            let frame = Fit::new(want, Turned::default()).apply(white(a * 2, b * 2)).unwrap();
            prop_assert_eq!(frame.size(), want);
            prop_assert_eq!(corner_and_middle(&frame).1, 235);
        }
    }
}
