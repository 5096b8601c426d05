//! How far something is.

use iced::{Background, Theme, border, widget::progress_bar::Style};

use super::{palette, spacing};

/// In a bubble, the person's own or another's.
pub fn in_bubble(own: bool) -> impl Fn(&Theme) -> Style {
    move |theme| {
        let palette = palette::of(theme);
        let (rest, done) =
            if own { (palette.on_primary.scale_alpha(0.35), palette.on_primary) } else { (palette.line, palette.primary) };
        Style { background: Background::Color(rest), bar: Background::Color(done), border: border::rounded(spacing::PILL) }
    }
}
