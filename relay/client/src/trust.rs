//! Which certificates of a relay are good: those the system trusts, those of one more authority, or one alone.
//!
//! A relay without a certificate that somebody vouches for shows one of its own making. It is trusted on first use: connecting fails with
//! [`Error::UnknownCertificate`], the person compares its fingerprint with what whoever runs the relay says, and from then on it is pinned:
//! that one is good for that relay, and no other is ([`Error::CertificateChanged`]).

mod verifier;

use std::{path::Path, sync::Arc};

use proto::Fingerprint;
use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, pem::PemObject},
};
use url::Url;

use self::verifier::Verifier;
pub(crate) use self::verifier::{Distrust, Shown};
use crate::{
    crypto,
    error::{BadCertificates, Error},
};

/// Which certificates are good. What the system trusts, unless something else is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    pinned: Option<Fingerprint>,
    more: Vec<CertificateDer<'static>>,
}

impl Trust {
    /// The certificates the system trusts.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// One certificate, which the relay must show itself, and no other, whoever vouches for it.
    #[must_use]
    pub fn pin(self, fingerprint: Fingerprint) -> Self {
        Self { pinned: Some(fingerprint), ..self }
    }

    /// The certificate that is pinned.
    #[must_use]
    pub fn pinned(&self) -> Option<Fingerprint> {
        self.pinned
    }

    /// The authorities in this file besides those the system trusts, in PEM.
    ///
    /// # Errors
    /// [`Error::Certificates`] when the file can't be read or holds none.
    pub fn with_ca_file(mut self, file: &Path) -> Result<Self, Error> {
        let bad = |reason| Error::Certificates { file: file.to_owned(), reason };
        let text = std::fs::read(file).map_err(|source| bad(BadCertificates::Read(Arc::new(source))))?;
        let found = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>().unwrap_or_default();
        if found.is_empty() {
            return Err(bad(BadCertificates::None));
        }
        // Said here and not with the first connection.
        let mut store = rustls::RootCertStore::empty();
        for certificate in &found {
            store.add(certificate.clone()).map_err(|source| bad(BadCertificates::Unfit(source)))?;
        }
        self.more.extend(found);
        Ok(self)
    }

    /// How TLS is spoken with the relay of this address. What it shows is kept in `shown`.
    pub(crate) fn config(self, base: &Url, shown: Shown) -> Result<ClientConfig, Error> {
        let provider = crypto::provider();
        let verifier = Verifier::new(verifier::name(base), self.pinned, self.more, provider.clone(), shown);
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let versions = versions.map_err(|source| Error::NoTls { source })?;
        Ok(versions.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
    }
}
