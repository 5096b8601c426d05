//! Pictures that others sent, made ready to be drawn: bounded, whatever they say of themselves.

use std::io::Cursor;

use codecs::convert::{Photo, photo};
use iced::widget::image::Handle;
use image::{DynamicImage, ImageFormat, ImageReader, Limits, RgbaImage, metadata::Orientation};

/// Widest and highest picture that is looked at at all, in pixels.
const SIDE_MAX: u32 = 10_000;

/// Memory it may take to read one, in bytes.
const MEMORY_MAX: u64 = 256 << 20;

/// Memory that a progressive JPEG takes for each pixel while it is read, in bytes.
const JPEG_PIXEL: u64 = 6;

/// What is drawn has no longer side, in pixels: a bubble's width on a fine screen.
const SHOWN: u32 = 800;

/// A picture as it is drawn.
#[derive(Debug, Clone)]
pub struct Picture {
    pub handle: Handle,
    pub width: u32,
    pub height: u32,
}

/// Reads a PNG or a JPEG; none where it is neither, or is too large.
pub fn decode(bytes: &[u8]) -> Option<Picture> {
    let picture = match image::guess_format(bytes).ok()? {
        ImageFormat::Jpeg => jpeg(bytes)?,
        _ => png(bytes)?,
    };
    let picture = if picture.width().max(picture.height()) > SHOWN { picture.thumbnail(SHOWN, SHOWN) } else { picture };
    let picture = picture.into_rgba8();
    let (width, height) = picture.dimensions();
    (width > 0 && height > 0).then(|| Picture { handle: Handle::from_rgba(width, height, picture.into_raw()), width, height })
}

fn png(bytes: &[u8]) -> Option<DynamicImage> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Png);
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(MEMORY_MAX);
    reader.limits(limits);
    reader.decode().ok()
}

fn jpeg(bytes: &[u8]) -> Option<DynamicImage> {
    let Photo { width, height, rgba } = photo(bytes, (MEMORY_MAX / JPEG_PIXEL) as usize, SHOWN as usize).ok()?;
    let mut picture = DynamicImage::from(RgbaImage::from_raw(u32::try_from(width).ok()?, u32::try_from(height).ok()?, rgba)?);
    if let Some(turned) = orientation(bytes) {
        picture.apply_orientation(turned);
    }
    Some(picture)
}

/// How a JPEG says it is to be turned: a camera notes how it was held in the Exif data (JEITA CP-3451, 4.6.4).
fn orientation(jpeg: &[u8]) -> Option<Orientation> {
    const TAG: u16 = 0x0112;
    let mut rest = jpeg.get(2..)?;
    let exif = loop {
        let (head, after) = rest.split_at_checked(4)?;
        let length = usize::from(u16::from_be_bytes([head[2], head[3]])).checked_sub(2)?;
        let (segment, next) = after.split_at_checked(length)?;
        match (head[0], head[1]) {
            (0xff, 0xe1) if segment.starts_with(b"Exif\0\0") => break segment.get(6..)?,
            // The picture itself begins, or it makes no sense.
            (0xff, 0xda) | (0..=0xfe, _) => return None,
            _ => rest = next,
        }
    };
    let little = exif.starts_with(b"II");
    let number = |at: usize, length: usize| {
        let bytes = exif.get(at..at.checked_add(length)?)?.iter();
        let add = |sum: usize, byte: &u8| sum << 8 | usize::from(*byte);
        Some(if little { bytes.rev().fold(0, add) } else { bytes.fold(0, add) })
    };
    let table = number(4, 4)?;
    let mut entries = (0..number(table, 2)?).filter_map(|index| table.checked_add(2 + 12 * index));
    let entry = entries.find(|at| number(*at, 2) == Some(usize::from(TAG)))?;
    Orientation::from_exif(u8::try_from(number(entry.checked_add(8)?, 2)?).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        RgbaImage::new(width, height).write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    /// A gray JPEG of 24x8 pixels in one scan, as small as it gets.
    fn small_jpeg() -> Vec<u8> {
        let mut bytes = vec![0xff, 0xd8, 0xff, 0xdb, 0, 67, 0];
        bytes.extend([1; 64]);
        bytes.extend([0xff, 0xc0, 0, 11, 8, 0, 8, 0, 24, 1, 1, 0x11, 0]);
        // Two codes: no difference in brightness, and no detail.
        for class in [0x00, 0x10] {
            bytes.extend([0xff, 0xc4, 0, 20, class, 1]);
            bytes.extend([0; 15]);
            bytes.push(0);
        }
        bytes.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0b0000_0011, 0xff, 0xd9]);
        bytes
    }

    /// With Exif data that says how it is to be turned.
    fn turned(jpeg: &[u8], how: u8, little: bool) -> Vec<u8> {
        let mut exif = b"Exif\0\0".to_vec();
        exif.extend(if little { b"II\x2a\0\x08\0\0\0\x02\0" } else { b"MM\0\x2a\0\0\0\x08\0\x02" });
        let entry = |tag: u16, value: u16| {
            let of = |number: u16| if little { number.to_le_bytes() } else { number.to_be_bytes() };
            let count = if little { [1, 0, 0, 0] } else { [0, 0, 0, 1] };
            [&of(tag)[..], &of(3), &count, &of(value), &[0, 0]].concat()
        };
        exif.extend([entry(0x0100, 24), entry(0x0112, u16::from(how))].concat());
        let length = (exif.len() as u16 + 2).to_be_bytes();
        [&jpeg[..2], &[0xff, 0xe1], &length, &exif, &jpeg[2..]].concat()
    }

    #[test]
    fn a_photo_is_drawn_as_the_camera_was_held() {
        let size = |bytes: &[u8]| decode(bytes).map(|picture| (picture.width, picture.height));
        let upright = small_jpeg();
        assert_eq!(size(&upright), Some((24, 8)));
        for little in [true, false] {
            assert_eq!(size(&turned(&upright, 1, little)), Some((24, 8)));
            assert_eq!(size(&turned(&upright, 6, little)), Some((8, 24)));
            assert_eq!(size(&turned(&upright, 200, little)), Some((24, 8)), "that means nothing");
        }
        let whole = turned(&upright, 6, true);
        for length in 0..whole.len() {
            let _ = orientation(&whole[..length]);
        }
        assert_eq!(size(&whole[..whole.len() - 3]), None, "it is cut short");
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
