//! What every face has. Coordinates are pixels from the middle of the head.

use super::{Expression, Look};
use crate::canvas::{Canvas, Point, Pose, fade, mix, rgb, shape, smooth};

const EYE_APART: f32 = 37.0;
const EYE_HEIGHT: f32 = -4.0;
const MOUTH_HEIGHT: f32 = 58.0;

/// Distance to the outline of the head.
pub(crate) fn outline(at: Point) -> f32 {
    shape::joined(shape::ellipse(at, (0.0, -22.0), (83.0, 92.0)), shape::ellipse(at, (0.0, 42.0), (59.0, 66.0)), 34.0)
}

pub(crate) fn head(canvas: &mut Canvas, pose: Pose, look: &Look) {
    for side in [-1.0, 1.0] {
        let ear = (side * 83.0, 2.0);
        canvas.fill(pose, (ear, (20.0, 28.0)), |at| shape::ellipse(at, ear, (15.0, 23.0)), |_| look.skin);
        canvas.fill(
            pose,
            (ear, (16.0, 22.0)),
            |at| shape::ellipse(at, (ear.0 + side * 2.0, ear.1), (7.0, 13.0)),
            |_| fade(look.shade, 0.8),
        );
    }
    // Light from the upper left: the right and lower sides of the face turn away from it.
    canvas.fill(pose, ((0.0, 0.0), (100.0, 125.0)), outline, |(x, y)| {
        mix(look.skin, look.shade, 0.75 * smooth(10.0, 105.0, x + 0.25 * y) + 0.35 * smooth(70.0, 112.0, y))
    });
    for side in [-1.0, 1.0] {
        let cheek = (side * 47.0, 32.0);
        canvas.fill(
            pose,
            (cheek, (34.0, 28.0)),
            |at| shape::ellipse(at, cheek, (32.0, 26.0)),
            |(x, y)| {
                let off = shape::length(((x - cheek.0) / 32.0, (y - cheek.1) / 26.0));
                fade(look.blush, 0.45 * (1.0 - smooth(0.0, 1.0, off)))
            },
        );
    }
}

pub(crate) fn eyes(canvas: &mut Canvas, pose: Pose, look: &Look, expression: &Expression) {
    let open = 1.0 - expression.blink;
    for side in [-1.0, 1.0] {
        let eye = (side * EYE_APART, EYE_HEIGHT);
        let around = (eye, (26.0, 26.0));
        let lid = eye.1 + 7.0;
        // The lid comes down from above; the lower one hardly moves.
        let ball = |at: Point| shape::ellipse(at, eye, (18.5, 15.0)).max(eye.1 - 15.0 * open + (1.0 - open) * 7.0 - at.1);
        if open > 0.12 {
            canvas.fill(pose, around, ball, |(_, y)| mix(rgb(0xdd_e2ea), rgb(0xff_ffff), smooth(eye.1 - 14.0, eye.1 - 2.0, y)));
            let iris = (eye.0 + expression.gaze.0 * 5.0, eye.1 + 0.5 + expression.gaze.1 * 3.0);
            let within = |radius: f32| move |at: Point| shape::circle(at, iris, radius);
            let (ring, coloured, pupil) = (within(11.5), within(10.2), within(5.0));
            canvas.fill(pose, around, |at| ring(at).max(ball(at)), |_| mix(look.iris, rgb(0), 0.45));
            canvas.fill(
                pose,
                around,
                |at| coloured(at).max(ball(at)),
                |(_, y)| mix(look.iris, rgb(0xff_ffff), 0.3 * smooth(iris.1, iris.1 + 9.0, y)),
            );
            canvas.fill(pose, around, |at| pupil(at).max(ball(at)), |_| rgb(0x14_1018));
            let glint = (iris.0 - 3.8, iris.1 - 4.2);
            canvas.fill(pose, around, |at| shape::circle(at, glint, 3.0).max(ball(at)), |_| rgb(0xff_ffff));
            let faint = (iris.0 + 3.6, iris.1 + 4.0);
            canvas.fill(pose, around, |at| shape::circle(at, faint, 1.6).max(ball(at)), |_| fade(rgb(0xff_ffff), 0.7));
        }
        // The upper lid with its lashes: an arc when open, flat and low when closed.
        let edge = eye.1 - 15.0 * open + (lid - eye.1) * (1.0 - open);
        let (inner, outer) = ((eye.0 - side * 18.0, lid - 6.0 * open), (eye.0 + side * 20.0, lid - 9.0 * open));
        let pull = (eye.0 + side * 2.0, 2.0 * edge - (inner.1 + outer.1) / 2.0 + 7.0 * (1.0 - open));
        canvas.fill(
            pose,
            (eye, (30.0, 34.0)),
            |at| shape::curve(at, inner, pull, outer) - 2.3,
            |_| mix(look.brow, rgb(0x18_1014), 0.6),
        );
    }
}

