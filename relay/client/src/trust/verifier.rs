//! Looks at the certificate a relay shows.

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use proto::Fingerprint;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{self, CryptoProvider},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use sha2::{Digest, Sha256};
use url::{Host, Url};

/// Why a certificate isn't good, where rustls has no word for it. It travels inside the errors of rustls and the HTTP library.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Distrust {
    /// The relay has made it itself.
    #[error("a self-signed certificate with the fingerprint {0}")]
    SelfSigned(Fingerprint),
    /// It isn't the one that is pinned.
    #[error("another certificate than the pinned one: {found} in place of {pinned}")]
    Changed { pinned: Fingerprint, found: Fingerprint },
    /// The system has none to compare with.
    #[error("no certificates of the system: {0}")]
    NoSystem(Error),
}

impl From<Distrust> for Error {
    fn from(distrust: Distrust) -> Self {
        Self::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(distrust))))
    }
}

impl Distrust {
    /// What was meant by an error of rustls, if it was one of these.
    pub(crate) fn of(error: &Error) -> Option<Self> {
        match error {
            Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => inner.downcast_ref::<Self>().cloned(),
            _ => None,
        }
    }
}

/// The certificates that the relay's address has shown last, its own first, whether they were good or not. A clone shares them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown(Arc<Mutex<Vec<CertificateDer<'static>>>>);

impl Shown {
    /// Empty where no handshake has come so far.
    pub(crate) fn get(&self) -> Vec<CertificateDer<'static>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, own: &CertificateDer<'_>, between: &[CertificateDer<'_>]) {
        let chain = std::iter::once(own).chain(between).map(|certificate| certificate.clone().into_owned()).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = chain;
    }
}

/// Looks at certificates by what the system trusts and what was said besides.
pub(crate) struct Verifier {
    /// Whose certificate may be pinned or self-signed. A proxy on the way has a name of its own, and no part in that.
    relay: Option<ServerName<'static>>,
    pinned: Option<Fingerprint>,
    more: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
    shown: Shown,
    /// Read when it is first needed: not for plain HTTP, nor for a pinned certificate.
    system: OnceLock<Result<rustls_platform_verifier::Verifier, Error>>,
}

impl Verifier {
    pub(crate) fn new(
        relay: Option<ServerName<'static>>,
        pinned: Option<Fingerprint>,
        more: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
        shown: Shown,
    ) -> Self {
        Self { relay, pinned, more, provider, shown, system: OnceLock::new() }
    }

    fn system(&self) -> Result<&rustls_platform_verifier::Verifier, Error> {
        let read = || {
            let provider = self.provider.clone();
            rustls_platform_verifier::Verifier::new_with_extra_roots(self.more.iter().cloned(), provider)
        };
        self.system.get_or_init(read).as_ref().map_err(|error| Distrust::NoSystem(error.clone()).into())
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("relay", &self.relay).field("pinned", &self.pinned).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let of_relay = self.relay.as_ref() == Some(name);
        if of_relay {
            self.shown.set(certificate, between);
        }
        if of_relay && let Some(pinned) = self.pinned {
            let found = fingerprint(certificate);
            // Neither names nor dates matter: it is the very certificate a person has compared. That the relay has its key is shown by
            // the handshake's signature, which is verified as with any other.
            return if found == pinned {
                Ok(ServerCertVerified::assertion())
            } else {
                Err(Distrust::Changed { pinned, found }.into())
            };
        }
        let verdict = self.system().and_then(|system| system.verify_server_cert(certificate, between, name, ocsp_response, now));
        verdict.map_err(|error| {
            if of_relay && is_self_signed(certificate) { Distrust::SelfSigned(fingerprint(certificate)).into() } else { error }
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The name in an address as it stands in the handshake.
pub(crate) fn name(base: &Url) -> Option<ServerName<'static>> {
    match base.host()? {
        Host::Domain(name) => ServerName::try_from(name.to_owned()).ok(),
        Host::Ipv4(address) => Some(ServerName::IpAddress(std::net::IpAddr::V4(address).into())),
        Host::Ipv6(address) => Some(ServerName::IpAddress(std::net::IpAddr::V6(address).into())),
    }
}

fn fingerprint(certificate: &CertificateDer<'_>) -> Fingerprint {
    Fingerprint::new(Sha256::digest(certificate).into())
}

/// Whether nobody but itself vouches for it.
fn is_self_signed(certificate: &CertificateDer<'_>) -> bool {
    webpki::EndEntityCert::try_from(certificate).is_ok_and(|certificate| certificate.issuer() == certificate.subject())
}
