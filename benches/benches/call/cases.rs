//! The cases of the table, each with its conditions and the rows it fills.

use std::time::Duration;

use benches::{
    Better::{Higher, Lower},
    Row,
    network::Impairment,
    trace::{Trace, quantile, slope},
};

use crate::run::{CLIP, Change, Conditions, Run, Squid};

/// What libwebrtc is measured under, too.
pub(crate) const BESIDE_WEBRTC: &str = "1 % loss, 50 ms";

/// What Chromium is measured beside.
pub(crate) const BESIDE_CHROMIUM: &str = "loopback";

/// What libwebrtc's pictures are compared under.
pub(crate) const LIKENESS: &str = "a face at 1 % loss, 50 ms";

const VGA: &str = "pattern:640x480@30";

/// What is measured under which conditions.
pub(crate) struct Case {
    pub(crate) name: String,
    /// Cases of one group stand in one picture.
    pub(crate) group: &'static str,
    pub(crate) conditions: Conditions,
    /// How often it is measured; as often as all the others where nothing is said.
    pub(crate) runs: Option<usize>,
    rows: fn(&Rows<'_>) -> Vec<Row>,
}

impl Case {
    fn new(
        name: impl Into<String>,
        group: &'static str,
        line: Option<Impairment>,
        length: Duration,
        rows: fn(&Rows<'_>) -> Vec<Row>,
    ) -> Self {
        let conditions = Conditions {
            line,
            steps: &[],
            squid: Squid::None,
            naive: false,
            drift: false,
            talk: false,
            camera: VGA,
            compared: false,
            kbit: "900",
            length,
        };
        Self { name: name.into(), group, conditions, runs: None, rows }
    }

    /// The table's rows of this case.
    pub(crate) fn rows(&self, runs: &[Run]) -> Vec<Row> {
        (self.rows)(&Rows { name: &self.name, runs })
    }

    /// The same rows where nothing could be measured.
    pub(crate) fn without(&self, why: &str) -> Row {
        Row::not_measured(&self.name, "", Lower, why)
    }
}

/// What rows are made of.
struct Rows<'a> {
    name: &'a str,
    runs: &'a [Run],
}

impl Rows<'_> {
    fn all(&self, figure: impl Fn(&Run) -> f64) -> Vec<f64> {
        self.runs.iter().map(figure).collect()
    }

    fn low(&self, what: &str, unit: &str, figure: impl Fn(&Run) -> f64) -> Row {
        Row::new(&format!("{}: {what}", self.name), unit, Lower, &self.all(figure))
    }

    fn high(&self, what: &str, unit: &str, figure: impl Fn(&Run) -> f64) -> Row {
        Row::new(&format!("{}: {what}", self.name), unit, Higher, &self.all(figure))
    }

    /// A quantile of the delay, in percent, beside L0.
    fn delay(&self, percent: f64) -> Row {
        let delay = |run: &Run| run.delay(percent / 100.0);
        self.low(&format!("capture to decoded, p{percent}"), "ms", delay).beside("L0", &self.all(delay), &self.all(Run::l0))
    }

    /// The same, which may be so many milliseconds above L0.
    fn bound(&self, percent: f64, above: f64) -> Row {
        self.delay(percent).limit(benches::median(&self.all(Run::l0)) + above)
    }

    fn late(&self) -> Row {
        self.low("sound over 60 ms late", "%", |run| run.most(|trace| trace.late(false).0))
    }

    fn concealed(&self) -> Row {
        self.low("sound made up", "%", |run| run.most(Trace::concealed))
    }

    fn still(&self) -> Row {
        self.low("longest standstill", "ms", |run| run.most(Trace::longest_still))
    }

    fn pictures(&self) -> Row {
        self.high("pictures", "1/s", |run| run.least(|trace| trace.rate(run.seconds)))
    }
}

