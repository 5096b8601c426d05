//! Turns the pictures of a camera that isn't mounted upright.

use std::{
    fmt::{self, Display, Formatter},
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use codecs::{Error, Frame, Size};

/// How far pictures are turned, clockwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Turn {
    /// They stay as they are.
    #[default]
    None,
    /// By 90 degrees.
    Right,
    /// By 180 degrees.
    Over,
    /// By 270 degrees.
    Left,
}

impl Turn {
    const ALL: [Self; 4] = [Self::None, Self::Right, Self::Over, Self::Left];

    /// Clockwise, in degrees.
    #[must_use]
    pub const fn degrees(self) -> u16 {
        self as u16 * 90
    }

    /// By 90 degrees more.
    #[must_use]
    pub fn next(self) -> Self {
        Self::ALL[(self as usize + 1) % Self::ALL.len()]
    }

    fn apply(self, frame: Frame) -> Result<Frame, Error> {
        if self == Self::None {
            return Ok(frame);
        }
        let from = frame.size();
        let to = if self == Self::Over { from } else { Size::new(from.height, from.width)? };
        let mut turned = Frame::new(to, frame.color(), frame.time());
        let (strides, to_strides) = (frame.strides(), turned.strides());
        let (y, u, v) = turned.planes_mut();
        let half = |length: u32| length as usize / 2;
        self.plane((frame.y(), strides.0), (y, to_strides.0), (from.width as usize, from.height as usize));
        self.plane((frame.u(), strides.1), (u, to_strides.1), (half(from.width), half(from.height)));
        self.plane((frame.v(), strides.2), (v, to_strides.2), (half(from.width), half(from.height)));
        Ok(turned)
    }

    /// Each plane comes with its stride; `width` and `height` are those it has before.
    fn plane(self, (from, stride): (&[u8], usize), (to, to_stride): (&mut [u8], usize), (width, height): (usize, usize)) {
        let to_width = if self == Self::Over { width } else { height };
        for (row, line) in to.chunks_mut(to_stride).enumerate() {
            for (column, pixel) in line[..to_width].iter_mut().enumerate() {
                let (x, y) = match self {
                    Self::None => (column, row),
                    Self::Right => (row, height - 1 - column),
                    Self::Over => (width - 1 - column, height - 1 - row),
                    Self::Left => (width - 1 - row, column),
                };
                *pixel = from[y * stride + x];
            }
        }
    }
}

impl Display for Turn {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.degrees().fmt(f)
    }
}

impl FromStr for Turn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let turn = Self::ALL.into_iter().find(|turn| turn.to_string() == text);
        turn.ok_or_else(|| "a picture is turned by 0, 90, 180 or 270 degrees".to_owned())
    }
}

/// How far pictures are to be turned; that may change at any time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turned(Arc<AtomicU8>);

impl Turned {
    pub(crate) fn set(&self, turn: Turn) {
        self.0.store(turn as u8, Ordering::Relaxed);
    }

    pub(crate) fn apply(&self, frame: Frame) -> Result<Frame, Error> {
        let turn = Turn::ALL.get(usize::from(self.0.load(Ordering::Relaxed)));
        turn.copied().unwrap_or_default().apply(frame)
    }
}

#[cfg(test)]
mod tests {
    use codecs::{Color, MediaTime};

    use super::*;

    /// Four columns and two rows of blocks of 16x16, each of its own luma, and chroma by columns.
    fn picture() -> Frame {
        let mut frame = Frame::new(Size::new(64, 32).unwrap(), Color::default(), MediaTime(7));
        let (stride, u_stride, _) = frame.strides();
        let (y, u, _) = frame.planes_mut();
        y.iter_mut().enumerate().for_each(|(at, luma)| *luma = (10 * (at % stride / 16) + 100 * (at / stride / 16)) as u8);
        u.iter_mut().enumerate().for_each(|(at, value)| *value = (at % u_stride / 8) as u8);
        frame
    }

    fn corners(frame: &Frame) -> [u8; 4] {
        let (width, height) = (frame.size().width as usize, frame.size().height as usize);
        [(0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)].map(|(x, y)| frame.y()[y * frame.strides().0 + x])
    }

    #[test]
    fn pictures_are_turned_clockwise() {
        let turned = |turn: Turn| turn.apply(picture()).unwrap();
        assert_eq!(corners(&turned(Turn::None)), [0, 30, 100, 130]);
        assert_eq!(corners(&turned(Turn::Right)), [100, 0, 130, 30]);
        assert_eq!(corners(&turned(Turn::Over)), [130, 100, 30, 0]);
        assert_eq!(corners(&turned(Turn::Left)), [30, 130, 0, 100]);
        let right = turned(Turn::Right);
        assert_eq!((right.size(), right.time()), (Size::new(32, 64).unwrap(), MediaTime(7)));
        assert_eq!((right.u()[0], right.u()[31 * right.strides().1]), (0, 3));
    }

    #[test]
    fn four_times_a_quarter_is_a_whole() {
        let mut turn = Turn::None;
        let mut frame = picture();
        for degrees in [90, 180, 270, 0] {
            frame = Turn::Right.apply(frame).unwrap();
            turn = turn.next();
            assert_eq!(turn.degrees(), degrees);
            assert_eq!(turn.to_string().parse(), Ok(turn));
        }
        assert_eq!(frame.data(), picture().data());
        assert!("45".parse::<Turn>().is_err());
    }
}
