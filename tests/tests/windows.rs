//! Two real windows on a real display, in a real call: clicked and typed at like a person would, looked at like a person would.

use std::{process::Command, time::Duration};

use app::ui::{
    app::SIZE,
    theme::{
        palette::{self, Palette},
        spacing, text,
    },
};
use iced::{Color, Theme};
use image::RgbImage;
use proto::{Chat, api::PageHistory};
use tests::{
    display::Display,
    eventually,
    people::Relay,
    process::Process,
    program,
    sight::{Area, button, painted, test_picture},
};

/// The two halves of the display, a window in the upper left corner of each.
const ANAS: Area = Area { x: 0, y: 0, width: 960, height: 900 };
const BENS: Area = Area { x: 960, y: 0, width: 960, height: 900 };

const LIMIT: Duration = Duration::from_secs(30);

fn open(display: &Display, relay: &Relay, name: &str, more: &[&str]) -> Process {
    let mut command = Command::new(program("tvphone"));
    command.args(["--relay", &relay.url(), "--user", name, "--password-file"]).arg(relay.password_file(name));
    command.args(["--camera", "pattern:640x480@15", "--microphone", "chirp", "--speaker", "silent"]).args(more);
    command.env("DISPLAY", display.name()).env_remove("WAYLAND_DISPLAY").env("ICED_BACKEND", "tiny-skia");
    Process::start(&mut command)
}

#[test]
fn two_windows_ring_see_mute_write_lose_the_relay_and_hang_up() {
    let mut relay = Relay::with_ana_and_ben();
    let display = Display::start(1920, 900);
    let _ben = open(&display, &relay, "Ben", &["--window", "960,0"]);
    let _ana = open(&display, &relay, "Ana", &["--window", "0,0", "--call", "Ben"]);

    let (x, y) = eventually("Ben's window rings", LIMIT, || find(&display.picture(), BENS, |palette| palette.good));
    display.click(x, y);

    both_see_each_other(&display);
    ana_mutes(&display);
    ana_writes(&display, &relay);
    the_relay_dies_and_comes_back(&display, &mut relay);
    ana_hangs_up(&display);
}

