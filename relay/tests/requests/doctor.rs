//! What a doctor asks of a relay: a source, a poll and a sink, each within bounds.

use std::time::{Duration, Instant};

use axum::{
    body::{Body, Bytes},
    http::Method,
};
use futures::StreamExt as _;
use proto::{
    ErrorCode,
    api::DoctorTook,
    limits::{DOCTOR_MAX, UPLOAD_MAX},
};
use relay::Rate;

use crate::{
    bench::{Bench, Reply},
    sockets::{Wire, blocking, serve},
};

async fn give(bench: &Bench, query: &str) -> Reply {
    bench.send(Method::GET, &format!("/v1/doctor?{query}"), None, Body::empty()).await
}

async fn take(bench: &Bench, body: impl Into<Body>) -> Reply {
    bench.send(Method::POST, "/v1/doctor", None, body).await
}

#[tokio::test]
async fn bytes_are_given_and_taken_without_a_token_within_bounds() {
    let bench = Bench::new().await;
    for bytes in [0, 1, DOCTOR_MAX] {
        let reply = give(&bench, &format!("bytes={bytes}")).await;
        assert_eq!((reply.body.len(), &reply.headers["content-type"]), (bytes, &"application/octet-stream".parse().unwrap()));
    }
    for bytes in [0, 1, UPLOAD_MAX] {
        let took: DoctorTook = take(&bench, vec![7; bytes]).await.read();
        assert_eq!(took.bytes, bytes as u64);
    }
    for query in [format!("bytes={}", DOCTOR_MAX + 1), "wait_ms=25001".into(), "spread_ms=5001".into(), "bytes=-1".into()] {
        assert_eq!(give(&bench, &query).await.code(), ErrorCode::BadRequest, "{query}");
    }
    assert_eq!(take(&bench, vec![7; UPLOAD_MAX + 1]).await.code(), ErrorCode::TooLarge);
    let untold = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[7; 4096])));
    assert_eq!(take(&bench, Body::from_stream(untold)).await.code(), ErrorCode::TooLarge, "one that never ends ends here");
}

#[tokio::test]
async fn nothing_makes_the_bytes_smaller() {
    let bench = Bench::new().await;
    let body = give(&bench, "bytes=65536").await.body;
    let mut counts = [0_u32; 256];
    body.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    assert!(counts.iter().all(|count| (150..400).contains(count)), "each value as often as any other: {counts:?}");
}

#[tokio::test]
async fn an_answer_is_held_and_spread_as_it_is_asked_for_on_a_connection() {
    let bench = Bench::new().await;
    let (address, _serving) = serve(&bench).await;
    blocking(move || {
        let mut wire = Wire::open(address);
        let began = Instant::now();
        wire.say("GET /v1/doctor?bytes=1&wait_ms=300 HTTP/1.1\r\nHost: relay\r\n\r\n");
        assert!(wire.answer().0.starts_with("http/1.1 200") && began.elapsed() >= Duration::from_millis(300));
        let began = Instant::now();
        wire.say("GET /v1/doctor?bytes=2000&spread_ms=450 HTTP/1.1\r\nHost: relay\r\n\r\n");
        let mut first = [0; 1];
        std::io::Read::read_exact(&mut wire.0, &mut first).unwrap();
        let head_came = began.elapsed();
        let mut rest = Vec::from(first);
        while !rest.windows(4).any(|end| end == b"\r\n\r\n") {
            std::io::Read::read_exact(&mut wire.0, &mut first).unwrap();
            rest.extend(first);
        }
        assert!(String::from_utf8_lossy(&rest).to_lowercase().contains("content-length: 2000"));
        std::io::Read::read_exact(&mut wire.0, &mut [0; 2000]).unwrap();
        let spread = began.elapsed() - head_came;
        assert!(spread >= Duration::from_millis(400), "{spread:?}");
    })
    .await;
}

#[tokio::test]
async fn who_uploads_slowly_is_told_over_how_long_it_came() {
    let bench = Bench::new().await;
    let pieces = futures::stream::iter(0..3).then(|at| async move {
        if at > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok::<_, std::io::Error>(Bytes::from_static(b"piece"))
    });
    let took: DoctorTook = take(&bench, Body::from_stream(pieces)).await.read();
    assert!(took.bytes == 15 && took.spread_ms >= 200, "{took:?}");
    let took: DoctorTook = take(&bench, "piece").await.read();
    assert_eq!(took, DoctorTook { bytes: 5, spread_ms: 0 });
}

#[tokio::test]
async fn all_together_ask_only_so_fast_and_hear_when_to_come_again() {
    let bench = Bench::with(|config| config.rates.doctor = Rate { burst: 2.0, per_second: 0.1 }).await;
    for _ in 0..10 {
        take(&bench, "x").await.read::<DoctorTook>();
    }
    let refused = take(&bench, "x").await;
    assert_eq!(refused.code(), ErrorCode::RateLimited);
    assert!(refused.retry_after_ms().is_some_and(|wait| wait > 0));
    assert_eq!(give(&bench, "bytes=1").await.code(), ErrorCode::RateLimited);
    let health = bench.send(Method::GET, "/v1/health", None, Body::empty()).await;
    assert_eq!(health.status, 200, "nothing else is refused");
}
