//! The lower rungs: whether the relay is reached at all, and by whom one is let through.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use http::{Method, Uri};
use proto::api::Health;

use super::{Look, Progress, Rung, Step, Verdict, signer, words};
use crate::{
    error::Error,
    http::{
        Ask, Http,
        connector::{Connector, NoConnection, reason},
    },
    proxy::Route,
};

/// Round trips to find the shortest one, before anything is measured by it.
const FIRST: usize = 3;

impl<T: FnMut(Progress) + Send> Look<T> {
    /// Name and connection of whoever is next on the way. `None` where there is nobody.
    pub(super) async fn reach(&mut self, http: &Http) -> Option<Route> {
        // Ways that lead nowhere, before one that does.
        let mut passed_over = String::new();
        self.begin(Step::Name);
        loop {
            let route = match http.chooser.route(Instant::now()).await {
                Ok(route) => route,
                Err(error) => {
                    let (found, advice) = words::told(&error);
                    self.end(Rung::bad(Step::Proxy, found, advice));
                    return None;
                }
            };
            let (named, touched) = self.try_route(http, &route).await;
            let there = touched.as_ref().is_some_and(|rung| rung.verdict == Verdict::Good);
            if !there && http.chooser.failed(&route).await {
                passed_over = format!("{passed_over} ({route} leads nowhere and was passed over.)");
                continue;
            }
            self.end(named);
            if let Some(mut touched) = touched {
                touched.found += &passed_over;
                self.end(touched);
            }
            return there.then_some(route);
        }
    }

    async fn try_route(&mut self, http: &Http, route: &Route) -> (Rung, Option<Rung>) {
        let base = http.base();
        let relay = base.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let (host, port, whose) = match route.proxy() {
            Some(proxy) => {
                let (host, port) = proxy.address.hop();
                (host.to_owned(), port, "the proxy")
            }
            None => (relay, base.port_or_known_default().unwrap_or(80), "the relay"),
        };
        let named = match self.look_up(&host, port, whose).await {
            Ok(named) => Rung::good(Step::Name, named),
            Err((found, advice)) => return (Rung::bad(Step::Name, found, advice), None),
        };
        self.begin(Step::Connection);
        let began = Instant::now();
        let outcome = match Uri::try_from(base.as_str()) {
            Ok(uri) => tokio::time::timeout(self.plan.connect, Connector::new(route.clone(), None).touch(uri)).await,
            Err(_) => Ok(Err(NoConnection::TooLong)),
        };
        let touched = match outcome.unwrap_or(Err(NoConnection::TooLong)) {
            Ok(()) => {
                let took = words::time(began.elapsed());
                Rung::good(Step::Connection, format!("{whose} at {host}, port {port}, takes connections, within {took}."))
            }
            Err(error) => {
                let (found, advice) = words::no_connection(&error, route, &format!("{host}, port {port}"));
                Rung::bad(Step::Connection, found, advice)
            }
        };
        (named, Some(Rung { found: words::capital(&touched.found), ..touched }))
    }

    async fn look_up(&mut self, host: &str, port: u16, whose: &str) -> Result<String, (String, String)> {
        if host.parse::<IpAddr>().is_ok() {
            return Ok(format!("Nothing to look up: {whose} is given by its address, {host}."));
        }
        let unknown = |why: &str| {
            let found = format!("The name of {whose}, {host}, isn't found ({why}).");
            let advice = if whose == "the proxy" {
                "Check the proxy's address, and whether this computer is in the network that has this proxy."
            } else {
                "Check the relay's address for typing errors, then whether any web page opens. Where pages open, this network may want a proxy: \
                 ask its administrator, and set it."
            };
            (found, advice.to_owned())
        };
        match tokio::time::timeout(self.plan.connect, tokio::net::lookup_host((host, port))).await {
            Ok(Ok(found)) => {
                let mut addresses = found.map(|address| address.ip().to_string()).collect::<Vec<_>>();
                addresses.dedup();
                if addresses.is_empty() {
                    return Err(unknown("there is no address under it"));
                }
                addresses.truncate(4);
                Ok(format!("{host} is {}.", addresses.join(", ")))
            }
            Ok(Err(error)) => Err(unknown(&crate::text::one_line(&error.to_string(), 100))),
            Err(_) => Err(unknown("nobody answers")),
        }
    }

