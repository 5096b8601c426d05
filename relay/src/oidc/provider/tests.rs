//! The provider as it should be, and as it shouldn't.

use axum::http::StatusCode;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    super::testing::{
        Signer,
        fake::{CLIENT_ID, Fake, SECRET, now_s},
    },
    *,
};

const BACK: &str = "http://127.0.0.1:1/v1/oidc/callback";
const VERIFIER: &str = "verifier";

fn provider(fake: &Fake) -> Provider {
    let config = OidcConfig::new(&fake.issuer, CLIENT_ID, "", "http://127.0.0.1:1").unwrap();
    Provider::new(&config, SECRET.to_owned()).unwrap()
}

/// What comes back to the relay, as a browser brings it.
fn code(fake: &Fake) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let mut there = Url::parse(&format!("{}/auth", fake.issuer)).unwrap();
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", BACK),
        ("scope", "openid"),
        ("state", "state"),
        ("nonce", "nonce"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ] {
        there.query_pairs_mut().append_pair(name, value);
    }
    let back = Url::parse(&fake.sign_in(there.as_str())).unwrap();
    back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned()
}

async fn redeemed_at(provider: &Provider, fake: &Fake, now: Instant) -> Result<Claims, ProviderFailed> {
    let code = code(fake);
    let proofs = Proofs { nonce: "nonce".to_owned(), verifier: VERIFIER.to_owned() };
    let code = Code { code: &code, proofs: &proofs, redirect_uri: BACK, wanted: &["preferred_username"] };
    provider.redeem(code, now, now_s() as f64).await
}

async fn redeemed(provider: &Provider, fake: &Fake) -> Result<Claims, ProviderFailed> {
    redeemed_at(provider, fake, Instant::now()).await
}

#[tokio::test]
async fn a_code_tells_who_it_is_and_the_provider_is_asked_no_more_than_it_must_be() {
    let fake = Fake::start().await;
    let provider = provider(&fake);
    for _ in 0..3 {
        let claims = redeemed(&provider, &fake).await.unwrap();
        assert_eq!((claims.subject(), claims.name()), ("subject", Some("ana".parse().unwrap())));
    }
    let asked = |what| fake.asked_for(what);
    assert_eq!((asked(".well-known/openid-configuration"), asked("keys"), asked("token"), asked("userinfo")), (1, 1, 3, 0));
}

#[tokio::test]
async fn what_the_token_does_not_say_is_asked_for() {
    let fake = Fake::start().await;
    fake.book().claims = json!({"sub": "17"});
    fake.book().userinfo = json!({"sub": "17", "preferred_username": "ben"});
    let provider = provider(&fake);
    assert_eq!(redeemed(&provider, &fake).await.unwrap().name(), Some("ben".parse().unwrap()));
    // What it says of another person is nothing.
    fake.book().userinfo = json!({"sub": "18", "preferred_username": "ben"});
    assert_eq!(redeemed(&provider, &fake).await.unwrap().name(), Some("17".parse().unwrap()));
}

#[tokio::test]
async fn a_secret_that_may_be_misread_in_the_head_stands_in_the_form_where_it_may() {
    let fake = Fake::start().await;
    for methods in
        [json!(["client_secret_post"]), json!(["client_secret_basic", "client_secret_post"]), json!(["client_secret_basic"])]
    {
        fake.book().metadata = json!({"token_endpoint_auth_methods_supported": methods});
        redeemed(&provider(&fake), &fake).await.unwrap();
    }
}

