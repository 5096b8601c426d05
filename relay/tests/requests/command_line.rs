//! The binary as whoever runs the relay uses it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use proto::{Event, model::Relation};
use serde_json::{Value, json};
use tokio::{runtime::Handle, task::block_in_place};

use crate::{
    bench::{Bench, PASSWORD},
    database,
};

pub(crate) fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tvphone-relay"))
}

/// The program on the database that the tests run on, for this data folder.
pub(crate) fn program_on(data: &Path) -> Command {
    let mut command = program();
    if let Some(url) = database::for_file(&data.join("relay.db")) {
        command.env("TVPHONE_RELAY_DATABASE", url);
    }
    command
}

pub(crate) fn admin(data: &Path, arguments: &[&str]) -> Output {
    ended(program_on(data).arg("admin").arg("--data").arg(data).args(arguments))
}

/// Runs it to its end. A relay in this process goes on meanwhile, or what it is writing would keep the program waiting for its database:
/// therefore a test with a runtime of one thread fails here.
pub(crate) fn ended(command: &mut Command) -> Output {
    let mut output = || command.output().unwrap();
    if Handle::try_current().is_ok() { block_in_place(output) } else { output() }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_looked_after_while_the_relay_runs() {
    let bench = Bench::new().await;
    let data = bench.folder.path().to_owned();
    let mut ana = bench.person("Ana").await;
    let password = data.join("password");
    std::fs::write(&password, "correct horse\nnot this line\n").unwrap();
    let file = password.to_str().unwrap();
    assert!(admin(&data, &["user", "add", "Ben", "--password-file", file]).status.success());
    let taken = admin(&data, &["user", "add", "ben", "--password-file", file]);
    assert!(!taken.status.success());
    assert!(String::from_utf8(taken.stderr).unwrap().contains("the name ben is taken"));
    assert!(admin(&data, &["buddy", "add", "Ana", "Ben"]).status.success());
    assert!(!admin(&data, &["buddy", "add", "Ana", "Nobody"]).status.success());
    let own = admin(&data, &["buddy", "add", "Ana", "aNA"]);
    assert!(!own.status.success() && String::from_utf8(own.stderr).unwrap().contains("own buddy"));
    let events = ana.next().await;
    assert!(matches!(&events[..], [Event::Roster { buddies }] if buddies[0].relation == Relation::Mutual), "{events:?}");
    bench.sign_in("Ben").await;
    assert_eq!(admin(&data, &["user", "list"]).stdout, b"Ana\nBen\n");
    assert!(admin(&data, &["user", "remove", "Ben", "--yes"]).status.success());
    let events = ana.next().await;
    assert!(matches!(events.last(), Some(Event::Roster { buddies }) if buddies.is_empty()), "{events:?}");
}

/// A relay in a process of its own, ended with the test.
pub(crate) struct Served(pub(crate) Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Served {
    /// Starts one and waits until it listens.
    fn start(data: &Path) -> (Self, String) {
        Self::run(program_on(data).args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data))
    }

    /// Runs this and waits until it listens.
    pub(crate) fn run(command: &mut Command) -> (Self, String) {
        let mut served = Self(command.stdout(Stdio::piped()).spawn().unwrap());
        let mut line = String::new();
        BufReader::new(served.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap_or_else(|| panic!("{line}"));
        (served, address.to_owned())
    }
}

/// Asks over a connection of its own, and reads the answer's body.
pub(crate) fn ask(address: &str, method: &str, path: &str, token: &str, body: &Value) -> Value {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n");
    stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    serde_json::from_str(body).unwrap()
}

#[test]
fn what_was_acknowledged_outlives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, PASSWORD).unwrap();
    for name in ["Ana", "Ben"] {
        assert!(admin(folder.path(), &["user", "add", name, "--password-file", password.to_str().unwrap()]).status.success());
    }
    assert!(admin(folder.path(), &["buddy", "add", "Ana", "Ben"]).status.success());
    let (mut served, address) = Served::start(folder.path());
    let wish = json!({"name": "Ana", "password": PASSWORD, "versions": [1]});
    let token = ask(&address, "POST", "/v1/session", "", &wish)["token"].as_str().unwrap().to_owned();
    for number in 0..5 {
        let message = json!({"to": "Ben", "text": format!("{number}"), "client_id": format!("{number}")});
        ask(&address, "POST", "/v1/chat", &token, &message);
    }
    // `Child::kill` is SIGKILL: the process can't do anything about it.
    served.0.kill().unwrap();
    served.0.wait().unwrap();
    let (_served, address) = Served::start(folder.path());
    let history = ask(&address, "GET", "/v1/chat?with=Ben", &token, &Value::Null);
    let texts = history["messages"].as_array().unwrap().iter().map(|message| message["text"].as_str().unwrap());
    assert_eq!(texts.collect::<String>(), "01234");
}

