//! Icons: all from Lucide, so that they look like one family.

use iced::{
    Center,
    widget::{Text, text},
};
pub use lucide_icons::Icon;

use super::theme::text::ICONS;

/// The font the icons are in.
pub const FONT: &[u8] = lucide_icons::LUCIDE_FONT_BYTES;

pub const SMALL: f32 = 16.0;
pub const MEDIUM: f32 = 20.0;
pub const LARGE: f32 = 40.0;

/// An icon in the colour of the text around it.
pub fn icon<'a>(icon: Icon, size: f32) -> Text<'a> {
    text(icon.unicode()).font(ICONS).size(size).line_height(1.0).align_x(Center).align_y(Center)
}
