//! What `make run` shows: a relay, the accounts Ana and Ben, and a window for each, with Ana's call ringing at Ben's.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use media::{CameraSpec, MicrophoneSpec};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
};

use crate::{cli, random, signal};

/// How long a part may take to start before something is wrong.
const START_LIMIT: Duration = Duration::from_secs(30);

/// The sample clips are part of the program, so that it shows itself wherever it is installed.
const FILES: &[(&str, &[u8])] = &[
    ("clips/ana.mp4", include_bytes!("../../assets/clips/ana.mp4")),
    ("clips/ana.wav", include_bytes!("../../assets/clips/ana.wav")),
    ("clips/ben.mp4", include_bytes!("../../assets/clips/ben.mp4")),
    ("clips/ben.wav", include_bytes!("../../assets/clips/ben.wav")),
    ("relay/providers/fortune", include_bytes!("../../assets/providers/fortune")),
    ("relay/providers/relay-status", include_bytes!("../../assets/providers/relay-status")),
];

/// Runs it until the windows are closed or, without a display, until it was measured. Being told to stop ends it at any time.
pub async fn run(options: cli::Demo) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let mut stop = std::pin::pin!(signal::stopped());
    let mut demo = tokio::select! {
        demo = Demo::open(&options) => demo?,
        // What has been started so far ends with its handle.
        () = &mut stop => return Ok(ExitCode::SUCCESS),
    };
    let seen = tokio::select! {
        seen = demo.show(&options, begun) => seen,
        () = &mut stop => Ok(()),
    };
    demo.end().await;
    seen.map(|()| ExitCode::SUCCESS)
}

/// A relay, and Ana's window ringing at Ben's.
struct Demo {
    anas: Child,
    bens: Child,
    relay: RunningRelay,
    display: Display,
}

impl Demo {
    async fn open(options: &cli::Demo) -> anyhow::Result<Self> {
        let home = Home::prepare(options.data.clone())?;
        let display = Display::find_or_start().await?;
        let relay = RunningRelay::start(&home).await?;
        for name in ["Ana", "Ben"] {
            home.account(name).await?;
        }
        home.admin(&["buddy", "add", "Ana", "Ben"]).await?;
        println!("relay at {}, accounts Ana and Ben", relay.url);

        let out = &options.out;
        fs::create_dir_all(out).with_context(|| format!("can't make the folder {}", out.display()))?;
        let headless = display.server.is_some();
        let camera = !media::devices::cameras().is_empty();
        let microphone = !media::devices::microphones().is_empty();
        // A microphone that hears the other window's speaker would howl.
        let ana = Window { name: "Ana", camera, microphone, silent: headless };
        let ben = Window { name: "Ben", camera: false, microphone: false, silent: headless || microphone };
        // On a screen of our own nobody lays the windows side by side, and nobody accepts.
        let bens: &[&str] = if headless { &["--window", "980,40", "--answer"] } else { &[] };
        let anas: &[&str] = if headless { &["--window", "20,40", "--call", "Ben"] } else { &["--call", "Ben"] };
        let bens = ben.open(&home, &relay, &display, bens, out)?;
        let anas = ana.open(&home, &relay, &display, anas, out)?;
        println!("two windows open: {}; close both to end it", if headless { "under Xvfb" } else { "Ana's rings at Ben's" });
        Ok(Self { anas, bens, relay, display })
    }

    async fn show(&mut self, options: &cli::Demo, begun: Instant) -> anyhow::Result<()> {
        if self.display.server.is_some() {
            watch(options, &self.display, [&mut self.anas, &mut self.bens], begun).await
        } else {
            let _ = tokio::join!(self.anas.wait(), self.bens.wait());
            Ok(())
        }
    }

    async fn end(mut self) {
        end(&mut self.anas).await;
        end(&mut self.bens).await;
        self.relay.stop().await;
        if let Some(server) = &mut self.display.server {
            end(server).await;
        }
    }
}

/// The demo's folder: clips, passwords and the relay's store.
struct Home(PathBuf);

impl Home {
    fn prepare(given: Option<PathBuf>) -> anyhow::Result<Self> {
        let folder = match given {
            Some(folder) => folder,
            None => directories::ProjectDirs::from("", "", "tvphone")
                .context("there is no home folder to keep the demo's data in; name one with --data")?
                .data_dir()
                .join("demo"),
        };
        for (name, content) in FILES {
            let file = folder.join(name);
            let parent = file.parent().unwrap_or(&folder);
            fs::create_dir_all(parent).with_context(|| format!("can't make the folder {}", parent.display()))?;
            if fs::read(&file).ok().as_deref() != Some(*content) {
                fs::write(&file, content).with_context(|| format!("can't write {}", file.display()))?;
            }
            if name.contains("providers/") {
                executable(&file)?;
            }
        }
        Ok(Self(folder))
    }

