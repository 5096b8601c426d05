//! Presence, blocking, missed calls, links and what owners do: what is sent, and how the relay hears that a person is back.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::http::Method;
use futures::StreamExt;
use proto::{
    CallId, CallLink, Cursor, ErrorCode, PeerId,
    api::{Done, Events, JoinByLink, Linked, OnePeer, Report, SeenMissed, SetLock, State},
    limits::AWAY,
    model::{Choice, OwnPresence},
};
use relay_client::session::NoLink;
use tokio::sync::mpsc;

use crate::{
    fake::{Fake, broken, json, never, refusal},
    name, session, soon,
};

#[tokio::test]
async fn each_request_goes_where_the_routes_say() {
    let routes = Arc::new(Mutex::new(Vec::new()));
    let noted = routes.clone();
    let fake = Fake::serve(move |seen| {
        noted.lock().unwrap().push((seen.method.clone(), seen.path.clone()));
        async move {
            let body = &seen.body[..];
            match seen.path.as_str() {
                "/v1/presence" => {
                    let own: OwnPresence = serde_json::from_slice(body).unwrap();
                    assert_eq!((own.choice, own.text.as_str()), (Choice::Invisible, "hm"));
                }
                "/v1/missed/seen" => {
                    let seen: SeenMissed = serde_json::from_slice(body).unwrap();
                    assert_eq!((seen.from, seen.up_to_ms), (Some(name("Ben")), 7));
                }
                "/v1/calls/c/mute" | "/v1/calls/c/remove" => {
                    assert_eq!(serde_json::from_slice::<OnePeer>(body).unwrap().peer, PeerId(3));
                }
                "/v1/calls/c/lock" => assert!(serde_json::from_slice::<SetLock>(body).unwrap().locked),
                "/v1/calls/c/link" if seen.method == Method::POST => return json(&Linked { link: CallLink::new("l") }),
                _ => {}
            }
            // Who is gone is as good as removed.
            if seen.path.ends_with("remove") { refusal(ErrorCode::NotFound, None) } else { json(&Done {}) }
        }
    })
    .await;
    let session = session(&fake.url);
    let call = CallId::new("c");
    soon(session.set_presence(&OwnPresence { choice: Choice::Invisible, text: "hm".to_owned() })).await.unwrap();
    soon(session.block(&name("Ben"))).await.unwrap();
    soon(session.unblock(&name("Zoë"))).await.unwrap();
    soon(session.see_missed(Some(&name("Ben")), 7)).await.unwrap();
    assert_eq!(soon(session.call_link(&call)).await.unwrap(), CallLink::new("l"));
    soon(session.revoke_link(&call)).await.unwrap();
    soon(session.mute(&call, PeerId(3))).await.unwrap();
    soon(session.remove(&call, PeerId(3))).await.unwrap();
    soon(session.lock(&call, true)).await.unwrap();
    let expected = [
        (Method::POST, "/v1/presence"),
        (Method::POST, "/v1/blocks"),
        (Method::DELETE, "/v1/blocks/Zo%C3%AB"),
        (Method::POST, "/v1/missed/seen"),
        (Method::POST, "/v1/calls/c/link"),
        (Method::DELETE, "/v1/calls/c/link"),
        (Method::POST, "/v1/calls/c/mute"),
        (Method::POST, "/v1/calls/c/remove"),
        (Method::POST, "/v1/calls/c/lock"),
    ];
    let routes = routes.lock().unwrap().clone();
    assert_eq!(routes, expected.map(|(method, path)| (method, path.to_owned())));
}

#[tokio::test]
async fn a_report_that_may_have_arrived_is_not_sent_again() {
    let seen = Arc::new(AtomicU64::new(0));
    let counted = seen.clone();
    let fake = Fake::serve(move |seen| {
        counted.fetch_add(1, SeqCst);
        let report: Report = serde_json::from_slice(&seen.body).unwrap();
        assert_eq!((report.name, report.text.as_str()), (name("Ben"), "Rude."));
        async { broken() }
    })
    .await;
    soon(session(&fake.url).report(&name("Ben"), "Rude.")).await.unwrap_err();
    assert_eq!(seen.load(SeqCst), 1);
}

#[tokio::test]
async fn a_link_is_handed_on_as_an_address_and_read_again() {
    let secret = "c3Tn0vYx7Kq2LmR8sWb5Ud1Ef4Gh6Jk9Pz-AaBbCcDd";
    let fake = Fake::serve(move |seen| async move {
        assert_eq!((seen.method, seen.path.as_str()), (Method::POST, "/v1/calls/join"));
        assert_eq!(serde_json::from_slice::<JoinByLink>(&seen.body).unwrap().link, CallLink::new(secret));
        refusal(ErrorCode::CallLocked, None)
    })
    .await;
    let session = session(&fake.url);
    let link = CallLink::new(secret);
    let text = session.link_text(&link);
    assert_eq!(text, format!("{}/#call={secret}", fake.url));
    assert_eq!(session.read_link(&format!(" {text}\n")), Ok(link.clone()));
    assert_eq!(session.read_link(secret), Ok(link.clone()));
    assert_eq!(session.read_link(&format!("https://elsewhere.example/#call={secret}")), Err(NoLink::OtherRelay));
    for nonsense in ["", "hello", &secret[1..], &format!("{}/#call={}", fake.url, "ä".repeat(43))] {
        assert_eq!(session.read_link(nonsense), Err(NoLink::Nonsense), "{nonsense}");
    }
    assert_eq!(soon(session.join(&link)).await.unwrap_err().code(), Some(ErrorCode::CallLocked));
}

/// For how long the person of the test below has done nothing, in milliseconds.
static IDLE_MS: AtomicU64 = AtomicU64::new(0);

fn idle() -> Duration {
    Duration::from_millis(IDLE_MS.load(SeqCst))
}

#[tokio::test]
async fn the_relay_hears_with_the_poll_how_long_a_person_is_idle_and_at_once_when_they_are_back() {
    let (polled, mut polls) = mpsc::unbounded_channel();
    let fake = Fake::serve(move |seen| {
        let polled = polled.clone();
        async move {
            if seen.path == "/v1/state" {
                let state = State {
                    name: name("Ana"),
                    buddies: vec![],
                    invitations: vec![],
                    call: None,
                    tickers: vec![],
                    presence: OwnPresence::default(),
                    blocked: vec![],
                    missed: vec![],
                    cursor: Cursor::new("a"),
                };
                return json(&state);
            }
            let idle = seen.number("idle_ms");
            polled.send(idle).unwrap();
            // The first is answered, so that another one follows; the others stay parked.
            if idle == 5 { json(&Events { events: vec![], cursor: Cursor::new("b") }) } else { never().await }
        }
    })
    .await;
    let session = session(&fake.url);
    session.watch_idle(idle);
    IDLE_MS.store(5, SeqCst);
    let mut updates = Box::pin(session.events());
    let listening = tokio::spawn(async move { while updates.next().await.is_some() {} });
    assert_eq!(soon(polls.recv()).await, Some(5));
    let away = u64::try_from(AWAY.as_millis()).unwrap();
    IDLE_MS.store(away, SeqCst);
    while soon(polls.recv()).await != Some(away) {}
    IDLE_MS.store(0, SeqCst);
    session.person_is_back();
    assert_eq!(soon(polls.recv()).await, Some(0));
    listening.abort();
}
