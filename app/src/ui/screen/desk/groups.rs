//! The person's groups in the side bar, and the form to make one.

use iced::{
    Center, Element, Fill,
    widget::{button, center, checkbox, column, container, row, scrollable, text_input},
};
use proto::{GroupId, Name, chat::Group};

use super::buddy_list::badge;
use crate::ui::{
    icon::{self, Icon, icon},
    notice::Notice,
    theme::{self, spacing, text},
};

#[derive(Debug, Default)]
pub struct Groups {
    /// By title.
    groups: Vec<Group>,
    selected: Option<GroupId>,
    making: Option<Making>,
}

/// The form.
#[derive(Debug, Default)]
struct Making {
    title: String,
    chosen: Vec<Name>,
    error: Option<String>,
    /// The relay is asked.
    asked: bool,
}

#[derive(Debug, Clone)]
pub enum Message {
    Selected(GroupId),
    NewPressed,
    TitleChanged(String),
    Toggled(Name, bool),
    MakePressed,
    CancelPressed,
    Made(Result<Group, Notice>),
}

pub enum Action {
    None,
    Select(GroupId),
    /// The form has the place of the conversation.
    Form,
    Make(String, Vec<Name>),
    /// It is there; the person wants to write in it.
    Made(Group),
}

impl Groups {
    /// All there are.
    pub fn know(&mut self, mut groups: Vec<Group>) {
        groups.sort_by_key(|group| group.title.to_lowercase());
        self.groups = groups;
        if self.selected.as_ref().is_some_and(|selected| self.of(selected).is_none()) {
            self.selected = None;
        }
    }

    /// One is new, or has changed.
    pub fn put(&mut self, group: Group) {
        let mut groups = std::mem::take(&mut self.groups);
        groups.retain(|known| known.id != group.id);
        groups.push(group);
        self.know(groups);
    }

    /// The person is no longer in one.
    pub fn remove(&mut self, id: &GroupId) {
        let mut groups = std::mem::take(&mut self.groups);
        groups.retain(|known| known.id != *id);
        self.know(groups);
    }

    pub fn of(&self, id: &GroupId) -> Option<&Group> {
        self.groups.iter().find(|group| group.id == *id)
    }

    pub fn selected(&self) -> Option<&GroupId> {
        self.selected.as_ref()
    }

    pub fn select(&mut self, id: Option<GroupId>) {
        self.selected = id;
        self.making = None;
    }

    /// The form has the person's eyes now.
    pub fn deselect(&mut self) {
        self.selected = None;
    }

    pub fn is_making(&self) -> bool {
        self.making.is_some()
    }

    /// Escape.
    pub fn dismiss(&mut self) {
        self.making = None;
    }

    pub fn update(&mut self, message: Message) -> Action {
        let Some(making) = &mut self.making else {
            return match message {
                Message::Selected(id) => Action::Select(id),
                Message::NewPressed => {
                    self.making = Some(Making::default());
                    Action::Form
                }
                _ => Action::None,
            };
        };
        match message {
            Message::Selected(id) => return Action::Select(id),
            Message::NewPressed | Message::CancelPressed => self.making = None,
            Message::TitleChanged(title) => {
                making.title = title;
                making.error = None;
            }
            Message::Toggled(name, on) => {
                making.chosen.retain(|chosen| !chosen.is(&name));
                if on {
                    making.chosen.push(name);
                }
            }
            Message::MakePressed => {
                let title = making.title.trim().to_owned();
                if title.is_empty() {
                    making.error = Some("What is the group to be called?".to_owned());
                } else if !making.asked {
                    making.asked = true;
                    return Action::Make(title, making.chosen.clone());
                }
            }
            Message::Made(Ok(group)) => {
                self.making = None;
                self.put(group.clone());
                return Action::Made(group);
            }
            Message::Made(Err(notice)) => {
                making.asked = false;
                making.error = Some(notice.text);
            }
        }
        Action::None
    }

