//! Grounds that things stand on. Outlines set them apart, not shadows: tiny-skia paints a whole shadow again with each part of the
//! screen that changes, over what is there.

use iced::{Background, Border, Color, Theme, border, widget::container::Style};

use super::{palette, spacing};

pub fn background(theme: &Theme) -> Style {
    filled(palette::of(theme).background, 0.0)
}

/// A column at the window's edge.
pub fn panel(theme: &Theme) -> Style {
    filled(palette::of(theme).surface, 0.0)
}

pub fn hairline(theme: &Theme) -> Style {
    filled(palette::of(theme).line, 0.0)
}

pub fn card(theme: &Theme) -> Style {
    let palette = palette::of(theme);
    Style { border: outline(palette.line, spacing::RADIUS_L), ..filled(palette.surface, 0.0) }
}

/// What a tooltip or a toast stands on.
pub fn floating(theme: &Theme) -> Style {
    let palette = palette::of(theme);
    Style { text_color: Some(palette.text), border: outline(palette.line, spacing::RADIUS_S), ..filled(palette.surface, 0.0) }
}

pub fn sunken(theme: &Theme) -> Style {
    filled(palette::of(theme).sunken, spacing::RADIUS_M)
}

/// Somebody in a row of people, on a sunken ground.
pub fn chip(theme: &Theme) -> Style {
    filled(palette::of(theme).surface, spacing::PILL)
}

pub fn bubble_own(theme: &Theme) -> Style {
    let palette = palette::of(theme);
    Style { text_color: Some(palette.on_primary), ..filled(palette.primary, spacing::RADIUS_M) }
}

pub fn bubble_other(theme: &Theme) -> Style {
    filled(palette::of(theme).sunken, spacing::RADIUS_M)
}

pub fn stage(theme: &Theme) -> Style {
    let palette = palette::of(theme);
    Style { text_color: Some(palette.on_stage), ..filled(palette.stage, spacing::RADIUS_L) }
}

/// A tile or a mark on the stage.
pub fn stage_raised(theme: &Theme) -> Style {
    let palette = palette::of(theme);
    Style { text_color: Some(palette.on_stage), ..filled(palette.stage_raised, spacing::RADIUS_M) }
}

/// A mark over a picture: the picture shines through.
pub fn over_picture(theme: &Theme) -> Style {
    let palette = palette::of(theme);
    Style { text_color: Some(palette.on_stage), ..filled(palette.stage.scale_alpha(0.72), spacing::RADIUS_S) }
}

/// Around who speaks.
pub fn speaking(theme: &Theme) -> Style {
    let border = border::rounded(spacing::RADIUS_M).width(spacing::EDGE).color(palette::of(theme).good);
    Style { border, ..Style::default() }
}

/// Over a picture that stands still.
pub fn frozen(radius: f32) -> impl Fn(&Theme) -> Style {
    move |theme| {
        let palette = palette::of(theme);
        Style { text_color: Some(palette.on_stage), ..filled(palette.stage.scale_alpha(0.55), radius) }
    }
}

/// A step of a meter: lit or not, and if it is, whether it counts.
pub fn step(lit: Option<bool>) -> impl Fn(&Theme) -> Style {
    move |theme| {
        let palette = palette::of(theme);
        let color = match lit {
            Some(true) => palette.good,
            Some(false) => palette.faint,
            None => palette.sunken,
        };
        filled(color, spacing::HAIR)
    }
}

/// Where much is to be read.
pub fn figures(theme: &Theme) -> Style {
    let palette = palette::of(theme);
    Style { text_color: Some(palette.on_stage), ..filled(palette.stage.scale_alpha(0.88), spacing::RADIUS_S) }
}

pub fn veil(theme: &Theme) -> Style {
    filled(palette::of(theme).veil, 0.0)
}

pub fn notice(theme: &Theme) -> Style {
    let palette = palette::of(theme);
    Style { text_color: Some(palette.text), ..filled(palette.sunken, spacing::RADIUS_S) }
}

pub fn warning(theme: &Theme) -> Style {
    let palette = palette::of(theme);
    Style { text_color: Some(palette.text), ..filled(palette.warning_soft, spacing::RADIUS_S) }
}

pub fn danger(theme: &Theme) -> Style {
    let palette = palette::of(theme);
    Style { text_color: Some(palette.text), ..filled(palette.danger_soft, spacing::RADIUS_S) }
}

/// The count of unread messages.
pub fn badge(theme: &Theme) -> Style {
    let palette = palette::of(theme);
    Style { text_color: Some(palette.on_primary), ..filled(palette.primary, spacing::PILL) }
}

/// A disc of one colour, such as a presence dot.
pub fn disc(color: Color) -> Style {
    Style { text_color: Some(Color::WHITE), ..filled(color, spacing::PILL) }
}

fn filled(color: Color, radius: f32) -> Style {
    Style { background: Some(Background::Color(color)), border: border::rounded(radius), ..Style::default() }
}

fn outline(color: Color, radius: f32) -> Border {
    border::rounded(radius).width(spacing::HAIR).color(color)
}
