//! The person's own place above the buddy list: how they are seen, what they say of themselves, and what else is theirs.

use iced::{
    Center, Element, Fill,
    widget::{button, column, container, row, text_input},
};
use proto::{
    Name,
    limits::LINE_MAX,
    model::{Choice, OwnPresence, Presence},
};

use super::buddy_list::{one_line, presence_word};
use crate::ui::{
    icon::{self, Icon, icon},
    notice::Notice,
    theme::{self, spacing, text},
    widget::avatar,
};

#[derive(Debug, Default)]
pub struct Own {
    /// As the relay has it.
    told: OwnPresence,
    /// On its way to the relay.
    wanted: Option<OwnPresence>,
    draft: String,
    blocked: Vec<Name>,
    open: bool,
    blocked_open: bool,
    error: Option<String>,
}

#[derive(Debug, Clone)]
pub enum Message {
    MenuPressed,
    Chosen(Choice),
    TextChanged(String),
    TextSubmitted,
    BlockedPressed,
    UnblockPressed(Name),
    AccountPressed,
    EquipmentPressed,
    CheckPressed,
    Saved(Result<(), Notice>),
}

pub enum Action {
    None,
    Set(OwnPresence),
    Unblock(Name),
    OpenAccount,
    OpenPanel,
    OpenCheckup,
}

impl Own {
    pub fn know(&mut self, presence: OwnPresence, blocked: Vec<Name>) {
        self.set(presence);
        self.block(blocked);
    }

    /// The relay says how the person is to be seen, as chosen here or on another device.
    pub fn set(&mut self, presence: OwnPresence) {
        self.wanted = None;
        if self.draft == self.told.text {
            self.draft.clone_from(&presence.text);
        }
        self.told = presence;
    }

    pub fn block(&mut self, blocked: Vec<Name>) {
        self.blocked_open &= !blocked.is_empty();
        self.blocked = blocked;
    }

    pub fn blocks(&self, name: &Name) -> bool {
        self.blocked.iter().any(|blocked| blocked.is(name))
    }

    /// Escape: puts the menu away.
    pub fn dismiss(&mut self) {
        self.open = false;
        self.error = None;
        self.draft = self.now().text.clone();
    }

    /// As the person wants it, whether the relay has heard it yet or not.
    fn now(&self) -> &OwnPresence {
        self.wanted.as_ref().unwrap_or(&self.told)
    }

    pub fn update(&mut self, message: Message) -> Action {
        match message {
            Message::MenuPressed => {
                self.open = !self.open;
                Action::None
            }
            Message::Chosen(choice) => {
                self.open = false;
                let text = self.draft.trim().to_owned();
                self.want(OwnPresence { choice, text })
            }
            Message::TextChanged(draft) => {
                self.draft = draft;
                self.error = None;
                Action::None
            }
            Message::TextSubmitted => {
                let text = self.draft.trim().to_owned();
                let choice = self.now().choice;
                self.want(OwnPresence { choice, text })
            }
            Message::BlockedPressed => {
                self.blocked_open = !self.blocked_open && !self.blocked.is_empty();
                Action::None
            }
            Message::UnblockPressed(name) => Action::Unblock(name),
            Message::EquipmentPressed => {
                self.open = false;
                Action::OpenPanel
            }
            Message::AccountPressed => {
                self.open = false;
                Action::OpenAccount
            }
            Message::CheckPressed => {
                self.open = false;
                Action::OpenCheckup
            }
            Message::Saved(Ok(())) => Action::None,
            Message::Saved(Err(notice)) => {
                self.wanted = None;
                self.open = true;
                self.error = Some(notice.text);
                Action::None
            }
        }
    }

    fn want(&mut self, presence: OwnPresence) -> Action {
        if presence.text.chars().count() > LINE_MAX {
            self.open = true;
            self.error = Some(format!("At most {LINE_MAX} characters, please."));
            return Action::None;
        }
        self.open = false;
        if presence == *self.now() {
            return Action::None;
        }
        self.wanted = Some(presence.clone());
        Action::Set(presence)
    }

    /// How buddies see this person, apart from calls and being away.
    pub fn seen_as(&self) -> Presence {
        shown(self.now().choice)
    }

