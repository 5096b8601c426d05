//! Ten thousand connections that say nothing, on a relay in a process of its own.

use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream},
    sync::Mutex,
    time::Duration,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;

use super::{until_closed, witness::Witness};
use crate::{
    command_line::{Served, ask, program},
    sockets::Wire,
};

const CONNECTIONS: usize = 10_000;

/// Descriptors for everything else in this process, the tests beside this one included.
const BESIDE: u64 = 2_000;

/// Two such crowds at once would be too many.
static ONE_CROWD: Mutex<()> = Mutex::new(());

/// How many connections this process may open: 10,000 if the system lets it.
fn possible() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = CONNECTIONS as u64 + BESIDE;
    let current = limit.maximum.map_or(wanted, |most| most.min(wanted)).max(limit.current.unwrap_or(wanted));
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(current), ..limit });
    let current = getrlimit(Resource::Nofile).current.unwrap_or(wanted);
    let possible = CONNECTIONS.min(usize::try_from(current.saturating_sub(BESIDE)).unwrap());
    if possible < CONNECTIONS {
        // Not by a macro: the test harness would keep that to itself.
        let _ = writeln!(std::io::stderr(), "only {possible} connections instead of {CONNECTIONS}: so many files may be open");
    }
    possible
}

/// Connections opened in one go, and the time until the next: they come fast, but not as one wall that no network would let through.
const AT_ONCE: usize = 100;
const PAUSE: Duration = Duration::from_millis(2);

/// So many connections that say nothing.
fn silent(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    let open = |at: usize| {
        if at.is_multiple_of(AT_ONCE) {
            std::thread::sleep(PAUSE);
        }
        TcpStream::connect(address).unwrap()
    };
    (0..count).map(open).collect()
}

/// A relay that takes so many connections, with a call on it.
fn relay(connections: usize) -> (Served, tempfile::TempDir, SocketAddr, Witness) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(relay::FILE), format!("connections = {connections}\n")).unwrap();
    let mut command = program();
    let (served, address) = Served::run(command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder.path()));
    let address = address.parse().unwrap();
    (served, folder, address, Witness::new(address))
}

#[test]
fn a_crowd_that_says_nothing_disturbs_nobody() {
    let _one = ONE_CROWD.lock().unwrap();
    let possible = possible();
    let (_served, _folder, address, call) = relay(possible + 100);
    call.beside(|| {
        let silent = silent(address, possible);
        assert_eq!(ask(&address.to_string(), "GET", "/v1/health", "", &Value::Null)["status"], "ok");
        drop(silent);
        assert_eq!(ask(&address.to_string(), "GET", "/v1/health", "", &Value::Null)["status"], "ok");
    });
}

#[test]
fn a_crowd_beyond_what_is_taken_is_closed_and_who_is_in_stays_in() {
    let _one = ONE_CROWD.lock().unwrap();
    let possible = possible();
    let taken = possible / 4;
    let (_served, _folder, address, call) = relay(taken);
    call.beside(|| {
        let mut silent = silent(address, possible);
        // Whoever came when the relay was full is closed without a word.
        let mut last = Wire(silent.pop().unwrap());
        assert_eq!(until_closed(&mut last), b"");
        drop(silent);
    });
    // Once they are gone there is room again.
    let until = std::time::Instant::now() + super::END;
    loop {
        let mut wire = Wire::open(address);
        let asked = wire.0.write_all(b"GET /v1/health HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n");
        if asked.is_ok() && until_closed(&mut wire).starts_with(b"HTTP/1.1 200") {
            break;
        }
        assert!(std::time::Instant::now() < until, "there is no room");
    }
}
