//! An app on a test stand: built from a sample, clicked, and asked what it shows.

use std::sync::Once;

use app::ui::{
    self,
    app::{App, Message},
    preset::Sample,
};
use iced::{Event, Size, Theme, keyboard, widget::Id};
use iced_test::{Selector, Simulator, selector::Bounded};

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

    /// A picture of the screen in PNG, at two pixels a point.
    pub(crate) fn picture(&self, theme: &Theme) -> image::RgbaImage {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut simulator = simulator(&self.app, self.size);
        // The first redraw starts what moves; the second one shows where it has come to.
        simulator.simulate([Event::Window(iced::window::Event::RedrawRequested(std::time::Instant::now()))]);
        let snapshot = simulator.snapshot(theme).expect("a snapshot");
        assert!(snapshot.matches_image(folder.path().join("screen.png")).expect("the snapshot is written"));
        let file = folder.path().join("screen-tiny-skia.png");
        image::open(&file).expect("ICED_TEST_BACKEND is tiny-skia, as .cargo/config.toml says").into_rgba8()
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
