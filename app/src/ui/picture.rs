//! Pictures that others sent, made ready to be drawn: bounded, whatever they say of themselves.

use std::io::Cursor;

use iced::widget::image::Handle;
use image::{ImageReader, Limits};

/// Widest and highest picture that is looked at at all, in pixels.
const SIDE_MAX: u32 = 10_000;

/// Memory it may take to read one, in bytes.
const MEMORY_MAX: u64 = 256 << 20;

/// What is drawn has no longer side, in pixels: a bubble's width on a fine screen.
const SHOWN: u32 = 800;

/// A picture as it is drawn.
#[derive(Debug, Clone)]
pub struct Picture {
    pub handle: Handle,
    pub width: u32,
    pub height: u32,
}

/// Reads a picture; none where it is none, or is too large.
pub fn decode(bytes: &[u8]) -> Option<Picture> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(MEMORY_MAX);
    reader.limits(limits);
    let picture = reader.decode().ok()?;
    let picture = if picture.width().max(picture.height()) > SHOWN { picture.thumbnail(SHOWN, SHOWN) } else { picture };
    let picture = picture.into_rgba8();
    let (width, height) = picture.dimensions();
    (width > 0 && height > 0).then(|| Picture { handle: Handle::from_rgba(width, height, picture.into_raw()), width, height })
}

#[cfg(test)]
mod tests {
    use image::{ImageFormat, RgbaImage};

    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        RgbaImage::new(width, height).write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_picture_is_made_small_enough_to_be_drawn() {
        let size = |bytes: &[u8]| decode(bytes).map(|picture| (picture.width, picture.height));
        assert_eq!(size(&png(30, 20)), Some((30, 20)));
        assert_eq!(size(&png(4000, 1000)), Some((800, 200)));
    }

    #[test]
    fn what_is_no_picture_or_says_it_is_enormous_is_not_drawn() {
        for bytes in [&b""[..], b"GIF89a", b"<svg/>", &png(30, 20)[..40]] {
            assert!(decode(bytes).is_none());
        }
        let mut bomb = png(1, 1);
        // The width and height in the header, with its checksum.
        bomb[16..20].copy_from_slice(&100_000_u32.to_be_bytes());
        bomb[20..24].copy_from_slice(&100_000_u32.to_be_bytes());
        assert!(decode(&bomb).is_none());
        assert!(decode(&png(SIDE_MAX + 1, 1)).is_none());
    }
}
