//! An app on a test stand: built from a sample, clicked, and asked what it shows.

use std::{sync::Once, time::Instant};

use app::ui::{
    self,
    app::{App, Message},
    preset::Sample,
    screen::desk,
};
use futures::executor::block_on;
use iced::{Event, Size, Theme, keyboard, mouse::Cursor, theme::Base as _, widget::Id, window};
use iced_test::{
    Selector, Simulator,
    core::{
        clipboard,
        renderer::{Headless as _, Style},
    },
    runtime::user_interface::{Cache, UserInterface},
    selector::Bounded,
};
use proto::Name;
use relay_client::Update;

pub(crate) fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

pub(crate) struct Stand {
    pub(crate) app: App,
    size: Size,
}

impl Stand {
    pub(crate) fn new(sample: Sample) -> Self {
        Self { app: sample.boot().0, size: ui::app::SIZE }
    }

    pub(crate) fn sized(self, size: Size) -> Self {
        Self { size, ..self }
    }

    /// Does something at the screen and lets the app take what came of it.
    pub(crate) fn act(&mut self, act: impl FnOnce(&mut Simulator<'_, Message>)) -> Vec<Message> {
        let mut simulator = simulator(&self.app, self.size);
        act(&mut simulator);
        let messages: Vec<_> = simulator.into_messages().collect();
        for message in &messages {
            drop(self.app.update(message.clone()));
        }
        messages
    }

    /// Presses what bears this text.
    #[track_caller]
    pub(crate) fn click<S>(&mut self, what: S) -> Vec<Message>
    where
        S: Selector + Send,
        S::Output: Bounded + Clone + Send + Sync + 'static,
    {
        self.act(|screen| {
            screen.click(what).expect("it is there to be pressed");
        })
    }

    /// Types into the field with this id.
    #[track_caller]
    pub(crate) fn type_into(&mut self, field: &'static str, text: &str) {
        self.act(|screen| {
            screen.click(Id::new(field)).expect("the field is there");
            screen.typewrite(text);
        });
    }

    /// Types into the field with this id and presses Enter.
    #[track_caller]
    pub(crate) fn enter_into(&mut self, field: &'static str, text: &str) -> Vec<Message> {
        self.type_into(field, text);
        self.act(|screen| {
            screen.click(Id::new(field)).expect("the field is there");
            screen.tap_key(keyboard::key::Named::Enter);
        })
    }

    /// The desk hears of something.
    pub(crate) fn tell(&mut self, message: desk::Message) {
        drop(self.app.update(Message::Desk(message)));
    }

    /// Something reaches the desk over the event lane.
    pub(crate) fn happen(&mut self, event: proto::Event) {
        self.tell(desk::Message::Relay(Update::Event(event)));
    }

    pub(crate) fn shows(&self, text: &str) -> bool {
        simulator(&self.app, self.size).find(text).is_ok()
    }

    #[track_caller]
    pub(crate) fn expect(&self, text: &str) {
        assert!(self.shows(text), "not on the screen: {text}");
    }

    #[track_caller]
    pub(crate) fn expect_not(&self, text: &str) {
        assert!(!self.shows(text), "still on the screen: {text}");
    }

    /// A picture of the screen with so many pixels a point. iced's own simulator knows two alone.
    pub(crate) fn picture(&self, theme: &Theme, scale: f32) -> image::RgbaImage {
        // Loads the fonts, too.
        drop(simulator(&self.app, self.size));
        let settings = ui::settings();
        let backend = std::env::var("ICED_TEST_BACKEND").expect(".cargo/config.toml sets ICED_TEST_BACKEND");
        let renderer = iced::Renderer::new(settings.default_font, settings.default_text_size, Some(&backend));
        let mut renderer = block_on(renderer).expect("a renderer without a window");
        let mut screen = UserInterface::build(self.app.view(), self.size, Cache::default(), &mut renderer);
        // The first redraw starts what moves; the second one shows where it has come to.
        for _ in 0..2 {
            let redraw = [Event::Window(window::Event::RedrawRequested(Instant::now()))];
            drop(screen.update(&redraw, Cursor::Unavailable, &mut renderer, &mut clipboard::Null, &mut Vec::new()));
        }
        let base = theme.base();
        screen.draw(&mut renderer, theme, &Style { text_color: base.text_color }, Cursor::Unavailable);
        let pixels = |points: f32| (points * scale).round() as u32;
        let size = Size::new(pixels(self.size.width), pixels(self.size.height));
        let picture = renderer.screenshot(size, scale, base.background_color);
        image::RgbaImage::from_raw(size.width, size.height, picture).expect("four bytes a pixel")
    }
}

fn simulator(app: &App, size: Size) -> Simulator<'_, Message> {
    static FONTS: Once = Once::new();
    let mut settings = ui::settings();
    // The fonts are loaded into a table that all simulators share.
    let mut fonts = std::mem::take(&mut settings.fonts);
    FONTS.call_once(|| settings.fonts.append(&mut fonts));
    Simulator::with_size(settings, size, app.view())
}
