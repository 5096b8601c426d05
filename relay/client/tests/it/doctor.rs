//! The doctor against ways with one fault each: it names the fault, at its rung, and finds nothing where there is none.
//!
//! All servers and proxies here are fakes on this machine's loopback; what is swallowed, refused, cut or late really is.

mod path;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    http::{StatusCode, header},
    response::{Html, IntoResponse},
};
use proto::limits::UPLOAD_MAX;
use relay_client::{
    ProxyLogin, ProxySettings, Relay, Trust,
    doctor::{Plan, Progress, Report, Step, Verdict},
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{Mutex, MutexGuard},
};

use self::path::{Faults, narrow, relay};
use crate::{
    fake::Fake,
    soon,
    trust::{Authority, Secure, Shown},
};

/// A look at everything, in a few seconds.
fn plan() -> Plan {
    let mut plan = Plan::quick();
    (plan.connect, plan.answer, plan.hold) = (Duration::from_secs(2), Duration::from_secs(3), Duration::from_millis(1500));
    (plan.spread, plan.rate) = (Duration::from_millis(450), Duration::from_millis(400));
    (plan.trips, plan.trips_within) = (30, Duration::from_secs(2));
    plan
}

/// What is measured is measured alone.
async fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::const_new(());
    ALONE.lock().await
}

async fn examine(relay: Relay) -> Report {
    let report = soon(relay.examine(&plan(), |_| {})).await;
    let steps: Vec<_> = report.rungs.iter().map(|rung| rung.step).collect();
    assert_eq!(steps, Step::ALL, "each rung is told of once");
    report
}

fn direct(url: &str) -> Relay {
    Relay::new(url).unwrap().with_proxy(ProxySettings::direct()).unwrap()
}

fn by(url: &str, proxy: SocketAddr, password: Option<&str>) -> Relay {
    let login = password.map(|password| ProxyLogin::new("ana", password));
    Relay::new(url).unwrap().with_proxy(ProxySettings { source: proxy.to_string().parse().unwrap(), login }).unwrap()
}

async fn with(faults: Faults) -> Report {
    let _alone = alone().await;
    examine(direct(&format!("http://{}", relay(faults).await))).await
}

/// This rung is the one to begin with, those below it hold, and each of these words is said.
#[track_caller]
fn names(report: &Report, step: Step, verdict: Verdict, words: &[&str]) {
    let rung = report.first_trouble().unwrap_or_else(|| panic!("nothing was found: {report}"));
    assert_eq!((rung.step, rung.verdict), (step, verdict), "{report}");
    let below = report.rungs.iter().filter(|other| other.step < step);
    assert!(below.into_iter().all(|other| matches!(other.verdict, Verdict::Good | Verdict::Untested)), "{report}");
    let said = report.to_string();
    for word in words {
        assert!(said.contains(word), "{word:?} isn't said: {said}");
    }
    assert!(!report.well && rung.advice.len() > 20 && rung.advice.ends_with('.'), "{report}");
}

/// What is above a rung that fails isn't looked at.
#[track_caller]
fn goes_no_further(report: &Report, step: Step) {
    let above = report.rungs.iter().filter(|rung| rung.step > step);
    assert!(above.into_iter().all(|rung| rung.verdict == Verdict::Untested), "{report}");
}