#[tokio::test]
async fn tokens_that_are_not_good_are_refused() {
    let fake = Fake::start().await;
    let provider = provider(&fake);
    let refused = async |claims: Value| {
        fake.book().claims = claims;
        match redeemed(&provider, &fake).await {
            Err(ProviderFailed::Claims(bad)) => bad,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(json!({"iss": "https://id.example.org"})).await, BadClaims::Issuer);
    assert_eq!(refused(json!({"aud": "other"})).await, BadClaims::Audience);
    assert_eq!(refused(json!({"nonce": "other"})).await, BadClaims::Nonce);
    assert_eq!(refused(json!({"exp": now_s() - 61})).await, BadClaims::Expired);
    assert_eq!(refused(json!({"sub": null})).await, BadClaims::Subject);
    fake.book().claims = json!({});
    fake.book().secretly = Some(Signer::es256("first"));
    let forged = redeemed(&provider, &fake).await;
    assert!(matches!(forged, Err(ProviderFailed::Signature(BadSignature::Wrong))), "{forged:?}");
    fake.book().secretly = None;
    redeemed(&provider, &fake).await.unwrap();
}

#[tokio::test]
async fn a_new_key_is_fetched_but_not_all_the_time() {
    let fake = Fake::start().await;
    let provider = provider(&fake);
    let start = Instant::now();
    redeemed_at(&provider, &fake, start).await.unwrap();
    fake.book().signers = vec![Signer::es256("second")];
    for _ in 0..3 {
        let early = redeemed_at(&provider, &fake, start + KEYS_AGAIN / 2).await;
        assert!(matches!(early, Err(ProviderFailed::Signature(BadSignature::UnknownKey))), "{early:?}");
    }
    assert_eq!(fake.asked_for("keys"), 1);
    redeemed_at(&provider, &fake, start + KEYS_AGAIN).await.unwrap();
    assert_eq!(fake.asked_for("keys"), 2);
    // One that is withdrawn counts no longer than a day.
    let second = fake.book().signers.pop();
    fake.book().secretly = second;
    fake.book().signers = vec![Signer::es256("third")];
    redeemed_at(&provider, &fake, start + KEYS_AGAIN + FRESH / 2).await.unwrap();
    let late = redeemed_at(&provider, &fake, start + KEYS_AGAIN + FRESH).await;
    assert!(matches!(late, Err(ProviderFailed::Signature(BadSignature::UnknownKey))), "{late:?}");
    // A new one may go by the name of an old one.
    fake.book().secretly = None;
    fake.book().signers = vec![Signer::es256("third")];
    let early = redeemed_at(&provider, &fake, start + KEYS_AGAIN + FRESH).await;
    assert!(matches!(early, Err(ProviderFailed::Signature(BadSignature::Wrong))), "{early:?}");
    redeemed_at(&provider, &fake, start + 2 * KEYS_AGAIN + FRESH).await.unwrap();
}

#[tokio::test]
async fn a_provider_that_is_away_is_asked_again_later_and_forgotten_by_nobody() {
    let fake = Fake::start().await;
    let provider = provider(&fake);
    let start = Instant::now();
    fake.book().broken = Some(StatusCode::BAD_GATEWAY);
    assert!(matches!(provider.metadata(start).await, Err(ProviderFailed::Fetch { .. })));
    assert!(matches!(provider.metadata(start + AGAIN / 2).await, Err(ProviderFailed::Lately)));
    assert_eq!(fake.asked_for(".well-known/openid-configuration"), 1);
    fake.book().broken = None;
    provider.metadata(start + 2 * AGAIN).await.unwrap();
    fake.book().broken = Some(StatusCode::BAD_GATEWAY);
    // Old, and better than nothing.
    provider.metadata(start + 2 * AGAIN + FRESH).await.unwrap();
    assert_eq!(fake.asked_for(".well-known/openid-configuration"), 3);
}

#[tokio::test]
async fn a_provider_that_says_it_is_another_or_is_not_safe_is_refused() {
    let fake = Fake::start().await;
    for (metadata, word) in [
        (json!({"issuer": "https://id.example.org"}), "to the letter"),
        (json!({"issuer": format!("{}/", fake.issuer)}), "to the letter"),
        (json!({"issuer": "https://id.example.org\n".repeat(1000)}), "to the letter"),
        (json!({"token_endpoint": "http://id.example.org/token"}), "token_endpoint"),
        (json!({"jwks_uri": "file:///etc/passwd"}), "jwks_uri"),
        (json!({"authorization_endpoint": "javascript:alert(1)"}), "authorization_endpoint"),
        (json!({"userinfo_endpoint": "http://id.example.org/userinfo"}), "userinfo_endpoint"),
        (json!({"token_endpoint": null}), "can't be read"),
    ] {
        fake.book().metadata = metadata.clone();
        let error = provider(&fake).metadata(Instant::now()).await.unwrap_err().to_string();
        assert!(error.contains(word) && !error.contains('\n') && error.len() < 500, "{metadata}: {error}");
    }
}

#[tokio::test]
async fn answers_without_end_and_ways_elsewhere_are_not_followed() {
    use axum::{Router, response::Redirect};

    let fake = Fake::start().await;
    let far = format!("{}/.well-known/openid-configuration", fake.issuer);
    let large = || async { vec![b' '; 1 << 20] };
    let router = Router::new()
        .route("/away/.well-known/openid-configuration", axum::routing::get(move || async move { Redirect::temporary(&far) }))
        .route("/large/.well-known/openid-configuration", axum::routing::get(large));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    for (path, word) in [("away", "status 307"), ("large", "more than 262144 bytes")] {
        let config = OidcConfig::new(&format!("{base}/{path}"), CLIENT_ID, "", &base).unwrap();
        let error = Provider::new(&config, SECRET.to_owned()).unwrap().metadata(Instant::now()).await.unwrap_err();
        let ProviderFailed::Fetch { source, .. } = &error else { panic!("{error}") };
        assert!(source.to_string().contains(word), "{path}: {source}");
    }
    assert_eq!(fake.asked_for(".well-known/openid-configuration"), 0);
}
