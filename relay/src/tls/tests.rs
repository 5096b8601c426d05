//! Which certificate is shown, and when another one is.

use std::time::Duration;

use tempfile::TempDir;

use super::*;

struct Made {
    certificate: String,
    key: String,
}

fn made() -> Made {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    Made { certificate: certificate.pem(), key: key.serialize_pem() }
}

/// A folder with a certificate and its key, and a configuration that names both.
fn configured() -> (TempDir, Config, CertificateFiles) {
    let folder = tempfile::tempdir().unwrap();
    let files = CertificateFiles { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    let mut config = Config::new(folder.path().join("data"));
    config.certificate = Some(files.clone());
    (folder, config, files)
}

/// Writes a file with a time of change that no other has.
fn write(path: &Path, text: &str, number: u64) {
    fs::write(path, text).unwrap();
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + number);
    fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
}

fn write_both(files: &CertificateFiles, made: &Made, number: u64) {
    write(&files.certificate, &made.certificate, number);
    write(&files.key, &made.key, number);
}

#[test]
fn a_self_signed_certificate_is_made_once_and_for_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::new(folder.path().join("data"));
    let first = fingerprint_of(&config).unwrap();
    let tls = Tls::open(&config).unwrap();
    assert_eq!((tls.fingerprint(), tls.can_change()), (first, false));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(config.self_signed()).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let left = fs::read_dir(&config.data).unwrap().count();
    assert_eq!(left, 1, "nothing is left beside it");
    let other = Config::new(folder.path().join("other"));
    assert_ne!(fingerprint_of(&other).unwrap(), first);
}

#[test]
fn a_self_signed_certificate_that_is_broken_is_not_replaced_behind_ones_back() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::new(folder.path());
    fs::write(config.self_signed(), "half of it").unwrap();
    let error = fingerprint_of(&config).unwrap_err().to_string();
    assert!(error.contains("holds no certificate in PEM"), "{error}");
}

#[test]
fn a_changed_certificate_is_taken_once_it_is_whole() {
    let (_folder, config, files) = configured();
    let (old, new) = (made(), made());
    write_both(&files, &old, 0);
    let tls = Tls::open(&config).unwrap();
    let before = tls.fingerprint();
    tls.look();
    // The certificate is there, its key isn't yet.
    write(&files.certificate, &new.certificate, 1);
    tls.look();
    write(&files.key, &new.key, 1);
    tls.look();
    assert_eq!(tls.fingerprint(), before, "the files may still be changing");
    tls.look();
    let after = tls.fingerprint();
    assert_ne!(after, before);
    assert_eq!(after, fingerprint_of(&config).unwrap());
}

#[test]
fn a_bad_certificate_leaves_the_one_before_and_a_good_one_is_taken_again() {
    let (_folder, config, files) = configured();
    write_both(&files, &made(), 0);
    let tls = Tls::open(&config).unwrap();
    let before = tls.fingerprint();
    let (one, other) = (made(), made());
    write(&files.certificate, &one.certificate, 1);
    write(&files.key, &other.key, 1);
    let look = || (0..3).for_each(|_| tls.look());
    look();
    assert_eq!(tls.fingerprint(), before, "they don't belong together");
    write(&files.certificate, "-----BEGIN", 2);
    look();
    assert_eq!(tls.fingerprint(), before);
    fs::remove_file(&files.certificate).unwrap();
    look();
    assert_eq!(tls.fingerprint(), before);
    write(&files.certificate, &other.certificate, 3);
    look();
    assert_eq!(tls.fingerprint(), fingerprint_of(&config).unwrap());
    assert_ne!(tls.fingerprint(), before);
}

#[test]
fn certificate_and_key_may_lie_in_one_file() {
    let (_folder, mut config, files) = configured();
    let made = made();
    write(&files.certificate, &(made.key + &made.certificate), 0);
    config.certificate = Some(CertificateFiles { key: files.certificate.clone(), ..files });
    fingerprint_of(&config).unwrap();
}

#[test]
fn what_is_wrong_with_a_certificate_is_said_with_its_file() {
    let (_folder, config, files) = configured();
    let said = || fingerprint_of(&config).unwrap_err().to_string();
    assert!(said().contains("cert.pem can't be read"), "{}", said());
    let (one, other) = (made(), made());
    write(&files.certificate, &one.certificate, 0);
    assert!(said().contains("key.pem can't be read"), "{}", said());
    write(&files.key, &one.certificate, 0);
    assert!(said().contains("key.pem holds no private key"), "{}", said());
    write(&files.key, &other.key, 0);
    assert!(said().contains("cert.pem and its key can't be used"), "{}", said());
    write(&files.certificate, &other.key, 0);
    assert!(said().contains("cert.pem holds no certificate"), "{}", said());
}
