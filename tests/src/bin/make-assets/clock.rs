//! The clock in the picture: minutes, seconds and frames, drawn with round strokes.

use crate::canvas::{Canvas, Point, Pose, fade, rgb, shape};

/// How far one character is from the next, in units of its height.
const ADVANCE: f32 = 0.72;
const THICKNESS: f32 = 0.075;

/// Draws "mm:ss.ff" around `centre` on a dark plate, in digits `height` pixels high.
pub(crate) fn draw(canvas: &mut Canvas, centre: Point, height: f32, frame: u32, frames_per_second: u32) {
    let (seconds, part) = (frame / frames_per_second, frame % frames_per_second);
    let text = format!("{:02}:{:02}.{part:02}", seconds / 60, seconds % 60);
    let width = text.chars().map(advance).sum::<f32>() * height;
    let plate = (width / 2.0 + height * 0.42, height * 0.82);
    canvas.fill(Pose::FLAT, (centre, plate), |at| shape::round_box(at, centre, plate, plate.1), |_| fade(rgb(0x10_1426), 0.78));
    let mut x = centre.0 - width / 2.0;
    for character in text.chars() {
        let step = advance(character) * height;
        let pose = Pose { origin: (x + step / 2.0, centre.1), angle: 0.0, scale: height };
        canvas.fill(pose, ((0.0, 0.0), (0.5, 0.6)), |at| distance(character, at) - THICKNESS, |_| rgb(0xff_ffff));
        x += step;
    }
}

fn advance(character: char) -> f32 {
    if character.is_ascii_digit() { ADVANCE } else { ADVANCE * 0.52 }
}

/// Distance to the strokes of a character that is 1 high and centred.
fn distance(character: char, at: Point) -> f32 {
    const TOP: f32 = -0.42;
    const LOW: f32 = 0.42;
    let line = |a: Point, b: Point| shape::segment(at, a, b);
    let ring = |centre: Point, radii: Point| shape::ellipse(at, centre, radii).abs();
    // A ring of which only the part where `keep` is positive is drawn.
    let arc = |centre: Point, radii: Point, keep: fn(Point) -> bool| if keep(at) { ring(centre, radii) } else { f32::MAX };
    match character {
        '0' => ring((0.0, 0.0), (0.24, 0.42)),
        '1' => line((0.04, TOP), (0.04, LOW)).min(line((0.04, TOP), (-0.14, -0.27))),
        '2' => arc((0.0, -0.19), (0.23, 0.23), |(x, y)| y < -0.19 || (x > 0.0 && y < -0.06))
            .min(line((0.2, -0.07), (-0.24, LOW)))
            .min(line((-0.24, LOW), (0.24, LOW))),
        '3' => arc((-0.02, -0.21), (0.22, 0.21), |(x, y)| x > -0.02 || y < -0.28)
            .min(arc((-0.02, 0.21), (0.25, 0.21), |(x, y)| x > -0.02 || y > 0.28))
            .min(line((-0.02, 0.0), (-0.1, 0.0))),
        '4' => line((0.1, TOP), (-0.25, 0.16)).min(line((-0.25, 0.16), (0.26, 0.16))).min(line((0.1, TOP), (0.1, LOW))),
        '5' => line((0.2, TOP), (-0.17, TOP)).min(line((-0.17, TOP), (-0.2, -0.05))).min(arc(
            (-0.02, 0.15),
            (0.26, 0.27),
            |(x, y)| x > -0.02 || y > 0.26 || (y < 0.0 && x > -0.2),
        )),
        '6' => ring((0.0, 0.17), (0.24, 0.25)).min(shape::curve(at, (0.1, TOP), (-0.16, -0.2), (-0.235, 0.12))),
        '7' => line((-0.24, TOP), (0.24, TOP)).min(line((0.24, TOP), (-0.08, LOW))),
        '8' => ring((0.0, -0.21), (0.205, 0.21)).min(ring((0.0, 0.205), (0.245, 0.215))),
        '9' => ring((0.0, -0.17), (0.24, 0.25)).min(shape::curve(at, (-0.1, LOW), (0.16, 0.2), (0.235, -0.12))),
        ':' => shape::length((at.0, at.1 + 0.17)).min(shape::length((at.0, at.1 - 0.21))) - 0.01,
        _ => shape::length((at.0, at.1 - LOW)) - 0.01,
    }
}
