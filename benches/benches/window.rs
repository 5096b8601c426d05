//! The window: from the program's start to its first paint, and what it costs to stand there signed in.

use std::{
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use benches::{Better, Row, keep};
use tests::{display::Display, eventually, people::Relay, process::Process, program};

const RUNS: usize = 5;

/// What signing in and the first presence may cost isn't idling.
const SETTLE: Duration = Duration::from_secs(5);

const IDLE: Duration = Duration::from_secs(20);

fn main() -> anyhow::Result<()> {
    let relay = Relay::with_ana_and_ben();
    // A tape with news that runs along the foot belongs to an idle window.
    let providers = relay.data().join("providers");
    std::fs::create_dir_all(&providers)?;
    for name in ["fortune", "relay-status"] {
        std::fs::copy(tests::root().join("assets/providers").join(name), providers.join(name))?;
    }
    // The first start reads the program from the disk; what a person notices is every other.
    first_paint(&relay);
    let paints: Vec<f64> = (0..RUNS).map(|_| first_paint(&relay).as_secs_f64()).collect();
    let idles: Vec<f64> = (0..3).map(|_| idle_percent(&relay)).collect();
    keep(
        "window",
        &[
            Row::new("start to first paint", "s", Better::Lower, &paints).limit(1.0),
            Row::new("idle, signed in, a ticker running", "% of a core", Better::Lower, &idles).limit(2.0),
        ],
    )
}

fn open(display: &Display, relay: &Relay) -> Process {
    let mut command = Command::new(program("tvphone"));
    command.args(["--relay", &relay.url(), "--user", "Ana", "--password-file"]).arg(relay.password_file("Ana"));
    command.args(["--camera", "none", "--microphone", "none", "--speaker", "silent"]).env("DISPLAY", display.name());
    Process::start(command.env_remove("WAYLAND_DISPLAY"))
}

fn first_paint(relay: &Relay) -> Duration {
    let display = Display::start(1280, 800);
    let begun = Instant::now();
    let _window = open(&display, relay);
    eventually("the first paint", Duration::from_secs(20), || display.is_painted().then(|| begun.elapsed()))
}

fn idle_percent(relay: &Relay) -> f64 {
    let display = Display::start(1280, 800);
    let window = open(&display, relay);
    eventually("the first paint", Duration::from_secs(20), || display.is_painted().then_some(()));
    sleep(SETTLE);
    let before = window.processor_time();
    sleep(IDLE);
    (window.processor_time() - before).as_secs_f64() / IDLE.as_secs_f64() * 100.0
}
