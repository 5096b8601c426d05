//! The buddy list: who is there, who asks, and a field to ask someone.

use iced::{
    Center, Element, Fill,
    widget::{button, column, container, mouse_area, row, scrollable, space, text_input, tooltip::Position},
};
use proto::{
    Name,
    model::{Buddy, Presence, Relation},
};

use crate::ui::{
    icon::{self, Icon, icon},
    notice::Notice,
    theme::{self, spacing, text},
    widget::{avatar, hint::hint},
};

#[derive(Debug, Default)]
pub struct BuddyList {
    /// In the order of the screen.
    buddies: Vec<Buddy>,
    selected: Option<Name>,
    adding: String,
    error: Option<String>,
    asked: bool,
}

#[derive(Debug, Clone)]
pub enum Message {
    Selected(Name),
    NameChanged(String),
    AddPressed,
    AcceptPressed(Name),
    RemovePressed(Name),
    CallPressed(Name),
    Added(Name, Result<(), Notice>),
    /// Into the call whose link was given.
    Entered(Result<(), Notice>),
    /// The other button of the mouse, on a buddy.
    MenuPressed(Name),
}

pub enum Action {
    None,
    Select(Name),
    /// Shows what can be done about a buddy.
    Menu(Name),
    Add(Name),
    /// Into the call with this link.
    Enter(String),
    Remove(Name),
    Ring(Name),
}

impl BuddyList {
    /// The list is now this one.
    pub fn know(&mut self, mut buddies: Vec<Buddy>) {
        buddies.sort_by_key(|buddy| (rank(buddy), buddy.name.key()));
        self.buddies = buddies;
        if let Some(name) = &self.selected
            && self.relation_of(name) != Some(Relation::Mutual)
        {
            self.selected = None;
        }
    }

    pub fn presence(&mut self, name: &Name, presence: Presence, text: String, last_seen_ms: Option<u64>) {
        if let Some(buddy) = self.buddies.iter_mut().find(|buddy| buddy.name.is(name)) {
            (buddy.presence, buddy.text, buddy.last_seen_ms) = (presence, text, last_seen_ms);
        }
        self.buddies.sort_by_key(|buddy| (rank(buddy), buddy.name.key()));
    }

    pub fn selected(&self) -> Option<&Name> {
        self.selected.as_ref()
    }

    pub fn select(&mut self, name: Option<Name>) {
        self.selected = name;
    }

    /// Escape: forgets what is half typed.
    pub fn dismiss(&mut self) {
        self.adding.clear();
        self.error = None;
    }

    pub fn presence_of(&self, name: &Name) -> Option<Presence> {
        self.of(name).filter(|buddy| buddy.relation == Relation::Mutual).map(|buddy| buddy.presence)
    }

    pub fn relation_of(&self, name: &Name) -> Option<Relation> {
        self.of(name).map(|buddy| buddy.relation)
    }

    /// Who can be rung now.
    pub fn there(&self) -> impl Iterator<Item = &Name> {
        let there = |buddy: &&Buddy| buddy.relation == Relation::Mutual && can_be_rung(buddy.presence);
        self.buddies.iter().filter(there).map(|buddy| &buddy.name)
    }

    /// Who may be written to.
    pub fn mutual(&self) -> impl Iterator<Item = &Name> {
        self.buddies.iter().filter(|buddy| buddy.relation == Relation::Mutual).map(|buddy| &buddy.name)
    }

    pub fn of(&self, name: &Name) -> Option<&Buddy> {
        self.buddies.iter().find(|buddy| buddy.name.is(name))
    }

    pub fn update(&mut self, message: Message) -> Action {
        match message {
            Message::Selected(name) => Action::Select(name),
            Message::NameChanged(name) => {
                self.adding = name;
                self.error = None;
                self.asked = false;
                Action::None
            }
            Message::MenuPressed(name) => Action::Menu(name),
            Message::AddPressed if is_link(&self.adding) => Action::Enter(self.adding.trim().to_owned()),
            Message::Entered(Ok(())) => {
                self.adding.clear();
                Action::None
            }
            Message::AddPressed => match self.adding.trim().parse::<Name>() {
                Ok(name) => Action::Add(name),
                Err(_) if self.adding.trim().is_empty() => Action::None,
                Err(error) => {
                    self.error = Some(format!("That can't be a name: {error}."));
                    Action::None
                }
            },
            Message::AcceptPressed(name) => Action::Add(name),
            Message::RemovePressed(name) => Action::Remove(name),
            Message::CallPressed(name) => Action::Ring(name),
            Message::Added(name, Ok(())) => {
                if self.adding.trim().parse::<Name>().is_ok_and(|typed| typed.is(&name)) {
                    self.adding.clear();
                    self.asked = true;
                }
                Action::None
            }
            Message::Added(_, Err(notice)) | Message::Entered(Err(notice)) => {
                self.error = Some(notice.text);
                Action::None
            }
        }
    }

