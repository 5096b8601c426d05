//! Packets to frames.

use openh264::{decoder::DecodedYUV, formats::YUVSource};

use super::nal::{self, Contents};
use crate::{Color, Error, Frame, MediaTime, Size, frame};

/// Decodes one track.
///
/// After any error the decoder has nothing to build on and refuses everything up to the next keyframe: drop packets until
/// one comes, and ask the sender for it.
pub struct Decoder {
    inner: openh264::decoder::Decoder,
    /// After an error the library may go on to refuse sound pictures, once it has met a broken parameter set: the next picture
    /// gets a fresh one.
    broken: bool,
    keyframe_needed: bool,
}

/// A decoded picture, lent by the decoder until it's given the next access unit.
pub struct Picture<'a> {
    inner: DecodedYUV<'a>,
    size: Size,
    color: Color,
    time: MediaTime,
}

impl Decoder {
    /// A decoder, waiting for a keyframe.
    ///
    /// # Errors
    /// [`Error::H264Setup`] when the library can't be set up.
    pub fn new() -> Result<Self, Error> {
        Ok(Self { inner: open()?, broken: false, keyframe_needed: true })
    }

    /// Decodes one whole access unit in Annex B form; `None` when it holds parameter sets alone.
    ///
    /// `color` and `time` are the picture's, from whatever carries the packet.
    ///
    /// # Errors
    /// [`Error::KeyframeNeeded`] for a packet that builds on frames not decoded, [`Error::Size`] for a picture that is no
    /// [`Size`], and [`Error::H264Syntax`], [`Error::H264Unit`], [`Error::H264Incomplete`] or [`Error::H264Decode`] for
    /// one that is broken.
    pub fn decode(&mut self, access_unit: &[u8], color: Color, time: MediaTime) -> Result<Option<Picture<'_>>, Error> {
        // Both are put back once the picture is there: every way out on an error leaves them set.
        let needed = std::mem::replace(&mut self.keyframe_needed, true);
        let contents = nal::inspect(access_unit)?;
        if contents == Contents::Picture && needed {
            return Err(Error::KeyframeNeeded);
        }
        if std::mem::replace(&mut self.broken, true) {
            self.inner = open()?;
        }
        let decoded = self.inner.decode(access_unit).map_err(|error| Error::H264Decode { state: error.native_code() })?;
        let picture = match (decoded, contents) {
            (Some(decoded), _) => Some(Picture::new(decoded, color, time)?),
            (None, Contents::Parameters) => None,
            (None, Contents::Picture | Contents::Keyframe) => return Err(Error::H264Incomplete),
        };
        self.broken = false;
        self.keyframe_needed = needed && contents == Contents::Parameters;
        Ok(picture)
    }
}

impl<'a> Picture<'a> {
    /// Checks what the library says of its picture, so that it can be copied without a second look.
    fn new(inner: DecodedYUV<'a>, color: Color, time: MediaTime) -> Result<Self, Error> {
        let (width, height) = inner.dimensions_i32();
        let side = |side: i32| u32::try_from(side).unwrap_or(0);
        let size = Size::new(side(width), side(height))?;
        frame::check_planes(size, (inner.y(), inner.u(), inner.v()), inner.strides())?;
        Ok(Self { inner, size, color, time })
    }
}

impl Picture<'_> {
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

    /// The Y plane; see [`Self::strides`].
    #[must_use]
    pub fn y(&self) -> &[u8] {
        self.inner.y()
    }

    /// The U plane; see [`Self::strides`].
    #[must_use]
    pub fn u(&self) -> &[u8] {
        self.inner.u()
    }

    /// The V plane; see [`Self::strides`].
    #[must_use]
    pub fn v(&self) -> &[u8] {
        self.inner.v()
    }

    /// Bytes from row to row of the Y, U and V planes: more than their widths.
    #[must_use]
    pub fn strides(&self) -> (usize, usize, usize) {
        self.inner.strides()
    }

    /// A copy to keep.
    #[must_use]
    pub fn to_frame(&self) -> Frame {
        Frame::copied(self.size, self.color, self.time, (self.y(), self.u(), self.v()), self.strides(), Vec::new())
    }

    /// The same into a frame that is there already, of any size: its buffer is used again.
    pub fn copy_into(&self, frame: &mut Frame) {
        let buffer = frame.take_data();
        *frame = Frame::copied(self.size, self.color, self.time, (self.y(), self.u(), self.v()), self.strides(), buffer);
    }
}

fn open() -> Result<openh264::decoder::Decoder, Error> {
    openh264::decoder::Decoder::new().map_err(Error::H264Setup)
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").field("keyframe_needed", &self.keyframe_needed).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Picture<'_> {
    /// Everything but the pixels.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Picture")
            .field("size", &self.size)
            .field("color", &self.color)
            .field("time", &self.time)
            .finish_non_exhaustive()
    }
}
