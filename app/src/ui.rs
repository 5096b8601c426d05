//! The desktop app's window.

pub mod app;
pub mod backend;
pub mod icon;
pub mod idle;
pub mod keys;
pub mod line;
pub mod net;
pub mod notice;
pub mod pacer;
pub mod picture;
pub mod preset;
pub mod pretend;
pub mod rich;
pub mod screen;
pub mod settings;
pub mod sound;
pub mod theme;
pub mod when;
pub mod widget;

use anyhow::Context as _;
use iced::{Program, Theme, window};
use proto::{Fingerprint, Name};
use relay_client::{ProxySettings, Trust};

pub use self::settings::Settings;
use self::{
    app::{App, Message},
    preset::Sample,
};
use crate::{cli, engine::Setup};

/// What the command line says about the window.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub relay: Option<String>,
    pub user: Option<Name>,
    pub password: Option<String>,
    /// Goes before the one in the settings.
    pub proxy: Option<ProxySettings>,
    /// Authorities that are good besides those of the system.
    pub trust: Trust,
    /// The certificate of that relay.
    pub pin: Option<Fingerprint>,
    pub setup: Setup,
    /// Ring this buddy as soon as they are there.
    pub call: Option<Name>,
    /// Accept the first call that comes.
    pub answer: bool,
    /// In logical pixels from the upper left corner of the screen.
    pub position: Option<(i32, i32)>,
    /// In logical pixels.
    pub size: Option<(u32, u32)>,
    /// A sample screen instead of the real thing.
    pub preset: Option<Sample>,
    /// What was remembered from earlier starts.
    pub settings: Settings,
    /// Where iced can't tell by itself.
    pub system_is_dark: bool,
}

impl TryFrom<cli::Window> for Options {
    type Error = anyhow::Error;

    fn try_from(window: cli::Window) -> anyhow::Result<Self> {
        let preset = window.preset.as_deref().map(|name| {
            let names = || Sample::ALL.map(Sample::name).join(", ");
            Sample::find(name).with_context(|| format!("there is no preset {name:?}; there are {}", names()))
        });
        // A password in a file is automation, which must not change what the person's own window remembers.
        let mut settings = if window.password_file.is_some() { Settings::default() } else { Settings::load() };
        settings.equipment.set_voice(window.devices.voice(settings.equipment.voice()));
        if let Some(turn) = window.devices.turn {
            settings.equipment.turn = turn.degrees();
        }
        Ok(Self {
            password: window.password()?,
            proxy: window.proxy.settings()?,
            setup: window.setup(),
            preset: preset.transpose()?,
            trust: window.certificates.authorities()?,
            pin: window.certificates.trust,
            relay: window.relay,
            user: window.user,
            call: window.call,
            answer: window.answer,
            position: window.window,
            size: None,
            settings,
            system_is_dark: cfg!(target_os = "linux") && theme::system::is_dark(),
        })
    }
}

/// Opens the window and returns once it is closed. To be called before other threads are started.
pub fn run(options: Options) -> anyhow::Result<()> {
    backend::choose();
    application(options).run().context("the window can't be opened")
}

/// The whole app, not yet running: tests boot it too.
pub fn application(options: Options) -> iced::Application<impl Program<State = App, Message = Message, Theme = Theme>> {
    let (position, size) = (options.position, options.size);
    let boot = move || options.preset.map_or_else(|| App::boot(options.clone()), Sample::boot);
    let position =
        position.map_or(window::Position::Default, |(x, y)| window::Position::Specific(iced::Point::new(x as f32, y as f32)));
    let size = size.map_or(app::SIZE, |(width, height)| iced::Size::new(width as f32, height as f32));
    iced::application(boot, App::update, App::view)
        .title(App::title)
        .theme(App::theme)
        .style(App::style)
        .subscription(App::subscription)
        .settings(settings())
        .window(window::Settings {
            size,
            min_size: Some(app::SMALLEST),
            position,
            exit_on_close_request: false,
            icon: window_icon(),
            platform_specific: platform(),
            ..window::Settings::default()
        })
        .presets(preset::all())
}

/// Fonts and sizes; the same for the window and for tests.
pub fn settings() -> iced::Settings {
    iced::Settings {
        default_font: theme::text::REGULAR,
        default_text_size: theme::text::BODY.into(),
        fonts: vec![icon::FONT.into(), theme::text::STRONG_FACE.into()],
        antialiasing: true,
        ..iced::Settings::default()
    }
}

/// What the desktop shows for the window; without it where the desktop takes none.
fn window_icon() -> Option<window::Icon> {
    let picture = image::load_from_memory(include_bytes!("../../assets/icons/tvphone.png")).ok()?.into_rgba8();
    let (width, height) = picture.dimensions();
    window::icon::from_rgba(picture.into_raw(), width, height).ok()
}

/// The name by which the desktop groups windows and finds their icon.
#[cfg(target_os = "linux")]
fn platform() -> window::settings::PlatformSpecific {
    window::settings::PlatformSpecific { application_id: "tvphone".into(), ..Default::default() }
}

#[cfg(not(target_os = "linux"))]
fn platform() -> window::settings::PlatformSpecific {
    window::settings::PlatformSpecific::default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_window_has_an_icon() {
        assert!(super::window_icon().is_some());
    }
}
