//! The way through proxies: who is asked for what, who is let through, and what a person is told when nobody is.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use md5::Digest;
use proto::api::Health;
use relay_client::{Error, ProxyLogin, ProxySettings, ProxySource, Relay};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    fake::{Fake, Seen, json},
    soon,
};

fn health() -> Response {
    json(&Health { status: "ok".to_owned(), version: "1".to_owned(), protocol: vec![1], oidc: None })
}

fn asks(challenge: &str) -> Response {
    (StatusCode::PROXY_AUTHENTICATION_REQUIRED, [(header::PROXY_AUTHENTICATE, challenge)], "who are you?").into_response()
}

fn through(relay: &str, proxy: &str, password: Option<&str>) -> Relay {
    let login = password.map(|password| ProxyLogin::new("ana", password));
    let source = proxy.parse::<ProxySource>().unwrap();
    Relay::new(relay).unwrap().with_proxy(ProxySettings { source, login }).unwrap()
}

/// An address where nobody is.
fn nobody() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_proxy_is_given_the_whole_address_and_a_relay_only_the_path() {
    let targets = Arc::new(Mutex::new(Vec::new()));
    let seen = targets.clone();
    let fake = Fake::serve(move |request: Seen| {
        seen.lock().unwrap().push(request.target);
        async { health() }
    })
    .await;
    soon(through("http://relay.example:7480/phone", &fake.url, None).health()).await.unwrap();
    soon(Relay::new(&fake.url).unwrap().with_proxy(ProxySettings::direct()).unwrap().health()).await.unwrap();
    assert_eq!(*targets.lock().unwrap(), ["http://relay.example:7480/phone/v1/health", "/v1/health"]);
}

/// A proxy's side of Digest: each nonce is good for so many answers, and no count of one may come twice.
#[derive(Default)]
struct Gate {
    nonce: u32,
    counts: BTreeSet<String>,
    asked: u32,
}

impl Gate {
    const GOOD_FOR: usize = 7;

    fn admits(&mut self, request: &Seen) -> Result<(), String> {
        self.asked += 1;
        let challenge = |nonce: u32, stale: &str| {
            format!("Basic realm=\"net\", Digest realm=\"net\", nonce=\"n{nonce}\", qop=\"auth\", algorithm=MD5{stale}")
        };
        let Some(answer) = &request.proxy_authorization else { return Err(challenge(self.nonce, "")) };
        let get = |name: &str| {
            let part = answer.split(", ").find_map(|part| part.trim_start_matches("Digest ").strip_prefix(&format!("{name}=")));
            part.unwrap_or_else(|| panic!("no {name} in {answer}")).trim_matches('"').to_owned()
        };
        if get("nonce") != format!("n{}", self.nonce) || self.counts.len() == Self::GOOD_FOR {
            if self.counts.len() == Self::GOOD_FOR {
                self.nonce += 1;
                self.counts.clear();
            }
            return Err(challenge(self.nonce, ", stale=true"));
        }
        let hash = |text: String| md5::Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let (secret, what) = (hash("ana:net:secret".to_owned()), hash(format!("{}:{}", request.method, request.target)));
        let expected = hash(format!("{secret}:{}:{}:{}:auth:{what}", get("nonce"), get("nc"), get("cnonce")));
        assert_eq!(get("uri"), request.target);
        if get("response") != expected {
            return Err(challenge(self.nonce, ""));
        }
        assert!(self.counts.insert(get("nc")), "a count came twice: {answer}");
        Ok(())
    }
}

async fn gate() -> (Fake, Arc<Mutex<Gate>>) {
    let gate = Arc::new(Mutex::new(Gate::default()));
    let kept = gate.clone();
    let fake = Fake::serve(move |request: Seen| {
        let admitted = kept.lock().unwrap().admits(&request);
        async move {
            match admitted {
                Ok(()) => health(),
                Err(challenge) => asks(&challenge),
            }
        }
    })
    .await;
    (fake, gate)
}

#[tokio::test]
async fn digest_counts_right_for_many_requests_at_once_and_follows_new_nonces() {
    let (fake, gate) = gate().await;
    let relay = through("http://relay.example", &fake.url, Some("secret"));
    for _ in 0..5 {
        let requests = (0..3).map(|_| relay.health());
        for outcome in soon(futures::future::join_all(requests)).await {
            outcome.unwrap();
        }
    }
    assert!(gate.lock().unwrap().nonce >= 2, "nonces were renewed");
}

#[tokio::test]
async fn a_wrong_password_is_told_and_not_tried_on_and_on() {
    let (fake, gate) = gate().await;
    let relay = through("http://relay.example", &fake.url, Some("wrong"));
    for _ in 0..4 {
        let error = soon(relay.health()).await.unwrap_err();
        assert!(matches!(&error, Error::ProxyAuthentication { had_password: true, spoken: true, .. }), "{error:?}");
        let told = error.to_string();
        assert!(told.contains(&fake.url) && told.contains("doesn't take") && told.contains("Basic, Digest"), "{told}");
        assert!(!format!("{error:?} {relay:?}").contains("wrong"), "{relay:?}");
    }
    assert_eq!(gate.lock().unwrap().asked, 2, "once to be asked, once to answer");
}

