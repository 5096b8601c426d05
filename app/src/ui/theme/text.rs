//! The type scale and the colours text may have.

use iced::{
    Font, Theme, font,
    widget::{Text, text, text::IntoFragment, text::Style},
};

use super::palette;

/// iced brings the regular face along; the strong one is the project's.
pub const STRONG_FACE: &[u8] = include_bytes!("../../../../assets/fonts/FiraSans-SemiBold.ttf");

pub const REGULAR: Font = Font::with_name("Fira Sans");
pub const STRONG: Font = Font { weight: font::Weight::Semibold, ..Font::with_name("Fira Sans SemiBold") };
pub const ICONS: Font = Font::with_name("lucide");

pub const CAPTION: f32 = 12.5;
pub const BODY: f32 = 15.0;
pub const LEAD: f32 = 18.0;
pub const TITLE: f32 = 22.0;
pub const DISPLAY: f32 = 32.0;

pub fn caption<'a>(content: impl IntoFragment<'a>) -> Text<'a> {
    text(content).size(CAPTION).style(muted)
}

pub fn body<'a>(content: impl IntoFragment<'a>) -> Text<'a> {
    text(content).size(BODY)
}

pub fn strong<'a>(content: impl IntoFragment<'a>) -> Text<'a> {
    text(content).size(BODY).font(STRONG)
}

pub fn lead<'a>(content: impl IntoFragment<'a>) -> Text<'a> {
    text(content).size(LEAD).font(STRONG)
}

pub fn title<'a>(content: impl IntoFragment<'a>) -> Text<'a> {
    text(content).size(TITLE).font(STRONG)
}

pub fn display<'a>(content: impl IntoFragment<'a>) -> Text<'a> {
    text(content).size(DISPLAY).font(STRONG)
}

pub fn normal(theme: &Theme) -> Style {
    Style { color: Some(palette::of(theme).text) }
}

pub fn muted(theme: &Theme) -> Style {
    Style { color: Some(palette::of(theme).muted) }
}

pub fn faint(theme: &Theme) -> Style {
    Style { color: Some(palette::of(theme).faint) }
}

pub fn primary(theme: &Theme) -> Style {
    Style { color: Some(palette::of(theme).primary) }
}

pub fn good(theme: &Theme) -> Style {
    Style { color: Some(palette::of(theme).good) }
}

pub fn warning(theme: &Theme) -> Style {
    Style { color: Some(palette::of(theme).warning) }
}

pub fn danger(theme: &Theme) -> Style {
    Style { color: Some(palette::of(theme).danger) }
}

/// Beside what is said in a bubble, the person's own or another's.
pub fn in_bubble(own: bool) -> fn(&Theme) -> Style {
    if own { |theme| Style { color: Some(palette::of(theme).on_primary) } } else { muted }
}

pub fn on_stage(theme: &Theme) -> Style {
    Style { color: Some(palette::of(theme).on_stage) }
}

pub fn on_stage_muted(theme: &Theme) -> Style {
    Style { color: Some(palette::of(theme).on_stage_muted) }
}
