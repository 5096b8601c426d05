//! What tells Ana from Ben. Coordinates are pixels from the middle of the head, or of the picture's lower edge for the body.

use super::{Look, Person, features};
use crate::canvas::{Canvas, Point, Pose, fade, mix, rgb, shape, smooth};

pub(crate) fn look(person: Person) -> Look {
    match person {
        Person::Ana => Look {
            skin: rgb(0xf2_bf98),
            shade: rgb(0xd9_9a74),
            blush: rgb(0xe8_6f5c),
            hair: rgb(0x3a_211c),
            hair_light: rgb(0x6e_4030),
            brow: rgb(0x3d_241d),
            iris: rgb(0x4f_8a4a),
            lips: rgb(0xc6_4a50),
            top: rgb(0x2f_9c95),
            top_shade: rgb(0x1f_7370),
        },
        Person::Ben => Look {
            skin: rgb(0xfb_d7bb),
            shade: rgb(0xe6_ae8c),
            blush: rgb(0xef_7f6a),
            hair: rgb(0xb3_5a22),
            hair_light: rgb(0xe0_8a3c),
            brow: rgb(0x96_4a1c),
            iris: rgb(0x3f_7fc4),
            lips: rgb(0xc0_6a5c),
            top: rgb(0xf0_b23e),
            top_shade: rgb(0xc9_8722),
        },
    }
}

pub(crate) fn hair_behind(canvas: &mut Canvas, person: Person, head: Pose, look: &Look) {
    if person == Person::Ben {
        return;
    }
    let mane = |at: Point| {
        let cap = shape::ellipse(at, (0.0, -30.0), (112.0, 104.0));
        let left = shape::ellipse(at, (-74.0, 78.0), (50.0, 112.0));
        let right = shape::ellipse(at, (74.0, 78.0), (50.0, 112.0));
        shape::joined(cap, left.min(right), 40.0) + 3.0 * ((at.1 * 0.075).sin() * smooth(0.0, 60.0, at.1))
    };
    canvas.fill(head, ((0.0, 20.0), (140.0, 180.0)), mane, |(x, y)| {
        mix(look.hair, look.hair_light, 0.35 * smooth(-60.0, -110.0, x) + 0.25 * smooth(40.0, 180.0, y))
    });
    for strand in [-112.0, -98.0, -84.0, 84.0, 98.0, 112.0_f32] {
        canvas.fill(
            head,
            ((strand, 70.0), (30.0, 100.0)),
            |at| shape::curve(at, (strand * 0.95, 0.0), (strand * 1.12, 70.0), (strand * 0.82, 160.0)) - 2.0,
            |_| fade(look.hair_light, 0.45),
        );
    }
}

pub(crate) fn body(canvas: &mut Canvas, person: Person, body: Pose, head: Pose, look: &Look) {
    let shoulders = |at: Point| {
        let trunk = shape::round_box(at, (0.0, 60.0), (212.0, 170.0), 112.0);
        let slope = shape::ellipse(at, (0.0, -70.0), (96.0, 56.0));
        shape::joined(trunk, slope, 60.0)
    };
    canvas.fill(body, ((0.0, -60.0), (240.0, 110.0)), shoulders, |(x, y)| {
        mix(look.top, look.top_shade, 0.8 * smooth(20.0, 190.0, x) + 0.4 * smooth(-40.0, 30.0, y))
    });
    for side in [-1.0, 1.0] {
        canvas.fill(
            body,
            ((side * 142.0, -20.0), (30.0, 60.0)),
            |at| shape::curve(at, (side * 152.0, 10.0), (side * 139.0, -28.0), (side * 143.0, -62.0)) - 1.8,
            |_| fade(look.top_shade, 0.7),
        );
    }
    neck(canvas, person, body, head, look);
}