#[tokio::test]
async fn what_a_proxy_wants_is_told_when_it_cannot_be_given() {
    let fake = Fake::serve(|_| async { asks("Negotiate, NTLM") }).await;
    let told = soon(through("http://relay.example", &fake.url, Some("secret")).health()).await.unwrap_err().to_string();
    assert!(told.contains(&fake.url) && told.contains("Negotiate, NTLM") && told.contains("isn't spoken here"), "{told}");
    let fake = Fake::serve(|_| async { asks("Basic realm=\"net\"") }).await;
    let told = soon(through("http://relay.example", &fake.url, None).health()).await.unwrap_err().to_string();
    assert!(told.contains("wants a name and a password"), "{told}");
}

#[tokio::test]
async fn a_proxy_out_of_reach_is_told_from_a_relay_out_of_reach() {
    let (relay, proxy) = (nobody(), nobody());
    for scheme in ["http", "https"] {
        let address = format!("{scheme}://{relay}");
        // A computer without certificates can't begin to try TLS.
        let Ok(direct) = Relay::new(&address) else { continue };
        let error = soon(direct.with_proxy(ProxySettings::direct()).unwrap().health()).await.unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
        let error = soon(through(&address, &proxy.to_string(), None).health()).await.unwrap_err();
        assert!(matches!(&error, Error::ProxyUnreachable { proxy: at, .. } if at.contains(&proxy.to_string())), "{error:?}");
    }
}

#[tokio::test]
async fn a_settings_word_or_file_that_leads_nowhere_is_told() {
    let error = soon(through("http://relay.example", "pac:/no/such/file.pac", None).health()).await.unwrap_err();
    assert!(error.to_string().contains("/no/such/file.pac"), "{error}");
    let file = std::env::temp_dir().join(format!("tvphone-socks-{}.pac", std::process::id()));
    std::fs::write(&file, "function FindProxyForURL() { return 'SOCKS5 a:1; HTTPS b:2' }").unwrap();
    let error = soon(through("http://relay.example", &format!("pac:{}", file.display()), None).health()).await.unwrap_err();
    assert!(error.to_string().contains("SOCKS5 a:1; HTTPS b:2"), "{error}");
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn a_pac_file_is_fetched_and_its_dead_proxies_passed_over() {
    let fake = Fake::serve(|_| async { health() }).await;
    let (dead, alive) = (nobody(), fake.address);
    let script =
        format!("function FindProxyForURL(u, h) {{ return h === 'relay.example' ? 'PROXY {dead}; PROXY {alive}' : 'DIRECT' }}");
    let server = Fake::serve(move |_| {
        let script = script.clone();
        async move { script.into_response() }
    })
    .await;
    soon(through("http://relay.example", &format!("pac:{}/proxy.pac", server.url), None).health()).await.unwrap();
}

/// Reads the head of a request.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn connect_is_answered_for_and_leads_through() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = listener.local_addr().unwrap().to_string();
    let heads = tokio::spawn(async move {
        let mut heads = Vec::new();
        let answers = [
            "HTTP/1.1 407 Who\r\nProxy-Authenticate: Digest realm=\"net\", nonce=\"n\", qop=\"auth\"\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.0 200 Connection established\r\n\r\n",
        ];
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            heads.push(head(&mut stream).await);
            stream.write_all(answer.as_bytes()).await.unwrap();
            if heads.len() == 2 {
                // The first byte of TLS: a handshake.
                assert_eq!(stream.read_u8().await.unwrap(), 22);
            }
        }
        heads
    });
    let Ok(relay) = Relay::new("https://relay.example:8443") else { return };
    let login = Some(ProxyLogin::new("ana", "secret"));
    let relay = relay.with_proxy(ProxySettings { source: proxy.parse().unwrap(), login }).unwrap();
    let error = soon(relay.health()).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. } | Error::Broken { .. } | Error::Tls { .. }), "{error:?}");
    let heads = soon(heads).await.unwrap();
    assert!(heads[0].starts_with("CONNECT relay.example:8443 HTTP/1.1\r\nHost: relay.example:8443\r\n"), "{}", heads[0]);
    assert!(!heads[0].contains("Proxy-Authorization") && !heads[0].contains("Bearer"), "{}", heads[0]);
    let hash = |text: &str| md5::Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let salt = heads[1].split("cnonce=\"").nth(1).unwrap().split('"').next().unwrap();
    let (secret, what) = (hash("ana:net:secret"), hash("CONNECT:relay.example:8443"));
    let expected = hash(&format!("{secret}:n:00000001:{salt}:auth:{what}"));
    assert!(heads[1].contains(&format!("response=\"{expected}\"")), "{}", heads[1]);
}

#[tokio::test]
async fn a_proxy_that_forbids_the_relay_is_told_as_that() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        }
    });
    let Ok(relay) = Relay::new("https://relay.example") else { return };
    let settings = ProxySettings::from(proxy.parse::<ProxySource>().unwrap());
    let error = soon(relay.with_proxy(settings).unwrap().health()).await.unwrap_err();
    assert!(matches!(error, Error::ProxyRefused { status: 403, .. }), "{error:?}");
    assert!(error.to_string().contains("allow that address"), "{error}");
    assert!(!error.is_transient());
}
