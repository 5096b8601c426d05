//! What the lower rungs say: what was found, and what to do about it.

use std::{error::Error as _, io, time::Duration};

use rustls::CertificateError;

use super::{Step, signer};
use crate::{
    error::{Error, Found},
    http::{Http, connector::NoConnection},
    proxy::Route,
};

/// What was found and what to do about it, of an error that says both.
pub(super) fn told(error: &Error) -> (String, String) {
    let text = without_login(&error.to_string());
    match text.rsplit_once(". ") {
        Some((found, advice)) => (format!("{found}."), advice.to_owned()),
        None => (text, "Ask whoever looks after this computer or its network.".to_owned()),
    }
}

/// The same of an error of that rung.
pub(super) fn failed(step: Step, error: &Error, route: &Route, http: &Http, signers: &[String]) -> (String, String) {
    let relay = &http.relay;
    match (step, error) {
        (Step::Proxy, Error::Unreachable { .. } | Error::Broken { .. }) => (
            format!("The proxy {route} takes connections, but doesn't say whether it lets one through to {relay}."),
            "Ask the network's administrator whether it is the right proxy, and whether it may reach the relay's address.".to_owned(),
        ),
        (Step::Encryption, Error::Tls { source, .. }) => untrusted(source, relay, signers),
        (Step::Encryption, Error::CertificateChanged { .. }) => {
            let by = signers.first().map_or_else(String::new, |name| format!(" It is signed by {name}."));
            let (found, advice) = told(error);
            (format!("{found}{by}"), advice)
        }
        (Step::Encryption, Error::UnknownCertificate { fingerprint, .. }) => (
            format!("Nobody vouches for {relay}: it shows a certificate of its own making, with the fingerprint {fingerprint}."),
            "Ask whoever runs the relay for its fingerprint. If it is this one, trust it: the window asks once, --trust FINGERPRINT does the same."
                .to_owned(),
        ),
        (Step::Encryption, Error::Timeout { .. } | Error::Unreachable { .. } | Error::Broken { .. }) => {
            let what = if matches!(error, Error::Timeout { .. }) { "gets no answer" } else { "is cut" };
            (
                format!("A connection comes about, but the TLS handshake with {relay} {what}."),
                "Something on the way swallows encrypted connections to this address, or no TLS is spoken at this port. Ask the network's \
                 administrator to let the address pass, and whoever runs the relay whether the port is right."
                    .to_owned(),
            )
        }
        (_, Error::NotARelay { found, .. }) => not_a_relay(found, relay),
        (_, Error::Timeout { .. }) => (
            format!("A connection to {relay} comes about, but a request gets no answer: something swallows it."),
            "Try another network. If the relay answers there, ask this network's administrator to let its address pass; if not, ask whoever \
             runs the relay."
                .to_owned(),
        ),
        (_, Error::Broken { .. } | Error::Unreachable { .. }) => (
            format!("A connection to {relay} comes about, but it is cut before a request is answered."),
            "Check the address and its port. If they are right, something on the way cuts it: ask the network's administrator.".to_owned(),
        ),
        (_, Error::Gateway { status, .. }) if route.proxy().is_some() => (
            format!("The proxy {route}, or a server in front of the relay, answers in its place with status {status}."),
            "Try again in a moment. If it goes on, check the relay's address, then ask whoever runs the relay whether it is up.".to_owned(),
        ),
        _ => told(error),
    }
}

fn untrusted(source: &rustls::Error, relay: &str, signers: &[String]) -> (String, String) {
    use CertificateError as Bad;
    let signer = signers.first().map_or("somebody without a name", String::as_str);
    let clock = "Check this computer's clock and date. If they are right, whoever runs the relay must renew its certificate.";
    match source {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::Expired | Bad::ExpiredContext { .. } => (format!("The certificate of {relay} has expired."), clock.to_owned()),
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                (format!("The certificate of {relay} is not valid yet."), clock.to_owned())
            }
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => (
                format!("The certificate that {relay} shows, signed by {signer}, is for another name."),
                "Check the relay's address: it must be the one that its certificate is for. If it is, somebody else answers in its place: \
                 in a network with a sign-in page, sign in first."
                    .to_owned(),
            ),
            _ if signers.iter().any(|name| signer::is_middlebox(name)) => (
                format!("A filter on the way opens the encryption: {relay} is shown with a certificate signed by {signer}."),
                "Nothing was sent. Ask the network's administrator to let the relay's address pass unopened. To let the filter read along, give its \
                 authority with --ca FILE."
                    .to_owned(),
            ),
            Bad::UnknownIssuer => (
                format!("The certificate of {relay} is signed by {signer}, whom this computer doesn't know."),
                "Either a filter on the way opens the encryption, or the relay's authority is its organisation's own. Ask whoever runs the relay \
                 who signs its certificate: if it is this one, give its file with --ca FILE."
                    .to_owned(),
            ),
            other => (
                format!("The certificate of {relay}, signed by {signer}, isn't good: {other}."),
                "Ask whoever runs the relay for a certificate that is.".to_owned(),
            ),
        },
        rustls::Error::InvalidMessage(_) => (
            format!("What answers at {relay} doesn't speak TLS."),
            "Check the address and its port: perhaps it begins with http://. In a network with a sign-in page, sign in first.".to_owned(),
        ),
        other => (
            format!("No TLS can be agreed on with {relay}: {other}."),
            "Something on the way changes encrypted connections, or the relay is not one. Ask whoever runs the relay.".to_owned(),
        ),
    }
}

