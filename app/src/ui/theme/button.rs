//! What can be pressed.

use iced::{
    Background, Color, Theme, border,
    widget::button::{Status, Style},
};

use super::{palette, spacing};

/// The one thing to do here.
pub fn primary(theme: &Theme, status: Status) -> Style {
    let palette = palette::of(theme);
    solid([palette.primary, palette.primary_hover], palette.on_primary, status)
}

/// Takes a call.
pub fn good(theme: &Theme, status: Status) -> Style {
    let palette = palette::of(theme);
    solid([palette.good, palette.good_hover], palette.on_primary, status)
}

/// Ends, declines or removes.
pub fn danger(theme: &Theme, status: Status) -> Style {
    let palette = palette::of(theme);
    solid([palette.danger, palette.danger_hover], palette.on_primary, status)
}

/// Something else one may do.
pub fn soft(theme: &Theme, status: Status) -> Style {
    let palette = palette::of(theme);
    solid([palette.sunken, palette.chosen], palette.text, status)
}

/// Shows itself only under the pointer.
pub fn quiet(theme: &Theme, status: Status) -> Style {
    let palette = palette::of(theme);
    solid([Color::TRANSPARENT, palette.sunken], palette.muted, status)
}

/// The same in a bubble, the person's own or another's.
pub fn in_bubble(own: bool) -> impl Fn(&Theme, Status) -> Style {
    move |theme, status| {
        let palette = palette::of(theme);
        match own {
            true => solid([Color::TRANSPARENT, palette.primary_hover], palette.on_primary, status),
            false => solid([Color::TRANSPARENT, palette.line], palette.muted, status),
        }
    }
}

pub fn link(theme: &Theme, status: Status) -> Style {
    let palette = palette::of(theme);
    let color = if matches!(status, Status::Hovered | Status::Pressed) { palette.primary_hover } else { palette.primary };
    solid([Color::TRANSPARENT, Color::TRANSPARENT], color, status)
}

/// Nothing of its own: what is in it is all there is to see.
pub fn bare(theme: &Theme, status: Status) -> Style {
    let palette = palette::of(theme);
    Style { border: border::rounded(spacing::RADIUS_M), ..solid([Color::TRANSPARENT; 2], palette.text, status) }
}

/// A line of a list.
pub fn row(chosen: bool) -> impl Fn(&Theme, Status) -> Style {
    move |theme, status| {
        let palette = palette::of(theme);
        let rest = if chosen { palette.chosen } else { Color::TRANSPARENT };
        let hover = if chosen { palette.chosen } else { palette.sunken };
        Style { border: border::rounded(spacing::RADIUS_M), ..solid([rest, hover], palette.text, status) }
    }
}

/// A round control of a call; what differs from the `usual` stands out.
pub fn control(usual: bool) -> impl Fn(&Theme, Status) -> Style {
    move |theme, status| {
        let palette = palette::of(theme);
        if usual {
            solid([palette.sunken, palette.chosen], palette.text, status)
        } else {
            solid([palette.warning_soft, palette.warning_soft], palette.warning, status)
        }
    }
}

/// A control that is lit while what it shows is open.
pub fn toggle(open: bool) -> impl Fn(&Theme, Status) -> Style {
    move |theme, status| {
        let palette = palette::of(theme);
        if open {
            solid([palette.primary_soft, palette.primary_soft], palette.primary, status)
        } else {
            solid([Color::TRANSPARENT, palette.sunken], palette.muted, status)
        }
    }
}

fn solid([rest, hover]: [Color; 2], text_color: Color, status: Status) -> Style {
    let (background, text_color) = match status {
        Status::Active => (rest, text_color),
        Status::Hovered | Status::Pressed => (hover, text_color),
        Status::Disabled => (rest.scale_alpha(0.45), text_color.scale_alpha(0.55)),
    };
    Style {
        background: Some(Background::Color(background)),
        text_color,
        border: border::rounded(spacing::PILL),
        ..Style::default()
    }
}
