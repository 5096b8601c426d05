//! Who has signed a certificate, as it stands there, and whether that is one of those who read along.

use rustls::pki_types::CertificateDer;

use crate::text::one_line;

/// Longest name that is shown, in characters.
const NAME_MAX: usize = 80;

/// Filters, virus scanners and tools that open TLS and sign with a certificate of their own, by what stands in it.
const MIDDLEBOXES: [&str; 34] = [
    "zscaler",
    "fortinet",
    "fortigate",
    "blue coat",
    "bluecoat",
    "symantec web security",
    "palo alto",
    "sophos",
    "kaspersky",
    "eset ssl filter",
    "avast",
    "avg web",
    "bitdefender",
    "netskope",
    "umbrella",
    "mcafee web",
    "skyhigh",
    "watchguard",
    "barracuda",
    "check point",
    "untangle",
    "squid",
    "mitmproxy",
    "charles proxy",
    "fiddler",
    "portswigger",
    "lightspeed",
    "securly",
    "goguardian",
    "iboss",
    "contentkeeper",
    "smoothwall",
    "forcepoint",
    "cloudflare gateway",
];

/// The issuer of a certificate: its name, and its organisation where that says more. `None` where it can't be read.
pub(super) fn issuer(certificate: &CertificateDer<'_>) -> Option<String> {
    let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
    name(certificate.issuer())
}

/// Whether a name is one of a filter that reads along.
pub(super) fn is_middlebox(name: &str) -> bool {
    let name = name.to_lowercase();
    MIDDLEBOXES.iter().any(|known| name.contains(known))
}

/// A name as X.501 writes it (RFC 5280, section 4.1.2.4), with or without what says that it is one.
fn name(der: &[u8]) -> Option<String> {
    const SEQUENCE: u8 = 0x30;
    const COMMON_NAME: &[u8] = &[0x55, 4, 3];
    const ORGANISATION: &[u8] = &[0x55, 4, 10];
    let mut rest = match element(der)? {
        (SEQUENCE, inner, _) => inner,
        _ => der,
    };
    let (mut common, mut organisation) = (None, None);
    while let Some((_, set, after)) = element(rest) {
        rest = after;
        let mut pairs = set;
        while let Some((_, pair, after)) = element(pairs) {
            pairs = after;
            let Some((_, kind, value)) = element(pair) else { continue };
            let Some((tag, value, _)) = element(value) else { continue };
            match kind {
                COMMON_NAME => common = Some(text(tag, value)),
                ORGANISATION => organisation = Some(text(tag, value)),
                _ => {}
            }
        }
    }
    match (common.filter(|name| !name.is_empty()), organisation.filter(|name| !name.is_empty())) {
        (Some(common), Some(organisation)) if !common.contains(&organisation) => Some(format!("{common} ({organisation})")),
        (Some(name), _) | (None, Some(name)) => Some(name),
        (None, None) => None,
    }
}

/// Tag, content and what comes behind the first element of DER.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match *length {
        short @ 0..=0x7f => (usize::from(short), rest),
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => rest.split_first_chunk().map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?,
        // No name is as long.
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// A stranger's words: on one line, and with nothing in them that turns the reading direction.
fn text(tag: u8, bytes: &[u8]) -> String {
    const BMP_STRING: u8 = 0x1e;
    let text = if tag == BMP_STRING {
        let units = bytes.chunks_exact(2).map(|pair| pair.iter().fold(0, |unit, byte| unit << 8 | u16::from(*byte)));
        String::from_utf16_lossy(&units.collect::<Vec<_>>())
    } else {
        String::from_utf8_lossy(bytes).into_owned()
    };
    let straight = |c: &char| !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    one_line(text.chars().filter(straight).collect::<String>().trim(), NAME_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    use super::*;

    fn signed_by(common: &str, organisation: Option<&str>) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common);
        if let Some(organisation) = organisation {
            params.distinguished_name.push(DnType::OrganizationName, organisation);
        }
        let issuer = Issuer::new(params, KeyPair::generate().unwrap());
        let key = KeyPair::generate().unwrap();
        CertificateParams::new(vec!["relay.example".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap().der().clone()
    }

    #[test]
    fn an_issuer_is_called_by_name_and_organisation() {
        assert_eq!(issuer(&signed_by("R11", Some("Let's Encrypt"))).unwrap(), "R11 (Let's Encrypt)");
        assert_eq!(issuer(&signed_by("Example University CA", Some("Example University"))).unwrap(), "Example University CA");
        assert_eq!(issuer(&signed_by("Grüße\u{202e}\n", None)).unwrap(), "Grüße");
        assert_eq!(issuer(&CertificateDer::from(vec![1, 2, 3])), None);
    }

    #[test]
    fn who_reads_along_is_known_by_name_and_authorities_are_not_taken_for_them() {
        assert!(is_middlebox("Zscaler Intermediate Root CA (zscaler.net) (Zscaler Inc.)"));
        assert!(is_middlebox("mitmproxy"));
        for fine in
            ["R11 (Let's Encrypt)", "DigiCert Global G2 TLS RSA SHA256 2020 CA1 (DigiCert Inc)", "WE1 (Google Trust Services)"]
        {
            assert!(!is_middlebox(fine), "{fine}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = name(&bytes);
            let _ = issuer(&CertificateDer::from(bytes));
        }
    }
}
