//! A fake relay that says so, with something bad before it: what a doctor asks is answered as a relay does, but for the one fault.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use proto::{
    ErrorCode,
    api::{AskDoctor, DoctorTook, Health},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::fake::{broken, json, refusal};

/// What is bad about the way. Nothing, unless something is said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    /// Larger uploads are refused by a page with 413.
    pub(crate) upload_max: Option<usize>,
    /// Larger uploads are cut without a word.
    pub(crate) upload_cut: Option<usize>,
    /// What is held for longer is cut.
    pub(crate) cut_after: Option<Duration>,
    /// Bodies are passed on only when they are whole.
    pub(crate) gathers: bool,
    /// Each answer begins so much later.
    pub(crate) delay: Duration,
    /// Each so-manieth answer begins so much later.
    pub(crate) late: Option<(usize, Duration)>,
    /// The relay is older than doctors.
    pub(crate) old: bool,
    /// It is a proxy, too, and wants this in `Proxy-Authorization`.
    pub(crate) password: Option<&'static str>,
}

/// Serves until the test's runtime ends.
pub(crate) async fn relay(faults: Faults) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let router = Router::new().fallback(move |request: Request| {
        let (faults, count) = (faults.clone(), count.fetch_add(1, Ordering::Relaxed));
        async move { answer(request, &faults, count).await }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn answer(request: Request, faults: &Faults, count: usize) -> Response {
    let said = request.headers().get(header::PROXY_AUTHORIZATION).map(|said| said.to_str().unwrap().to_owned());
    if faults.password.is_some() && said.as_deref() != faults.password {
        let asks = [(header::PROXY_AUTHENTICATE, "Basic realm=\"net\"")];
        return (StatusCode::PROXY_AUTHENTICATION_REQUIRED, asks, "who are you?").into_response();
    }
    let late = faults.late.filter(|(every, _)| count.is_multiple_of(*every)).map_or(Duration::ZERO, |(_, late)| late);
    let answer = match (request.method(), request.uri().path()) {
        (&Method::GET, "/v1/health") => {
            json(&Health { status: "ok".to_owned(), version: "1".to_owned(), protocol: vec![1], oidc: None })
        }
        (_, "/v1/doctor") if faults.old => refusal(ErrorCode::NotFound, None),
        (&Method::GET, "/v1/doctor") => give(request, faults).await,
        (&Method::POST, "/v1/doctor") => take(request, faults).await,
        _ => refusal(ErrorCode::NotFound, None),
    };
    tokio::time::sleep(faults.delay + late).await;
    answer
}

async fn give(request: Request, faults: &Faults) -> Response {
    let query = url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
    let mut ask = AskDoctor::default();
    for (key, value) in query {
        let value = value.parse().unwrap();
        match &*key {
            "bytes" => ask.bytes = value,
            "wait_ms" => ask.wait_ms = value,
            "spread_ms" => ask.spread_ms = value,
            _ => panic!("{key}"),
        }
    }
    let wait = Duration::from_millis(ask.wait_ms);
    if let Some(cut) = faults.cut_after.filter(|cut| *cut < wait) {
        tokio::time::sleep(cut).await;
        return broken();
    }
    tokio::time::sleep(wait).await;
    let (piece, pause) = ((ask.bytes / 10) as usize, Duration::from_millis(ask.spread_ms / 9));
    if ask.spread_ms == 0 || faults.gathers {
        tokio::time::sleep(Duration::from_millis(ask.spread_ms)).await;
        return vec![7; ask.bytes as usize].into_response();
    }
    let pieces = futures::stream::iter(0..10).then(move |at| async move {
        if at > 0 {
            tokio::time::sleep(pause).await;
        }
        Ok::<_, std::io::Error>(vec![7; piece])
    });
    ([(header::CONTENT_LENGTH, ask.bytes)], Body::from_stream(pieces)).into_response()
}

async fn take(request: Request, faults: &Faults) -> Response {
    let mut pieces = request.into_body().into_data_stream();
    let (mut bytes, mut first, mut last) = (0, None, None);
    while let Some(Ok(piece)) = pieces.next().await {
        let now = Instant::now();
        (bytes, first, last) = (bytes + piece.len(), first.or(Some(now)), Some(now));
    }
    if faults.upload_max.is_some_and(|max| bytes > max) {
        let page = [(header::CONTENT_TYPE, "text/html")];
        return (StatusCode::PAYLOAD_TOO_LARGE, page, "<h1>413 Request Entity Too Large</h1>").into_response();
    }
    if faults.upload_cut.is_some_and(|max| bytes > max) {
        return broken();
    }
    let spread = first.zip(last).map_or(Duration::ZERO, |(first, last)| last - first);
    let spread = if faults.gathers { Duration::ZERO } else { spread };
    json(&DoctorTook { bytes: bytes as u64, spread_ms: spread.as_millis() as u64 })
}

/// A line to this address that takes so many bytes a second, one way.
pub(crate) async fn narrow(relay: SocketAddr, bytes_per_second: u32) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(relay).await.unwrap();
            let ((mut up, mut back), (mut answers, mut onward)) = (near.into_split(), far.into_split());
            tokio::spawn(async move { tokio::io::copy(&mut answers, &mut back).await });
            tokio::spawn(async move {
                let mut piece = [0; 512];
                while let Ok(read @ 1..) = up.read(&mut piece).await {
                    tokio::time::sleep(Duration::from_secs(read as u64) / bytes_per_second).await;
                    if onward.write_all(&piece[..read]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}
