//! Short notices in a corner that go away by themselves.

use std::time::{Duration, Instant};

use iced::{
    Alignment, Center, Element, Fill, Subscription,
    widget::{button, column, container, row, space},
};

use crate::ui::{
    icon::{self, Icon, icon},
    theme::{self, spacing, text},
};

/// Long enough to read two lines.
const SHOWN: Duration = Duration::from_secs(6);

/// Older ones make room.
const MOST: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    News,
    Trouble,
}

#[derive(Debug, Clone)]
struct Toast {
    id: u64,
    kind: Kind,
    text: String,
    until: Instant,
}

#[derive(Debug, Default)]
pub struct Toasts {
    shown: Vec<Toast>,
    next: u64,
}

#[derive(Debug, Clone)]
pub enum Message {
    Dismissed(u64),
    Tick(Instant),
}

impl Toasts {
    pub fn push(&mut self, kind: Kind, text: impl Into<String>, now: Instant) {
        let text = text.into();
        // The same trouble told again is one toast that stays longer.
        self.shown.retain(|toast| toast.text != text);
        self.shown.push(Toast { id: self.next, kind, text, until: now + SHOWN });
        self.next += 1;
        if self.shown.len() > MOST {
            self.shown.remove(0);
        }
    }

    pub fn update(&mut self, message: Message) {
        match message {
            Message::Dismissed(id) => self.shown.retain(|toast| toast.id != id),
            Message::Tick(now) => self.shown.retain(|toast| toast.until > now),
        }
    }

    pub fn subscription(&self) -> Subscription<Message> {
        if self.shown.is_empty() {
            return Subscription::none();
        }
        iced::time::every(Duration::from_millis(500)).map(Message::Tick)
    }

    /// `None` while there is nothing to say.
    pub fn view(&self) -> Option<Element<'_, Message>> {
        if self.shown.is_empty() {
            return None;
        }
        let list = column(self.shown.iter().map(one)).spacing(spacing::S).width(spacing::DIALOG);
        Some(container(list).width(Fill).padding(spacing::L).align_x(Alignment::End).into())
    }
}

fn one(toast: &Toast) -> Element<'_, Message> {
    let (sign, color) = match toast.kind {
        Kind::News => (Icon::Info, text::primary as fn(&iced::Theme) -> _),
        Kind::Trouble => (Icon::TriangleAlert, text::danger as _),
    };
    let close = button(icon(Icon::X, icon::SMALL)).padding(spacing::XS).style(theme::button::quiet);
    container(
        row![
            icon(sign, icon::MEDIUM).style(color),
            text::body(&toast.text).width(Fill),
            close.on_press(Message::Dismissed(toast.id)),
            space().width(0),
        ]
        .spacing(spacing::S)
        .align_y(Center),
    )
    .padding([spacing::S, spacing::M])
    .style(theme::container::floating)
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toast_goes_away_and_the_same_one_is_not_told_twice() {
        let start = Instant::now();
        let mut toasts = Toasts::default();
        toasts.push(Kind::Trouble, "The relay can't be reached.", start);
        toasts.push(Kind::Trouble, "The relay can't be reached.", start + Duration::from_secs(3));
        assert_eq!(toasts.shown.len(), 1);
        toasts.update(Message::Tick(start + Duration::from_secs(7)));
        assert_eq!(toasts.shown.len(), 1);
        toasts.update(Message::Tick(start + Duration::from_secs(10)));
        assert!(toasts.view().is_none());
    }

    #[test]
    fn only_the_newest_few_are_shown() {
        let now = Instant::now();
        let mut toasts = Toasts::default();
        for number in 0..9 {
            toasts.push(Kind::News, number.to_string(), now);
        }
        assert_eq!(toasts.shown.len(), MOST);
        assert_eq!(toasts.shown[MOST - 1].text, "8");
    }
}
