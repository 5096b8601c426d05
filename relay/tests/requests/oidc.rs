//! Signing in by the browser: the app, the browser and an OpenID provider, each played by the test.

#[path = "../../src/oidc/testing.rs"]
#[allow(dead_code, reason = "the relay's own tests use the rest of it")]
mod testing;

use std::net::SocketAddr;

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Method, Request, StatusCode, header},
};
use proto::{
    ErrorCode,
    api::{Health, OidcAnswer, OidcBegun, Sessions, SignedIn, State},
};
use relay::{OidcConfig, Relay};
use serde_json::{Value, json};

use self::testing::fake::{CLIENT_ID, Fake, SECRET};
use crate::bench::{Bench, PASSWORD, Reply, config};

/// The relay as browsers know it: behind a web server that has it under a path.
const PUBLIC: &str = "http://127.0.0.1:7480/phone";

/// A relay whose provider is `fake`.
async fn relay_at(fake: &Fake, change: impl FnOnce(&mut OidcConfig)) -> Bench {
    Bench::with(|config| {
        let secret = config.data.join("client-secret");
        std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
        let mut oidc = OidcConfig::new(&fake.issuer, CLIENT_ID, secret, PUBLIC).unwrap();
        oidc.name = "Ana & Ben's".to_owned();
        change(&mut oidc);
        config.oidc = Some(oidc);
    })
    .await
}

async fn begin(bench: &Bench) -> OidcBegun {
    bench.post("/v1/oidc", None, json!({"device": "kitchen\n", "versions": [1]})).await.read()
}

async fn poll(bench: &Bench, begun: &OidcBegun, wait_ms: u64) -> Reply {
    bench.send(Method::GET, &format!("/v1/oidc?wait_ms={wait_ms}"), Some(begun.secret.reveal()), Body::empty()).await
}

async fn signed_in(bench: &Bench, begun: &OidcBegun) -> SignedIn {
    poll(bench, begun, 9_000).await.read::<OidcAnswer>().signed_in.expect("somebody has signed in")
}

/// What a browser keeps.
#[derive(Default)]
struct Browser {
    cookie: Option<String>,
}

impl Browser {
    async fn ask(&mut self, bench: &Bench, method: Method, url: &str, body: String) -> Reply {
        let path = url.strip_prefix(PUBLIC).unwrap_or(url);
        let mut request = Request::builder().method(method).uri(path);
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, format!("theme=dark; {cookie}"));
        }
        let reply = bench.raw(request.body(Body::from(body)).unwrap()).await;
        if let Some(cookie) = reply.headers.get(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=600"), "{cookie}");
            self.cookie = Some(cookie.split(';').next().unwrap().to_owned());
        }
        reply
    }

    async fn open(&mut self, bench: &Bench, url: &str) -> Reply {
        self.ask(bench, Method::GET, url, String::new()).await
    }

    /// Says yes on a page that was opened.
    async fn say_yes(&mut self, bench: &Bench, page: &Reply) -> Reply {
        let form = format!("id={}&mark={}", field(page, "id"), field(page, "mark"));
        self.ask(bench, Method::POST, "/v1/oidc/confirm", form).await
    }

    /// Opens the page and says yes: where it is sent.
    async fn go(&mut self, bench: &Bench, begun: &OidcBegun) -> String {
        let page = self.open(bench, &begun.url).await;
        assert_eq!(page.status, StatusCode::OK, "{}", text(&page));
        let reply = self.say_yes(bench, &page).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", text(&reply));
        reply.headers[header::LOCATION].to_str().unwrap().to_owned()
    }

    /// All of it: the page at the end.
    async fn sign_in(&mut self, bench: &Bench, fake: &Fake, begun: &OidcBegun) -> Reply {
        let there = self.go(bench, begun).await;
        self.open(bench, &fake.sign_in(&there)).await
    }
}

fn text(reply: &Reply) -> String {
    String::from_utf8(reply.body.to_vec()).unwrap()
}

/// A hidden field of the page's form.
fn field(page: &Reply, name: &str) -> String {
    let page = text(page);
    let (_, after) = page.split_once(&format!("name={name} value=\"")).expect("the field is there");
    after.split_once('"').unwrap().0.to_owned()
}

