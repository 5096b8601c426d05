//! What a doctor has found: rung by rung, as a text to hand on, and for programs.

use std::fmt;

use serde::Serialize;

/// The rungs of the ladder, from the ground up: each stands on those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Step {
    /// The name of the proxy, or of the relay where there is none, is found (DNS).
    Name,
    /// A connection to it comes about (TCP).
    Connection,
    /// The proxy lets people through, with its password if it wants one.
    Proxy,
    /// TLS, and who vouches for the relay.
    Encryption,
    /// What answers is a relay of tvphone.
    Relay,
    /// How large uploads may be.
    Uploads,
    /// How long a request may be held before it is answered.
    Polls,
    /// Whether something gathers requests or answers whole before it passes them on.
    Buffering,
    /// How much gets through, up and down.
    Rates,
    /// How long it takes there and back, and what is lost.
    RoundTrip,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 10] = [
        Self::Name,
        Self::Connection,
        Self::Proxy,
        Self::Encryption,
        Self::Relay,
        Self::Uploads,
        Self::Polls,
        Self::Buffering,
        Self::Rates,
        Self::RoundTrip,
    ];

    /// What people call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Name => "Name",
            Self::Connection => "Connection",
            Self::Proxy => "Proxy",
            Self::Encryption => "Encryption",
            Self::Relay => "Relay",
            Self::Uploads => "Largest upload",
            Self::Polls => "Longest poll",
            Self::Buffering => "Buffering",
            Self::Rates => "Rates",
            Self::RoundTrip => "Round trip",
        }
    }
}

/// How a rung holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should.
    Good,
    /// Calls go on, and are worse for it.
    Weak,
    /// No call goes past this, or none worth it.
    Bad,
    /// Not looked at, for one before it is bad or the relay doesn't help.
    Untested,
}

impl Verdict {
    /// In one word, for the margin.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Weak => "weak",
            Self::Bad => "FAILS",
            Self::Untested => "-",
        }
    }
}

/// One rung.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rung {
    /// Which.
    pub step: Step,
    /// How it holds.
    pub verdict: Verdict,
    /// What was found, in one or two sentences.
    pub found: String,
    /// What to do about it; empty where there is nothing to do.
    pub advice: String,
}

impl Rung {
    pub(super) fn good(step: Step, found: impl Into<String>) -> Self {
        Self { step, verdict: Verdict::Good, found: found.into(), advice: String::new() }
    }

    pub(super) fn untested(step: Step, why: impl Into<String>) -> Self {
        Self { verdict: Verdict::Untested, ..Self::good(step, why) }
    }

    pub(super) fn weak(step: Step, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Weak, advice: advice.into(), ..Self::good(step, found) }
    }

    pub(super) fn bad(step: Step, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Bad, ..Self::weak(step, found, advice) }
    }
}

/// What was measured; what wasn't is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Figures {
    /// Who has signed the relay's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
    /// Largest upload that passed, in bytes; no larger ones than tvphone's own are tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload_bytes: Option<usize>,
    /// Longest hold that was answered, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_ms: Option<u64>,
    /// At what age held requests are cut, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut_ms: Option<u64>,
    /// Whether uploads arrive only when they are whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uploads_gathered: Option<bool>,
    /// Whether answers arrive only when they are whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers_gathered: Option<bool>,
    /// In kbit/s, from here to the relay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up_kbps: Option<f64>,
    /// In kbit/s, from the relay to here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub down_kbps: Option<f64>,
    /// There and back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_trip: Option<super::Trips>,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The version of this client.
    pub version: &'static str,
    /// The relay's address.
    pub relay: String,
    /// By which proxy, or by none; with the name that is said there and without the password.
    pub way: String,
    /// Whether no rung is weak or bad.
    pub well: bool,
    /// The rung to begin with: the first bad one, else the first weak one.
    pub trouble: Option<Step>,
    /// One for each step, in order.
    pub rungs: Vec<Rung>,
    /// What was measured.
    pub figures: Figures,
}

impl Report {
    /// Sums up what was found, a rung for each step in order.
    #[must_use]
    pub fn new(relay: String, way: String, rungs: Vec<Rung>, figures: Figures) -> Self {
        let first = |verdict| rungs.iter().find(|rung| rung.verdict == verdict).map(|rung| rung.step);
        let trouble = first(Verdict::Bad).or_else(|| first(Verdict::Weak));
        Self { version: env!("CARGO_PKG_VERSION"), relay, way, well: trouble.is_none(), trouble, rungs, figures }
    }

    /// The rung to begin with, if there is trouble.
    #[must_use]
    pub fn first_trouble(&self) -> Option<&Rung> {
        self.rungs.iter().find(|rung| Some(rung.step) == self.trouble)
    }

    /// What it comes to: the text's last lines, without an end of line.
    #[must_use]
    pub fn conclusion(&self) -> String {
        match self.first_trouble() {
            None => "All is well.".to_owned(),
            Some(rung) => format!("Trouble: {}. {}\nWhat to do: {}", rung.step.title(), rung.found, rung.advice),
        }
    }
}

/// The text to hand on. It holds no password.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "The way to {}, by {} (tvphone {})\n", self.relay, self.way, self.version)?;
        for rung in &self.rungs {
            writeln!(f, "{rung}")?;
        }
        writeln!(f, "\n{}", self.conclusion())
    }
}

/// One line of the text.
impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<6}{:<16}{}", self.verdict.word(), self.step.title(), self.found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_rung_goes_before_a_weak_one_below_it() {
        let report = |rungs| Report::new("https://relay.example".into(), "no proxy".into(), rungs, Figures::default());
        let weak = Rung::weak(Step::Polls, "Held requests are cut after 4 s.", "Ask.");
        let bad = Rung::bad(Step::Rates, "Next to nothing gets through.", "Move.");
        let both = report(vec![Rung::good(Step::Name, "It is there."), weak.clone(), bad]);
        assert_eq!((both.trouble, both.well), (Some(Step::Rates), false));
        assert!(both.to_string().contains("Trouble: Rates. Next to nothing gets through.\nWhat to do: Move."), "{both}");
        assert_eq!(report(vec![weak]).trouble, Some(Step::Polls));
        let well = report(vec![Rung::good(Step::Name, "It is there."), Rung::untested(Step::Rates, "An old relay.")]);
        assert!(well.well && well.to_string().ends_with("All is well.\n"));
    }
}
