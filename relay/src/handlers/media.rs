//! The media lanes. These two run some hundred times a second in every call: no database, no log, one lock.

use std::time::{Duration, Instant};

use axum::{
    Json as Reply,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, Response, header},
};
use proto::{
    CallId, Kind,
    api::{Done, Feedback, PollMedia, Reception},
    limits::{AGAIN_MAX, RECEIVED_MAX, UPLOAD_MAX, WAIT_MAX},
};

use super::calls::not_a_peer;
use crate::{
    app::App,
    extract::{Id, Json, Poller, Query, Raw, Uploader},
    hub::session::Session,
    media::{
        lane::MediaPoll,
        room::{NotAPeer, Turn},
        waiting,
    },
    refusal::{Answer, Refusal},
};

/// When a client that has too many polls waiting may ask again: by then one of them was answered or is given up.
const CROWDED: Duration = Duration::from_millis(100);

/// The type of a body of chunks.
pub(crate) const CHUNKS: &str = "application/octet-stream";

/// `POST /v1/calls/ID/audio`.
pub(crate) async fn send_audio(app: State<App>, uploader: Uploader, id: Id, body: Raw<UPLOAD_MAX>) -> Answer<Reply<Feedback>> {
    send(app, uploader, id, body, Kind::Audio)
}

/// `POST /v1/calls/ID/video`.
pub(crate) async fn send_video(app: State<App>, uploader: Uploader, id: Id, body: Raw<UPLOAD_MAX>) -> Answer<Reply<Feedback>> {
    send(app, uploader, id, body, Kind::Video)
}

/// `POST /v1/calls/ID/screen`.
pub(crate) async fn send_screen(app: State<App>, uploader: Uploader, id: Id, body: Raw<UPLOAD_MAX>) -> Answer<Reply<Feedback>> {
    send(app, uploader, id, body, Kind::Screen)
}

/// `GET /v1/calls/ID/audio`.
pub(crate) async fn poll_audio(app: State<App>, poller: Poller, id: Id, query: Query<PollMedia>) -> Answer<Response<Body>> {
    poll(app, poller, id, query, Kind::Audio).await
}

/// `GET /v1/calls/ID/video`.
pub(crate) async fn poll_video(app: State<App>, poller: Poller, id: Id, query: Query<PollMedia>) -> Answer<Response<Body>> {
    poll(app, poller, id, query, Kind::Video).await
}

/// `GET /v1/calls/ID/screen`.
pub(crate) async fn poll_screen(app: State<App>, poller: Poller, id: Id, query: Query<PollMedia>) -> Answer<Response<Body>> {
    poll(app, poller, id, query, Kind::Screen).await
}

/// `POST /v1/calls/ID/report`.
pub(crate) async fn report(
    State(app): State<App>,
    Uploader(session): Uploader,
    Id(id): Id,
    Json(reception): Json<Reception>,
) -> Answer<Reply<Done>> {
    if reception.peers.len() > RECEIVED_MAX {
        return Err(Refusal::bad_request(format!("A report speaks of {RECEIVED_MAX} peers at most.")));
    }
    let id = CallId::new(id);
    let room = app.hub.room(&id).ok_or_else(|| not_a_peer(&app, &id))?;
    room.report(session.id, &reception, Instant::now()).map_err(|NotAPeer| not_a_peer(&app, &id))?;
    Ok(Reply(Done {}))
}

fn send(
    State(app): State<App>,
    Uploader(session): Uploader,
    Id(id): Id,
    Raw(body): Raw<UPLOAD_MAX>,
    kind: Kind,
) -> Answer<Reply<Feedback>> {
    publish(&app, &session, id, body, kind).map(Reply)
}

/// Takes an upload of this session in.
pub(crate) fn publish(app: &App, session: &Session, id: String, body: Bytes, kind: Kind) -> Answer<Feedback> {
    let id = CallId::new(id);
    let room = app.hub.room(&id).ok_or_else(|| not_a_peer(app, &id))?;
    let published = room.publish(session.id, kind, body.clone(), Instant::now()).map_err(|NotAPeer| not_a_peer(app, &id))?;
    let feedback = published.map_err(|bad| Refusal::bad_request(format!("Nothing of the upload was taken: {bad}.")))?;
    if let Some(metrics) = app.counted() {
        metrics.came(kind, &body);
    }
    Ok(feedback)
}

async fn poll(
    State(app): State<App>,
    Poller(session): Poller,
    Id(id): Id,
    Query(poll): Query<PollMedia>,
    kind: Kind,
) -> Answer<Response<Body>> {
    let body = fetch(&app, &session, id, poll, kind).await?;
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CHUNKS));
    Ok(response)
}

/// What a poll of this session is answered with: chunks, or nothing.
pub(crate) async fn fetch(app: &App, session: &Session, id: String, poll: PollMedia, kind: Kind) -> Answer<Bytes> {
    if poll.poll == 0 {
        return Err(Refusal::bad_request("Polls are numbered from 1 on."));
    }
    let id = CallId::new(id);
    let room = app.hub.room(&id).ok_or_else(|| not_a_peer(app, &id))?;
    let now = Instant::now();
    session.polls(now);
    let again = Duration::from_millis(poll.again_ms).min(AGAIN_MAX);
    let turn = room
        .poll(session.id, kind, MediaPoll { reader: poll.reader, number: poll.poll, again }, now)
        .map_err(|NotAPeer| not_a_peer(app, &id))?;
    let body = match turn {
        Turn::Now(body) => body,
        Turn::TooMany => return Err(Refusal::rate_limited(CROWDED)),
        Turn::Later(receiver, parked) => {
            let wait = Duration::from_millis(poll.wait_ms).min(WAIT_MAX);
            // Between the check of the extractor and the parking the relay may have begun to stop.
            let wait = if app.is_stopping() { Duration::ZERO } else { wait };
            let counted = app.counted().map(|metrics| metrics.park(kind));
            let body = waiting::answer(room, parked, receiver, wait).await;
            drop(counted);
            session.polls(Instant::now());
            body
        }
    };
    if let Some(metrics) = app.counted() {
        metrics.went(kind, &body);
    }
    Ok(body)
}
