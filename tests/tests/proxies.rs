//! The same short call through each web server and proxy there is: chat, sound and picture, both ways, judged by what the robots
//! report. The matrix is printed; what isn't at hand is skipped, and says so.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    process::Command,
    sync::Mutex,
    time::{Duration, Instant},
};

use tests::{
    people::Relay,
    proxies::{
        Kit, Missing, Place,
        forward::{self, Asks},
        nasty::{Cut, Excess, Habits, Nasty},
        reverse,
    },
    robot::{Outcome, Robot},
};

/// Calls at a time: a call of this size takes a third of a core.
const AT_ONCE: usize = 2;

/// How long each call lasts, in seconds.
const CALL: &str = "5";

/// A robot has this long for everything.
const LIMIT: Duration = Duration::from_secs(45);

/// How the robots reach the relay.
struct Way {
    relay: String,
    /// More options, for Ana and for Ben.
    options: [Vec<String>; 2],
    /// What must run meanwhile.
    nasty: Vec<Nasty>,
}

impl Way {
    fn to(relay: String) -> Self {
        Self { relay, options: [Vec::new(), Vec::new()], nasty: Vec::new() }
    }

    fn behind(server: Result<std::net::SocketAddr, Missing>) -> Result<Self, Missing> {
        Ok(Self::to(format!("http://{}", server?)))
    }

    fn through(mut self, proxy: Result<std::net::SocketAddr, Missing>) -> Result<Self, Missing> {
        let option = ["--proxy".to_owned(), format!("http://{}", proxy?)];
        self.options.iter_mut().for_each(|options| options.extend(option.clone()));
        Ok(self)
    }

    /// Each has a proxy of their own: it counts the connections of one client.
    fn through_nasty(mut self, habits: Habits) -> Result<Self, Missing> {
        for options in &mut self.options {
            let nasty = Nasty::start(habits);
            options.extend(["--proxy".to_owned(), format!("http://{}", nasty.address)]);
            self.nasty.push(nasty);
        }
        Ok(self)
    }

    fn with_password(mut self, place: &Place, user: &str, password: &str) -> Self {
        let file = place.write("proxy-password", &format!("{password}\n")).display().to_string();
        let option = ["--proxy-user", user, "--proxy-password-file", &file].map(str::to_owned);
        self.options.iter_mut().for_each(|options| options.extend(option.clone()));
        self
    }
}

type Begin = fn(&Kit, &mut Place, &Relay) -> Result<Way, Missing>;

