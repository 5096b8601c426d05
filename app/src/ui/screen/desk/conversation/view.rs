//! A conversation on the screen: beside the buddy list with a head, or beside a call without one.

use iced::{
    Alignment, Center, Element, Fill, Shrink,
    widget::{button, center, column, container, row, scrollable, space, text_input, tooltip::Position},
};
use proto::model::Presence;

use super::{Conversation, Delivery, Entry, Loading, Message, menu};
use crate::ui::{
    icon::{self, Icon, icon},
    screen::desk::buddy_list::{can_be_rung, state},
    theme::{self, spacing, text},
    when::Zone,
    widget::{avatar, hint::hint},
};

/// What the view must know beside the conversation itself.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    pub presence: Presence,
    /// What they say of themselves.
    pub text: &'a str,
    pub last_seen_ms: Option<u64>,
    /// Whether they may be written to and rung.
    pub mutual: bool,
    /// Whether this person wants nothing of them.
    pub blocked: bool,
    pub zone: Zone,
    pub now_ms: u64,
}

impl Conversation {
    pub fn view<'a>(&'a self, around: Surroundings<'a>) -> Element<'a, Message> {
        let head = container(self.head(around)).padding([spacing::M, spacing::XL]);
        let line = container(space()).height(spacing::HAIR).width(Fill).style(theme::container::hairline);
        // The menu has a place of its own, empty or not, so that what is below keeps its focus.
        let menu = container(self.menu.view(&self.with, around.blocked).map(|menu| menu.map(Message::Menu)));
        column![head, line, menu, self.messages(around, spacing::BUBBLE), self.field(around)].into()
    }

    /// Without the head, in a narrow column.
    pub fn aside(&self, around: Surroundings<'_>) -> Element<'_, Message> {
        column![self.messages(around, spacing::BUBBLE_ASIDE), self.field(around)].into()
    }

    fn head<'a>(&'a self, around: Surroundings<'a>) -> Element<'a, Message> {
        let here = can_be_rung(around.presence);
        let call = row![icon(Icon::Video, icon::MEDIUM), text::strong("Call")].spacing(spacing::S).align_y(Center);
        let call = button(call).padding([spacing::M, spacing::XL]).style(theme::button::good);
        let call = call.on_press_maybe((around.mutual && here).then_some(Message::CallPressed));
        let why_not = match around.presence {
            Presence::Offline => format!("{} is not there now", self.with),
            Presence::Busy => format!("{} is in a call", self.with),
            Presence::DoNotDisturb => format!("{} does not want to be disturbed", self.with),
            _ => format!("Ring {}", self.with),
        };
        let more = button(icon(Icon::EllipsisVertical, icon::MEDIUM)).padding(spacing::S);
        let more = more.style(theme::button::toggle(self.menu.is_open())).on_press(Message::Menu(menu::Message::Toggled));
        let instead = match (around.blocked, around.last_seen_ms) {
            (true, _) => Some("Blocked".to_owned()),
            (false, seen) => seen.map(|ms| around.zone.last_seen(ms, around.now_ms)),
        };
        row![
            avatar::with_presence(&self.with, around.presence, spacing::AVATAR_M),
            column![text::lead(self.with.as_str()), state(around.presence, around.text, instead)].width(Fill),
            hint(container(more).id("buddy-menu"), "Block, report, remove", Position::Bottom),
            hint(call, why_not, Position::Bottom),
        ]
        .spacing(spacing::M)
        .align_y(Center)
        .into()
    }

    /// No bubble is wider than `widest`.
    fn messages(&self, around: Surroundings<'_>, widest: f32) -> Element<'_, Message> {
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
            if writer.replace(entry.mine).is_some_and(|before| before != entry.mine) {
                list = list.push(space().height(spacing::S));
            }
            list = list.push(bubble(entry, around.zone, widest));
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
            text::body(format!("Say hello to {}.", self.with)).style(text::muted)
        };
        center(column![icon(Icon::MessageCircle, icon::LARGE).style(text::faint), words].spacing(spacing::M).align_x(Center))
            .into()
    }

    fn field(&self, around: Surroundings<'_>) -> Element<'_, Message> {
        let hint = match (around.blocked, around.mutual) {
            (true, _) => format!("You have blocked {}", self.with),
            (_, true) => format!("Write to {}", self.with),
            (_, false) => "Not your buddy (yet)".to_owned(),
        };
        let field = text_input(&hint, &self.draft).id("draft").padding(spacing::M).size(text::BODY).style(theme::input::field);
        let send = button(icon(Icon::SendHorizontal, icon::MEDIUM)).padding(spacing::M).style(theme::button::primary);
        let ready = around.mutual && !self.draft.trim().is_empty();
        let field = if around.mutual { field.on_input(Message::DraftChanged).on_submit(Message::SendPressed) } else { field };
        let line = row![field, send.on_press_maybe(ready.then_some(Message::SendPressed))].spacing(spacing::S).align_y(Center);
        let error = self.error.as_deref().map(|error| text::caption(error).style(text::danger));
        // The field comes first: what comes and goes after it doesn't take its focus away.
        container(column![line].push(error).spacing(spacing::XS)).padding([spacing::M, spacing::L]).into()
    }
}

fn bubble(entry: &Entry, zone: Zone, widest: f32) -> Element<'_, Message> {
    let style = if entry.mine { theme::container::bubble_own } else { theme::container::bubble_other };
    let side = if entry.mine { Alignment::End } else { Alignment::Start };
    let words = text::body(&entry.text).wrapping(iced::widget::text::Wrapping::WordOrGlyph);
    let bubble = container(words).padding([spacing::S, spacing::M]).max_width(widest).style(style);
    let mark: Element<'_, Message> = match &entry.delivery {
        Delivery::Sending => text::caption("sending\u{2026}").style(text::faint).into(),
        Delivery::Sent => text::caption(zone.clock(entry.at_ms)).style(text::faint).into(),
        Delivery::Failed(_) => icon(Icon::CircleAlert, icon::SMALL).style(text::danger).into(),
    };
    // The mark stands on the inner side; there is room for it beside the widest bubble.
    let line = if entry.mine { row![mark, bubble] } else { row![bubble, mark] };
    let line = container(line.spacing(spacing::S).align_y(Alignment::End)).width(Fill).align_x(side);
    let Delivery::Failed(why) = &entry.delivery else { return line.into() };
    let retry = row![icon(Icon::RotateCw, icon::SMALL), text::caption("Send again").style(text::danger)];
    let retry = button(retry.spacing(spacing::XS).align_y(Center))
        .padding([spacing::XS, spacing::S])
        .style(theme::button::quiet)
        .on_press(Message::RetryPressed(entry.client_id.clone()));
    let told = row![text::caption(format!("Not sent. {why}")).style(text::danger).width(Shrink), retry];
    let told = told.spacing(spacing::S).align_y(Center);
    column![line, container(told).width(Fill).align_x(side)].spacing(spacing::XS).into()
}