fn both_see_each_other(display: &Display) {
    let fresh = Duration::from_secs(2);
    let look = |what: &str, area: Area| eventually(what, LIMIT, || test_picture(&display.picture(), area, fresh));
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

fn ana_mutes(display: &Display) {
    // Beside the name of who is seen stands what they have switched off. It's on the stage above the picture, where nothing moves.
    let (left, height) = (spacing::M * 3.0, spacing::XS * 2.0 + text::BODY);
    let mark = part(BENS, left, spacing::M * 2.0, 160.0, height);
    let bare = |picture: &RgbImage| most(picture, mark, |palette| palette.stage);
    let before = bare(&display.picture());
    let (x, y) = mute();
    let reach = spacing::CONTROL / 2.0;
    let mute_button = part(ANAS, x - reach, y - reach, spacing::CONTROL, spacing::CONTROL);
    click(display, ANAS, mute());
    eventually("Ana's mute button stands out", LIMIT, || {
        (most(&display.picture(), mute_button, |palette| palette.warning_soft) > 1000).then_some(())
    });
    eventually("Ben's window says that Ana is muted", LIMIT, || (bare(&display.picture()) + 60 < before).then_some(()));
}

fn ana_writes(display: &Display, relay: &Relay) {
    let words = "Can you hear me now?";
    let above_field = SIZE.height - spacing::XXL * 2.0;
    let bens_chat = part(BENS, SIZE.width - spacing::CHAT, 0.0, spacing::CHAT, above_field);
    let bubble = |picture: &RgbImage| most(picture, bens_chat, |palette| palette.sunken);
    assert!(bubble(&display.picture()) < 500, "nothing is written yet");
    click(display, ANAS, chat_field());
    display.type_text(words);
    display.press("Return");
    eventually("Ben's window shows what Ana wrote", LIMIT, || (bubble(&display.picture()) > 1000).then_some(()));
    assert_eq!(written(relay), [words]);
}

fn the_relay_dies_and_comes_back(display: &Display, relay: &mut Relay) {
    let width = SIZE.width - spacing::CHAT;
    let told = |window: Area| {
        let top = part(window, 0.0, 0.0, width, spacing::XXL * 2.0);
        most(&display.picture(), top, |palette| palette.warning_soft) > 5000
    };
    assert!(!told(ANAS) && !told(BENS), "nothing is wrong yet");
    relay.kill();
    for window in [ANAS, BENS] {
        eventually("a window says that the connection is gone", LIMIT, || told(window).then_some(()));
    }
    relay.restart();
    for window in [ANAS, BENS] {
        eventually("a window says so no longer", LIMIT, || (!told(window)).then_some(()));
        let fresh = Duration::from_secs(2);
        eventually("the picture goes on", LIMIT, || test_picture(&display.picture(), window, fresh));
    }
}

fn ana_hangs_up(display: &Display) {
    let in_call = |picture: &RgbImage, window: Area| find(picture, window, |palette| palette.danger).is_some();
    let picture = display.picture();
    assert!(in_call(&picture, ANAS) && in_call(&picture, BENS), "both can hang up");
    click(display, ANAS, hang_up());
    eventually("both windows leave the call", LIMIT, || {
        let picture = display.picture();
        (!in_call(&picture, ANAS) && !in_call(&picture, BENS)).then_some(())
    });
    eventually("Ana can call Ben again", LIMIT, || find(&display.picture(), ANAS, |palette| palette.good));
}

/// Places in a window in a call, in points from its corner. There is no ticker along the foot: the relay has no providers.
/// Mute, camera, sharing and hang-up stand in the middle below the stage, the last half as wide again as the others.
fn control(beside_middle: f32) -> (f32, f32) {
    let middle = (SIZE.width - spacing::CHAT) / 2.0;
    (middle + beside_middle, SIZE.height - spacing::M - spacing::S - spacing::CONTROL / 2.0)
}

fn mute() -> (f32, f32) {
    control(-(spacing::S * 1.5 + spacing::CONTROL * 1.75))
}

fn hang_up() -> (f32, f32) {
    control(spacing::S * 1.5 + spacing::CONTROL * 1.5)
}

fn chat_field() -> (f32, f32) {
    (SIZE.width - spacing::CHAT / 2.0, SIZE.height - spacing::M * 2.0 - text::BODY / 2.0)
}

fn click(display: &Display, window: Area, (x, y): (f32, f32)) {
    display.click(window.x + x as u32, window.y + y as u32);
}

/// A part of a window, in points, which are pixels here.
fn part(window: Area, x: f32, y: f32, width: f32, height: f32) -> Area {
    Area { x: window.x + x as u32, y: window.y + y as u32, width: width as u32, height: height as u32 }
}

/// What is painted in this colour, light or dark.
fn find(picture: &RgbImage, area: Area, color: fn(&Palette) -> Color) -> Option<(u32, u32)> {
    light_and_dark(color).into_iter().find_map(|color| button(picture, area, color))
}

/// How many pixels are painted in this colour, light or dark.
fn most(picture: &RgbImage, area: Area, color: fn(&Palette) -> Color) -> usize {
    light_and_dark(color).into_iter().map(|color| painted(picture, area, color)).max().unwrap_or(0)
}

fn light_and_dark(color: fn(&Palette) -> Color) -> [[u8; 3]; 2] {
    [Theme::Light, Theme::Dark].map(|theme| {
        let [red, green, blue, _] = color(palette::of(&theme)).into_rgba8();
        [red, green, blue]
    })
}

/// What Ana and Ben have written to each other, as the relay keeps it.
fn written(relay: &Relay) -> Vec<String> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let session = relay.sign_in("Ben").await;
        let page = PageHistory::newest(Chat::With("Ana".parse().expect("a name")));
        let history = session.history(page).await.expect("the relay answers");
        history.messages.into_iter().map(|message| message.text).collect()
    })
}
