//! The keys that work everywhere, whatever has the focus.

use iced::{
    Event, Subscription, event,
    keyboard::{self, Key, key::Named},
    window,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortcut {
    /// Enter, where no field took it.
    Confirm,
    /// Escape.
    Dismiss,
    NextField,
    PreviousField,
    Mute,
    Camera,
    Share,
    HangUp,
    /// The key for talking is held, where no field took it.
    Talk,
    /// It was let go.
    Hush,
}

pub const MUTE: &str = "Ctrl+M";
pub const CAMERA: &str = "Ctrl+E";
pub const SHARE: &str = "Ctrl+S";
pub const HANG_UP: &str = "Ctrl+H";
pub const TALK: &str = "Space";

pub fn subscription() -> Subscription<Shortcut> {
    event::listen_with(shortcut)
}

fn shortcut(event: Event, status: event::Status, _: window::Id) -> Option<Shortcut> {
    let (key, modifiers) = match event {
        Event::Keyboard(keyboard::Event::KeyPressed { key, modifiers, repeat: false, .. }) => (key, modifiers),
        // Wherever the focus is by then: who lets go is not to go on being heard.
        Event::Keyboard(keyboard::Event::KeyReleased { key: Key::Named(Named::Space), .. }) => return Some(Shortcut::Hush),
        _ => return None,
    };
    match key.as_ref() {
        Key::Named(Named::Space) if status == event::Status::Ignored => Some(Shortcut::Talk),
        Key::Named(Named::Enter) if status == event::Status::Ignored => Some(Shortcut::Confirm),
        Key::Named(Named::Escape) => Some(Shortcut::Dismiss),
        Key::Named(Named::Tab) if modifiers.shift() => Some(Shortcut::PreviousField),
        Key::Named(Named::Tab) => Some(Shortcut::NextField),
        Key::Character("m" | "M") if modifiers.command() => Some(Shortcut::Mute),
        Key::Character("e" | "E") if modifiers.command() => Some(Shortcut::Camera),
        Key::Character("s" | "S") if modifiers.command() => Some(Shortcut::Share),
        Key::Character("h" | "H") if modifiers.command() => Some(Shortcut::HangUp),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use iced::keyboard::{Location, Modifiers, key};

    use super::*;

    fn press(key: Key, modifiers: Modifiers, status: event::Status) -> Option<Shortcut> {
        let pressed = keyboard::Event::KeyPressed {
            modified_key: key.clone(),
            key,
            physical_key: key::Physical::Unidentified(key::NativeCode::Unidentified),
            location: Location::Standard,
            modifiers,
            text: None,
            repeat: false,
        };
        shortcut(Event::Keyboard(pressed), status, window::Id::unique())
    }

    #[test]
    fn each_key_does_its_own() {
        let letter = |letter: &str| press(Key::Character(letter.into()), Modifiers::COMMAND, event::Status::Captured);
        assert_eq!(letter("m"), Some(Shortcut::Mute));
        assert_eq!(letter("E"), Some(Shortcut::Camera));
        assert_eq!(letter("s"), Some(Shortcut::Share));
        assert_eq!(letter("h"), Some(Shortcut::HangUp));
        assert_eq!(letter("x"), None);
        assert_eq!(press(Key::Character("m".into()), Modifiers::empty(), event::Status::Ignored), None);
        let tab = |modifiers| press(Key::Named(Named::Tab), modifiers, event::Status::Ignored);
        assert_eq!(tab(Modifiers::empty()), Some(Shortcut::NextField));
        assert_eq!(tab(Modifiers::SHIFT), Some(Shortcut::PreviousField));
        assert_eq!(press(Key::Named(Named::Escape), Modifiers::empty(), event::Status::Captured), Some(Shortcut::Dismiss));
    }

    #[test]
    fn a_space_in_a_field_is_no_word_to_the_others() {
        let space = |status| press(Key::Named(Named::Space), Modifiers::empty(), status);
        assert_eq!(space(event::Status::Ignored), Some(Shortcut::Talk));
        assert_eq!(space(event::Status::Captured), None);
    }

    #[test]
    fn enter_in_a_field_is_the_field_s() {
        let enter = |status| press(Key::Named(Named::Enter), Modifiers::empty(), status);
        assert_eq!(enter(event::Status::Ignored), Some(Shortcut::Confirm));
        assert_eq!(enter(event::Status::Captured), None);
    }
}
