//! Packets to frames.

use openh264::formats::YUVSource;

use super::nal::{self, Contents};
use crate::{Color, Error, Frame, MediaTime, Size};

/// Decodes one track.
///
/// After any error the decoder has nothing to build on and refuses everything up to the next keyframe: drop packets until
/// one comes, and ask the sender for it.
pub struct Decoder {
    /// `None` after an error: the library may go on to refuse sound pictures once it has met a broken parameter set.
    inner: Option<openh264::decoder::Decoder>,
    keyframe_needed: bool,
}

impl Decoder {
    /// A decoder, waiting for a keyframe.
    ///
    /// # Errors
    /// [`Error::H264Setup`] when the library can't be set up.
    pub fn new() -> Result<Self, Error> {
        Ok(Self { inner: Some(open()?), keyframe_needed: true })
    }

    /// Decodes one whole access unit in Annex B form; `None` when it holds parameter sets alone.
    ///
    /// `color` and `time` are the frame's, from whatever carries the packet.
    ///
    /// # Errors
    /// [`Error::KeyframeNeeded`] for a packet that builds on frames not decoded, [`Error::Size`] for a picture that is no
    /// [`Size`], and [`Error::H264Syntax`], [`Error::H264Unit`], [`Error::H264Incomplete`] or [`Error::H264Decode`] for
    /// one that is broken.
    pub fn decode(&mut self, access_unit: &[u8], color: Color, time: MediaTime) -> Result<Option<Frame>, Error> {
        // Put back once the picture is there: every way out on an error leaves it set and the library behind.
        let needed = std::mem::replace(&mut self.keyframe_needed, true);
        let contents = nal::inspect(access_unit)?;
        if contents == Contents::Picture && needed {
            return Err(Error::KeyframeNeeded);
        }
        let mut inner = match self.inner.take() {
            Some(inner) => inner,
            None => open()?,
        };
        let frame = decode(&mut inner, access_unit, contents, color, time)?;
        self.inner = Some(inner);
        self.keyframe_needed = needed && contents == Contents::Parameters;
        Ok(frame)
    }
}

fn open() -> Result<openh264::decoder::Decoder, Error> {
    openh264::decoder::Decoder::new().map_err(Error::H264Setup)
}

fn decode(
    inner: &mut openh264::decoder::Decoder,
    access_unit: &[u8],
    contents: Contents,
    color: Color,
    time: MediaTime,
) -> Result<Option<Frame>, Error> {
    let decoded = inner.decode(access_unit).map_err(|error| Error::H264Decode { state: error.native_code() })?;
    match (decoded, contents) {
        (Some(picture), _) => {
            let (width, height) = picture.dimensions_i32();
            let side = |side: i32| u32::try_from(side).unwrap_or(0);
            let size = Size::new(side(width), side(height))?;
            let planes = (picture.y(), picture.u(), picture.v());
            Frame::from_planes(size, color, time, planes, picture.strides()).map(Some)
        }
        (None, Contents::Parameters) => Ok(None),
        (None, Contents::Picture | Contents::Keyframe) => Err(Error::H264Incomplete),
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").field("keyframe_needed", &self.keyframe_needed).finish_non_exhaustive()
    }
}
