//! A fake relay that says so: an axum server on a loopback port whose every answer the test decides, and a cable to it that
//! can be cut, mended and clogged.

use std::{
    collections::HashMap,
    future::Future,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use proto::{Chunk, ErrorCode, Header, Kind, PeerId, TrackId};
use tokio::{
    io,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: HashMap<String, String>,
    pub(crate) authorization: Option<String>,
    pub(crate) range: Option<String>,
    pub(crate) length: Option<u64>,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn number(&self, name: &str) -> u64 {
        self.query[name].parse().unwrap()
    }

    /// Whether it is a media poll of this kind.
    pub(crate) fn is_poll(&self, kind: Kind) -> bool {
        self.method == Method::GET && self.path.ends_with(kind.as_str())
    }

    /// Whether it is an upload of this kind.
    pub(crate) fn is_upload(&self, kind: Kind) -> bool {
        self.method == Method::POST && self.path.ends_with(kind.as_str())
    }
}

/// The fake relay; it ends with the test's runtime.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    pub(crate) url: String,
}

impl Fake {
    /// Every request is answered by `answer`.
    pub(crate) async fn serve<F, Fut>(answer: F) -> Self
    where
        F: Fn(Seen) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Response> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(move |request: Request| {
            let answer = answer.clone();
            async move { answer(read(request).await).await }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, url: format!("http://{address}") }
    }
}

async fn read(request: Request) -> Seen {
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default();
    let text = |name| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    Seen {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        authorization: text(header::AUTHORIZATION),
        range: text(header::RANGE),
        length: text(header::CONTENT_LENGTH).map(|length| length.parse().unwrap()),
        body: axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default(),
    }
}

/// JSON as the relay gives it.
pub(crate) fn json<T: serde::Serialize>(body: &T) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], serde_json::to_vec(body).unwrap()).into_response()
}

/// A refusal as the relay gives it.
pub(crate) fn refusal(code: ErrorCode, retry_after_ms: Option<u64>) -> Response {
    let detail = proto::error::ErrorDetail { code, message: format!("Refused: {code:?}."), retry_after_ms };
    (StatusCode::from_u16(code.status()).unwrap(), json(&proto::ErrorBody { error: detail })).into_response()
}

/// Chunks as the relay gives them.
pub(crate) fn chunks(chunks: &[Chunk]) -> Response {
    let mut body = BytesMut::new();
    for chunk in chunks {
        chunk.encode(&mut body);
    }
    ([(header::CONTENT_TYPE, "application/octet-stream")], body.freeze()).into_response()
}

/// An answer whose connection breaks halfway through.
pub(crate) fn broken() -> Response {
    let half = Ok::<_, io::Error>(Bytes::from_static(b"TV\x01"));
    let body = Body::from_stream(futures::stream::iter([half, Err(io::Error::other("the fake relay lets go"))]));
    ([(header::CONTENT_LENGTH, "1000")], body).into_response()
}

/// No answer at all.
pub(crate) async fn never() -> Response {
    std::future::pending().await
}

/// A chunk of some peer.
pub(crate) fn chunk(peer: u16, kind: Kind, seq: u32) -> Chunk {
    let track = TrackId { peer: PeerId(peer), kind };
    Chunk { header: Header { track, seq, media_time_us: 0, keyframe: true }, payload: seq.to_be_bytes().to_vec().into() }
}

/// The way to a fake relay, at an address of its own.
pub(crate) struct Cable {
    pub(crate) url: String,
    address: SocketAddr,
    relay: SocketAddr,
    clogged: Arc<Mutex<watch::Sender<bool>>>,
    forwarding: Option<JoinHandle<()>>,
}

impl Cable {
    pub(crate) async fn to(fake: &Fake) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut cable =
            Self { url: format!("http://{address}"), address, relay: fake.address, clogged: Arc::default(), forwarding: None };
        cable.forward(listener);
        cable
    }

    /// Breaks all connections and refuses new ones.
    pub(crate) async fn cut(&mut self) {
        let forwarding = self.forwarding.take().unwrap();
        forwarding.abort();
        let _ = forwarding.await;
    }

    /// Takes connections again.
    pub(crate) async fn mend(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.forward(listener);
    }

    /// The connections of now carry nothing any more, though they stay open; new ones do.
    pub(crate) fn clog(&self) {
        let old = std::mem::replace(&mut *self.clogged.lock().unwrap(), watch::Sender::new(false));
        old.send_replace(true);
        // Dropping the sender would look like being clogged too, but it says less clearly what is meant.
        std::mem::forget(old);
    }

    fn forward(&mut self, listener: TcpListener) {
        let (relay, clogged) = (self.relay, self.clogged.clone());
        self.forwarding = Some(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (near, _) = listener.accept().await.unwrap();
                let clogged = clogged.lock().unwrap().subscribe();
                connections.spawn(carry(near, relay, clogged));
            }
        }));
    }
}

async fn carry(mut near: TcpStream, relay: SocketAddr, mut clogged: watch::Receiver<bool>) {
    let Ok(mut far) = TcpStream::connect(relay).await else { return };
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    tokio::select! {
        _ = io::copy_bidirectional(&mut near, &mut far) => return,
        _ = clogged.wait_for(|clogged| *clogged) => {}
    }
    // Both ends stay open and silent until the cable is cut.
    std::future::pending::<()>().await;
}
