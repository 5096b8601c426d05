//! Those who take their time.

use std::{
    io::{ErrorKind, Write},
    thread,
    time::{Duration, Instant},
};

use proto::{Chunk, Header, Kind, PeerId, TrackId, limits::PAYLOAD_MAX};

use super::{END, PATIENCE, beside_a_call, hasty, until_closed, witness::Witness};
use crate::{
    bench::Bench,
    sockets::{Wire, blocking, serve},
};

/// Of each kind at once.
const MANY: usize = 30;

/// Those who never read: the kernel may hold some megabytes for each.
const GREEDY: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_writes_a_byte_now_and_then_is_closed() {
    beside_a_call(|address, token| {
        let mut heads = (0..MANY).map(|_| Wire::open(address)).collect::<Vec<_>>();
        let mut bodies = (0..MANY).map(|_| Wire::open(address)).collect::<Vec<_>>();
        let begin = format!("POST /v1/buddies HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer {token}\r\n");
        for wire in &mut bodies {
            wire.say(&format!("{begin}Content-Length: 1000\r\n\r\n"));
        }
        // Slow enough that neither ever ends, quick enough that none is idle for long.
        for byte in begin.bytes().take(20) {
            for wire in heads.iter_mut().chain(&mut bodies) {
                // Once it is closed there is nobody to take it.
                let _ = wire.0.write_all(&[byte]);
            }
            thread::sleep(PATIENCE.head / 10);
        }
        for wire in &mut heads {
            let said = until_closed(wire);
            assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&said));
        }
        for wire in &mut bodies {
            let said = String::from_utf8_lossy(&until_closed(wire)).into_owned();
            assert!(said.is_empty() || said.contains("took too long"), "{said}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_and_never_reads_is_closed() {
    let bench = Bench::with(hasty).await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    let call = ana.call(&ben).await;
    let header = Header { track: TrackId { peer: PeerId(1), kind: Kind::Video }, seq: 0, media_time_us: 0, keyframe: true };
    let mut picture = bytes::BytesMut::new();
    Chunk { header, payload: vec![7; PAYLOAD_MAX].into() }.encode(&mut picture);
    ana.upload(&call, Kind::Video, picture.to_vec()).await.read::<proto::api::Feedback>();
    let (address, _serving) = serve(&bench).await;
    // The same large answer again and again: as if each had been lost on the way.
    let path = format!("/v1/calls/{call}/video?reader=1&poll=1");
    let question = format!("GET {path} HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer {}\r\n\r\n", ben.token);
    blocking(move || {
        Witness::new(address).beside(|| {
            let mut greedy = (0..GREEDY).map(|_| (Wire::open(address), 0)).collect::<Vec<_>>();
            for (wire, _) in &greedy {
                wire.0.set_nonblocking(true).unwrap();
            }
            // Asks on until the relay has lost its patience with all of them: what the kernels hold for both sides is full by then.
            let until = Instant::now() + END;
            while !greedy.is_empty() {
                assert!(Instant::now() < until, "{} are still waited for", greedy.len());
                greedy.retain_mut(|(wire, said)| match wire.0.write(&question.as_bytes()[*said..]) {
                    Ok(written) => {
                        *said = (*said + written) % question.len();
                        true
                    }
                    Err(error) => error.kind() == ErrorKind::WouldBlock,
                });
                thread::sleep(Duration::from_millis(1));
            }
        });
    })
    .await;
    bench.relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_says_nothing_is_closed() {
    beside_a_call(|address, _| {
        let mut wires = (0..MANY).map(|_| Wire::open(address)).collect::<Vec<_>>();
        for wire in &mut wires {
            assert_eq!(until_closed(wire), b"");
        }
    })
    .await;
}
