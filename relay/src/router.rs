//! All routes.

mod routes;

use std::any::Any;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderValue, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use proto::{
    ErrorCode,
    limits::{CONTROL_MAX, UPLOAD_MAX},
};
use tower_http::{catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer};

use crate::{
    app::App,
    handlers::{
        accounts, attachments, buddies, calls, chat, doctor, events, groups, health, host, marks, media, no_such_method,
        no_such_route, oidc, people, sessions, watch,
    },
    metrics::requests,
    refusal::Refusal,
};

pub(crate) use self::routes::{Answered, Media, Routes};

/// The service both the server and the tests use.
pub(crate) fn router(app: App) -> Router {
    let media = Router::new()
        .route("/v1/calls/{id}/audio", post(media::send_audio).get(media::poll_audio))
        .route("/v1/calls/{id}/video", post(media::send_video).get(media::poll_video))
        .route("/v1/calls/{id}/screen", post(media::send_screen).get(media::poll_screen))
        .method_not_allowed_fallback(no_such_method)
        .layer(around(UPLOAD_MAX));
    let routes = Router::new()
        .route("/healthz", get(watch::healthz))
        .route("/readyz", get(watch::readyz))
        .route("/metrics", get(watch::metrics))
        .route("/v1/health", get(health))
        .route("/v1/doctor", get(doctor::give).post(doctor::take))
        .route("/v1/accounts", post(accounts::sign_up))
        .route("/v1/session", post(sessions::sign_in).delete(sessions::sign_out))
        .route("/v1/oidc", post(oidc::begin).get(oidc::poll).delete(oidc::cancel))
        .route("/v1/oidc/start", get(oidc::browser::start))
        .route("/v1/oidc/confirm", post(oidc::browser::confirm))
        .route("/v1/oidc/callback", get(oidc::browser::callback))
        .route("/v1/sessions", get(sessions::list))
        .route("/v1/sessions/{id}", delete(sessions::end))
        .route("/v1/account/password", post(accounts::change_password))
        .route("/v1/state", get(events::state))
        .route("/v1/events", get(events::poll))
        .route("/v1/buddies", post(buddies::add))
        .route("/v1/buddies/{name}", delete(buddies::remove))
        .route("/v1/presence", post(people::set_presence))
        .route("/v1/blocks", post(people::block))
        .route("/v1/blocks/{name}", delete(people::unblock))
        .route("/v1/reports", post(people::report))
        .route("/v1/missed/seen", post(people::see_missed))
        .route("/v1/chat", post(chat::send).get(chat::history))
        .route("/v1/chat/marks", post(marks::move_marks))
        .route("/v1/chat/typing", post(marks::typing))
        .route("/v1/chat/{id}", post(chat::edit).delete(chat::delete))
        .route("/v1/groups", post(groups::make))
        .route("/v1/groups/{id}", post(groups::rename))
        .route("/v1/groups/{id}/members", post(groups::add))
        .route("/v1/groups/{id}/members/{name}", delete(groups::remove))
        .route("/v1/attachments", post(attachments::upload))
        .route("/v1/attachments/{id}", get(attachments::download))
        .route("/v1/invitations", post(calls::ring))
        .route("/v1/invitations/{id}/accept", post(calls::accept))
        .route("/v1/invitations/{id}/decline", post(calls::decline))
        .route("/v1/invitations/{id}/cancel", post(calls::cancel))
        .route("/v1/calls/join", post(host::join))
        .route("/v1/calls/{id}", get(calls::show))
        .route("/v1/calls/{id}/leave", post(calls::leave))
        .route("/v1/calls/{id}/media", post(calls::set_media))
        .route("/v1/calls/{id}/keyframe", post(calls::want_keyframe))
        .route("/v1/calls/{id}/report", post(media::report))
        .route("/v1/calls/{id}/link", post(host::link).delete(host::unlink))
        .route("/v1/calls/{id}/mute", post(host::mute))
        .route("/v1/calls/{id}/remove", post(host::remove))
        .route("/v1/calls/{id}/lock", post(host::lock))
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .layer(around(CONTROL_MAX))
        .merge(media);
    // Counting costs each request a little, so it is for those who look at it.
    let routes = match app.config.metrics {
        Some(_) => routes.layer(from_fn_with_state(app.clone(), requests::count)),
        None => routes,
    };
    routes.with_state(app)
}

/// What answers where TLS is wanted and plain HTTP is spoken. The connection ends with the answer.
pub(crate) fn https_only() -> Router {
    let refused = || async {
        let heads = [(header::CONNECTION, "close"), (header::CACHE_CONTROL, "no-store")];
        (heads, Refusal::new(ErrorCode::HttpsOnly, "This relay takes encrypted connections only: use its https:// address."))
    };
    Router::new().fallback(refused)
}

type Panicked = fn(Box<dyn Any + Send>) -> Response;

/// What is around every route, as one layer: the router boxes and clones each layer of its own for every request.
fn around(body_max: usize) -> (SetResponseHeaderLayer<HeaderValue>, CatchPanicLayer<Panicked>, DefaultBodyLimit) {
    (
        SetResponseHeaderLayer::overriding(header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        CatchPanicLayer::custom(panicked as Panicked),
        DefaultBodyLimit::max(body_max),
    )
}

/// A bug; the others' requests go on.
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Refusal::internal(&text.unwrap_or("a handler panicked")).into_response()
}