/// What every page a browser is shown has.
fn check_page(reply: &Reply) {
    assert_eq!(reply.headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    let policy = reply.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.contains("base-uri 'none'") && policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
    assert_eq!(reply.headers[header::X_FRAME_OPTIONS], "DENY");
    assert_eq!(reply.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(reply.headers[header::REFERRER_POLICY], "no-referrer");
    assert!(!text(reply).contains("<script"));
}

#[tokio::test]
async fn somebody_signs_in_by_the_browser_and_has_an_account() {
    let fake = Fake::start().await;
    let bench = relay_at(&fake, |_| {}).await;
    let health: Health = bench.send(Method::GET, "/v1/health", None, "").await.read();
    assert_eq!(health.oidc.unwrap().name, "Ana & Ben's");
    let begun = begin(&bench).await;
    assert!(begun.url.starts_with("http://127.0.0.1:7480/phone/v1/oidc/start?id="), "{}", begun.url);
    assert!(!begun.url.contains(begun.secret.reveal()) && begun.code.len() == 7 && begun.expires_in_ms == 600_000);
    assert_eq!(poll(&bench, &begun, 0).await.read::<OidcAnswer>().signed_in, None);
    let mut browser = Browser::default();
    let page = browser.open(&bench, &begun.url).await;
    check_page(&page);
    assert!(text(&page).contains(&begun.code) && text(&page).contains("Sign in with Ana &amp; Ben&#39;s"));
    let end = browser.sign_in(&bench, &fake, &begun).await;
    check_page(&end);
    assert_eq!(end.status, StatusCode::OK, "{}", text(&end));
    assert!(text(&end).contains("You can close this page and go back to tvphone."));
    let ana = signed_in(&bench, &begun).await;
    assert_eq!((ana.name.as_str(), ana.version), ("ana", 1));
    // An answer that was lost is given again.
    assert_eq!(signed_in(&bench, &begun).await, ana);
    let token = Some(ana.token.reveal());
    assert_eq!(bench.send(Method::GET, "/v1/state", token, "").await.read::<State>().name, ana.name);
    // On another device it is the same person, by another name at the provider too.
    fake.book().claims = json!({"preferred_username": "renamed"});
    let begun = begin(&bench).await;
    Browser::default().sign_in(&bench, &fake, &begun).await;
    let again = signed_in(&bench, &begun).await;
    assert!(again.name == ana.name && again.token != ana.token);
    let sessions: Sessions = bench.send(Method::GET, "/v1/sessions", token, "").await.read();
    assert_eq!(sessions.sessions.iter().map(|own| own.device.as_str()).collect::<Vec<_>>(), ["kitchen", "kitchen"]);
}

#[tokio::test]
async fn the_parked_poll_is_answered_when_it_is_done() {
    let fake = Fake::start().await;
    let bench = relay_at(&fake, |_| {}).await;
    let begun = begin(&bench).await;
    let waits = async {
        let started = tokio::time::Instant::now();
        let ana = signed_in(&bench, &begun).await;
        assert!(started.elapsed().as_secs() < 8, "it was woken");
        ana
    };
    let mut browser = Browser::default();
    let (ana, end) = tokio::join!(waits, browser.sign_in(&bench, &fake, &begun));
    assert_eq!((ana.name.as_str(), end.status), ("ana", StatusCode::OK));
}

#[tokio::test]
async fn a_newer_poll_ends_an_older_one_and_a_cancelled_sign_in_ends_them_all() {
    let fake = Fake::start().await;
    let bench = relay_at(&fake, |_| {}).await;
    let begun = begin(&bench).await;
    // By then the other one is parked.
    let newer = async {
        tokio::task::yield_now().await;
        poll(&bench, &begun, 0).await
    };
    let (older, newer) = tokio::join!(poll(&bench, &begun, 9_000), newer);
    for reply in [older, newer] {
        assert_eq!(reply.read::<OidcAnswer>().signed_in, None);
    }
    let cancel = async {
        tokio::task::yield_now().await;
        bench.send(Method::DELETE, "/v1/oidc", Some(begun.secret.reveal()), "").await.read::<Value>()
    };
    let (parked, _) = tokio::join!(poll(&bench, &begun, 9_000), cancel);
    assert_eq!(parked.code(), ErrorCode::NotFound);
    assert_eq!(Browser::default().open(&bench, &begun.url).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_relay_that_stops_answers_the_parked_poll() {
    let fake = Fake::start().await;
    let bench = relay_at(&fake, |_| {}).await;
    let begun = begin(&bench).await;
    let stop = async {
        tokio::task::yield_now().await;
        bench.relay.stop().await;
    };
    let started = tokio::time::Instant::now();
    let (parked, ()) = tokio::join!(poll(&bench, &begun, 20_000), stop);
    assert_eq!(parked.read::<OidcAnswer>().signed_in, None);
    assert!(started.elapsed().as_secs() < 15);
    assert_eq!(poll(&bench, &begun, 0).await.code(), ErrorCode::ShuttingDown);
}

#[tokio::test]
async fn over_https_the_cookie_is_for_this_host_alone() {
    let fake = Fake::start().await;
    let bench = relay_at(&fake, |oidc| oidc.public_url = "https://relay.example.org/".parse().unwrap()).await;
    let begun = begin(&bench).await;
    let path = begun.url.strip_prefix("https://relay.example.org").unwrap();
    let page = bench.send(Method::GET, path, None, "").await;
    let cookie = page.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("__Host-tvphone-sign-in=") && cookie.contains("; Path=/; HttpOnly; SameSite=Lax;"), "{cookie}");
    assert!(cookie.ends_with("; Secure"), "{cookie}");
}

#[tokio::test]
async fn another_browser_can_not_go_on_with_it() {
    let fake = Fake::start().await;
    let bench = relay_at(&fake, |_| {}).await;
    let begun = begin(&bench).await;
    let (mut one, mut other) = (Browser::default(), Browser::default());
    let there = one.go(&bench, &begun).await;
    let back = fake.sign_in(&there);
    // Whoever began it says yes and sends the rest of the way to somebody else.
    for victim in [&mut Browser::default(), &mut other] {
        if victim.cookie.is_none() {
            victim.open(&bench, &begun.url).await;
        }
        let reply = victim.open(&bench, &back).await;
        check_page(&reply);
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", text(&reply));
    }
    assert_eq!(Browser::default().open(&bench, &back).await.status, StatusCode::FORBIDDEN);
    // Or sends them a form that says yes, with a mark of their own or none.
    let page = one.open(&bench, &begun.url).await;
    assert_eq!(other.say_yes(&bench, &page).await.status, StatusCode::FORBIDDEN);
    assert_eq!(Browser::default().say_yes(&bench, &page).await.status, StatusCode::FORBIDDEN);
    let form = format!("id={}", field(&page, "id"));
    assert_eq!(other.ask(&bench, Method::POST, "/v1/oidc/confirm", form).await.status, StatusCode::NOT_FOUND);
    let own = other.open(&bench, &begun.url).await;
    assert_eq!(other.say_yes(&bench, &own).await.status, StatusCode::FORBIDDEN, "one browser has said yes");
    // None of that took it from the one whose it is.
    assert_eq!(one.open(&bench, &back).await.status, StatusCode::OK);
    assert_eq!(signed_in(&bench, &begun).await.name.as_str(), "ana");
    // And it counts once.
    assert_eq!(one.open(&bench, &back).await.status, StatusCode::NOT_FOUND);
    assert_eq!(fake.asked_for("token"), 1);
}

#[tokio::test]
async fn nobody_gets_an_account_that_is_somebody_elses() {
    let fake = Fake::start().await;
    let bench = relay_at(&fake, |_| {}).await;
    let local = bench.person("Ana").await;
    let begun = begin(&bench).await;
    Browser::default().sign_in(&bench, &fake, &begun).await;
    let other = signed_in(&bench, &begun).await;
    assert_eq!(other.name.as_str(), "ana-2");
    let state: State = bench.send(Method::GET, "/v1/state", Some(other.token.reveal()), "").await.read();
    assert!(state.name != local.name && state.buddies.is_empty());
    // It has no password: none is right, and there is none to change.
    for password in ["*", "", PASSWORD] {
        let wish = json!({"name": "ana-2", "password": password, "versions": [1]});
        assert_eq!(bench.post("/v1/session", None, wish).await.code(), ErrorCode::WrongPassword);
    }
    let wish = json!({"old": "*", "new": "correct horse battery"});
    let refused = bench.post("/v1/account/password", Some(other.token.reveal()), wish).await;
    assert_eq!(refused.code(), ErrorCode::Forbidden);
    assert!(text(&refused).contains("no password to change"), "{}", text(&refused));
    assert_eq!(
        bench.post("/v1/accounts", None, json!({"name": "ANA-2", "password": PASSWORD})).await.code(),
        ErrorCode::NameTaken
    );
}

#[tokio::test]
async fn only_those_it_is_for_get_in() {
    let fake = Fake::start().await;
    let bench = relay_at(&fake, |oidc| {
        oidc.allow_domains = vec!["Example.org".to_owned()];
        oidc.allow_claim = Some("groups".to_owned());
        oidc.allow_values = vec!["staff".to_owned()];
    })
    .await;
    let known = |email: &str, verified: bool, groups: Value| json!({"preferred_username": "ana", "email": email, "email_verified": verified, "groups": groups});
    for (claims, allowed) in [
        (known("ana@example.com", true, json!(["staff"])), false),
        (known("ana@example.org.evil.example", true, json!(["staff"])), false),
        (known("ana@example.org", false, json!(["staff"])), false),
        (known("ana@example.org", true, json!(["students"])), false),
        (known("ana@example.org", true, json!("staff and students")), false),
        (json!({"preferred_username": "ana"}), false),
        (known("ana@example.org", true, json!(["students", "staff"])), true),
    ] {
        fake.book().claims = claims.clone();
        let begun = begin(&bench).await;
        let end = Browser::default().sign_in(&bench, &fake, &begun).await;
        check_page(&end);
        assert_eq!(end.status == StatusCode::OK, allowed, "{claims}");
        if allowed {
            signed_in(&bench, &begun).await;
        } else {
            assert_eq!(poll(&bench, &begun, 9_000).await.code(), ErrorCode::Forbidden, "{claims}");
        }
    }
    let health: Health = bench.send(Method::GET, "/v1/health", None, "").await.read();
    assert!(health.oidc.is_some());
}

#[tokio::test]
async fn what_the_provider_refuses_or_gets_wrong_signs_nobody_in() {
    let fake = Fake::start().await;
    let bench = relay_at(&fake, |_| {}).await;
    // The person said no.
    let begun = begin(&bench).await;
    let mut browser = Browser::default();
    let there = browser.go(&bench, &begun).await;
    let state = there.split_once("&state=").unwrap().1.split('&').next().unwrap();
    let back = format!("{PUBLIC}/v1/oidc/callback?error=access_denied&error_description=%3Cb%3Eno&state={state}");
    let end = browser.open(&bench, &back).await;
    assert!(end.status == StatusCode::FORBIDDEN && !text(&end).contains("<b>"), "{}", text(&end));
    assert_eq!(poll(&bench, &begun, 0).await.code(), ErrorCode::Forbidden);
    // Each of these is a token that can't be taken.
    for claims in
        [json!({"nonce": "other"}), json!({"aud": "other"}), json!({"exp": 5}), json!({"iss": "https://id.example.org"})]
    {
        fake.book().claims = claims;
        let begun = begin(&bench).await;
        let end = Browser::default().sign_in(&bench, &fake, &begun).await;
        check_page(&end);
        assert_eq!(end.status, StatusCode::BAD_GATEWAY);
        assert_eq!(poll(&bench, &begun, 0).await.code(), ErrorCode::Forbidden);
    }
    fake.book().claims = json!({});
    // A code that isn't the provider's, and an answer that says it is of another provider.
    for (from, to) in [("code=", "code=x"), ("code=", "iss=https%3A%2F%2Fid.example.org&code=")] {
        let begun = begin(&bench).await;
        let mut browser = Browser::default();
        let there = browser.go(&bench, &begun).await;
        let back = fake.sign_in(&there).replacen(from, to, 1);
        assert_eq!(browser.open(&bench, &back).await.status, StatusCode::BAD_GATEWAY);
        assert_eq!(poll(&bench, &begun, 0).await.code(), ErrorCode::Forbidden);
    }
}

#[tokio::test]
async fn a_provider_that_is_away_stops_neither_the_relay_nor_passwords() {
    let fake = Fake::start().await;
    fake.book().broken = Some(StatusCode::BAD_GATEWAY);
    let bench = relay_at(&fake, |_| {}).await;
    bench.person("Ana").await;
    let away = bench.post("/v1/oidc", None, json!({"versions": [1]})).await;
    assert_eq!(away.code(), ErrorCode::Internal);
    assert!(text(&away).contains("can't be reached"), "{}", text(&away));
    let health: Health = bench.send(Method::GET, "/v1/health", None, "").await.read();
    assert_eq!(health.status, "ok");
}

#[tokio::test]
async fn a_relay_without_a_provider_offers_none() {
    let bench = Bench::new().await;
    let health: Health = bench.send(Method::GET, "/v1/health", None, "").await.read();
    assert_eq!(health.oidc, None);
    assert_eq!(bench.post("/v1/oidc", None, json!({"versions": [1]})).await.code(), ErrorCode::NotFound);
    assert_eq!(bench.send(Method::GET, "/v1/oidc", Some("x"), "").await.code(), ErrorCode::NotFound);
    assert_eq!(bench.send(Method::DELETE, "/v1/oidc", Some("x"), "").await.code(), ErrorCode::NotFound);
    for url in ["/v1/oidc/start?id=x", "/v1/oidc/callback?state=x&code=y"] {
        assert_eq!(Browser::default().open(&bench, url).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn what_is_not_of_a_sign_in_is_not_found_and_not_shown() {
    let fake = Fake::start().await;
    let bench = relay_at(&fake, |_| {}).await;
    let begun = begin(&bench).await;
    for secret in [None, Some("x"), begun.url.rsplit('=').next()] {
        assert_eq!(bench.send(Method::GET, "/v1/oidc?wait_ms=9000", secret, "").await.code(), ErrorCode::NotFound);
    }
    assert_eq!(bench.post("/v1/oidc", None, json!({"versions": [999]})).await.code(), ErrorCode::UnsupportedVersion);
    let long = format!("/v1/oidc/callback?code=x&state={}", "x".repeat(20_000));
    for url in [
        "/v1/oidc/start",
        "/v1/oidc/start?id=",
        "/v1/oidc/start?id=%3Cscript%3Ealert(1)%3C/script%3E",
        "/v1/oidc/start?id=%ff%00",
        "/v1/oidc/callback",
        "/v1/oidc/callback?state=x&code=%3Cscript%3E",
        "/v1/oidc/callback?state=%3Cscript%3E&error=%3Cscript%3E",
        &long,
    ] {
        let reply = Browser::default().open(&bench, url).await;
        check_page(&reply);
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{url}");
    }
    for form in ["", "id=x", "id=x&mark=y", "\u{1}=&&&%", &"id=".repeat(20_000)] {
        let reply = Browser::default().ask(&bench, Method::POST, "/v1/oidc/confirm", form.to_owned()).await;
        assert!(reply.status.is_client_error(), "{}", reply.status);
    }
}

#[tokio::test]
async fn one_address_begins_only_so_many() {
    let fake = Fake::start().await;
    let bench = relay_at(&fake, |_| {}).await;
    let begin = async |address: &str| {
        let mut request = Request::post("/v1/oidc").body(Body::from(json!({"versions": [1]}).to_string())).unwrap();
        request.extensions_mut().insert(ConnectInfo(address.parse::<SocketAddr>().unwrap()));
        bench.raw(request).await
    };
    for _ in 0..20 {
        begin("192.0.2.1:1").await.read::<OidcBegun>();
    }
    let refused = begin("192.0.2.1:2").await;
    assert!(refused.code() == ErrorCode::RateLimited && refused.retry_after_ms().is_some());
    begin("192.0.2.2:1").await.read::<OidcBegun>();
}

#[tokio::test]
async fn a_relay_does_not_start_without_the_clients_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    let mut config = config(folder.path());
    config.oidc = Some(OidcConfig::new("https://id.example.org", CLIENT_ID, &file, PUBLIC).unwrap());
    for text in [None, Some(" \n")] {
        if let Some(text) = text {
            std::fs::write(&file, text).unwrap();
        }
        let error = Relay::open(config.clone()).await.unwrap_err().to_string();
        assert!(error.contains("OpenID client's secret can't be read") && error.contains("secret"), "{error}");
    }
}
