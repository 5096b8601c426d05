//! What can be done about a buddy: block, report, remove.

use iced::{
    Center, Element, Fill,
    widget::{button, column, container, row, text_input},
};
use proto::{Name, limits::REPORT_MAX};

use crate::ui::{
    icon::{self, Icon, icon},
    notice::Notice,
    theme::{self, spacing, text},
};

#[derive(Debug, Default)]
pub struct Menu {
    open: bool,
    /// What is being reported, while it is written.
    report: Option<String>,
    sending: bool,
    /// What came of a report, and whether that is good.
    told: Option<(bool, String)>,
}

#[derive(Debug, Clone)]
pub enum Message {
    Toggled,
    BlockPressed,
    UnblockPressed,
    RemovePressed,
    ReportPressed,
    ReportChanged(String),
    ReportSubmitted,
    Reported(Result<(), Notice>),
}

/// What is to be done about the buddy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    Block,
    Unblock,
    Remove,
    Report(String),
}

impl Menu {
    pub fn open(&mut self) {
        self.open = true;
    }

    /// Escape: puts it away.
    pub fn dismiss(&mut self) {
        *self = Self::default();
    }

    pub fn update(&mut self, message: Message) -> Option<Deed> {
        match message {
            Message::Toggled => {
                *self = Self { open: !self.open, ..Self::default() };
                None
            }
            Message::BlockPressed => {
                self.dismiss();
                Some(Deed::Block)
            }
            Message::UnblockPressed => {
                self.dismiss();
                Some(Deed::Unblock)
            }
            Message::RemovePressed => {
                self.dismiss();
                Some(Deed::Remove)
            }
            Message::ReportPressed => {
                self.report = Some(String::new());
                self.told = None;
                None
            }
            Message::ReportChanged(report) => {
                (self.report, self.told) = (Some(report), None);
                None
            }
            Message::ReportSubmitted => self.submit(),
            Message::Reported(Ok(())) => {
                (self.report, self.sending) = (None, false);
                self.told = Some((true, "Thank you. Whoever runs the relay will see it.".to_owned()));
                None
            }
            Message::Reported(Err(notice)) => {
                self.sending = false;
                self.told = Some((false, notice.text));
                None
            }
        }
    }

    fn submit(&mut self) -> Option<Deed> {
        let text = self.report.as_deref().unwrap_or_default().trim().to_owned();
        if text.is_empty() || self.sending {
            return None;
        }
        if text.chars().count() > REPORT_MAX {
            self.told = Some((false, format!("At most {REPORT_MAX} characters, please.")));
            return None;
        }
        self.sending = true;
        Some(Deed::Report(text))
    }

    pub fn is_open(&self) -> bool {
        self.open
    }

    /// `None` while nobody asks for it.
    pub fn view<'a>(&'a self, with: &Name, blocked: bool) -> Option<Element<'a, Message>> {
        if !self.open {
            return None;
        }
        let block = match blocked {
            true => entry(Icon::Ban, format!("Unblock {with}"), Message::UnblockPressed),
            false => entry(Icon::Ban, format!("Block {with}"), Message::BlockPressed),
        };
        let report = entry(Icon::Flag, "Report\u{2026}".to_owned(), Message::ReportPressed);
        let remove = entry(Icon::UserMinus, "Remove from the list".to_owned(), Message::RemovePressed);
        let deeds = row![block, report, remove].spacing(spacing::S);
        let writing = self.report.as_deref().map(|text| self.form(text));
        let told =
            self.told.as_ref().map(|(good, says)| text::caption(says).style(if *good { text::good } else { text::danger }));
        let menu = column![deeds].push(writing).push(told).spacing(spacing::S);
        let menu = container(menu).padding([spacing::S, spacing::M]).width(Fill).style(theme::container::sunken);
        Some(container(menu).padding([spacing::S, spacing::L]).into())
    }

    fn form<'a>(&self, text: &'a str) -> Element<'a, Message> {
        let field = text_input("What happened? Whoever runs the relay reads it.", text)
            .id("report")
            .on_input(Message::ReportChanged)
            .on_submit(Message::ReportSubmitted)
            .padding([spacing::S, spacing::M])
            .size(text::BODY)
            .style(theme::input::field);
        let says = if self.sending { "Sending\u{2026}" } else { "Send report" };
        let send = button(text::strong(says)).padding([spacing::S, spacing::L]).style(theme::button::primary);
        let ready = !self.sending && !text.trim().is_empty();
        row![field, send.on_press_maybe(ready.then_some(Message::ReportSubmitted))].spacing(spacing::S).align_y(Center).into()
    }
}

fn entry<'a>(which: Icon, says: String, message: Message) -> Element<'a, Message> {
    let line = row![icon(which, icon::SMALL), text::body(says)].spacing(spacing::S).align_y(Center);
    button(line).padding([spacing::XS, spacing::M]).style(theme::button::soft).on_press(message).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_sent_once_and_says_what_came_of_it() {
        let mut menu = Menu::default();
        menu.update(Message::Toggled);
        menu.update(Message::ReportPressed);
        assert_eq!(menu.update(Message::ReportSubmitted), None, "nothing is written yet");
        menu.update(Message::ReportChanged(" Rude. ".into()));
        assert_eq!(menu.update(Message::ReportSubmitted), Some(Deed::Report("Rude.".into())));
        assert_eq!(menu.update(Message::ReportSubmitted), None, "it is under way");
        menu.update(Message::Reported(Err(Notice::new("Too many."))));
        assert_eq!(menu.update(Message::ReportSubmitted), Some(Deed::Report("Rude.".into())));
        menu.update(Message::Reported(Ok(())));
        assert!(menu.report.is_none() && matches!(menu.told, Some((true, _))));
        menu.update(Message::ReportChanged("x".repeat(REPORT_MAX + 1)));
        assert_eq!(menu.update(Message::ReportSubmitted), None);
    }

    #[test]
    fn blocking_puts_the_menu_away() {
        let mut menu = Menu::default();
        menu.update(Message::Toggled);
        assert_eq!(menu.update(Message::BlockPressed), Some(Deed::Block));
        assert!(!menu.is_open());
    }
}
