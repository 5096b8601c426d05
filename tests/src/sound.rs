//! A PulseAudio server of a test's own, with sinks that play to nobody: what is played there can be listened to.

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{eventually, process::Process, program};

/// It has this long to take connections.
const START: Duration = Duration::from_secs(15);
/// Louder than this is a sound, of 32,767.
const LOUD: u16 = 1_000;

/// The server, its programs and its socket.
pub struct Server {
    _process: Process,
    root: PathBuf,
    folder: TempDir,
}

impl Server {
    /// Starts one without any sinks; `None` where there is none to start.
    pub fn start() -> Option<Self> {
        let unpacked = program("").parent().expect("the programs lie in the target folder").join("sound");
        let root = [unpacked, PathBuf::from("/")].into_iter().find(|root| root.join("usr/bin/pulseaudio").exists())?;
        let folder = TempDir::new().expect("a folder of its own");
        let mut command = at(&root, &folder, "pulseaudio");
        for modules in modules(&root) {
            command.arg(format!("--dl-search-path={}", modules.display()));
        }
        command.args(["-n", "--daemonize=no", "--use-pid-file=no", "--disable-shm", "--exit-idle-time=-1", "--log-level=error"]);
        command.args(["-L", "module-native-protocol-unix auth-anonymous=1"]);
        let server = Self { _process: Process::start(&mut command), root, folder };
        eventually("PulseAudio takes connections", START, || server.pactl(&["info"]));
        Some(server)
    }

    /// Has a program use this server.
    pub fn serve<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        in_folder(command, &self.folder)
    }

    /// Asks `pactl`; `None` if it fails.
    pub fn pactl(&self, words: &[&str]) -> Option<String> {
        let output = at(&self.root, &self.folder, "pactl").args(words).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Plugs a speaker in; what unplugs it again.
    pub fn plug_in(&self, name: &str) -> String {
        let (name, description) = (format!("sink_name={name}"), format!("sink_properties=device.description={name}"));
        // With rewinds, one that has just come goes on with two seconds of silence before it takes anything.
        self.pactl(&["load-module", "module-null-sink", &name, &description, "rate=48000", "norewinds=1"])
            .expect("a sink can be made")
    }

    pub fn unplug(&self, module: &str) {
        self.pactl(&["unload-module", module]).expect("a module can be unloaded");
    }

    /// From which source sound is recorded now, if it is.
    pub fn recorded(&self) -> Option<String> {
        let outputs: Value = serde_json::from_str(&self.pactl(&["-f", "json", "list", "source-outputs"])?).ok()?;
        let source = outputs.as_array()?.iter().find(|output| output["corked"] == false)?["source"].as_u64()?;
        let sources: Value = serde_json::from_str(&self.pactl(&["-f", "json", "list", "sources"])?).ok()?;
        let source = sources.as_array()?.iter().find(|each| each["index"].as_u64() == Some(source))?;
        Some(source["name"].as_str()?.to_owned())
    }

    /// Waits until something is heard from this sink; how long that took.
    pub fn heard_from(&self, sink: &str, limit: Duration) -> Duration {
        let begun = Instant::now();
        let mut child = self.parec(sink);
        let mut heard = child.stdout.take().expect("its output is piped");
        let mut samples = [0; 960];
        let found = loop {
            if heard.read_exact(&mut samples).is_err() || begun.elapsed() > limit {
                break None;
            }
            if samples.chunks_exact(2).any(|two| i16::from_le_bytes([two[0], two[1]]).unsigned_abs() > LOUD) {
                break Some(begun.elapsed());
            }
        };
        let _ = child.kill();
        let _ = child.wait();
        found.unwrap_or_else(|| panic!("nothing is heard from {sink} within {limit:?}"))
    }

    /// Listens to this sink from now on.
    pub fn listen(&self, sink: &str) -> Listening {
        let mut child = self.parec(sink);
        let mut heard = child.stdout.take().expect("its output is piped");
        let work = thread::spawn(move || {
            let (mut samples, mut start, mut block) = (Vec::new(), u64::MAX, [0; 960]);
            while heard.read_exact(&mut block).is_ok() {
                samples.extend(block.chunks_exact(2).map(|two| f32::from(i16::from_le_bytes([two[0], two[1]])) / 32_768.0));
                // The promptest block says best when it all began.
                let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_micros() as u64;
                start = start.min(now - samples.len() as u64 * 1_000 / 48);
            }
            Heard { samples, start }
        });
        Listening { child, work }
    }

    fn parec(&self, sink: &str) -> Child {
        let device = format!("--device={sink}.monitor");
        let listen = ["--raw", "--format=s16le", "--channels=1", "--rate=48000", "--latency-msec=10", &device];
        at(&self.root, &self.folder, "parec").args(listen).stdout(Stdio::piped()).spawn().expect("parec starts")
    }

    /// Plays a file to this sink until it is dropped.
    pub fn play(&self, file: &Path, sink: &str) -> Process {
        let device = format!("--device={sink}");
        Process::start(at(&self.root, &self.folder, "paplay").arg(device).arg(file))
    }
}

/// Somebody who listens to a sink.
pub struct Listening {
    child: Child,
    work: JoinHandle<Heard>,
}

/// What was heard from a sink.
pub struct Heard {
    /// One channel at 48 kHz.
    pub samples: Vec<f32>,
    /// When it began, in microseconds of the UNIX clock.
    pub start: u64,
}

impl Listening {
    pub fn end(mut self) -> Heard {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.work.join().expect("who listens doesn't fail")
    }
}

fn libraries(root: &Path) -> impl Iterator<Item = PathBuf> {
    // Some packages still keep theirs beside `usr`.
    let folders = ["usr/lib", "lib"].map(|folder| std::fs::read_dir(root.join(folder)));
    folders.into_iter().flatten().flatten().flatten().map(|entry| entry.path())
}

/// Where the server's modules are, with the libraries that they share.
fn modules(root: &Path) -> impl Iterator<Item = PathBuf> {
    let folders = libraries(root).filter(|folder| folder.to_string_lossy().contains("/pulse-"));
    folders.map(|folder| folder.join("modules"))
}

fn at(root: &Path, folder: &TempDir, name: &str) -> Command {
    // A test that is killed takes it along.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM"]).arg(root.join("usr/bin").join(name));
    let libraries = libraries(root).filter(|folder| folder.to_string_lossy().ends_with("-linux-gnu"));
    let libraries = libraries.flat_map(|folder| [folder.join("pulseaudio"), folder]).chain(modules(root)).collect::<Vec<_>>();
    command.env("LD_LIBRARY_PATH", std::env::join_paths(libraries).expect("paths without colons"));
    in_folder(&mut command, folder);
    command
}

fn in_folder<'a>(command: &'a mut Command, folder: &TempDir) -> &'a mut Command {
    for variable in ["PULSE_SERVER", "PULSE_RUNTIME_PATH", "PULSE_COOKIE", "DISPLAY"] {
        command.env_remove(variable);
    }
    command.env("XDG_RUNTIME_DIR", folder.path()).env("HOME", folder.path())
}
