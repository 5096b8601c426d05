//! A shared screen: what stands on a display of the test's own arrives at the other's machine.

use std::{path::Path, process::Command};

use codecs::{Frame, Size};
use media::{barcode, camera::unix_micros, y4m};
use tests::{display::Display, painter::Painter, people::Relay, program, robot::Robot};

use crate::{AROUND, alone};

const SIZE: (u32, u32) = (1280, 720);
const QUIET: [&str; 4] = ["--camera", "none", "--microphone", "none"];

/// The times that the pictures of a record carry, where on them the barcode stands.
fn times(record: &Path, read: impl Fn(&Frame) -> Option<u64>) -> Vec<u64> {
    let mut reader = y4m::Reader::open(record).expect("what was shared is recorded");
    let frames = std::iter::from_fn(|| reader.next_frame().expect("whole frames"));
    frames.filter_map(|frame| read(&frame)).collect()
}

/// Ana shares something of the display while Ben records it; her end of the call, his, and the record.
fn share(relay: &Relay, display: &Display, spec: &str, seconds: &str) -> (Robot, Robot, std::path::PathBuf) {
    let record = relay.folder().join("received");
    let record_to = record.to_str().expect("a plain path");
    let ben = Robot::start(relay, "Ben", &[&["--answer", "--record", record_to], &QUIET[..]].concat());
    let camera = ["--camera", "pattern:320x240@15", "--microphone", "chirp"];
    let options = [&["--call", "Ben", "--duration", seconds, "--screen", spec], &camera[..]].concat();
    let mut command = Robot::command(relay, "Ana", &options);
    let ana = Robot::run(relay, "Ana", command.env("DISPLAY", display.name()).env_remove("WAYLAND_DISPLAY"));
    (ana, ben, record.join("peer-1-screen.y4m"))
}

#[track_caller]
fn check(times: &[u64], from: u64) {
    assert!(times.len() > 15, "only {} pictures of the screen came", times.len());
    assert!(times.is_sorted(), "{times:?}");
    assert!(times[0] >= from && times[times.len() - 1] <= unix_micros());
    let changes = times.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(changes > 10, "it shows {changes} changes");
}

#[test]
fn what_can_be_shared_is_listed_by_its_name() {
    let display = Display::start(SIZE.0, SIZE.1);
    let painter = Painter::start(&display, (100, 80), Size::VGA, false);
    let mut command = Command::new(program("tvphone"));
    let listed = command.arg("devices").env("DISPLAY", display.name()).env_remove("WAYLAND_DISPLAY").output();
    let listed = String::from_utf8(listed.expect("it runs").stdout).expect("text");
    let screens: Vec<_> = listed.lines().filter(|line| line.starts_with("--screen")).collect();
    assert_eq!(screens.len(), 2, "{listed}");
    assert!(screens[0].ends_with("(screen)"), "{listed}");
    assert_eq!(screens[1], format!("--screen {}  (Timecode)", painter.spec()));
}

#[test]
fn a_window_arrives_whole_though_another_one_covers_it() {
    let _alone = alone();
    let (relay, display) = (Relay::with_ana_and_ben(), Display::start(SIZE.0, SIZE.1));
    let from = unix_micros();
    let painter = Painter::start(&display, (100, 80), Size::VGA, true);
    let (ana, ben, record) = share(&relay, &display, &painter.spec(), "6");
    let (ana, ben) = (ana.finish(AROUND), ben.finish(AROUND));
    assert!(ana.success && ben.success, "{:#}\n{:#}", ana.report, ben.report);
    assert_eq!(ana.report["troubles"].as_array().map(Vec::len), Some(0), "{:#}", ana.report);
    check(&times(&record, barcode::read), from);
    // Sound and faces come as ever.
    assert!(ben.number("/video/shown") > 30.0 && ben.number("/audio/played_ms") > 500.0, "{:#}", ben.report);
    assert_eq!(ben.report["screen"]["size"], "640x480");
    assert_eq!(ben.number("/screen/lost"), 0.0, "{:#}", ben.report);
    assert_eq!(ben.number("/screen/freezes"), 0.0, "{:#}", ben.report);
}

#[test]
fn the_whole_screen_arrives_with_all_that_is_on_it() {
    let _alone = alone();
    let (relay, display) = (Relay::with_ana_and_ben(), Display::start(SIZE.0, SIZE.1));
    let from = unix_micros();
    let _painter = Painter::start(&display, (320, 120), Size::VGA, false);
    let (ana, ben, record) = share(&relay, &display, "x11", "6");
    let (ana, ben) = (ana.finish(AROUND), ben.finish(AROUND));
    assert!(ana.success && ben.success, "{:#}\n{:#}", ana.report, ben.report);
    let there = |frame: &Frame| {
        // A thin way makes it smaller, as a whole.
        let scaled = |length: u32| length * frame.size().width / SIZE.0;
        let (x, y, width, height) = (scaled(320), scaled(120), scaled(640), scaled(480));
        barcode::read_luma(frame.y(), frame.strides().0, x, y, width, height)
    };
    check(&times(&record, there), from);
}

#[test]
fn a_window_that_is_closed_ends_what_is_shared_and_nothing_else() {
    let _alone = alone();
    let (relay, display) = (Relay::with_ana_and_ben(), Display::start(SIZE.0, SIZE.1));
    let painter = Painter::start(&display, (100, 80), Size::VGA, false);
    let (ana, ben, record) = share(&relay, &display, &painter.spec(), "9");
    let seen =
        |limit| tests::eventually("the window is seen", limit, || std::fs::metadata(&record).ok().filter(|file| file.len() > 0));
    seen(AROUND);
    drop(painter);
    let (ana, ben) = (ana.finish(AROUND), ben.finish(AROUND));
    assert!(ana.success && ben.success, "{:#}\n{:#}", ana.report, ben.report);
    assert_eq!(ana.report["troubles"], serde_json::json!(["The window that was shared was closed."]));
    assert!(ben.number("/video/shown") > 60.0, "{:#}", ben.report);
}

#[test]
fn without_a_display_the_call_goes_on_and_says_why_nothing_is_shared() {
    let _alone = alone();
    let relay = Relay::with_ana_and_ben();
    let ben = Robot::start(&relay, "Ben", &[&["--answer"], &QUIET[..]].concat());
    let camera = ["--camera", "pattern:320x240@15", "--microphone", "chirp"];
    let options = [&["--call", "Ben", "--duration", "4", "--screen", "x11"], &camera[..]].concat();
    let mut command = Robot::command(&relay, "Ana", &options);
    let ana = Robot::run(&relay, "Ana", command.env_remove("DISPLAY").env("WAYLAND_DISPLAY", "wayland-0"));
    let (ana, ben) = (ana.finish(AROUND), ben.finish(AROUND));
    assert!(ana.success && ben.success, "who can't share promises nothing: {:#}\n{:#}", ana.report, ben.report);
    let told = ana.report["troubles"].to_string();
    assert!(told.contains("Wayland"), "{told}");
    assert_eq!(ben.number("/screen/received"), 0.0);
}
