//! `tvphone doctor`: looks what is the matter with the way to a relay.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use relay_client::{
    Relay,
    doctor::{Plan, Progress, Report},
};

use crate::{cli::Doctor, ui::screen::sign_in::address};

/// What can't be begun is the command line's fault.
const BAD_USAGE: u8 = 2;

pub async fn run(options: Doctor) -> anyhow::Result<ExitCode> {
    let relay = match relay(&options) {
        Ok(relay) => relay,
        Err(error) => {
            eprintln!("tvphone: {error:#}");
            return Ok(ExitCode::from(BAD_USAGE));
        }
    };
    let plan = if options.quick { Plan::quick() } else { Plan::default() };
    let telling = Telling { rungs: !options.json, live: io::stderr().is_terminal() };
    let report = relay.examine(&plan, |progress| telling.tell(&progress)).await;
    telling.wipe();
    // Whoever reads this may have gone.
    let mut out = io::stdout().lock();
    let _ = match options.json {
        true => writeln!(out, "{}", serde_json::to_string_pretty(&report)?),
        // The rungs have been told as they came.
        false => {
            let Report { relay, way, version, .. } = &report;
            writeln!(out, "\n{}\n(The way to {relay}, by {way}; tvphone {version})", report.conclusion())
        }
    };
    Ok(if report.well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn relay(options: &Doctor) -> anyhow::Result<Relay> {
    let relay = Relay::with(&address(&options.relay), options.certificates.trust()?)?;
    Ok(match options.proxy.settings()? {
        Some(proxy) => relay.with_proxy(proxy)?,
        None => relay,
    })
}

/// Says what goes on, the rungs to those who read them and a line that comes and goes to those who wait.
struct Telling {
    rungs: bool,
    live: bool,
}

impl Telling {
    fn tell(&self, progress: &Progress) {
        match progress {
            Progress::Began(step) => self.say(&format!("{}\u{2026}", step.title())),
            Progress::Held(passed, of) => self.say(&format!("Longest poll: {} of {} s", passed.as_secs(), of.as_secs())),
            Progress::Ended(rung) if self.rungs => {
                self.wipe();
                let _ = writeln!(io::stdout(), "{rung}");
            }
            _ => {}
        }
    }

    fn say(&self, what: &str) {
        if self.live {
            eprint!("\r\u{1b}[K{what}");
        }
    }

    fn wipe(&self) {
        self.say("");
    }
}