pub(crate) fn brows(canvas: &mut Canvas, pose: Pose, look: &Look, expression: &Expression) {
    for side in [-1.0, 1.0] {
        let up = -33.0 - 6.0 * expression.brows;
        let (inner, outer) = ((side * 19.0, up + 3.0), (side * 60.0, up + 6.0));
        let pull = (side * 42.0, up - 12.0 - 3.0 * expression.brows);
        canvas.fill(
            pose,
            ((side * 40.0, up), (34.0, 26.0)),
            |at| shape::curve(at, inner, pull, outer) - (4.3 - (at.0 * side - 19.0) * 0.05).max(1.2),
            |_| look.brow,
        );
    }
}

pub(crate) fn nose(canvas: &mut Canvas, pose: Pose, look: &Look) {
    let deeper = mix(look.shade, look.blush, 0.35);
    canvas.fill(
        pose,
        ((0.0, 26.0), (22.0, 16.0)),
        |at| shape::curve(at, (-12.0, 27.0), (-1.0, 39.0), (12.0, 26.0)) - 2.2,
        |_| fade(mix(deeper, rgb(0x40_1810), 0.25), 0.8),
    );
    canvas.fill(
        pose,
        ((-3.0, 12.0), (10.0, 22.0)),
        |at| shape::ellipse(at, (-3.0, 12.0), (5.0, 18.0)),
        |(x, y)| fade(rgb(0xff_ffff), 0.16 * (1.0 - smooth(0.0, 1.0, shape::length(((x + 3.0) / 5.0, (y - 12.0) / 18.0))))),
    );
}

pub(crate) fn mouth(canvas: &mut Canvas, pose: Pose, look: &Look, expression: &Expression) {
    let half = 27.0 + 7.0 * expression.width - 4.0 * expression.mouth;
    let open = expression.mouth * 27.0;
    let corner = MOUTH_HEIGHT - 4.0 + 3.0 * expression.mouth;
    // The upper edge is a parabola that hangs a little (the smile), the lower one half an ellipse that drops open.
    let upper = 9.0 - open * 0.38;
    let lower = 10.5 + open * 0.8;
    let part = |at: Point, grow: f32| {
        let across = (at.0 / half).clamp(-1.0, 1.0);
        let slope = 2.0 * upper * across / half;
        let lid = (corner + upper * (1.0 - across * across) - at.1) / (1.0 + slope * slope).sqrt();
        lid.max(shape::ellipse(at, (0.0, corner), (half, lower.max(corner - at.1)))).max(at.0.abs() - half) - grow
    };
    let around = ((0.0, MOUTH_HEIGHT + 4.0), (52.0, 46.0));
    canvas.fill(
        pose,
        around,
        |at| part(at, 4.2),
        |(_, y)| mix(look.lips, rgb(0xff_ffff), 0.14 * smooth(corner, corner + 30.0, y)),
    );
    canvas.fill(pose, around, |at| part(at, 0.0), |_| rgb(0x4a_1420));
    if open > 2.0 {
        let show = smooth(2.0, 9.0, open);
        canvas.fill(
            pose,
            around,
            |at| part(at, -1.0).max(at.1 - (corner + upper + 2.0 + open * 0.24)).max(at.0.abs() - half * 0.86),
            |_| fade(rgb(0xff_fcf5), show),
        );
        canvas.fill(
            pose,
            around,
            |at| part(at, -1.5).max(shape::ellipse(at, (0.0, corner + lower + 3.0), (half * 0.62, 5.0 + open * 0.32))),
            |_| fade(rgb(0xd9_6570), show),
        );
    }
    for side in [-1.0, 1.0] {
        let at_corner = (side * (half + 4.0), corner - 1.0);
        canvas.fill(
            pose,
            (at_corner, (12.0, 12.0)),
            |at| {
                shape::curve(at, (at_corner.0 - side * 1.0, corner + 3.0), at_corner, (at_corner.0 + side * 3.0, corner - 5.0))
                    - 1.5
            },
            |_| fade(mix(look.shade, rgb(0x50_2018), 0.35), 0.75),
        );
    }
}
