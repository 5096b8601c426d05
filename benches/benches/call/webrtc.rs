//! The same call by libwebrtc (npm: @roamhq/wrtc) through TURN over TCP (Debian: coturn), on the same line with the same losses.

use std::{
    fs,
    io::{BufRead, BufReader, BufWriter, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::Context;
use benches::{
    network::{Host, Impairment, Network, RELAY},
    trace::Trace,
};
use codecs::{Color, Frame, MediaTime, Size};
use media::camera::{clip::Clip, pattern::Pattern};
use serde_json::json;
use tempfile::TempDir;
use tests::{eventually, root};

use crate::run::{CLIP, COMPARED, Lacking, WARM_UP, likeness};

/// What the clip is sent with, in kilobits a second, and its pictures a second.
const KBIT: u32 = 900;
const RATE: u32 = 30;

/// How many of the test picture's are sent again and again: as long as its ball takes to come back.
const CLIP_LENGTH: u32 = 120;

const PORT: u16 = 3478;
const PATIENCE: Duration = Duration::from_secs(30);

/// What is needed for it.
pub(crate) struct Webrtc {
    modules: PathBuf,
    turn: PathBuf,
    libraries: PathBuf,
    folder: TempDir,
}

/// A child that is killed when dropped.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Webrtc {
    /// Looks for it where `.ci/setup bench` puts it, and in the system.
    pub(crate) fn find() -> Result<Self, Lacking> {
        let peers = benches::folder().with_file_name("peers");
        let at_hand = |paths: [PathBuf; 2], what: &str| {
            let found = paths.into_iter().find(|path| path.exists());
            found.ok_or_else(|| Lacking(format!("{what} is not at hand (`.ci/setup bench` would fetch it)")))
        };
        at_hand([peers.join("node_modules/@roamhq/wrtc"), "/usr/lib/node_modules/@roamhq/wrtc".into()], "@roamhq/wrtc")?;
        let turn = at_hand([peers.join("usr/bin/turnserver"), "/usr/bin/turnserver".into()], "coturn")?;
        let libraries = peers.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH));
        let folder = TempDir::new().map_err(|error| Lacking(error.to_string()))?;
        test_picture(&folder.path().join("clip")).map_err(|error| Lacking(error.to_string()))?;
        Ok(Self { modules: peers.join("node_modules"), turn, libraries, folder })
    }

    /// Holds a call; what each end received, without the first seconds.
    pub(crate) fn call(&self, line: Impairment, length: Duration, warm_up: Duration, seed: u64) -> anyhow::Result<[Trace; 2]> {
        self.hold(line, length, seed, false)?;
        let read = |name: &str| {
            let trace = Trace::read(&self.folder.path().join(name))?;
            let first = trace.pictures.first().context("libwebrtc received nothing")?.captured;
            let warm_up = u64::try_from(warm_up.as_micros())?;
            anyhow::Ok(trace.between(first + warm_up, u64::MAX))
        };
        Ok([read("Ana")?, read("Ben")?])
    }

    /// Holds a call with the clip; how alike the pictures are that each end received, without the first seconds.
    pub(crate) fn likeness(&self, line: Impairment, length: Duration, seed: u64) -> anyhow::Result<[f64; 2]> {
        let file = fs::File::create(self.folder.path().join("clip"))?;
        let mut file = BufWriter::new(file);
        let mut clip = Clip::open(Path::new(CLIP.trim_start_matches("file:")))?;
        while let Some(frame) = clip.next_frame()? {
            file.write_all(frame.data())?;
        }
        file.flush()?;
        self.hold(line, length, seed, true)?;
        let read = |name: &str| {
            let kept = fs::read(self.folder.path().join(format!("{name}.kept")))?;
            let size = Size::VGA;
            let length = (size.width * size.height * 3 / 2) as usize;
            let skipped = WARM_UP.as_secs() as usize * RATE as usize / COMPARED;
            let frame = |data: &[u8]| Frame::from_data(size, Color::default(), MediaTime(0), data.to_vec());
            let frames: Result<Vec<_>, _> = kept.chunks_exact(length).skip(skipped).map(frame).collect();
            likeness(&frames?)
        };
        Ok([read("Ana")?, read("Ben")?])
    }

    fn hold(&self, line: Impairment, length: Duration, seed: u64, compared: bool) -> anyhow::Result<()> {
        let network = Network::start(line, seed)?;
        let mut turn = Command::new(&self.turn);
        turn.env("LD_LIBRARY_PATH", &self.libraries).current_dir(self.folder.path());
        turn.args(["-n", "--listening-ip", RELAY, "--relay-ip", RELAY, "--no-udp", "--no-tls", "--no-dtls", "--no-cli"]);
        turn.args(["--lt-cred-mech", "--user", "bench:bench", "--realm", "bench", "--log-file", "stdout", "--pidfile", "pid"]);
        let _turn = network.within(Host::Relay, || running(turn.stdout(Stdio::null()).stderr(Stdio::null())))?;
        eventually("coturn takes connections", PATIENCE, || {
            network.within(Host::Relay, || TcpStream::connect((RELAY, PORT)).ok())
        });

        let mut ana = network.within(Host::Ana, || self.end("Ana", true, length, compared))?;
        let mut ben = network.within(Host::Ben, || self.end("Ben", false, length, compared))?;
        let ends = [&mut ana, &mut ben].map(|end| (end.0.stdin.take(), end.0.stdout.take()));
        let [(to_ana, from_ana), (to_ben, from_ben)] = ends;
        for (from, to) in [(from_ana, to_ben), (from_ben, to_ana)] {
            let (from, mut to) = (from.context("the output is piped")?, to.context("the input is piped")?);
            thread::spawn(move || {
                for line in BufReader::new(from).lines().map_while(Result::ok) {
                    // The other end may be over already.
                    let _ = writeln!(to, "{line}");
                }
            });
        }
        for end in [&mut ana, &mut ben] {
            eventually("libwebrtc's call ends", length + PATIENCE, || end.0.try_wait().ok().flatten());
        }
        Ok(())
    }

    fn end(&self, name: &str, offers: bool, length: Duration, compared: bool) -> anyhow::Result<Running> {
        let trace = self.folder.path().join(name);
        let _ = fs::remove_file(&trace);
        let options = json!({
            "modules": self.modules, "offers": offers, "clip": self.folder.path().join("clip"), "width": Size::VGA.width,
            "height": Size::VGA.height, "rate": RATE, "seconds": length.as_secs(), "trace": trace, "kbit": KBIT,
            "keep": compared.then(|| self.folder.path().join(format!("{name}.kept"))), "every": COMPARED,
            "turn": format!("turn:{RELAY}:{PORT}?transport=tcp"),
        });
        let mut node = Command::new("node");
        node.arg(root().join("benches/benches/call/webrtc.mjs")).arg(options.to_string());
        running(node.stdin(Stdio::piped()).stdout(Stdio::piped()))
    }
}

fn running(command: &mut Command) -> anyhow::Result<Running> {
    let name = command.get_program().to_string_lossy().into_owned();
    Ok(Running(command.spawn().with_context(|| format!("{name} can't be started"))?))
}

/// Writes the test picture's pictures one after the other.
fn test_picture(file: &Path) -> anyhow::Result<()> {
    let (pattern, mut file) = (Pattern::new(Size::VGA), BufWriter::new(fs::File::create(file)?));
    for number in 0..CLIP_LENGTH {
        let since = Duration::from_secs(u64::from(number)) / RATE;
        file.write_all(pattern.draw(since, MediaTime::from(since)).data())?;
    }
    Ok(file.flush()?)
}