    fn relay_data(&self) -> PathBuf {
        self.0.join("relay")
    }

    fn password_file(&self, name: &str) -> PathBuf {
        self.0.join(format!("{}.password", name.to_lowercase()))
    }

    /// Makes the account, with a password of its own, unless an earlier demo did.
    async fn account(&self, name: &str) -> anyhow::Result<()> {
        let file = self.password_file(name);
        if file.exists() {
            return Ok(());
        }
        // Only a password that counts gets the lasting name. One that is left is of a demo cut short, before the relay knew the
        // account or just after.
        let fresh = file.with_extension("fresh");
        let left = fs::metadata(&fresh).is_ok_and(|metadata| metadata.len() > 0);
        if !left {
            private_file(&fresh)?.write_all(random::hex()?.as_bytes())?;
        }
        let path = fresh.to_string_lossy();
        let by_fresh = async |what: &str| self.admin(&["user", what, name, "--password-file", &path]).await;
        match by_fresh("add").await {
            // The account is there: this is its password from now on.
            Err(_) if left => by_fresh("password").await?,
            added => added?,
        }
        fs::rename(&fresh, &file)?;
        Ok(())
    }

    async fn admin(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let output = Command::new(relay_program()?)
            .arg("admin")
            .arg("--data")
            .arg(self.relay_data())
            .args(arguments)
            .kill_on_drop(true)
            .output()
            .await
            .context("can't run tvphone-relay")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "tvphone-relay admin {} failed: {}", arguments.join(" "), said.trim());
        Ok(())
    }
}

struct RunningRelay {
    child: Child,
    url: String,
}

impl RunningRelay {
    async fn start(home: &Home) -> anyhow::Result<Self> {
        let mut child = Command::new(relay_program()?)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(home.relay_data())
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("can't start tvphone-relay")?;
        let stdout = child.stdout.take().context("the relay has no output")?;
        let line = first_line(stdout).await.context("the relay did not start")?;
        let url = line.split_whitespace().find(|word| word.starts_with("http://"));
        let url = url.with_context(|| format!("the relay said {line:?} and not where it listens"))?.to_owned();
        Ok(Self { child, url })
    }

    async fn stop(mut self) {
        end(&mut self.child).await;
    }
}

/// Where the windows open: the person's display, or one of our own.
struct Display {
    name: Option<String>,
    server: Option<Child>,
}

impl Display {
    async fn find_or_start() -> anyhow::Result<Self> {
        let set = |variable| std::env::var_os(variable).is_some_and(|value| !value.is_empty());
        if set("DISPLAY") || set("WAYLAND_DISPLAY") || !cfg!(target_os = "linux") {
            return Ok(Self { name: None, server: None });
        }
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1920x1080x24", "-nolisten", "tcp"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("there is no display, and Xvfb isn't installed to stand in for one (Debian package xvfb)")?;
        let stdout = server.stdout.take().context("Xvfb has no output")?;
        let number = first_line(stdout).await.context("Xvfb did not start")?;
        println!("no display here: using Xvfb at :{number}");
        Ok(Self { name: Some(format!(":{number}")), server: Some(server) })
    }

    fn apply(&self, command: &mut Command) {
        if let Some(name) = &self.name {
            command.env("DISPLAY", name);
        }
    }

    async fn save_picture(&self, file: &Path) -> anyhow::Result<()> {
        let mut import = Command::new("import");
        import.args(["-window", "root"]).arg(file);
        self.apply(&mut import);
        let status = import.status().await.context("can't take a picture: import is missing (Debian package imagemagick)")?;
        ensure!(status.success(), "import could not take a picture of the display");
        Ok(())
    }
}

struct Window {
    name: &'static str,
    /// The real ones, where a sample clip plays otherwise.
    camera: bool,
    microphone: bool,
    /// Without a speaker.
    silent: bool,
}

impl Window {
    fn open(&self, home: &Home, relay: &RunningRelay, display: &Display, more: &[&str], out: &Path) -> anyhow::Result<Child> {
        let clip = home.0.join("clips").join(self.name.to_lowercase());
        let report = report_file(out, self.name);
        // An earlier demo's figures are not this one's.
        let _ = fs::remove_file(&report);
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--relay", &relay.url, "--user", self.name, "--password-file"]);
        command.arg(home.password_file(self.name)).arg("--report").arg(report);
        if !self.camera {
            command.args(["--camera", &CameraSpec::File(clip.with_extension("mp4")).to_string()]);
        }
        if !self.microphone {
            command.args(["--microphone", &MicrophoneSpec::File(clip.with_extension("wav")).to_string()]);
        }
        if self.silent {
            command.args(["--speaker", "silent"]);
        }
        command.args(more).stdin(Stdio::null()).kill_on_drop(true);
        display.apply(&mut command);
        command.spawn().with_context(|| format!("can't open {}'s window", self.name))
    }
}

