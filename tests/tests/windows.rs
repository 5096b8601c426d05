//! Two real windows on a real display, in a real call: clicked like a person would, looked at like a person would.

use std::{process::Command, time::Duration};

use app::ui::theme::palette;
use iced::Theme;
use tests::{
    display::Display,
    eventually,
    people::Relay,
    process::Process,
    program,
    sight::{Area, button, test_picture},
};

/// The two halves of the display, a window in each.
const ANAS: Area = Area { x: 0, y: 0, width: 960, height: 900 };
const BENS: Area = Area { x: 960, y: 0, width: 960, height: 900 };

/// What Accept is painted in, light and dark.
fn accept() -> [[u8; 3]; 2] {
    [Theme::Light, Theme::Dark].map(|theme| {
        let [red, green, blue, _] = palette::of(&theme).good.into_rgba8();
        [red, green, blue]
    })
}

fn open(display: &Display, relay: &Relay, name: &str, more: &[&str]) -> Process {
    let mut command = Command::new(program("tvphone"));
    command.args(["--relay", &relay.url(), "--user", name, "--password-file"]).arg(relay.password_file(name));
    command.args(["--camera", "pattern:640x480@15", "--microphone", "chirp", "--speaker", "silent"]).args(more);
    command.env("DISPLAY", display.name()).env_remove("WAYLAND_DISPLAY").env("ICED_BACKEND", "tiny-skia");
    Process::start(&mut command)
}

#[test]
fn ben_clicks_accept_and_both_see_each_other() {
    let relay = Relay::with_ana_and_ben();
    let display = Display::start(1920, 900);
    let _ben = open(&display, &relay, "Ben", &["--window", "960,0"]);
    let _ana = open(&display, &relay, "Ana", &["--window", "0,0", "--call", "Ben"]);

    let limit = Duration::from_secs(30);
    let (x, y) = eventually("Ben's window rings", limit, || {
        let picture = display.picture();
        accept().into_iter().find_map(|color| button(&picture, BENS, color))
    });
    display.click(x, y);

    let fresh = Duration::from_secs(2);
    let look = |what: &str, area: Area| eventually(what, limit, || test_picture(&display.picture(), area, fresh));
    let anas = look("Ana's window shows Ben's picture", ANAS);
    let bens = look("Ben's window shows Ana's picture", BENS);
    display.save(&tests::artefacts().join("windows.png"));
    for seen in [anas, bens] {
        // Large: most of the window's width that the chat beside it leaves.
        assert!(seen.area.width >= 400, "{seen:?}");
    }

    // The picture moves on.
    let later = look("Ben's window shows a newer picture", BENS);
    assert!(later.captured > bens.captured, "{later:?} after {bens:?}");
}