/// An address where nobody is.
fn nobody() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn where_nothing_is_wrong_nothing_is_found() {
    let _alone = alone().await;
    let there = relay(Faults::default()).await;
    let authority = Authority::called("Example Authority");
    let secure = Secure::before(there, authority.vouch("127.0.0.1")).await;
    let trust = Trust::system().with_ca_file(authority.file().path()).unwrap();
    let own = Shown::self_signed();
    let pinned = Trust::system().pin(own.fingerprint());
    let own = Secure::before(there, own).await;
    let proxy = relay(Faults { password: Some("Basic YW5hOnNlY3JldA=="), ..Faults::default() }).await;
    for relay in [
        direct(&format!("http://{there}")),
        Relay::with(&secure.url, trust).unwrap(),
        Relay::with(&own.url, pinned).unwrap(),
        by("http://relay.example:7480", proxy, Some("secret")),
    ] {
        let report = examine(relay).await;
        assert!(report.well && report.trouble.is_none(), "{report}");
        assert!(report.rungs.iter().all(|rung| rung.verdict == Verdict::Good && rung.advice.is_empty()), "{report}");
        assert_eq!((report.figures.upload_bytes, report.figures.held_ms), (Some(UPLOAD_MAX), Some(1500)), "{report}");
        assert!(report.figures.up_kbps > Some(1000.0) && report.figures.down_kbps > Some(1000.0), "{report}");
        assert!(report.to_string().ends_with("All is well.\n") && !format!("{report:?}").contains("secret"), "{report:?}");
    }
}

#[tokio::test]
async fn it_is_told_what_goes_on_rung_by_rung() {
    let _alone = alone().await;
    let there = relay(Faults::default()).await;
    let (mut began, mut ended, mut held) = (Vec::new(), Vec::new(), 0);
    let tell = |progress| match progress {
        Progress::Began(step) => began.push(step),
        Progress::Ended(rung) => ended.push(rung.step),
        Progress::Held(passed, of) => {
            assert!(passed <= of && of == Duration::from_millis(1500));
            held += 1;
        }
        other => panic!("{other:?}"),
    };
    soon(direct(&format!("http://{there}")).examine(&plan(), tell)).await;
    assert_eq!((began.as_slice(), ended.as_slice()), (&Step::ALL[..], &Step::ALL[..]));
    assert!(held >= 2, "{held}");
}

#[tokio::test]
async fn fault_1_a_name_that_is_not_found() {
    let report = examine(direct("http://no-such-relay.invalid")).await;
    names(&report, Step::Name, Verdict::Bad, &["The name of the relay, no-such-relay.invalid, isn't found"]);
    goes_no_further(&report, Step::Name);
}

#[tokio::test]
async fn fault_2_nothing_listens() {
    let there = nobody();
    let report = examine(direct(&format!("http://{there}"))).await;
    names(&report, Step::Connection, Verdict::Bad, &["The relay can't be reached", "refused", &format!("port {}", there.port())]);
    goes_no_further(&report, Step::Connection);
}

#[tokio::test]
async fn fault_3_packets_are_swallowed() {
    // A listener whose queue is full: the kernel drops whatever else knocks.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let there = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(Ok(waits)) = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(there)).await {
        queue.push(waits);
    }
    let report = examine(direct(&format!("http://{there}"))).await;
    names(&report, Step::Connection, Verdict::Bad, &["doesn't answer: something swallows the packets"]);
}

#[tokio::test]
async fn fault_3_a_connection_that_hangs() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = listener.local_addr().unwrap();
    let report = examine(direct(&format!("http://{there}"))).await;
    names(&report, Step::Relay, Verdict::Bad, &["a request gets no answer: something swallows it"]);
    let report = examine(direct(&format!("https://{there}"))).await;
    names(&report, Step::Encryption, Verdict::Bad, &["the TLS handshake with", "gets no answer"]);
}

#[tokio::test]
async fn fault_4_a_proxy_that_is_not_there() {
    for relay in ["http://relay.example", "https://relay.example"] {
        let report = examine(by(relay, nobody(), None)).await;
        names(&report, Step::Connection, Verdict::Bad, &["The proxy can't be reached", "refused", "proxy settings"]);
    }
}

#[tokio::test]
async fn fault_5_a_proxy_that_wants_a_password() {
    for password in [None, Some("open sesame")] {
        let proxy = relay(Faults { password: Some("Basic YW5hOnNlY3JldA=="), ..Faults::default() }).await;
        let report = examine(by("http://relay.example", proxy, password)).await;
        let says = if password.is_some() { "doesn't take this name and password" } else { "wants a name and a password" };
        names(&report, Step::Proxy, Verdict::Bad, &[says, "proxy settings", &proxy.to_string()]);
        goes_no_further(&report, Step::Proxy);
        let told = format!("{report} {report:?} {}", serde_json::to_string(&report).unwrap());
        assert!(!told.contains("sesame"), "{told}");
        assert_eq!(told.contains("(as ana, password not shown)"), password.is_some(), "{told}");
    }
}

