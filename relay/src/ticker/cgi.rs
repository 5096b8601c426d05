//! Runs a program by RFC 3875, within limits, and reads its response's head.

use std::{io, net::SocketAddr, path::Path, process::Stdio, time::Duration};

use tokio::{
    io::AsyncReadExt,
    process::{ChildStderr, ChildStdout, Command},
};

/// How long a program may take: a slow web service answers within it, a hung one is given up soon.
pub(crate) const TIME: Duration = Duration::from_secs(10);

/// Most bytes of standard output: fifty items with all they may hold would be more, but nobody reads that on a ticker.
const OUTPUT_MAX: usize = 64 * 1024;

/// Bytes of standard error that go to the log.
const COMPLAINT_MAX: u64 = 512;

/// Where programs are looked for by programs.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Why a program has nothing to say.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("it can't be run: {0}")]
    Run(#[from] io::Error),
    #[error("it took longer than {0:?} and was ended")]
    Time(Duration),
    #[error("it printed more than {OUTPUT_MAX} bytes")]
    TooMuch,
    #[error("it ended with {status}{complaint}")]
    Ended { status: std::process::ExitStatus, complaint: String },
    #[error("its output is no CGI response: {0}")]
    Response(&'static str),
    #[error("it says status {0}")]
    Status(u16),
    #[error("its items can't be read: {0}")]
    Items(String),
}

/// A CGI response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    /// Without parameters, in lower case.
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
}

/// What programs are told of where they run.
#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    pub(crate) server: SocketAddr,
    /// How long a program may take.
    pub(crate) time: Duration,
    /// Variables of the relay's own.
    pub(crate) extra: Vec<(&'static str, String)>,
}

impl Gateway {
    /// Runs a program to its end.
    pub(crate) async fn run(&self, program: &Path) -> Result<Response, Failure> {
        let mut child = self.command(program).spawn()?;
        let _group = Group(child.id());
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(Failure::Run(io::ErrorKind::BrokenPipe.into()));
        };
        let work = async {
            let (output, complaint) = tokio::try_join!(output(stdout), complaint(stderr))?;
            let status = child.wait().await?;
            if status.success() { parse(&output) } else { Err(Failure::Ended { status, complaint }) }
        };
        tokio::time::timeout(self.time, work).await.map_err(|_| Failure::Time(self.time))?
    }

    fn command(&self, program: &Path) -> Command {
        let name = program.file_name().unwrap_or_default();
        let mut command = Command::new(program);
        command
            .current_dir(program.parent().unwrap_or(Path::new("/")))
            .env_clear()
            .env("PATH", PATH)
            .env("LANG", "C.UTF-8")
            .env("GATEWAY_INTERFACE", "CGI/1.1")
            .env("SERVER_SOFTWARE", concat!("tvphone-relay/", env!("CARGO_PKG_VERSION")))
            .env("SERVER_NAME", self.server.ip().to_string())
            .env("SERVER_PORT", self.server.port().to_string())
            .env("SERVER_PROTOCOL", "HTTP/1.1")
            .env("REQUEST_METHOD", "GET")
            .env("SCRIPT_NAME", format!("/providers/{}", name.to_string_lossy()))
            .env("QUERY_STRING", "")
            .env("REMOTE_ADDR", self.server.ip().to_string())
            .envs(self.extra.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        command
    }
}

/// A program's process group: whatever the program started and left behind ends when this is dropped.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(group) = self.0.and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

async fn output(stdout: ChildStdout) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    stdout.take(OUTPUT_MAX as u64 + 1).read_to_end(&mut bytes).await?;
    if bytes.len() > OUTPUT_MAX { Err(Failure::TooMuch) } else { Ok(bytes) }
}

/// The beginning of what a program complains about, as one line; the rest is read, so that it doesn't hang on it.
async fn complaint(mut stderr: ChildStderr) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    (&mut stderr).take(COMPLAINT_MAX).read_to_end(&mut bytes).await?;
    tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await?;
    let line = String::from_utf8_lossy(&bytes).split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(if line.is_empty() { line } else { format!(": {line}") })
}

/// Reads the head of a CGI response (RFC 3875 section 6): a document response, since there is no client to be sent elsewhere.
fn parse(output: &[u8]) -> Result<Response, Failure> {
    let mut rest = output;
    let mut content_type = None;
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or(Failure::Response("the head has no end"))?;
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        rest = &rest[end + 1..];
        if line.is_empty() {
            break;
        }
        let line = std::str::from_utf8(line).map_err(|_| Failure::Response("the head is no text"))?;
        let (name, value) = line.split_once(':').ok_or(Failure::Response("a line of the head has no colon"))?;
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "status" => {
                let code = value.split(' ').next().and_then(|code| code.parse().ok());
                let code = code.ok_or(Failure::Response("the status is no number"))?;
                if code != 200 {
                    return Err(Failure::Status(code));
                }
            }
            "content-type" => {
                content_type = Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
            }
            "location" => return Err(Failure::Response("a redirect leads nowhere here")),
            _ => {}
        }
    }
    let content_type = content_type.ok_or(Failure::Response("there is no Content-Type"))?;
    Ok(Response { content_type, body: rest.to_vec() })
}

#[cfg(test)]
mod tests;
