//! The CPU's way: a frame becomes an image of just the pixels it takes on the screen, once per frame.

use codecs::{
    Frame,
    convert::{self, Scaler},
};
use iced::{Rectangle, advanced::image::Handle};

use super::{Look, fit};

/// An image and where it goes.
#[derive(Debug, Clone)]
pub struct Picture {
    pub handle: Handle,
    /// In logical pixels; the image has exactly the pixels these are.
    pub bounds: Rectangle,
}

#[derive(Default)]
pub struct Painter {
    scaler: Option<Scaler>,
    painted: Option<(Key, Picture)>,
}

/// What a picture depends on: painted again only when some of it changes.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Key {
    generation: u64,
    space: Rectangle,
    look: Look,
}

impl Painter {
    pub fn picture(&self) -> Option<&Picture> {
        self.painted.as_ref().map(|(_, picture)| picture)
    }

    /// Nothing is shown any more.
    pub fn forget(&mut self) {
        self.painted = None;
    }

    pub fn paint(&mut self, frame: &Frame, generation: u64, space: Rectangle, look: Look) {
        let key = Key { generation, space, look };
        if self.painted.as_ref().is_some_and(|(painted, _)| *painted == key) {
            return;
        }
        self.painted = self.image(frame, space, look).map(|picture| (key, picture));
    }

    fn image(&mut self, frame: &Frame, space: Rectangle, look: Look) -> Option<Picture> {
        let placed = fit::place(frame.size(), space, look.covers);
        // The size of the whole frame at which the part shown has just the pixels it gets.
        let even = |length: f32| ((length / 2.0).round() as u32 * 2).max(2);
        let shown = (even(placed.bounds.width * look.scale), even(placed.bounds.height * look.scale));
        let whole = (even(shown.0 as f32 / placed.crop.width), even(shown.1 as f32 / placed.crop.height));
        let size = codecs::Size::new(whole.0, whole.1).ok()?;
        let scaled;
        let frame = if size == frame.size() {
            frame
        } else {
            scaled = self.scaler.get_or_insert_with(Scaler::new).scale(frame, size).ok()?;
            &scaled
        };
        let mut pixels = Vec::new();
        convert::rgba(frame, &mut pixels).ok()?;
        let mut canvas = Canvas { pixels, width: whole.0 as usize, height: whole.1 as usize };
        canvas.crop((whole.0 - shown.0) as usize / 2, (whole.1 - shown.1) as usize / 2, shown.0 as usize, shown.1 as usize);
        if look.mirrored {
            canvas.mirror();
        }
        canvas.round(look.radius * look.scale);
        let bounds = Rectangle {
            x: (placed.bounds.x * look.scale).round() / look.scale,
            y: (placed.bounds.y * look.scale).round() / look.scale,
            width: shown.0 as f32 / look.scale,
            height: shown.1 as f32 / look.scale,
        };
        Some(Picture { handle: Handle::from_rgba(shown.0, shown.1, canvas.pixels), bounds })
    }
}

/// RGBA pixels, rows one after the other.
struct Canvas {
    pixels: Vec<u8>,
    width: usize,
    height: usize,
}

impl Canvas {
    fn crop(&mut self, left: usize, top: usize, width: usize, height: usize) {
        if (width, height) == (self.width, self.height) {
            return;
        }
        for row in 0..height {
            let start = ((top + row) * self.width + left) * 4;
            self.pixels.copy_within(start..start + width * 4, row * width * 4);
        }
        self.pixels.truncate(width * height * 4);
        (self.width, self.height) = (width, height);
    }

    fn mirror(&mut self) {
        for row in self.pixels.chunks_exact_mut(self.width * 4) {
            let (pixels, _) = row.as_chunks_mut::<4>();
            pixels.reverse();
        }
    }

    /// Lets the ground shine through at the corners; tiny-skia can't round an image.
    fn round(&mut self, radius: f32) {
        let radius = radius.min(self.width as f32 / 2.0).min(self.height as f32 / 2.0);
        let reach = radius.ceil() as usize;
        for y in 0..reach {
            for x in 0..reach {
                let (dx, dy) = (radius - x as f32 - 0.5, radius - y as f32 - 0.5);
                let cover = (radius - dx.hypot(dy) + 0.5).clamp(0.0, 1.0);
                if cover < 1.0 && dx > 0.0 && dy > 0.0 {
                    let alpha = (cover * 255.0) as u8;
                    let (right, bottom) = (self.width - 1 - x, self.height - 1 - y);
                    for (x, y) in [(x, y), (right, y), (x, bottom), (right, bottom)] {
                        self.pixels[(y * self.width + x) * 4 + 3] = alpha;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canvas(width: usize, height: usize) -> Canvas {
        let pixels = (0..width * height).flat_map(|pixel| [pixel as u8, 0, 0, 255]).collect();
        Canvas { pixels, width, height }
    }

    fn reds(canvas: &Canvas) -> Vec<u8> {
        canvas.pixels.iter().step_by(4).copied().collect()
    }

    #[test]
    fn a_mirror_swaps_left_and_right() {
        let mut canvas = canvas(3, 2);
        canvas.mirror();
        assert_eq!(reds(&canvas), [2, 1, 0, 5, 4, 3]);
    }

    #[test]
    fn cropping_keeps_the_middle() {
        let mut canvas = canvas(4, 3);
        canvas.crop(1, 1, 2, 2);
        assert_eq!(reds(&canvas), [5, 6, 9, 10]);
    }

    #[test]
    fn only_the_corners_are_rounded() {
        let mut canvas = canvas(20, 20);
        canvas.round(6.0);
        let alpha = |x: usize, y: usize| canvas.pixels[(y * 20 + x) * 4 + 3];
        for (x, y) in [(0, 0), (19, 0), (0, 19), (19, 19)] {
            assert_eq!(alpha(x, y), 0);
        }
        assert_eq!(alpha(10, 0), 255);
        assert_eq!(alpha(0, 10), 255);
        assert_eq!(alpha(5, 5), 255);
        canvas.round(1000.0);
    }
}
