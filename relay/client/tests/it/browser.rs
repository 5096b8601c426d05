//! Signing in by the browser: what the app asks meanwhile.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::SeqCst},
};

use axum::http::Method;
use proto::{
    ErrorCode, Token,
    api::{BeginOidc, Done, OidcAnswer, OidcBegun, SignedIn},
};
use relay_client::{Error, Relay, error::Found};

use crate::{
    fake::{Fake, broken, json, refusal},
    name, soon,
};

const PAGE: &str = "https://relay.example.org/v1/oidc/start?id=h";

fn begun(url: &str) -> OidcBegun {
    OidcBegun { url: url.to_owned(), code: "7KQ-F9M".to_owned(), secret: Token::new("s3cret"), expires_in_ms: 600_000 }
}

#[tokio::test]
async fn it_waits_through_empty_answers_and_passing_trouble() {
    let polls = Arc::new(AtomicU32::new(0));
    let counted = polls.clone();
    let fake = Fake::serve(move |seen| {
        let counted = counted.clone();
        async move {
            assert_eq!(seen.path, "/v1/oidc");
            if seen.method == Method::POST {
                let wish: BeginOidc = serde_json::from_slice(&seen.body).unwrap();
                assert_eq!((wish.device.as_str(), &wish.versions[..]), ("laptop", proto::version::SUPPORTED));
                return json(&begun(PAGE));
            }
            assert_eq!((seen.method.clone(), seen.authorization.as_deref()), (Method::GET, Some("Bearer s3cret")));
            assert_eq!(seen.number("wait_ms"), 25_000);
            match counted.fetch_add(1, SeqCst) {
                0 => broken(),
                1 => json(&OidcAnswer { signed_in: None }),
                2 => refusal(ErrorCode::ShuttingDown, Some(10)),
                _ => json(&OidcAnswer { signed_in: Some(SignedIn { token: Token::new("t"), name: name("Ana"), version: 1 }) }),
            }
        }
    })
    .await;
    let sign_in = soon(Relay::new(&fake.url).unwrap().sign_in_by_browser("laptop")).await.unwrap();
    assert_eq!((sign_in.url(), sign_in.code()), (PAGE, "7KQ-F9M"));
    let shown = format!("{sign_in:?}");
    assert!(!shown.contains("s3cret") && !shown.contains("id=h"), "{shown}");
    assert_eq!(soon(sign_in.wait()).await.unwrap().name(), &name("Ana"));
    assert_eq!(polls.load(SeqCst), 4);
}

#[tokio::test]
async fn a_refusal_ends_it_and_it_can_be_cancelled() {
    let fake = Fake::serve(|seen| async move {
        match seen.method {
            Method::POST => json(&begun(PAGE)),
            Method::GET => refusal(ErrorCode::Forbidden, None),
            _ => {
                assert_eq!((seen.method, seen.authorization.as_deref()), (Method::DELETE, Some("Bearer s3cret")));
                json(&Done {})
            }
        }
    })
    .await;
    let sign_in = soon(Relay::new(&fake.url).unwrap().sign_in_by_browser("")).await.unwrap();
    assert_eq!(soon(sign_in.wait()).await.unwrap_err().code(), Some(ErrorCode::Forbidden));
    soon(sign_in.cancel()).await.unwrap();
}

#[tokio::test]
async fn a_relay_that_never_says_that_the_time_is_over_is_not_asked_for_ever() {
    let fake = Fake::serve(|seen| async move {
        match seen.method {
            Method::POST => json(&OidcBegun { expires_in_ms: 0, ..begun(PAGE) }),
            _ => json(&OidcAnswer { signed_in: None }),
        }
    })
    .await;
    let sign_in = soon(Relay::new(&fake.url).unwrap().sign_in_by_browser("")).await.unwrap();
    assert_eq!(soon(sign_in.wait()).await.unwrap_err().code(), Some(ErrorCode::NotFound));
}

#[tokio::test]
async fn only_a_web_page_is_given_to_be_opened() {
    for url in ["file:///etc/passwd", "javascript:alert(1)", "calc.exe", "/v1/oidc", "https://", "ftp://relay.example.org/"] {
        let fake = Fake::serve(move |_| async move { json(&begun(url)) }).await;
        let error = soon(Relay::new(&fake.url).unwrap().sign_in_by_browser("")).await.unwrap_err();
        assert!(matches!(error, Error::NotARelay { found: Found::Nonsense, .. }), "{url}: {error:?}");
    }
}
