//! One thin function per route: read, ask the hub or the store, answer.

pub(crate) mod accounts;
pub(crate) mod buddies;
pub(crate) mod calls;
pub(crate) mod chat;
pub(crate) mod events;
pub(crate) mod media;

use axum::Json;
use proto::{ErrorCode, api::Health, version};

use crate::{app::App, refusal::Refusal};
use axum::extract::State;

/// `GET /v1/health`.
pub(crate) async fn health(State(app): State<App>) -> Json<Health> {
    Json(Health {
        status: if app.is_stopping() { "stopping" } else { "ok" }.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        protocol: version::SUPPORTED.to_vec(),
    })
}

/// Any other path.
pub(crate) async fn no_such_route() -> Refusal {
    Refusal::not_found("There is no such route.")
}

/// A path of ours with a method that isn't.
pub(crate) async fn no_such_method() -> Refusal {
    Refusal::new(ErrorCode::MethodNotAllowed, "This route doesn't take that method.")
}
