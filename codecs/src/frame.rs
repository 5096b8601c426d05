//! One raw picture.

use std::fmt;

use crate::{Color, Error, MediaTime, Size};

/// Luma, then the two chroma planes: Y, U, V.
pub(crate) type Planes<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// Bytes from row to row of the three planes.
pub(crate) type Strides = (usize, usize, usize);

/// One raw picture in I420: a Y plane at full size, then U and V at half width and half height, one after the other
/// without gaps in one buffer.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    size: Size,
    color: Color,
    time: MediaTime,
    data: Vec<u8>,
}

impl Frame {
    /// A black picture.
    #[must_use]
    pub fn new(size: Size, color: Color, time: MediaTime) -> Self {
        let mut data = Vec::with_capacity(size.i420_len());
        data.resize(size.pixels(), color.black());
        data.resize(size.i420_len(), 128);
        Self { size, color, time, data }
    }

    /// A picture copied out of three planes with `strides` bytes from row to row.
    ///
    /// The last row of a plane may end without its padding.
    ///
    /// # Errors
    /// [`Error::Stride`] when rows overlap, [`Error::Length`] when a plane is too short.
    pub fn from_planes(size: Size, color: Color, time: MediaTime, planes: Planes<'_>, strides: Strides) -> Result<Self, Error> {
        check_planes(size, planes, strides)?;
        Ok(Self::copied(size, color, time, planes, strides, Vec::new()))
    }

    /// A picture copied out of planes that [`check_planes`] has found large enough, into a buffer that may have been used before.
    pub(crate) fn copied(
        size: Size,
        color: Color,
        time: MediaTime,
        planes: Planes<'_>,
        strides: Strides,
        mut data: Vec<u8>,
    ) -> Self {
        let (width, height) = (size.width as usize, size.height as usize);
        data.clear();
        data.reserve(size.i420_len());
        copy_plane(&mut data, planes.0, strides.0, width, height);
        copy_plane(&mut data, planes.1, strides.1, width / 2, height / 2);
        copy_plane(&mut data, planes.2, strides.2, width / 2, height / 2);
        Self { size, color, time, data }
    }

    /// A picture around a buffer that is I420 already.
    ///
    /// # Errors
    /// [`Error::Length`] when `data` is not exactly [`Size::i420_len`] long.
    pub fn from_data(size: Size, color: Color, time: MediaTime, data: Vec<u8>) -> Result<Self, Error> {
        if data.len() != size.i420_len() {
            return Err(Error::Length { expected: size.i420_len(), actual: data.len() });
        }
        Ok(Self { size, color, time, data })
    }

    /// Width and height.
    #[must_use]
    pub const fn size(&self) -> Size {
        self.size
    }

    /// How to read the values.
    #[must_use]
    pub const fn color(&self) -> Color {
        self.color
    }

    /// When it was captured, on its track's clock.
    #[must_use]
    pub const fn time(&self) -> MediaTime {
        self.time
    }

    /// Sets the time of capture.
    pub const fn set_time(&mut self, time: MediaTime) {
        self.time = time;
    }

    /// The Y plane.
    #[must_use]
    pub fn y(&self) -> &[u8] {
        &self.data[..self.size.pixels()]
    }

    /// The U plane.
    #[must_use]
    pub fn u(&self) -> &[u8] {
        &self.data[self.size.pixels()..][..self.size.chroma_len()]
    }

    /// The V plane.
    #[must_use]
    pub fn v(&self) -> &[u8] {
        &self.data[self.size.pixels() + self.size.chroma_len()..]
    }

    /// The Y, U and V planes, to write into.
    pub fn planes_mut(&mut self) -> (&mut [u8], &mut [u8], &mut [u8]) {
        let (y, chroma) = self.data.split_at_mut(self.size.pixels());
        let (u, v) = chroma.split_at_mut(self.size.chroma_len());
        (y, u, v)
    }

    /// Bytes from row to row of the Y, U and V planes: their widths.
    #[must_use]
    pub const fn strides(&self) -> (usize, usize, usize) {
        (self.size.width as usize, self.size.chroma_width(), self.size.chroma_width())
    }

    /// The whole buffer: Y, U, V.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Takes the buffer out. What's left is no picture and must be replaced at once.
    pub(crate) fn take_data(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.data)
    }

    /// The whole buffer, to use again.
    #[must_use]
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }
}

