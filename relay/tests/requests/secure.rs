//! TLS on real connections: what is spoken over it, with which certificate, and what becomes of those who don't speak it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Stdio,
    time::{Duration, Instant, SystemTime},
};

use proto::{ErrorBody, ErrorCode, Fingerprint, api::Health};
use relay::{CertificateFiles, Config, Listen, PlainHttp};
use reqwest::{Version, tls::TlsInfo};
use sha2::{Digest, Sha256};

use crate::{
    bench::Bench,
    command_line::{Served, admin, program},
};

const LONG: Duration = Duration::from_secs(20);

const GET: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n";

fn listen(text: &str) -> Listen {
    text.parse().unwrap()
}

/// Listens with TLS, on a free port.
fn with_tls(config: &mut Config) {
    config.listen = vec![listen("https://127.0.0.1:0")];
}

/// Serves the configured addresses and says which they have become.
fn serve(bench: &Bench) -> Vec<SocketAddr> {
    let sockets = bench.relay.bind().unwrap();
    let addresses = sockets.iter().map(|socket| socket.listen().unwrap().address).collect();
    let relay = bench.relay.clone();
    tokio::spawn(async move { relay.serve(sockets).await });
    addresses
}

/// A client that looks at no certificate, but tells which it was shown.
fn client() -> reqwest::ClientBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().tls_danger_accept_invalid_certs(true).tls_info(true).no_proxy().timeout(LONG)
}

/// Asks for the relay's health over a new connection: how it was spoken to, and with which certificate.
async fn ask(client: reqwest::ClientBuilder, address: SocketAddr) -> (Version, Fingerprint) {
    let answer = client.build().unwrap().get(format!("https://{address}/v1/health")).send().await.unwrap();
    let certificate = answer.extensions().get::<TlsInfo>().unwrap().peer_certificate().unwrap().to_owned();
    let version = answer.version();
    assert!(answer.content_length().is_some() && answer.headers()["cache-control"] == "no-store");
    assert_eq!(answer.json::<Health>().await.unwrap().status, "ok");
    (version, Fingerprint::new(Sha256::digest(certificate).into()))
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_over_tls() {
    let bench = Bench::with(with_tls).await;
    let address = serve(&bench)[0];
    let shown = bench.relay.fingerprint().unwrap();
    assert_eq!(ask(client(), address).await, (Version::HTTP_2, shown));
    assert_eq!(ask(client().http1_only(), address).await, (Version::HTTP_11, shown));
    bench.relay.stop().await;
}

#[tokio::test]
async fn polls_wait_on_one_connection_of_http_2_and_a_stop_answers_them() {
    let bench = Bench::with(with_tls).await;
    let (ana, mut ben) = bench.buddies("Ana", "Ben").await;
    let second = bench.sign_in("Ana").await;
    ana.delete("/v1/session").await.read::<serde_json::Value>();
    ben.show_up().await;
    let cursor = second.state().await.cursor;
    let address = serve(&bench)[0];
    let client = client().build().unwrap();
    let url = format!("https://{address}/v1/events?after={cursor}&wait_ms=20000");
    let parked = tokio::spawn(client.get(url).bearer_auth(&second.token).send());
    // Ana is seen once her poll is there.
    ben.next().await;
    let health = client.get(format!("https://{address}/v1/health")).send().await.unwrap();
    assert_eq!(health.version(), Version::HTTP_2, "others aren't held up by it");
    bench.relay.stop().await;
    let answer = parked.await.unwrap().unwrap();
    assert_eq!(answer.version(), Version::HTTP_2);
    assert!(answer.text().await.unwrap().contains("goodbye"));
}

#[tokio::test]
async fn a_relay_that_never_says_tls_has_no_certificate() {
    let bench = Bench::new().await;
    assert_eq!(bench.relay.fingerprint(), None);
    assert!(!bench.folder.path().join("self-signed.pem").exists());
}

/// A certificate and its key, in files that are as old as `number` says.
fn write_certificate(files: &CertificateFiles, number: u64) -> Fingerprint {
    let key = rcgen::KeyPair::generate().unwrap();
    let made = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    write(&files.certificate, &made.pem(), number);
    write(&files.key, &key.serialize_pem(), number);
    Fingerprint::new(Sha256::digest(made.der()).into())
}

fn write(path: &Path, text: &str, number: u64) {
    std::fs::write(path, text).unwrap();
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + number);
    std::fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
}

