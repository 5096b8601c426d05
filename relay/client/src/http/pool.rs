//! A client that can be replaced by a fresh one while requests are under way: when its connections have gone silent, and when the
//! way to the relay has become another.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioTimer},
};
use rustls::ClientConfig;
use tokio::sync::watch;

use super::{connector::Connector, patience::Patience};
use crate::proxy::Route;

/// Unused connections are kept this long; many proxies close them after a minute.
const IDLE: Duration = Duration::from_secs(55);

/// What sends requests by one route; a clone shares its connections.
pub(crate) type Client = legacy::Client<HttpsConnector<Connector>, Outgoing>;

/// What goes along with a request: some bytes, or a file piece by piece.
pub(crate) type Outgoing = BoxBody<Bytes, Infallible>;

/// What a pool's connections carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Rare and small requests, one held poll; HTTP/2 where the relay offers it.
    Control,
    /// HTTP/1.1: with HTTP/2 all polls and uploads would share one connection, and each lost packet would hold all back.
    Media,
    /// Whole files: an answer may be long in coming, for what it answers is.
    Files,
}

/// The client in use, and when to make another.
#[derive(Debug)]
pub(crate) struct Pool {
    purpose: Purpose,
    tls: Arc<ClientConfig>,
    /// With the route and the bound it was made for.
    current: RwLock<Option<(Route, Option<usize>, Client)>>,
    patience: Mutex<Patience>,
    renewals: watch::Sender<u64>,
}

impl Pool {
    pub(crate) fn new(purpose: Purpose, mut tls: ClientConfig) -> Self {
        tls.alpn_protocols = match purpose {
            Purpose::Control | Purpose::Files => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            Purpose::Media => vec![b"http/1.1".to_vec()],
        };
        Self {
            purpose,
            tls: Arc::new(tls),
            current: RwLock::default(),
            patience: Mutex::default(),
            renewals: watch::Sender::new(0),
        }
    }

    /// The client for the next request by this route, with at most `limit` connections at a time.
    pub(crate) fn client(&self, route: &Route, limit: Option<usize>) -> Client {
        let same = |current: &Option<(Route, Option<usize>, Client)>| {
            let (known, bound, client) = current.as_ref()?;
            (known.is(route) && *bound == limit).then(|| client.clone())
        };
        if let Some(client) = same(&self.current.read().unwrap_or_else(PoisonError::into_inner)) {
            return client;
        }
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // Another request may have been quicker.
        same(&current).unwrap_or_else(|| {
            let client = build(route, limit, self.purpose, self.tls.clone());
            *current = Some((route.clone(), limit, client.clone()));
            client
        })
    }

    /// Lets go of all connections that carry nothing now.
    pub(crate) fn close(&self) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Changes when the client was replaced: whatever waits on the old one's connections waits in vain.
    pub(crate) fn renewals(&self) -> watch::Receiver<u64> {
        self.renewals.subscribe()
    }

    /// An answer came by a connection made at `made`.
    pub(crate) fn answered(&self, made: Instant) {
        if self.patience().answered(made, Instant::now()) {
            self.renew("only new connections are answered");
        }
    }

    /// What began at `began` got no answer in time.
    pub(crate) fn timed_out(&self, began: Instant) {
        if self.patience().timed_out(began, Instant::now()) {
            self.renew("several were not answered in time");
        }
    }

    /// Nothing at all was answered for long.
    pub(crate) fn stalled(&self, now: Instant) {
        if self.patience().stalled(now) {
            self.renew("nothing is answered");
        }
    }

    /// Something that was sent at `since` has had no answer for long.
    pub(crate) fn silent(&self, since: Instant, now: Instant) {
        if self.patience().silent(since, now) {
            self.renew("old connections are not answered");
        }
    }

    fn patience(&self) -> MutexGuard<'_, Patience> {
        self.patience.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn renew(&self, why: &str) {
        // The next request makes a new one.
        self.close();
        self.renewals.send_modify(|count| *count += 1);
        tracing::info!(purpose = ?self.purpose, why, "the relay has gone silent: new connections are made");
    }
}

pub(crate) fn build(route: &Route, limit: Option<usize>, purpose: Purpose, tls: Arc<ClientConfig>) -> Client {
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    builder.timer(TokioTimer::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE);
    if purpose != Purpose::Media {
        // Silent HTTP/2 connections look alive for ever unless they are asked.
        builder
            .http2_keep_alive_interval(Duration::from_secs(10))
            .http2_keep_alive_timeout(Duration::from_secs(5))
            .http2_keep_alive_while_idle(true);
    }
    builder.build(HttpsConnector::from((Connector::new(route.clone(), limit), tls)))
}
