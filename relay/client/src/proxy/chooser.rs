//! Finds the routes to one relay, and keeps to the first that works.

use std::{
    mem::take,
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use tokio::sync::Mutex;
use url::Url;

use super::{
    Address, Exceptions, Proxy, ProxyLogin, ProxySettings, ProxySource, Route,
    desktop::{self, Desktop},
    is_loopback,
    login::Login,
    pac,
};
use crate::{
    error::{BadPac, Error, NoRoute},
    text::one_line,
};

/// After this long the routes are found anew: laptops move, and settings change.
const FRESH: Duration = Duration::from_secs(300);

/// When none of them worked they're found anew at once, but not more often than this: a PAC file may have to be fetched.
const BETWEEN: Duration = Duration::from_secs(5);

/// Longest part of an answer that is shown, in characters.
const SHOWN_MAX: usize = 200;

/// Most routes that are kept of a PAC file's answer.
const ROUTES_MAX: usize = 16;

/// The variables that name proxies.
const VARIABLES: [&str; 6] = ["ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"];

/// The routes to one relay.
#[derive(Debug)]
pub(crate) struct Chooser {
    settings: ProxySettings,
    relay: Url,
    found: Mutex<Found>,
}

#[derive(Debug, Default)]
struct Found {
    /// Never empty once there is a time.
    routes: Vec<Route>,
    /// Which of them is in use.
    at: usize,
    when: Option<Instant>,
    /// All of them have failed since.
    used_up: bool,
    /// They are being found anew.
    renewing: bool,
}

impl Chooser {
    pub(crate) fn new(settings: ProxySettings, relay: Url) -> Self {
        Self { settings, relay, found: Mutex::default() }
    }

    pub(crate) fn settings(&self) -> &ProxySettings {
        &self.settings
    }

    /// The route to take now. Only the first time this waits: later the routes are found anew beside the requests, which may take
    /// seconds where a PAC file's server has gone silent.
    ///
    /// # Errors
    /// When the settings lead nowhere.
    pub(crate) async fn route(self: &Arc<Self>, now: Instant) -> Result<Route, Error> {
        let mut found = self.found.lock().await;
        if found.when.is_none() {
            found.replace(self.find().await?, now);
        } else if found.is_due(now) {
            found.renewing = true;
            tokio::spawn(self.clone().renew(now));
        }
        Ok(found.routes.get(found.at).cloned().unwrap_or(Route::Direct))
    }

    async fn renew(self: Arc<Self>, now: Instant) {
        let outcome = self.find().await;
        let mut found = self.found.lock().await;
        match outcome {
            Ok(routes) => found.replace(routes, now),
            // Settings that can't be read just now don't take away what worked.
            Err(error) => {
                tracing::warn!(%error, "the way to the relay can't be found anew; the old one stays");
                *found = Found { routes: take(&mut found.routes), at: found.at, when: Some(now), ..Found::default() };
            }
        }
    }

    /// No connection came about by this route. True when another one is left to be tried at once.
    pub(crate) async fn failed(&self, route: &Route) -> bool {
        let mut found = self.found.lock().await;
        if !found.routes.get(found.at).is_some_and(|now| now.is(route)) {
            // Someone else has moved on already.
            return !found.used_up;
        }
        found.at += 1;
        if found.at >= found.routes.len() {
            found.at = 0;
            found.used_up = true;
        }
        !found.used_up
    }

    /// A connection came about.
    pub(crate) async fn works(&self, route: &Route) {
        if let Ok(mut found) = self.found.try_lock()
            && found.used_up
            && found.routes.get(found.at).is_some_and(|now| now.is(route))
        {
            found.used_up = false;
        }
    }

    async fn find(&self) -> Result<Vec<Route>, Error> {
        match &self.settings.source {
            ProxySource::Direct => Ok(vec![Route::Direct]),
            ProxySource::Manual(manual) if manual.exceptions.hold(&self.relay) => Ok(vec![Route::Direct]),
            ProxySource::Manual(manual) => Ok(vec![self.via(manual.address.clone())]),
            ProxySource::Pac(file) => self.ask_pac(file).await,
            ProxySource::System if is_loopback(&self.relay) => Ok(vec![Route::Direct]),
            ProxySource::System => self.ask_system().await,
        }
    }

    async fn ask_system(&self) -> Result<Vec<Route>, Error> {
        let Ok(uri) = Uri::try_from(self.relay.as_str()) else { return Ok(vec![Route::Direct]) };
        if let Some(intercept) = Matcher::from_system().intercept(&uri) {
            return Ok(vec![self.via(intercepted(&intercept)?)]);
        }
        if VARIABLES.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())) {
            // They speak of proxies, only not for this relay.
            return Ok(vec![Route::Direct]);
        }
        match tokio::task::spawn_blocking(desktop::settings).await.unwrap_or_default() {
            Desktop::Nothing => Ok(vec![Route::Direct]),
            Desktop::Pac(file) => match self.ask_pac(&file).await {
                // A laptop that's away from the network whose file this is has no proxy, browsers say.
                Err(Error::NoRoute(NoRoute::Pac { reason: BadPac::Unreadable(why), .. })) => {
                    tracing::warn!(file, why, "the system's proxy file can't be fetched; the relay is reached directly");
                    Ok(vec![Route::Direct])
                }
                answer => answer,
            },
            Desktop::Manual { exceptions, .. } if Exceptions(exceptions.clone()).hold(&self.relay) => Ok(vec![Route::Direct]),
            Desktop::Manual { http, https, login, .. } => {
                let text = if self.relay.scheme() == "https" { &https } else { &http };
                if text.is_empty() {
                    return Ok(vec![Route::Direct]);
                }
                let mut address: Address = text.parse().map_err(|_| NoRoute::Unspoken { entries: tame(text) })?;
                // It is the http proxy's, and no other proxy's to see.
                address.login = address.login.or(login.filter(|_| *text == http));
                Ok(vec![self.via(address)])
            }
        }
    }

    async fn ask_pac(&self, file: &str) -> Result<Vec<Route>, Error> {
        let answer = pac::ask(file, &self.relay).await.map_err(|reason| NoRoute::Pac { file: file.to_owned(), reason })?;
        // Whoever is between here and the file's server can name any proxy.
        let guarded = Url::parse(file).is_ok_and(|url| url.scheme() == "http");
        let mut routes: Vec<Route> = Vec::new();
        for entry in pac::entries(&answer).take(ROUTES_MAX) {
            match entry {
                pac::Entry::Direct => routes.push(Route::Direct),
                // Named twice it is one all the same: a wrong password isn't to be tried twice.
                pac::Entry::Proxy(address)
                    if routes.iter().any(|route| route.proxy().is_some_and(|it| it.address == address)) => {}
                pac::Entry::Proxy(address) => {
                    let login = Login::new(self.login(&address));
                    let login = if guarded { login.guarded() } else { login };
                    routes.push(Route::Via(Arc::new(Proxy { address, login })));
                }
                pac::Entry::Unspoken(entry) => tracing::debug!(entry, "passed over: such a proxy isn't spoken to here"),
            }
        }
        if routes.is_empty() {
            return Err(NoRoute::Unspoken { entries: tame(&answer) }.into());
        }
        Ok(routes)
    }

    fn via(&self, address: Address) -> Route {
        let login = Login::new(self.login(&address));
        Route::Via(Arc::new(Proxy { address, login }))
    }

    fn login(&self, address: &Address) -> Option<ProxyLogin> {
        self.settings.login.clone().or_else(|| address.login.clone())
    }
}

