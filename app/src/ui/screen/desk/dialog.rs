//! What lies over everything else: someone rings, this person rings, or nothing came of it.

use iced::{
    Center, Element, Fill,
    widget::{button, center, column, container, opaque, row, text::IntoFragment},
};
use proto::Name;

use super::phone::{Message, Outcome, Phone};
use crate::ui::{
    icon::{self, Icon, icon},
    theme::{self, spacing, text},
    widget::avatar,
};

impl Phone {
    /// `None` while nothing needs an answer.
    pub fn dialog(&self) -> Option<Element<'_, Message>> {
        match self {
            Self::Idle | Self::Talking(_) => None,
            Self::Rung { invitation, answering } => Some(rung(&invitation.from, *answering)),
            Self::Calling(calling) => Some(calls(&calling.to, &calling.others, calling.placed())),
            Self::Over { to, others, outcome } => Some(over(to, others, outcome)),
        }
    }
}

fn rung(from: &Name, answering: bool) -> Element<'_, Message> {
    let accept =
        choice(Icon::Video, "Accept", theme::button::good).on_press_maybe((!answering).then_some(Message::AcceptPressed));
    let decline =
        choice(Icon::PhoneOff, "Decline", theme::button::danger).on_press_maybe((!answering).then_some(Message::DeclinePressed));
    let says = if answering { "Connecting\u{2026}" } else { "is calling you" };
    dialog(from, from.as_str(), says, row![decline, accept])
}

fn calls<'a>(to: &'a Name, others: &'a [Name], placed: bool) -> Element<'a, Message> {
    let cancel = choice(Icon::PhoneOff, "Cancel", theme::button::danger).on_press(Message::CancelPressed);
    let says = if placed { "It rings\u{2026}" } else { "One moment\u{2026}" };
    dialog(to, format!("Calling {}\u{2026}", all(to, others)), says, row![cancel])
}

fn over<'a>(to: &'a Name, others: &'a [Name], outcome: &'a Outcome) -> Element<'a, Message> {
    let says = match outcome {
        Outcome::Declined | Outcome::NoAnswer if !others.is_empty() => "Nobody took the call.".to_owned(),
        Outcome::Declined => format!("{to} declined the call."),
        Outcome::NoAnswer => format!("{to} didn\u{2019}t answer."),
        Outcome::Busy => format!("{to} is in another call."),
        Outcome::Offline => format!("{to} is not there now, but will see that you called."),
        Outcome::DoNotDisturb => format!("{to} does not want to be disturbed now, but will see that you called."),
        Outcome::Failed(why) => why.clone(),
    };
    let again = choice(Icon::RotateCw, "Call again", theme::button::primary).on_press(Message::AgainPressed);
    let close = choice(Icon::X, "Close", theme::button::soft).on_press(Message::ClosePressed);
    dialog(to, all(to, others), says, row![close, again])
}

/// All who are rung, in few words.
fn all(to: &Name, others: &[Name]) -> String {
    match others {
        [] => to.to_string(),
        [other] => format!("{to} and {other}"),
        _ => format!("{to} and {} others", others.len()),
    }
}

fn dialog<'a>(
    who: &Name,
    heading: impl IntoFragment<'a>,
    says: impl IntoFragment<'a>,
    choices: iced::widget::Row<'a, Message>,
) -> Element<'a, Message> {
    let words = column![text::title(heading), text::body(says).style(text::muted).align_x(Center)];
    let content =
        column![avatar::avatar(who, spacing::AVATAR_L), words.spacing(spacing::XS).align_x(Center), choices.spacing(spacing::M),];
    let card = container(content.spacing(spacing::XL).align_x(Center).width(Fill))
        .padding(spacing::XL)
        .width(spacing::DIALOG)
        .style(theme::container::card);
    opaque(center(card).style(theme::container::veil))
}

fn choice<'a>(
    which: Icon,
    label: &'a str,
    style: fn(&iced::Theme, button::Status) -> button::Style,
) -> button::Button<'a, Message> {
    let line = row![icon(which, icon::MEDIUM), text::strong(label)].spacing(spacing::S).align_y(Center);
    button(container(line).center_x(Fill)).width(Fill).padding([spacing::M, spacing::L]).style(style)
}
