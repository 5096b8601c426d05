//! Which camera, microphone and speaker are used, and what is done to the voice. Opens over everything else, in a call and without one.

use iced::{
    Center, Element, Fill,
    widget::{button, center, checkbox, column, container, opaque, row, scrollable},
};
use media::{
    Part,
    camera::Turn,
    devices::{self, Listed},
};

use crate::ui::{
    icon::{self, Icon, icon},
    keys,
    settings::{Chosen, Equipment},
    theme::{self, spacing, text},
};

/// Room for all of it before it is scrolled.
const HEIGHT: f32 = 560.0;

/// What there is to choose from.
#[derive(Debug, Clone, Default)]
pub struct Lists {
    pub cameras: Vec<Listed>,
    pub microphones: Vec<Listed>,
    pub speakers: Vec<Listed>,
}

impl Lists {
    /// As the system says. May take a second or two.
    pub fn now() -> Self {
        let offered = |mut list: Vec<Listed>| {
            list.retain(|device| is_offered(&device.id));
            list
        };
        let (microphones, speakers) = (offered(devices::microphones()), offered(devices::speakers()));
        Self { cameras: devices::cameras(), microphones, speakers }
    }

    fn of(&self, part: Part) -> &[Listed] {
        match part {
            Part::Camera => &self.cameras,
            Part::Microphone => &self.microphones,
            Part::Speaker => &self.speakers,
        }
    }
}

/// ALSA lists each card a dozen times, by all the ways to it, and PulseAudio lists with what is heard what is played.
fn is_offered(id: &str) -> bool {
    match id.split_once(':') {
        Some(("alsa", way)) => ["sysdefault:", "pipewire", "pulse"].iter().any(|good| way.starts_with(good)),
        Some(("pulseaudio" | "pipewire", name)) => !name.ends_with(".monitor"),
        _ => true,
    }
}

/// The open panel.
#[derive(Debug, Default)]
pub struct Panel {
    /// None until the system has told.
    lists: Option<Lists>,
}

#[derive(Debug, Clone)]
pub enum Message {
    Listed(Lists),
    Chosen(Part, Option<Chosen>),
    TurnPressed,
    EchoCancellation(bool),
    NoiseSuppression(bool),
    AutomaticGain(bool),
    PushToTalk(bool),
    ClosePressed,
}

pub enum Action {
    None,
    /// To be used from now on.
    Use(Equipment),
    Close,
}

impl Panel {
    /// `equipment` is what is used now.
    pub fn update(&mut self, message: Message, equipment: &Equipment) -> Action {
        let mut equipment = equipment.clone();
        match message {
            Message::Listed(lists) => {
                self.lists = Some(lists);
                return Action::None;
            }
            Message::ClosePressed => return Action::Close,
            Message::Chosen(part, device) => equipment.choose(part, device),
            Message::TurnPressed => equipment.turn = equipment.turn().next().degrees(),
            Message::EchoCancellation(on) => equipment.echo_cancellation = on,
            Message::NoiseSuppression(on) => equipment.noise_suppression = on,
            Message::AutomaticGain(on) => equipment.automatic_gain = on,
            Message::PushToTalk(on) => equipment.push_to_talk = on,
        }
        Action::Use(equipment)
    }

