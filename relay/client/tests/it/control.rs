//! Control requests: what is sent, and what is sent again.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering::SeqCst},
};

use axum::http::Method;
use proto::{
    CallId, Chat, ErrorCode, InvitationId, Kind, MessageId, PeerId, SessionId, Token, TrackId,
    api::{ChangePassword, Done, History, OwnSession, PageHistory, Ring, SendChat, Sessions, SetMedia, SignIn, SignUp, SignedIn},
    limits::CLIENT_ID_MAX,
    model::Message,
};
use relay_client::{Error, Relay};

use crate::{
    fake::{Fake, broken, json, refusal},
    name, session, soon,
};

#[tokio::test]
async fn signing_in_offers_versions_and_keeps_the_token() {
    let fake = Fake::serve(|seen| async move {
        if seen.method == Method::POST {
            assert_eq!(seen.path, "/v1/session");
            let body: SignIn = serde_json::from_slice(&seen.body).unwrap();
            assert_eq!((body.name, body.password.as_str(), body.device.as_str()), (name("ana"), "12345678", "laptop"));
            assert_eq!(body.versions, proto::version::SUPPORTED);
            return json(&SignedIn { token: Token::new("t0ken"), name: name("Ana"), version: 1 });
        }
        assert_eq!(seen.authorization.as_deref(), Some("Bearer t0ken"));
        assert_eq!((seen.method, seen.path.as_str()), (Method::DELETE, "/v1/session"));
        json(&Done {})
    })
    .await;
    let session = soon(Relay::new(&fake.url).unwrap().sign_in(&name("ana"), "12345678", "laptop")).await.unwrap();
    assert_eq!(session.name(), &name("Ana"));
    soon(session.sign_out()).await.unwrap();
}

#[tokio::test]
async fn a_session_of_a_version_nobody_offered_is_not_taken() {
    let fake = Fake::serve(|_| async { json(&SignedIn { token: Token::new("t"), name: name("Ana"), version: 99 }) }).await;
    let outcome = soon(Relay::new(&fake.url).unwrap().sign_in(&name("ana"), "12345678", "")).await;
    assert!(matches!(outcome, Err(Error::NotARelay { .. })));
}

#[tokio::test]
async fn a_refusal_is_told_and_not_repeated() {
    let count = Arc::new(AtomicU32::new(0));
    let counted = count.clone();
    let fake = Fake::serve(move |_| {
        counted.fetch_add(1, SeqCst);
        async { refusal(ErrorCode::Busy, None) }
    })
    .await;
    let error = soon(session(&fake.url).ring(&name("Ben"), None)).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::Busy));
    assert_eq!(error.to_string(), "Refused: Busy.");
    assert_eq!(count.load(SeqCst), 1);
}

#[tokio::test]
async fn passing_trouble_is_waited_out_with_the_same_message() {
    let seen_ids = Arc::new(Mutex::new(Vec::new()));
    let ids = seen_ids.clone();
    let fake = Fake::serve(move |seen| {
        let body: SendChat = serde_json::from_slice(&seen.body).unwrap();
        let mut ids = ids.lock().unwrap();
        ids.push(body.client_id.clone());
        let count = ids.len();
        async move {
            match count {
                1 => refusal(ErrorCode::ShuttingDown, Some(10)),
                2 => broken(),
                _ => json(&Message {
                    id: MessageId(5),
                    from: name("Ana"),
                    to: body.to,
                    group: None,
                    text: body.text,
                    html: None,
                    attachments: vec![],
                    sent_at_ms: 0,
                    edited_at_ms: None,
                    deleted: false,
                    client_id: body.client_id,
                }),
            }
        }
    })
    .await;
    let message = soon(session(&fake.url).send_chat(&name("Ben"), "Hello", "id-1")).await.unwrap();
    assert_eq!((message.id, message.text.as_str()), (MessageId(5), "Hello"));
    assert_eq!(*seen_ids.lock().unwrap(), ["id-1", "id-1", "id-1"]);
}

#[tokio::test]
async fn a_ring_has_one_id_however_often_it_is_sent_and_the_next_another() {
    let seen_ids = Arc::new(Mutex::new(Vec::new()));
    let ids = seen_ids.clone();
    let fake = Fake::serve(move |seen| {
        let body: Ring = serde_json::from_slice(&seen.body).unwrap();
        let mut ids = ids.lock().unwrap();
        ids.push(body.client_id.unwrap());
        let count = ids.len();
        async move { if count == 1 { broken() } else { refusal(ErrorCode::Offline, None) } }
    })
    .await;
    let session = session(&fake.url);
    for _ in 0..2 {
        soon(session.ring(&name("Ben"), None)).await.unwrap_err();
    }
    let ids = seen_ids.lock().unwrap();
    assert_eq!((ids.len(), &ids[0]), (3, &ids[1]));
    assert_ne!(ids[1], ids[2]);
    assert!((1..=CLIENT_ID_MAX).contains(&ids[0].len()));
}

#[tokio::test]
async fn an_account_that_may_have_been_made_is_not_asked_for_again() {
    let count = Arc::new(AtomicU32::new(0));
    let counted = count.clone();
    let fake = Fake::serve(move |_| {
        counted.fetch_add(1, SeqCst);
        async { broken() }
    })
    .await;
    let error = soon(Relay::new(&fake.url).unwrap().sign_up(&name("Ana"), "12345678")).await.unwrap_err();
    assert!(matches!(error, Error::Broken { .. }), "{error:?}");
    assert_eq!(count.load(SeqCst), 1);
}

