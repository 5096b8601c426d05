//! Certificates: which are good for a relay, and what is said of the others.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use proto::{Fingerprint, api::Health};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use relay_client::{Error, Relay, Trust, error::BadCertificates};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use sha2::{Digest, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::{
    fake::{Fake, json},
    soon,
};

/// A certificate, and the key that belongs to it or another one.
pub(crate) struct Shown {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Shown {
    /// One that vouches for itself.
    pub(crate) fn self_signed() -> Self {
        Self::made(&CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap())
    }

    fn made(params: &CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { chain: vec![certificate.der().clone()], key: PrivateKeyDer::Pkcs8(key.serialize_der().into()) }
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::new(Sha256::digest(&self.chain[0]).into())
    }
}

/// An authority of one's own, and its certificate in PEM.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        Self::called("Authority")
    }

    pub(crate) fn called(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Its certificate in a file.
    pub(crate) fn file(&self) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &self.pem).unwrap();
        file
    }

    pub(crate) fn vouch(&self, name: &str) -> Shown {
        self.vouch_until(name, 4000)
    }

    /// Until the beginning of that year.
    pub(crate) fn vouch_until(&self, name: &str, year: i32) -> Shown {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Shown { chain: vec![certificate.der().clone()], key: PrivateKeyDer::Pkcs8(key.serialize_der().into()) }
    }
}

/// A relay behind TLS, whose certificate can be changed.
pub(crate) struct Secure {
    pub(crate) url: String,
    tls: Arc<Mutex<Arc<ServerConfig>>>,
}

impl Secure {
    pub(crate) async fn show(shown: Shown) -> Self {
        let fake =
            Fake::serve(|_| async { json(&Health { status: "ok".into(), version: "0".into(), protocol: vec![1], oidc: None }) })
                .await;
        Self::before(fake.address, shown).await
    }

