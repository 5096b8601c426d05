//! Whom to ask into the call.

use iced::{
    Center, Element, Fill,
    widget::{button, column, container, row, scrollable},
};
use proto::Name;

use super::{Call, Message};
use crate::ui::{
    theme::{self, spacing, text},
    widget::avatar,
};

impl Call {
    /// Who is in the call, and the buddies among `there` who are not, to choose one from; `None` while nobody asks for it.
    pub fn invite<'a>(&'a self, there: impl Iterator<Item = &'a Name>) -> Option<Element<'a, Message>> {
        if !self.invite_open {
            return None;
        }
        let absent: Vec<_> = there.filter(|name| self.peers().all(|peer| !peer.name.is(name))).collect();
        let heading = if absent.is_empty() { "None of your other buddies is there now." } else { "Who else should join?" };
        let names = row(absent.into_iter().map(invitee)).spacing(spacing::S);
        let bar = scrollable::Direction::Horizontal(scrollable::Scrollbar::hidden());
        let heading = row![text::body(heading).width(Fill), self.way_in()].align_y(Center);
        let choice = column![self.people(), heading, scrollable(names).direction(bar).width(Fill)].spacing(spacing::S);
        Some(container(choice).padding([spacing::S, spacing::M]).width(Fill).style(theme::container::sunken).into())
    }
}

fn invitee(name: &Name) -> Element<'_, Message> {
    let line = row![avatar::avatar(name, spacing::AVATAR_S), text::body(name.as_str())].spacing(spacing::S).align_y(Center);
    button(line)
        .padding([spacing::XS, spacing::S])
        .style(theme::button::row(false))
        .on_press(Message::InviteeChosen(name.clone()))
        .into()
}
