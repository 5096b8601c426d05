//! What a relay logs, and what it never does.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::command_line::{Served, admin, ask, program_on};

/// A relay by invitation code that logs into a file all there is to log.
fn logging(data: &Path, form: &str) -> (Served, String) {
    let log = std::fs::File::create(data.join("log")).unwrap();
    let mut command = program_on(data);
    command.args(["serve", "--listen", "127.0.0.1:0", "--sign-up", "code", "--log", form, "--data"]).arg(data);
    Served::run(command.env("RUST_LOG", "trace").stderr(log))
}

/// Sends this as it is; whatever the answer.
fn send(address: &str, request: &str) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    // The relay may close at once.
    let _ = stream.read_to_end(&mut Vec::new());
}

#[cfg(unix)]
#[test]
fn no_password_token_code_or_word_of_anyone_s_is_ever_logged() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    std::fs::write(data.join("tvphone-relay.toml"), "metrics = true\nmetrics_token = \"secret-of-the-metrics\"\n").unwrap();
    let (mut served, address) = logging(data, "text");
    let code = String::from_utf8(admin(data, &["code", "add", "--uses", "5"]).stdout).unwrap().trim().to_owned();
    let mut secrets = vec![code.clone()];
    let mut tokens = Vec::new();
    for (name, password) in [("Ana", "password of ana's"), ("Ben", "password of ben's")] {
        ask(&address, "POST", "/v1/accounts", "", &json!({"name": name, "password": password, "code": code}));
        let signed_in = ask(&address, "POST", "/v1/session", "", &json!({"name": name, "password": password, "versions": [1]}));
        tokens.push(signed_in["token"].as_str().unwrap().to_owned());
        secrets.push(password.to_owned());
    }
    let (ana, ben) = (&tokens[0], &tokens[1]);
    ask(&address, "POST", "/v1/buddies", ana, &json!({"name": "Ben"}));
    ask(&address, "POST", "/v1/buddies", ben, &json!({"name": "Ana"}));
    let words = "where nobody else may hear it";
    ask(&address, "POST", "/v1/chat", ana, &json!({"to": "Ben", "text": words, "client_id": "client's own id"}));
    ask(&address, "GET", "/v1/chat?with=Ana", ben, &Value::Null);
    let change = json!({"old": "password of ana's", "new": "another of ana's"});
    ask(&address, "POST", "/v1/account/password", ana, &change);
    let cursor = ask(&address, "GET", "/v1/state", ben, &Value::Null)["cursor"].as_str().unwrap().to_owned();
    ask(&address, "GET", &format!("/v1/events?after={cursor}&wait_ms=0"), ben, &Value::Null);
    // And what is refused: wrong secrets, half a body, secrets where none belong.
    for body in [r#"{"name": "Ana", "password": "a wrong guess", "versions": [1]}"#, r#"{"password": "half a body"#] {
        let head = format!("POST /v1/session HTTP/1.1\r\nHost: relay\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        send(&address, &format!("{head}\r\n{body}"));
    }
    let wrong = "Authorization: Bearer a-token-that-was-stolen\r\n";
    send(&address, &format!("GET /v1/state HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n{wrong}\r\n"));
    send(
        &address,
        "GET /metrics HTTP/1.1\r\nHost: relay\r\nConnection: close\r\nAuthorization: Bearer secret-of-the-metrics\r\n\r\n",
    );
    send(&address, "GET /v1/nowhere?token=in-the-query HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n");
    let pid = served.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(served.0.wait().unwrap().success());

    let log = std::fs::read_to_string(data.join("log")).unwrap();
    assert!(log.lines().count() > 20, "all there is to log is logged: {log}");
    secrets.extend(tokens);
    let more = [
        words,
        "client's own id",
        "another of ana's",
        "a wrong guess",
        "half a body",
        "a-token-that-was-stolen",
        "secret-of-the-metrics",
    ];
    secrets.extend(more.map(str::to_owned));
    secrets.push(code.replace('-', ""));
    secrets.push("in-the-query".to_owned());
    for secret in secrets {
        let line = log.lines().find(|line| line.to_lowercase().contains(&secret.to_lowercase()));
        assert_eq!(line, None, "{secret} is logged");
    }
}

#[test]
fn a_log_for_programs_is_json_line_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let (served, address) = logging(folder.path(), "json");
    ask(&address, "GET", "/v1/health", "", &Value::Null);
    drop(served);
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(!log.is_empty());
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["level"].is_string() && line["fields"].is_object() && line["target"].is_string(), "{line}");
    }
}

#[test]
fn a_log_in_a_file_has_no_colours() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program_on(folder.path());
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.path())
        .env("RUST_LOG", "trace")
        .stderr(Stdio::piped());
    let (mut served, _) = Served::run(&mut command);
    let mut line = String::new();
    BufReader::new(served.0.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(!line.is_empty() && !line.contains('\u{1b}'), "{line}");
}
