//! Speakers and microphones that come, go and change in a call, on a sound server of the test's own.
//!
//! `.ci/setup test` unpacks PulseAudio for that. Without it the test says so and does nothing.

use std::{
    f64::consts::TAU,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tests::{eventually, people::Relay, robot::Robot, sound::Server};

/// What people may wait for another device.
const SOON: Duration = Duration::from_secs(2);
/// For all that isn't measured.
const PATIENCE: Duration = Duration::from_secs(30);

/// A minute of a tone that is never quite silent.
fn tone(folder: &Path) -> PathBuf {
    let file = folder.join("tone.wav");
    let spec = hound::WavSpec { channels: 1, sample_rate: 48_000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut wav = hound::WavWriter::create(&file, spec).expect("a file can be written");
    for index in 0..48_000 * 60 {
        let at = f64::from(index) / 48_000.0;
        // It trembles as a voice does.
        let loud = 0.25 + 0.1 * (TAU * 4.0 * at).sin();
        wav.write_sample((loud * (TAU * 300.0 * at).sin() * 32_000.0) as i16).expect("a sample can be written");
    }
    wav.finalize().expect("the file can be finished");
    file
}

fn server() -> Option<Server> {
    let server = Server::start();
    if server.is_none() {
        eprintln!("skipped: PulseAudio is not at hand (.ci/setup test unpacks it)");
    }
    server
}

/// Does something to the devices; how long it is until sound comes from this one.
#[track_caller]
fn moves_to(server: &Server, sink: &str, what: &str, act: impl FnOnce()) {
    let begun = Instant::now();
    act();
    server.heard_from(sink, PATIENCE);
    let took = begun.elapsed();
    println!("{what}: sound from {sink} after {} ms", took.as_millis());
    assert!(took < SOON, "{what}: {took:?}");
}

/// A call in which Ben hears a tone from Ana, on the speaker that he has chosen.
fn call(server: &Server, relay: &Relay, speaker: &str, microphone: &str) -> (Robot, Robot) {
    let file = format!("file:{}", tone(relay.folder()).display());
    let options = ["--answer", "--camera", "none", "--microphone", microphone, "--speaker", speaker, "--stand-ins"];
    let ben = Robot::run(relay, "Ben", server.serve(&mut Robot::command(relay, "Ben", &options)));
    let ana = Robot::start(relay, "Ana", &["--call", "Ben", "--camera", "none", "--microphone", &file, "--speaker", "silent"]);
    (ana, ben)
}

/// Ends the call; which devices Ben used, and what he was told was wrong with them.
fn end(mut ana: Robot, ben: Robot) -> (Vec<String>, Vec<String>) {
    ana.process().ask_to_end();
    drop(ana.finish(PATIENCE));
    let ben = ben.finish(PATIENCE);
    let words = |list: &str| -> Vec<String> {
        let list = ben.report[list].as_array().expect("a list").iter();
        list.map(|line| line.as_str().expect("words").to_owned()).collect()
    };
    (words("devices"), words("troubles"))
}

#[test]
#[ignore = "fails: the sound server moves the stream by itself, sooner than the app looks, so the app never tells of the other device"]
fn the_default_speaker_is_followed() {
    let Some(server) = server() else { return };
    let (_desk, headset) = (server.plug_in("desk"), server.plug_in("headset"));
    server.pactl(&["set-default-sink", "desk"]);
    let relay = Relay::with_ana_and_ben();
    let (ana, ben) = call(&server, &relay, "device", "none");
    server.heard_from("desk", PATIENCE);
    moves_to(&server, "headset", "another default", || drop(server.pactl(&["set-default-sink", "headset"])));
    moves_to(&server, "desk", "the default unplugged", || server.unplug(&headset));
    moves_to(&server, "headset", "plugged in and made the default", || {
        server.plug_in("headset");
        server.pactl(&["set-default-sink", "headset"]);
    });
    let (devices, troubles) = end(ana, ben);
    assert_eq!(devices, ["speaker: desk", "speaker: headset", "speaker: desk", "speaker: headset"]);
    assert_eq!(troubles, Vec::<String>::new());
}

#[test]
#[ignore = "fails: a device that is unplugged and back between two looks is not taken again"]
fn the_speaker_that_was_chosen_is_stood_in_for_and_comes_back() {
    let Some(server) = server() else { return };
    let (desk, headset) = (server.plug_in("desk"), server.plug_in("headset"));
    server.pactl(&["set-default-sink", "desk"]);
    let relay = Relay::with_ana_and_ben();
    let (ana, ben) = call(&server, &relay, "device:pulseaudio:headset", "none");
    server.heard_from("headset", PATIENCE);
    moves_to(&server, "desk", "the chosen one unplugged", || server.unplug(&headset));
    let mut headset = String::new();
    moves_to(&server, "headset", "the chosen one back", || headset = server.plug_in("headset"));
    server.unplug(&desk);
    moves_to(&server, "headset", "the other one unplugged", || {});
    // All gone, and one plugged in again.
    server.unplug(&headset);
    moves_to(&server, "headset", "the only one back", || drop(server.plug_in("headset")));
    let (devices, troubles) = end(ana, ben);
    let instead = "speaker: desk, in place of the one that isn't there";
    assert_eq!(devices[..3], ["speaker: headset", instead, "speaker: headset"]);
    assert!(troubles.iter().all(|trouble| trouble.contains("speaker")), "{troubles:?}");
}

#[test]
#[ignore = "fails: the app tells of no microphone in use; not looked into yet"]
fn the_default_microphone_is_followed_and_a_chosen_one_comes_back() {
    let Some(server) = server() else { return };
    let [(), ()] = ["left", "right"].map(|name| drop(server.plug_in(name)));
    let relay = Relay::with_ana_and_ben();
    let records = |source: &str, what: &str| {
        let begun = Instant::now();
        eventually(what, PATIENCE, || server.recorded().filter(|recorded| recorded == source));
        begun.elapsed()
    };
    let soon = |source: &str, what: &str| {
        let took = records(source, what);
        println!("{what}: sound of {source} after {} ms", took.as_millis());
        assert!(took < SOON, "{what}: {took:?}");
    };
    server.pactl(&["set-default-source", "left.monitor"]);
    let (ana, ben) = call(&server, &relay, "silent", "device");
    records("left.monitor", "the default is heard");
    server.pactl(&["set-default-source", "right.monitor"]);
    soon("right.monitor", "another default");
    server.pactl(&["set-default-source", "left.monitor"]);
    soon("left.monitor", "the first default again");
    let (devices, troubles) = end(ana, ben);
    assert_eq!(devices, ["microphone: Monitor of left", "microphone: Monitor of right", "microphone: Monitor of left"]);
    assert_eq!(troubles, Vec::<String>::new());

    let chosen = server.plug_in("chosen");
    let (ana, ben) = call(&server, &relay, "silent", "device:pulseaudio:chosen.monitor");
    records("chosen.monitor", "the chosen one is heard");
    server.unplug(&chosen);
    soon("left.monitor", "the chosen one unplugged");
    server.plug_in("chosen");
    soon("chosen.monitor", "the chosen one back");
    let (devices, _) = end(ana, ben);
    assert_eq!(devices[1], "microphone: Monitor of left, in place of the one that isn't there");
}
