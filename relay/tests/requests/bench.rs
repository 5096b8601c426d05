//! A relay on a folder of its own, and people who ask it things.

use std::{path::Path, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Method, Request, StatusCode},
};
use proto::{
    CallId, Chunk, Cursor, ErrorCode, Event, Header, Kind, Name, PeerId, TrackId,
    api::{Events, Feedback, Joined, Rung, SignedIn, State},
    error::ErrorBody,
};
use relay::{Config, Relay, admin::Admin};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use tempfile::TempDir;
use tower::ServiceExt;

use crate::database;

pub(crate) const PASSWORD: &str = "correct horse";

/// The usual configuration on this data folder, with the database that the tests run on.
pub(crate) fn config(data: &Path) -> Config {
    let mut config = Config::new(data);
    config.database = database::for_file(&data.join("relay.db")).map(|url| url.parse().unwrap());
    config
}

/// A relay without sockets.
pub(crate) struct Bench {
    pub(crate) relay: Relay,
    pub(crate) folder: TempDir,
    router: Router,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn read<T: DeserializeOwned>(&self) -> T {
        assert_eq!(self.status, StatusCode::OK, "{}", String::from_utf8_lossy(&self.body));
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The code of a refusal; its status must be the code's.
    pub(crate) fn code(&self) -> ErrorCode {
        let body: ErrorBody = serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, String::from_utf8_lossy(&self.body)));
        assert_eq!(self.status.as_u16(), body.error.code.status());
        let message = body.error.message;
        assert!(message.ends_with('.') && message.contains(' ') && !message.contains('\n'), "it is no sentence: {message}");
        body.error.code
    }

    pub(crate) fn retry_after_ms(&self) -> Option<u64> {
        serde_json::from_slice::<ErrorBody>(&self.body).unwrap().error.retry_after_ms
    }

    /// The chunks of a media answer, as `(peer, seq)`.
    pub(crate) fn chunks(&self) -> Vec<(u16, u32)> {
        assert_eq!(self.status, StatusCode::OK);
        assert_eq!(self.headers["content-type"], "application/octet-stream");
        let chunks = Chunk::decode_all(self.body.clone()).unwrap();
        chunks.iter().map(|chunk| (chunk.header.track.peer.0, chunk.header.seq)).collect()
    }
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        change(&mut config);
        let relay = Relay::open(config).await.unwrap();
        Self { router: relay.router(), relay, folder }
    }

    /// Another relay on the folder of one that has ended.
    pub(crate) fn over(relay: Relay, folder: TempDir) -> Self {
        Self { router: relay.router(), relay, folder }
    }

    /// A relay on a data folder that is looked after elsewhere.
    pub(crate) async fn on(config: Config) -> Self {
        let relay = Relay::open(config).await.unwrap();
        Self { router: relay.router(), relay, folder: tempfile::tempdir().unwrap() }
    }

    /// The admin command beside it.
    pub(crate) async fn admin(&self) -> Admin {
        Admin::open(&config(self.folder.path())).await.unwrap()
    }

    /// Crashes the relay and starts another on the same folder.
    pub(crate) async fn crash_and_restart(self) -> Self {
        self.relay.kill();
        let relay = Relay::open(config(self.folder.path())).await.unwrap();
        Self::over(relay, self.folder)
    }

    pub(crate) async fn raw(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        assert_eq!(head.headers["cache-control"], "no-store");
        Reply { status: head.status, headers: head.headers, body }
    }

    pub(crate) async fn send(&self, method: Method, path: &str, token: Option<&str>, body: impl Into<Body>) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.raw(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, token: Option<&str>, body: impl Serialize) -> Reply {
        self.send(Method::POST, path, token, serde_json::to_vec(&body).unwrap()).await
    }

    pub(crate) async fn sign_up(&self, name: &str) {
        self.post("/v1/accounts", None, json!({"name": name, "password": PASSWORD})).await.read::<serde_json::Value>();
    }

    /// One more client of someone who has an account.
    pub(crate) async fn sign_in(&self, name: &str) -> Client<'_> {
        let wish = json!({"name": name, "password": PASSWORD, "device": "test", "versions": [1]});
        let signed_in: SignedIn = self.post("/v1/session", None, wish).await.read();
        Client { bench: self, token: signed_in.token.reveal().to_owned(), name: signed_in.name, cursor: Cursor::new("") }
    }

    /// A new person with a client that polls.
    pub(crate) async fn person(&self, name: &str) -> Client<'_> {
        self.sign_up(name).await;
        let mut client = self.sign_in(name).await;
        client.show_up().await;
        client
    }

    /// Two people who are buddies and there.
    pub(crate) async fn buddies(&self, one: &str, other: &str) -> (Client<'_>, Client<'_>) {
        let (mut one, mut other) = (self.person(one).await, self.person(other).await);
        one.befriend(&other).await;
        one.show_up().await;
        other.show_up().await;
        (one, other)
    }

    /// Someone who is there and a buddy of all these.
    pub(crate) async fn buddy_of(&self, name: &str, others: &[&Client<'_>]) -> Client<'_> {
        let mut person = self.person(name).await;
        for other in others {
            person.befriend(other).await;
        }
        person.show_up().await;
        person
    }
}

/// A signed-in client.
pub(crate) struct Client<'a> {
    pub(crate) bench: &'a Bench,
    pub(crate) token: String,
    pub(crate) name: Name,
    pub(crate) cursor: Cursor,
}

