//! The app's icon: a screen that talks.

use std::path::Path;

use crate::canvas::{Canvas, Point, Pose, fade, mix, rgb, shape, smooth};

const SIDE: usize = 256;

pub(crate) fn save(file: &Path) -> anyhow::Result<()> {
    // Drawn twice, on black and on white: where the two differ it is transparent.
    let (dark, light) = (draw(0.0), draw(1.0));
    let mut image = image::RgbaImage::new(SIDE as u32, SIDE as u32);
    for ((pixel, on_dark), on_light) in image.pixels_mut().zip(&dark.pixels).zip(&light.pixels) {
        let opacity = (1.0 - (on_light[1] - on_dark[1])).clamp(0.0, 1.0);
        let level = |value: f32| (value * 255.0).round().clamp(0.0, 255.0) as u8;
        let part = |index: usize| level(if opacity > 0.0 { on_dark[index] / opacity } else { 0.0 });
        pixel.0 = [part(0), part(1), part(2), level(opacity)];
    }
    image.save(file)?;
    Ok(())
}

fn draw(background: f32) -> Canvas {
    let mut canvas = Canvas::new(SIDE, SIDE);
    canvas.pixels.fill([background; 3]);
    let pose = Pose { origin: (128.0, 128.0), angle: 0.0, scale: 1.0 };
    let around = ((0.0, 0.0), (126.0, 126.0));
    let tile = |at: Point| shape::round_box(at, (0.0, 0.0), (118.0, 118.0), 54.0);
    canvas.fill(pose, around, tile, |(x, y)| mix(rgb(0x35_b3a6), rgb(0x1d_5f8f), (x * 0.35 + y + 118.0) / 250.0));
    // A speech bubble that is a screen, with the face of whoever calls.
    let bubble = |at: Point| {
        let screen = shape::round_box(at, (0.0, -12.0), (82.0, 62.0), 26.0);
        let tail = ((at.0 + 18.0).abs() * 0.9 + (at.1 - 56.0) * 0.62 - 10.0).max(20.0 - at.1).max(at.1 - 82.0);
        shape::joined(screen, tail + 6.0, 10.0)
    };
    canvas.fill(pose, around, |at| bubble((at.0, at.1 - 6.0)), |_| fade(rgb(0x0b_2a44), 0.25));
    canvas.fill(pose, around, bubble, |_| rgb(0xff_fbf2));
    for side in [-1.0, 1.0] {
        canvas.fill(pose, around, |at| shape::ellipse(at, (side * 29.0, -26.0), (9.5, 13.0)), |_| rgb(0x1c_3f5f));
        canvas.fill(pose, around, |at| shape::circle(at, (side * 29.0 - 3.0, -31.0), 3.6), |_| rgb(0xff_ffff));
        canvas.fill(
            pose,
            around,
            |at| shape::circle(at, (side * 50.0, -4.0), 13.0),
            |(x, y)| fade(rgb(0xff_8f78), 0.75 * (1.0 - smooth(3.0, 13.0, shape::length((x - side * 50.0, y + 4.0))))),
        );
    }
    let mouth = |at: Point| shape::ellipse(at, (0.0, 4.0), (27.0, 27.0)).max(4.0 - at.1) - 3.0;
    canvas.fill(pose, around, mouth, |_| rgb(0xd9_4f55));
    canvas.fill(pose, around, |at| mouth(at).max(shape::ellipse(at, (0.0, 33.0), (17.0, 12.0))), |_| rgb(0xff_9a8c));
    canvas
}
