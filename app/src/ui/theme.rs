//! How everything looks: one palette, one spacing scale, one type scale. Screens use these and no numbers of their own.

pub mod bar;
pub mod button;
pub mod container;
pub mod input;
pub mod palette;
pub mod spacing;
pub mod system;
pub mod text;

use iced::Theme;
use serde::{Deserialize, Serialize};

pub use palette::Palette;

/// Light or dark, or as the system says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Appearance {
    #[default]
    System,
    Light,
    Dark,
}

impl Appearance {
    /// `None` lets iced follow the system where it can; where it can't, `system_is_dark` says what is known.
    pub fn theme(self, system_is_dark: bool) -> Option<Theme> {
        match self {
            Self::System => system_is_dark.then_some(Theme::Dark),
            Self::Light => Some(Theme::Light),
            Self::Dark => Some(Theme::Dark),
        }
    }

    pub fn next(self) -> Self {
        match self {
            Self::System => Self::Light,
            Self::Light => Self::Dark,
            Self::Dark => Self::System,
        }
    }

    pub fn describe(self) -> &'static str {
        match self {
            Self::System => "Colours: as the system",
            Self::Light => "Colours: light",
            Self::Dark => "Colours: dark",
        }
    }
}