#[tokio::test]
async fn fault_6_somebody_else_signs() {
    let known = Authority::called("Known Authority");
    for (name, says) in [
        ("Zscaler Root CA", "A filter on the way opens the encryption"),
        ("Another Authority", "signed by Another Authority, whom this computer doesn't know"),
    ] {
        let relay = Secure::show(Authority::called(name).vouch("127.0.0.1")).await;
        let trust = Trust::system().with_ca_file(known.file().path()).unwrap();
        let report = examine(Relay::with(&relay.url, trust).unwrap()).await;
        names(&report, Step::Encryption, Verdict::Bad, &[says, name, "--ca FILE"]);
        assert!(report.figures.signed_by.as_ref().is_some_and(|by| by.contains(name)), "{report:?}");
        goes_no_further(&report, Step::Encryption);
    }
    // One that this computer trusts reads along all the same.
    let _alone = alone().await;
    let filter = Authority::called("Zscaler Root CA");
    let shown = Secure::before(relay(Faults::default()).await, filter.vouch("127.0.0.1")).await;
    let trust = Trust::system().with_ca_file(filter.file().path()).unwrap();
    let report = examine(Relay::with(&shown.url, trust).unwrap()).await;
    names(&report, Step::Encryption, Verdict::Weak, &["reads along", "Zscaler Root CA"]);
}

#[tokio::test]
async fn fault_6_another_certificate_than_the_pinned_one_or_one_that_nobody_vouches_for() {
    let pinned = Shown::self_signed().fingerprint();
    let shown = Shown::self_signed();
    let shows = shown.fingerprint().to_string();
    let relay = Secure::show(shown).await;
    let report = examine(Relay::with(&relay.url, Trust::system().pin(pinned)).unwrap()).await;
    names(&report, Step::Encryption, Verdict::Bad, &["isn't the one you trusted", &shows]);
    let report = examine(Relay::new(&relay.url).unwrap()).await;
    names(&report, Step::Encryption, Verdict::Bad, &["of its own making", &shows, "--trust"]);
}

#[tokio::test]
async fn fault_7_a_certificate_that_has_expired_or_is_for_another_name() {
    let authority = Authority::called("Example Authority");
    for (shown, says) in
        [(authority.vouch_until("127.0.0.1", 2020), "has expired"), (authority.vouch("elsewhere.example"), "is for another name")]
    {
        let relay = Secure::show(shown).await;
        let trust = Trust::system().with_ca_file(authority.file().path()).unwrap();
        let report = examine(Relay::with(&relay.url, trust).unwrap()).await;
        names(&report, Step::Encryption, Verdict::Bad, &[says]);
    }
}

#[tokio::test]
async fn fault_8_uploads_that_are_refused_or_cut_when_they_are_large() {
    for (max, verdict) in [(40_000, Verdict::Bad), (200_000, Verdict::Weak)] {
        for (faults, says) in [
            (Faults { upload_max: Some(max), ..Faults::default() }, "refused with status 413"),
            (Faults { upload_cut: Some(max), ..Faults::default() }, "the connection is cut"),
        ] {
            let report = with(faults).await;
            names(&report, Step::Uploads, verdict, &[says, "Uploads of up to", "larger ones don't"]);
            let found = report.figures.upload_bytes.unwrap();
            assert!(found <= max && found > max * 4 / 5, "{found} of {max}");
        }
    }
}

#[tokio::test]
async fn fault_9_held_requests_that_are_cut() {
    let report = with(Faults { cut_after: Some(Duration::from_millis(700)), ..Faults::default() }).await;
    names(&report, Step::Polls, Verdict::Weak, &["A request that is held is cut after", "proxy_read_timeout"]);
    let cut = report.figures.cut_ms.unwrap();
    assert!((700..1400).contains(&cut), "{cut}");
}