    /// `unread` says how many messages of someone have not been read, `blocked` whether they are blocked.
    pub fn view<'a>(
        &'a self,
        unread: impl Fn(&Name) -> usize,
        blocked: impl Fn(&Name) -> bool,
        when: impl Fn(u64) -> String,
    ) -> Element<'a, Message> {
        let mut list = column![].spacing(spacing::XS).padding([0.0, spacing::S]);
        let group = |relation: Relation| self.buddies.iter().filter(move |buddy| buddy.relation == relation);
        for (heading, relation) in
            [("Would like to be your buddies", Relation::Asking), ("", Relation::Mutual), ("Asked by you", Relation::Asked)]
        {
            let mut buddies = group(relation).peekable();
            if buddies.peek().is_some() && !heading.is_empty() {
                list = list.push(container(text::caption(heading)).padding([spacing::S, spacing::S]));
            }
            for buddy in buddies {
                list = list.push(match relation {
                    Relation::Asking => asking(buddy),
                    Relation::Asked => asked(buddy),
                    _ if blocked(&buddy.name) => self.mutual_line(buddy, Presence::Offline, 0, Some("Blocked".to_owned())),
                    _ => self.mutual_line(buddy, buddy.presence, unread(&buddy.name), buddy.last_seen_ms.map(&when)),
                });
            }
        }
        if self.buddies.is_empty() {
            list = list.push(
                container(text::body("Nobody here yet. Ask someone by name, below.").style(text::muted)).padding(spacing::M),
            );
        }
        column![scrollable(list).height(Fill).width(Fill).style(theme::input::scroll), self.add_field()].into()
    }

    /// `instead` is said in place of the presence.
    fn mutual_line<'a>(
        &self,
        buddy: &'a Buddy,
        presence: Presence,
        unread: usize,
        instead: Option<String>,
    ) -> Element<'a, Message> {
        let name = if unread > 0 { text::strong(buddy.name.as_str()) } else { text::body(buddy.name.as_str()) };
        let line = row![
            avatar::with_presence(&buddy.name, presence, spacing::AVATAR_S),
            column![one_line(name), state(presence, &buddy.text, instead)].width(Fill),
        ]
        .push(badge(unread))
        .spacing(spacing::M)
        .align_y(Center);
        let chosen = self.selected.as_ref().is_some_and(|name| name.is(&buddy.name));
        let line = button(line)
            .width(Fill)
            .padding([spacing::S, spacing::S])
            .style(theme::button::row(chosen))
            .on_press(Message::Selected(buddy.name.clone()));
        mouse_area(line).on_right_press(Message::MenuPressed(buddy.name.clone())).into()
    }

    fn add_field(&self) -> Element<'_, Message> {
        let field = text_input("A buddy\u{2019}s name or a call link", &self.adding)
            .id("add-buddy")
            .on_input(Message::NameChanged)
            .on_submit(Message::AddPressed)
            .padding([spacing::S, spacing::M])
            .size(text::BODY)
            .style(theme::input::field);
        let (sign, says) = match is_link(&self.adding) {
            true => (Icon::LogIn, "Join the call"),
            false => (Icon::UserPlus, "Ask to be buddies"),
        };
        let add = button(icon(sign, icon::MEDIUM)).padding(spacing::S).style(theme::button::quiet);
        let ready = !self.adding.trim().is_empty();
        let add = hint(add.on_press_maybe(ready.then_some(Message::AddPressed)), says, Position::Top);
        let told = match (&self.error, self.asked) {
            (Some(error), _) => Some(text::caption(error).style(text::danger)),
            (None, true) => Some(text::caption("Asked. They see it at once if they are there.").style(text::good)),
            (None, false) => None,
        };
        container(column![row![field, add].spacing(spacing::XS).align_y(Center)].push(told).spacing(spacing::XS))
            .padding(spacing::M)
            .into()
    }
}

fn asking(buddy: &Buddy) -> Element<'_, Message> {
    let accept = button(icon(Icon::Check, icon::MEDIUM)).padding(spacing::S).style(theme::button::good);
    let decline = button(icon(Icon::X, icon::MEDIUM)).padding(spacing::S).style(theme::button::soft);
    let line = row![
        avatar::avatar(&buddy.name, spacing::AVATAR_S),
        text::body(buddy.name.as_str()).width(Fill),
        hint(accept.on_press(Message::AcceptPressed(buddy.name.clone())), "Accept as a buddy", Position::Top),
        hint(decline.on_press(Message::RemovePressed(buddy.name.clone())), "Decline", Position::Top),
    ];
    container(line.spacing(spacing::S).align_y(Center)).padding(spacing::S).style(theme::container::sunken).into()
}

fn asked(buddy: &Buddy) -> Element<'_, Message> {
    let undo = button(icon(Icon::X, icon::SMALL)).padding(spacing::S).style(theme::button::quiet);
    row![
        avatar::avatar(&buddy.name, spacing::AVATAR_S),
        column![text::body(buddy.name.as_str()), text::caption("No answer yet")].width(Fill),
        hint(undo.on_press(Message::RemovePressed(buddy.name.clone())), "Take it back", Position::Top),
        space().width(0),
    ]
    .spacing(spacing::M)
    .padding(spacing::S)
    .align_y(Center)
    .into()
}

