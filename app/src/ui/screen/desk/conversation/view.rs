//! A conversation on the screen: beside the buddy list with a head, or beside a call without one.

mod bubble;
mod composer;

use std::time::{Duration, Instant};

use iced::{
    Alignment, Center, Element, Fill,
    widget::{button, center, column, container, row, scrollable, space, tooltip::Position},
};
use proto::{AttachmentId, Chat, Name, chat::Group, model::Presence};

use super::{Conversation, Loading, Message, group_menu, menu};
use crate::ui::{
    icon::{self, Icon, icon},
    screen::desk::buddy_list::{BuddyList, can_be_rung, state},
    theme::{self, spacing, text},
    when::Zone,
    widget::{avatar, hint::hint},
};

/// What the view must know beside the conversation itself.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    pub me: &'a Name,
    pub presence: Presence,
    /// What they say of themselves.
    pub text: &'a str,
    pub last_seen_ms: Option<u64>,
    /// Whether they may be written to and rung.
    pub mutual: bool,
    pub buddies: &'a BuddyList,
    pub now: Instant,
    /// Whether this person wants nothing of them.
    pub blocked: bool,
    pub zone: Zone,
    pub now_ms: u64,
    /// The voice message that is heard, and how much of it was.
    pub playing: Option<(&'a AttachmentId, Duration)>,
}

impl Conversation {
    pub fn view<'a>(&'a self, around: Surroundings<'a>) -> Element<'a, Message> {
        let head = match (&self.chat, &self.group) {
            (Chat::Group(_), Some(group)) => self.group_head(group, around),
            (Chat::Group(_), None) => text::lead("A group").into(),
            (Chat::With(name), _) => self.head(name, around),
        };
        let head = container(head).padding([spacing::M, spacing::XL]);
        let line = container(space()).height(spacing::HAIR).width(Fill).style(theme::container::hairline);
        // The menu has a place of its own, empty or not, so that what is below keeps its focus.
        let menu = match &self.chat {
            Chat::With(name) => self.menu.view(name, around.blocked).map(|menu| menu.map(Message::Menu)),
            Chat::Group(_) => {
                let menu = self.group.as_ref().and_then(|group| self.group_menu.view(group, around.me));
                menu.map(|menu| menu.map(Message::GroupMenu))
            }
        };
        column![head, line, container(menu), self.messages(around, spacing::BUBBLE), self.typing(around), self.field(around)]
            .into()
    }

    /// Without the head, in a narrow column.
    pub fn aside<'a>(&'a self, around: Surroundings<'a>) -> Element<'a, Message> {
        column![self.messages(around, spacing::BUBBLE_ASIDE), self.typing(around), self.field(around)].into()
    }

    /// What it is called.
    pub fn title(&self) -> &str {
        match (&self.chat, &self.group) {
            (Chat::With(name), _) => name.as_str(),
            (Chat::Group(_), Some(group)) => &group.title,
            (Chat::Group(_), None) => "the group",
        }
    }