impl Found {
    fn is_due(&self, now: Instant) -> bool {
        let rest = if self.used_up { BETWEEN } else { FRESH };
        !self.renewing && self.when.is_none_or(|when| now.saturating_duration_since(when) >= rest)
    }

    // A proxy that is named again, and by as trusted a source, keeps its connections, and what is known about signing in there.
    fn replace(&mut self, routes: Vec<Route>, now: Instant) {
        let known = |route: Route| {
            let same = |old: &&Route| match (old, &route) {
                (Route::Via(old), Route::Via(new)) => {
                    old.address == new.address && old.login.is_guarded() == new.login.is_guarded()
                }
                _ => false,
            };
            self.routes.iter().find(same).cloned().unwrap_or(route)
        };
        let routes = routes.into_iter().map(known).collect::<Vec<_>>();
        tracing::debug!(routes = %shown(&routes), "how the relay is reached");
        *self = Self { routes, when: Some(now), ..Self::default() };
    }
}

impl Exceptions {
    /// Whether the relay is one of them.
    fn hold(&self, relay: &Url) -> bool {
        let Ok(uri) = Uri::try_from(relay.as_str()) else { return false };
        Matcher::builder().all("http://proxy").no(self.0.as_str()).build().intercept(&uri).is_none()
    }
}

