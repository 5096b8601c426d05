//! The two people: how they look, and how a moment of theirs is drawn.

mod features;
mod people;
mod room;

use crate::canvas::{Canvas, Paint, Pose};

/// Who is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Person {
    Ana,
    Ben,
}

/// What a face does at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Expression {
    /// 0 closed to 1 wide open.
    pub(crate) mouth: f32,
    /// -1 pursed to 1 drawn wide.
    pub(crate) width: f32,
    /// 0 open eyes to 1 closed ones.
    pub(crate) blink: f32,
    /// 0 at rest to 1 raised.
    pub(crate) brows: f32,
    /// Where the eyes look, in units of what they can.
    pub(crate) gaze: (f32, f32),
    /// Where the head is, in pixels off its middle.
    pub(crate) shift: (f32, f32),
    /// How far it leans to the right, in radians.
    pub(crate) lean: f32,
    /// How far the shoulders are up from breathing, in pixels.
    pub(crate) breath: f32,
}

struct Look {
    skin: Paint,
    shade: Paint,
    blush: Paint,
    hair: Paint,
    hair_light: Paint,
    brow: Paint,
    iris: Paint,
    lips: Paint,
    top: Paint,
    top_shade: Paint,
}

/// The room behind a person, which never changes.
pub(crate) fn room(person: Person, width: usize, height: usize) -> Canvas {
    match person {
        Person::Ana => room::sunny(width, height),
        Person::Ben => room::evening(width, height),
    }
}

/// Paints a person at one moment into their room, 640 by 480 pixels large.
pub(crate) fn draw(canvas: &mut Canvas, person: Person, expression: &Expression) {
    let look = people::look(person);
    let body = Pose { origin: (320.0 + expression.shift.0 * 0.25, 480.0 - expression.breath), angle: 0.0, scale: 1.0 };
    let head = Pose {
        origin: (320.0 + expression.shift.0, 205.0 + expression.shift.1 - expression.breath * 0.6),
        angle: expression.lean,
        scale: 1.0,
    };
    people::hair_behind(canvas, person, head, &look);
    people::body(canvas, person, body, head, &look);
    features::head(canvas, head, &look);
    features::eyes(canvas, head, &look, expression);
    features::nose(canvas, head, &look);
    people::below_the_nose(canvas, person, head, &look);
    features::mouth(canvas, head, &look, expression);
    people::hair_in_front(canvas, person, head, &look);
    features::brows(canvas, head, &look, expression);
    people::glasses(canvas, person, head);
}
