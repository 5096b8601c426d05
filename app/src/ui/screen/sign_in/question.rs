//! Whether to trust a relay that nobody vouches for, or that has changed.

use iced::{
    Center, Element, Fill,
    widget::{button, checkbox, column, container, row},
};
use proto::Fingerprint;

use super::Message;
use crate::ui::{
    icon::{self, Icon, icon},
    theme::{self, spacing, text},
};

/// A certificate for the person to compare: one that a relay has made itself, or another one than it had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Scheme, host and port.
    pub relay: String,
    pub fingerprint: Fingerprint,
    /// The one that was trusted so far.
    pub before: Option<Fingerprint>,
}

impl Question {
    /// `compared` says whether the person has said so of another certificate than before.
    pub fn view(&self, compared: bool) -> Element<'_, Message> {
        match &self.before {
            None => self.first(),
            Some(before) => self.changed(before, compared),
        }
    }

    fn first(&self) -> Element<'_, Message> {
        let heading = row![icon(Icon::ShieldQuestionMark, icon::MEDIUM).style(text::warning), text::lead("Is this your relay?")];
        let why = format!(
            "Nobody vouches for {}: it shows a certificate of its own making. Ask whoever runs it for the certificate\u{2019}s fingerprint. \
             If it is this one, to the last sign, nobody listens in between:",
            self.relay
        );
        column![
            heading.spacing(spacing::S).align_y(Center),
            text::body(why),
            signs(&self.fingerprint, text::BODY),
            answer("Trust this relay", theme::button::primary, Some(Message::Trusted)),
            answer("Don\u{2019}t", theme::button::soft, Some(Message::Distrusted)),
        ]
        .spacing(spacing::L)
        .into()
    }

    /// The safe way is the plain one: what somebody who listens in would show looks just like this.
    fn changed<'a>(&'a self, before: &Fingerprint, compared: bool) -> Element<'a, Message> {
        let heading = row![icon(Icon::ShieldAlert, icon::MEDIUM).style(text::danger), text::lead("This may not be your relay")];
        let why = format!(
            "{} shows another certificate than the one you trusted. That is what it looks like when somebody listens in between, to \
             read your password and watch your calls. Nothing was sent.",
            self.relay
        );
        let why = container(text::body(why)).padding(spacing::M).width(Fill).style(theme::container::danger);
        let ask = "Or the relay has a new certificate. Whoever runs it knows: ask them, by telephone or face to face, for its fingerprint.";
        let told = checkbox(compared).label("They told me the new fingerprint, and it is the same to the last sign.");
        column![
            heading.spacing(spacing::S).align_y(Center),
            why,
            column![text::caption("The one you trusted"), signs(before, text::CAPTION)].spacing(spacing::XS),
            column![text::caption("The one it shows now"), signs(&self.fingerprint, text::CAPTION)].spacing(spacing::XS),
            answer("Don\u{2019}t connect", theme::button::primary, Some(Message::Distrusted)),
            text::body(ask),
            told.text_size(text::BODY).on_toggle(Message::Compared),
            answer("Trust the new certificate", theme::button::danger, compared.then_some(Message::Trusted)),
        ]
        .spacing(spacing::L)
        .into()
    }
}

fn signs<'a>(fingerprint: &Fingerprint, size: f32) -> Element<'a, Message> {
    let line = |line| text::strong(line).size(size).into();
    let lines = column(fingerprint.lines().map(line)).spacing(spacing::XS).align_x(Center);
    container(lines).padding(spacing::M).center_x(Fill).style(theme::container::sunken).into()
}

fn answer(
    words: &str,
    style: fn(&iced::Theme, button::Status) -> button::Style,
    message: Option<Message>,
) -> Element<'_, Message> {
    let words = container(text::strong(words)).center_x(Fill);
    button(words).width(Fill).padding([spacing::M, spacing::L]).style(style).on_press_maybe(message).into()
}
