//! A tooltip: what a button does and which key does the same.

use std::time::Duration;

use iced::{
    Element,
    widget::{
        container,
        tooltip::{self, Position},
    },
};

use crate::ui::theme::{self, spacing, text};

/// Long enough not to flash under a pointer that only passes.
const DELAY: Duration = Duration::from_millis(350);

pub fn hint<'a, Message: 'a>(
    content: impl Into<Element<'a, Message>>,
    says: impl iced::widget::text::IntoFragment<'a>,
    position: Position,
) -> Element<'a, Message> {
    let says = container(text::caption(says).style(text::normal)).padding([spacing::XS, spacing::S]).max_width(spacing::DIALOG);
    tooltip::Tooltip::new(content, says.style(theme::container::floating), position).gap(spacing::XS).delay(DELAY).into()
}
