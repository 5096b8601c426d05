//! `tvphone`: the window, the robot and the demo.

use std::{io::IsTerminal as _, process::ExitCode};

use app::{cli, demo, doctor, robot, ui};
use clap::Parser;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

fn main() -> ExitCode {
    let lines = tracing_subscriber::fmt::layer().with_ansi(colors()).with_writer(std::io::stderr);
    tracing_subscriber::registry().with(lines).with(levels()).init();
    match run(cli::Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("tvphone: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: cli::Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        None => ui::run(ui::Options::try_from(cli.window)?).map(|()| ExitCode::SUCCESS),
        Some(cli::Command::Robot(options)) => runtime()?.block_on(robot::run(*options)),
        Some(cli::Command::Demo(options)) => runtime()?.block_on(demo::run(options)),
        Some(cli::Command::Doctor(options)) => runtime()?.block_on(doctor::run(options)),
        Some(cli::Command::Devices) => {
            list_devices();
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Whether what is logged may be coloured: on a terminal, unless its owner says no (no-color.org).
fn colors() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// What is logged: RUST_LOG in the form `level,module=level`, or our own news and everybody's warnings.
fn levels() -> Targets {
    let wanted = std::env::var("RUST_LOG").ok().and_then(|text| text.parse().ok());
    let ours = ["app", "media", "relay_client"].map(|part| (part, LevelFilter::INFO));
    // winit warns of every desktop that lacks a settings service; that changes nothing for a person.
    let usual = || Targets::new().with_default(LevelFilter::WARN).with_targets(ours).with_target("winit", LevelFilter::ERROR);
    wanted.unwrap_or_else(usual)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

fn list_devices() {
    let kinds = [
        ("camera", media::devices::cameras()),
        ("microphone", media::devices::microphones()),
        ("speaker", media::devices::speakers()),
    ];
    for (kind, devices) in kinds {
        if devices.is_empty() {
            println!("no {kind} found");
        }
        for device in devices {
            println!("--{kind} device:{}  ({})", device.id, device.name);
        }
    }
    match media::screen::sources() {
        Ok(sources) => sources.iter().for_each(|source| println!("--screen x11:{}  ({})", source.id, source.name)),
        Err(trouble) => println!("no screen to share: {trouble}"),
    }
}
