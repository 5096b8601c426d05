//! Speakers and microphones that come, go and change in a call, on a sound server of the test's own.
//!
//! PulseAudio moves a stream by itself, sooner than the app looks: this shows that sound goes on, not that the app opens another device.
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

/// Ends the call.
fn end(mut ana: Robot, ben: Robot) {
    ana.process().ask_to_end();
    for robot in [ana, ben] {
        drop(robot.finish(PATIENCE));
    }
}

#[test]
fn sound_follows_the_default_speaker() {
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
    end(ana, ben);
}

#[test]
fn sound_follows_the_default_microphone() {
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
    end(ana, ben);
}
