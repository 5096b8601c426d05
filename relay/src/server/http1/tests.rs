//! Conversations, byte by byte.

use axum::{
    Router,
    body::Bytes,
    routing::{get, post},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;
use crate::{Config, Relay, server::Handle};

const LONG: Duration = Duration::from_secs(20);

fn router() -> Router {
    Router::new()
        .route("/", get(|| async { "here" }))
        .route("/empty", get(|| async { "" }))
        .route("/never", get(std::future::pending::<()>))
        .route("/unread", post(|| async { "unread" }))
        .route("/echo", post(|body: Bytes| async move { body }))
        .route("/last", get(|| async { ([(header::CONNECTION, "close")], "last") }))
        .route("/endless", get(endless))
        .route("/nothing", get(|| async { axum::http::StatusCode::NO_CONTENT }))
}

/// Says that it is long and gives pieces as long as somebody takes them.
async fn endless() -> impl axum::response::IntoResponse {
    let pieces = futures::stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(&[7; 4096])));
    ([(header::CONTENT_LENGTH, u64::MAX)], Body::from_stream(pieces))
}

/// The other end of a connection, and the relay that stops.
fn connect(buffer: usize) -> (DuplexStream, Handle) {
    connect_to(router().into(), buffer)
}

fn connect_to(routes: Routes, buffer: usize) -> (DuplexStream, Handle) {
    let (near, far) = tokio::io::duplex(buffer);
    let handle = Handle::new();
    let mut listener = handle.listener();
    tokio::spawn(async move {
        let mut serving = pin!(serve(near, routes, SocketAddr::from(([127, 0, 0, 1], 1)), LONG, listener.clone()));
        // As whoever runs a connection does: a change of the phase has it polled.
        tokio::select! {
            () = serving.as_mut() => return,
            _ = listener.changed() => {}
        }
        serving.await;
    });
    (far, handle)
}

/// What comes back until the relay closes.
async fn said(text: &str, step: usize) -> String {
    said_by(router().into(), text, step).await
}

async fn said_by(routes: Routes, text: &str, step: usize) -> String {
    let (mut far, _handle) = connect_to(routes, 1 << 16);
    for piece in text.as_bytes().chunks(step) {
        far.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut said = Vec::new();
    timeout(LONG, far.read_to_end(&mut said)).await.expect("it closes").unwrap();
    let said = String::from_utf8(said).unwrap();
    // Each answer has one, and no test knows it.
    said.split("\r\n").filter(|line| !line.starts_with("date: ")).collect::<Vec<_>>().join("\r\n")
}

const CLOSE: &str = "GET /empty HTTP/1.1\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn requests_are_answered_in_order_however_they_are_cut() {
    let echo = "POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nfirst";
    let chunked = "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nsec\r\n3\r\nond\r\n0\r\n\r\n";
    let all = format!("\r\n{echo}{chunked}GET / HTTP/1.1\r\n\r\nHEAD / HTTP/1.1\r\n\r\nGET /nothing HTTP/1.1\r\n\r\n{CLOSE}");
    for step in [1, 2, 3, 11, all.len()] {
        let said = said(&all, step).await;
        let mut rest = said.as_str();
        for (head, body) in [
            ("200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: 5", "first"),
            ("200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: 6", "second"),
            ("200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 4", "here"),
            ("200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 4", ""),
            ("204 No Content", ""),
            ("200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 0\r\nconnection: close", ""),
        ] {
            let answer = format!("HTTP/1.1 {head}\r\n\r\n{body}");
            rest = rest.strip_prefix(&answer).unwrap_or_else(|| panic!("{step}: not {answer:?} but {rest:?}"));
        }
        assert_eq!(rest, "");
    }
}

