//! Bodies that are too long, too short, old or out of order.

use std::{io::Write, net::Shutdown};

use proto::{
    Chunk, Kind,
    limits::{CONTROL_MAX, UPLOAD_MAX},
};

use super::{beside_a_call, hasty, until_closed};
use crate::{
    bench::{Bench, chunk},
    sockets::{Wire, blocking, serve},
};

fn post(path: &str, token: &str, rest: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer {token}\r\n{rest}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_beyond_all_measure_is_refused_before_it_is_read() {
    beside_a_call(|address, token| {
        for (path, most) in [("/v1/chat", CONTROL_MAX), ("/v1/accounts", CONTROL_MAX), ("/v1/calls/x/video", UPLOAD_MAX)] {
            for length in [most + 1, 1 << 40] {
                let mut wire = Wire::open(address);
                wire.say(&post(path, token, &format!("Content-Length: {length}\r\n\r\n")));
                let (head, body) = wire.answer();
                assert!(head.starts_with("http/1.1 413") && body.contains("\"too_large\""), "{path} {length}: {head}{body}");
                // None of it will be read, so no further request can be found after it.
                until_closed(&mut wire);
            }
        }
        let mut wire = Wire::open(address);
        wire.say(&post("/v1/chat", token, "Transfer-Encoding: chunked\r\n\r\n"));
        let piece = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
        // Five of them are more than the route takes; the relay may close before the last.
        for _ in 0..8 {
            let _ = wire.0.write_all(piece.as_bytes());
        }
        let said = String::from_utf8_lossy(&until_closed(&mut wire)).into_owned();
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 413"), "{said}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_breaks_off_changes_nothing() {
    let bench = Bench::with(hasty).await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    let call = ana.call(&ben).await;
    ben.fetch(&call, Kind::Audio, 7, 1, 0).await;
    let (address, _serving) = serve(&bench).await;
    let (token, path) = (ana.token.clone(), format!("/v1/calls/{call}/audio"));
    blocking(move || {
        let both = [chunk(Kind::Audio, 1, 0, true), chunk(Kind::Audio, 1, 1, true)].concat();
        for half in [0, 1, both.len() / 2, both.len() - 1] {
            let mut wire = Wire::open(address);
            wire.say(&post(&path, &token, &format!("Content-Length: {}\r\n\r\n", both.len())));
            wire.send(&both[..half]);
            wire.0.shutdown(Shutdown::Write).unwrap();
            let said = String::from_utf8_lossy(&until_closed(&mut wire)).into_owned();
            assert!(said.is_empty() || said.starts_with("HTTP/1.1 400"), "{said}");
        }
    })
    .await;
    assert_eq!(ben.fetch(&call, Kind::Audio, 7, 2, 0).await.chunks(), []);
    bench.relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_replayed_and_shuffled_reach_the_reader_once_each() {
    const CHUNKS: u32 = 60;
    let bench = Bench::with(hasty).await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    let call = ana.call(&ben).await;
    ben.fetch(&call, Kind::Audio, 7, 1, 0).await;
    let (address, _serving) = serve(&bench).await;
    let tokens = [ana.token.clone(), ben.token.clone()];
    let path = format!("/v1/calls/{call}/audio");
    let mut seqs = blocking(move || {
        let [mut one, mut other, mut reader] = [(); 3].map(|()| Wire::open(address));
        let mut seqs = Vec::new();
        // Forward, backward and in strides, so that each comes three times and from everywhere.
        let forward = 0..CHUNKS;
        let strides = (0..CHUNKS).map(|at| at * 7 % CHUNKS);
        for (at, seq) in strides.chain(forward.clone().rev()).chain(forward).enumerate() {
            let (wire, body) = (if at % 2 == 0 { &mut one } else { &mut other }, chunk(Kind::Audio, 1, seq, true));
            wire.say(&post(&path, &tokens[0], &format!("Content-Length: {}\r\n\r\n", body.len())));
            wire.send(&body);
            let (head, _) = wire.answer();
            assert!(head.starts_with("http/1.1 200"), "{head}");
            // Read at once: what waits for half a second is passed over.
            reader.get(&format!("{path}?reader=7&poll={}", at + 2), &tokens[1]);
            let heard = Chunk::decode_all(reader.receive().1.into()).unwrap();
            seqs.extend(heard.into_iter().map(|chunk| chunk.header.seq));
        }
        seqs
    })
    .await;
    seqs.sort_unstable();
    assert_eq!(seqs, (0..CHUNKS).collect::<Vec<_>>());
    bench.relay.stop().await;
}
