//! What only shows on a real connection.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use proto::{ErrorCode, Event, Kind};

use relay::Rate;

use crate::bench::Bench;

/// A connection that says exactly what it is told to.
pub(crate) struct Wire(pub(crate) TcpStream);

impl Wire {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self(stream)
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    pub(crate) fn get(&mut self, path: &str, token: &str) {
        self.say(&format!("GET {path} HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer {token}\r\n\r\n"));
    }

    /// One answer: its head in lower case and its body.
    pub(crate) fn answer(&mut self) -> (String, String) {
        let (head, body) = self.receive();
        (head, String::from_utf8_lossy(&body).into_owned())
    }

    /// The same with a body that is no text.
    pub(crate) fn receive(&mut self) -> (String, Vec<u8>) {
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
        (end, body)
    }
}

pub(crate) async fn serve(bench: &Bench) -> (SocketAddr, tokio::task::JoinHandle<Result<(), relay::Error>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let relay = bench.relay.clone();
    (address, tokio::spawn(async move { relay.serve(vec![listener]).await }))
}

pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
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
async fn what_went_down_with_a_connection_can_be_had_again() {
    let unlimited = Rate { burst: 1e9, per_second: 1e9 };
    let bench = Bench::with(|config| config.rates.uploads = unlimited).await;
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
    // The first chunk that finds a reader answers its poll.
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut seq = 0;
    while ana.publish(&call, Kind::Audio, 1, seq, true).await.readers == 0 {
        assert!(Instant::now() < deadline);
        seq += 1;
        tokio::task::yield_now().await;
    }
    drop(wire);
    assert_eq!(ben.fetch(&call, Kind::Audio, 1, 1, 0).await.chunks(), [(1, seq)]);
    assert_eq!(ben.fetch(&call, Kind::Audio, 1, 2, 0).await.chunks(), []);
    bench.relay.stop().await;
}

#[tokio::test]
async fn a_stop_answers_every_poll_that_waits() {
    let bench = Bench::new().await;
    let (mut ana, ben) = bench.buddies("Ana", "Ben").await;
    let call = ana.call(&ben).await;
    ana.show_up().await;
    let (audio, video, events, ()) = tokio::join!(
        ana.fetch(&call, Kind::Audio, 1, 1, 20_000),
        ana.fetch(&call, Kind::Video, 1, 1, 20_000),
        ana.poll_after(&ana.cursor, 20_000),
        bench.relay.stop()
    );
    assert_eq!((audio.chunks(), video.chunks()), (vec![], vec![]));
    let events = events.read::<proto::api::Events>().events;
    assert!(matches!(events[..], [Event::Goodbye { retry_after_ms: 1.. }]), "{events:?}");
    let refused = ben.get("/v1/state").await;
    assert_eq!(refused.code(), ErrorCode::ShuttingDown);
    assert!(refused.retry_after_ms().is_some());
}

#[tokio::test]
async fn a_stop_lets_answers_out_and_nobody_in() {
    let bench = Bench::new().await;
    let (ana, mut ben) = bench.buddies("Ana", "Ben").await;
    let second = bench.sign_in("Ana").await;
    ana.delete("/v1/session").await.read::<serde_json::Value>();
    ben.show_up().await;
    let cursor = second.state().await.cursor;
    let (address, serving) = serve(&bench).await;
    let token = second.token.clone();
    let client = tokio::task::spawn_blocking(move || {
        let mut wire = Wire::open(address);
        wire.get(&format!("/v1/events?after={cursor}&wait_ms=20000"), &token);
        wire.answer()
    });
    // Ana is seen once her poll is there.
    assert!(matches!(ben.next().await[..], [Event::Presence { .. }]));
    let start = Instant::now();
    bench.relay.stop().await;
    assert!(start.elapsed() < Duration::from_secs(3));
    let (head, body) = client.await.unwrap();
    assert!(head.starts_with("http/1.1 200") && body.contains("goodbye"), "{head}{body}");
    serving.await.unwrap().unwrap();
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
