//! A picture to paint on: shapes are signed distances, so that every edge is smooth at no cost.

/// x to the right and y down, in pixels.
pub(crate) type Point = (f32, f32);

/// Red, green, blue and opacity, 0 to 1.
pub(crate) type Paint = [f32; 4];

/// An RGB picture.
#[derive(Clone)]
pub(crate) struct Canvas {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<[f32; 3]>,
}

/// Where a drawing's own coordinates lie on the canvas.
#[derive(Clone, Copy)]
pub(crate) struct Pose {
    /// Where its origin comes to lie.
    pub(crate) origin: Point,
    /// Clockwise, in radians.
    pub(crate) angle: f32,
    /// Canvas pixels per unit.
    pub(crate) scale: f32,
}

impl Canvas {
    pub(crate) fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![[0.0; 3]; width * height] }
    }

    /// Fills `shape` (distance to its edge, negative within) with what `paint` says; both see the drawing's own coordinates.
    /// Only the box of `reach` units around `centre` is looked at.
    pub(crate) fn fill(
        &mut self,
        pose: Pose,
        (centre, reach): (Point, Point),
        shape: impl Fn(Point) -> f32,
        paint: impl Fn(Point) -> Paint,
    ) {
        let (sin, cos) = pose.angle.sin_cos();
        let (cx, cy) = pose.to_canvas(centre);
        let half_width = (reach.0 * cos.abs() + reach.1 * sin.abs()) * pose.scale + 2.0;
        let half_height = (reach.0 * sin.abs() + reach.1 * cos.abs()) * pose.scale + 2.0;
        let (left, right) = span(cx, half_width, self.width);
        let (top, bottom) = span(cy, half_height, self.height);
        for row in top..bottom {
            for column in left..right {
                let at = pose.on_drawing((column as f32 + 0.5, row as f32 + 0.5));
                let coverage = (0.5 - shape(at) * pose.scale).clamp(0.0, 1.0);
                if coverage <= 0.0 {
                    continue;
                }
                let [red, green, blue, opacity] = paint(at);
                let weight = coverage * opacity;
                let pixel = &mut self.pixels[row * self.width + column];
                for (below, above) in pixel.iter_mut().zip([red, green, blue]) {
                    *below += (above - *below) * weight;
                }
            }
        }
    }
}

impl Pose {
    /// The canvas itself.
    pub(crate) const FLAT: Self = Self { origin: (0.0, 0.0), angle: 0.0, scale: 1.0 };

    fn to_canvas(self, (x, y): Point) -> Point {
        let (sin, cos) = self.angle.sin_cos();
        (self.origin.0 + self.scale * (x * cos - y * sin), self.origin.1 + self.scale * (x * sin + y * cos))
    }

    fn on_drawing(self, (x, y): Point) -> Point {
        let (sin, cos) = self.angle.sin_cos();
        let (x, y) = ((x - self.origin.0) / self.scale, (y - self.origin.1) / self.scale);
        (x * cos + y * sin, y * cos - x * sin)
    }
}

fn span(centre: f32, half: f32, length: usize) -> (usize, usize) {
    let clip = |edge: f32| edge.clamp(0.0, length as f32) as usize;
    (clip((centre - half).floor()), clip((centre + half).ceil()))
}

/// An opaque colour from its hexadecimal form.
pub(crate) fn rgb(hex: u32) -> Paint {
    let part = |shift: u32| ((hex >> shift) & 0xff) as f32 / 255.0;
    [part(16), part(8), part(0), 1.0]
}

/// The same colour, more or less opaque.
pub(crate) const fn fade([red, green, blue, opacity]: Paint, by: f32) -> Paint {
    [red, green, blue, opacity * by]
}

/// `from` at 0 to `to` at 1.
pub(crate) fn mix(from: Paint, to: Paint, at: f32) -> Paint {
    let at = at.clamp(0.0, 1.0);
    std::array::from_fn(|i| from[i] + (to[i] - from[i]) * at)
}

/// 0 below `from`, 1 above `to`, smooth between.
pub(crate) fn smooth(from: f32, to: f32, at: f32) -> f32 {
    let t = ((at - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Distances to the edges of simple shapes, negative within.
pub(crate) mod shape {
    use super::Point;

    pub(crate) fn length((x, y): Point) -> f32 {
        x.hypot(y)
    }

    pub(crate) fn circle((x, y): Point, (cx, cy): Point, radius: f32) -> f32 {
        length((x - cx, y - cy)) - radius
    }

    /// Close to the true distance near the edge, which is where it counts.
    pub(crate) fn ellipse((x, y): Point, (cx, cy): Point, (rx, ry): Point) -> f32 {
        let (x, y) = (x - cx, y - cy);
        let (outer, slope) = (length((x / rx, y / ry)), length((x / (rx * rx), y / (ry * ry))));
        if slope <= f32::EPSILON { -rx.min(ry) } else { outer * (outer - 1.0) / slope }
    }

    pub(crate) fn round_box((x, y): Point, (cx, cy): Point, (half_width, half_height): Point, corner: f32) -> f32 {
        let (dx, dy) = ((x - cx).abs() - half_width + corner, (y - cy).abs() - half_height + corner);
        length((dx.max(0.0), dy.max(0.0))) + dx.max(dy).min(0.0) - corner
    }

    /// Distance to the line from `a` to `b`, before any thickness is taken off.
    pub(crate) fn segment((x, y): Point, a: Point, b: Point) -> f32 {
        let (along, from) = ((b.0 - a.0, b.1 - a.1), (x - a.0, y - a.1));
        let square = along.0 * along.0 + along.1 * along.1;
        let t = if square > 0.0 { ((from.0 * along.0 + from.1 * along.1) / square).clamp(0.0, 1.0) } else { 0.0 };
        length((from.0 - along.0 * t, from.1 - along.1 * t))
    }

    /// Distance to a curve from `a` to `b` that is pulled towards `pull`.
    pub(crate) fn curve(at: Point, a: Point, pull: Point, b: Point) -> f32 {
        const STEPS: u8 = 14;
        let on = |step: u8| {
            let t = f32::from(step) / f32::from(STEPS);
            let (u, v, w) = ((1.0 - t) * (1.0 - t), 2.0 * t * (1.0 - t), t * t);
            (u * a.0 + v * pull.0 + w * b.0, u * a.1 + v * pull.1 + w * b.1)
        };
        (0..STEPS).map(|step| segment(at, on(step), on(step + 1))).fold(f32::MAX, f32::min)
    }

    /// Both shapes, grown together where they meet, over about `width` units.
    pub(crate) fn joined(a: f32, b: f32, width: f32) -> f32 {
        let h = (0.5 + 0.5 * (b - a) / width).clamp(0.0, 1.0);
        b + (a - b) * h - width * h * (1.0 - h)
    }
}
