//! Whoever answers in the relay's place is told from a relay, and can do no harm.

use axum::{
    body::Body,
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use bytes::Bytes;
use relay_client::{Error, Relay, error::Found};

use crate::{
    fake::{Fake, json},
    name, session, soon,
};

async fn asked(answer: fn() -> Response) -> Error {
    let fake = Fake::serve(move |_| async move { answer() }).await;
    let relay = Relay::new(&fake.url).unwrap();
    soon(relay.health()).await.unwrap_err()
}

fn found(error: Error) -> Found {
    match error {
        Error::NotARelay { found, .. } => found,
        other => panic!("{other:?}"),
    }
}

const PAGE: &str = "<html>Welcome to the hotel</html>";

#[tokio::test]
async fn a_web_page_is_no_relay() {
    let page = || ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], PAGE).into_response();
    let error = asked(page).await;
    assert!(error.to_string().contains("open any web page"), "{error}");
    assert_eq!(found(error), Found::WebPage);
    let page = || (StatusCode::FORBIDDEN, [(header::CONTENT_TYPE, "Text/HTML")], PAGE).into_response();
    assert_eq!(found(asked(page).await), Found::Status(403));
    let page = || (StatusCode::NETWORK_AUTHENTICATION_REQUIRED, PAGE).into_response();
    assert_eq!(found(asked(page).await), Found::WebPage);
}

#[tokio::test]
async fn no_redirection_is_followed() {
    let portal = || Redirect::temporary("http://portal.example/login").into_response();
    assert_eq!(found(asked(portal).await), Found::Redirect { to: "http://portal.example/login".to_owned() });
}

#[tokio::test]
async fn nonsense_is_no_relay() {
    assert_eq!(found(asked(|| "hello".into_response()).await), Found::Nonsense);
    assert_eq!(found(asked(|| json(&[1, 2, 3])).await), Found::Nonsense);
    assert_eq!(found(asked(|| StatusCode::NO_CONTENT.into_response()).await), Found::Nonsense);
    assert_eq!(found(asked(|| StatusCode::IM_A_TEAPOT.into_response()).await), Found::Status(418));
}

#[tokio::test]
async fn a_server_in_front_of_a_relay_that_is_down_is_told_from_it() {
    let gateway = || (StatusCode::BAD_GATEWAY, [(header::CONTENT_TYPE, "text/html")], PAGE).into_response();
    let error = asked(gateway).await;
    assert!(matches!(error, Error::Gateway { status: 502, .. }), "{error:?}");
    assert!(error.is_transient());
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let endless = || {
        let spaces = || Some(Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 65_536])));
        let pieces = futures::stream::unfold((), move |()| std::future::ready(spaces().map(|piece| (piece, ()))));
        Body::from_stream(pieces).into_response()
    };
    assert!(matches!(asked(endless).await, Error::Oversize { .. }));
}

#[tokio::test]
async fn an_answer_that_says_it_is_huge_is_not_read_at_all() {
    let huge = || {
        let nothing = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        ([(header::CONTENT_LENGTH, "99999999999")], nothing).into_response()
    };
    assert!(matches!(asked(huge).await, Error::Oversize { .. }));
}

#[tokio::test]
async fn nobody_there_and_nobody_who_speaks_tls_are_different_things() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = soon(Relay::new(&format!("http://{address}")).unwrap().health()).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");

    let fake = Fake::serve(|_| async { json(&()) }).await;
    let relay = Relay::new(&fake.url.replace("http:", "https:")).unwrap();
    let error = soon(relay.health()).await.unwrap_err();
    assert!(matches!(error, Error::Tls { .. }), "{error:?}");
}

#[tokio::test]
async fn secrets_stay_out_of_what_is_printed() {
    let session = session("http://127.0.0.1:9");
    assert!(!format!("{session:?}").contains("secret"));
    let error = soon(session.remove_buddy(&name("Ben"))).await.unwrap_err();
    assert!(!format!("{error:?} {error}").contains("Ben"), "{error:?}");
}