fn not_a_relay(found: &Found, relay: &str) -> (String, String) {
    let sign_in = "Most likely this network wants a sign-in first: open any web page in a browser, sign in there, and look again. Otherwise check \
                   the relay's address.";
    let found = match found {
        Found::WebPage => "a web page".to_owned(),
        // What stands behind it may be a ticket of somebody's.
        Found::Redirect { to } if !to.is_empty() => {
            format!("a redirection to {}", without_login(to.split(['?', '#']).next().unwrap_or_default()))
        }
        other => other.to_string(),
    };
    (format!("No tvphone relay answers at {relay}, but {found}."), sign_in.to_owned())
}

/// What it means that there is no connection to whoever is next.
pub(super) fn no_connection(error: &NoConnection, route: &Route, there: &str) -> (String, String) {
    let (whose, check) = match route.proxy() {
        Some(_) => (
            "proxy",
            "Check the proxy's address in the proxy settings, and whether this computer is in the network that has this proxy.",
        ),
        None => (
            "relay",
            "Check the relay's address and its port, then ask whoever runs it whether it is up. If other pages open and this doesn't, this network \
             may want a proxy or not allow the port: ask its administrator.",
        ),
    };
    let says = match kind(error) {
        Some(io::ErrorKind::ConnectionRefused) => format!("nothing listens at {there}: the connection is refused"),
        Some(io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable) => {
            format!("there is no way to {there} from here")
        }
        Some(io::ErrorKind::ConnectionReset) => format!("the connection to {there} is cut at once"),
        Some(io::ErrorKind::TimedOut) | None if is_silence(error) => {
            format!("{there} doesn't answer: something swallows the packets")
        }
        _ => format!("no connection to {there} comes about"),
    };
    (format!("The {whose} can't be reached: {says}."), check.to_owned())
}

fn is_silence(error: &NoConnection) -> bool {
    matches!(error, NoConnection::TooLong) || kind(error) == Some(io::ErrorKind::TimedOut)
}

fn kind(error: &NoConnection) -> Option<io::ErrorKind> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        next = error.source();
    }
    None
}

/// The proxy lets one through, or there is none.
pub(super) fn through(route: &Route) -> String {
    match route.proxy() {
        None => "None on the way, as far as the settings say.".to_owned(),
        Some(proxy) => match proxy.login.user() {
            Some(user) => format!("{route} lets {user} through."),
            None => format!("{route} lets everybody through."),
        },
    }
}

/// A time as people say it.
pub(super) fn time(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    match ms {
        ..10.0 => format!("{ms:.1} ms"),
        ..1000.0 => format!("{ms:.0} ms"),
        _ => format!("{:.1} s", ms / 1e3),
    }
}

/// With a capital letter.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Takes names and passwords out of the addresses in a text.
pub(super) fn without_login(text: &str) -> String {
    let mut parts = text.split("://");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(['/', ' ', ')', ',']).unwrap_or(part.len());
        let (host, rest) = part.split_at(end);
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        clean = format!("{clean}://{host}{rest}");
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_of_an_address_is_told() {
        for (said, told) in [
            ("http://ana:p%40w@proxy:3128/x y@z", "http://proxy:3128/x y@z"),
            ("pac:http://a:b@c@wpad/wpad.dat, http://plain", "pac:http://wpad/wpad.dat, http://plain"),
            ("no address at all", "no address at all"),
        ] {
            assert_eq!(without_login(said), told);
        }
    }

    #[test]
    fn an_error_is_told_as_what_it_is_and_what_to_do() {
        let error = Error::ProxyRefused { proxy: "http://proxy:3128".into(), relay: "https://relay.example".into(), status: 403 };
        let (found, advice) = told(&error);
        assert_eq!(found, "This network's proxy http://proxy:3128 lets nobody through to https://relay.example (status 403).");
        assert_eq!(advice, "Ask the network's administrator to allow that address.");
    }

    #[test]
    fn times_are_short() {
        let times = [Duration::from_micros(1234), Duration::from_millis(87), Duration::from_millis(1540)];
        assert_eq!(times.map(time), ["1.2 ms", "87 ms", "1.5 s"]);
        assert_eq!(capital("the relay"), "The relay");
    }
}
