//! Chromium's own WebRTC, from one connection to another within a page, for comparison with a call over loopback.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, ensure};
use tempfile::TempDir;
use tests::root;

use crate::{
    run::{Lacking, WARM_UP},
    webrtc::Running,
};

/// What the pictures may take, in kilobits a second.
const KBIT: u32 = 900;

/// Beside the call: to start, and to connect.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a call took from drawing a picture to presenting it.
pub(crate) struct Presented {
    pub(crate) codec: String,
    pub(crate) pictures: usize,
    /// In milliseconds.
    pub(crate) p50: f64,
    pub(crate) p95: f64,
}

/// Looks for Chromium where `.ci/setup bench` puts it, and in the system.
pub(crate) fn find() -> Result<PathBuf, Lacking> {
    let unpacked = benches::folder().with_file_name("peers").join("usr/lib/chromium/chromium");
    let found =
        [unpacked, "/usr/lib/chromium/chromium".into(), "/usr/bin/chromium".into()].into_iter().find(|path| path.exists());
    found.ok_or_else(|| Lacking("Chromium is not at hand (`.ci/setup bench` would fetch it)".to_owned()))
}

/// Holds a call in a page.
pub(crate) fn call(length: Duration) -> anyhow::Result<Presented> {
    let program = find()?;
    let profile = TempDir::new()?;
    let page = root().join("benches/benches/call/chromium.html");
    let address = format!("file://{}#{},{},{KBIT}", page.display(), length.as_secs(), WARM_UP.as_secs());
    let mut chromium = Command::new(&program);
    let libraries = benches::folder().with_file_name("peers").join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH));
    chromium.env("LD_LIBRARY_PATH", libraries);
    // A page that nobody has touched may play, one without a GPU may draw, and who measures may be root.
    chromium.args([
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--autoplay-policy=no-user-gesture-required",
    ]);
    chromium.args(["--enable-logging=stderr", "--disable-background-networking", "--disable-component-update"]);
    chromium.arg(format!("--user-data-dir={}", profile.path().display())).arg(address);
    let mut child = chromium.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let said = child.stderr.take().context("the log is piped")?;
    let _running = Running(child);
    let (sender, results) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(said).lines().map_while(Result::ok) {
            let result = line.split_once("RESULT ").and_then(|(_, rest)| rest.split_once(" END"));
            if let Some((result, _)) = result {
                let _ = sender.send(result.to_owned());
            }
        }
    });
    let result = results.recv_timeout(length + PATIENCE).context("Chromium's page says nothing")?;
    let words: Vec<&str> = result.split(' ').collect();
    let [codec, pictures, p50, p95] = words[..] else { anyhow::bail!("Chromium's page says {result:?}") };
    let pictures = pictures.parse()?;
    ensure!(pictures > 100, "only {pictures} pictures were presented");
    Ok(Presented { codec: codec.to_owned(), pictures, p50: p50.parse()?, p95: p95.parse()? })
}