    pub fn view<'a>(&'a self, equipment: &'a Equipment) -> Element<'a, Message> {
        let close = button(icon(Icon::X, icon::MEDIUM)).padding(spacing::S).style(theme::button::quiet);
        let head = row![text::title("Camera and sound").width(Fill), close.on_press(Message::ClosePressed)].align_y(Center);
        let switch = |says, on, message: fn(bool) -> Message| -> Element<'_, Message> {
            checkbox(on).label(says).text_size(text::BODY).on_toggle(message).into()
        };
        let voice = column![
            text::caption("Your voice"),
            switch("Take out the echo of the others", equipment.echo_cancellation, Message::EchoCancellation),
            switch("Lower noise", equipment.noise_suppression, Message::NoiseSuppression),
            switch("Bring it to a common loudness", equipment.automatic_gain, Message::AutomaticGain),
            switch("Push to talk", equipment.push_to_talk, Message::PushToTalk),
        ];
        let hint = format!("You are heard only while you hold {}.", keys::TALK);
        let voice = voice.push(equipment.push_to_talk.then(|| text::caption(hint))).spacing(spacing::S);
        let parts = [(Part::Camera, "Camera"), (Part::Microphone, "Microphone"), (Part::Speaker, "Speaker")];
        let parts = column(parts.map(|(part, says)| self.part(part, says, equipment))).spacing(spacing::L);
        let all = scrollable(column![parts, voice].spacing(spacing::L)).width(Fill).style(theme::input::scroll);
        let card = column![head, container(all).max_height(HEIGHT)].spacing(spacing::M);
        let card = container(card).padding(spacing::XL).width(spacing::FORM).style(theme::container::card);
        opaque(center(card).style(theme::container::veil))
    }

    fn part<'a>(&'a self, part: Part, says: &'a str, equipment: &'a Equipment) -> Element<'a, Message> {
        let chosen = equipment.of(part);
        let there = self.lists.as_ref().map(|lists| lists.of(part));
        let usual = choice("As the system says".to_owned(), chosen.is_none(), Message::Chosen(part, None));
        let listed = there.unwrap_or_default().iter().map(|device| {
            let this = chosen.is_some_and(|chosen| chosen.id == device.id);
            choice(device.name.clone(), this, Message::Chosen(part, Some(device.into())))
        });
        let missing = chosen.filter(|chosen| there.is_some_and(|there| there.iter().all(|device| device.id != chosen.id)));
        let missing = missing.map(|gone| {
            let says = format!("{} (not there)", gone.name);
            choice(says, true, Message::Chosen(part, Some(gone.clone())))
        });
        let wait = there.is_none().then(|| text::body("Looking\u{2026}").style(text::muted).into());
        let turn = (part == Part::Camera).then(|| turn(equipment.turn()));
        let rows = std::iter::once(usual).chain(listed).chain(missing).chain(wait).chain(turn);
        column![text::caption(says), column(rows).spacing(spacing::XS)].spacing(spacing::XS).into()
    }
}

fn turn<'a>(turn: Turn) -> Element<'a, Message> {
    let says = if turn == Turn::None { "Turn the picture".to_owned() } else { format!("Turn the picture (now by {turn}\u{b0})") };
    let line = row![icon(Icon::RotateCw, icon::SMALL), text::body(says)].spacing(spacing::S).align_y(Center);
    let button = button(line).width(Fill).padding([spacing::XS, spacing::S]).style(theme::button::row(false));
    button.on_press(Message::TurnPressed).into()
}

fn choice<'a>(says: String, chosen: bool, message: Message) -> Element<'a, Message> {
    let mark = if chosen { Icon::CircleDot } else { Icon::Circle };
    let line = row![icon(mark, icon::SMALL), text::body(says)].spacing(spacing::S).align_y(Center);
    button(line).width(Fill).padding([spacing::XS, spacing::S]).style(theme::button::row(chosen)).on_press(message).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_offered_once_and_what_is_played_is_no_microphone() {
        let offered = |id| is_offered(id);
        assert!(offered("alsa:sysdefault:CARD=Desk") && offered("pulseaudio:alsa_input.usb") && offered("coreaudio:x"));
        assert!(!offered("alsa:surround51:CARD=Desk,DEV=0") && !offered("alsa:hw:CARD=0,DEV=0"));
        assert!(!offered("pulseaudio:alsa_output.usb.monitor"));
    }

    #[test]
    fn what_is_pressed_is_used() {
        let (mut panel, equipment) = (Panel::default(), Equipment::default());
        let Action::Use(quiet) = panel.update(Message::PushToTalk(true), &equipment) else { panic!("not used") };
        assert_eq!(quiet, Equipment { push_to_talk: true, ..equipment.clone() });
        let headset = Listed { id: "x".into(), name: "Headset".into() };
        let message = Message::Chosen(Part::Speaker, Some((&headset).into()));
        let Action::Use(loud) = panel.update(message, &quiet) else { panic!("not used") };
        assert_eq!(loud.of(Part::Speaker).map(|chosen| chosen.name.as_str()), Some("Headset"));
        assert!(loud.push_to_talk && loud.of(Part::Camera).is_none());
        let Action::Use(turned) = panel.update(Message::TurnPressed, &loud) else { panic!("not used") };
        assert_eq!((turned.turn(), loud.turn()), (Turn::Right, Turn::None));
        assert!(matches!(panel.update(Message::Listed(Lists::default()), &loud), Action::None));
    }
}
