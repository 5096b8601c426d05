//! The report: the table, and how delays are spread and run.

use benches::{
    Row, median,
    plot::{Axes, Curve, distribution, escape, page, svg},
    table,
    trace::{Trace, quantile},
};

use crate::{
    cases::Case,
    run::{Change, Run},
};

/// Writes target/bench/call.html.
pub(crate) fn write(cases: &[(Case, Vec<Run>)], rows: &[Row], facts: &str) -> anyhow::Result<()> {
    let mut sections = Vec::new();
    let mut groups: Vec<&str> = cases.iter().filter(|(_, runs)| !runs.is_empty()).map(|(case, _)| case.group).collect();
    groups.dedup();
    for group in groups {
        let members: Vec<_> = cases.iter().filter(|(case, runs)| case.group == group && !runs.is_empty()).collect();
        sections.push((format!("{group}: how pictures' delays are spread"), spread(&members)));
    }
    for (case, runs) in cases.iter().filter(|(case, _)| ["step", "long"].contains(&case.group)) {
        for (number, run) in runs.iter().enumerate() {
            sections.push((format!("{}, run {}: delay over time", case.name, number + 1), course(case, run)));
        }
    }
    let verdicts = escape(&table(&[("call".to_owned(), rows.to_vec())]));
    let intro = format!("<p>{}</p><pre>{verdicts}</pre>", escape(facts));
    std::fs::create_dir_all(benches::folder())?;
    std::fs::write(benches::folder().join("call.html"), page("Calls over a bad network", &intro, &sections))?;
    Ok(())
}

fn spread(members: &[&(Case, Vec<Run>)]) -> String {
    let mut curves = Vec::new();
    let (mut right, mut bounds) = (10.0_f64, Vec::new());
    for (case, runs) in members {
        let mut delays: Vec<f64> = runs.iter().flat_map(|run| &run.received).flat_map(Trace::delays).collect();
        delays.sort_by(f64::total_cmp);
        right = right.max(quantile(&delays, 0.99) * 1.2);
        bounds.push(median(&runs.iter().map(Run::l0).collect::<Vec<_>>()));
        curves.push(distribution(&case.name, &delays));
    }
    let marks = [(median(&bounds), "L0".to_owned())];
    svg(&Axes { x: "capture to decoded, ms", y: "% of pictures", right, top: 100.0, marks: &marks }, &curves)
}

fn course(case: &Case, run: &Run) -> String {
    let seconds = |at: u64| at.saturating_sub(run.begun) as f64 / 1e6;
    let curve = |name: &str, trace: &Trace| {
        let each = (trace.pictures.len() / 2_000).max(1);
        let points = trace.pictures.iter().step_by(each).map(|picture| (seconds(picture.captured), picture.delay())).collect();
        Curve { name: name.to_owned(), points }
    };
    let curves = [curve("to Ana", &run.received[0]), curve("to Ben", &run.received[1])];
    let highest = curves.iter().flat_map(|curve| &curve.points).map(|point| point.1).fold(10.0, f64::max);
    let steps = run.steps.iter().zip(case.conditions.steps);
    let said = |change: &Change| match change {
        Change::Line(line) => format!("{} kbit/s", line.rate.unwrap_or(0)),
        Change::Forgets => "another network".to_owned(),
    };
    let marks: Vec<_> = steps.map(|(at, (_, change))| (seconds(*at), said(change))).collect();
    let right = case.conditions.length.as_secs_f64();
    svg(&Axes { x: "seconds of the call", y: "capture to decoded, ms", right, top: highest * 1.05, marks: &marks }, &curves)
}
