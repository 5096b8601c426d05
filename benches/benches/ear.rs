//! From mouth to ear: chirps are played where Ana's microphone listens, and heard where Ben's speaker plays, both sinks of a sound server
//! that play to nobody. Between the two are the devices' buffers, the whole call over loopback, and voice processing.

use std::{
    fs::File,
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};

use benches::{Better, Row, keep, median};
use media::chirp::{Chirp, Detector};
use tests::{
    people::Relay,
    robot::Robot,
    sound::{Heard, Server},
};

const RUNS: usize = 3;
/// The call's first seconds teach the jitter buffer what to expect.
const SETTLE: Duration = Duration::from_secs(8);
const MEASURED: Duration = Duration::from_secs(25);

fn main() -> anyhow::Result<()> {
    let names = ["mouth to ear, p50", "mouth to ear, p95"];
    let Some(server) = Server::start() else {
        let why = "PulseAudio is not at hand (.ci/setup bench unpacks it)";
        return keep("ear", &names.map(|name| Row::not_measured(name, "ms", Better::Lower, why)));
    };
    for sink in ["mouth", "ear"] {
        server.plug_in(sink);
    }
    let relay = Relay::with_ana_and_ben();
    let chirps = chirps(relay.folder())?;
    let (mut p50, mut p95) = (Vec::new(), Vec::new());
    for run in 1..=RUNS {
        let mut delays = delays(&server, &relay, &chirps);
        anyhow::ensure!(delays.len() > 10, "only {} chirps got through", delays.len());
        delays.sort_by(f64::total_cmp);
        let at = |of: f64| delays[((delays.len() - 1) as f64 * of).round() as usize];
        eprintln!("run {run}: {} chirps, p50 {:.1} ms, p95 {:.1} ms, most {:.1} ms", delays.len(), at(0.5), at(0.95), at(1.0));
        p50.push(at(0.5));
        p95.push(at(0.95));
    }
    eprintln!("medians: {:.1} and {:.1} ms", median(&p50), median(&p95));
    let [half, most] = names;
    keep("ear", &[Row::new(half, "ms", Better::Lower, &p50).limit(90.0), Row::new(most, "ms", Better::Lower, &p95).limit(120.0)])
}

/// Two minutes of chirps.
fn chirps(folder: &Path) -> anyhow::Result<PathBuf> {
    let file = folder.join("chirps.wav");
    let (mut chirp, mut block) = (Chirp::default(), [0.0_f32; 480]);
    let count = 12_000_u32;
    let mut bytes = Vec::new();
    for index in 0..u64::from(count) {
        chirp.fill(&mut block, index * 10_000);
        bytes.extend(block.iter().flat_map(|sample| ((sample * 32_767.0) as i16).to_le_bytes()));
    }
    let size = u32::try_from(bytes.len())?;
    let mut wav = Vec::new();
    wav.extend(b"RIFF");
    wav.extend((36 + size).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend(48_000_u32.to_le_bytes());
    wav.extend(96_000_u32.to_le_bytes());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend(size.to_le_bytes());
    wav.extend(bytes);
    std::io::Write::write_all(&mut File::create(&file)?, &wav)?;
    Ok(file)
}

/// One call: how long each chirp took, in milliseconds.
fn delays(server: &Server, relay: &Relay, chirps: &Path) -> Vec<f64> {
    let call = |name, options: &[&str]| Robot::run(relay, name, server.serve(&mut Robot::command(relay, name, options)));
    let ben = ["--answer", "--camera", "none", "--microphone", "none", "--speaker", "device:pulseaudio:ear"];
    let ana = ["--call", "Ben", "--camera", "none", "--microphone", "device:pulseaudio:mouth.monitor", "--speaker", "silent"];
    let (ben, mut ana) = (call("Ben", &ben), call("Ana", &ana));
    let _mouth = server.play(chirps, "mouth");
    sleep(SETTLE);
    let listened = [server.listen("mouth"), server.listen("ear")];
    sleep(MEASURED);
    let [mouth, ear] = listened.map(|listening| times(&listening.end()));
    ana.process().ask_to_end();
    for robot in [ana, ben] {
        drop(robot.finish(Duration::from_secs(20)));
    }
    // The chirp that is heard next after one was said; none takes half a second.
    let after = |said: &f64| ear.iter().map(|heard| heard - said).find(|took| (0.0..500.0).contains(took));
    mouth.iter().filter_map(after).collect()
}

/// When chirps were heard, in milliseconds of the UNIX clock.
fn times(heard: &Heard) -> Vec<f64> {
    let mut detector = Detector::new();
    let mut times = Vec::new();
    for (index, block) in heard.samples.chunks(480).enumerate() {
        let now = heard.start + index as u64 * 10_000;
        for late in detector.push(block, now) {
            // So late after a whole second, up to two: the nearest such moment before now.
            let late = late.as_micros() as u64;
            let second = (now.saturating_sub(late) + 500_000) / 1_000_000 * 1_000_000;
            times.push((second + late) as f64 / 1_000.0);
        }
    }
    times
}
