//! A certificate and its key out of files.

use std::{fs, path::Path};

use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};

use super::{BadCertificate, CertificateFiles};

/// Reads both, and sees to it that they belong together.
pub(super) fn load(files: &CertificateFiles, provider: &CryptoProvider) -> Result<CertifiedKey, BadCertificate> {
    let path = &files.certificate;
    let missing = |path: &Path, wanted| BadCertificate::Pem { path: path.to_owned(), wanted };
    let chain = CertificateDer::pem_slice_iter(&read(path)?).collect::<Result<Vec<_>, _>>();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or_else(|| missing(path, "certificate"))?;
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?).map_err(|_| missing(&files.key, "private key"))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|source| BadCertificate::Refused { path: path.clone(), source })
}

fn read(path: &Path) -> Result<Vec<u8>, BadCertificate> {
    fs::read(path).map_err(|source| BadCertificate::Read { path: path.to_owned(), source })
}
