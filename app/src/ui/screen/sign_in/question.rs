//! Whether to trust a relay that nobody vouches for.

use iced::{
    Center, Element, Fill,
    widget::{button, column, container, row},
};
use proto::Fingerprint;

use super::Message;
use crate::ui::{
    icon::{self, Icon, icon},
    theme::{self, spacing, text},
};

/// A certificate that a relay has made itself, for the person to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Scheme, host and port.
    pub relay: String,
    pub fingerprint: Fingerprint,
}

impl Question {
    pub fn view(&self) -> Element<'_, Message> {
        let heading = row![icon(Icon::ShieldQuestionMark, icon::MEDIUM).style(text::warning), text::lead("Is this your relay?")];
        let why = format!(
            "Nobody vouches for {}: it shows a certificate of its own making. Ask whoever runs it for the certificate\u{2019}s fingerprint. \
             If it is this one, to the last sign, nobody listens in between:",
            self.relay
        );
        let lines = column(self.fingerprint.lines().map(|line| text::strong(line).into())).spacing(spacing::XS).align_x(Center);
        let lines = container(lines).padding(spacing::M).center_x(Fill).style(theme::container::sunken);
        let answer = |words, style: fn(&iced::Theme, button::Status) -> button::Style, message| {
            button(container(text::strong(words)).center_x(Fill))
                .width(Fill)
                .padding([spacing::M, spacing::L])
                .style(style)
                .on_press(message)
        };
        column![
            heading.spacing(spacing::S).align_y(Center),
            text::body(why),
            lines,
            answer("Trust this relay", theme::button::primary, Message::Trusted),
            answer("Don\u{2019}t", theme::button::soft, Message::Distrusted),
        ]
        .spacing(spacing::L)
        .into()
    }
}
