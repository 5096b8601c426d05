//! Web servers and proxies for tests, each with Debian's configuration, in a folder and on ports of its own.

pub mod forward;
pub mod nasty;
pub mod reverse;

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::program;

/// A proxy has this long to take connections: one of them is written in Python.
const START: Duration = Duration::from_secs(15);

/// And this long to end when it is asked to.
const END: Duration = Duration::from_secs(3);

/// Where the programs are.
pub struct Kit {
    roots: Vec<PathBuf>,
}

/// A folder of a proxy's own, and what runs in it; all of it goes when this is dropped.
pub struct Place {
    // Before the folder: they write into it to their end.
    running: Vec<Running>,
    folder: TempDir,
}

struct Running {
    child: Child,
}

/// Why a row of the matrix has no result.
#[derive(Debug)]
pub struct Missing(pub String);

impl Default for Kit {
    fn default() -> Self {
        let target = program("").parent().expect("the programs lie in the target folder").to_owned();
        Self { roots: vec![target.join("proxies"), PathBuf::from("/")] }
    }
}

impl Kit {
    /// A file of a Debian package, unpacked by tests/proxies/fetch or installed.
    pub fn find(&self, path: &str) -> Result<PathBuf, Missing> {
        let found = self.roots.iter().map(|root| root.join(path)).find(|file| file.exists());
        found.ok_or_else(|| Missing(format!("/{path} is not at hand (tests/proxies/fetch would fetch it)")))
    }

    /// A program, with the libraries that were unpacked beside it.
    pub fn command(&self, path: &str) -> Result<Command, Missing> {
        let program = self.find(path)?;
        // A test that is killed takes its proxies along.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM"]).arg(program);
        let libraries = fs::read_dir(self.roots[0].join("usr/lib")).into_iter().flatten().flatten().map(|entry| entry.path());
        let libraries: Vec<_> = libraries.filter(|folder| folder.to_string_lossy().ends_with("-linux-gnu")).collect();
        command.env("LD_LIBRARY_PATH", std::env::join_paths(libraries).expect("paths without colons"));
        Ok(command)
    }

    /// Python's modules that were unpacked.
    fn python_path(&self) -> PathBuf {
        self.roots[0].join("usr/lib/python3/dist-packages")
    }
}

impl Default for Place {
    fn default() -> Self {
        let folder = TempDir::new().expect("a folder of its own");
        open_up(folder.path());
        Self { running: Vec::new(), folder }
    }
}

impl Place {
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A folder in it that anyone may write to: some programs become another user.
    pub fn folder(&self, name: &str) -> PathBuf {
        let folder = self.path().join(name);
        fs::create_dir_all(&folder).expect("the folder can be made");
        open_up(&folder);
        folder
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.path().join(name);
        fs::write(&file, text).expect("the file can be written");
        file
    }

    /// Copies a file or folder of configuration, with other words for some in it.
    pub fn copy(&self, from: &Path, name: &str, changes: &[(&str, &str)]) -> PathBuf {
        let to = self.path().join(name);
        copy(from, &to, changes);
        to
    }

    /// Starts a program and waits until it takes connections.
    pub fn start(&mut self, command: &mut Command, address: SocketAddr) -> Result<(), Missing> {
        let name = format!("{:?}", command.get_args().nth(2).unwrap_or_default());
        let log = fs::File::create(self.path().join(format!("output-{}", self.running.len()))).expect("a log can be written");
        let also = log.try_clone().expect("a file can be shared");
        let child = command.current_dir(self.path()).stdin(Stdio::null()).stdout(log).stderr(also).spawn();
        let mut child = child.map_err(|error| Missing(format!("{name} can't be started: {error}")))?;
        let end = Instant::now() + START;
        while TcpStream::connect(address).is_err() {
            let ended = child.try_wait().expect("a child can be asked").is_some();
            if ended || Instant::now() > end {
                let _ = child.kill();
                let _ = child.wait();
                panic!("{name} takes no connections; it said:\n{}", self.said());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.running.push(Running { child });
        Ok(())
    }

    /// What the programs said so far.
    pub fn said(&self) -> String {
        let files = fs::read_dir(self.path()).into_iter().flatten().flatten().map(|entry| entry.path());
        let logs = files.filter(|file| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("output-")));
        logs.map(|log| fs::read_to_string(log).unwrap_or_default()).collect()
    }
}

/// In good order, so that those it has started end, too.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let end = Instant::now() + END;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > end {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// An address of this machine that was free a moment ago.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("there is a free port")
}

fn copy(from: &Path, to: &Path, changes: &[(&str, &str)]) {
    if from.is_dir() {
        fs::create_dir_all(to).expect("the folder can be made");
        open_up(to);
        for entry in fs::read_dir(from).expect("the folder can be listed").flatten() {
            copy(&entry.path(), &to.join(entry.file_name()), changes);
        }
        return;
    }
    // Links into the system that lead nowhere here, and what is no text.
    let Ok(mut text) = fs::read_to_string(from) else { return };
    for (word, other) in changes {
        text = text.replace(word, other);
    }
    fs::write(to, text).expect("the file can be written");
}

#[cfg(unix)]
fn open_up(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).expect("the folder is ours");
}

#[cfg(not(unix))]
fn open_up(_: &Path) {}
