//! Text fields and scroll bars.

use iced::{
    Background, Color, Theme, border,
    widget::{container, scrollable, text_input},
};

use super::{palette, spacing};

pub fn field(theme: &Theme, status: text_input::Status) -> text_input::Style {
    let palette = palette::of(theme);
    let focused = matches!(status, text_input::Status::Focused { .. });
    let line = match status {
        text_input::Status::Focused { .. } => palette.primary,
        text_input::Status::Hovered => palette.faint,
        _ => palette.line,
    };
    text_input::Style {
        background: Background::Color(if focused { palette.surface } else { palette.sunken }),
        border: border::rounded(spacing::RADIUS_M).width(spacing::HAIR).color(line),
        icon: palette.muted,
        placeholder: palette.faint,
        value: if status == text_input::Status::Disabled { palette.faint } else { palette.text },
        selection: palette.primary.scale_alpha(0.35),
    }
}

/// A thin bar that stays out of the way.
pub fn scroll(theme: &Theme, status: scrollable::Status) -> scrollable::Style {
    let palette = palette::of(theme);
    let touched = !matches!(
        status,
        scrollable::Status::Active { .. }
            | scrollable::Status::Hovered { is_vertical_scrollbar_hovered: false, is_horizontal_scrollbar_hovered: false, .. }
    );
    let rail = scrollable::Rail {
        background: None,
        border: border::rounded(spacing::PILL),
        scroller: scrollable::Scroller {
            background: Background::Color(if touched { palette.muted } else { palette.line }),
            border: border::rounded(spacing::PILL),
        },
    };
    let usual = scrollable::default(theme, status);
    scrollable::Style {
        container: container::Style::default(),
        vertical_rail: rail,
        horizontal_rail: rail,
        gap: None,
        auto_scroll: scrollable::AutoScroll { background: Background::Color(Color::TRANSPARENT), ..usual.auto_scroll },
    }
}
