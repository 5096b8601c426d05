//! A reqwest client that can be replaced by a fresh one while requests are under way.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use reqwest::{Client, redirect::Policy};
use rustls::ClientConfig;
use tokio::sync::watch;
use url::{Host, Url};

use super::patience::Patience;
use crate::error::Error;

/// How long a connection may take: a slow network needs three round trips, a lost packet costs one or three seconds.
const CONNECT: Duration = Duration::from_secs(5);

/// Silence within an answer after which it is lost: longer than a poll is held.
const READ: Duration = Duration::from_secs(35);

/// Unused connections are kept this long; many proxies close them after a minute.
const IDLE: Duration = Duration::from_secs(55);

/// A parked poll is silent, so the kernel asks now and then whether the other end is still there.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// Data unacknowledged for this long means a dead connection; Linux alone would try for a quarter of an hour.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNACKNOWLEDGED: Duration = Duration::from_secs(8);

/// What a pool's connections carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Rare and small requests, one held poll; HTTP/2 where the relay offers it.
    Control,
    /// HTTP/1.1: with HTTP/2 all polls and uploads would share one connection, and each lost packet would hold all back.
    Media,
}

/// The client in use, and when to make another.
#[derive(Debug)]
pub(crate) struct Pool {
    purpose: Purpose,
    base: Url,
    tls: ClientConfig,
    client: RwLock<Client>,
    patience: Mutex<Patience>,
    renewals: watch::Sender<u64>,
}

impl Pool {
    pub(crate) fn new(base: &Url, purpose: Purpose, mut tls: ClientConfig) -> Result<Self, Error> {
        tls.alpn_protocols = match purpose {
            Purpose::Control => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            Purpose::Media => vec![b"http/1.1".to_vec()],
        };
        let client = build(base, purpose, tls.clone()).map_err(|source| Error::Setup { source: Arc::new(source) })?;
        Ok(Self {
            purpose,
            base: base.clone(),
            tls,
            client: RwLock::new(client),
            patience: Mutex::default(),
            renewals: watch::Sender::new(0),
        })
    }

    /// The client for the next request; a clone shares its connections.
    pub(crate) fn client(&self) -> Client {
        self.client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes when the client was replaced: whatever waits on the old one's connections waits in vain.
    pub(crate) fn renewals(&self) -> watch::Receiver<u64> {
        self.renewals.subscribe()
    }

    /// Takes note of how an exchange ended.
    pub(crate) fn note<T>(&self, outcome: &Result<T, Error>) {
        let mut patience = self.patience.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Err(Error::Timeout { .. }) => {
                if patience.timed_out(Instant::now()) {
                    drop(patience);
                    self.renew();
                }
            }
            // No connection, or one that broke by itself, says nothing about the others.
            Err(Error::Unreachable { .. } | Error::Broken { .. }) => {}
            _ => patience.answered(),
        }
    }

    fn renew(&self) {
        match build(&self.base, self.purpose, self.tls.clone()) {
            Ok(client) => {
                *self.client.write().unwrap_or_else(PoisonError::into_inner) = client;
                self.renewals.send_modify(|count| *count += 1);
                tracing::info!(purpose = ?self.purpose, "the relay has gone silent: new connections are made");
            }
            Err(error) => tracing::warn!(%error, "no new HTTP client, the old one stays"),
        }
    }
}

fn build(base: &Url, purpose: Purpose, tls: ClientConfig) -> Result<Client, reqwest::Error> {
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("tvphone/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .connect_timeout(CONNECT)
        .read_timeout(READ)
        .pool_idle_timeout(IDLE)
        .tcp_nodelay(true)
        .tcp_keepalive(KEEPALIVE)
        .tcp_keepalive_interval(Duration::from_secs(3))
        .tcp_keepalive_retries(3);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        builder = builder.tcp_user_timeout(UNACKNOWLEDGED);
    }
    if is_loopback(base) {
        // No proxy can reach this machine's own relay.
        builder = builder.no_proxy();
    }
    builder = match purpose {
        // Silent HTTP/2 connections look alive for ever unless they are asked.
        Purpose::Control => builder
            .http2_keep_alive_interval(Duration::from_secs(10))
            .http2_keep_alive_timeout(Duration::from_secs(5))
            .http2_keep_alive_while_idle(true),
        Purpose::Media => builder.http1_only(),
    };
    builder.build()
}

/// Whether the address is this machine's own.
pub(crate) fn is_loopback(base: &Url) -> bool {
    match base.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}