    /// `unread` says how many messages in a group have not been read.
    pub fn view(&self, unread: impl Fn(&GroupId) -> usize) -> Element<'_, Message> {
        let new = row![icon(Icon::Plus, icon::SMALL), text::caption("New group")].spacing(spacing::XS).align_y(Center);
        let new = button(new).padding([spacing::XS, spacing::S]).style(theme::button::quiet).on_press(Message::NewPressed);
        let groups = self.groups.iter().map(|group| self.line(group, unread(&group.id)));
        let list = scrollable(column(groups).spacing(spacing::XS)).style(theme::input::scroll).width(Fill);
        let list = container(list).max_height(spacing::GROUPS);
        column![list, new].padding([0.0, spacing::S]).spacing(spacing::XS).into()
    }

    fn line<'a>(&self, group: &'a Group, unread: usize) -> Element<'a, Message> {
        let title = if unread > 0 { text::strong(group.title.as_str()) } else { text::body(group.title.as_str()) };
        let line =
            row![icon(Icon::Users, icon::MEDIUM), title.width(Fill)].push(badge(unread)).spacing(spacing::M).align_y(Center);
        button(line)
            .width(Fill)
            .padding([spacing::S, spacing::M])
            .style(theme::button::row(self.selected.as_ref() == Some(&group.id)))
            .on_press(Message::Selected(group.id.clone()))
            .into()
    }

    /// The form, if it is wanted: `buddies` are those to choose from.
    pub fn form<'a>(&'a self, buddies: impl Iterator<Item = &'a Name>) -> Option<Element<'a, Message>> {
        let making = self.making.as_ref()?;
        let title = text_input("What is the group called?", &making.title)
            .id("group-title")
            .on_input(Message::TitleChanged)
            .on_submit(Message::MakePressed)
            .padding(spacing::M)
            .size(text::BODY)
            .style(theme::input::field);
        let choose = |name: &'a Name| {
            let chosen = making.chosen.iter().any(|chosen| chosen.is(name));
            let toggled = move |on| Message::Toggled(name.clone(), on);
            checkbox(chosen).label(name.as_str()).text_size(text::BODY).on_toggle(toggled).into()
        };
        let names = scrollable(column(buddies.map(choose)).spacing(spacing::S).width(Fill)).style(theme::input::scroll);
        let make = button(text::strong("Make the group")).padding([spacing::S, spacing::L]).style(theme::button::primary);
        let cancel = button(text::body("Cancel")).padding([spacing::S, spacing::L]).style(theme::button::quiet);
        let buttons =
            row![make.on_press_maybe((!making.asked).then_some(Message::MakePressed)), cancel.on_press(Message::CancelPressed)];
        let error = making.error.as_deref().map(|error| text::caption(error).style(text::danger));
        let form = column![text::lead("A new group"), title, container(names).max_height(spacing::FORM)]
            .push(error)
            .push(buttons.spacing(spacing::S).align_y(Center))
            .spacing(spacing::M)
            .max_width(spacing::FORM);
        Some(center(form).padding(spacing::XL).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(id: &str, title: &str) -> Group {
        let owner: Name = "Ana".parse().unwrap();
        Group { id: GroupId::new(id), title: title.into(), members: vec![owner.clone()], owner }
    }

    #[test]
    fn a_group_is_made_of_a_title_and_whom_one_chooses() {
        let mut groups = Groups::default();
        groups.update(Message::NewPressed);
        assert!(matches!(groups.update(Message::MakePressed), Action::None));
        groups.update(Message::TitleChanged(" Lunch ".into()));
        for (name, on) in [("Ben", true), ("Eva", true), ("ben", false)] {
            groups.update(Message::Toggled(name.parse().unwrap(), on));
        }
        let Action::Make(title, members) = groups.update(Message::MakePressed) else { panic!("nothing asked") };
        assert_eq!((title.as_str(), members), ("Lunch", vec!["Eva".parse().unwrap()]));
        assert!(matches!(groups.update(Message::MakePressed), Action::None), "once is enough");
        groups.update(Message::Made(Err(Notice::new("no network"))));
        assert!(matches!(groups.update(Message::MakePressed), Action::Make(..)));
        assert!(matches!(groups.update(Message::Made(Ok(group("g", "Lunch")))), Action::Made(_)));
        assert!(!groups.is_making() && groups.of(&GroupId::new("g")).is_some());
    }

    #[test]
    fn what_is_gone_is_not_selected_any_more() {
        let mut groups = Groups::default();
        groups.know(vec![group("b", "beta"), group("a", "Alpha")]);
        assert_eq!(groups.groups[0].title, "Alpha");
        groups.select(Some(GroupId::new("b")));
        groups.put(group("b", "A beta"));
        assert_eq!(groups.selected(), Some(&GroupId::new("b")));
        groups.remove(&GroupId::new("b"));
        assert_eq!(groups.selected(), None);
    }
}
