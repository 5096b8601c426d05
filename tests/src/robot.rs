//! Robots as processes.

use std::{path::PathBuf, process::Command, time::Duration};

use serde_json::Value;

use crate::{people::Relay, process::Process, program};

/// A robot that has been started.
pub struct Robot {
    process: Process,
    report: PathBuf,
}

/// How a robot ended.
pub struct Outcome {
    pub success: bool,
    pub report: Value,
}

impl Robot {
    /// Starts a robot as `name`; `options` are those of `tvphone robot` but for relay, user, password and report.
    pub fn start(relay: &Relay, name: &str, options: &[&str]) -> Self {
        Self::run(relay, name, &mut Self::command(relay, name, options))
    }

    /// Starts a robot's command.
    pub fn run(relay: &Relay, name: &str, command: &mut Command) -> Self {
        let report = relay.folder().join(format!("{name}.json"));
        Self { process: Process::start(command.arg("--report").arg(&report)), report }
    }

    /// The same, not yet started, with the report on standard output.
    pub fn command(relay: &Relay, name: &str, options: &[&str]) -> Command {
        Self::command_at(&relay.url(), relay, name, options)
    }

    /// The same, with the relay reached at another address.
    pub fn command_at(url: &str, relay: &Relay, name: &str, options: &[&str]) -> Command {
        let mut command = Command::new(program("tvphone"));
        command.args(["robot", "--relay", url, "--user", name, "--password-file"]).arg(relay.password_file(name));
        command.args(options);
        command
    }

    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Waits for its end and reads its report.
    pub fn finish(mut self, limit: Duration) -> Outcome {
        let status = self.process.wait(limit);
        let text = std::fs::read_to_string(&self.report).expect("a robot leaves a report");
        Outcome { success: status.success(), report: serde_json::from_str(&text).expect("the report is JSON") }
    }
}

impl Outcome {
    /// A number of the report by its path, such as "/video/received".
    pub fn number(&self, path: &str) -> f64 {
        self.report.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number at {path} in {:#}", self.report))
    }
}
