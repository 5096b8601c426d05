//! What is behind the two: out of focus, so that they stand out and the codec has little to do.

use crate::canvas::{Canvas, Paint, Point, Pose, fade, mix, rgb, shape, smooth};

/// Ana's: a wall in the morning sun, a window and a plant.
pub(crate) fn sunny(width: usize, height: usize) -> Canvas {
    let mut canvas = Canvas::new(width, height);
    wall(&mut canvas, rgb(0xff_ead2), rgb(0xf6_c39b), rgb(0xfd_f3e0));
    soft_box(&mut canvas, (96.0, 120.0), (78.0, 112.0), 14.0, fade(rgb(0xff_fdf4), 0.85));
    soft_box(&mut canvas, (96.0, 120.0), (68.0, 102.0), 10.0, rgb(0xbf_e3f2));
    soft_box(&mut canvas, (96.0, 190.0), (68.0, 32.0), 12.0, rgb(0x9f_cf9a));
    soft_box(&mut canvas, (96.0, 120.0), (3.0, 104.0), 6.0, rgb(0xff_fdf4));
    soft_box(&mut canvas, (96.0, 112.0), (70.0, 3.0), 6.0, rgb(0xff_fdf4));
    for (tip, colour) in [
        ((500.0, 210.0), 0x5d_9e6a),
        ((530.0, 168.0), 0x6d_b077),
        ((566.0, 150.0), 0x54_9462),
        ((604.0, 172.0), 0x70_b57c),
        ((626.0, 218.0), 0x5a_9a66),
    ] {
        soft_leaf(&mut canvas, (566.0, 336.0), tip, rgb(colour));
    }
    soft_box(&mut canvas, (566.0, 372.0), (40.0, 48.0), 22.0, rgb(0xd9_7b57));
    soft_box(&mut canvas, (566.0, 330.0), (46.0, 12.0), 12.0, rgb(0xe8_8f6a));
    canvas
}

/// Left edge, height and colour.
type Book = (f32, f32, u32);

/// Ben's: a room in the evening, with shelves and a lamp.
pub(crate) fn evening(width: usize, height: usize) -> Canvas {
    let mut canvas = Canvas::new(width, height);
    wall(&mut canvas, rgb(0x3b_5488), rgb(0x22_3058), rgb(0x52_74ac));
    let books: [(f32, &[Book]); 2] = [
        (
            150.0,
            &[
                (20.0, 62.0, 0xc9_5d63),
                (48.0, 74.0, 0x5b_8fb9),
                (72.0, 58.0, 0xe3_b261),
                (98.0, 70.0, 0x6f_9c7a),
                (128.0, 66.0, 0xa0_6cb0),
            ],
        ),
        (292.0, &[(18.0, 70.0, 0x5b_8fb9), (44.0, 60.0, 0xe0_8e6d), (92.0, 40.0, 0xcf_d6e4)]),
    ];
    for (shelf, row) in books {
        for &(x, tall, colour) in row {
            soft_box(&mut canvas, (x, shelf - tall / 2.0), (10.5, tall / 2.0), 5.0, mix(rgb(colour), rgb(0x2c_3d68), 0.35));
        }
        soft_box(&mut canvas, (70.0, shelf + 5.0), (96.0, 6.0), 4.0, rgb(0x6b_4c3d));
    }
    let lamp = (552.0, 150.0);
    canvas.fill(
        Pose::FLAT,
        (lamp, (230.0, 230.0)),
        |at| shape::circle(at, lamp, 230.0),
        |at| {
            let off = shape::length((at.0 - lamp.0, at.1 - lamp.1)) / 230.0;
            fade(rgb(0xff_cf7a), 0.6 * (1.0 - smooth(0.0, 1.0, off)))
        },
    );
    soft_box(&mut canvas, (552.0, 300.0), (4.0, 130.0), 5.0, rgb(0x2b_2f42));
    let shade = |(x, y): Point| ((y - 180.0).max(108.0 - y)).max((x - 552.0).abs() - 34.0 - (y - 108.0) * 0.42) - 6.0;
    canvas.fill(
        Pose::FLAT,
        (lamp, (96.0, 66.0)),
        |at| shade(at) - 8.0,
        |at| fade(mix(rgb(0xff_f2c8), rgb(0xff_c765), (at.1 - 108.0) / 72.0), 1.0 - smooth(-5.0, 8.0, shade(at))),
    );
    canvas
}

fn wall(canvas: &mut Canvas, upper: Paint, lower: Paint, bright: Paint) {
    let (width, height) = (canvas.width as f32, canvas.height as f32);
    let middle = (width / 2.0, height / 2.0);
    canvas.fill(
        Pose::FLAT,
        (middle, middle),
        |_| -1.0,
        |(x, y)| {
            let glow =
                1.0 - smooth(0.0, 1.0, shape::length(((x - width * 0.5) / (width * 0.55), (y - height * 0.42) / (height * 0.7))));
            mix(mix(upper, lower, y / height), bright, 0.8 * glow)
        },
    );
}

/// A box whose edge fades over `blur` pixels.
fn soft_box(canvas: &mut Canvas, centre: Point, half: Point, blur: f32, colour: Paint) {
    let edge = |at: Point| shape::round_box(at, centre, half, half.0.min(half.1).min(10.0));
    let reach = (half.0 + blur, half.1 + blur);
    canvas.fill(Pose::FLAT, (centre, reach), |at| edge(at) - blur, |at| fade(colour, 1.0 - smooth(-blur * 0.5, blur, edge(at))));
}

fn soft_leaf(canvas: &mut Canvas, root: Point, tip: Point, colour: Paint) {
    let (dx, dy) = (tip.0 - root.0, tip.1 - root.1);
    let long = shape::length((dx, dy)) / 2.0;
    let middle = ((root.0 + tip.0) / 2.0, (root.1 + tip.1) / 2.0);
    let pose = Pose { origin: middle, angle: dy.atan2(dx), scale: 1.0 };
    let leaf = |at: Point| shape::ellipse(at, (0.0, 0.0), (long, 19.0));
    canvas.fill(
        pose,
        ((0.0, 0.0), (long + 8.0, 28.0)),
        |at| leaf(at) - 6.0,
        |at| fade(colour, 1.0 - smooth(-4.0, 6.0, leaf(at))),
    );
}
