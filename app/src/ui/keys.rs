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
    HangUp,
}

pub const MUTE: &str = "Ctrl+M";
pub const CAMERA: &str = "Ctrl+E";
pub const HANG_UP: &str = "Ctrl+H";

pub fn subscription() -> Subscription<Shortcut> {
    event::listen_with(shortcut)
}

fn shortcut(event: Event, status: event::Status, _: window::Id) -> Option<Shortcut> {
    let Event::Keyboard(keyboard::Event::KeyPressed { key, modifiers, repeat: false, .. }) = event else {
        return None;
    };
    match key.as_ref() {
        Key::Named(Named::Enter) if status == event::Status::Ignored => Some(Shortcut::Confirm),
        Key::Named(Named::Escape) => Some(Shortcut::Dismiss),
        Key::Named(Named::Tab) if modifiers.shift() => Some(Shortcut::PreviousField),
        Key::Named(Named::Tab) => Some(Shortcut::NextField),
        Key::Character("m" | "M") if modifiers.command() => Some(Shortcut::Mute),
        Key::Character("e" | "E") if modifiers.command() => Some(Shortcut::Camera),
        Key::Character("h" | "H") if modifiers.command() => Some(Shortcut::HangUp),
        _ => None,
    }
}