fn neck(canvas: &mut Canvas, person: Person, body: Pose, head: Pose, look: &Look) {
    let middle = head.origin.0 - body.origin.0;
    let column = move |at: Point| shape::round_box(at, (middle * 0.5, -150.0), (36.0, 66.0), 20.0);
    let opening = |at: Point| shape::ellipse(at, (0.0, -112.0), (58.0, 40.0));
    let around = ((0.0, -140.0), (90.0, 90.0));
    match person {
        Person::Ana => {
            let trim = |at: Point| (opening(at) - 5.0).max(-118.0 - at.1);
            canvas.fill(body, around, trim, |_| look.top_shade);
        }
        Person::Ben => {
            let collar = |at: Point| shape::ellipse(at, (0.0, -112.0), (74.0, 46.0));
            canvas.fill(body, around, collar, |_| look.top_shade);
            for side in [-1.0, 1.0] {
                canvas.fill(
                    body,
                    ((side * 34.0, -40.0), (12.0, 50.0)),
                    |at| shape::curve(at, (side * 36.0, -74.0), (side * 38.0, -40.0), (side * 33.0, -22.0)) - 3.0,
                    |_| rgb(0xff_f4dc),
                );
                canvas.fill(
                    body,
                    ((side * 33.0, -18.0), (8.0, 10.0)),
                    |at| shape::round_box(at, (side * 33.0, -18.0), (4.0, 7.0), 3.0),
                    |_| rgb(0xd8_c39a),
                );
            }
        }
    }
    canvas.fill(
        body,
        around,
        |at| shape::joined(column(at), opening(at), 18.0),
        |(x, y)| {
            let under_chin = 1.0 - smooth(-168.0, -128.0, y);
            mix(look.skin, look.shade, (0.35 + 0.65 * under_chin + 0.3 * smooth(0.0, 40.0, x)).min(1.0))
        },
    );
    if person == Person::Ana {
        canvas.fill(body, around, |at| shape::curve(at, (-44.0, -112.0), (0.0, -62.0), (44.0, -112.0)) - 1.4, |_| rgb(0xf3_d27a));
        canvas.fill(body, around, |at| shape::circle(at, (0.0, -85.0), 5.5), |_| rgb(0xff_e29a));
    }
}

/// A short beard, under the mouth in painting order.
pub(crate) fn below_the_nose(canvas: &mut Canvas, person: Person, head: Pose, look: &Look) {
    if person == Person::Ana {
        return;
    }
    let beard = |at: Point| {
        let cheeks = shape::ellipse(at, (0.0, 22.0), (64.0, 48.0));
        let clear = shape::ellipse(at, (0.0, 60.0), (31.0, 13.0));
        (features::outline(at) - 1.0).max(-cheeks).max(12.0 - at.1).max(-clear)
    };
    canvas.fill(head, ((0.0, 60.0), (90.0, 60.0)), beard, |(x, y)| {
        fade(mix(look.hair, look.hair_light, 0.45 * smooth(30.0, -60.0, x)), 0.92 * smooth(8.0, 34.0, y))
    });
    let moustache = |at: Point| {
        let half = |side: f32| {
            shape::curve(at, (side * 2.0, 45.0), (side * 20.0, 51.0), (side * 36.0, 41.0)) - (4.8 - (at.0 * side) * 0.05)
        };
        half(-1.0).min(half(1.0))
    };
    canvas.fill(head, ((0.0, 50.0), (44.0, 16.0)), moustache, |_| mix(look.hair, look.hair_light, 0.25));
}

