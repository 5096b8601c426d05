//! What the relay costs and how fast it is with many people on it, beside nchan where that does the same.
//!
//! `TVPHONE_BENCH_SECONDS` (8) is the length of a run, `TVPHONE_BENCH_RUNS` (5) how many there are, `TVPHONE_BENCH_ONLY` the parts to run,
//! separated by commas: `fan-out`, `parked`, `idle`, `sign-in`, `chat`; all of them if not given. `TVPHONE_BENCH_READERS` leaves the fan-out to
//! so many readers alone, to look at it with a profiler.

mod chat;
mod fan_out;
mod idle;
mod parked;
mod sign_in;

use std::time::Duration;

use benches::{Row, keep};

/// For all runs: no limit on how often one session asks, no ticker between.
const CONFIGURATION: &str = "
ticker_seconds = 86400
connections = 20000
[rates]
control = { at_once = 1000000, per_second = 1000000 }
";

/// A part and what measures it.
type Part = (&'static str, fn(&Plan) -> anyhow::Result<Vec<Row>>);

const PARTS: [Part; 5] = [
    ("fan-out", fan_out::rows),
    ("parked", parked::rows),
    ("idle", idle::rows),
    ("sign-in", sign_in::rows),
    ("chat", chat::rows),
];

/// How long and how often.
struct Plan {
    length: Duration,
    runs: usize,
    /// The only fan-out wanted.
    readers: Option<usize>,
}

fn main() -> anyhow::Result<()> {
    let number = |name: &str, usual: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let plan = Plan {
        length: Duration::from_secs(number("TVPHONE_BENCH_SECONDS", 8)),
        runs: usize::try_from(number("TVPHONE_BENCH_RUNS", 5))?,
        readers: std::env::var("TVPHONE_BENCH_READERS").ok().and_then(|text| text.parse().ok()),
    };
    let only = std::env::var("TVPHONE_BENCH_ONLY").ok();
    let wanted = |part: &str| only.as_ref().is_none_or(|only| only.split(',').any(|other| other == part));
    for (part, measure) in PARTS.into_iter().filter(|(part, _)| wanted(part)) {
        keep(&format!("relay-{part}"), &measure(&plan)?)?;
    }
    Ok(())
}