#[tokio::test]
async fn an_account_is_asked_for_with_the_code_that_was_typed_or_without_one() {
    let codes = Arc::new(Mutex::new(Vec::new()));
    let noted = codes.clone();
    let fake = Fake::serve(move |seen| {
        assert_eq!(seen.path, "/v1/accounts");
        let body: SignUp = serde_json::from_slice(&seen.body).unwrap();
        let known = body.code.is_some();
        noted.lock().unwrap().push(body.code);
        async move { if known { json(&Done {}) } else { refusal(ErrorCode::WrongCode, None) } }
    })
    .await;
    let relay = Relay::new(&fake.url).unwrap();
    let error = soon(relay.sign_up(&name("Ana"), "12345678")).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::WrongCode));
    soon(relay.sign_up_by_code(&name("Ana"), "12345678", " 7kqf-9m2x \n")).await.unwrap();
    assert_eq!(*codes.lock().unwrap(), [None, Some("7kqf-9m2x".to_owned())]);
}

#[tokio::test]
async fn own_sessions_are_listed_and_one_that_is_over_counts_as_ended() {
    let one = OwnSession {
        id: SessionId::new("s1"),
        device: "kitchen".to_owned(),
        signed_in_at_ms: None,
        seen_at_ms: 5,
        current: true,
    };
    let listed = Sessions { sessions: vec![one.clone()] };
    let fake = Fake::serve(move |seen| {
        let listed = listed.clone();
        async move {
            match (seen.method, seen.path.as_str()) {
                (Method::GET, "/v1/sessions") => json(&listed),
                (Method::DELETE, "/v1/sessions/s1") => json(&Done {}),
                (Method::DELETE, "/v1/sessions/s2") => refusal(ErrorCode::NotFound, None),
                _ => refusal(ErrorCode::Internal, None),
            }
        }
    })
    .await;
    let session = session(&fake.url);
    assert_eq!(soon(session.sessions()).await.unwrap(), [one]);
    soon(session.end_session(&SessionId::new("s1"))).await.unwrap();
    soon(session.end_session(&SessionId::new("s2"))).await.unwrap();
}

#[tokio::test]
async fn a_password_that_may_have_been_changed_is_not_changed_again() {
    let count = Arc::new(AtomicU32::new(0));
    let counted = count.clone();
    let fake = Fake::serve(move |seen| {
        assert_eq!((seen.method, seen.path.as_str()), (Method::POST, "/v1/account/password"));
        assert_eq!(seen.authorization.as_deref(), Some("Bearer secret"));
        let body: ChangePassword = serde_json::from_slice(&seen.body).unwrap();
        assert_eq!((body.old.as_str(), body.new.as_str()), ("12345678", "87654321"));
        let first = counted.fetch_add(1, SeqCst) == 0;
        async move { if first { json(&Done {}) } else { broken() } }
    })
    .await;
    let session = session(&fake.url);
    soon(session.change_password("12345678", "87654321")).await.unwrap();
    let error = soon(session.change_password("12345678", "87654321")).await.unwrap_err();
    assert!(matches!(error, Error::Broken { .. }), "{error:?}");
    assert_eq!(count.load(SeqCst), 2);
}

#[tokio::test]
async fn each_request_goes_where_the_routes_say() {
    let routes = Arc::new(Mutex::new(Vec::new()));
    let noted = routes.clone();
    let fake = Fake::serve(move |seen| {
        assert_eq!(seen.authorization.as_deref(), Some("Bearer secret"));
        noted.lock().unwrap().push((seen.method.clone(), seen.path.clone()));
        async move {
            if seen.path == "/v1/chat" {
                assert_eq!((seen.number("after"), seen.number("limit")), (7, 20));
                assert_eq!(seen.query["with"], "Ben");
                assert!(!seen.query.contains_key("before"));
                return json(&History { messages: vec![], more: false });
            }
            json(&Done {})
        }
    })
    .await;
    let session = session(&fake.url);
    let (call, invitation) = (CallId::new("c"), InvitationId::new("i"));
    soon(session.decline(&invitation)).await.unwrap();
    soon(session.cancel(&invitation)).await.unwrap();
    soon(session.leave(&call)).await.unwrap();
    soon(session.set_media(&call, SetMedia { audio: true, ..SetMedia::default() })).await.unwrap();
    soon(session.want_keyframe(&call, TrackId { peer: PeerId(2), kind: Kind::Video })).await.unwrap();
    soon(session.add_buddy(&name("Ben"))).await.unwrap();
    soon(session.remove_buddy(&name("Zoë"))).await.unwrap();
    soon(session.history(PageHistory { after: Some(7), limit: Some(20), ..PageHistory::newest(Chat::With(name("Ben"))) }))
        .await
        .unwrap();
    soon(session.sign_out()).await.unwrap();
    let expected = [
        (Method::POST, "/v1/invitations/i/decline"),
        (Method::POST, "/v1/invitations/i/cancel"),
        (Method::POST, "/v1/calls/c/leave"),
        (Method::POST, "/v1/calls/c/media"),
        (Method::POST, "/v1/calls/c/keyframe"),
        (Method::POST, "/v1/buddies"),
        (Method::DELETE, "/v1/buddies/Zo%C3%AB"),
        (Method::GET, "/v1/chat"),
        (Method::DELETE, "/v1/session"),
    ];
    let routes: Vec<_> = routes.lock().unwrap().clone();
    assert_eq!(routes, expected.map(|(method, path)| (method, path.to_owned())));
}