/// By their names, as they stand in the matrix.
const ROWS: &[(&str, Begin)] = &[
    ("nothing between", |_, _, relay| Ok(Way::to(relay.url()))),
    ("behind nginx", |kit, place, relay| Way::behind(reverse::nginx(kit, place, relay.address()))),
    ("behind Apache", |kit, place, relay| Way::behind(reverse::apache(kit, place, relay.address()))),
    ("behind HAProxy", |kit, place, relay| Way::behind(reverse::haproxy(kit, place, relay.address()))),
    ("behind Caddy", |kit, place, relay| Way::behind(reverse::caddy(kit, place, relay.address()))),
    ("behind nginx with TLS", |kit, place, relay| secure(kit, place, relay).map(|(way, _)| way)),
    ("Squid", |kit, place, relay| Way::to(relay.url()).through(forward::squid(kit, place, Asks::Nobody, None))),
    ("Squid, Basic", |kit, place, relay| {
        let way = Way::to(relay.url()).through(forward::squid(kit, place, Asks::Basic, None))?;
        Ok(way.with_password(place, forward::USER, forward::PASSWORD))
    }),
    ("Squid, Digest", |kit, place, relay| {
        let way = Way::to(relay.url()).through(forward::squid(kit, place, Asks::Digest, None))?;
        Ok(way.with_password(place, forward::USER, forward::PASSWORD))
    }),
    ("Squid, Digest, stale each second", |kit, place, relay| {
        let way = Way::to(relay.url()).through(forward::squid(kit, place, Asks::HastyDigest, None))?;
        Ok(way.with_password(place, forward::USER, forward::PASSWORD))
    }),
    ("Squid, CONNECT, TLS", |kit, place, relay| {
        let (way, port) = secure(kit, place, relay)?;
        way.through(forward::squid(kit, place, Asks::Nobody, Some(port)))
    }),
    ("Squid, CONNECT, TLS, Basic", |kit, place, relay| {
        let (way, port) = secure(kit, place, relay)?;
        let way = way.through(forward::squid(kit, place, Asks::Basic, Some(port)))?;
        Ok(way.with_password(place, forward::USER, forward::PASSWORD))
    }),
    ("Squid, CONNECT, TLS, Digest", |kit, place, relay| {
        let (way, port) = secure(kit, place, relay)?;
        let way = way.through(forward::squid(kit, place, Asks::Digest, Some(port)))?;
        Ok(way.with_password(place, forward::USER, forward::PASSWORD))
    }),
    ("tinyproxy", |kit, place, relay| Way::to(relay.url()).through(forward::tinyproxy(kit, place, false, None))),
    ("tinyproxy, Basic", |kit, place, relay| {
        let way = Way::to(relay.url()).through(forward::tinyproxy(kit, place, true, None))?;
        Ok(way.with_password(place, forward::PLAIN_USER, forward::PLAIN_PASSWORD))
    }),
    ("tinyproxy, CONNECT, TLS, Basic", |kit, place, relay| {
        let (way, port) = secure(kit, place, relay)?;
        let way = way.through(forward::tinyproxy(kit, place, true, Some(port)))?;
        Ok(way.with_password(place, forward::PLAIN_USER, forward::PLAIN_PASSWORD))
    }),
    ("mitmproxy", |kit, place, relay| Way::to(relay.url()).through(forward::mitmproxy(kit, place, false))),
    ("mitmproxy, Basic", |kit, place, relay| {
        let way = Way::to(relay.url()).through(forward::mitmproxy(kit, place, true))?;
        Ok(way.with_password(place, forward::PLAIN_USER, forward::PLAIN_PASSWORD))
    }),
    ("mitmproxy, CONNECT, TLS", |kit, place, relay| {
        let (way, _) = secure(kit, place, relay)?;
        way.through(forward::mitmproxy(kit, place, false))
    }),
    ("Squid, found by a PAC file after a dead one", |kit, place, relay| {
        let squid = forward::squid(kit, place, Asks::Nobody, None)?;
        let nobody = tests::proxies::free_address();
        let script = format!("function FindProxyForURL(url, host) {{ return 'SOCKS {nobody}; PROXY {nobody}; PROXY {squid}' }}");
        let file = place.write("proxy.pac", &script);
        let mut way = Way::to(relay.url());
        way.options.iter_mut().for_each(|options| options.extend(["--proxy".to_owned(), format!("pac:{}", file.display())]));
        Ok(way)
    }),
    ("one that buffers whole bodies", |_, _, relay| Way::to(relay.url()).through_nasty(Habits::default())),
    ("one that cuts requests (here after 2 s)", |_, _, relay| {
        Way::to(relay.url()).through_nasty(Habits { cut_after: Some(Duration::from_secs(2)), ..Habits::default() })
    }),
    ("one that cuts requests with a 504", |_, _, relay| {
        Way::to(relay.url()).through_nasty(Habits {
            cut_after: Some(Duration::from_secs(2)),
            cut: Cut::Status504,
            ..Habits::default()
        })
    }),
    ("one that speaks HTTP/1.0", |_, _, relay| {
        Way::to(relay.url()).through_nasty(Habits { http_1_0: true, ..Habits::default() })
    }),
    ("one that allows 2 connections and closes more", |_, _, relay| {
        Way::to(relay.url()).through_nasty(Habits { connections: Some(2), excess: Excess::Closed, ..Habits::default() })
    }),
    ("one that allows 2 connections and lets more wait", |_, _, relay| {
        Way::to(relay.url()).through_nasty(Habits { connections: Some(2), excess: Excess::Waits, ..Habits::default() })
    }),
];

/// A relay behind TLS, and the port of that.
fn secure(kit: &Kit, place: &mut Place, relay: &Relay) -> Result<(Way, u16), Missing> {
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| place.path().join(name).display().to_string());
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-nodes", "-days", "2", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", &key, "-out", &certificate]);
    let made = openssl.output().map_err(|error| Missing(format!("openssl can't be run: {error}")))?;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let server = reverse::nginx_with_tls(kit, place, relay.address(), [&certificate, &key])?;
    let mut way = Way::to(format!("https://{server}"));
    way.options.iter_mut().for_each(|options| options.extend(["--ca".to_owned(), certificate.clone()]));
    Ok((way, server.port()))
}

