//! `tvphone`: the window, the robot and the demo.

use std::process::ExitCode;

use app::{cli, demo, robot, ui};
use clap::Parser;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,app=info,media=info,relay_client=info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
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
        Some(cli::Command::Devices) => {
            list_devices();
            Ok(ExitCode::SUCCESS)
        }
    }
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
}