pub(crate) fn hair_in_front(canvas: &mut Canvas, person: Person, head: Pose, look: &Look) {
    match person {
        Person::Ana => {
            // Parted on her left: two sweeps that uncover the forehead.
            let cap = |at: Point| shape::ellipse(at, (0.0, -34.0), (101.0, 96.0));
            let brow = |at: Point| shape::ellipse(at, (-8.0, 22.0), (80.0, 98.0));
            let swept = |at: Point| {
                let forehead = brow(at).min(shape::ellipse(at, (26.0, -34.0), (40.0, 52.0)));
                cap(at).max(-forehead).max(at.1 - 62.0)
            };
            canvas.fill(head, ((0.0, -40.0), (120.0, 110.0)), swept, |(x, y)| {
                let shine = 1.0 - smooth(0.0, 20.0, (y + 92.0 - 0.0022 * (x + 18.0) * (x + 18.0)).abs());
                mix(look.hair, look.hair_light, 0.55 * shine + 0.2 * smooth(0.0, -90.0, x))
            });
            for (from, pull, to) in [
                ((22.0, -124.0), (-70.0, -112.0), (-90.0, 0.0)),
                ((26.0, -118.0), (-52.0, -92.0), (-84.0, -18.0)),
                ((34.0, -122.0), (86.0, -100.0), (91.0, -4.0)),
            ] {
                canvas.fill(
                    head,
                    ((0.0, -60.0), (110.0, 80.0)),
                    |at| (shape::curve(at, from, pull, to) - 1.6).max(swept(at)),
                    |_| fade(look.hair_light, 0.5),
                );
            }
        }
        Person::Ben => {
            let tuft = |at: Point, centre: Point, radii: Point| shape::ellipse(at, centre, radii);
            let mop = |at: Point| {
                let crown = tuft(at, (-4.0, -92.0), (88.0, 46.0));
                let sides = tuft(at, (-78.0, -52.0), (15.0, 46.0)).min(tuft(at, (78.0, -52.0), (15.0, 46.0)));
                let quiff = tuft(at, (34.0, -112.0), (52.0, 30.0)).min(tuft(at, (-44.0, -104.0), (46.0, 30.0)));
                let curl = tuft(at, (66.0, -88.0), (26.0, 24.0)).min(tuft(at, (2.0, -122.0), (34.0, 22.0)));
                let all = shape::joined(shape::joined(crown, sides, 16.0), quiff.min(curl), 14.0);
                all.max(-shape::ellipse(at, (2.0, -8.0), (76.0, 72.0)))
            };
            canvas.fill(head, ((0.0, -75.0), (120.0, 90.0)), mop, |(x, y)| {
                mix(look.hair, look.hair_light, 0.8 * smooth(-78.0, -136.0, y + 0.25 * x))
            });
            for (from, pull, to) in [
                ((-70.0, -84.0), (-50.0, -122.0), (-2.0, -124.0)),
                ((-40.0, -86.0), (-10.0, -116.0), (40.0, -126.0)),
                ((6.0, -88.0), (40.0, -96.0), (74.0, -100.0)),
            ] {
                canvas.fill(
                    head,
                    ((0.0, -100.0), (100.0, 40.0)),
                    |at| (shape::curve(at, from, pull, to) - 1.8).max(mop(at)),
                    |_| fade(mix(look.hair, rgb(0x40_1c08), 0.3), 0.5),
                );
            }
        }
    }
}

pub(crate) fn glasses(canvas: &mut Canvas, person: Person, head: Pose) {
    if person == Person::Ana {
        return;
    }
    let frame = rgb(0x2a_2f45);
    for side in [-1.0, 1.0] {
        let lens = move |at: Point| shape::round_box(at, (side * 38.0, -1.0), (30.0, 25.0), 18.0);
        let around = ((side * 38.0, -1.0), (36.0, 31.0));
        canvas.fill(head, around, lens, |(x, y)| {
            let gleam = 1.0 - smooth(3.0, 7.0, (x - side * 38.0 + y + 16.0).abs());
            fade(rgb(0xff_ffff), 0.05 + 0.13 * gleam)
        });
        canvas.fill(head, around, move |at| lens(at).abs() - 2.4, |_| frame);
        canvas.fill(
            head,
            ((side * 75.0, -8.0), (14.0, 12.0)),
            |at| shape::segment(at, (side * 67.0, -8.0), (side * 83.0, -6.0)) - 2.2,
            |_| frame,
        );
    }
    canvas.fill(
        head,
        ((0.0, -6.0), (14.0, 10.0)),
        |at| shape::curve(at, (-9.0, -5.0), (0.0, -11.0), (9.0, -5.0)) - 2.3,
        |_| frame,
    );
}