#[tokio::test]
async fn fault_10_bodies_that_are_gathered_whole() {
    let report = with(Faults { gathers: true, ..Faults::default() }).await;
    names(
        &report,
        Step::Buffering,
        Verdict::Weak,
        &["Uploads and answers are held back until they are whole", "proxy_buffering"],
    );
    assert_eq!((report.figures.uploads_gathered, report.figures.answers_gathered), (Some(true), Some(true)));
}

#[tokio::test]
async fn fault_11_a_line_too_thin_for_pictures_or_for_anything() {
    let _alone = alone().await;
    for (kbps, verdict, says) in [(200, Verdict::Weak, "less than a picture needs"), (50, Verdict::Bad, "even for sound alone")] {
        let line = narrow(relay(Faults::default()).await, kbps * 1000 / 8).await;
        let report = examine(direct(&format!("http://{line}"))).await;
        names(&report, Step::Rates, verdict, &[says, "from here to the relay"]);
        let measured = report.figures.up_kbps.unwrap();
        assert!((f64::from(kbps) * 0.5..f64::from(kbps) * 1.3).contains(&measured), "{measured} of {kbps} kbit/s");
    }
}

#[tokio::test]
async fn fault_12_a_long_way_and_one_that_loses_packets() {
    let report = with(Faults { delay: Duration::from_millis(330), ..Faults::default() }).await;
    names(&report, Step::RoundTrip, Verdict::Weak, &["people talk into each other"]);
    assert_eq!(report.figures.round_trip.unwrap().late, 0, "late is what takes longer than most");
    let late = Some((6, Duration::from_millis(260)));
    let report = with(Faults { late, ..Faults::default() }).await;
    names(&report, Step::RoundTrip, Verdict::Weak, &["Sound and pictures will stumble", "an estimate"]);
    let trips = report.figures.round_trip.unwrap();
    assert!((4.0..13.0).contains(&trips.loss_percent), "{trips:?}");
}

#[tokio::test]
async fn fault_13_no_relay_but_a_page_to_sign_in_at() {
    let portal = Fake::serve(|_| async {
        (StatusCode::FOUND, [(header::LOCATION, "http://portal.example/login?mac=00:11:22")], "").into_response()
    });
    let page = Fake::serve(|_| async { Html("<h1>Welcome to our hotel</h1>").into_response() });
    for (fake, says) in [(portal.await, "a redirection to http://portal.example/login."), (page.await, "a web page")] {
        let report = examine(direct(&fake.url)).await;
        names(&report, Step::Relay, Verdict::Bad, &["No tvphone relay answers", says, "sign in there"]);
        assert!(!report.to_string().contains("00:11:22"), "what may be somebody's ticket isn't handed on: {report}");
        goes_no_further(&report, Step::Relay);
    }
}

#[tokio::test]
async fn a_relay_older_than_doctors_is_no_fault() {
    let report = with(Faults { old: true, ..Faults::default() }).await;
    assert!(report.well, "{report}");
    let untested = report.rungs.iter().filter(|rung| rung.verdict == Verdict::Untested).map(|rung| rung.step);
    assert_eq!(untested.collect::<Vec<_>>(), [Step::Uploads, Step::Polls, Step::Buffering, Step::Rates]);
}

#[tokio::test]
async fn a_dead_proxy_of_a_file_is_passed_over_and_said() {
    let _alone = alone().await;
    let there = relay(Faults::default()).await;
    let script = format!("function FindProxyForURL(u, h) {{ return 'PROXY {}; DIRECT' }}", nobody());
    let script: Arc<str> = script.into();
    let server = Fake::serve(move |_| {
        let script = script.to_string();
        async move { script.into_response() }
    })
    .await;
    let source = format!("pac:{}/proxy.pac", server.url).parse().unwrap();
    let relay = Relay::new(&format!("http://{there}")).unwrap().with_proxy(ProxySettings { source, login: None }).unwrap();
    let report = examine(relay).await;
    assert!(report.well && report.to_string().contains("was passed over"), "{report}");
}
