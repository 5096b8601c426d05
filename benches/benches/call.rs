//! A call of two robots and a relay on this machine: delay, freezes, the relay's processor time, the robots' memory.
//!
//! `TVPHONE_BENCH_SECONDS` (60) is the length of a run, `TVPHONE_BENCH_RUNS` (3) how many there are.

use std::{thread::sleep, time::Duration};

use benches::{Better, Row, keep};
use tests::{people::Relay, robot::Robot};

/// What is left out at both ends of a run when the relay's processor time is taken.
const EDGE: Duration = Duration::from_secs(3);

fn main() -> anyhow::Result<()> {
    let seconds = number("TVPHONE_BENCH_SECONDS", 60);
    let runs: Vec<Run> = (0..number("TVPHONE_BENCH_RUNS", 3)).map(|_| Run::measure(seconds)).collect();
    let all = |figure: fn(&Run) -> f64| runs.iter().map(figure).collect::<Vec<f64>>();
    let row = |name, unit, figure: fn(&Run) -> f64| Row::new(name, unit, Better::Lower, &all(figure));
    keep(
        "call",
        &[
            row("capture to decoded, p50", "ms", |run| run.p50).limit(8.0),
            row("capture to decoded, p95", "ms", |run| run.p95),
            row("capture to decoded, p99", "ms", |run| run.p99).limit(30.0),
            row("capture to decoded, max", "ms", |run| run.max),
            row("freezes", "", |run| run.freezes).limit(0.0),
            Row::new("pictures shown", "1/s", Better::Higher, &all(|run| run.shown_per_second)),
            row("audio concealed", "ms", |run| run.concealed_ms),
            row("relay", "% of a core", |run| run.relay_percent).limit(3.0),
            row("robot", "% of a core", |run| run.robot_percent),
            row("robot's memory, peak", "MB", |run| run.robot_megabytes).limit(120.0),
            row("relay's memory, peak", "MB", |run| run.relay_megabytes),
        ],
    )
}

struct Run {
    p50: f64,
    p95: f64,
    p99: f64,
    max: f64,
    freezes: f64,
    shown_per_second: f64,
    concealed_ms: f64,
    relay_percent: f64,
    robot_percent: f64,
    robot_megabytes: f64,
    relay_megabytes: f64,
}

impl Run {
    fn measure(seconds: u64) -> Self {
        let mut relay = Relay::with_ana_and_ben();
        let duration = seconds.to_string();
        let common = ["--camera", "pattern:640x480@30", "--microphone", "chirp"];
        let mut ben = Robot::start(&relay, "Ben", &[&["--answer"], &common[..]].concat());
        let mut ana = Robot::start(&relay, "Ana", &[&["--call", "Ben", "--duration", &duration], &common[..]].concat());

        sleep(EDGE);
        let before = (relay.process().processor_time(), ana.process().processor_time());
        let measured = Duration::from_secs(seconds) - EDGE;
        sleep(measured - EDGE.min(measured / 2));
        let spent = measured - EDGE.min(measured / 2);
        let percent = |after: Duration, before: Duration| (after - before).as_secs_f64() / spent.as_secs_f64() * 100.0;
        let relay_percent = percent(relay.process().processor_time(), before.0);
        let robot_percent = percent(ana.process().processor_time(), before.1);
        let robots = [ana.process().peak_memory(), ben.process().peak_memory()];
        let relay_memory = relay.process().peak_memory();

        let limit = Duration::from_secs(seconds + 30);
        let outcomes = [ana.finish(limit), ben.finish(limit)];
        let worst = |path: &str| outcomes.iter().map(|outcome| outcome.number(path)).fold(0.0, f64::max);
        let least = |path: &str| outcomes.iter().map(|outcome| outcome.number(path)).fold(f64::MAX, f64::min);
        assert!(outcomes.iter().all(|outcome| outcome.success), "the call did not happen");
        Self {
            p50: worst("/delay_ms/video/p50"),
            p95: worst("/delay_ms/video/p95"),
            p99: worst("/delay_ms/video/p99"),
            max: worst("/delay_ms/video/max"),
            freezes: worst("/video/freezes"),
            shown_per_second: least("/video/shown") / least("/duration_s"),
            concealed_ms: worst("/audio/concealed_ms"),
            relay_percent,
            robot_percent,
            robot_megabytes: robots.into_iter().max().unwrap_or_default() as f64 / 1e6,
            relay_megabytes: relay_memory as f64 / 1e6,
        }
    }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
