//! What can be done in a call, and what stands in its way.

use iced::{
    Center, Element, Fill,
    widget::{button, column, container, row, stack, text::IntoFragment, tooltip::Position},
};

use super::{Call, Message};
use crate::{
    engine::LaneHealth,
    ui::{
        icon::{self, Icon, icon},
        keys,
        screen::desk::buddy_list::badge,
        theme::{self, spacing, text},
        widget::{avatar, hint::hint},
    },
};

/// A connection away for less than this is no news: the picture has hardly stopped.
const SHORT: std::time::Duration = std::time::Duration::from_millis(700);

/// Said where there is no encryption on the way.
const IN_THE_CLEAR: &str = "This call isn\u{2019}t encrypted: whoever runs the network can watch it. Ask whoever runs the relay for an \
                            https:// address.";

impl Call {
    /// `unread` counts what was written while the chat was put away.
    pub fn controls(&self, unread: usize) -> Element<'_, Message> {
        let mute = match (self.has.audio, self.muted()) {
            (false, _) => control("mute", Icon::MicOff, "No microphone", false, None),
            (true, true) => control("mute", Icon::MicOff, format!("Unmute ({})", keys::MUTE), false, Some(Message::MutePressed)),
            (true, false) if self.waits_for_key() => {
                control("mute", Icon::MicOff, format!("Hold {} to talk", keys::TALK), true, Some(Message::MutePressed))
            }
            (true, false) => control("mute", Icon::Mic, format!("Mute ({})", keys::MUTE), true, Some(Message::MutePressed)),
        };
        let mute = column![mute, self.level()].spacing(spacing::XS);
        let camera = match (self.has.video, self.camera_on()) {
            (false, _) => control("camera", Icon::VideoOff, "No camera", false, None),
            (true, true) => {
                control("camera", Icon::Video, format!("Camera off ({})", keys::CAMERA), true, Some(Message::CameraPressed))
            }
            (true, false) => {
                control("camera", Icon::VideoOff, format!("Camera on ({})", keys::CAMERA), false, Some(Message::CameraPressed))
            }
        };
        let share = match self.shares() {
            true => control(
                "share",
                Icon::ScreenShareOff,
                format!("Stop sharing ({})", keys::SHARE),
                false,
                Some(Message::SharePressed),
            ),
            false => control(
                "share",
                Icon::ScreenShare,
                format!("Share a screen ({})", keys::SHARE),
                true,
                Some(Message::SharePressed),
            ),
        };
        let hang_up = button(sign(Icon::PhoneOff))
            .width(spacing::CONTROL * 1.5)
            .height(spacing::CONTROL)
            .style(theme::button::danger)
            .on_press(Message::HangUpPressed);
        let hang_up = hint(container(hang_up).id("hang-up"), format!("Hang up ({})", keys::HANG_UP), Position::Top);
        let middle = row![mute, camera, share, hang_up].spacing(spacing::S);
        let chat = toggle("chat", Icon::MessageCircle, "Chat", self.chat_open, Message::ChatPressed);
        let figures = toggle("figures", Icon::Activity, "How the call fares", self.figures_open, Message::FiguresPressed);
        let invite =
            toggle("invite", Icon::Users, "Who is in the call, and who else should be", self.invite_open, Message::InvitePressed);
        let equipment = toggle("equipment", Icon::Headphones, "Camera and sound", false, Message::EquipmentPressed);
        let right = row![equipment, invite, figures, stack![chat].push(badge(unread))];
        let bar = row![container(self.state()).width(Fill), middle, container(right).width(Fill).align_x(iced::Alignment::End),];
        container(bar.spacing(spacing::S).align_y(Center)).padding([spacing::S, spacing::M]).into()
    }

    /// How long, and how the connection is.
    fn state(&self) -> Element<'_, Message> {
        let (dot, words) = match (&self.health, self.away()) {
            (LaneHealth::Ended { .. }, _) => (avatar::dot(|palette| palette.danger), "Ended".to_owned()),
            (_, Some((away, _))) if away >= SHORT => {
                (avatar::dot(|palette| palette.warning), format!("Reconnecting\u{2026} {} s", away.as_secs()))
            }
            _ => (avatar::dot(|palette| palette.good), "Connected".to_owned()),
        };
        column![text::strong(self.lasted()), row![dot, text::caption(words)].spacing(spacing::XS).align_y(Center),].into()
    }

    /// What is wrong with the connection and the devices, above the pictures.
    pub fn banners(&self) -> Option<Element<'_, Message>> {
        let away = self.away().filter(|(away, _)| *away >= SHORT).map(|(_, reason)| {
            banner(Icon::WifiOff, format!("The connection is gone; it is tried again all the time. {reason}"), None)
        });
        let ended = match &self.health {
            LaneHealth::Ended { reason } => Some(banner(Icon::WifiOff, format!("The call can't go on. {reason}"), None)),
            _ => None,
        };
        let troubles = self
            .troubles
            .values()
            .map(|(device, trouble)| banner(Icon::TriangleAlert, trouble.to_string(), Some(Message::TroubleDismissed(*device))));
        let clear = self.in_the_clear.then(|| banner(Icon::LockOpen, IN_THE_CLEAR.into(), Some(Message::InTheClearDismissed)));
        let share = self.share_trouble();
        let share = share.map(|trouble| banner(Icon::ScreenShareOff, trouble.to_string(), Some(Message::ShareTroubleDismissed)));
        let list: Vec<_> = away.into_iter().chain(ended).chain(clear).chain(troubles).chain(share).collect();
        (!list.is_empty()).then(|| column(list).spacing(spacing::S).into())
    }
}