#[cfg(unix)]
#[test]
fn serve_says_where_it_listens_and_stops_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("made/when/missing");
    let (mut served, address) = Served::start(&data);
    assert!(TcpStream::connect(address).is_ok());
    let pid = served.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(served.0.wait().unwrap().success());
    assert!(data.join("providers").is_dir());
    assert_eq!(data.join("relay.db").exists(), database::for_file(&data.join("relay.db")).is_none());
}

/// The session of someone new, by the admin command.
#[cfg(unix)]
fn newcomer(data: &Path, address: &str) -> String {
    let password = data.join("password");
    std::fs::write(&password, PASSWORD).unwrap();
    assert!(admin(data, &["user", "add", "Ana", "--password-file", password.to_str().unwrap()]).status.success());
    let wish = json!({"name": "Ana", "password": PASSWORD, "versions": [1]});
    ask(address, "POST", "/v1/session", "", &wish)["token"].as_str().unwrap().to_owned()
}

#[cfg(unix)]
#[test]
fn providers_run_though_the_data_folder_is_given_relative() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir_all(data.join("providers")).unwrap();
    let file = data.join("providers/hello.sh");
    std::fs::write(&file, "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nhello\\n'\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = program_on(&data);
    command.current_dir(folder.path()).args(["serve", "--listen", "127.0.0.1:0", "--data", "data"]);
    let (_served, address) = Served::run(&mut command);
    let token = newcomer(&data, &address);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let state = ask(&address, "GET", "/v1/state", &token, &Value::Null);
        if state["tickers"][0]["items"][0]["title"] == "hello" {
            break;
        }
        assert!(Instant::now() < deadline, "{state}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[cfg(unix)]
#[test]
fn a_new_data_folder_is_for_nobody_else() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let rights = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (served, by_admin) = (folder.path().join("served"), folder.path().join("admin"));
    drop(Served::start(&served));
    assert!(admin(&by_admin, &["user", "list"]).status.success());
    for data in [served, by_admin] {
        assert_eq!(rights(&data), 0o700);
        if database::for_file(&data.join("relay.db")).is_none() {
            assert_eq!(rights(&data.join("relay.db")), 0o600);
        }
    }
    let open = folder.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o750)).unwrap();
    drop(Served::start(&open));
    assert_eq!(rights(&open), 0o750, "a folder that is there stays as it is");
}

#[cfg(target_os = "linux")]
#[test]
fn as_many_files_may_be_open_as_connections_need() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -Sn 256 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_tvphone-relay")]);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder.path());
    let (served, address) = Served::run(&mut command);
    // It serves once it answers.
    ask(&address, "GET", "/v1/health", "", &Value::Null);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", served.0.id())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let numbers = line.split_whitespace().map(|word| word.parse().unwrap_or(u64::MAX)).collect::<Vec<_>>();
    assert!(numbers[0] >= 4096.min(numbers[1]) && numbers[0] > 256, "{line}");
}