impl Client<'_> {
    pub(crate) async fn post(&self, path: &str, body: impl Serialize) -> Reply {
        self.bench.post(path, Some(&self.token), body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.bench.send(Method::GET, path, Some(&self.token), Body::empty()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.bench.send(Method::DELETE, path, Some(&self.token), Body::empty()).await
    }

    pub(crate) async fn state(&self) -> State {
        self.get("/v1/state").await.read()
    }

    /// Reads the state and polls once, so that the relay knows this client is there.
    pub(crate) async fn show_up(&mut self) -> State {
        let state = self.state().await;
        self.cursor = state.cursor.clone();
        self.poll(0).await;
        state
    }

    pub(crate) async fn poll_after(&self, cursor: &Cursor, wait_ms: u64) -> Reply {
        self.get(&format!("/v1/events?after={cursor}&wait_ms={wait_ms}")).await
    }

    /// What happened since the last poll.
    pub(crate) async fn poll(&mut self, wait_ms: u64) -> Vec<Event> {
        let events: Events = self.poll_after(&self.cursor, wait_ms).await.read();
        self.cursor = events.cursor;
        events.events
    }

    /// Polls until something happens; a test that waits for nothing fails after 10 s.
    pub(crate) async fn next(&mut self) -> Vec<Event> {
        tokio::time::timeout(Duration::from_secs(10), self.poll(9_000)).await.unwrap()
    }

    pub(crate) async fn add_buddy(&self, name: &Name) -> Reply {
        self.post("/v1/buddies", json!({"name": name})).await
    }

    pub(crate) async fn befriend(&self, other: &Client<'_>) {
        self.add_buddy(&other.name).await.read::<serde_json::Value>();
        other.add_buddy(&self.name).await.read::<serde_json::Value>();
    }

    pub(crate) async fn try_ring(&self, other: &Name, call: Option<&CallId>) -> Reply {
        self.post("/v1/invitations", json!({"to": other, "call": call})).await
    }

    /// Rings under the client's own id of the request.
    pub(crate) async fn ring_as(&self, other: &Name, client_id: &str) -> Reply {
        self.post("/v1/invitations", json!({"to": other, "client_id": client_id})).await
    }

    pub(crate) async fn ring(&self, other: &Name) -> Rung {
        self.try_ring(other, None).await.read()
    }

    pub(crate) async fn accept(&self, rung: &Rung) -> Reply {
        self.answer(rung, "accept").await
    }

    pub(crate) async fn answer(&self, rung: &Rung, how: &str) -> Reply {
        self.post(&format!("/v1/invitations/{}/{how}", rung.invitation.id), json!({})).await
    }

    /// Rings, and the other takes it.
    pub(crate) async fn call(&self, other: &Client<'_>) -> CallId {
        let rung = self.ring(&other.name).await;
        other.accept(&rung).await.read::<Joined>();
        rung.joined.call.id
    }

    pub(crate) async fn upload(&self, call: &CallId, kind: Kind, body: impl Into<Body>) -> Reply {
        self.bench.send(Method::POST, &format!("/v1/calls/{call}/{kind}"), Some(&self.token), body).await
    }

    /// Sends one chunk of this peer's.
    pub(crate) async fn publish(&self, call: &CallId, kind: Kind, peer: u16, seq: u32, keyframe: bool) -> Feedback {
        self.upload(call, kind, chunk(kind, peer, seq, keyframe)).await.read()
    }

    pub(crate) async fn fetch(&self, call: &CallId, kind: Kind, reader: u32, poll: u64, wait_ms: u64) -> Reply {
        self.get(&format!("/v1/calls/{call}/{kind}?reader={reader}&poll={poll}&wait_ms={wait_ms}")).await
    }
}

/// One chunk as it goes over the wire.
pub(crate) fn chunk(kind: Kind, peer: u16, seq: u32, keyframe: bool) -> Vec<u8> {
    let header = Header { track: TrackId { peer: PeerId(peer), kind }, seq, media_time_us: u64::from(seq) * 20_000, keyframe };
    let mut body = bytes::BytesMut::new();
    Chunk { header, payload: vec![7; 100].into() }.encode(&mut body);
    body.to_vec()
}
