//! Rings and calls.

use std::time::Instant;

use axum::{Json as Reply, extract::State};
use proto::{
    CallId, ErrorCode, InvitationId,
    api::{Done, Joined, Ring, Rung, SetMedia, WantKeyframe},
    model::{Call, InvitationState},
};

use super::{buddies::someone, check_client_id};
use crate::{
    app::App,
    extract::{Caller, Id, Json},
    hub::{
        calls::RingRefused,
        switchboard::{Fresh, Refused, Wish},
    },
    media::room::NotAPeer,
    refusal::{Answer, Refusal},
    token,
};

/// `POST /v1/invitations`.
pub(crate) async fn ring(State(app): State<App>, Caller(session): Caller, Json(wish): Json<Ring>) -> Answer<Reply<Rung>> {
    wish.client_id.as_deref().map_or(Ok(()), check_client_id)?;
    let to = someone(&app, &wish.to)?;
    if to == session.account {
        return Err(Refusal::bad_request("That is you."));
    }
    let fresh = Fresh { call: token::call_id()?, invitation: token::invitation_id()? };
    let what = Wish { to, call: wish.call.as_ref(), client_id: wish.client_id.as_deref() };
    let rung = app.hub.ring(&session, what, fresh, Instant::now());
    // A ring that can't be heard leaves a missed call behind: that is stored as well.
    app.hub.flush().await;
    let rung = rung.map_err(|refused| match refused {
        RingRefused::NotBuddies => Refusal::new(ErrorCode::Forbidden, format!("{} is not your buddy yet.", wish.to)),
        RingRefused::Blocked => Refusal::new(ErrorCode::Forbidden, format!("You have blocked {}: unblock them first.", wish.to)),
        RingRefused::DoNotDisturb => {
            Refusal::new(ErrorCode::DoNotDisturb, format!("{} does not want to be disturbed now.", wish.to))
        }
        RingRefused::Offline => Refusal::new(ErrorCode::Offline, format!("{} is not there now.", wish.to)),
        RingRefused::Refused(Refused::Busy) => Refusal::new(ErrorCode::Busy, format!("{} is in another call.", wish.to)),
        RingRefused::Refused(refused) => refused.into(),
    })?;
    Ok(Reply(rung))
}

/// `POST /v1/invitations/ID/accept`.
pub(crate) async fn accept(State(app): State<App>, Caller(session): Caller, Id(id): Id) -> Answer<Reply<Joined>> {
    let joined = app.hub.accept(&session, &InvitationId::new(id), Instant::now())?;
    app.hub.flush().await;
    Ok(Reply(joined))
}

/// `POST /v1/invitations/ID/decline`.
pub(crate) async fn decline(State(app): State<App>, Caller(session): Caller, Id(id): Id) -> Answer<Reply<Done>> {
    app.hub.decline(&session, &InvitationId::new(id), Instant::now())?;
    app.hub.flush().await;
    Ok(Reply(Done {}))
}

/// `POST /v1/invitations/ID/cancel`.
pub(crate) async fn cancel(State(app): State<App>, Caller(session): Caller, Id(id): Id) -> Answer<Reply<Done>> {
    app.hub.cancel(&session, &InvitationId::new(id), Instant::now())?;
    app.hub.flush().await;
    Ok(Reply(Done {}))
}

/// `GET /v1/calls/ID`.
pub(crate) async fn show(State(app): State<App>, Caller(session): Caller, Id(id): Id) -> Answer<Reply<Call>> {
    let id = CallId::new(id);
    app.hub.call(&session, &id).map(Reply).ok_or_else(|| not_a_peer(&app, &id))
}

/// `POST /v1/calls/ID/leave`.
pub(crate) async fn leave(State(app): State<App>, Caller(session): Caller, Id(id): Id) -> Answer<Reply<Done>> {
    let id = CallId::new(id);
    app.hub.leave(&session, &id, Instant::now()).map_err(|_| not_a_peer(&app, &id))?;
    app.hub.flush().await;
    Ok(Reply(Done {}))
}

/// `POST /v1/calls/ID/media`.
pub(crate) async fn set_media(
    State(app): State<App>,
    Caller(session): Caller,
    Id(id): Id,
    Json(media): Json<SetMedia>,
) -> Answer<Reply<Done>> {
    let id = CallId::new(id);
    app.hub.set_media(&session, &id, media, Instant::now()).map_err(|_| not_a_peer(&app, &id))?;
    app.hub.flush().await;
    Ok(Reply(Done {}))
}

/// `POST /v1/calls/ID/keyframe`.
pub(crate) async fn want_keyframe(
    State(app): State<App>,
    Caller(session): Caller,
    Id(id): Id,
    Json(wish): Json<WantKeyframe>,
) -> Answer<Reply<Done>> {
    let id = CallId::new(id);
    let room = app.hub.room(&id).ok_or_else(|| not_a_peer(&app, &id))?;
    room.want_keyframe(session.id, wish.track, Instant::now()).map_err(|NotAPeer| not_a_peer(&app, &id))?;
    Ok(Reply(Done {}))
}

/// The call is over, or this session isn't in it.
pub(crate) fn not_a_peer(app: &App, id: &CallId) -> Refusal {
    match app.hub.room(id) {
        Some(_) => Refusal::new(ErrorCode::Forbidden, "You are not in this call."),
        None => Refusal::not_found("This call is over."),
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let (code, message) = match refused {
            Refused::NoSuchCall => (ErrorCode::NotFound, "There is no such call that you are in."),
            Refused::NoSuchInvitation => (ErrorCode::NotFound, "There is no such invitation."),
            Refused::InACall => (ErrorCode::Busy, "You are in a call: hang up first."),
            Refused::Busy => (ErrorCode::Busy, "They are in another call."),
            Refused::InThisCall => (ErrorCode::BadRequest, "They are in this call already."),
            Refused::Full => (ErrorCode::CallFull, "The call is full."),
            Refused::Over(state) => (ErrorCode::InvitationOver, over(state)),
            Refused::OtherRing => (ErrorCode::BadRequest, "This client id was used for another person."),
            Refused::Locked => (ErrorCode::CallLocked, "The call is locked: its owner alone can ask someone in."),
            Refused::Removed => {
                (ErrorCode::Forbidden, "The owner of the call has removed this person: they alone can ask them in.")
            }
            Refused::NoSuchLink => (ErrorCode::NotFound, "This link leads to no call any more: ask for a new one."),
            Refused::OnOtherDevice => (ErrorCode::Busy, "You are in this call on another device."),
            Refused::NotOwner => (ErrorCode::Forbidden, "That is for the owner of the call to do."),
            Refused::NoSuchPeer => (ErrorCode::NotFound, "There is no such peer in this call."),
            Refused::Oneself => (ErrorCode::BadRequest, "That is you."),
            Refused::SignedOff => (ErrorCode::Unauthorized, "This session was signed off: sign in again."),
        };
        Self::new(code, message)
    }
}

fn over(state: InvitationState) -> &'static str {
    match state {
        InvitationState::Accepted => "The call was taken already, perhaps on another device.",
        InvitationState::Declined => "The call was declined.",
        InvitationState::Canceled => "The ring was taken back.",
        InvitationState::Missed => "It rang too long.",
        _ => "The invitation is over.",
    }
}