/// All cases that robots alone can be measured in.
pub(crate) fn all(length: Duration, long: Duration) -> Vec<Case> {
    let mut cases = vec![Case::new(BESIDE_CHROMIUM, "loopback", None, length, loopback)];
    for (ms, group) in [(50, "round trip 50 ms"), (100, "round trip 100 ms"), (200, "round trip 200 ms")] {
        let line = Some(Impairment::round_trip(ms));
        let case = |name: &str, rows| Case::new(format!("{ms} ms{name}"), group, line, length, rows);
        cases.push(case("", round_trip));
        for (name, squid) in [(", Squid", Squid::Reads), (", Squid TLS", Squid::Tunnels)] {
            let through = case(name, round_trip);
            cases.push(Case { conditions: Conditions { squid, ..through.conditions }, ..through });
        }
        let naive = case(", naive", naive);
        cases.push(Case { conditions: Conditions { naive: true, ..naive.conditions }, ..naive });
    }
    let bad = |name: &str, line, rows| {
        let case = Case::new(name, "", Some(line), length, rows);
        Case { conditions: Conditions { talk: true, ..case.conditions }, ..case }
    };
    cases.push(Case { group: "losses at 50 ms", ..bad(BESIDE_WEBRTC, Impairment::round_trip(50).loss(1.0), little_loss) });
    let face = bad(LIKENESS, Impairment::round_trip(50).loss(1.0), face);
    let conditions = Conditions { camera: CLIP, compared: true, length: FACE_LENGTH, ..face.conditions };
    cases.push(Case { conditions, ..face });
    cases.push(Case { group: "losses at 50 ms", ..bad("3 % loss, 50 ms", Impairment::round_trip(50).loss(3.0), much_loss) });
    let step = Case { group: "step", ..bad("3,000 to 500 kbit/s and back", STEP_HIGH, step) };
    let conditions = Conditions { steps: STEPS, length: STEP_LENGTH, kbit: "3000", ..step.conditions };
    cases.push(Case { conditions, ..step });
    let roaming = bad("another network six times, 50 ms", Impairment::round_trip(50), roaming);
    let conditions = Conditions { steps: ROAMS, length: ROAMS_LENGTH, ..roaming.conditions };
    cases.push(Case { conditions, ..roaming });
    cases.push(Case { group: "300 kbit/s", ..bad("300 kbit/s, 100 ms", Impairment::round_trip(100).rate(300), narrow) });
    let large = Case::new("1280x720 at 30", "loopback", None, length, large);
    cases.push(Case { conditions: Conditions { camera: "pattern:1280x720@30", ..large.conditions }, ..large });
    let name = format!("{} min, 1 % loss, 50 ms, drift", long.as_secs() / 60);
    let lasting = Case::new(name, "long", Some(Impairment::round_trip(50).loss(1.0)), long, lasting);
    let conditions = Conditions { drift: true, talk: true, ..lasting.conditions };
    cases.push(Case { conditions, runs: Some(1), ..lasting });
    cases
}

/// Long enough for half a hundred pictures to compare: recording them is work for the disk.
const FACE_LENGTH: Duration = Duration::from_secs(20);
const STEP_HIGH: Impairment = Impairment::round_trip(50).rate(3_000);
const STEPS: &[(u64, Change)] = &[(12, Change::Line(Impairment::round_trip(50).rate(500))), (24, Change::Line(STEP_HIGH))];
const STEP_LENGTH: Duration = Duration::from_secs(36);
const ROAMS: &[(u64, Change)] = &[
    (6, Change::Forgets),
    (13, Change::Forgets),
    (20, Change::Forgets),
    (27, Change::Forgets),
    (34, Change::Forgets),
    (41, Change::Forgets),
];
const ROAMS_LENGTH: Duration = Duration::from_secs(50);
const SECOND: u64 = 1_000_000;

fn loopback(of: &Rows<'_>) -> Vec<Row> {
    vec![
        of.bound(50.0, 3.0),
        of.delay(95.0),
        of.bound(99.0, 15.0),
        of.low("capture to decoded, max", "ms", |run| run.delay(1.0)),
        of.low("freezes", "", |run| run.reported("/video/freezes")).limit(0.0),
        of.pictures(),
        of.concealed(),
        of.low("chirp to played, p50", "ms", |run| run.reported("/delay_ms/audio/p50")),
        of.low("chirp to played, p95", "ms", |run| run.reported("/delay_ms/audio/p95")),
        of.low("relay", "% of a core", |run| run.relay_percent).limit(3.0),
        of.low("robot", "% of a core", |run| run.robot_percent),
        of.low("robot's memory, peak", "MB", |run| peak(run, 0).max(peak(run, 1))).limit(120.0),
        of.low("relay's memory, peak", "MB", |run| peak(run, 2)),
    ]
}

fn round_trip(of: &Rows<'_>) -> Vec<Row> {
    let sound = of.low("chirp to played, p50", "ms", |run| run.reported("/delay_ms/audio/p50"));
    vec![of.bound(50.0, 8.0), of.bound(95.0, 15.0), of.delay(99.0), of.late(), of.concealed(), sound, of.pictures()]
}

fn naive(of: &Rows<'_>) -> Vec<Row> {
    vec![of.delay(50.0), of.delay(95.0), of.late(), of.pictures()]
}

fn little_loss(of: &Rows<'_>) -> Vec<Row> {
    let mut rows = vec![of.late().limit(0.1), of.bound(95.0, 70.0)];
    rows.extend(losses(of));
    rows
}

/// Its pictures don't tell the time, so nothing of the trace counts; the row beside libwebrtc is all.
fn face(_: &Rows<'_>) -> Vec<Row> {
    Vec::new()
}

