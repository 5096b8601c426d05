//! Programs that behave, and programs that do not.

#![cfg(unix)]

use std::{os::unix::fs::PermissionsExt, time::Instant};

use super::*;

fn gateway() -> Gateway {
    Gateway { time: TIME, server: "127.0.0.1:7480".parse().unwrap(), extra: vec![("RELAY_CALLS", "3".to_owned())] }
}

/// Runs a shell script as a provider.
async fn run(script: &str) -> Result<Response, Failure> {
    run_by(gateway(), script).await
}

async fn run_by(gateway: Gateway, script: &str) -> Result<Response, Failure> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("it.sh");
    std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    loop {
        match gateway.run(&file).await {
            // Another test's child may hold the script open for writing between its fork and its exec.
            Err(Failure::Run(error)) if error.kind() == io::ErrorKind::ExecutableFileBusy => tokio::task::yield_now().await,
            other => return other,
        }
    }
}

#[tokio::test]
async fn a_program_is_told_what_rfc_3875_says_and_nothing_else() {
    // The shell adds PWD, SHLVL and _ to what it was given.
    let response =
        run("printf 'Content-Type: text/plain\\n\\n'; env | grep -v '^\\(PWD\\|SHLVL\\|_\\|OLDPWD\\)=' | sort; pwd; cat")
            .await
            .unwrap();
    assert_eq!(response.content_type, "text/plain");
    let body = String::from_utf8(response.body).unwrap();
    let lines = body.lines().collect::<Vec<_>>();
    let (folder, variables) = lines.split_last().unwrap();
    let software = concat!("SERVER_SOFTWARE=tvphone-relay/", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        variables,
        [
            "GATEWAY_INTERFACE=CGI/1.1",
            "LANG=C.UTF-8",
            "PATH=/usr/local/bin:/usr/bin:/bin",
            "QUERY_STRING=",
            "RELAY_CALLS=3",
            "REMOTE_ADDR=127.0.0.1",
            "REQUEST_METHOD=GET",
            "SCRIPT_NAME=/providers/it.sh",
            "SERVER_NAME=127.0.0.1",
            "SERVER_PORT=7480",
            "SERVER_PROTOCOL=HTTP/1.1",
            software,
        ]
    );
    assert!(!folder.is_empty() && *folder != "/");
}

#[tokio::test]
async fn failures_say_what_happened() {
    assert!(matches!(
        run("echo 'Status: 304 Not Modified'; echo 'Content-Type: text/plain'; echo").await,
        Err(Failure::Status(304))
    ));
    assert!(matches!(run("echo hello").await, Err(Failure::Response(_))));
    assert!(matches!(run("yes").await, Err(Failure::TooMuch)));
    assert!(matches!(gateway().run(Path::new("/nowhere/at/all")).await, Err(Failure::Run(_))));
    let failure = run("echo 'no   network' >&2; exit 3").await.unwrap_err();
    assert_eq!(failure.to_string(), "it ended with exit status: 3: no network");
}

#[tokio::test]
async fn a_program_that_hangs_is_ended_with_all_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let script = format!("sleep 1000 & echo $! > {}; wait", pid.display());
    let hasty = Gateway { time: Duration::from_millis(500), ..gateway() };
    assert!(matches!(run_by(hasty, &script).await, Err(Failure::Time(_))));
    assert_ended(std::fs::read_to_string(&pid).unwrap().trim()).await;
}

async fn assert_ended(pid: &str) {
    let stat = Path::new("/proc").join(pid).join("stat");
    let deadline = Instant::now() + Duration::from_secs(5);
    // Killed, it is gone or waits as a zombie for whoever adopted it.
    while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z")) {
        assert!(Instant::now() < deadline, "the child lives on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_a_program_leaves_behind_ends_with_it_and_long_complaints_do_no_harm() {
    let complaints = "i=0; while [ $i -lt 3000 ]; do echo 'a long complaint about nothing' >&2; i=$((i+1)); done";
    let left_behind = "sleep 1000 >/dev/null 2>&1 & printf 'Content-Type: text/plain\\n\\n'; echo $!";
    let response = run(&format!("{complaints}; {left_behind}")).await.unwrap();
    assert_ended(String::from_utf8(response.body).unwrap().trim()).await;
}

#[test]
fn heads_are_read_as_they_come() {
    let plain = |body: &[u8]| Response { content_type: "text/plain".to_owned(), body: body.to_vec() };
    assert_eq!(parse(b"Content-type: Text/Plain; charset=utf-8\r\nX-Other: 1\r\n\r\nhi").unwrap(), plain(b"hi"));
    assert_eq!(parse(b"STATUS: 200 OK\nCONTENT-TYPE:text/plain\n\n").unwrap(), plain(b""));
    assert!(matches!(parse(b"Status: 500\nContent-Type: text/plain\n\n"), Err(Failure::Status(500))));
    for bad in [
        &b""[..],
        b"\n",
        b"\nbody",
        b"Content-Type: text/plain",
        b"no colon\n\n",
        b"Status: x\n\n",
        b"\xff: x\n\n",
        b"Location: /x\n\n",
    ] {
        assert!(matches!(parse(bad), Err(Failure::Response(_))), "{bad:?}");
    }
}
