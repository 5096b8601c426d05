//! The event lane over a real socket.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::response::Response;
use futures::{Stream, StreamExt};
use proto::{
    Cursor, ErrorCode, Event,
    api::{Events, State},
    model::OwnPresence,
};
use relay_client::Update;
use tokio::sync::mpsc;

use crate::{
    fake::{Cable, Fake, json, never, refusal},
    name, session, soon,
};

fn state(cursor: &str) -> Response {
    let state = State {
        name: name("Ana"),
        buddies: vec![],
        invitations: vec![],
        call: None,
        tickers: vec![],
        presence: OwnPresence::default(),
        blocked: vec![],
        missed: vec![],
        cursor: Cursor::new(cursor),
    };
    json(&state)
}

fn events(count: usize, cursor: &str) -> Response {
    json(&Events { events: vec![Event::Goodbye { retry_after_ms: 0 }; count], cursor: Cursor::new(cursor) })
}

async fn next(updates: &mut Pin<Box<impl Stream<Item = Update>>>) -> Update {
    soon(updates.next()).await.expect("the stream goes on")
}

#[tokio::test]
async fn state_then_events_then_a_new_state_then_the_end() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = asked.clone();
    let fake = Fake::serve(move |seen| {
        let what = if seen.path == "/v1/state" { "state".to_owned() } else { seen.query["after"].clone() };
        noted.lock().unwrap().push(what.clone());
        let states = noted.lock().unwrap().iter().filter(|what| *what == "state").count();
        async move {
            match what.as_str() {
                "state" if states == 1 => state("a"),
                "state" => state("z"),
                // Cursors are opaque, so one that needs escaping must do.
                "a" => json(&Events { events: vec![], cursor: Cursor::new("b & c?") }),
                "b & c?" => refusal(ErrorCode::CursorExpired, None),
                _ => refusal(ErrorCode::Unauthorized, None),
            }
        }
    })
    .await;
    let mut updates = Box::pin(session(&fake.url).events());
    assert!(matches!(next(&mut updates).await, Update::State(state) if state.cursor == Cursor::new("a")));
    assert!(matches!(next(&mut updates).await, Update::State(state) if state.cursor == Cursor::new("z")));
    match next(&mut updates).await {
        Update::SignedOut { reason } => assert_eq!(reason.code(), Some(ErrorCode::Unauthorized)),
        other => panic!("{other:?}"),
    }
    assert!(soon(updates.next()).await.is_none());
    assert_eq!(*asked.lock().unwrap(), ["state", "a", "b & c?", "state", "z"]);
}

#[tokio::test]
async fn a_relay_that_was_away_is_found_again_and_nothing_is_lost() {
    let (polled, mut polls) = mpsc::unbounded_channel();
    let fake = Fake::serve(move |seen| {
        let polled = polled.clone();
        async move {
            if seen.path == "/v1/state" {
                return state("a");
            }
            let (after, wait) = (seen.query["after"].clone(), seen.number("wait_ms"));
            polled.send((after, wait)).unwrap();
            if wait == 0 { events(0, "a") } else { never().await }
        }
    })
    .await;
    let mut cable = Cable::to(&fake).await;
    let mut updates = Box::pin(session(&cable.url).events());
    assert!(matches!(next(&mut updates).await, Update::State(_)));
    // The stream is driven while the poll is parked.
    let (told, mut heard) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(update) = updates.next().await {
            told.send(update).unwrap();
        }
    });
    assert_eq!(soon(polls.recv()).await.unwrap(), ("a".to_owned(), 25_000));

    cable.cut().await;
    let begun = match soon(heard.recv()).await.unwrap() {
        Update::Reconnecting { attempt: 1, since, .. } => since,
        other => panic!("{other:?}"),
    };
    assert!(matches!(soon(heard.recv()).await.unwrap(), Update::Reconnecting { attempt: 2, since, .. } if since == begun));
    cable.mend().await;
    let mended = Instant::now();
    loop {
        match soon(heard.recv()).await.unwrap() {
            Update::Reconnecting { since, .. } => assert_eq!(since, begun),
            Update::Connected => break,
            other => panic!("{other:?}"),
        }
    }
    // Each wait is under a second, which the backoff's own tests see to; a machine may be busy for much longer.
    assert!(mended.elapsed() < Duration::from_secs(15), "it took {:?} to find the relay", mended.elapsed());
    assert_eq!(soon(polls.recv()).await.unwrap(), ("a".to_owned(), 0), "the cursor is kept");
    assert_eq!(soon(polls.recv()).await.unwrap(), ("a".to_owned(), 25_000));
}

#[tokio::test]
async fn a_goodbye_is_told_and_the_relay_asked_again() {
    let fake = Fake::serve(|seen| async move {
        match seen.path.as_str() {
            "/v1/state" => state("a"),
            _ if seen.query["after"] == "a" => events(1, "b"),
            _ => json(&Events { events: vec![Event::Unknown], cursor: Cursor::new("b") }),
        }
    })
    .await;
    let mut updates = Box::pin(session(&fake.url).events());
    assert!(matches!(next(&mut updates).await, Update::State(_)));
    assert!(matches!(next(&mut updates).await, Update::Event(Event::Goodbye { .. })));
    match next(&mut updates).await {
        Update::Reconnecting { attempt: 1, reason, .. } => assert_eq!(reason.code(), Some(ErrorCode::ShuttingDown)),
        other => panic!("{other:?}"),
    }
    assert!(matches!(next(&mut updates).await, Update::Connected));
    assert!(matches!(next(&mut updates).await, Update::Event(Event::Unknown)));
}