#[tokio::test]
async fn a_new_certificate_is_shown_without_a_restart_and_calls_go_on_over_the_old_connections() {
    let folder = tempfile::tempdir().unwrap();
    let files = CertificateFiles { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    let first = write_certificate(&files, 0);
    let bench = Bench::with(|config| {
        with_tls(config);
        config.certificate = Some(files.clone());
    })
    .await;
    let address = serve(&bench)[0];
    assert_eq!(ask(client(), address).await.1, first);
    let old = client().http1_only().build().unwrap();
    let shown = async || {
        let answer = old.get(format!("https://{address}/v1/health")).send().await.unwrap();
        let certificate = answer.extensions().get::<TlsInfo>().unwrap().peer_certificate().unwrap().to_owned();
        // Read to its end, or the connection isn't used again.
        answer.bytes().await.unwrap();
        certificate
    };
    let before = shown().await;
    let second = write_certificate(&files, 1);
    let deadline = Instant::now() + LONG;
    while ask(client(), address).await.1 != second {
        assert!(Instant::now() < deadline, "the new certificate is shown");
    }
    assert_eq!(before, shown().await, "the connection is the old one");
    // A bad one turns nobody away, and the next good one is shown.
    write(&files.certificate, "-----BEGIN", 2);
    assert_eq!(ask(client(), address).await.1, second);
    let third = write_certificate(&files, 3);
    while ask(client(), address).await.1 != third {
        assert!(Instant::now() < deadline, "the third certificate is shown");
    }
    bench.relay.stop().await;
}

/// What comes back, to the end of the connection.
fn answer(address: SocketAddr, say: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.write_all(say).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn refusal(answer: &str) -> ErrorCode {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
    let lower = head.to_lowercase();
    assert!(lower.contains("connection: close") && lower.contains("cache-control: no-store"), "{head}");
    let error = serde_json::from_str::<ErrorBody>(body).unwrap().error;
    assert!(head.starts_with(&format!("HTTP/1.1 {} ", error.code.status())), "{head}");
    error.code
}

#[tokio::test]
async fn who_speaks_plain_http_or_nonsense_to_a_tls_port_is_told_or_cut() {
    let bench = Bench::with(with_tls).await;
    let address = serve(&bench)[0];
    tokio::task::spawn_blocking(move || {
        let told = answer(address, b"GET /v1/health HTTP/1.1\r\nHost: relay\r\n\r\n");
        assert_eq!(refusal(&told), ErrorCode::HttpsOnly);
        let told = answer(address, b"POST /v1/session HTTP/1.1\r\nHost: relay\r\nContent-Length: 3\r\n\r\n{}\n");
        assert_eq!(refusal(&told), ErrorCode::HttpsOnly);
        assert_eq!(answer(address, b"\x00nonsense"), "");
        // An alert of TLS and nothing else.
        assert!(answer(address, b"\x16\x03\x01\x00\x05hello and more").len() < 16);
    })
    .await
    .unwrap();
    ask(client(), address).await;
    bench.relay.stop().await;
}

#[tokio::test]
async fn who_says_nothing_to_a_tls_port_is_cut_and_a_stop_does_not_wait_for_them() {
    let bench = Bench::with(with_tls).await;
    let address = serve(&bench)[0];
    let start = Instant::now();
    let silent = tokio::task::spawn_blocking(move || {
        // Whoever sends half a greeting is silent, too.
        let mut halfway = TcpStream::connect(address).unwrap();
        halfway.write_all(b"\x16\x03\x01\x02\x00\x01").unwrap();
        let told = answer(address, b"");
        halfway.set_read_timeout(Some(LONG)).unwrap();
        let _ = halfway.read_to_end(&mut Vec::new());
        told
    });
    assert_eq!(silent.await.unwrap(), "");
    assert!(start.elapsed() >= Duration::from_secs(9) && start.elapsed() < LONG, "{:?}", start.elapsed());
    let _last = tokio::task::spawn_blocking(move || TcpStream::connect(address)).await.unwrap().unwrap();
    let start = Instant::now();
    bench.relay.stop().await;
    assert!(start.elapsed() < Duration::from_millis(1400), "{:?}", start.elapsed());
}

#[tokio::test]
async fn plain_http_can_be_kept_to_this_machine() {
    let bench = Bench::with(|config| {
        config.listen = vec![listen("http://127.0.0.1:0")];
        config.plain_http = PlainHttp::Loopback;
    })
    .await;
    let address = serve(&bench)[0];
    let told = tokio::task::spawn_blocking(move || answer(address, GET)).await.unwrap();
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    bench.relay.stop().await;
}

/// An address of this machine that is no loopback, if it has one.
fn elsewhere() -> Option<SocketAddr> {
    // Nothing is sent: the system only chooses the address it would send from.
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then(|| SocketAddr::new(address, 0))
}

#[tokio::test]
async fn from_elsewhere_only_tls_is_let_in_where_it_is_wanted_and_trusted_proxies() {
    let Some(here) = elsewhere() else {
        println!("skipped: this machine has no address but the loopback");
        return;
    };
    for (proxies, plain_http, refused) in
        [("", PlainHttp::Loopback, true), ("0.0.0.0/0", PlainHttp::Loopback, false), ("", PlainHttp::Everyone, false)]
    {
        let bench = Bench::with(|config| {
            config.listen = vec![Listen::plain(here), Listen::secure(here)];
            config.plain_http = plain_http;
            config.proxies.networks = proxies.split_whitespace().map(|network| network.parse().unwrap()).collect();
        })
        .await;
        let addresses = serve(&bench);
        let plain = addresses[0];
        let told = tokio::task::spawn_blocking(move || answer(plain, GET)).await.unwrap();
        if refused {
            assert_eq!(refusal(&told), ErrorCode::HttpsOnly);
        } else {
            assert!(told.starts_with("HTTP/1.1 200"), "{told}");
        }
        ask(client(), addresses[1]).await;
        bench.relay.stop().await;
    }
}

#[test]
fn the_program_says_where_it_speaks_tls_and_what_its_certificate_is_known_by() {
    let folder = tempfile::tempdir().unwrap();
    let before = admin(folder.path(), &["fingerprint"]);
    let fingerprint = String::from_utf8(before.stdout).unwrap();
    fingerprint.trim().parse::<Fingerprint>().unwrap();
    let mut command = program();
    command.args(["serve", "--listen", "https://127.0.0.1:0", "--listen", "127.0.0.1:0", "--data"]).arg(folder.path());
    let mut served = Served(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let lines = BufReader::new(served.0.stdout.take().unwrap()).lines().take(2).map(Result::unwrap).collect::<Vec<_>>();
    assert!(lines[0].starts_with("listening on https://127.0.0.1:") && lines[1].starts_with("listening on http://127.0.0.1:"));
    let mut log = BufReader::new(served.0.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(log.any(|line| line.contains(fingerprint.trim()) && line.contains("self-signed")), "it stands in the log");
    assert_eq!(admin(folder.path(), &["fingerprint"]).stdout, fingerprint.as_bytes());
    drop(served);

    let files = CertificateFiles { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    let own = write_certificate(&files, 0).to_string();
    std::fs::write(folder.path().join("tvphone-relay.toml"), "certificate = \"cert.pem\"\nkey = \"key.pem\"\n").unwrap();
    assert_eq!(String::from_utf8(admin(folder.path(), &["fingerprint"]).stdout).unwrap().trim(), own);
    std::fs::remove_file(&files.key).unwrap();
    let refused = program().args(["serve", "--listen", "https://127.0.0.1:0", "--data"]).arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("key.pem can't be read"), "{said}");
}