    /// Before a relay without TLS.
    pub(crate) async fn before(relay: SocketAddr, shown: Shown) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let tls = Arc::new(Mutex::new(config(shown)));
        let current = tls.clone();
        tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                let acceptor = TlsAcceptor::from(current.lock().unwrap().clone());
                tokio::spawn(async move {
                    let Ok(mut near) = acceptor.accept(near).await else { return };
                    let mut far = TcpStream::connect(relay).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        Self { url, tls }
    }

    fn change(&self, shown: Shown) {
        *self.tls.lock().unwrap() = config(shown);
    }

    async fn ask(&self, trust: Trust) -> Result<(), Error> {
        soon(Relay::with(&self.url, trust).unwrap().health()).await.map(|_| ())
    }
}

fn config(shown: Shown) -> Arc<ServerConfig> {
    let provider = Arc::new(ring::default_provider());
    let key = provider.key_provider.load_private_key(shown.key).unwrap();
    // Whatever belongs together or not.
    let key = Arc::new(rustls::sign::CertifiedKey::new(shown.chain, key));
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let resolver = Arc::new(rustls::sign::SingleCertAndKey::from(key));
    Arc::new(builder.with_no_client_auth().with_cert_resolver(resolver))
}

#[tokio::test]
async fn a_self_signed_certificate_is_told_by_its_fingerprint_and_good_once_it_is_pinned() {
    let shown = Shown::self_signed();
    let fingerprint = shown.fingerprint();
    let relay = Secure::show(shown).await;
    let error = relay.ask(Trust::system()).await.unwrap_err();
    let Error::UnknownCertificate { relay: origin, fingerprint: found } = &error else { panic!("{error:?}") };
    assert_eq!((&**origin, *found), (relay.url.as_str(), fingerprint));
    assert!(error.to_string().contains(&fingerprint.to_string()) && !error.is_transient(), "{error}");
    relay.ask(Trust::system().pin(fingerprint)).await.unwrap();
}

#[tokio::test]
async fn a_pinned_certificate_needs_neither_a_name_nor_a_date_nor_to_be_of_a_kind() {
    let mut params = CertificateParams::new(vec!["elsewhere.example".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (params.not_before, params.not_after) = (rcgen::date_time_ymd(2001, 1, 1), rcgen::date_time_ymd(2002, 1, 1));
    let shown = Shown::made(&params);
    let fingerprint = shown.fingerprint();
    let relay = Secure::show(shown).await;
    let error = relay.ask(Trust::system()).await.unwrap_err();
    assert!(matches!(error, Error::UnknownCertificate { .. }), "{error:?}");
    relay.ask(Trust::system().pin(fingerprint)).await.unwrap();
}

#[tokio::test]
async fn nothing_but_the_pinned_certificate_is_good() {
    let (authority, file) = authority_in_a_file();
    let pinned = Shown::self_signed().fingerprint();
    for shown in [Shown::self_signed(), authority.vouch("127.0.0.1")] {
        let shows = shown.fingerprint();
        let relay = Secure::show(shown).await;
        let trust = Trust::system().with_ca_file(file.path()).unwrap().pin(pinned);
        let error = relay.ask(trust).await.unwrap_err();
        match &error {
            Error::CertificateChanged { pinned: expected, found, .. } => assert_eq!((*expected, *found), (pinned, shows)),
            other => panic!("{other:?}"),
        }
        assert!(error.to_string().contains("isn't the one you trusted") && !error.is_transient(), "{error}");
    }
}

#[tokio::test]
async fn a_certificate_that_changes_is_noticed_with_the_next_connection() {
    let shown = Shown::self_signed();
    let trust = Trust::system().pin(shown.fingerprint());
    let relay = Secure::show(shown).await;
    relay.ask(trust.clone()).await.unwrap();
    relay.change(Shown::self_signed());
    assert!(matches!(relay.ask(trust).await, Err(Error::CertificateChanged { .. })));
}

#[tokio::test]
async fn who_has_the_pinned_certificate_but_not_its_key_is_found_out() {
    let (shown, other) = (Shown::self_signed(), Shown::self_signed());
    let trust = Trust::system().pin(shown.fingerprint());
    let relay = Secure::show(Shown { chain: shown.chain, key: other.key }).await;
    let error = relay.ask(trust).await.unwrap_err();
    let Error::Tls { source, .. } = &error else { panic!("{error:?}") };
    assert!(source.to_string().to_lowercase().contains("signature"), "{source}");
}

fn authority_in_a_file() -> (Authority, tempfile::NamedTempFile) {
    let authority = Authority::new();
    let file = authority.file();
    (authority, file)
}

#[tokio::test]
async fn an_authority_of_ones_own_vouches_for_the_names_it_has_signed() {
    let (authority, file) = authority_in_a_file();
    let trust = || Trust::system().with_ca_file(file.path()).unwrap();
    let relay = Secure::show(authority.vouch("127.0.0.1")).await;
    relay.ask(trust()).await.unwrap();
    // Without it nobody can say, and the certificate isn't one that a person could pin.
    let error = relay.ask(Trust::system()).await.unwrap_err();
    assert!(matches!(error, Error::Tls { .. } | Error::NoSystemCertificates { .. }), "{error:?}");
    let relay = Secure::show(authority.vouch("elsewhere.example")).await;
    let error = relay.ask(trust()).await.unwrap_err();
    assert!(matches!(error, Error::Tls { .. }), "{error:?}");
}

#[test]
fn a_file_without_certificates_is_said_at_once() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let told = || Trust::system().with_ca_file(file.path()).unwrap_err();
    assert!(matches!(told(), Error::Certificates { reason: BadCertificates::None, .. }));
    std::fs::write(file.path(), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    assert!(matches!(told(), Error::Certificates { reason: BadCertificates::Unfit(_), .. }));
    let missing = Trust::system().with_ca_file(std::path::Path::new("no-such-file")).unwrap_err();
    assert!(missing.to_string().contains("no-such-file"), "{missing}");
}
