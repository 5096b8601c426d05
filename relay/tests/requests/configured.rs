//! The binary as its configuration file and its unit have it.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use proto::ErrorCode;
use serde_json::{Value, json};

use crate::{
    bench::{Bench, PASSWORD},
    command_line::{Served, admin, ask, program},
};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A file with this text in a folder of its own.
fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tvphone-relay.toml");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn status(address: &str, path: &str) -> u16 {
    use std::io::{Read, Write};

    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn the_file_in_the_data_folder_is_read_and_each_address_is_served() {
    let (folder, _) = file("listen = [\"127.0.0.1:0\", \"127.0.0.1:0\"]\nmetrics = true\n");
    let mut served = Served(program().args(["serve", "--data"]).arg(folder.path()).stdout(Stdio::piped()).spawn().unwrap());
    let lines = BufReader::new(served.0.stdout.take().unwrap()).lines().take(2).map(Result::unwrap).collect::<Vec<_>>();
    assert_ne!(lines[0], lines[1]);
    for line in lines {
        let address = line.strip_prefix("listening on http://").unwrap();
        assert_eq!((status(address, "/healthz"), status(address, "/readyz"), status(address, "/metrics")), (200, 200, 200));
    }
}

#[test]
fn a_file_that_is_named_is_read_and_the_command_line_comes_before_it() {
    let (folder, path) = file("listen = \"192.0.2.1:1\"\nsign_up = \"closed\"\ndata = \"of-the-file\"\n");
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--sign-up", "open", "--config"]).arg(&path);
    let (served, address) = Served::run(&mut command);
    ask(&address, "POST", "/v1/accounts", "", &json!({"name": "Ana", "password": PASSWORD}));
    let data = folder.path().join("of-the-file");
    assert!(data.join("relay.db").exists());
    // The admin command finds the folder by the same file.
    let listed = program().args(["admin", "user", "list", "--config"]).arg(&path).output().unwrap();
    assert_eq!(listed.stdout, b"Ana\n", "{}", said(&listed));
    drop(served);
    let data = folder.path().join("of-the-flag");
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&path).arg("--data").arg(&data);
    let (_served, address) = Served::run(&mut command);
    assert!(data.join("relay.db").exists());
    assert_eq!(status(&address, "/metrics"), 404);
}

#[test]
fn a_file_that_can_not_be_is_refused_with_its_name_and_line() {
    let (folder, path) = file("# words\n\nlisten_on = \"127.0.0.1:0\"\n");
    for arguments in [&["serve", "--data"][..], &["admin", "user", "list", "--data"]] {
        let output = program().args(arguments).arg(folder.path()).output().unwrap();
        assert!(!output.status.success());
        let (said, expected) = (said(&output), format!("{}, line 3: unknown field `listen_on`", path.display()));
        assert!(said.contains(&expected) && said.contains("`listen`"), "{said}");
    }
    assert!(!folder.path().join("relay.db").exists());
    let missing = folder.path().join("missing.toml");
    let output = program().args(["serve", "--config"]).arg(&missing).output().unwrap();
    assert!(!output.status.success() && said(&output).contains("missing.toml can't be read"), "{}", said(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_and_passwords_are_looked_after_while_the_relay_runs() {
    let bench = Bench::with(|config| config.sign_up = relay::Admission::Code).await;
    let data = bench.folder.path().to_owned();
    let made = admin(&data, &["code", "add", "--uses", "2", "--days", "7"]);
    let code = String::from_utf8(made.stdout.clone()).unwrap();
    assert_eq!(code.len(), 20, "{code} {}", said(&made));
    assert_eq!(admin(&data, &["code", "list"]).stdout, b"1\t2\t7\n");
    let wish = json!({"name": "Ana", "password": PASSWORD, "code": code.trim()});
    bench.post("/v1/accounts", None, wish).await.read::<Value>();
    assert_eq!(admin(&data, &["code", "list"]).stdout, b"1\t1\t7\n");
    assert!(admin(&data, &["code", "remove", "1"]).status.success());
    let again = admin(&data, &["code", "remove", "1"]);
    assert!(!again.status.success() && said(&again).contains("no invitation code 1"), "{}", said(&again));
    assert!(!admin(&data, &["code", "add", "--uses", "0"]).status.success());

    let ana = bench.sign_in("Ana").await;
    let password = data.join("password");
    std::fs::write(&password, "battery staple\n").unwrap();
    let file = password.to_str().unwrap();
    assert!(!admin(&data, &["user", "password", "Nobody", "--password-file", file]).status.success());
    let changed = admin(&data, &["user", "password", "ana", "--password-file", file]);
    assert!(changed.status.success(), "{}", said(&changed));
    let deadline = Instant::now() + Duration::from_secs(10);
    while ana.get("/v1/state").await.status.is_success() {
        assert!(Instant::now() < deadline, "the session ends");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ana.get("/v1/state").await.code(), ErrorCode::Unauthorized);
    let wish = |password: &str| json!({"name": "Ana", "password": password, "versions": [1]});
    assert_eq!(bench.post("/v1/session", None, wish(PASSWORD)).await.code(), ErrorCode::WrongPassword);
    bench.post("/v1/session", None, wish("battery staple")).await.read::<Value>();
}

#[test]
fn what_the_unit_starts_is_a_relay() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/relay/tvphone-relay.service");
    let unit = std::fs::read_to_string(unit).unwrap();
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let mut words = start.split_whitespace();
    assert_eq!(words.next(), Some("/usr/local/bin/tvphone-relay"));
    let folder = tempfile::tempdir().unwrap();
    let (data, state) = (folder.path().join("tvphone-relay"), "/var/lib/tvphone-relay");
    let words = words.map(|word| word.replace(state, data.to_str().unwrap())).collect::<Vec<_>>();
    assert!(words.iter().any(|word| word.contains(data.to_str().unwrap())), "{start}");
    assert!(unit.contains("\nStateDirectory=tvphone-relay\n"));
    let (_served, address) = Served::run(program().args(words).args(["--listen", "127.0.0.1:0"]));
    assert_eq!(status(&address, "/readyz"), 200);
}
