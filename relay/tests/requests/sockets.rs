//! What only shows on a real connection.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use proto::{ErrorCode, Event, Kind};

use crate::bench::Bench;

/// A connection that says exactly what it is told to.
struct Wire(TcpStream);

impl Wire {
    fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self(stream)
    }

    fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }

    fn get(&mut self, path: &str, token: &str) {
        self.say(&format!("GET {path} HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer {token}\r\n\r\n"));
    }

    /// One answer: its head in lower case and its body.
    fn answer(&mut self) -> (String, String) {
        let mut bytes = Vec::new();
        let end = loop {
            let mut byte = [0];
            assert_eq!(self.0.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&bytes));
            bytes.push(byte[0]);
            if bytes.ends_with(b"\r\n\r\n") {
                break String::from_utf8(bytes).unwrap().to_lowercase();
            }
        };
        let length = end.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("every answer has a length");
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).unwrap();
        (end, String::from_utf8_lossy(&body).into_owned())
    }
}

async fn serve(bench: &Bench) -> (SocketAddr, tokio::task::JoinHandle<Result<(), relay::Error>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let relay = bench.relay.clone();
    (address, tokio::spawn(async move { relay.serve(listener).await }))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test]
async fn every_answer_is_complete_and_an_empty_poll_has_length_zero() {
    let bench = Bench::new().await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    let call = ana.call(&ben).await;
    let (address, _serving) = serve(&bench).await;
    let token = ana.token.clone();
    blocking(move || {
        let mut wire = Wire::open(address);
        wire.get(&format!("/v1/calls/{call}/audio?reader=1&poll=1&wait_ms=10"), &token);
        let (head, body) = wire.answer();
        assert!(head.starts_with("http/1.1 200 ok\r\n") && head.contains("\r\ncontent-length: 0\r\n"), "{head}");
        assert!(head.contains("\r\ncache-control: no-store\r\n") && body.is_empty());
        wire.get("/v1/state", &token);
        let (head, body) = wire.answer();
        assert!(!head.contains("transfer-encoding") && body.starts_with('{'), "{head}");
        wire.say("GET /v1/nowhere HTTP/1.1\r\nHost: relay\r\n\r\n");
        let (head, body) = wire.answer();
        assert!(head.starts_with("http/1.1 404") && body.contains("not_found"));
        wire.say("nonsense\r\n\r\n");
        assert!(wire.answer().0.starts_with("http/1.1 400"));
    })
    .await;
    bench.relay.stop().await;
}

#[tokio::test]
async fn a_client_that_breaks_off_gives_its_parked_poll_back() {
    let bench = Bench::new().await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    let call = ana.call(&ben).await;
    let (address, _serving) = serve(&bench).await;
    let (token, path) = (ben.token.clone(), format!("/v1/calls/{call}/audio?reader=1&poll=1&wait_ms=20000"));
    let wire = blocking(move || {
        let mut wire = Wire::open(address);
        wire.get(&path, &token);
        wire
    })
    .await;
    // Parked polls count as readers; once the connection is gone only the time since the last poll does.
    let mut seq = 0;
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let feedback = ana.publish(&call, Kind::Video, 1, seq, true).await;
        seq += 1;
        if feedback.readers == 0 && ana.publish(&call, Kind::Audio, 1, 0, true).await.readers == 1 {
            break;
        }
        assert!(Instant::now() < deadline);
    }
    drop(wire);
    assert_eq!(ben.fetch(&call, Kind::Audio, 1, 1, 5_000).await.chunks(), [(1, 0)], "what it was answered can be had again");
    bench.relay.stop().await;
}

#[tokio::test]
async fn a_stop_says_goodbye_answers_whoever_waits_and_refuses_the_rest() {
    let bench = Bench::new().await;
    let (mut ana, ben) = bench.buddies("Ana", "Ben").await;
    let call = ana.call(&ben).await;
    ana.show_up().await;
    let (address, serving) = serve(&bench).await;
    let (events, media) = (
        format!("/v1/events?after={}&wait_ms=20000", ana.cursor),
        format!("/v1/calls/{call}/video?reader=1&poll=1&wait_ms=20000"),
    );
    let token = ana.token.clone();
    let (ready, waiting) = tokio::sync::oneshot::channel();
    let client = tokio::task::spawn_blocking(move || {
        let (mut lane, mut feed) = (Wire::open(address), Wire::open(address));
        lane.get(&media, &token);
        feed.get(&events, &token);
        ready.send(()).unwrap();
        let (head, body) = feed.answer();
        assert!(head.starts_with("http/1.1 200"));
        let events: proto::api::Events = serde_json::from_str(&body).unwrap();
        assert!(matches!(events.events.last(), Some(Event::Goodbye { retry_after_ms: 1.. })), "{events:?}");
        assert!(lane.answer().0.starts_with("http/1.1 200"));
    });
    waiting.await.unwrap();
    // The relay has both polls once the publisher sees a reader and the event poll was counted.
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut seq = 0;
    while ben.publish(&call, Kind::Audio, 2, seq, true).await.readers == 0 && seq < 3 {
        seq += 1;
        assert!(Instant::now() < deadline);
    }
    let start = Instant::now();
    bench.relay.stop().await;
    assert!(start.elapsed() < Duration::from_secs(3));
    client.await.unwrap();
    serving.await.unwrap().unwrap();
    let refused = ben.get("/v1/state").await;
    assert_eq!(refused.code(), ErrorCode::ShuttingDown);
    assert!(refused.retry_after_ms().is_some());
    assert!(blocking(move || TcpStream::connect(address)).await.is_err());
}

#[tokio::test]
async fn only_so_many_connections_are_let_in() {
    let bench = Bench::with(|config| config.connections = 1).await;
    let (address, _serving) = serve(&bench).await;
    blocking(move || {
        let mut first = Wire::open(address);
        first.say("GET /v1/health HTTP/1.1\r\nHost: relay\r\n\r\n");
        assert!(first.answer().0.starts_with("http/1.1 200"));
        let mut second = Wire::open(address);
        assert!(matches!(second.0.read(&mut [0]), Ok(0) | Err(_)), "it is closed without a word");
        drop(first);
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let mut third = Wire::open(address);
            third.say("GET /v1/health HTTP/1.1\r\nHost: relay\r\n\r\n");
            if third.0.read(&mut [0]).is_ok_and(|read| read == 1) {
                break;
            }
            assert!(Instant::now() < deadline);
        }
    })
    .await;
    bench.relay.stop().await;
}
