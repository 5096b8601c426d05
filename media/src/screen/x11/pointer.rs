//! The pointer, which is in no window's picture.

use x11rb::{
    errors::ReplyError,
    protocol::xfixes::{ConnectionExt as _, GetCursorImageReply},
    rust_connection::RustConnection,
};

use super::{Area, Picture};

/// The pointer as it was seen last.
pub(super) struct Pointer {
    /// Whether the server tells of it.
    known: bool,
    seen: Option<Seen>,
}

struct Seen {
    image: GetCursorImageReply,
    /// Whether some of it is within the picture.
    inside: bool,
}

impl Pointer {
    pub(super) fn new(known: bool) -> Self {
        Self { known, seen: None }
    }

    /// Looks where it is and how it looks. Whether that changes the picture of `area`.
    pub(super) fn look(&mut self, connection: &RustConnection, area: Area) -> Result<bool, ReplyError> {
        if !self.known {
            return Ok(false);
        }
        let image = connection.xfixes_get_cursor_image()?.reply()?;
        let (left, top) = corner(&image, area);
        let within = |start: i32, length: u16, side: u16| start < i32::from(side) && start + i32::from(length) > 0;
        let inside = within(left, image.width, area.width) && within(top, image.height, area.height);
        let looks = |seen: &Seen| (seen.image.x, seen.image.y, seen.image.cursor_serial);
        let now = Seen { image, inside };
        let same = self.seen.as_ref().map(looks) == Some(looks(&now));
        let before = self.seen.replace(now);
        Ok(!same && (inside || before.is_some_and(|seen| seen.inside)))
    }

    /// Draws it into the picture of `area`.
    pub(super) fn draw(&self, picture: &mut Picture, area: Area) {
        let Some(Seen { image, inside: true }) = &self.seen else { return };
        let (left, top) = corner(image, area);
        for (row, line) in (top..).zip(image.cursor_image.chunks_exact(usize::from(image.width).max(1))) {
            let Some(row) = usize::try_from(row).ok().filter(|row| *row < picture.height) else { continue };
            for (column, pixel) in (left..).zip(line) {
                let Some(column) = usize::try_from(column).ok().filter(|column| *column < picture.width) else { continue };
                let at = 4 * (row * picture.width + column);
                let Some(under) = picture.pixels.get_mut(at..at + 3) else { continue };
                // Alpha, red, green, blue; the colours are multiplied by alpha already.
                let [blue, green, red, alpha] = pixel.to_le_bytes();
                for (under, over) in under.iter_mut().zip([blue, green, red]) {
                    let through = u16::from(*under) * u16::from(255 - alpha) / 255;
                    *under = u8::try_from(through + u16::from(over)).unwrap_or(u8::MAX);
                }
            }
        }
    }
}

/// Its upper left corner, seen from that of the area.
fn corner(image: &GetCursorImageReply, area: Area) -> (i32, i32) {
    let left = i32::from(image.x) - i32::from(image.xhot) - i32::from(area.x);
    let top = i32::from(image.y) - i32::from(image.yhot) - i32::from(area.y);
    (left, top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pointer_is_mixed_in_and_cut_at_the_edges() {
        // Two by two pixels, the upper half white, the lower one half of red.
        let pixels = vec![0xffff_ffff, 0xffff_ffff, 0x8080_0000, 0x8080_0000];
        let at = |x, y| GetCursorImageReply { x, y, width: 2, height: 2, cursor_image: pixels.clone(), ..Default::default() };
        let area = Area { x: 100, y: 50, width: 4, height: 4 };
        let drawn = |x, y| {
            let mut picture = Picture { width: 4, height: 4, pixels: vec![100; 64] };
            Pointer { known: true, seen: Some(Seen { image: at(x, y), inside: true }) }.draw(&mut picture, area);
            picture.pixels
        };
        let whole = drawn(101, 51);
        assert_eq!(whole[4 * 5..][..4], [255, 255, 255, 100]);
        assert_eq!(whole[4 * 9..][..4], [49, 49, 177, 100]);
        assert_eq!(whole[..20], [100; 20]);
        assert_eq!(drawn(99, 49)[..4], [49, 49, 177, 100], "its last pixel");
        assert_eq!(drawn(110, 50), [100; 64]);
        assert_eq!(drawn(-30_000, i16::MIN), [100; 64]);
    }
}
