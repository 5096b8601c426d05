//! What the relay tells those who look after it.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Method, Request, StatusCode},
};
use proto::{ErrorCode, Kind};
use relay::MetricsAccess;
use serde_json::{Value, json};

use crate::bench::{Bench, Reply};

const TOKEN: &str = "0123456789abcdef";

async fn get(bench: &Bench, path: &str) -> Reply {
    bench.send(Method::GET, path, None, Body::empty()).await
}

async fn metrics_from(bench: &Bench, from: &str, authorization: Option<&str>) -> Reply {
    let mut request = Request::builder().uri("/metrics").extension(ConnectInfo(from.parse::<SocketAddr>().unwrap()));
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    bench.raw(request.body(Body::empty()).unwrap()).await
}

fn text(reply: &Reply) -> String {
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    String::from_utf8(reply.body.to_vec()).unwrap()
}

#[tokio::test]
async fn a_relay_is_ready_until_it_stops_and_there_until_it_is_gone() {
    let bench = Bench::new().await;
    assert_eq!(text(&get(&bench, "/healthz").await), "ok\n");
    let ready = get(&bench, "/readyz").await;
    assert_eq!(ready.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(text(&ready), "ready\n");
    bench.relay.stop().await;
    assert_eq!(text(&get(&bench, "/healthz").await), "ok\n");
    let stopping = get(&bench, "/readyz").await;
    assert_eq!((stopping.status, &stopping.body[..]), (StatusCode::SERVICE_UNAVAILABLE, &b"stopping\n"[..]));
}

#[tokio::test]
async fn nobody_reads_measurements_that_were_not_asked_for() {
    let bench = Bench::new().await;
    assert_eq!(get(&bench, "/metrics").await.code(), ErrorCode::NotFound);
    assert_eq!(metrics_from(&bench, "127.0.0.1:1", Some(&format!("Bearer {TOKEN}"))).await.code(), ErrorCode::NotFound);
}

#[tokio::test]
async fn without_a_token_measurements_are_for_this_machine() {
    let bench = Bench::with(|config| config.metrics = Some(MetricsAccess::loopback())).await;
    for from in ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        text(&metrics_from(&bench, from, None).await);
    }
    for from in ["192.0.2.1:1", "[2001:db8::1]:1", "10.0.0.1:1"] {
        assert_eq!(metrics_from(&bench, from, None).await.code(), ErrorCode::Forbidden, "{from}");
    }
}

#[tokio::test]
async fn with_a_token_measurements_are_for_who_has_it_wherever_they_are() {
    let bench = Bench::with(|config| config.metrics = Some(MetricsAccess::token(TOKEN))).await;
    let ana = bench.person("Ana").await;
    let right = format!("Bearer {TOKEN}");
    text(&metrics_from(&bench, "192.0.2.1:1", Some(&right)).await);
    let (longer, session) = (format!("{right}0"), format!("Bearer {}", ana.token));
    for wrong in [None, Some("Bearer"), Some("Basic 0123456789abcdef"), Some(&*longer), Some(&*session)] {
        for from in ["192.0.2.1:1", "127.0.0.1:1"] {
            let refused = metrics_from(&bench, from, wrong).await;
            assert_eq!(refused.code(), ErrorCode::Unauthorized, "{wrong:?}");
            assert_eq!(refused.headers["www-authenticate"], "Bearer");
        }
    }
    assert_eq!(bench.send(Method::GET, "/v1/state", Some(TOKEN), Body::empty()).await.code(), ErrorCode::Unauthorized);
}

