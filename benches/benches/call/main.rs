//! Calls of two robots over a bad network under the kernel's own TCP: delay beside its bound, sound, freezes, what it costs.
//!
//! Each case has its conditions (a line's round trip, loss and rate hold for each home's line, both ways, so a picture passes two lines) and its
//! bars. L0 is what no call can be below: encode, send bit by bit, half of each home's round trip as UDP sees it, decode. Runs are interleaved.
//! Homes send with CUBIC, the relay with what the system has. `target/bench/call.html` shows how delays are spread.
//!
//! `TVPHONE_BENCH_SECONDS` (30) is the length of a call, `TVPHONE_BENCH_RUNS` (3) how many there are of each case, `TVPHONE_BENCH_MINUTES` (10) the
//! length of the long one, `TVPHONE_BENCH_TRACES` a folder that keeps what the robots wrote down, and `TVPHONE_BENCH_CASES` names parts of the cases' names, with commas between, where not all are wanted.

mod cases;
mod chromium;
mod page;
mod run;
mod webrtc;

use std::{fs, time::Duration};

use benches::{
    Better::{Higher, Lower},
    Row, keep,
    network::HOMES_CONGESTION_CONTROL,
    trace::{Trace, quantile},
};

use self::{
    cases::Case,
    chromium::Presented,
    run::{Conditions, Lacking, Run, WARM_UP, measure},
    webrtc::Webrtc,
};

/// Of the losses: the first run's, then one more for each.
const SEED: u64 = 7;

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
    let mut theirs = Beside::default();
    for repeat in 0..repeats {
        for one in &mut measured {
            one.measure(repeat);
            if one.case.name == cases::BESIDE_WEBRTC && one.runs.len() > theirs.runs.len() {
                theirs.measure(&one.case.conditions, repeat);
            }
            if one.case.name == cases::LIKENESS && one.runs.len() > theirs.alike.len() {
                theirs.compare(&one.case.conditions, repeat);
            }
            if one.case.name == cases::BESIDE_CHROMIUM && one.runs.len() > theirs.presented.len() {
                theirs.present(&one.case.conditions, repeat);
            }
        }
    }
    let mut rows: Vec<Row> = measured.iter().flat_map(Measured::rows).collect();
    rows.extend(measured.iter().filter(|one| one.case.name == cases::BESIDE_WEBRTC).map(|one| theirs.row(&one.runs)));
    rows.extend(measured.iter().filter(|one| one.case.name == cases::LIKENESS).map(|one| theirs.likeness(&one.runs)));
    rows.extend(measured.iter().filter(|one| one.case.name == cases::BESIDE_CHROMIUM).map(|one| theirs.presenting(&one.runs)));
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

/// What libwebrtc did under the same conditions, and Chromium with itself, run by run.
#[derive(Default)]
struct Beside {
    runs: Vec<[Trace; 2]>,
    /// How alike its pictures were to those sent.
    alike: Vec<[f64; 2]>,
    lacking: Option<String>,
    /// From drawing to presenting, half of the pictures, in milliseconds.
    presented: Vec<f64>,
    no_chromium: Option<String>,
}

impl Beside {
    fn present(&mut self, conditions: &Conditions, repeat: usize) {
        if self.no_chromium.is_some() {
            return;
        }
        match chromium::call(conditions.length) {
            Ok(Presented { codec, pictures, p50, p95 }) => {
                eprintln!("Chromium, run {}: {codec}, {pictures} pictures, p50 {p50:.1} p95 {p95:.1} ms", repeat + 1);
                self.presented.push(p50);
            }
            Err(error) => {
                eprintln!("Chromium: SKIPPED, {error:#}");
                self.no_chromium = Some(format!("{error:#}"));
            }
        }
    }

    fn presenting(&self, ours: &[Run]) -> Row {
        let (name, peer) = ("loopback: capture to decoded, p50, and Chromium's to presented", "Chromium");
        let ours: Vec<f64> = ours.iter().map(|run| run.delay(0.5)).collect();
        match &self.no_chromium {
            None if ours.is_empty() || ours.len() != self.presented.len() => {
                Row::not_measured(name, "ms", Lower, "no call of ours to compare with")
            }
            Some(why) => Row::new(name, "ms", Lower, &ours).without_peer(peer, why),
            None => Row::new(name, "ms", Lower, &ours).beside(peer, &ours, &self.presented).ratio_limit(0.6),
        }
    }

