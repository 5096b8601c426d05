//! What every measurement here has in common: rows of figures, their files and the table of them all.

#![warn(missing_docs)]

pub mod audience;
pub mod fan;
pub mod house;
pub mod load;
pub mod nchan;
pub mod network;
pub mod plot;
pub mod spent;
pub mod trace;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Which way is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Less is better.
    Lower,
    /// More is better.
    Higher,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// In which unit.
    pub unit: String,
    /// The median of the runs.
    pub value: f64,
    /// Largest less smallest value of the runs.
    pub spread: f64,
    /// How many runs.
    pub runs: usize,
    /// Which way is good.
    pub better: Better,
    /// The bar it has to reach, where there is one.
    pub limit: Option<f64>,
    /// What it is compared with in the same run, where there is something.
    pub peer: Option<String>,
    /// The median of the peer's runs.
    pub peer_value: Option<f64>,
    /// The median of the runs' ratios to the peer.
    pub ratio: Option<f64>,
    /// The bar that ratio has to reach, where there is one.
    #[serde(default)]
    pub ratio_limit: Option<f64>,
    /// What was left out, and why.
    #[serde(default)]
    pub skipped: Option<String>,
}

impl Row {
    /// A row from the values of several runs.
    #[must_use]
    pub fn new(name: &str, unit: &str, better: Better, runs: &[f64]) -> Self {
        let spread = runs.iter().copied().fold(f64::MIN, f64::max) - runs.iter().copied().fold(f64::MAX, f64::min);
        Self {
            name: name.to_owned(),
            unit: unit.to_owned(),
            value: median(runs),
            spread: if runs.is_empty() { 0.0 } else { spread },
            runs: runs.len(),
            better,
            limit: None,
            peer: None,
            peer_value: None,
            ratio: None,
            ratio_limit: None,
            skipped: None,
        }
    }

    /// With the bar it has to reach.
    #[must_use]
    pub fn limit(mut self, limit: f64) -> Self {
        self.limit = Some(limit);
        self
    }

    /// With what was measured beside it, run by run: `runs` are this row's values in the same order.
    #[must_use]
    pub fn beside(mut self, peer: &str, runs: &[f64], peers: &[f64]) -> Self {
        let ratios: Vec<f64> = runs.iter().zip(peers).map(|(value, peer)| value / peer).collect();
        self.peer = Some(peer.to_owned());
        self.peer_value = Some(median(peers));
        self.ratio = Some(median(&ratios));
        self
    }

    /// With the bar its ratio to the peer has to reach.
    #[must_use]
    pub fn ratio_limit(mut self, limit: f64) -> Self {
        self.ratio_limit = Some(limit);
        self
    }

    /// With a peer that was to be measured beside it and couldn't be.
    #[must_use]
    pub fn without_peer(mut self, peer: &str, why: &str) -> Self {
        self.skipped = Some(format!("{peer}: {why}"));
        self
    }

    /// What was to be measured and couldn't be.
    #[must_use]
    pub fn not_measured(name: &str, unit: &str, better: Better, why: &str) -> Self {
        Self { skipped: Some(format!("not measured: {why}")), ..Self::new(name, unit, better, &[]) }
    }

    /// Whether the bars are reached; without one there is nothing to miss.
    #[must_use]
    pub fn passes(&self) -> bool {
        let reached = |value: f64, limit: f64| match self.better {
            Better::Lower => value <= limit,
            Better::Higher => value >= limit,
        };
        if self.runs == 0 {
            return true;
        }
        let ratio = self.ratio_limit.is_none_or(|limit| self.ratio.is_some_and(|ratio| reached(ratio, limit)));
        ratio && self.limit.is_none_or(|limit| reached(self.value, limit))
    }
}

/// The middle value; 0 where there is none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}

/// Where the figures are kept: `target/bench`.
#[must_use]
pub fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| ::tests::root().join("target"), PathBuf::from);
    target.join("bench")
}

/// Keeps a measurement's rows in `target/bench/NAME.json` and prints them.
///
/// # Errors
/// When the file can't be written.
pub fn keep(name: &str, rows: &[Row]) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder())?;
    let file = folder().join(format!("{name}.json"));
    std::fs::write(&file, serde_json::to_string_pretty(rows)?)?;
    println!("{}", table(&[(name.to_owned(), rows.to_vec())]));
    println!("kept in {}", file.display());
    Ok(())
}

/// One table of all measurements: bar, measured, peer, verdict.
#[must_use]
pub fn table(measurements: &[(String, Vec<Row>)]) -> String {
    let mut lines = vec![["what", "bar", "measured", "spread", "runs", "peer", "ratio", "verdict"].map(str::to_owned)];
    for (name, rows) in measurements {
        for row in rows {
            let sign = if row.better == Better::Lower { "<=" } else { ">=" };
            let number = |value: f64| format!("{value:.3}").trim_end_matches('0').trim_end_matches('.').to_owned();
            let peer = row.peer.as_ref().zip(row.peer_value).map(|(peer, value)| format!("{peer}: {}", number(value)));
            let bars = [
                row.limit.map(|limit| format!("{sign} {} {}", number(limit), row.unit)),
                row.ratio_limit.zip(row.peer.as_ref()).map(|(limit, peer)| format!("{sign} {} x {peer}", number(limit))),
            ];
            let bars: Vec<String> = bars.into_iter().flatten().collect();
            lines.push([
                format!("{name}: {}", row.name),
                bars.join(", "),
                if row.runs == 0 { String::new() } else { format!("{} {}", number(row.value), row.unit) },
                number(row.spread),
                row.runs.to_string(),
                peer.unwrap_or_default(),
                row.ratio.map(number).unwrap_or_default(),
                match &row.skipped {
                    Some(why) => format!("SKIPPED {why}"),
                    None if bars.is_empty() => String::new(),
                    None if row.passes() => "reached".to_owned(),
                    None => "MISSED".to_owned(),
                },
            ]);
        }
    }
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 8] = std::array::from_fn(width);
    let render = |line: &[String; 8]| {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    lines.iter().map(render).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_keeps_the_median_and_the_spread() {
        let row = Row::new("delay", "ms", Better::Lower, &[3.0, 1.0, 2.0]).limit(2.0);
        assert_eq!((row.value, row.spread, row.runs), (2.0, 2.0, 3));
        assert!(row.passes());
        assert!(!row.limit(1.9).passes());
    }

    #[test]
    fn a_peer_is_compared_run_by_run() {
        let row = Row::new("rate", "1/s", Better::Higher, &[10.0, 30.0]).beside("other", &[10.0, 30.0], &[5.0, 10.0]);
        assert_eq!((row.peer_value, row.ratio), (Some(7.5), Some(2.5)));
    }

    #[test]
    fn a_bar_may_be_the_peer() {
        let row = Row::new("cost", "us", Better::Lower, &[8.0]).beside("other", &[8.0], &[10.0]);
        assert!(row.clone().ratio_limit(0.8).passes());
        assert!(!row.clone().ratio_limit(0.79).passes());
        assert!(!row.limit(7.0).ratio_limit(0.8).passes());
        let alone = Row::new("cost", "us", Better::Lower, &[8.0]).without_peer("other", "not at hand");
        assert!(table(&[("x".to_owned(), vec![alone])]).contains("SKIPPED other: not at hand"));
    }

    #[test]
    fn the_table_shows_what_is_missed() {
        let rows = vec![Row::new("delay", "ms", Better::Lower, &[9.0]).limit(8.0)];
        assert!(table(&[("call".to_owned(), rows)]).contains("call: delay  <= 8 ms  9 ms"));
    }
}