#[tokio::test]
async fn an_old_client_gets_one_answer_unless_it_asks_for_more() {
    let said_to = |text: &'static str| async move { said(text, text.len()).await };
    let once = said_to("GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n").await;
    assert_eq!(once.matches("here").count(), 1);
    assert!(once.contains("connection: close"));
    let last = said_to("GET /last HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n").await;
    assert!(last.ends_with("connection: close\r\n\r\nlast"), "who answers may end it, too: {last}");
    let twice = said_to("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n").await;
    assert_eq!((twice.matches("here").count(), twice.matches("connection: keep-alive").count()), (2, 1));
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_passed_over_or_ends_the_connection() {
    let whole = format!("POST /unread HTTP/1.1\r\nContent-Length: 5\r\n\r\nwhole{CLOSE}");
    let said_whole = said(&whole, whole.len()).await;
    assert_eq!(said_whole.matches("HTTP/1.1 200").count(), 2, "{said_whole}");
    let part = "POST /unread HTTP/1.1\r\nContent-Length: 50000\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    let (mut far, _handle) = connect(1 << 16);
    far.write_all(part.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = far.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(answer.contains("connection: close") && answer.contains("unread") && !answer.contains("here"), "{answer}");
}

#[tokio::test]
async fn who_waits_to_be_asked_for_the_body_is_asked_only_if_it_is_read() {
    let head =
        |path: &str| format!("POST {path} HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n");
    let (mut far, _handle) = connect(1 << 16);
    far.write_all(head("/echo").as_bytes()).await.unwrap();
    let mut asked = [0; 25];
    far.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    far.write_all(b"body").await.unwrap();
    let mut rest = String::new();
    far.read_to_string(&mut rest).await.unwrap();
    assert!(rest.starts_with("HTTP/1.1 200") && rest.ends_with("body"), "{rest}");
    let unasked = head("/unread");
    let said = said(&unasked, unasked.len());
    let said = timeout(LONG, said).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
}

#[tokio::test]
async fn what_is_no_request_is_refused_once_and_the_connection_closed() {
    for (text, status) in [
        ("nonsense\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\nX\r\n\r\nGET / HTTP/1.1\r\n\r\n", "400 Bad Request"),
    ] {
        let said = said(text, text.len()).await;
        assert_eq!(said, format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"), "{text}");
    }
    let endless = format!("GET / HTTP/1.1\r\nX: {}", "y".repeat(70_000));
    assert!(said(&endless, 1000).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn who_goes_away_takes_the_request_along() {
    let (mut far, handle) = connect(1 << 16);
    far.write_all(b"GET /never HTTP/1.1\r\n\r\n").await.unwrap();
    tokio::task::yield_now().await;
    drop(far);
    // The connection's end of the handle is gone once its task is.
    timeout(LONG, handle.nobody_listens()).await.expect("nobody waits for it any more");
}

#[tokio::test]
async fn a_stop_closes_who_waits_and_lets_who_is_answered_finish() {
    let (mut idle, idles) = connect(1 << 16);
    tokio::task::yield_now().await;
    idles.stop();
    assert_eq!(timeout(LONG, idle.read(&mut [0])).await.unwrap().unwrap(), 0);
    let (mut far, handle) = connect(1 << 16);
    far.write_all(b"POST /echo HTTP/1.1\r\nContent-Length: 2\r\n\r\n1").await.unwrap();
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    handle.stop();
    far.write_all(b"2").await.unwrap();
    let mut rest = String::new();
    far.read_to_string(&mut rest).await.unwrap();
    assert!(rest.contains("connection: close") && rest.ends_with("12"), "{rest}");
}

/// What goes the shorter way, and what is unusual about the rest.
#[tokio::test]
async fn the_shorter_way_says_what_the_longer_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let relay = Relay::open(Config::new(folder.path())).await.unwrap();
    let (short, long) = (relay.routes(), Routes::from(relay.router()));
    let mut shorter = 0;
    for (line, headers, body) in [
        ("GET /v1/calls/x/audio?reader=1&poll=1&wait_ms=5", "Authorization: Bearer x\r\n", ""),
        ("GET /v1/calls/x/video?reader=1&poll=1", "Authorization: Basic x\r\nAccept: */*\r\n", ""),
        ("GET /v1/calls/x/video?reader=1&poll=0", "", ""),
        ("POST /v1/calls/x/audio", "Authorization: Bearer x\r\nContent-Length: 3\r\n", "abc"),
        ("POST /v1/calls/x/video", "Content-Length: 0\r\n", ""),
        ("POST /v1/calls/x/video", "", ""),
        ("POST /v1/calls/x/video?a=b", "Content-Length: 3\r\n", "abc"),
        ("POST /v1/calls/x/video", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"),
        ("POST /v1/calls/x/video", "Content-Length: 3\r\nContent-Length: 3\r\n", "abc"),
        ("GET /v1/calls/x/video?reader=1&poll=1", "Authorization: Bearer x\r\nAuthorization: Bearer y\r\n", ""),
        ("GET /v1/calls/x/video?reader=1&poll=1", "Connection: keep-alive\r\n", ""),
        ("GET /v1/calls/x/video?reader=x&poll=1", "", ""),
        ("GET /v1/calls/x/video", "", ""),
        ("GET /v1/calls/%78/video?reader=1&poll=1", "", ""),
        ("GET /v1/calls//video?reader=1&poll=1", "", ""),
        ("GET /v1/calls/x/y/video?reader=1&poll=1", "", ""),
        ("PUT /v1/calls/x/video?reader=1&poll=1", "", ""),
        ("GET /v1/health", "", ""),
    ] {
        let head = format!("{line} HTTP/1.1\r\n{headers}\r\n");
        let mut lines = [httparse::EMPTY_HEADER; 8];
        let mut parsed = httparse::Request::new(&mut lines);
        parsed.parse(head.as_bytes()).unwrap();
        shorter += u32::from(short.media(&parsed).is_some());
        assert!(long.media(&parsed).is_none());
        let text = format!("{head}{body}GET /v1/none HTTP/1.1\r\nConnection: close\r\n\r\n");
        let mut answers = Vec::new();
        for routes in [&short, &long] {
            let said = said_by(routes.clone(), &text, text.len()).await;
            // In whatever order the headers stand.
            let mut lines = said.split("\r\n").map(str::to_owned).collect::<Vec<_>>();
            lines.sort();
            answers.push(lines);
        }
        assert_eq!(answers[0], answers[1], "{head}");
    }
    assert_eq!(shorter, 5);
    relay.stop().await;
}

#[tokio::test]
async fn a_stream_goes_out_as_it_is_read_and_is_never_gathered() {
    let (mut far, _handle) = connect(1 << 12);
    far.write_all(b"GET /endless HTTP/1.1\r\n\r\n").await.unwrap();
    let mut some = vec![0; 100_000];
    timeout(LONG, far.read_exact(&mut some)).await.expect("the first pieces come at once").unwrap();
    assert!(some.starts_with(b"HTTP/1.1 200 OK\r\n") && some.ends_with(&[7; 1000]));
}

#[tokio::test]
async fn empty_lines_without_end_are_no_request() {
    let text = "\r\n".repeat(1000);
    assert!(said(&text, 7).await.starts_with("HTTP/1.1 400 "));
}