fn much_loss(of: &Rows<'_>) -> Vec<Row> {
    let mut rows = vec![of.late().limit(0.5), of.still().limit(500.0)];
    rows.extend(losses(of));
    rows.push(of.delay(95.0));
    rows
}

fn losses(of: &Rows<'_>) -> Vec<Row> {
    let buffer = of.low("playout delay at the end", "ms", |run| run.reported("/audio/playout_delay_ms"));
    vec![of.delay(50.0), of.delay(99.0), of.concealed(), buffer, of.pictures()]
}

fn step(of: &Rows<'_>) -> Vec<Row> {
    let after = |run: &Run, step: usize, of: f64| {
        let at = run.steps.get(step).copied().unwrap_or_default();
        run.most(|trace| quantile(&trace.between(at, at + 5 * SECOND).delays(), of))
    };
    // From the fourth second to the sixth.
    let used = |run: &Run, step: usize| {
        let at = run.steps.get(step).copied().unwrap_or_default();
        run.carried_up(at + 4 * SECOND, at + 6 * SECOND)
    };
    let before = |run: &Run| run.steps.first().map_or(0.0, |at| run.carried_up(at - 6 * SECOND, *at));
    vec![
        of.low("delay in the 5 s after the fall, p95", "ms", |run| after(run, 0, 0.95)).limit(300.0),
        of.high("rate used 5 s after the fall", "% of 500 kbit/s", |run| used(run, 0) / 5.0).limit(80.0),
        of.high("rate used 5 s after the rise", "% of that before", |run| used(run, 1) / before(run).max(1.0) * 100.0)
            .limit(80.0),
        of.low("delay in the 5 s after the fall, p50", "ms", |run| after(run, 0, 0.5)),
        of.low("delay in the 5 s after the rise, p95", "ms", |run| after(run, 1, 0.95)),
        of.concealed(),
        of.still(),
        of.high("line used before", "kbit/s", before),
    ]
}

fn roaming(of: &Rows<'_>) -> Vec<Row> {
    let gaps = |run: &Run| {
        let gap = |trace: &Trace, at: u64| trace.between(at - SECOND / 5, at + 6 * SECOND).longest_silence();
        let mut gaps: Vec<f64> = run.steps.iter().flat_map(|at| run.received.iter().map(|trace| gap(trace, *at))).collect();
        gaps.sort_by(f64::total_cmp);
        gaps
    };
    vec![
        of.low("gap in the sound, p95", "ms", |run| quantile(&gaps(run), 0.95)).limit(1500.0),
        of.low("gap in the sound, p50", "ms", |run| quantile(&gaps(run), 0.5)),
        of.still(),
        of.delay(50.0),
        of.pictures(),
    ]
}

fn narrow(of: &Rows<'_>) -> Vec<Row> {
    vec![of.concealed().limit(0.5), of.pictures().limit(10.0), of.delay(50.0), of.delay(95.0), of.late(), of.still()]
}

fn large(of: &Rows<'_>) -> Vec<Row> {
    vec![of.low("robot", "% of a core", |run| run.robot_percent).limit(30.0), of.delay(50.0), of.delay(99.0), of.pictures()]
}

fn lasting(of: &Rows<'_>) -> Vec<Row> {
    let minutes =
        |points: Vec<(f64, f64)>| points.into_iter().map(|(seconds, value)| (seconds / 60.0, value)).collect::<Vec<_>>();
    // Robots' and the relay's: from the second quarter to the last.
    let growth = |run: &Run, process: usize| {
        let megabytes: Vec<f64> = run.memory.iter().map(|(_, all)| all[process]).collect();
        let quarter = megabytes.len() / 4;
        benches::median(&megabytes[3 * quarter..]) - benches::median(&megabytes[quarter..2 * quarter])
    };
    vec![
        of.low("slope of the pictures' delay", "ms/min", |run| run.most(|trace| slope(&minutes(trace.delay_course()))))
            .limit(1.0),
        of.low("slope of the sound's playout delay", "ms/min", |run| {
            run.most(|trace| slope(&minutes(trace.course("/audio/playout_delay_ms"))))
        })
        .limit(1.0),
        of.low("growth of a robot's memory", "MB", |run| growth(run, 0).max(growth(run, 1))).limit(2.0),
        of.low("growth of the relay's memory", "MB", |run| growth(run, 2)).limit(2.0),
        of.low("sound over 60 ms late", "%", |run| run.most(|trace| trace.late(true).0)),
        of.concealed(),
        of.delay(95.0),
        of.still(),
    ]
}

fn peak(run: &Run, process: usize) -> f64 {
    run.memory.iter().map(|(_, all)| all[process]).fold(0.0, f64::max)
}
