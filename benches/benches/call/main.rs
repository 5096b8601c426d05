//! Calls of two robots over a bad network under the kernel's own TCP: delay beside its bound, sound, freezes, what it costs.
//!
//! Each case has its conditions (a line's round trip, loss and rate hold for each home's line, both ways, so a picture passes two lines) and its
//! bars. L0 is what no call can be below: encode, send bit by bit, half of each home's round trip as UDP sees it, decode. Runs are interleaved.
//! Homes send with CUBIC, the relay with what the system has. `target/bench/call.html` shows how delays are spread.
//!
//! `TVPHONE_BENCH_SECONDS` (30) is the length of a call, `TVPHONE_BENCH_RUNS` (3) how many there are of each case, `TVPHONE_BENCH_MINUTES` (10) the
//! length of the long one, and `TVPHONE_BENCH_CASES` names parts of the cases' names, with commas between, where not all are wanted.

mod cases;
mod page;
mod run;

use std::{fs, time::Duration};

use benches::{
    Better::{Higher, Lower},
    Row, keep,
    network::HOMES_CONGESTION_CONTROL,
};

use self::{
    cases::Case,
    run::{Lacking, Run, measure},
};

/// Of the losses: the first run's, then one more for each.
const SEED: u64 = 7;

/// What needs somebody else beside us, who isn't asked yet.
const PEERS: &[(&str, &str)] = &[
    ("mouth to ear through two null sinks, p50", "no PulseAudio is started here yet"),
    ("video p95 beside libwebrtc through TURN/TCP", "no libwebrtc is started here yet"),
    ("video p50 beside Chromium's loopback", "no Chromium is started here yet"),
];

fn main() -> anyhow::Result<()> {
    // Builds the programs if need be: not inside a network without a way out.
    tests::program("tvphone");
    let wanted = std::env::var("TVPHONE_BENCH_CASES").unwrap_or_default();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.split(',').any(|part| name.contains(part.trim()));
    let length = Duration::from_secs(number("TVPHONE_BENCH_SECONDS", 30).max(8));
    let long = Duration::from_secs(60 * number("TVPHONE_BENCH_MINUTES", 10).max(1));
    let cases = cases::all(length, long).into_iter().filter(|case| is_wanted(&case.name));
    let mut measured: Vec<Measured> = cases.map(|case| Measured { case, runs: Vec::new(), failed: 0, lacking: None }).collect();
    let repeats = usize::try_from(number("TVPHONE_BENCH_RUNS", 3))?;
    for repeat in 0..repeats {
        for one in &mut measured {
            one.measure(repeat);
        }
    }
    let mut rows: Vec<Row> = measured.iter().flat_map(Measured::rows).collect();
    rows.extend(PEERS.iter().filter(|(name, _)| is_wanted(name)).map(|(name, why)| Row::not_measured(name, "", Lower, why)));
    let facts = facts(&measured);
    let cases: Vec<(Case, Vec<Run>)> = measured.into_iter().map(|one| (one.case, one.runs)).collect();
    page::write(&cases, &rows, &facts)?;
    println!("{facts}");
    keep("call", &rows)
}

struct Measured {
    case: Case,
    runs: Vec<Run>,
    failed: usize,
    lacking: Option<String>,
}

impl Measured {
    fn measure(&mut self, repeat: usize) {
        if self.lacking.is_some() || self.case.runs.is_some_and(|most| repeat >= most) {
            return;
        }
        match measure(&self.case.conditions, SEED + repeat as u64) {
            Ok(run) => {
                let (lost, dropped) = run.packets_lost();
                let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|of| run.delay(of));
                let (late, packets) = run.received[1].late(self.case.conditions.drift);
                eprintln!(
                    "{}, run {}: round trips {:.1} and {:.1} ms, L0 {:.1}, delay p50 {p50:.1} p95 {p95:.1} p99 {p99:.1} ms, \
                     {late:.2} % of {packets} packets of sound late, {lost:.2} % of packets lost, {dropped:.2} % dropped",
                    self.case.name,
                    repeat + 1,
                    run.round_trips[0],
                    run.round_trips[1],
                    run.l0(),
                );
                self.runs.push(run);
            }
            Err(error) => match error.downcast::<Lacking>() {
                Ok(lacking) => {
                    eprintln!("{}: SKIPPED, {lacking}", self.case.name);
                    self.lacking = Some(lacking.to_string());
                }
                Err(error) => {
                    eprintln!("{}, run {}: FAILED, {error:#}", self.case.name, repeat + 1);
                    self.failed += 1;
                }
            },
        }
    }

    fn rows(&self) -> Vec<Row> {
        if let Some(why) = &self.lacking {
            return vec![self.case.without(why)];
        }
        let mut rows = if self.runs.is_empty() { Vec::new() } else { self.case.rows(&self.runs) };
        if self.failed > 0 {
            let name = format!("{}: calls that came about", self.case.name);
            let share = self.runs.len() as f64 / (self.runs.len() + self.failed) as f64 * 100.0;
            rows.push(Row::new(&name, "%", Higher, &[share]).limit(100.0));
        }
        rows
    }
}

/// Under which conditions all was measured.
fn facts(measured: &[Measured]) -> String {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default().trim().to_owned();
    let relay = read("/proc/sys/net/ipv4/tcp_congestion_control");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let runs: usize = measured.iter().map(|one| one.runs.len()).sum();
    format!(
        "{runs} calls on {cores} cores, Linux {}. Homes send with {HOMES_CONGESTION_CONTROL}, the relay with {relay}. \
         Delays are of the worse of the two directions; the first seconds of a call aren't counted.",
        read("/proc/sys/kernel/osrelease")
    )
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