/// What came of a row.
enum Verdict {
    Passed(String),
    Skipped(String),
    Failed(String),
}

fn hold(kit: &Kit, begin: Begin) -> Verdict {
    let relay = Relay::with_ana_and_ben();
    let mut place = Place::default();
    let way = match begin(kit, &mut place, &relay) {
        Ok(way) => way,
        Err(Missing(why)) => return Verdict::Skipped(why),
    };
    let robot = |name: &str, options: &[String], more: &[&str]| {
        let camera = ["--camera", "pattern:320x240@15", "--microphone", "chirp", "--patience", "20"];
        let options: Vec<_> = options.iter().map(String::as_str).chain(camera).chain(more.iter().copied()).collect();
        Robot::run(&relay, name, &mut Robot::command_at(&way.relay, &relay, name, &options))
    };
    let ben = robot("Ben", &way.options[1], &["--answer", "--say", "from Ben"]);
    let ana = robot("Ana", &way.options[0], &["--call", "Ben", "--duration", CALL, "--say", "from Ana"]);
    let (ana, ben) = (ana.finish(LIMIT), ben.finish(LIMIT));
    let wrong = [judge("Ana", &ana, "from Ben"), judge("Ben", &ben, "from Ana")].concat();
    if wrong.is_empty() {
        let delay = |outcome: &Outcome| outcome.number("/delay_ms/video/p50");
        return Verdict::Passed(format!("{:.0} and {:.0} ms", delay(&ana), delay(&ben)));
    }
    Verdict::Failed(format!("{}\n{:#}\n{:#}\n{}", wrong.join("; "), ana.report, ben.report, place.said()))
}

/// What is wrong with a robot's call: less than half of what one of this length brings with nothing between (75 pictures and, as the
/// chirps have pauses, 94 packets of sound).
fn judge(name: &str, outcome: &Outcome, said: &str) -> Vec<String> {
    if !outcome.success {
        return vec![format!("{name}: {}", outcome.report["outcome"])];
    }
    let mut wrong = Vec::new();
    let heard = outcome.report["chat_received"].as_array().map(Vec::as_slice).unwrap_or_default();
    if heard.len() != 1 || heard[0]["text"] != said {
        wrong.push(format!("{name} read {heard:?}"));
    }
    for (path, least) in [("/video/shown", 35.0), ("/audio/received", 45.0), ("/audio/played_ms", 900.0)] {
        let number = outcome.number(path);
        if number < least {
            wrong.push(format!("{name}: {path} is {number}, less than {least}"));
        }
    }
    wrong
}

#[test]
fn a_call_gets_through_every_proxy() {
    let kit = Kit::default();
    let only = std::env::var("TVPHONE_PROXY_ROWS").unwrap_or_default();
    let rows: Vec<_> = ROWS.iter().filter(|(name, _)| name.contains(&only)).collect();
    let (next, results) = (Mutex::new(0..rows.len()), Mutex::new(Vec::new()));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let row = next.lock().expect("nobody panics here").next();
                    let Some(row) = row else { return };
                    let took = Instant::now();
                    let result = hold(&kit, rows[row].1);
                    results.lock().expect("nobody panics here").push((row, result, took.elapsed()));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("nobody panics here");
    results.sort_by_key(|(row, ..)| *row);
    let (mut matrix, mut failures) = (String::new(), String::new());
    for (row, result, took) in &results {
        let name = rows[*row].0;
        let told = match result {
            Verdict::Passed(delays) => format!("passed, pictures after {delays}"),
            Verdict::Skipped(why) => format!("SKIPPED: {why}"),
            Verdict::Failed(why) => {
                let _ = writeln!(failures, "{name}: {why}");
                "FAILED".to_owned()
            }
        };
        let _ = writeln!(matrix, "  {name:<50} {:>5.1} s  {told}", took.as_secs_f64());
    }
    // Not by a macro: what those print is shown of failed tests alone.
    let _ = writeln!(io::stderr(), "\nCalls through what stands between ({:.0} s):\n{matrix}", began.elapsed().as_secs_f64());
    assert!(failures.is_empty(), "{matrix}\n{failures}");
}
