//! What the owner of a group may do about it: give it another title, and take members out.

use iced::{
    Center, Element, Fill,
    widget::{button, column, container, row, scrollable, text_input, tooltip::Position},
};
use proto::{Name, chat::Group, limits::GROUP_TITLE_MAX};

use crate::ui::{
    icon::{self, Icon, icon},
    theme::{self, spacing, text},
    widget::hint::hint,
};

#[derive(Debug, Default)]
pub struct GroupMenu {
    open: bool,
    title: String,
    /// Who is taken out if the person means it.
    removing: Option<Name>,
    error: Option<String>,
}

#[derive(Debug, Clone)]
pub enum Message {
    Toggled,
    TitleChanged(String),
    RenamePressed,
    RemovePressed(Name),
    RemoveMeant,
    KeepPressed,
}

/// What is to be done about the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    Rename(String),
    Remove(Name),
}

impl GroupMenu {
    /// Escape: puts it away.
    pub fn dismiss(&mut self) {
        *self = Self::default();
    }

    pub fn is_open(&self) -> bool {
        self.open
    }

    pub fn update(&mut self, message: Message, group: &Group) -> Option<Deed> {
        match message {
            Message::Toggled => *self = Self { open: !self.open, title: group.title.clone(), ..Self::default() },
            Message::TitleChanged(title) => (self.title, self.error) = (title, None),
            Message::RenamePressed => {
                let title = self.title.trim();
                if title.chars().count() > GROUP_TITLE_MAX {
                    self.error = Some(format!("At most {GROUP_TITLE_MAX} characters, please."));
                } else if !title.is_empty() && title != group.title {
                    return Some(Deed::Rename(title.to_owned()));
                }
            }
            Message::RemovePressed(name) => self.removing = Some(name),
            Message::RemoveMeant => return self.removing.take().map(Deed::Remove),
            Message::KeepPressed => self.removing = None,
        }
        None
    }

    /// `None` while nobody asks for it.
    pub fn view<'a>(&'a self, group: &'a Group, me: &'a Name) -> Option<Element<'a, Message>> {
        if !self.open || !group.owner.is(me) {
            return None;
        }
        let title = text_input("What is the group called?", &self.title)
            .id("group-new-title")
            .on_input(Message::TitleChanged)
            .on_submit(Message::RenamePressed)
            .padding([spacing::S, spacing::M])
            .size(text::BODY)
            .style(theme::input::field);
        let rename = button(text::strong("Rename")).padding([spacing::S, spacing::L]).style(theme::button::primary);
        let new = !self.title.trim().is_empty() && self.title.trim() != group.title;
        let rename = rename.on_press_maybe(new.then_some(Message::RenamePressed));
        let error = self.error.as_deref().map(|error| text::caption(error).style(text::danger));
        let others = group.members.iter().filter(|name| !name.is(me));
        let members = row(others.map(member)).spacing(spacing::S).wrap();
        let members = container(scrollable(members).width(Fill).style(theme::input::scroll)).max_height(spacing::GROUPS);
        let removing = self.removing.as_ref().filter(|removing| group.members.iter().any(|name| name.is(removing)));
        let menu = column![row![title, rename].spacing(spacing::S).align_y(Center)].push(error).push(members);
        let menu = menu.push(removing.map(question)).spacing(spacing::S);
        let menu = container(menu).padding([spacing::S, spacing::M]).width(Fill).style(theme::container::sunken);
        Some(container(menu).padding([spacing::S, spacing::L]).into())
    }
}

fn member(name: &Name) -> Element<'_, Message> {
    let remove = button(icon(Icon::UserX, icon::SMALL)).padding(spacing::XS).style(theme::button::quiet);
    let remove = remove.on_press(Message::RemovePressed(name.clone()));
    let line = row![text::body(name.as_str()), hint(remove, format!("Take {name} out of the group"), Position::Top)];
    let line = line.spacing(spacing::XS).align_y(Center);
    container(line).padding([spacing::XS, spacing::S]).style(theme::container::chip).into()
}

fn question(name: &Name) -> Element<'_, Message> {
    let says = text::body(format!("Take {name} out? They can read nothing of the group any more."));
    let remove = button(text::strong("Take out")).padding([spacing::XS, spacing::M]).style(theme::button::danger);
    let keep = button(text::body("Keep")).padding([spacing::XS, spacing::M]).style(theme::button::quiet);
    row![says.width(Fill), remove.on_press(Message::RemoveMeant), keep.on_press(Message::KeepPressed)]
        .spacing(spacing::S)
        .align_y(Center)
        .into()
}

#[cfg(test)]
mod tests {
    use proto::GroupId;

    use super::*;

    #[test]
    fn a_title_is_changed_and_a_member_taken_out_only_when_that_is_meant() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let members = vec![name("Ana"), name("Ben")];
        let group = Group { id: GroupId::new("g"), title: "Lunch".into(), owner: name("Ana"), members };
        let mut menu = GroupMenu::default();
        menu.update(Message::Toggled, &group);
        assert_eq!(menu.update(Message::RenamePressed, &group), None, "it is called that");
        menu.update(Message::TitleChanged("x".repeat(GROUP_TITLE_MAX + 1)), &group);
        assert_eq!(menu.update(Message::RenamePressed, &group), None);
        assert!(menu.error.is_some());
        menu.update(Message::TitleChanged(" Dinner ".into()), &group);
        assert_eq!(menu.update(Message::RenamePressed, &group), Some(Deed::Rename("Dinner".into())));
        menu.update(Message::RemovePressed(name("Ben")), &group);
        menu.update(Message::KeepPressed, &group);
        assert_eq!(menu.update(Message::RemoveMeant, &group), None);
        menu.update(Message::RemovePressed(name("Ben")), &group);
        assert_eq!(menu.update(Message::RemoveMeant, &group), Some(Deed::Remove(name("Ben"))));
        assert!(menu.view(&group, &name("Ana")).is_some() && menu.view(&group, &name("Ben")).is_none());
    }
}
