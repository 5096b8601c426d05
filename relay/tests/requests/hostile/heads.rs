//! Heads that are too large, too many or no HTTP.

use std::io::Write;

use super::{beside_a_call, until_closed};
use crate::sockets::Wire;

/// How the relay answers what it can't or won't read as a request.
const REFUSED: [&str; 3] = ["HTTP/1.1 400", "HTTP/1.1 414", "HTTP/1.1 431"];

fn refused(mut wire: Wire, what: &str) {
    let said = String::from_utf8_lossy(&until_closed(&mut wire)).into_owned();
    assert!(REFUSED.iter().any(|status| said.starts_with(status)), "{what}: {said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_without_measure_are_refused_and_the_connection_closed() {
    beside_a_call(|address, token| {
        let long = "x".repeat(200_000);
        let many = (0..150).map(|at| format!("X-{at}: y\r\n")).collect::<String>();
        for (what, head) in [
            ("one header of 200 kB", format!("GET /v1/health HTTP/1.1\r\nHost: relay\r\nX: {long}\r\n\r\n")),
            ("a token of 200 kB", format!("GET /v1/state HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer {long}\r\n\r\n")),
            ("a path of 200 kB", format!("GET /v1/{long} HTTP/1.1\r\nHost: relay\r\n\r\n")),
            ("150 headers", format!("GET /v1/health HTTP/1.1\r\nHost: relay\r\n{many}\r\n")),
            ("a name with a space", "GET /v1/health HTTP/1.1\r\nHost: relay\r\nX Y: z\r\n\r\n".to_owned()),
            ("a NUL in a value", "GET /v1/health HTTP/1.1\r\nHost: relay\r\nX: \0\r\n\r\n".to_owned()),
            ("no HTTP", format!("{token}\r\n\r\n")),
            ("another version", "GET /v1/health HTTP/9.9\r\nHost: relay\r\n\r\n".to_owned()),
            ("TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03\r\n\r\n".to_owned()),
        ] {
            let mut wire = Wire::open(address);
            // The relay may close before it has all of it.
            let _ = wire.0.write_all(head.as_bytes());
            refused(wire, what);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_readers_would_read_differently_is_refused() {
    beside_a_call(|address, token| {
        for (what, headers) in [
            ("two lengths", "Content-Length: 2\r\nContent-Length: 5\r\n\r\n{}"),
            ("a length that is none", "Content-Length: 2x\r\n\r\n{}"),
            ("a length with a sign", "Content-Length: +2\r\n\r\n{}"),
            ("an endless length", "Content-Length: 99999999999999999999999\r\n\r\n{}"),
            ("an encoding that does not end", "Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n"),
        ] {
            let mut wire = Wire::open(address);
            let head = format!("POST /v1/buddies HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer {token}\r\n{headers}");
            let _ = wire.0.write_all(head.as_bytes());
            refused(wire, what);
        }
        // Both ways of telling the length at once: the chunks count and the connection is closed after it (RFC 9112, 6.3), so nothing
        // that follows is taken for a request.
        let next = "GET /v1/health HTTP/1.1\r\nHost: relay\r\n\r\n";
        let lengths = format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n", 5 + next.len());
        let head = format!("POST /v1/buddies HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer {token}\r\n{lengths}");
        let mut wire = Wire::open(address);
        wire.say(&format!("{head}0\r\n\r\n{next}"));
        let said = String::from_utf8_lossy(&until_closed(&mut wire)).into_owned();
        assert!(said.starts_with("HTTP/1.1 400") && said.contains("bad_request"), "an empty body is no wish: {said}");
        assert_eq!(said.matches("HTTP/1.1").count(), 1, "{said}");
    })
    .await;
}
