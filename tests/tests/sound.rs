//! Speakers and microphones that come, go and change in a call, on a sound server of the test's own.
//!
//! `.ci/setup test` unpacks PulseAudio for that. Without it the test says so and does nothing.

use std::{
    f64::consts::TAU,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::Value;
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

/// A call in which Ben hears a tone from Ana.
struct Call {
    ana: Robot,
    ben: Robot,
    trace: PathBuf,
}

impl Call {
    /// With the speaker and the microphone that Ben has chosen.
    fn begin(server: &Server, relay: &Relay, speaker: &str, microphone: &str) -> Self {
        let file = format!("file:{}", tone(relay.folder()).display());
        let trace = relay.folder().join("Ben.trace");
        let options = ["--answer", "--camera", "none", "--microphone", microphone, "--speaker", speaker, "--stand-ins"];
        let mut ben = Robot::command(relay, "Ben", &options);
        let ben = Robot::run(relay, "Ben", server.serve(ben.arg("--trace").arg(&trace)));
        let ana =
            Robot::start(relay, "Ana", &["--call", "Ben", "--camera", "none", "--microphone", &file, "--speaker", "silent"]);
        Self { ana, ben, trace }
    }

    /// Waits until the app says that it uses this device.
    fn uses(&self, device: &str, what: &str) {
        eventually(&format!("{what}: {device} is used"), PATIENCE, || {
            let trace = fs::read_to_string(&self.trace).ok()?;
            let lines = trace.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let last = lines.filter_map(|line| line.get("device").cloned()).next_back()?;
            (last["name"] == device).then_some(())
        });
    }

    /// Does something to the devices: soon sound comes from this sink, and the app knows.
    #[track_caller]
    fn moves_to(&self, server: &Server, sink: &str, what: &str, act: impl FnOnce()) {
        let begun = Instant::now();
        act();
        server.heard_from(sink, PATIENCE);
        let heard = begun.elapsed();
        self.uses(sink, what);
        let known = begun.elapsed();
        println!("{what}: sound from {sink} after {} ms, known after {} ms", heard.as_millis(), known.as_millis());
        assert!(known < SOON, "{what}: {heard:?} and {known:?}");
    }

    /// The same with a microphone, a sink's monitor.
    #[track_caller]
    fn records(&self, server: &Server, sink: &str, what: &str, act: impl FnOnce()) {
        let begun = Instant::now();
        act();
        let source = format!("{sink}.monitor");
        eventually(what, PATIENCE, || server.recorded().filter(|recorded| *recorded == source));
        let heard = begun.elapsed();
        self.uses(&format!("Monitor of {sink}"), what);
        let known = begun.elapsed();
        println!("{what}: {source} is recorded after {} ms, known after {} ms", heard.as_millis(), known.as_millis());
        assert!(known < SOON, "{what}: {heard:?} and {known:?}");
    }

    /// Ends it; which devices Ben used, and what he was told was wrong with them.
    fn end(mut self) -> (Vec<String>, Vec<String>) {
        self.ana.process().ask_to_end();
        drop(self.ana.finish(PATIENCE));
        let ben = self.ben.finish(PATIENCE);
        let words = |list: &str| -> Vec<String> {
            let list = ben.report[list].as_array().expect("a list").iter();
            list.map(|line| line.as_str().expect("words").to_owned()).collect()
        };
        (words("devices"), words("troubles"))
    }
}

#[test]
fn the_default_speaker_is_followed() {
    let Some(server) = server() else { return };
    let (_desk, headset) = (server.plug_in("desk"), server.plug_in("headset"));
    server.pactl(&["set-default-sink", "desk"]);
    let relay = Relay::with_ana_and_ben();
    let call = Call::begin(&server, &relay, "device", "none");
    server.heard_from("desk", PATIENCE);
    call.uses("desk", "as the call begins");
    call.moves_to(&server, "headset", "another default", || drop(server.pactl(&["set-default-sink", "headset"])));
    call.moves_to(&server, "desk", "the default unplugged", || server.unplug(&headset));
    call.moves_to(&server, "headset", "plugged in and made the default", || {
        server.plug_in("headset");
        server.pactl(&["set-default-sink", "headset"]);
    });
    let (devices, troubles) = call.end();
    assert_eq!(devices, ["speaker: desk", "speaker: headset", "speaker: desk", "speaker: headset"]);
    assert_eq!(troubles, Vec::<String>::new());
}

#[test]
fn the_speaker_that_was_chosen_is_stood_in_for_and_comes_back() {
    let Some(server) = server() else { return };
    let (desk, headset) = (server.plug_in("desk"), server.plug_in("headset"));
    server.pactl(&["set-default-sink", "desk"]);
    let relay = Relay::with_ana_and_ben();
    let call = Call::begin(&server, &relay, "device:pulseaudio:headset", "none");
    server.heard_from("headset", PATIENCE);
    call.uses("headset", "as the call begins");
    call.moves_to(&server, "desk", "the chosen one unplugged", || server.unplug(&headset));
    let mut headset = String::new();
    call.moves_to(&server, "headset", "the chosen one back", || headset = server.plug_in("headset"));
    server.unplug(&desk);
    call.moves_to(&server, "headset", "the other one unplugged", || {});
    // All gone, and one plugged in again.
    server.unplug(&headset);
    call.moves_to(&server, "headset", "the only one back", || drop(server.plug_in("headset")));
    let (devices, troubles) = call.end();
    let instead = "speaker: desk, in place of the one that isn't there";
    assert_eq!(devices[..3], ["speaker: headset", instead, "speaker: headset"]);
    assert!(troubles.iter().all(|trouble| trouble.contains("speaker")), "{troubles:?}");
}

#[test]
fn the_speaker_that_was_chosen_is_kept_whatever_the_server_does() {
    let Some(server) = server() else { return };
    let (_desk, headset) = (server.plug_in("desk"), server.plug_in("headset"));
    let relay = Relay::with_ana_and_ben();
    let another_default = || drop(server.pactl(&["set-default-sink", "desk"]));
    let for_a_moment = || {
        server.unplug(&headset);
        server.plug_in("headset");
    };
    let ways: [(_, &dyn Fn()); 2] = [("another default", &another_default), ("unplugged for a moment", &for_a_moment)];
    server.pactl(&["set-default-sink", "headset"]);
    for (what, act) in ways {
        let call = Call::begin(&server, &relay, "device:pulseaudio:headset", "none");
        server.heard_from("headset", PATIENCE);
        call.uses("headset", "as the call begins");
        call.moves_to(&server, "headset", what, act);
        let (_, troubles) = call.end();
        assert_eq!(troubles, Vec::<String>::new(), "{what}");
    }
}

#[test]
fn the_default_microphone_is_followed_and_a_chosen_one_comes_back() {
    let Some(server) = server() else { return };
    let [(), ()] = ["left", "right"].map(|name| drop(server.plug_in(name)));
    let relay = Relay::with_ana_and_ben();
    server.pactl(&["set-default-source", "left.monitor"]);
    let call = Call::begin(&server, &relay, "silent", "device");
    call.uses("Monitor of left", "as the call begins");
    let default = |source: &str| drop(server.pactl(&["set-default-source", source]));
    call.records(&server, "right", "another default", || default("right.monitor"));
    call.records(&server, "left", "the first default again", || default("left.monitor"));
    let (devices, troubles) = call.end();
    assert_eq!(devices, ["microphone: Monitor of left", "microphone: Monitor of right", "microphone: Monitor of left"]);
    assert_eq!(troubles, Vec::<String>::new());

    let chosen = server.plug_in("chosen");
    let call = Call::begin(&server, &relay, "silent", "device:pulseaudio:chosen.monitor");
    call.uses("Monitor of chosen", "as the second call begins");
    call.records(&server, "left", "the chosen one unplugged", || server.unplug(&chosen));
    call.records(&server, "chosen", "the chosen one back", || drop(server.plug_in("chosen")));
    let (devices, _) = call.end();
    assert_eq!(devices[1], "microphone: Monitor of left, in place of the one that isn't there");
}
