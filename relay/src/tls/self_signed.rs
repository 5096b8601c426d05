//! A certificate of the relay's own making: nobody vouches for it, so people know it by its fingerprint.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
};

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::{crypto::CryptoProvider, sign::CertifiedKey};

use super::{BadCertificate, CertificateFiles, pem};

/// The names in it. Whoever has its fingerprint looks at none; they are for who has it as a certificate of their own on this machine.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Reads the one that is kept in this file together with its key, or makes it.
pub(super) fn load(path: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, BadCertificate> {
    if !path.exists() {
        let failed = |reason: String| BadCertificate::Make { path: path.to_owned(), reason };
        let text = make().map_err(|error| failed(error.to_string()))?;
        keep(path, &text).map_err(|error| failed(error.to_string()))?;
    }
    // Even one made a moment ago: another process may have been faster, and then its one counts.
    pem::load(&CertificateFiles { certificate: path.to_owned(), key: path.to_owned() }, provider)
}

/// A new certificate and its key. It doesn't end: it is trusted for what it is, not for as long as somebody vouches for it.
fn make() -> Result<String, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(NAMES.map(str::to_owned))?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "tvphone-relay");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params.self_signed(&key)?.pem() + &key.serialize_pem())
}

/// Writes the file, whole or not at all and readable for nobody else, unless there is one already.
fn keep(path: &Path, text: &str) -> io::Result<()> {
    let fresh = path.with_extension(format!("{}.fresh", std::process::id()));
    let kept = write(&fresh, text).and_then(|()| match fs::hard_link(&fresh, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        outcome => outcome,
    });
    let _ = fs::remove_file(&fresh);
    kept
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file: File = options.open(path)?;
    file.write_all(text.as_bytes())?;
    // A certificate that is gone after a power cut is one nobody trusts any more.
    file.sync_all()
}
