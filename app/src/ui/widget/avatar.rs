//! A person as a disc of their colour with their initials, and a dot that says whether they are there.

use iced::{
    Alignment, Border, Center, Color, Element, Theme, border,
    widget::{container, space, stack},
};
use proto::{Name, model::Presence};

use crate::ui::theme::{
    palette::{self, Palette},
    spacing, text,
};

pub fn avatar<'a, Message: 'a>(name: &Name, diameter: f32) -> Element<'a, Message> {
    let color = palette::avatar(&name.key());
    let letters = text::strong(initials(name.as_str())).size(diameter * 0.38).color(Color::WHITE).line_height(1.0);
    container(letters).center(diameter).style(move |_| crate::ui::theme::container::disc(color)).into()
}

pub fn with_presence<'a, Message: 'a>(name: &Name, presence: Presence, diameter: f32) -> Element<'a, Message> {
    let rim = spacing::HAIR * 2.0;
    let dot = container(space()).width(diameter * 0.3).height(diameter * 0.3).style(move |theme: &Theme| {
        let palette = palette::of(theme);
        container::Style {
            border: Border { color: palette.surface, width: rim, ..border::rounded(spacing::PILL) },
            ..crate::ui::theme::container::disc(dot_color(presence, palette))
        }
    });
    let corner = container(dot).width(diameter).height(diameter).align_x(Alignment::End).align_y(Alignment::End);
    stack![avatar(name, diameter), corner].into()
}

/// A dot by itself, beside a word.
pub fn dot<'a, Message: 'a>(color: fn(&Palette) -> Color) -> Element<'a, Message> {
    let disc = container(space()).width(spacing::S).height(spacing::S);
    let disc = disc.style(move |theme: &Theme| crate::ui::theme::container::disc(color(palette::of(theme))));
    container(disc).align_y(Center).into()
}

fn dot_color(presence: Presence, palette: &Palette) -> Color {
    match presence {
        Presence::Offline => palette.faint,
        Presence::Busy | Presence::Away => palette.warning,
        Presence::DoNotDisturb => palette.danger,
        _ => palette.good,
    }
}

/// One or two letters: of the first and the last part of the name.
fn initials(name: &str) -> String {
    let mut parts = name.split(['.', '_', '-']).filter_map(|part| part.chars().next());
    let first = parts.next();
    first.into_iter().chain(parts.next_back()).flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_come_from_the_parts_of_a_name() {
        assert_eq!(initials("ana"), "A");
        assert_eq!(initials("zoë.king"), "ZK");
        assert_eq!(initials("x_1-2"), "X2");
        assert_eq!(initials("李雷"), "李");
    }
}
