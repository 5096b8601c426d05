//! The person's account: on which devices they are signed in, and their password.

use iced::{
    Center, Element, Fill,
    widget::{button, center, column, container, opaque, row, scrollable, text_input, tooltip::Position},
};
use proto::{SessionId, api::OwnSession, limits::PASSWORD_MIN};

use crate::ui::{
    icon::{self, Icon, icon},
    notice::Notice,
    theme::{self, spacing, text},
    when::Zone,
    widget::hint::hint,
};

/// Room for the devices before they are scrolled.
const LIST: f32 = 220.0;

#[derive(Debug, Default)]
pub struct Account {
    /// None until the relay has told.
    sessions: Option<Vec<OwnSession>>,
    old: String,
    new: String,
    busy: bool,
    /// What came of it, and whether that is good.
    told: Option<(bool, String)>,
}

#[derive(Debug, Clone)]
pub enum Message {
    Listed(Result<Vec<OwnSession>, Notice>),
    EndPressed(SessionId),
    Ended(SessionId, Result<(), Notice>),
    OldChanged(String),
    NewChanged(String),
    ChangePressed,
    Changed(Result<(), Notice>),
    ClosePressed,
}

pub enum Action {
    None,
    /// Asks for the list again.
    List,
    End(SessionId),
    Change {
        old: String,
        new: String,
    },
    Close,
}

impl Account {
    pub fn update(&mut self, message: Message) -> Action {
        match message {
            Message::Listed(Ok(sessions)) => self.sessions = Some(sessions),
            Message::EndPressed(id) => return Action::End(id),
            Message::Ended(id, Ok(())) => {
                if let Some(sessions) = &mut self.sessions {
                    sessions.retain(|session| session.id != id);
                }
            }
            Message::OldChanged(old) => (self.old, self.told) = (old, None),
            Message::NewChanged(new) => (self.new, self.told) = (new, None),
            Message::ChangePressed => return self.change(),
            Message::Changed(Ok(())) => {
                (self.old, self.new, self.busy) = (String::new(), String::new(), false);
                self.told = Some((true, "The password is changed. Your other devices are signed off.".to_owned()));
                return Action::List;
            }
            Message::Changed(Err(notice)) => {
                self.busy = false;
                self.told = Some((false, notice.text));
            }
            Message::Listed(Err(notice)) | Message::Ended(_, Err(notice)) => self.told = Some((false, notice.text)),
            Message::ClosePressed => return Action::Close,
        }
        Action::None
    }

    fn change(&mut self) -> Action {
        if self.busy {
            return Action::None;
        }
        if self.new.chars().count() < PASSWORD_MIN {
            self.told = Some((false, format!("A password needs at least {PASSWORD_MIN} characters.")));
            return Action::None;
        }
        self.busy = true;
        Action::Change { old: self.old.clone(), new: self.new.clone() }
    }

    pub fn view(&self, zone: Zone, now_ms: u64) -> Element<'_, Message> {
        let close = button(icon(Icon::X, icon::MEDIUM)).padding(spacing::S).style(theme::button::quiet);
        let head = row![text::title("Devices and password").width(Fill), close.on_press(Message::ClosePressed)].align_y(Center);
        let sessions: Element<'_, Message> = match &self.sessions {
            None => text::body("Fetching\u{2026}").style(text::muted).into(),
            Some(sessions) => column(sessions.iter().map(|session| one(session, zone, now_ms))).spacing(spacing::S).into(),
        };
        let sessions = container(scrollable(sessions).width(Fill).style(theme::input::scroll)).max_height(LIST);
        let field = |id, says, value, message: fn(String) -> Message| {
            let field = text_input(says, value).id(id).secure(true).padding(spacing::M).size(text::BODY);
            field.on_input(message).on_submit(Message::ChangePressed).style(theme::input::field)
        };
        let ready = !self.busy && !self.old.is_empty() && !self.new.is_empty();
        let change = container(text::strong(if self.busy { "One moment\u{2026}" } else { "Change password" })).center_x(Fill);
        let change = button(change).width(Fill).padding([spacing::M, spacing::L]).style(theme::button::primary);
        let told = self.told.as_ref().map(|(good, says)| text::body(says).style(if *good { text::good } else { text::danger }));
        let form = column![
            field("old-password", "Password until now", &self.old, Message::OldChanged),
            field("new-password", "New password", &self.new, Message::NewChanged),
        ]
        .push(told)
        .push(change.on_press_maybe(ready.then_some(Message::ChangePressed)))
        .spacing(spacing::M);
        let card = column![head, text::caption("You are signed in on"), sessions, form].spacing(spacing::M);
        let card = container(card).padding(spacing::XL).width(spacing::FORM).style(theme::container::card);
        opaque(center(card).style(theme::container::veil))
    }
}

fn one(session: &OwnSession, zone: Zone, now_ms: u64) -> Element<'_, Message> {
    let device = if session.device.is_empty() { "A device without a name" } else { &session.device };
    let when = if session.current {
        "This device".to_owned()
    } else {
        format!("Last used {}, {}", zone.day_name(session.seen_at_ms, now_ms).to_lowercase(), zone.clock(session.seen_at_ms))
    };
    let end = button(icon(Icon::LogOut, icon::SMALL)).padding(spacing::S).style(theme::button::quiet);
    let end = end.on_press(Message::EndPressed(session.id.clone()));
    let end = (!session.current).then(|| hint(container(end).id("end-session"), "Sign this device off", Position::Bottom));
    row![
        icon(Icon::MonitorSmartphone, icon::MEDIUM).style(text::muted),
        column![text::body(device), text::caption(when)].width(Fill),
    ]
    .push(end)
    .spacing(spacing::M)
    .align_y(Center)
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_changed_once_and_its_fields_are_emptied_then() {
        let mut account = Account::default();
        account.update(Message::OldChanged("correct horse".into()));
        account.update(Message::NewChanged("short".into()));
        assert!(matches!(account.update(Message::ChangePressed), Action::None));
        assert!(matches!(&account.told, Some((false, _))));
        account.update(Message::NewChanged("battery staple".into()));
        assert!(matches!(account.update(Message::ChangePressed), Action::Change { .. }));
        assert!(matches!(account.update(Message::ChangePressed), Action::None), "one at a time");
        account.update(Message::Changed(Err(Notice::new("The old password is wrong."))));
        assert!(matches!(account.update(Message::ChangePressed), Action::Change { .. }));
        assert!(matches!(account.update(Message::Changed(Ok(()))), Action::List));
        assert!(account.old.is_empty() && account.new.is_empty() && matches!(account.told, Some((true, _))));
    }

    #[test]
    fn a_device_that_was_signed_off_is_no_longer_listed() {
        let session = |id: &str, current| OwnSession {
            id: SessionId::new(id),
            device: String::new(),
            signed_in_at_ms: None,
            seen_at_ms: 0,
            current,
        };
        let mut account = Account::default();
        account.update(Message::Listed(Ok(vec![session("here", true), session("lost", false)])));
        let Action::End(id) = account.update(Message::EndPressed(SessionId::new("lost"))) else { panic!("not ended") };
        account.update(Message::Ended(id, Ok(())));
        assert_eq!(account.sessions.as_ref().map(Vec::len), Some(1));
    }
}
