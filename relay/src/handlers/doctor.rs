//! What a client needs to find out how the way here is: a source, a poll that is held, and a sink. It keeps nothing and reads nothing.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use axum::{
    Json as Reply,
    body::{Body, Bytes, HttpBody as _},
    extract::State,
    http::{HeaderValue, Response, header},
};
use futures::{StreamExt as _, stream};
use proto::{
    ErrorCode,
    api::{AskDoctor, DoctorTook},
    limits::{DOCTOR_MAX, DOCTOR_SPREAD_MAX, UPLOAD_MAX, WAIT_MAX},
};

use crate::{
    app::App,
    extract::{Anyone, Query},
    refusal::{Answer, Refusal},
};

/// Pieces of an answer that is spread.
const PIECES: u64 = 10;

/// What answers are made of: nothing on the way makes it smaller.
static NOISE: LazyLock<Bytes> = LazyLock::new(|| {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    // Marsaglia's xorshift64: quick, and no compressor finds a pattern in it.
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(DOCTOR_MAX / 8).flatten().collect()
});

/// `GET /v1/doctor`.
pub(crate) async fn give(State(app): State<App>, Anyone(from): Anyone, Query(ask): Query<AskDoctor>) -> Answer<Response<Body>> {
    let AskDoctor { bytes, wait_ms, spread_ms } = ask;
    let (wait, spread) = (Duration::from_millis(wait_ms), Duration::from_millis(spread_ms));
    if bytes > DOCTOR_MAX as u64 || wait > WAIT_MAX || spread > DOCTOR_SPREAD_MAX {
        return Err(Refusal::bad_request("That is more than a doctor may ask for."));
    }
    let pass = app.doctor.admit(from, Instant::now()).map_err(Refusal::rate_limited)?;
    if !wait.is_zero() {
        app.doctor.hold(wait).await;
    }
    let body = if spread.is_zero() {
        Body::from(noise(0, bytes))
    } else {
        let pause = spread / (PIECES as u32 - 1);
        let pieces = stream::iter(0..PIECES).then(move |piece| {
            // It is under way for as long as somebody reads it.
            let _ = &pass;
            let app = app.clone();
            async move {
                if piece > 0 {
                    app.doctor.hold(pause).await;
                }
                Ok::<_, std::convert::Infallible>(noise(bytes * piece / PIECES, bytes * (piece + 1) / PIECES))
            }
        });
        Body::from_stream(pieces)
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    Ok(response)
}

/// `POST /v1/doctor`.
pub(crate) async fn take(State(app): State<App>, Anyone(from): Anyone, body: Body) -> Answer<Reply<DoctorTook>> {
    let too_large = || Refusal::new(ErrorCode::TooLarge, "The body is larger than this route takes.");
    if body.size_hint().lower() > UPLOAD_MAX as u64 {
        return Err(too_large());
    }
    let _pass = app.doctor.admit(from, Instant::now()).map_err(Refusal::rate_limited)?;
    let reading = async {
        let mut pieces = body.into_data_stream();
        let (mut bytes, mut first, mut last) = (0, None, None);
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| Refusal::bad_request(format!("The body can't be read: {error}.")))?;
            bytes += piece.len() as u64;
            if bytes > UPLOAD_MAX as u64 {
                return Err(too_large());
            }
            if !piece.is_empty() {
                let now = Instant::now();
                (first, last) = (first.or(Some(now)), Some(now));
            }
        }
        let spread = first.zip(last).map_or(Duration::ZERO, |(first, last)| last.saturating_duration_since(first));
        Ok(DoctorTook { bytes, spread_ms: u64::try_from(spread.as_millis()).unwrap_or(u64::MAX) })
    };
    let took = tokio::time::timeout(app.config.patience.body, reading).await;
    took.unwrap_or_else(|_| Err(Refusal::bad_request("The body took too long to arrive."))).map(Reply)
}

/// A part of the noise.
fn noise(from: u64, to: u64) -> Bytes {
    let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(NOISE.len());
    NOISE.slice(at(from)..at(to))
}
