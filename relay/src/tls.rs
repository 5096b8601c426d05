//! TLS: the certificate that clients are shown, and how a new one takes its place while the relay runs.

mod pem;
mod self_signed;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::SystemTime,
};

use proto::Fingerprint;
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use sha2::{Digest, Sha256};

use crate::{config::Config, error::Error};

/// What HTTP may be spoken, most preferred first.
pub(crate) const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The files of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate and those that vouch for it, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM. It may be the same file.
    pub key: PathBuf,
}

/// Why a certificate can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadCertificate {
    /// A file can't be read.
    #[error("{} can't be read: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file isn't PEM, or holds something else.
    #[error("{} holds no {wanted} in PEM", path.display())]
    Pem {
        /// Which.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
    },
    /// Both were read, and don't do.
    #[error("{} and its key can't be used: {source}", path.display())]
    Refused {
        /// The certificate's file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// None could be made.
    #[error("a self-signed certificate can't be made in {}: {reason}", path.display())]
    Make {
        /// Where it was to be kept.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// A relay's certificate, and how TLS is spoken with it.
#[derive(Debug)]
pub(crate) struct Tls {
    config: Arc<ServerConfig>,
    shown: Arc<Shown>,
    /// Where a new one may appear.
    files: Option<CertificateFiles>,
    watch: Mutex<Watch>,
}

/// What is shown to whoever connects now.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

/// What is known of the files.
#[derive(Debug, Default)]
struct Watch {
    /// As they were when they were last read.
    read: Stamps,
    /// As they were at the last look, if that was otherwise.
    changing: Option<Stamps>,
}

/// When a file was changed, and how long it is; nothing where there is none.
type Stamps = [Option<(SystemTime, u64)>; 2];

impl Tls {
    /// Reads the configured certificate, or the self-signed one, which is made at first.
    pub(crate) fn open(config: &Config) -> Result<Self, Error> {
        let provider = Arc::new(ring::default_provider());
        let files = config.certificate.clone();
        let read = files.as_ref().map(stamps).unwrap_or_default();
        let key = load(config, &provider)?;
        let shown = Arc::new(Shown(RwLock::new(Arc::new(key))));
        let tls = server_config(provider, shown.clone()).map_err(Error::Tls)?;
        Ok(Self { config: Arc::new(tls), shown, files, watch: Mutex::new(Watch { read, changing: None }) })
    }

    /// What the handshakes need.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }

    /// Whether the files may change.
    pub(crate) fn can_change(&self) -> bool {
        self.files.is_some()
    }

    /// What the certificate is known by.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        fingerprint(&self.shown.get())
    }

    /// Takes a changed certificate into use; one that can't be used is logged, and the one before stays. To be called now and then, at a
    /// pace at which whoever writes both files is done between two looks.
    pub(crate) fn look(&self) {
        let Some(files) = &self.files else { return };
        let now = stamps(files);
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        if now == watch.read {
            watch.changing = None;
            return;
        }
        if watch.changing.replace(now) != Some(now) {
            return;
        }
        *watch = Watch { read: now, changing: None };
        drop(watch);
        match pem::load(files, &ring::default_provider()) {
            Ok(key) => {
                let fingerprint = fingerprint(&key);
                *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
                tracing::info!(%fingerprint, file = %files.certificate.display(), "the new certificate is in use");
            }
            Err(error) => tracing::error!(%error, "the new certificate can't be used; the one before stays"),
        }
    }
}

impl Shown {
    fn get(&self) -> Arc<CertifiedKey> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }
}

/// What a relay of this configuration is known by. Makes the self-signed certificate if there is none yet.
///
/// # Errors
/// When the certificate can't be read or made.
pub(crate) fn fingerprint_of(config: &Config) -> Result<Fingerprint, Error> {
    Ok(fingerprint(&load(config, &ring::default_provider())?))
}

fn load(config: &Config, provider: &CryptoProvider) -> Result<CertifiedKey, Error> {
    match &config.certificate {
        Some(files) => Ok(pem::load(files, provider)?),
        None => {
            config.make_data().map_err(|source| Error::Data { path: config.data.clone(), source })?;
            Ok(self_signed::load(&config.self_signed(), provider)?)
        }
    }
}

fn server_config(provider: Arc<CryptoProvider>, shown: Arc<Shown>) -> Result<ServerConfig, rustls::Error> {
    let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = versions.with_no_client_auth().with_cert_resolver(shown);
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    // Clients have many connections: with a ticket the further ones cost neither side a signature, nor the relay any memory.
    config.ticketer = ring::Ticketer::new()?;
    Ok(config)
}

fn fingerprint(key: &CertifiedKey) -> Fingerprint {
    let certificate = key.cert.first().map_or(&[][..], |certificate| certificate.as_ref());
    Fingerprint::new(Sha256::digest(certificate).into())
}

fn stamps(files: &CertificateFiles) -> Stamps {
    let stamp = |path: &Path| {
        let file = fs::metadata(path).ok()?;
        Some((file.modified().ok()?, file.len()))
    };
    [stamp(&files.certificate), stamp(&files.key)]
}

#[cfg(test)]
mod tests;