/// Without a display: waits for the call to be on, lets it run, takes a picture and prints what was measured.
async fn watch(options: &cli::Demo, display: &Display, windows: [&mut Child; 2], begun: Instant) -> anyhow::Result<()> {
    let reports = ["Ana", "Ben"].map(|name| report_file(&options.out, name));
    let limit = Instant::now() + START_LIMIT;
    let [anas, bens] = windows;
    while !reports.iter().all(|file| shown(file) > 0) {
        ensure!(Instant::now() < limit, "the call did not begin within {} s", START_LIMIT.as_secs());
        if let Some(status) = anas.try_wait()?.or(bens.try_wait()?) {
            bail!("a window closed before the call began ({status})");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("both see each other {:.1} s after the start", begun.elapsed().as_secs_f64());
    tokio::time::sleep(options.duration).await;
    let picture = options.out.join("windows.png");
    display.save_picture(&picture).await?;
    println!("picture of both windows: {}", picture.display());
    for (name, file) in ["Ana", "Ben"].iter().zip(&reports) {
        let text = fs::read_to_string(file).with_context(|| format!("{name}'s window left no report"))?;
        println!("{}", summary(name, &serde_json::from_str(&text)?));
        println!("  everything: {}", file.display());
    }
    Ok(())
}

/// What a window measured, for a person.
fn summary(name: &str, report: &serde_json::Value) -> String {
    let figure = |path: &str| report.pointer(path).and_then(serde_json::Value::as_f64).unwrap_or_default();
    let [seconds, shown, freezes] = ["/call_s", "/video/shown", "/video/freezes"].map(figure);
    let [encode, decode, trip] = ["/video/encode_ms/p50", "/video/decode_ms/p50", "/http/rtt_ms"].map(figure);
    let [up, down] =
        [["/bitrate_kbps/video_up", "/bitrate_kbps/audio_up"], ["/bitrate_kbps/video_down", "/bitrate_kbps/audio_down"]]
            .map(|[video, audio]| figure(video) + figure(audio));
    let [concealed, size] = ["/audio/concealed_ms", "/video/size"].map(|path| report.pointer(path).cloned().unwrap_or_default());
    format!(
        "{name}'s window, {seconds:.0} s of call:\n  \
         {shown:.0} pictures shown ({:.1}/s, {}), {freezes:.0} freezes, {:.0} ms of sound concealed\n  \
         encoding {encode:.2} ms, decoding {decode:.2} ms, round trip {trip:.2} ms, {up:.0} kbit/s up, {down:.0} kbit/s down",
        shown / seconds.max(0.001),
        size.as_str().unwrap_or("no picture"),
        concealed.as_f64().unwrap_or_default(),
    )
}

fn report_file(out: &Path, name: &str) -> PathBuf {
    out.join(format!("{}.json", name.to_lowercase()))
}

/// How many pictures the window's report says it has shown.
fn shown(report: &Path) -> u64 {
    let text = fs::read_to_string(report).unwrap_or_default();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    value["video"]["shown"].as_u64().unwrap_or_default()
}

/// The relay's program lies beside this one.
fn relay_program() -> anyhow::Result<PathBuf> {
    let beside = std::env::current_exe()?.with_file_name(format!("tvphone-relay{}", std::env::consts::EXE_SUFFIX));
    ensure!(beside.exists(), "the relay's program is missing: there is no {}", beside.display());
    Ok(beside)
}

async fn first_line(output: impl AsyncRead + Unpin + Send + 'static) -> anyhow::Result<String> {
    let mut lines = BufReader::new(output).lines();
    let line = tokio::time::timeout(START_LIMIT, lines.next_line()).await.context("it said nothing in time")??;
    // Read on, or the other end would stand still once the pipe is full.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    line.context("it ended at once; its own message stands above")
}

/// Asks the process to end, and ends it if it doesn't.
async fn end(child: &mut Child) {
    signal::terminate(child);
    if tokio::time::timeout(Duration::from_secs(5), child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}

#[cfg(unix)]
fn executable(file: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::set_permissions(file, fs::Permissions::from_mode(0o755))?)
}

#[cfg(not(unix))]
fn executable(_: &Path) -> anyhow::Result<()> {
    Ok(())
}

fn private_file(file: &Path) -> anyhow::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).with_context(|| format!("can't write {}", file.display()))
}