fn sign<'a>(which: Icon) -> Element<'a, Message> {
    container(icon(which, icon::MEDIUM)).center(Fill).into()
}

fn control<'a>(
    id: &'static str,
    which: Icon,
    says: impl IntoFragment<'a>,
    usual: bool,
    message: Option<Message>,
) -> Element<'a, Message> {
    let button = button(sign(which))
        .width(spacing::CONTROL)
        .height(spacing::CONTROL)
        .padding(0)
        .style(theme::button::control(usual))
        .on_press_maybe(message);
    hint(container(button).id(id), says, Position::Top)
}

fn toggle<'a>(id: &'static str, which: Icon, says: &'a str, open: bool, message: Message) -> Element<'a, Message> {
    let button = button(sign(which))
        .width(spacing::TOGGLE)
        .height(spacing::TOGGLE)
        .padding(0)
        .style(theme::button::toggle(open))
        .on_press(message);
    hint(container(button).id(id), says, Position::Top)
}

fn banner<'a>(which: Icon, says: String, dismiss: Option<Message>) -> Element<'a, Message> {
    let sign = icon(which, icon::MEDIUM).style(text::warning);
    let close = dismiss
        .map(|message| button(icon(Icon::X, icon::SMALL)).padding(spacing::XS).style(theme::button::quiet).on_press(message));
    let line = row![sign, text::body(says).width(Fill)].push(close).spacing(spacing::S).align_y(Center);
    container(line).padding([spacing::S, spacing::M]).style(theme::container::warning).into()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::{engine::Setup, ui::pretend::Pretend};

    #[test]
    fn a_call_in_the_clear_says_so_until_it_is_waved_away() {
        let [me, other] = ["Ana", "Ben"].map(|name| name.parse().unwrap());
        let pretend = Pretend { me, other };
        let (mut call, _) = Call::new(pretend.joined(), &pretend.me, &Setup::default(), None, Instant::now());
        assert!(call.banners().is_none());
        call.warn_in_the_clear();
        assert!(call.banners().is_some());
        let _ = call.update(Message::InTheClearDismissed, Instant::now());
        assert!(call.banners().is_none());
    }
}