    fn head<'a>(&'a self, with: &'a Name, around: Surroundings<'a>) -> Element<'a, Message> {
        let here = can_be_rung(around.presence);
        let why_not = match around.presence {
            Presence::Offline => format!("{with} is not there now"),
            Presence::Busy => format!("{with} is in a call"),
            Presence::DoNotDisturb => format!("{with} does not want to be disturbed"),
            _ => format!("Ring {with}"),
        };
        let more = button(icon(Icon::EllipsisVertical, icon::MEDIUM)).padding(spacing::S);
        let more = more.style(theme::button::toggle(self.menu.is_open())).on_press(Message::Menu(menu::Message::Toggled));
        let instead = match (around.blocked, around.last_seen_ms) {
            (true, _) => Some("Blocked".to_owned()),
            (false, seen) => seen.map(|ms| around.zone.last_seen(ms, around.now_ms)),
        };
        row![
            avatar::with_presence(with, around.presence, spacing::AVATAR_M),
            column![text::lead(with.as_str()), state(around.presence, around.text, instead)].width(Fill),
            hint(container(more).id("buddy-menu"), "Block, report, remove", Position::Bottom),
            hint(call(around.mutual && here), why_not, Position::Bottom),
        ]
        .spacing(spacing::M)
        .align_y(Center)
        .into()
    }

    fn group_head<'a>(&'a self, group: &'a Group, around: Surroundings<'a>) -> Element<'a, Message> {
        let members = group.members.iter().map(Name::as_str).collect::<Vec<_>>().join(", ");
        let more = group.owner.is(around.me).then(|| {
            let more = button(icon(Icon::EllipsisVertical, icon::MEDIUM)).padding(spacing::S);
            let more = more.style(theme::button::toggle(self.group_menu.is_open()));
            let more = more.on_press(Message::GroupMenu(group_menu::Message::Toggled));
            hint(container(more).id("group-menu"), "Rename, take members out", Position::Bottom)
        });
        let leave = button(icon(Icon::LogOut, icon::MEDIUM)).padding(spacing::S).style(theme::button::quiet);
        let ring = if around.presence == Presence::Offline {
            "None of your buddies in this group is there now"
        } else {
            "Ring everyone who is there"
        };
        let head = row![
            icon(Icon::Users, icon::LARGE).style(text::muted),
            column![text::lead(group.title.as_str()), text::caption(members)].width(Fill),
        ]
        .push(more)
        .push(hint(leave.on_press(Message::LeavePressed), "Leave the group", Position::Bottom))
        .push(hint(call(around.presence != Presence::Offline), ring, Position::Bottom));
        let absent = around.buddies.mutual().filter(|name| group.members.iter().all(|member| !member.is(name)));
        let add = |name: &'a Name| {
            let line = row![icon(Icon::UserPlus, icon::SMALL), text::caption(name.as_str())].spacing(spacing::XS).align_y(Center);
            let add = button(line).padding([spacing::XS, spacing::S]).style(theme::button::quiet);
            Element::from(add.on_press(Message::MemberAdded(name.clone())))
        };
        let bar = scrollable::Direction::Horizontal(scrollable::Scrollbar::hidden());
        let more = scrollable(row(absent.map(add)).spacing(spacing::XS)).direction(bar).width(Fill);
        column![head.spacing(spacing::M).align_y(Center), more].spacing(spacing::XS).into()
    }

    /// No bubble is wider than `widest`.
    fn messages<'a>(&'a self, around: Surroundings<'a>, widest: f32) -> Element<'a, Message> {
        if self.entries.is_empty() {
            return self.nothing_yet();
        }
        let mut list = column![].spacing(spacing::XS).padding([spacing::L, spacing::XL]).width(Fill);
        if self.more {
            let older = if self.loading == Loading::Now { "Fetching\u{2026}" } else { "Older messages" };
            let older = button(text::caption(older)).style(theme::button::quiet).on_press(Message::OlderPressed);
            list = list.push(container(older).center_x(Fill));
        }
        let mut day = None;
        let mut writer = None;
        for entry in &self.entries {
            let today = around.zone.day(entry.at_ms);
            if day.replace(today) != Some(today) {
                let name = text::caption(around.zone.day_name(entry.at_ms, around.now_ms)).style(text::faint);
                list = list.push(container(name).center_x(Fill).padding([spacing::M, 0.0]));
                writer = None;
            }
            let from = if entry.mine { None } else { entry.from.as_ref() };
            let before = writer.replace(from);
            if before.is_some_and(|before| before != from) {
                list = list.push(space().height(spacing::S));
            }
            // Of two it is plain who the other is.
            if let (Chat::Group(_), Some(from)) = (&self.chat, from)
                && before != Some(Some(from))
            {
                list = list.push(text::caption(from.as_str()));
            }
            list = list.push(self.bubble(entry, around, widest));
        }
        let list = scrollable(list)
            .anchor_bottom()
            .on_scroll(|viewport| Message::Scrolled(viewport.absolute_offset_reversed().y))
            .width(Fill)
            .style(theme::input::scroll);
        // A few messages stand just above the field in which the next one is written.
        container(list).height(Fill).align_y(Alignment::End).into()
    }

    fn nothing_yet(&self) -> Element<'_, Message> {
        let words = if self.loading == Loading::Now {
            text::body("Fetching what you wrote\u{2026}").style(text::muted)
        } else {
            text::body(format!("Say hello to {}.", self.title())).style(text::muted)
        };
        center(column![icon(Icon::MessageCircle, icon::LARGE).style(text::faint), words].spacing(spacing::M).align_x(Center))
            .into()
    }

    /// Who writes at this moment.
    fn typing<'a>(&'a self, around: Surroundings<'a>) -> Option<Element<'a, Message>> {
        let names: Vec<_> = self.progress.typing(around.now).map(Name::as_str).collect();
        let words = match names.as_slice() {
            [] => return None,
            [one] => format!("{one} is writing\u{2026}"),
            [one, other] => format!("{one} and {other} are writing\u{2026}"),
            _ => "Several are writing\u{2026}".to_owned(),
        };
        Some(container(text::caption(words)).padding([0.0, spacing::XL]).into())
    }
}

fn call<'a>(ready: bool) -> Element<'a, Message> {
    let call = row![icon(Icon::Video, icon::MEDIUM), text::strong("Call")].spacing(spacing::S).align_y(Center);
    let call = button(call).padding([spacing::M, spacing::XL]).style(theme::button::good);
    call.on_press_maybe(ready.then_some(Message::CallPressed)).into()
}
