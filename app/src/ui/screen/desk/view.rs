//! The desk on the screen.

use iced::{
    Center, Element, Fill,
    widget::{button, center, column, container, row, space, stack, tooltip::Position},
};
use proto::{Chat, model::Presence};

use super::{Call, Conversation, Desk, Link, Message, Phone, conversation::view::Surroundings};
use crate::ui::{
    icon::{self, Icon, icon},
    theme::{self, Appearance, spacing, text},
    when,
    widget::hint::hint,
};

impl Desk {
    pub fn view(&self, appearance: Appearance) -> Element<'_, Message> {
        let page = match &self.phone {
            Phone::Talking(call) => self.call(call),
            _ => self.home(appearance),
        };
        let page = column![page].push(self.tape.view().map(|tape| column![hairline(), tape.map(Message::Tape)]));
        let page = container(page).width(Fill).height(Fill).style(theme::container::background);
        let account = self.account.as_ref().map(|account| account.view(self.zone, self.now_ms).map(Message::Account));
        let panel = self.panel.as_ref().map(|panel| panel.view(&self.equipment).map(Message::Equipment));
        let dialog = self.phone.dialog().map(|dialog| dialog.map(Message::Phone));
        let checkup = self.checkup.as_ref().map(|checkup| checkup.view().map(Message::Checkup));
        stack![page].push(account).push(panel).push(checkup).push(dialog).into()
    }

    /// Closes what lies over everything else, or else what is open in the page.
    pub(super) fn dismiss(&mut self) {
        if self.panel.is_some() || self.account.is_some() || self.checkup.is_some() {
            (self.panel, self.account, self.checkup) = (None, None, None);
            return;
        }
        self.buddies.dismiss();
        self.groups.dismiss();
        self.own.dismiss();
        if let Some(talk) = self.seen().and_then(|chat| self.conversations.get_mut(&chat.key())) {
            talk.dismiss();
            talk.menu().dismiss();
        }
        if let Phone::Talking(call) = &mut self.phone {
            call.dismiss();
        }
    }

    fn home(&self, appearance: Appearance) -> Element<'_, Message> {
        let unread = |chat: Chat| self.talk(&chat).map_or(0, Conversation::unread);
        let buddies = self.buddies.view(
            |name| unread(Chat::With(name.clone())),
            |name| self.own.blocks(name),
            |seen_ms| self.zone.last_seen(seen_ms, self.now_ms),
        );
        let groups = self.groups.view(|id| unread(Chat::Group(id.clone()))).map(Message::Groups);
        let menu = self.own.menu().map(|menu| menu.map(Message::Own));
        let missed = self.missed.view(self.zone, self.now_ms).map(|missed| missed.map(Message::Missed));
        // What comes and goes has a place of its own, empty or not, so that the list keeps its scroll and its focus.
        let above = column![self.own_card(appearance), container(menu), container(self.trouble()), container(missed)];
        let side = column![above, groups, buddies.map(Message::Buddies)];
        let side = container(side).width(spacing::SIDEBAR).height(Fill).style(theme::container::panel);
        let edge = container(space()).width(spacing::HAIR).height(Fill).style(theme::container::hairline);
        let form = self.groups.form(self.buddies.mutual()).map(|form| form.map(Message::Groups));
        let seen = || self.seen().and_then(|chat| Some((self.talk(&chat)?, chat)));
        let main = match (form, seen()) {
            (Some(form), _) => form,
            (None, Some((talk, chat))) => {
                let around = self.around(&chat);
                talk.view(around).map(move |message| Message::Conversation(chat.clone(), message))
            }
            (None, None) => welcome(),
        };
        row![side, edge, container(main).width(Fill).height(Fill)].height(Fill).into()
    }

    fn call<'a>(&'a self, call: &'a Call) -> Element<'a, Message> {
        let unread = call.partner().and_then(|name| self.talk(&Chat::With(name.clone()))).map_or(0, Conversation::unread);
        let stage = column![]
            .push(call.banners().map(|banners| banners.map(Message::Call)))
            .push(call.stage(self.scale).map(Message::Call))
            .push(call.sharing().map(|sharing| sharing.map(Message::Call)))
            .push(call.invite(self.buddies.there()).map(|invite| invite.map(Message::Call)))
            .push(call.controls(unread).map(Message::Call))
            .spacing(spacing::S);
        let stage = container(stage).padding(spacing::M).width(Fill).height(Fill);
        let chat = call.chats_with().and_then(|name| {
            let chat = Chat::With(name.clone());
            let talk = self.talk(&chat)?;
            let chat = talk.aside(self.around(&chat)).map(move |message| Message::Conversation(chat.clone(), message));
            Some(container(chat).width(spacing::CHAT).height(Fill).style(theme::container::panel))
        });
        row![stage].push(chat).height(Fill).into()
    }

    fn around(&self, chat: &Chat) -> Surroundings<'_> {
        let (presence, buddy, mutual, blocked) = match chat {
            Chat::With(name) => {
                let blocked = self.own.blocks(name);
                let presence = self.buddies.presence_of(name).filter(|_| !blocked).unwrap_or(Presence::Offline);
                (presence, self.buddies.of(name), self.is_mutual(name) && !blocked, blocked)
            }
            Chat::Group(id) => {
                let group = self.groups.of(id);
                let there = group.is_some_and(|group| self.buddies.there().any(|name| group.members.contains(name)));
                (if there { Presence::Available } else { Presence::Offline }, None, true, false)
            }
        };
        Surroundings {
            me: self.me(),
            presence,
            text: buddy.map_or("", |buddy| buddy.text.as_str()),
            last_seen_ms: buddy.and_then(|buddy| buddy.last_seen_ms),
            mutual,
            blocked,
            buddies: &self.buddies,
            now: self.now,
            zone: self.zone,
            now_ms: self.now_ms,
            playing: self.playing.as_ref().map(|(id, player)| (id, player.position())),
        }
    }

    fn own_card(&self, appearance: Appearance) -> Element<'_, Message> {
        let look = match appearance {
            Appearance::System => Icon::SunMoon,
            Appearance::Light => Icon::Sun,
            Appearance::Dark => Icon::Moon,
        };
        let quiet = |id, which: Icon, message| {
            let button = button(icon(which, icon::MEDIUM)).padding(spacing::S).style(theme::button::quiet);
            container(button.on_press(message)).id(id)
        };
        let (presence, trouble) = match &self.link {
            Link::Live => (self.own.seen_as(), None),
            Link::Connecting => (Presence::Offline, Some("Connecting\u{2026}")),
            Link::Reconnecting { .. } => (Presence::Busy, Some("Reconnecting\u{2026}")),
        };
        let card = row![
            self.own.head(self.me(), presence, trouble).map(Message::Own),
            hint(quiet("appearance", look, Message::AppearanceChosen), appearance.describe(), Position::Bottom),
            hint(quiet("sign-out", Icon::LogOut, Message::SignOutPressed), "Sign out", Position::Bottom),
        ];
        container(card.spacing(spacing::XS).align_y(Center)).padding([spacing::M, spacing::S]).into()
    }

    /// Why nothing comes from the relay, and for how long.
    fn trouble(&self) -> Option<Element<'_, Message>> {
        let Link::Reconnecting { since, reason } = &self.link else { return None };
        let away = when::lasted(self.now.saturating_duration_since(*since));
        let line = row![
            icon(Icon::WifiOff, icon::MEDIUM).style(text::warning),
            text::caption(format!("{reason} Trying again for {away}.")).style(text::normal).width(Fill),
        ];
        let line = container(line.spacing(spacing::S).align_y(Center)).padding(spacing::M).style(theme::container::warning);
        Some(container(line).padding([0.0, spacing::M]).into())
    }
}

fn welcome<'a>() -> Element<'a, Message> {
    let words = column![
        icon(Icon::Tv, icon::LARGE).style(text::faint),
        text::lead("Choose a buddy to talk to"),
        text::body("or ask someone to be your buddy, at the lower left.").style(text::muted),
    ];
    center(words.spacing(spacing::M).align_x(Center)).into()
}

fn hairline<'a>() -> Element<'a, Message> {
    container(space()).height(spacing::HAIR).width(Fill).style(theme::container::hairline).into()
}