    /// The face, the name and what is said below it; pressing it opens the menu. Without a connection `trouble` is said instead.
    pub fn head<'a>(&'a self, me: &'a Name, presence: Presence, trouble: Option<&'a str>) -> Element<'a, Message> {
        let said = match (trouble, self.now().text.as_str()) {
            (Some(trouble), _) => trouble,
            (None, "") => word(self.now().choice),
            (None, text) => text,
        };
        let arrow = icon(if self.open { Icon::ChevronUp } else { Icon::ChevronDown }, icon::SMALL).style(text::faint);
        let line = row![
            avatar::with_presence(me, presence, spacing::AVATAR_M),
            column![text::lead(me.as_str()), one_line(text::caption(said))].width(Fill),
            arrow,
        ];
        let head = button(line.spacing(spacing::S).align_y(Center))
            .padding([spacing::XS, spacing::S])
            .style(theme::button::row(self.open))
            .on_press(Message::MenuPressed);
        container(head).id("own-presence").width(Fill).into()
    }

    /// What can be chosen; `None` while nobody asks for it.
    pub fn menu(&self) -> Option<Element<'_, Message>> {
        if !self.open {
            return None;
        }
        let choices = [Choice::Available, Choice::Away, Choice::DoNotDisturb, Choice::Invisible];
        let choices = column(choices.map(|choice| self.choice(choice)));
        let field = text_input("What are you up to?", &self.draft)
            .id("own-text")
            .on_input(Message::TextChanged)
            .on_submit(Message::TextSubmitted)
            .padding([spacing::S, spacing::M])
            .size(text::BODY)
            .style(theme::input::field);
        let save = button(icon(Icon::Check, icon::MEDIUM)).padding(spacing::S).style(theme::button::quiet);
        let changed = self.draft.trim() != self.now().text;
        let save = save.on_press_maybe(changed.then_some(Message::TextSubmitted));
        let error = self.error.as_deref().map(|error| text::caption(error).style(text::danger));
        let field = column![row![field, save].spacing(spacing::XS).align_y(Center)].push(error).spacing(spacing::XS);
        let equipment = entry(Icon::Headphones, "Camera and sound".to_owned(), Message::EquipmentPressed);
        let account = entry(Icon::KeyRound, "Devices and password".to_owned(), Message::AccountPressed);
        let check = entry(Icon::Stethoscope, "Check the connection".to_owned(), Message::CheckPressed);
        let blocked = (!self.blocked.is_empty()).then(|| {
            let count = self.blocked.len();
            let people = if count == 1 { "1 blocked person".to_owned() } else { format!("{count} blocked people") };
            entry(Icon::Ban, people, Message::BlockedPressed)
        });
        let names = self.blocked_open.then(|| column(self.blocked.iter().map(blocked_one)));
        let menu = column![choices, field, equipment, account, check];
        let menu = menu.push(blocked).push(names).spacing(spacing::S);
        let menu = container(menu).padding(spacing::S).width(Fill).style(theme::container::sunken);
        Some(container(menu).padding([0.0, spacing::M]).into())
    }

    fn choice(&self, choice: Choice) -> Element<'_, Message> {
        let chosen = self.now().choice == choice;
        let tick = chosen.then(|| icon(Icon::Check, icon::SMALL).style(text::primary));
        let line = row![
            icon(choice_icon(choice), icon::SMALL).style(text::muted),
            column![text::body(word(choice)), text::caption(meaning(choice))].width(Fill),
        ];
        button(line.push(tick).spacing(spacing::M).align_y(Center))
            .width(Fill)
            .padding([spacing::XS, spacing::S])
            .style(theme::button::row(chosen))
            .on_press(Message::Chosen(choice))
            .into()
    }
}

fn entry<'a>(which: Icon, says: String, message: Message) -> Element<'a, Message> {
    let line = row![icon(which, icon::SMALL).style(text::muted), text::body(says)].spacing(spacing::M).align_y(Center);
    button(line).width(Fill).padding([spacing::XS, spacing::S]).style(theme::button::row(false)).on_press(message).into()
}

fn blocked_one(name: &Name) -> Element<'_, Message> {
    let unblock = button(text::caption("Unblock").style(text::primary)).padding([spacing::XS, spacing::S]);
    let unblock = unblock.style(theme::button::quiet).on_press(Message::UnblockPressed(name.clone()));
    row![text::body(name.as_str()).width(Fill), unblock].padding([0.0, spacing::S]).align_y(Center).into()
}

fn word(choice: Choice) -> &'static str {
    match choice {
        Choice::Invisible => "Invisible",
        _ => presence_word(shown(choice)),
    }
}

fn meaning(choice: Choice) -> &'static str {
    match choice {
        Choice::Away => "Calls still ring",
        Choice::DoNotDisturb => "Nothing rings; missed calls are kept",
        Choice::Invisible => "You look as if you were not there",
        _ => "Away by itself after a while",
    }
}

fn choice_icon(choice: Choice) -> Icon {
    match choice {
        Choice::Away => Icon::Clock,
        Choice::DoNotDisturb => Icon::CircleMinus,
        Choice::Invisible => Icon::EyeOff,
        _ => Icon::CircleCheck,
    }
}

fn shown(choice: Choice) -> Presence {
    match choice {
        Choice::Away => Presence::Away,
        Choice::DoNotDisturb => Presence::DoNotDisturb,
        Choice::Invisible => Presence::Offline,
        _ => Presence::Available,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(choice: Choice, text: &str) -> OwnPresence {
        OwnPresence { choice, text: text.to_owned() }
    }

    #[test]
    fn a_choice_shows_at_once_and_goes_back_when_the_relay_refuses() {
        let mut mine = Own::default();
        mine.know(own(Choice::Available, "here"), vec![]);
        let Action::Set(set) = mine.update(Message::Chosen(Choice::DoNotDisturb)) else { panic!("not sent") };
        assert_eq!((set, mine.seen_as()), (own(Choice::DoNotDisturb, "here"), Presence::DoNotDisturb));
        mine.update(Message::Saved(Err(Notice::new("No."))));
        assert_eq!((mine.seen_as(), mine.error.as_deref()), (Presence::Available, Some("No.")));
        assert!(matches!(mine.update(Message::Chosen(Choice::Available)), Action::None), "nothing changes");
    }

    #[test]
    fn a_line_is_kept_short_and_what_is_half_typed_outlives_news() {
        let mut mine = Own::default();
        mine.update(Message::TextChanged("x".repeat(LINE_MAX + 1)));
        assert!(matches!(mine.update(Message::TextSubmitted), Action::None) && mine.error.is_some());
        mine.update(Message::TextChanged(" Out for tea ".to_owned()));
        mine.set(own(Choice::Away, "from the phone"));
        assert_eq!(mine.draft, " Out for tea ");
        let Action::Set(set) = mine.update(Message::TextSubmitted) else { panic!("not sent") };
        assert_eq!(set, own(Choice::Away, "Out for tea"));
        mine.set(set);
        mine.draft = "Out for tea".to_owned();
        mine.set(own(Choice::Available, ""));
        assert_eq!(mine.draft, "");
    }
}