impl fmt::Debug for Frame {
    /// Everything but the pixels.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("size", &self.size)
            .field("color", &self.color)
            .field("time", &self.time)
            .finish_non_exhaustive()
    }
}

/// Whether three planes hold a picture of this size. The last row of a plane may end without its padding.
///
/// # Errors
/// [`Error::Stride`] when rows overlap, [`Error::Length`] when a plane is too short.
pub(crate) fn check_planes(size: Size, planes: Planes<'_>, strides: Strides) -> Result<(), Error> {
    let (width, height) = (size.width as usize, size.height as usize);
    check_plane(planes.0, strides.0, width, height)?;
    check_plane(planes.1, strides.1, width / 2, height / 2)?;
    check_plane(planes.2, strides.2, width / 2, height / 2)
}

fn check_plane(plane: &[u8], stride: usize, width: usize, height: usize) -> Result<(), Error> {
    if stride < width {
        return Err(Error::Stride { expected: width, actual: stride });
    }
    let expected = stride.saturating_mul(height - 1).saturating_add(width);
    if plane.len() < expected { Err(Error::Length { expected, actual: plane.len() }) } else { Ok(()) }
}

/// Appends the `width` first bytes of each of `height` rows of a plane that was checked.
fn copy_plane(out: &mut Vec<u8>, plane: &[u8], stride: usize, width: usize, height: usize) {
    if stride == width {
        out.extend_from_slice(&plane[..width * height]);
    } else {
        for row in plane.chunks(stride).take(height) {
            out.extend_from_slice(&row[..width]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Range;

    #[test]
    fn a_new_frame_is_black_in_either_range() {
        for (range, black) in [(Range::Limited, 16), (Range::Full, 0)] {
            let frame = Frame::new(Size::MIN, Color { range, ..Color::default() }, MediaTime(7));
            assert!(frame.y().iter().all(|&luma| luma == black));
            assert!(frame.u().iter().chain(frame.v()).all(|&chroma| chroma == 128));
            assert_eq!((frame.y().len(), frame.u().len(), frame.v().len()), (256, 64, 64));
            assert_eq!(frame.time(), MediaTime(7));
        }
    }

    #[test]
    fn planes_are_copied_without_their_padding() {
        let size = Size::new(16, 18).unwrap();
        let plane = |width: usize, stride: usize, height: usize, base: usize| -> Vec<u8> {
            let cell = |at: usize| if at % stride < width { (base + at / stride) as u8 } else { 0xee };
            (0..stride * (height - 1) + width).map(cell).collect()
        };
        let (y, u, v) = (plane(16, 20, 18, 0), plane(8, 8, 9, 100), plane(8, 11, 9, 200));
        let frame = Frame::from_planes(size, Color::JPEG, MediaTime::ZERO, (&y, &u, &v), (20, 8, 11)).unwrap();
        let rows = |plane: &[u8], width: usize| plane.chunks(width).map(|row| (row[0], row[width - 1])).collect::<Vec<_>>();
        assert_eq!(rows(frame.y(), 16), (0..18).map(|row| (row, row)).collect::<Vec<_>>());
        assert_eq!(rows(frame.u(), 8), (100..109).map(|row| (row, row)).collect::<Vec<_>>());
        assert_eq!(rows(frame.v(), 8), (200..209).map(|row| (row, row)).collect::<Vec<_>>());
        assert_eq!(frame.color(), Color::JPEG);
    }

    #[test]
    fn short_planes_and_overlapping_rows_are_refused() {
        let (size, plane) = (Size::MIN, [0; 256]);
        let make =
            |y: &[u8], stride| Frame::from_planes(size, Color::default(), MediaTime::ZERO, (y, &plane, &plane), (stride, 8, 8));
        assert!(make(&plane, 16).is_ok());
        assert!(matches!(make(&plane[..255], 16), Err(Error::Length { expected: 256, actual: 255 })));
        assert!(matches!(make(&plane, 15), Err(Error::Stride { expected: 16, actual: 15 })));
        assert!(matches!(make(&plane, usize::MAX), Err(Error::Length { .. })));
        assert!(matches!(Frame::from_data(size, Color::default(), MediaTime::ZERO, vec![0; 383]), Err(Error::Length { .. })));
    }
}
