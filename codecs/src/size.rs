//! The size of a picture.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// Width and height of a picture in pixels: both even, 16x16 to 3840x2160.
///
/// Even, because 4:2:0 chroma has half the lines and columns; the lower bound is one H.264 macroblock, the upper one is
/// what openh264 encodes and as much as a stranger's stream may make this side allocate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Size {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Size {
    /// 640x480, which every webcam has.
    pub const VGA: Self = Self { width: 640, height: 480 };
    /// 1280x720.
    pub const HD: Self = Self { width: 1280, height: 720 };
    /// The smallest size: one macroblock.
    pub const MIN: Self = Self { width: 16, height: 16 };
    /// The largest size.
    pub const MAX: Self = Self { width: 3840, height: 2160 };

    /// A size, checked.
    ///
    /// # Errors
    /// [`Error::Size`] when a side is odd or out of bounds.
    pub const fn new(width: u32, height: u32) -> Result<Self, Error> {
        let inside =
            width >= Self::MIN.width && width <= Self::MAX.width && height >= Self::MIN.height && height <= Self::MAX.height;
        if inside && width.is_multiple_of(2) && height.is_multiple_of(2) {
            Ok(Self { width, height })
        } else {
            Err(Error::Size { width, height })
        }
    }

    /// Pixels in the picture, which is also the bytes of its Y plane.
    #[must_use]
    pub const fn pixels(self) -> usize {
        self.width as usize * self.height as usize
    }

    /// Bytes of the picture as I420: 12 bits a pixel.
    #[must_use]
    pub const fn i420_len(self) -> usize {
        self.pixels() + 2 * self.chroma_len()
    }

    /// Columns of a chroma plane.
    pub(crate) const fn chroma_width(self) -> usize {
        self.width as usize / 2
    }

    /// Bytes of one chroma plane.
    pub(crate) const fn chroma_len(self) -> usize {
        self.chroma_width() * (self.height as usize / 2)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl FromStr for Size {
    type Err = Error;

    /// Reads `640x480`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let (width, height) = text.split_once('x').ok_or(Error::SizeText)?;
        let side = |text: &str| text.parse::<u32>().map_err(|_| Error::SizeText);
        Self::new(side(width)?, side(height)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_even_sizes_within_bounds_exist() {
        for (width, height) in [(16, 16), (640, 480), (3840, 2160), (18, 2160)] {
            assert_eq!(Size::new(width, height).unwrap().to_string().parse::<Size>().unwrap(), Size { width, height });
        }
        for (width, height) in [(15, 16), (16, 14), (641, 480), (640, 481), (3842, 2160), (3840, 2162), (0, 0), (u32::MAX, 2)] {
            assert!(matches!(Size::new(width, height), Err(Error::Size { .. })), "{width}x{height}");
        }
    }

    #[test]
    fn text_that_is_no_size_is_refused() {
        for text in ["", "640", "640x", "x480", "640x480x2", "640*480", "-640x480", "99999999999x2"] {
            assert!(matches!(text.parse::<Size>(), Err(Error::SizeText)), "{text:?}");
        }
    }

    #[test]
    fn i420_takes_twelve_bits_a_pixel() {
        assert_eq!(Size::VGA.i420_len(), 640 * 480 * 12 / 8);
    }
}