    /// Proxy, encryption, and whether it is a relay. Whether it is worth going on.
    pub(super) async fn relay(&mut self, http: &Http, route: &Route) -> bool {
        self.begin(Step::Proxy);
        let (health, took) = self.health(http).await;
        let failed = health.as_ref().err().map(|error| (at(http, route, error), error.clone()));
        let level = failed.as_ref().map_or(Step::RoundTrip, |(step, _)| *step);
        if level > Step::Proxy {
            self.end(Rung::good(Step::Proxy, words::through(route)));
            self.begin(Step::Encryption);
        }
        if level > Step::Encryption {
            let rung = self.encryption(http);
            self.end(rung);
            self.begin(Step::Relay);
        }
        if let Some((step, error)) = failed {
            let signed_by = self.signers(http);
            let (found, advice) = words::failed(step, &error, route, http, &signed_by);
            self.end(Rung::bad(step, found, advice));
            return false;
        }
        let Ok(Health { status, version, .. }) = health else { return false };
        self.shortest = took;
        for _ in 1..FIRST {
            let (health, took) = self.health(http).await;
            if health.is_ok() {
                self.shortest = self.shortest.min(took);
            }
        }
        let (version, took) = (crate::text::one_line(&version, 40), words::time(self.shortest));
        let running = status == "ok";
        self.end(if running {
            Rung::good(Step::Relay, format!("A relay of tvphone, version {version}, answers within {took}."))
        } else {
            let found = format!("A relay of tvphone, version {version}, answers that it is about to stop.");
            Rung::bad(Step::Relay, found, "Try again in a moment; if it goes on, ask whoever runs the relay.")
        });
        running
    }

    /// Asks whether it is a relay, and how long that took.
    pub(super) async fn health(&mut self, http: &Http) -> (Result<Health, Error>, Duration) {
        let ask = Ask::new(Method::GET, http.url(&["health"])).timeout(self.plan.answer);
        let began = Instant::now();
        let body = http.send(&http.media, ask).await;
        let took = began.elapsed();
        (body.and_then(|body| http.parse(&body)), took)
    }

    fn encryption(&mut self, http: &Http) -> Rung {
        if http.base().scheme() != "https" {
            let loopback = crate::proxy::is_loopback(http.base());
            let why = if loopback { "which stays on this machine" } else { "so whoever runs the network can read along" };
            return Rung::good(Step::Encryption, format!("None: the address begins with http://, {why}."));
        }
        let signers = self.signers(http);
        if http.pinned().is_some() {
            return Rung::good(
                Step::Encryption,
                "The relay shows the certificate that was trusted before, and no other would do.",
            );
        }
        if let Some(between) = signers.iter().find(|name| signer::is_middlebox(name)) {
            let found = format!(
                "A filter of this network or a program on this computer opens the encryption and reads along: {between}."
            );
            let advice = "Whoever runs it can see and hear calls and read passwords. Ask them to let the relay's address pass unopened, or use \
                          another network for what is confidential.";
            return Rung::weak(Step::Encryption, found, advice);
        }
        let by = signers.first().map_or_else(String::new, |name| format!(", signed by {name}"));
        Rung::good(Step::Encryption, format!("TLS, with a certificate that this computer trusts{by}."))
    }

    /// Who has signed what the relay shows.
    fn signers(&mut self, http: &Http) -> Vec<String> {
        let names = http.shown.get().iter().filter_map(signer::issuer).collect::<Vec<_>>();
        self.figures.signed_by = names.first().cloned();
        names
    }
}

/// Which rung it is that an error speaks of.
fn at(http: &Http, route: &Route, error: &Error) -> Step {
    match error {
        Error::ProxyUnreachable { .. } | Error::ProxyAuthentication { .. } | Error::ProxyRefused { .. } | Error::NoRoute(_) => {
            Step::Proxy
        }
        Error::Tls { .. }
        | Error::UnknownCertificate { .. }
        | Error::CertificateChanged { .. }
        | Error::NoSystemCertificates { .. }
        | Error::NoTls { .. } => Step::Encryption,
        Error::Unreachable { source, .. } | Error::Broken { source, .. } => {
            let in_tunnel = matches!(reason(&**source), Some(NoConnection::Tunnel(_) | NoConnection::TooLong));
            if route.proxy().is_some() && in_tunnel { Step::Proxy } else { silent(http) }
        }
        Error::Timeout { .. } => silent(http),
        _ => Step::Relay,
    }
}

/// Where nothing is said any more: before a certificate was shown it was TLS that didn't come about.
fn silent(http: &Http) -> Step {
    let secure = http.base().scheme() == "https";
    if secure && http.shown.get().is_empty() { Step::Encryption } else { Step::Relay }
}