pub fn presence_word(presence: Presence) -> &'static str {
    match presence {
        Presence::Offline => "Not there",
        Presence::Busy => "In a call",
        Presence::Away => "Away",
        Presence::DoNotDisturb => "Do not disturb",
        _ => "Available",
    }
}

/// The sign of a presence that is not plain to see from the dot.
fn presence_icon(presence: Presence) -> Option<Icon> {
    match presence {
        Presence::Away => Some(Icon::Clock),
        Presence::Busy => Some(Icon::Phone),
        Presence::DoNotDisturb => Some(Icon::CircleMinus),
        _ => None,
    }
}

/// How someone is, in a line: `instead`, or else what they say themselves, or else what the relay says of them.
pub fn state<'a, M: 'a>(presence: Presence, text: &'a str, instead: Option<String>) -> Element<'a, M> {
    let sign = presence_icon(presence).map(|sign| icon(sign, text::CAPTION).style(text::muted));
    let says = match (text, instead) {
        (_, Some(instead)) => text::caption(instead),
        ("", None) => text::caption(presence_word(presence)),
        (text, None) => text::caption(text),
    };
    row![].push(sign).push(one_line(says)).spacing(spacing::XS).align_y(Center).into()
}

/// Text that ends where there is no more room.
pub fn one_line<'a, M: 'a>(text: iced::widget::Text<'a>) -> Element<'a, M> {
    container(text.wrapping(iced::widget::text::Wrapping::None)).width(Fill).clip(true).into()
}

/// How many messages have not been read, if any.
pub fn badge<'a, M: 'a>(unread: usize) -> Option<Element<'a, M>> {
    let count = text::strong(unread.min(99).to_string()).size(text::CAPTION).line_height(1.2);
    (unread > 0).then(|| container(count).padding([spacing::HAIR, spacing::S]).style(theme::container::badge).into())
}

/// Whether a ring would be heard.
pub fn can_be_rung(presence: Presence) -> bool {
    !matches!(presence, Presence::Offline | Presence::Busy | Presence::DoNotDisturb)
}

/// Whether it is more than a name: nobody is called like that.
fn is_link(text: &str) -> bool {
    text.contains("#call=")
}

/// Who can be talked to comes first.
fn rank(buddy: &Buddy) -> u8 {
    match (buddy.relation, buddy.presence) {
        (Relation::Asking, _) => 0,
        (Relation::Asked, _) => 3,
        (_, Presence::Offline) => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buddy(name: &str, relation: Relation, presence: Presence) -> Buddy {
        Buddy { name: name.parse().unwrap(), relation, presence, text: String::new(), last_seen_ms: None }
    }

    fn names(list: &BuddyList) -> Vec<&str> {
        list.buddies.iter().map(|buddy| buddy.name.as_str()).collect()
    }

    #[test]
    fn who_asks_and_who_is_there_come_first() {
        let mut list = BuddyList::default();
        list.know(vec![
            buddy("zoe", Relation::Mutual, Presence::Available),
            buddy("Ben", Relation::Mutual, Presence::Offline),
            buddy("Kim", Relation::Asking, Presence::Offline),
            buddy("Ali", Relation::Asked, Presence::Offline),
        ]);
        assert_eq!(names(&list), ["Kim", "zoe", "Ben", "Ali"]);
        list.presence(&"ben".parse().unwrap(), Presence::Busy, String::new(), None);
        assert_eq!(names(&list), ["Kim", "Ben", "zoe", "Ali"]);
    }

    #[test]
    fn who_is_no_buddy_any_more_is_not_selected_any_more() {
        let mut list = BuddyList::default();
        list.know(vec![buddy("Ben", Relation::Mutual, Presence::Available)]);
        list.select(Some("ben".parse().unwrap()));
        list.know(vec![buddy("Ben", Relation::Mutual, Presence::Busy)]);
        assert!(list.selected().is_some());
        list.know(vec![]);
        assert!(list.selected().is_none());
    }

    #[test]
    fn a_link_to_a_call_is_no_name_and_stays_until_one_is_in() {
        let mut list = BuddyList::default();
        list.update(Message::NameChanged(" https://relay.example.org/#call=x ".into()));
        let Action::Enter(link) = list.update(Message::AddPressed) else { panic!("asked for as a name") };
        assert_eq!(link, "https://relay.example.org/#call=x");
        list.update(Message::Entered(Err(Notice::new("The call is locked."))));
        assert!(!list.adding.is_empty() && list.error.is_some());
        list.update(Message::Entered(Ok(())));
        assert!(list.adding.is_empty());
    }

    #[test]
    fn a_name_is_checked_before_it_is_asked_for() {
        let mut list = BuddyList::default();
        list.update(Message::NameChanged("no name".into()));
        assert!(matches!(list.update(Message::AddPressed), Action::None));
        assert!(list.error.is_some());
        list.update(Message::NameChanged(" Kim ".into()));
        assert!(matches!(list.update(Message::AddPressed), Action::Add(name) if name.as_str() == "Kim"));
        list.update(Message::Added("kim".parse().unwrap(), Ok(())));
        assert!(list.adding.is_empty() && list.asked);
    }
}
