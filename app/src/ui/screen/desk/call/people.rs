//! Who is in the call, what its owner may do about them, and its link.

use iced::{
    Center, Element, Fill,
    widget::{button, container, row, scrollable, tooltip::Position},
};
use proto::model::Peer;

use super::{Call, Message};
use crate::ui::{
    icon::{self, Icon, icon},
    theme::{self, spacing, text},
    widget::{avatar, hint::hint},
};

impl Call {
    /// Everyone in it, in a line.
    pub(super) fn people(&self) -> Element<'_, Message> {
        let chips = row(self.call.peers.iter().map(|peer| self.chip(peer))).spacing(spacing::S);
        let bar = scrollable::Direction::Horizontal(scrollable::Scrollbar::hidden());
        scrollable(chips).direction(bar).width(Fill).into()
    }

    /// How others come in: the lock and the link.
    pub(super) fn way_in(&self) -> Element<'_, Message> {
        let (sign, says) = match self.call.locked {
            true => (Icon::Lock, "Locked: only whom the owner calls comes in"),
            false => (Icon::LockOpen, "Open: who has the link or is asked comes in"),
        };
        let lock = small(sign, theme::button::toggle(self.call.locked));
        let lock = lock.on_press_maybe(self.is_owner().then_some(Message::LockPressed));
        let link = row![icon(Icon::Link, icon::SMALL), text::body("Copy link")].spacing(spacing::S).align_y(Center);
        let link = button(link).padding([spacing::XS, spacing::M]).style(theme::button::soft).on_press(Message::LinkPressed);
        let revoke = self.link.is_some().then(|| {
            let revoke = small(Icon::Unlink, theme::button::quiet).on_press(Message::LinkRevoked);
            hint(revoke, "Take the link back: nobody comes in by it any more", Position::Top)
        });
        row![
            hint(container(lock).id("lock"), says, Position::Top),
            hint(link, "Whoever has it and an account here can join", Position::Top),
        ]
        .push(revoke)
        .spacing(spacing::S)
        .align_y(Center)
        .into()
    }

    fn chip<'a>(&'a self, peer: &'a Peer) -> Element<'a, Message> {
        let me = peer.peer == self.me;
        let name = if me { text::body("You") } else { text::body(peer.name.as_str()) };
        let crown = (Some(peer.peer) == self.call.owner)
            .then(|| hint(icon(Icon::Crown, icon::SMALL).style(text::warning), "The call\u{2019}s owner", Position::Top));
        let deeds = self.is_owner() && !me;
        // Who could be muted and can't be has a button that says so.
        let silent = (!peer.audio && !deeds).then(|| icon(Icon::MicOff, icon::SMALL).style(text::muted));
        let line = row![avatar::avatar(&peer.name, spacing::AVATAR_XS), name].push(crown).push(silent);
        let deeds = deeds.then(|| {
            let mute = small(Icon::MicOff, theme::button::quiet);
            let mute = mute.on_press_maybe(peer.audio.then_some(Message::MutePeerPressed(peer.peer)));
            let remove = small(Icon::UserX, theme::button::quiet).on_press(Message::RemovePeerPressed(peer.peer));
            row![
                hint(mute, format!("Mute {}", peer.name), Position::Top),
                hint(remove, format!("Remove {} from the call", peer.name), Position::Top),
            ]
        });
        let line = line.push(deeds).spacing(spacing::XS).align_y(Center);
        container(line).padding([spacing::XS, spacing::S]).style(theme::container::chip).into()
    }
}

fn small<'a>(which: Icon, style: impl Fn(&iced::Theme, button::Status) -> button::Style + 'a) -> button::Button<'a, Message> {
    button(icon(which, icon::SMALL)).padding(spacing::XS).style(style)
}
