//! nginx with nchan, the peer of the relay's fan-out: one worker, long polls, messages buffered, its own configuration in a folder of its own.

use std::{
    fmt::Write as _,
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::Context;
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;
use tests::process::Process;

use crate::{
    fan::Target,
    load::{Reply, request},
    spent::{Spent, children},
};

const START: Duration = Duration::from_secs(10);

/// Where Debian's packages put things, under the system's root or where `.ci/setup bench` unpacked them.
const PROGRAM: &str = "usr/sbin/nginx";
const MODULE: &str = "usr/lib/nginx/modules/ngx_nchan_module.so";

/// nchan writes below `/var/lib/nginx` and can't be told otherwise (its directive for that refuses itself as said twice). So it gets an empty
/// folder there that nobody else sees.
const IN_ITS_OWN: &str = "mount -t tmpfs tmpfs /var/lib && mkdir /var/lib/nginx && exec \"$0\" \"$@\"";

/// A running nginx with nchan.
pub struct Nchan {
    process: Process,
    address: SocketAddr,
    _folder: TempDir,
    /// Of each reader, the id of the message it has: `Last-Modified` and `Etag` of its last answer.
    have: Vec<Option<(String, String)>>,
    run: u32,
}

impl Nchan {
    /// Starts it.
    ///
    /// # Errors
    /// When it isn't on this machine, or doesn't start; the text says which.
    pub fn start() -> anyhow::Result<Self> {
        let root = roots().into_iter().find(|root| root.join(PROGRAM).exists() && root.join(MODULE).exists());
        let root = root.context("nginx with nchan is not at hand: .ci/setup bench")?;
        let folder = TempDir::new()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let file = folder.path().join("nginx.conf");
        fs::write(&file, configuration(&root.join(MODULE), folder.path(), address)?)?;
        let mut command = Command::new("unshare");
        // A user who isn't root is root in there alone.
        command.args((!geteuid().is_root()).then_some("--map-root-user")).args(["--mount", "sh", "-c", IN_ITS_OWN]);
        command
            .arg(root.join(PROGRAM))
            .args(["-e", "stderr", "-p"])
            .arg(folder.path())
            .arg("-c")
            .arg(&file)
            .stdout(Stdio::null());
        let process = Process::start(&mut command);
        tests::eventually("nginx listens", START, || TcpStream::connect(address).ok());
        Ok(Self { process, address, _folder: folder, have: Vec::new(), run: 0 })
    }
}

impl Target for Nchan {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn begin(&mut self, readers: usize) -> anyhow::Result<()> {
        // A channel for each run: nothing in it yet.
        self.run += 1;
        self.have = vec![None; readers];
        Ok(())
    }

    fn post(&mut self, body: &[u8], out: &mut Vec<u8>) {
        request::post(out, &format!("/publish?run={}", self.run), None, body);
    }

    fn poll(&mut self, reader: usize, out: &mut Vec<u8>) {
        request::put(out, format_args!("GET /poll?run={} HTTP/1.1\r\nHost: bench\r\n", self.run));
        if let Some((modified, etag)) = &self.have[reader] {
            request::put(out, format_args!("If-Modified-Since: {modified}\r\nIf-None-Match: {etag}\r\n"));
        }
        out.extend_from_slice(b"\r\n");
    }

    fn polled(&mut self, reader: usize, reply: &Reply<'_>) -> anyhow::Result<()> {
        anyhow::ensure!(reply.status == 200, "nchan answered a poll with {}", reply.status);
        let header = |name| reply.header(name).with_context(|| format!("nchan gave no {name}"));
        self.have[reader] = Some((header("Last-Modified")?.to_owned(), header("Etag")?.to_owned()));
        Ok(())
    }

    fn spent(&self) -> Spent {
        let master = self.process.id();
        Spent::by(&[vec![master], children(master)].concat())
    }
}

impl Drop for Nchan {
    fn drop(&mut self) {
        // A killed master leaves its worker behind; told to end, it takes the worker along before it is killed for good.
        let id = Pid::from_raw(self.process.id().cast_signed());
        if id.is_some_and(|id| kill_process(id, Signal::TERM).is_ok()) {
            let _ = self.process.wait(START);
        }
    }
}

fn roots() -> Vec<PathBuf> {
    vec![PathBuf::from("/"), crate::folder().with_file_name("peers")]
}

fn configuration(module: &Path, folder: &Path, address: SocketAddr) -> anyhow::Result<String> {
    let (module, folder) = (module.display(), folder.display());
    let mut text = String::new();
    writeln!(
        text,
        "user root root; daemon off; worker_processes 1; worker_rlimit_nofile 16384; pid {folder}/pid; error_log stderr warn;"
    )?;
    writeln!(text, "load_module {module};")?;
    writeln!(text, "events {{ worker_connections 8192; }}")?;
    writeln!(text, "http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 300s;")?;
    for temporary in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        writeln!(text, "  {temporary}_temp_path {folder}/{temporary};")?;
    }
    writeln!(text, "  server {{ listen {address};")?;
    writeln!(text, "    location = /publish {{ nchan_publisher; nchan_channel_id $arg_run;")?;
    // What the relay keeps of a track: three seconds.
    writeln!(text, "      nchan_store_messages on; nchan_message_buffer_length 90; nchan_message_timeout 3s; }}")?;
    writeln!(text, "    location = /poll {{ nchan_subscriber longpoll; nchan_channel_id $arg_run;")?;
    writeln!(text, "      nchan_subscriber_first_message newest; }}")?;
    writeln!(text, "  }}\n}}")?;
    Ok(text)
}
