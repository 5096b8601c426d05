//! One thin function per route: read, ask the hub or the store, answer.

pub(crate) mod accounts;
pub(crate) mod attachments;
pub(crate) mod buddies;
pub(crate) mod calls;
pub(crate) mod chat;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod groups;
pub(crate) mod host;
pub(crate) mod marks;
pub(crate) mod media;
pub(crate) mod oidc;
pub(crate) mod people;
pub(crate) mod sessions;
pub(crate) mod watch;

use axum::{Json, extract::State};
use proto::{
    ErrorCode,
    api::{Health, OidcOffer},
    limits::CLIENT_ID_MAX,
    version,
};

use crate::{
    app::App,
    refusal::{Answer, Refusal},
};

/// `GET /v1/health`.
pub(crate) async fn health(State(app): State<App>) -> Json<Health> {
    Json(Health {
        status: if app.is_stopping() { "stopping" } else { "ok" }.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        protocol: version::SUPPORTED.to_vec(),
        oidc: app.oidc.as_ref().map(|oidc| OidcOffer { name: oidc.name().to_owned() }),
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

/// Whether it may be a client's own id of a message or a ring.
pub(crate) fn check_client_id(client_id: &str) -> Answer<()> {
    let fits = (1..=CLIENT_ID_MAX).contains(&client_id.chars().count());
    if fits && !client_id.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Refusal::bad_request(format!("A client id has 1 to {CLIENT_ID_MAX} characters, none of them a control character.")))
}