fn intercepted(intercept: &Intercept) -> Result<Address, NoRoute> {
    let unspoken = || NoRoute::Unspoken { entries: intercept.uri().to_string() };
    let mut address: Address = intercept.uri().to_string().parse().map_err(|_| unspoken())?;
    address.login = intercept.basic_auth().and_then(|header| {
        let pair = BASE64_STANDARD.decode(header.as_bytes().strip_prefix(b"Basic ")?).ok()?;
        let pair = String::from_utf8(pair).ok()?;
        pair.split_once(':').map(|(user, password)| ProxyLogin::new(user, password))
    });
    Ok(address)
}

/// A stranger's text, fit to be shown: on one line, not too long, without the name and password that may stand before an `@`.
fn tame(text: &str) -> String {
    let text = text.rsplit_once('@').map_or(text, |(_, host)| host);
    one_line(text, SHOWN_MAX)
}

fn shown(routes: &[Route]) -> String {
    routes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    fn chooser(source: &str, relay: &str) -> Arc<Chooser> {
        Arc::new(Chooser::new(source.parse::<ProxySource>().unwrap().into(), relay.parse().unwrap()))
    }

    async fn route(chooser: &Arc<Chooser>, now: Instant) -> String {
        chooser.route(now).await.unwrap().to_string()
    }

    #[tokio::test]
    async fn what_the_person_said_goes_before_everything() {
        let now = Instant::now();
        assert_eq!(route(&chooser("none", "http://example.org"), now).await, "no proxy");
        assert_eq!(route(&chooser("system", "http://127.0.0.1:1"), now).await, "no proxy");
        assert_eq!(route(&chooser("proxy:3128", "http://127.0.0.1:1"), now).await, "http://proxy:3128");
    }

    #[tokio::test]
    async fn exceptions_are_reached_directly() {
        for (relay, direct) in [
            ("http://phone.example.org", true),
            ("https://10.1.2.3:8443", true),
            ("http://example.net", false),
            ("http://notexample.org", false),
        ] {
            let manual = super::super::ManualProxy::new("proxy:3128", "example.org, 10.0.0.0/8").unwrap();
            let chooser = Arc::new(Chooser::new(ProxySource::Manual(manual).into(), relay.parse().unwrap()));
            assert_eq!(route(&chooser, Instant::now()).await == "no proxy", direct, "{relay}");
        }
    }

    #[test]
    fn a_name_and_a_password_in_the_environment_are_understood() {
        let matcher = Matcher::builder().http("http://an%40a:p%3Aw@proxy:3128").build();
        let address = intercepted(&matcher.intercept(&Uri::from_static("http://example.org/")).unwrap()).unwrap();
        assert_eq!(address.to_string(), "http://proxy:3128");
        assert_eq!(address.login, Some(ProxyLogin::new("an@a", "p:w")));
        let socks = Matcher::builder().all("socks5://proxy:1080").build();
        assert!(intercepted(&socks.intercept(&Uri::from_static("http://example.org/")).unwrap()).is_err());
    }

    #[tokio::test]
    async fn one_that_fails_is_left_for_the_next_and_after_the_last_all_are_found_anew() {
        let folder = std::env::temp_dir().join(format!("tvphone-chooser-{}", std::process::id()));
        std::fs::write(&folder, "function FindProxyForURL() { return 'PROXY a:1; SOCKS s:2; PROXY b:3; DIRECT' }").unwrap();
        let chooser = chooser(&format!("pac:{}", folder.display()), "http://example.org");
        let now = Instant::now();
        let first = chooser.route(now).await.unwrap();
        assert_eq!(first.to_string(), "http://a:1");
        assert!(chooser.failed(&first).await);
        assert!(chooser.failed(&first).await, "a second request that failed by it");
        let second = chooser.route(now).await.unwrap();
        assert_eq!(second.to_string(), "http://b:3");
        assert!(chooser.failed(&second).await);
        let third = chooser.route(now).await.unwrap();
        assert_eq!(third.to_string(), "no proxy");
        assert!(!chooser.failed(&third).await, "nothing is left");
        assert_eq!(route(&chooser, now).await, "http://a:1");
        std::fs::write(&folder, "function FindProxyForURL() { return 'PROXY a:1' }").unwrap();
        chooser.clone().renew(now + BETWEEN).await;
        let again = chooser.route(now + BETWEEN).await.unwrap();
        assert!(again.is(&first), "the same proxy keeps what is known of it");
        assert!(!chooser.failed(&again).await);
        std::fs::remove_file(folder).unwrap();
    }

    #[test]
    fn a_proxy_is_another_one_when_somebody_else_names_it() {
        let via = |guarded: bool| {
            let login = Login::new(None);
            let login = if guarded { login.guarded() } else { login };
            Route::Via(Arc::new(Proxy { address: "a:1".parse().unwrap(), login }))
        };
        let (mut found, now) = (Found::default(), Instant::now());
        let (guarded, open) = (via(true), via(false));
        for (route, kept) in [(guarded.clone(), &guarded), (via(true), &guarded), (open.clone(), &open), (via(false), &open)] {
            found.replace(vec![route], now);
            assert!(found.routes[0].is(kept));
        }
    }

    #[tokio::test]
    async fn a_file_that_anyone_may_have_sent_is_known_by_any_spelling_of_its_address() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let script = "function FindProxyForURL() { return 'PROXY a:1' }";
                assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", script.len());
                stream.write_all(format!("{head}{script}").as_bytes()).await.unwrap();
            }
        });
        for spelling in ["http://", "HTTP://", "http:", "http:/", "\thttp://", "ht\ntp://"] {
            let source = ProxySource::Pac(format!("{spelling}{address}/proxy.pac"));
            let chooser = Arc::new(Chooser::new(source.into(), "http://example.org".parse().unwrap()));
            let route = chooser.route(Instant::now()).await.unwrap();
            assert!(route.proxy().is_some_and(|proxy| proxy.login.is_guarded()), "{spelling:?}");
        }
    }

    #[tokio::test]
    async fn while_the_routes_are_found_anew_the_old_one_is_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let file = format!("pac:http://{}/proxy.pac", listener.local_addr().unwrap());
        let (asked, mut again) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            let script = "function FindProxyForURL() { return 'PROXY a:1' }";
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", script.len());
            let (mut first, _) = listener.accept().await.unwrap();
            assert!(first.read(&mut [0; 4096]).await.unwrap() > 0);
            first.write_all(format!("{head}{script}").as_bytes()).await.unwrap();
            drop(first);
            let silent = listener.accept().await.unwrap();
            asked.send(silent).await.unwrap();
        });
        let chooser = chooser(&file, "http://example.org");
        let now = Instant::now();
        assert_eq!(route(&chooser, now).await, "http://a:1");
        assert_eq!(route(&chooser, now + FRESH).await, "http://a:1");
        let _silent = again.recv().await.unwrap();
        assert_eq!(route(&chooser, now + FRESH).await, "http://a:1", "nobody waits for it, and it isn't asked twice");
    }
}
