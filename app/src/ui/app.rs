//! The root: which screen there is, and what belongs to none of them. It only routes.

use std::time::{Duration, Instant};

use iced::{
    Element, Size, Subscription, Task, Theme, theme,
    widget::{operation, stack},
    window,
};
use relay_client::{ProxySettings, Session, Trust};

use super::{
    Options, idle,
    keys::{self, Shortcut},
    line::Line,
    screen::{
        desk::{self, Desk, Wishes},
        sign_in::{self, SignIn},
    },
    settings::Settings,
    theme::{Appearance, palette},
    widget::toast::{self, Kind, Toasts},
};
use crate::engine::Setup;

/// How long a farewell to the relay may keep a closing window.
const FAREWELL: Duration = Duration::from_millis(800);

pub struct App {
    screen: Screen,
    settings: Settings,
    setup: Setup,
    /// Said for this run: by the command line, or with a password in the dialog.
    proxy: Option<ProxySettings>,
    wishes: Wishes,
    trust: Trust,
    toasts: Toasts,
    scale: f32,
    system_is_dark: bool,
}

pub enum Screen {
    SignIn(Box<SignIn>),
    Desk(Box<Desk>),
}

#[expect(
    clippy::large_enum_variant,
    reason = "a message lives for a moment, and the largest one, the relay's whole state, comes seldom"
)]
#[derive(Debug, Clone)]
pub enum Message {
    SignIn(sign_in::Message),
    Desk(desk::Message),
    Toast(toast::Message),
    /// The person does something here after a long while.
    PersonIsBack,
    Shortcut(Shortcut),
    Opened(window::Id),
    Rescaled(f32),
    CloseRequested(window::Id),
    /// Everything is in order: the window may go.
    Leave,
}

impl App {
    pub fn boot(options: Options) -> (Self, Task<Message>) {
        let mut settings = options.settings;
        if let Some(relay) = options.relay {
            settings.relay = relay;
        }
        let relay = sign_in::address(&settings.relay);
        if let (Some(fingerprint), Ok(relay)) = (options.pin, relay_client::origin(&relay)) {
            settings.trusted.insert(relay, fingerprint);
        }
        let mut sign_in = SignIn::new(&settings).by(options.proxy.clone()).trusting(options.trust.clone());
        let task = match (options.user, options.password) {
            (Some(name), Some(password)) => sign_in.at_once(&name, password),
            (Some(name), None) => Task::batch([sign_in.prefill(&name), sign_in.look()]),
            _ => Task::batch([sign_in.focus(), sign_in.look()]),
        };
        let wishes = Wishes { call: options.call, answer: options.answer };
        let at = Self::at(Screen::SignIn(Box::new(sign_in)), settings, options.setup, wishes);
        let app = Self { system_is_dark: options.system_is_dark, proxy: options.proxy, trust: options.trust, ..at };
        (app, task.map(Message::SignIn))
    }

    pub fn at(screen: Screen, settings: Settings, setup: Setup, wishes: Wishes) -> Self {
        let trust = Trust::system();
        Self { screen, settings, setup, proxy: None, wishes, trust, toasts: Toasts::default(), scale: 1.0, system_is_dark: false }
    }

    pub fn screen(&self) -> &Screen {
        &self.screen
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub fn choose_appearance(&mut self, appearance: Appearance) {
        self.settings.appearance = appearance;
    }

    pub fn title(&self) -> String {
        let Screen::Desk(desk) = &self.screen else { return "tvphone".into() };
        match (desk.unread(), desk.talks_with()) {
            (_, Some(other)) => format!("{other} \u{2013} {} \u{2013} tvphone", desk.me()),
            (0, None) => format!("{} \u{2013} tvphone", desk.me()),
            (unread, None) => format!("({unread}) {} \u{2013} tvphone", desk.me()),
        }
    }

    pub fn theme(&self) -> Option<Theme> {
        self.settings.appearance.theme(self.system_is_dark)
    }

    pub fn style(&self, theme: &Theme) -> theme::Style {
        let palette = palette::of(theme);
        theme::Style { background_color: palette.background, text_color: palette.text }
    }

    pub fn update(&mut self, message: Message) -> Task<Message> {
        match message {
            Message::SignIn(message) => self.sign_in(message),
            Message::Desk(message) => self.desk(message),
            Message::Toast(message) => {
                self.toasts.update(message);
                Task::none()
            }
            Message::PersonIsBack => match self.screen {
                Screen::Desk(_) => self.desk(desk::Message::PersonIsBack),
                Screen::SignIn(_) => Task::none(),
            },
            Message::Shortcut(Shortcut::NextField) => operation::focus_next(),
            Message::Shortcut(Shortcut::PreviousField) => operation::focus_previous(),
            Message::Shortcut(shortcut) => match self.screen {
                Screen::Desk(_) => self.desk(desk::Message::Shortcut(shortcut)),
                Screen::SignIn(_) => Task::none(),
            },
            Message::Opened(window) => window::scale_factor(window).map(Message::Rescaled),
            Message::Rescaled(scale) => {
                self.scale = scale;
                if let Screen::Desk(desk) = &mut self.screen {
                    desk.set_scale(scale);
                }
                Task::none()
            }
            Message::CloseRequested(_) => self.say_goodbye(),
            Message::Leave => iced::exit(),
        }
    }

    pub fn subscription(&self) -> Subscription<Message> {
        let screen = match &self.screen {
            Screen::SignIn(_) => Subscription::none(),
            Screen::Desk(desk) => desk.subscription().map(Message::Desk),
        };
        let windows = iced::event::listen_with(|event, _, window| match event {
            iced::Event::Window(window::Event::Opened { .. }) => Some(Message::Opened(window)),
            iced::Event::Window(window::Event::Rescaled(scale)) => Some(Message::Rescaled(scale)),
            iced::Event::Window(window::Event::CloseRequested) => Some(Message::CloseRequested(window)),
            _ => None,
        });
        let toasts = self.toasts.subscription().map(Message::Toast);
        let idle = idle::subscription().map(|()| Message::PersonIsBack);
        Subscription::batch([screen, windows, toasts, idle, keys::subscription().map(Message::Shortcut)])
    }

    pub fn view(&self) -> Element<'_, Message> {
        let screen = match &self.screen {
            Screen::SignIn(sign_in) => sign_in.view().map(Message::SignIn),
            Screen::Desk(desk) => desk.view(self.settings.appearance).map(Message::Desk),
        };
        stack![screen].push(self.toasts.view().map(|toasts| toasts.map(Message::Toast))).into()
    }