#[tokio::test]
async fn measurements_say_how_much_goes_on_and_not_who_does_it() {
    let bench = Bench::with(|config| config.metrics = Some(MetricsAccess::loopback())).await;
    let (ana, mut ben) = bench.buddies("Ana", "Ben").await;
    let call = ana.call(&ben).await;
    ana.publish(&call, Kind::Video, 1, 0, true).await;
    ana.publish(&call, Kind::Video, 1, 1, false).await;
    assert_eq!(ben.fetch(&call, Kind::Video, 7, 1, 0).await.chunks().len(), 2);
    let wrong = json!({"name": "Ana", "password": "wrong horse", "versions": [1]});
    assert_eq!(bench.post("/v1/session", None, wrong).await.code(), ErrorCode::WrongPassword);
    get(&bench, "/v1/Ana").await;
    bench.sign_in("Ana").await;
    let page = get(&bench, "/metrics").await;
    assert_eq!(page.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let page = text(&page);
    for line in [
        "# TYPE tvphone_calls gauge",
        "tvphone_calls 1",
        "tvphone_people_online 2",
        "tvphone_sessions{present=\"yes\"} 2",
        "tvphone_sessions{present=\"no\"} 1",
        "tvphone_sign_ins_total{outcome=\"ok\"} 3",
        "tvphone_sign_ins_total{outcome=\"failed\"} 1",
        "tvphone_chunks_in_total{lane=\"video\"} 2",
        "tvphone_chunk_bytes_in_total{lane=\"video\"} 248",
        "tvphone_chunks_out_total{lane=\"video\"} 2",
        "tvphone_chunk_bytes_out_total{lane=\"video\"} 248",
        "tvphone_chunks_out_total{lane=\"audio\"} 0",
        "tvphone_polls_parked{lane=\"events\"} 0",
        "tvphone_connections 0",
        "tvphone_connections_refused_total 0",
        "# TYPE tvphone_requests_total counter",
        "tvphone_requests_total{method=\"POST\",route=\"/v1/calls/{id}/video\",status=\"200\"} 2",
        "tvphone_requests_total{method=\"POST\",route=\"/v1/session\",status=\"401\"} 1",
        "tvphone_requests_total{method=\"GET\",route=\"other\",status=\"404\"} 1",
    ] {
        assert!(page.lines().any(|there| there == line), "{line} is missing in\n{page}");
    }
    let told = page.lines().find_map(|line| line.strip_prefix("tvphone_events_told_total ")).unwrap();
    assert!(told.parse::<u64>().unwrap() > 2, "{page}");
    for secret in ["Ana", "Ben", call.as_str(), &ana.token, "127.0.0.1"] {
        assert!(!page.contains(secret), "{page}");
    }
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<u64>().is_ok() && series.starts_with("tvphone_"), "{line}");
        let name = series.split('{').next().unwrap();
        assert!(page.contains(&format!("# TYPE {name} ")) && page.contains(&format!("# HELP {name} ")), "{line}");
    }
    ben.show_up().await;
    ben.post(&format!("/v1/calls/{call}/leave"), json!({})).await.read::<Value>();
    assert!(text(&get(&bench, "/metrics").await).contains("\ntvphone_calls 0\n"));
}

#[tokio::test]
async fn a_poll_that_waits_is_measured_as_waiting() {
    let bench = Bench::with(|config| config.metrics = Some(MetricsAccess::loopback())).await;
    let (mut ana, ben) = bench.buddies("Ana", "Ben").await;
    let call = ana.call(&ben).await;
    ana.show_up().await;
    let measured = async {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let page = text(&get(&bench, "/metrics").await);
            if ["events", "audio"].iter().all(|lane| page.contains(&format!("tvphone_polls_parked{{lane=\"{lane}\"}} 1\n"))) {
                break;
            }
            assert!(Instant::now() < deadline, "{page}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bench.relay.stop().await;
    };
    let (events, audio, ()) =
        tokio::join!(ana.poll_after(&ana.cursor, 20_000), ana.fetch(&call, Kind::Audio, 7, 1, 20_000), measured);
    assert_eq!((events.status, audio.chunks()), (StatusCode::OK, vec![]));
    assert!(text(&get(&bench, "/metrics").await).contains("tvphone_polls_parked{lane=\"events\"} 0\n"), "while it stops, too");
}