    fn compare(&mut self, conditions: &Conditions, repeat: usize) {
        let (Some(line), None) = (conditions.line, &self.lacking) else { return };
        let call = Webrtc::find().map_err(anyhow::Error::from);
        match call.and_then(|webrtc| webrtc.likeness(line, conditions.length, SEED + repeat as u64)) {
            Ok(alike) => {
                eprintln!("libwebrtc, run {}: pictures alike by {:.4} and {:.4}", repeat + 1, alike[0], alike[1]);
                self.alike.push(alike);
            }
            Err(error) => {
                eprintln!("libwebrtc: SKIPPED, {error:#}");
                self.lacking = Some(format!("{error:#}"));
            }
        }
    }

    fn likeness(&self, ours: &[Run]) -> Row {
        let (name, peer) = ("a face at 1 % loss, 50 ms, through TURN/TCP: likeness (SSIM)", "libwebrtc");
        let least = |alike: &[f64; 2]| alike[0].min(alike[1]);
        let theirs: Vec<f64> = self.alike.iter().map(least).collect();
        let ours: Vec<f64> = ours.iter().filter_map(|run| run.alike.as_ref().map(least)).collect();
        match &self.lacking {
            None if ours.is_empty() || ours.len() != theirs.len() => {
                Row::not_measured(name, "", Higher, "no call of ours to compare with")
            }
            Some(why) => Row::new(name, "", Higher, &ours).without_peer(peer, why),
            None => Row::new(name, "", Higher, &ours).beside(peer, &ours, &theirs).ratio_limit(0.98),
        }
    }

    fn measure(&mut self, conditions: &Conditions, repeat: usize) {
        let (Some(line), None) = (conditions.line, &self.lacking) else { return };
        let call = Webrtc::find().map_err(anyhow::Error::from);
        match call.and_then(|webrtc| webrtc.call(line, conditions.length, WARM_UP, SEED + repeat as u64)) {
            Ok(run) => {
                let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|of| Self::delay(&run, of));
                let pictures = run.iter().map(|trace| trace.pictures.len()).min().unwrap_or_default();
                let kbit = run.iter().map(Self::kbit).fold(0.0, f64::max);
                eprintln!(
                    "libwebrtc, run {}: p50 {p50:.1} p95 {p95:.1} p99 {p99:.1} ms, {pictures} pictures, {kbit:.0} kbit/s",
                    repeat + 1
                );
                self.runs.push(run);
            }
            Err(error) => {
                eprintln!("libwebrtc: SKIPPED, {error:#}");
                self.lacking = Some(format!("{error:#}"));
            }
        }
    }

    fn kbit(trace: &Trace) -> f64 {
        let of = |path| trace.last(path).unwrap_or_default();
        of("/bytes_sent") * 8.0 / 1000.0 / of("/seconds").max(1.0)
    }

    fn delay(run: &[Trace; 2], of: f64) -> f64 {
        run.iter().map(|trace| quantile(&trace.delays(), of)).fold(0.0, f64::max)
    }

    fn row(&self, ours: &[Run]) -> Row {
        let (name, peer) = ("1 % loss, 50 ms, through TURN/TCP: capture to decoded, p95", "libwebrtc");
        let theirs: Vec<f64> = self.runs.iter().map(|run| Self::delay(run, 0.95)).collect();
        let ours: Vec<f64> = ours.iter().map(|run| run.delay(0.95)).collect();
        match &self.lacking {
            None if ours.is_empty() || ours.len() != theirs.len() => {
                Row::not_measured(name, "ms", Lower, "no call of ours to compare with")
            }
            Some(why) => Row::new(name, "ms", Lower, &ours).without_peer(peer, why),
            None => Row::new(name, "ms", Lower, &ours).beside(peer, &ours, &theirs).ratio_limit(0.8),
        }
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
