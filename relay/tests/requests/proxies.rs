//! Trusted proxies: requests are counted by the addresses they say, and by nobody else's word.

use std::net::SocketAddr;

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Request, StatusCode},
};
use proto::ErrorCode::{self, RateLimited, WrongPassword};
use relay::{Config, ForwardedHeader, MetricsAccess, Rate};
use serde_json::json;

use crate::bench::{Bench, Reply};

/// Two guesses of a password a place, and a proxy at 10.0.0.7.
fn behind_a_proxy(config: &mut Config) {
    config.proxies.networks = vec!["10.0.0.0/8".parse().unwrap()];
    config.rates.sign_in = Rate { burst: 2.0, per_second: 0.001 };
}

async fn sign_in(bench: &Bench, peer: &str, header: (&str, &str)) -> Reply {
    let body = serde_json::to_vec(&json!({"name": "Nobody", "password": "x", "versions": [1]})).unwrap();
    let request = Request::post("/v1/session").header(header.0, header.1);
    let request = request.extension(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
    bench.raw(request.body(Body::from(body)).unwrap()).await
}

async fn codes(bench: &Bench, peer: &str, headers: &[(&str, &str)]) -> Vec<ErrorCode> {
    let mut codes = Vec::new();
    for header in headers {
        codes.push(sign_in(bench, peer, *header).await.code());
    }
    codes
}

#[tokio::test]
async fn people_behind_a_trusted_proxy_are_counted_each_for_themselves() {
    let bench = Bench::with(behind_a_proxy).await;
    let from = |client: &'static str| ("x-forwarded-for", client);
    let (ana, ben) = (from("192.0.2.1"), from("192.0.2.2"));
    assert_eq!(codes(&bench, "10.0.0.7", &[ana, ana, ana]).await, [WrongPassword, WrongPassword, RateLimited]);
    assert_eq!(codes(&bench, "10.0.0.7", &[ben]).await, [WrongPassword]);
    // What a client writes in front of it changes nothing.
    let lies = ["203.0.113.1, 192.0.2.1", "203.0.113.2, 192.0.2.1, 10.1.1.1", "\", 192.0.2.1"].map(from);
    assert_eq!(codes(&bench, "10.0.0.8", &lies).await, [RateLimited; 3]);
}

#[tokio::test]
async fn whoever_is_no_trusted_proxy_is_counted_by_their_own_address() {
    let bench = Bench::with(behind_a_proxy).await;
    let lies = ["203.0.113.1", "203.0.113.2", "203.0.113.3"].map(|lie| ("x-forwarded-for", lie));
    assert_eq!(codes(&bench, "192.0.2.1", &lies).await, [WrongPassword, WrongPassword, RateLimited]);
    // Nor is the loopback one unless the configuration says so: it isn't counted at all.
    assert_eq!(codes(&bench, "127.0.0.1", &[lies[0]; 4]).await, [WrongPassword; 4]);
}

#[tokio::test]
async fn only_the_header_that_the_proxy_writes_counts() {
    let bench = Bench::with(|config| {
        behind_a_proxy(config);
        config.proxies.header = ForwardedHeader::Forwarded;
    })
    .await;
    let client = ("forwarded", "for=192.0.2.1;proto=https");
    assert_eq!(codes(&bench, "10.0.0.7", &[client, client, client]).await, [WrongPassword, WrongPassword, RateLimited]);
    let other = ["203.0.113.1", "203.0.113.2", "203.0.113.3"].map(|lie| ("x-forwarded-for", lie));
    assert_eq!(codes(&bench, "10.0.0.7", &other).await, [WrongPassword, WrongPassword, RateLimited], "by the proxy itself");
}

#[tokio::test]
async fn who_comes_through_a_proxy_on_this_machine_is_not_this_machine() {
    let bench = Bench::with(|config| {
        config.proxies.networks = vec!["127.0.0.1".parse().unwrap()];
        config.metrics = Some(MetricsAccess::loopback());
    })
    .await;
    for (forwarded, status) in
        [(None, StatusCode::OK), (Some("192.0.2.1"), StatusCode::FORBIDDEN), (Some("127.0.0.1"), StatusCode::FORBIDDEN)]
    {
        let peer = ConnectInfo("127.0.0.1:1".parse::<SocketAddr>().unwrap());
        let mut request = Request::get("/metrics").extension(peer);
        if let Some(forwarded) = forwarded {
            request = request.header("x-forwarded-for", forwarded);
        }
        assert_eq!(bench.raw(request.body(Body::empty()).unwrap()).await.status, status, "{forwarded:?}");
    }
}
