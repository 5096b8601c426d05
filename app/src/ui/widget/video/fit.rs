//! Where a picture of one shape goes in a space of another.

use codecs::Size;
use iced::Rectangle;

/// Where to draw and which part of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placed {
    /// On the screen.
    pub bounds: Rectangle,
    /// Of the picture, each side from 0 to 1.
    pub crop: Rectangle,
}

/// Fits the whole picture in (bars at two sides), or covers the space (two edges lost).
pub fn place(size: Size, space: Rectangle, covers: bool) -> Placed {
    let whole = Rectangle { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };
    if space.width <= 0.0 || space.height <= 0.0 {
        return Placed { bounds: space, crop: whole };
    }
    let shape = size.width as f32 / size.height as f32;
    let room = space.width / space.height;
    if covers {
        let (width, height) = if room > shape { (1.0, shape / room) } else { (room / shape, 1.0) };
        let crop = Rectangle { x: (1.0 - width) / 2.0, y: (1.0 - height) / 2.0, width, height };
        return Placed { bounds: space, crop };
    }
    let (width, height) = if room > shape { (space.height * shape, space.height) } else { (space.width, space.width / shape) };
    let bounds =
        Rectangle { x: space.x + (space.width - width) / 2.0, y: space.y + (space.height - height) / 2.0, width, height };
    Placed { bounds, crop: whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(width: f32, height: f32) -> Rectangle {
        Rectangle { x: 10.0, y: 20.0, width, height }
    }

    #[test]
    fn the_whole_picture_is_centred_between_bars() {
        let wide = place(Size::VGA, space(1000.0, 300.0), false);
        assert_eq!(wide.bounds, Rectangle { x: 310.0, y: 20.0, width: 400.0, height: 300.0 });
        let tall = place(Size::VGA, space(400.0, 1000.0), false);
        assert_eq!(tall.bounds, Rectangle { x: 10.0, y: 370.0, width: 400.0, height: 300.0 });
        assert_eq!(tall.crop, Rectangle { x: 0.0, y: 0.0, width: 1.0, height: 1.0 });
    }

    #[test]
    fn covering_loses_two_edges_evenly() {
        let square = place(Size::VGA, space(300.0, 300.0), true);
        assert_eq!(square.bounds, space(300.0, 300.0));
        assert_eq!(square.crop, Rectangle { x: 0.125, y: 0.0, width: 0.75, height: 1.0 });
        let wide = place(Size::VGA, space(800.0, 300.0), true);
        assert_eq!(wide.crop, Rectangle { x: 0.0, y: 0.25, width: 1.0, height: 0.5 });
    }

    #[test]
    fn no_space_is_no_trouble() {
        assert_eq!(place(Size::VGA, space(0.0, 0.0), false).bounds, space(0.0, 0.0));
    }
}
