//! Pictures smaller than the camera gives them, where the path takes no larger ones.

use codecs::{Error, Frame, Size, convert::Scaler};

/// Scales pictures down.
#[derive(Debug, Default)]
pub(super) struct Shrink(Scaler);

impl Shrink {
    /// The picture at the width of `most` and in its own proportions; `None` if it is no wider anyway.
    pub(super) fn apply(&mut self, frame: &Frame, most: Size) -> Result<Option<Frame>, Error> {
        let size = frame.size();
        if size.width <= most.width {
            return Ok(None);
        }
        let height = f64::from(size.height) * f64::from(most.width) / f64::from(size.width);
        let to = Size::new(most.width, (height / 2.0).round() as u32 * 2);
        // So flat that nothing would be left of it: then it stays as it is.
        let Ok(to) = to else { return Ok(None) };
        self.0.scale(frame, to).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use codecs::{Color, MediaTime};

    use super::*;

    #[test]
    fn pictures_become_smaller_and_never_larger_and_keep_their_shape() {
        let mut shrink = Shrink::default();
        let mut to = |from: &str, most: &str| {
            let frame = Frame::new(from.parse().unwrap(), Color::default(), MediaTime(7));
            let small = shrink.apply(&frame, most.parse().unwrap()).unwrap();
            small.map(|frame| (frame.size().to_string(), frame.time().0))
        };
        assert_eq!(to("640x480", "640x480"), None);
        assert_eq!(to("64x64", "320x240"), None);
        assert_eq!(to("640x480", "320x240"), Some(("320x240".to_owned(), 7)));
        assert_eq!(to("1280x720", "480x360"), Some(("480x270".to_owned(), 7)));
        assert_eq!(to("640x16", "320x240"), None);
    }
}
