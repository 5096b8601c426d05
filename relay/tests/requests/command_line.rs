//! The binary as whoever runs the relay uses it.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use proto::{Event, model::Relation};

use crate::bench::Bench;

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tvphone-relay"))
}

fn admin(data: &Path, arguments: &[&str]) -> Output {
    program().arg("admin").arg("--data").arg(data).args(arguments).output().unwrap()
}

#[tokio::test]
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
    let events = ana.next().await;
    assert!(matches!(&events[..], [Event::Roster { buddies }] if buddies[0].relation == Relation::Mutual), "{events:?}");
    bench.sign_in("Ben").await;
    assert_eq!(admin(&data, &["user", "list"]).stdout, b"Ana\nBen\n");
    assert!(admin(&data, &["user", "remove", "Ben"]).status.success());
    let events = ana.next().await;
    assert!(matches!(events.last(), Some(Event::Roster { buddies }) if buddies.is_empty()), "{events:?}");
}

/// A relay in a process of its own, ended with the test.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(unix)]
#[test]
fn serve_says_where_it_listens_and_stops_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("made/when/missing");
    let child = program().args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&data).stdout(Stdio::piped()).spawn();
    let mut served = Served(child.unwrap());
    let mut line = String::new();
    BufReader::new(served.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap_or_else(|| panic!("{line}"));
    assert!(std::net::TcpStream::connect(address).is_ok());
    let pid = served.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(served.0.wait().unwrap().success());
    assert!(data.join("relay.db").exists() && data.join("providers").is_dir());
}