    fn sign_in(&mut self, message: sign_in::Message) -> Task<Message> {
        let Screen::SignIn(sign_in) = &mut self.screen else { return Task::none() };
        match sign_in.update(message) {
            sign_in::Action::None => Task::none(),
            sign_in::Action::Run(task) => task.map(Message::SignIn),
            sign_in::Action::SignedIn(session) => {
                self.settings.relay = sign_in.relay().to_owned();
                self.settings.connection = sign_in.connection().clone();
                self.proxy = sign_in.proxy().cloned();
                self.enter(session)
            }
            sign_in::Action::Pin(question, task) => {
                self.settings.trusted.insert(question.relay, question.fingerprint);
                self.settings.save();
                task.map(Message::SignIn)
            }
        }
    }

    fn enter(&mut self, session: Session) -> Task<Message> {
        self.settings.name = session.name().to_string();
        self.settings.save();
        session.watch_idle(idle::since_input);
        let mut desk = Desk::new(Line::new(session), self.setup.clone(), std::mem::take(&mut self.wishes));
        desk.set_scale(self.scale);
        desk.equip(self.settings.equipment.clone());
        desk.set_figures(self.settings.figures);
        self.screen = Screen::Desk(Box::new(desk));
        Task::none()
    }

    fn desk(&mut self, message: desk::Message) -> Task<Message> {
        let Screen::Desk(desk) = &mut self.screen else { return Task::none() };
        match desk.update(message) {
            desk::Action::None => Task::none(),
            desk::Action::Run(task) => task.map(Message::Desk),
            desk::Action::Tell(kind, text, task) => {
                self.toasts.push(kind, text, Instant::now());
                task.map(Message::Desk)
            }
            desk::Action::ChangeAppearance => {
                self.settings.appearance = self.settings.appearance.next();
                self.settings.save();
                Task::none()
            }
            desk::Action::Remember(equipment) => {
                self.settings.equipment = *equipment;
                self.settings.save();
                Task::none()
            }
            desk::Action::ShowFigures(shown) => {
                self.settings.figures = shown;
                self.settings.save();
                Task::none()
            }
            desk::Action::SignOut => {
                let goodbye = desk.say_goodbye().map(Message::Desk);
                Task::batch([goodbye, self.sign_in_again(None)])
            }
            desk::Action::SignedOut(reason) => {
                let goodbye = desk.hang_up().map(Message::Desk);
                self.toasts.push(Kind::Trouble, reason.clone(), Instant::now());
                Task::batch([goodbye, self.sign_in_again(Some(reason))])
            }
        }
    }

    fn sign_in_again(&mut self, reason: Option<String>) -> Task<Message> {
        let mut sign_in = SignIn::new(&self.settings).by(self.proxy.clone()).trusting(self.trust.clone());
        if let Some(reason) = reason {
            sign_in = sign_in.because(reason);
        }
        let look = sign_in.look().map(Message::SignIn);
        self.screen = Screen::SignIn(Box::new(sign_in));
        look
    }

    /// Hangs up and signs out before the window goes, but doesn't wait for a relay that is out of reach.
    fn say_goodbye(&mut self) -> Task<Message> {
        let Screen::Desk(desk) = &mut self.screen else { return iced::exit() };
        let goodbye = desk.say_goodbye().discard().chain(Task::done(Message::Leave));
        let late = Task::perform(tokio::time::sleep(FAREWELL), |()| Message::Leave);
        Task::batch([goodbye, late])
    }
}

/// What a window opens with where nothing else is said: two fit beside each other on a common screen.
pub const SIZE: Size = Size::new(920.0, 760.0);

/// Below this, things would lie over each other.
pub const SMALLEST: Size = Size::new(860.0, 560.0);
