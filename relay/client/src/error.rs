//! What can go wrong between here and the relay.

use std::{fmt, io, path::PathBuf, sync::Arc, time::Duration};

use proto::{ErrorCode, Fingerprint};

use crate::trust::Distrust;

/// What underlies an error, for the log.
pub type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// Why a request failed. `Display` is a sentence for a person that says what to do. Cloning is cheap.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The relay understood the request and refused it.
    #[error("{message}")]
    Refused {
        /// Why, for programs.
        code: ErrorCode,
        /// Why, for people, in the relay's words; control characters taken out, at most 300 characters.
        message: String,
        /// When trying again may help.
        retry_after: Option<Duration>,
    },
    /// No connection could be made.
    #[error("The relay {relay} can't be reached. Check the network, and whether the relay's address is right.")]
    Unreachable {
        /// Its address without a path.
        relay: Arc<str>,
        /// What the system said.
        source: Cause,
    },
    /// The connection was lost before the whole answer was here.
    #[error("The connection to the relay {relay} broke. Try again.")]
    Broken {
        /// Its address without a path.
        relay: Arc<str>,
        /// What the system said.
        source: Cause,
    },
    /// No answer came in time.
    #[error("The relay {relay} doesn't answer in time. Check the network and try again.")]
    Timeout {
        /// Its address without a path.
        relay: Arc<str>,
    },
    /// No encrypted connection could be agreed on.
    #[error("No secure connection to the relay {relay}: {source}. Check this computer's clock, then ask whoever runs the relay.")]
    Tls {
        /// Its address without a path.
        relay: Arc<str>,
        /// What is wrong.
        source: rustls::Error,
    },
    /// The relay shows a certificate it has made itself, so that a person must say whether it is the right one.
    #[error(
        "Nobody vouches for the relay {relay}: it shows a certificate of its own making, with the fingerprint {fingerprint}. \
         Trust it only if that is what whoever runs the relay says it has."
    )]
    UnknownCertificate {
        /// Its address without a path.
        relay: Arc<str>,
        /// What to compare, and to pin.
        fingerprint: Fingerprint,
    },
    /// The relay shows another certificate than the one that is pinned.
    #[error(
        "The relay {relay} isn't the one you trusted, or somebody listens in between: it shows another certificate than it did. \
         Nothing was sent. Ask whoever runs the relay whether it has a new one, with the fingerprint {found}."
    )]
    CertificateChanged {
        /// Its address without a path.
        relay: Arc<str>,
        /// What is pinned.
        pinned: Fingerprint,
        /// What it shows.
        found: Fingerprint,
    },
    /// This computer knows no authorities that could vouch for a relay.
    #[error(
        "This computer can't tell whether {relay} is the right relay: {source}. Install its certificates (on Debian: the package \
         ca-certificates)."
    )]
    NoSystemCertificates {
        /// Its address without a path.
        relay: Arc<str>,
        /// What is missing.
        source: rustls::Error,
    },
    /// A file of certificates can't be used.
    #[error("The certificates in {} can't be used: {reason}.", file.display())]
    Certificates {
        /// Which.
        file: PathBuf,
        /// Why.
        reason: BadCertificates,
    },
    /// TLS couldn't be set up.
    #[error("This computer can't make secure connections: {source}.")]
    NoTls {
        /// Why.
        source: rustls::Error,
    },
    /// The network's proxy lets nobody through without a password, or not with this one.
    #[error("{}", no_entry(.proxy, .offered, *.spoken, *.withheld, *.had_password))]
    ProxyAuthentication {
        /// The proxy's address.
        proxy: Arc<str>,
        /// The ways of signing in that it offers, such as `Basic, Negotiate`, in its own words.
        offered: String,
        /// Whether one of them is spoken here: Basic and Digest are.
        spoken: bool,
        /// Whether Basic was offered and not used, because the password would have been shown to a proxy that was named by who knows whom.
        withheld: bool,
        /// Whether there were name and password to be sent.
        had_password: bool,
    },
    /// No connection to the proxy could be made; nothing is known about the relay.
    #[error("This network's proxy {proxy} can't be reached. Check the network and the proxy settings.")]
    ProxyUnreachable {
        /// The proxy's address.
        proxy: Arc<str>,
        /// What the system said.
        source: Cause,
    },
    /// The proxy makes no connection to the relay.
    #[error("{}", not_through(.proxy, .relay, *.status))]
    ProxyRefused {
        /// The proxy's address.
        proxy: Arc<str>,
        /// The relay's address without a path.
        relay: Arc<str>,
        /// The HTTP status it gives.
        status: u16,
    },
    /// The proxy settings lead nowhere.
    #[error(transparent)]
    NoRoute(#[from] NoRoute),
    /// A server in front of the relay answers in its place.
    #[error("The relay {relay} is down: a server in front of it answers with status {status}. Try again in a moment.")]
    Gateway {
        /// Its address without a path.
        relay: Arc<str>,
        /// The HTTP status, 500 to 599.
        status: u16,
    },
    /// Whoever answered is no tvphone relay: most often a network that wants a sign-in on a web page first.
    #[error(
        "{relay} answers with {found}, so it is no tvphone relay. If this network wants you to sign in, open any web page \
         first; otherwise check the relay's address."
    )]
    NotARelay {
        /// The address asked, without a path.
        relay: Arc<str>,
        /// What came instead.
        found: Found,
    },
    /// The answer is larger than any a relay gives, so it wasn't read to its end.
    #[error("{relay} sent an answer of more than {limit} bytes, which no tvphone relay does. Check the relay's address.")]
    Oversize {
        /// The address asked, without a path.
        relay: Arc<str>,
        /// What the answer may have, in bytes.
        limit: usize,
    },
    /// The text is no address of a relay.
    #[error("“{url}” can't be a relay's address: {reason}. It looks like https://relay.example.org")]
    BadUrl {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        reason: BadUrl,
    },
    /// The HTTP client couldn't be set up.
    #[error("This computer can't make HTTP connections: {source}.")]
    Setup {
        /// What is missing.
        source: Cause,
    },
}

/// What answered in the relay's place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found {
    /// A page for people.
    WebPage,
    /// "Go elsewhere".
    Redirect {
        /// Where; empty if it wasn't said.
        to: String,
    },
    /// An HTTP status no relay gives, without the relay's error body.
    Status(u16),
    /// Bytes that can't be read as an answer to what was asked.
    Nonsense,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WebPage => f.write_str("a web page"),
            Self::Redirect { to } if to.is_empty() => f.write_str("a redirection"),
            Self::Redirect { to } => write!(f, "a redirection to {to}"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::Nonsense => f.write_str("something unreadable"),
        }
    }
}

/// Why the proxy settings lead nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoRoute {
    /// All proxies they name are of a kind that isn't spoken to.
    #[error(
        "The proxy settings of this network lead only to {entries}, and only http proxies are spoken to here, neither SOCKS nor \
         proxies behind TLS. Ask the network's administrator for an http proxy."
    )]
    Unspoken {
        /// As they name them.
        entries: String,
    },
    /// The PAC file gives no answer.
    #[error("The proxy settings come from {file}, which gives no answer: {reason}. Check that address, or choose another proxy.")]
    Pac {
        /// Its address.
        file: String,
        /// What is wrong with it.
        reason: BadPac,
    },
}

/// What is wrong with a PAC file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadPac {
    /// It can't be fetched or read.
    #[error("it can't be fetched ({0})")]
    Unreadable(String),
    /// It is larger than any such file has reason to be.
    #[error("it is larger than {0} bytes")]
    TooLarge(usize),
    /// Its script fails.
    #[error("its script fails ({0})")]
    Script(String),
    /// Its script ran for too long.
    #[error("its script doesn't come to an end")]
    Endless,
}

/// What is wrong with a file of certificates.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadCertificates {
    /// It can't be read.
    #[error("the file can't be read: {0}")]
    Read(Arc<io::Error>),
    /// There is none in it.
    #[error("there is none in PEM")]
    None,
    /// One in it can't vouch for anything.
    #[error("{0}")]
    Unfit(rustls::Error),
}

/// What is wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadUrl {
    /// It doesn't begin with http:// or https://.
    #[error("it must begin with https:// or http://")]
    Scheme,
    /// It can't be read as an address at all.
    #[error("{0}")]
    Syntax(#[from] url::ParseError),
    /// Name and password have no place in it.
    #[error("it must not hold a user name or password")]
    Credentials,
    /// There is a `?` or `#` in it.
    #[error("it must end before any ? or #")]
    Query,
}

impl Error {
    /// Whether the same request may succeed a little later without anyone doing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused { code, .. } => {
                matches!(code, ErrorCode::RateLimited | ErrorCode::ShuttingDown | ErrorCode::Internal)
            }
            Self::Unreachable { .. }
            | Self::ProxyUnreachable { .. }
            | Self::Broken { .. }
            | Self::Timeout { .. }
            | Self::Gateway { .. } => true,
            // 5xx: the proxy doesn't get through to the relay just now.
            Self::ProxyRefused { status, .. } => *status >= 500,
            Self::NoRoute(NoRoute::Pac { reason: BadPac::Unreadable(_), .. }) => true,
            _ => false,
        }
    }

    /// Why the relay refused, if that is what happened.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// How long the relay asks to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the request certainly never arrived, so that even one that must not be repeated may be.
    pub(crate) fn is_unsent(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::ProxyUnreachable { .. } | Self::ProxyRefused { .. })
    }

    /// Whether something in between may have cut the request, which such things do at will.
    pub(crate) fn is_cut(&self) -> bool {
        matches!(self, Self::Broken { .. } | Self::Gateway { status: 504, .. })
    }

    /// Whether it is a route to the relay that leads nowhere, so that another one may do.
    pub(crate) fn is_about_the_way(&self) -> bool {
        self.is_unsent() || matches!(self, Self::ProxyAuthentication { .. })
    }

    /// Sorts what the HTTP library says. `connecting`: it came no further than that, be it that nobody answered in time.
    pub(crate) fn of(relay: &Arc<str>, error: Cause, connecting: bool) -> Self {
        let relay = relay.clone();
        if let Some(source) = tls_trouble(&*error) {
            match Distrust::of(&source) {
                Some(Distrust::SelfSigned(fingerprint)) => Self::UnknownCertificate { relay, fingerprint },
                Some(Distrust::Changed { pinned, found }) => Self::CertificateChanged { relay, pinned, found },
                Some(Distrust::NoSystem(source)) => Self::NoSystemCertificates { relay, source },
                None => Self::Tls { relay, source },
            }
        } else if connecting {
            Self::Unreachable { relay, source: error }
        } else if timed_out(&*error) {
            Self::Timeout { relay }
        } else {
            Self::Broken { relay, source: error }
        }
    }
}

fn no_entry(proxy: &str, offered: &str, spoken: bool, withheld: bool, had_password: bool) -> String {
    match (spoken, had_password) {
        (true, false) => {
            format!("This network's proxy {proxy} wants a name and a password ({offered}). Put them into the proxy settings.")
        }
        (true, true) => {
            format!(
                "This network's proxy {proxy} doesn't take this name and password ({offered}). Correct them in the proxy settings."
            )
        }
        (false, _) if withheld => format!(
            "The proxy {proxy} wants the password unprotected, and it was named by a file that anyone in this network could have sent. If it \
             is the right one, enter its address in the proxy settings."
        ),
        (false, _) if offered.is_empty() => {
            format!(
                "This network's proxy {proxy} lets nobody through and doesn't say how to sign in. Ask the network's administrator."
            )
        }
        (false, _) => format!(
            "This network's proxy {proxy} wants people to sign in by {offered}, which isn't spoken here: Basic and Digest are. \
             Ask the network's administrator for one of these, or for letting the relay's address pass."
        ),
    }
}

fn not_through(proxy: &str, relay: &str, status: u16) -> String {
    if status >= 500 {
        format!("This network's proxy {proxy} gets no connection to the relay {relay} (status {status}). Try again in a moment.")
    } else {
        format!(
            "This network's proxy {proxy} lets nobody through to {relay} (status {status}). Ask the network's administrator to \
             allow that address."
        )
    }
}

/// Whether the system gave up waiting.
fn timed_out(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::TimedOut) {
            return true;
        }
        next = error.source();
    }
    false
}

/// An `io::Error` doesn't give the error it wraps as its source, so both must be looked into.
fn tls_trouble(error: &(dyn std::error::Error + 'static)) -> Option<rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found.clone());
        }
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = wrapped.and_then(|inner| tls_trouble(inner)) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_by_itself_is_transient() {
        let refused = |code| Error::Refused { code, message: String::new(), retry_after: None };
        let relay: Arc<str> = "https://relay.example.org".into();
        assert!(refused(ErrorCode::RateLimited).is_transient());
        assert!(refused(ErrorCode::ShuttingDown).is_transient());
        assert!(!refused(ErrorCode::Unauthorized).is_transient());
        assert!(!refused(ErrorCode::Unknown).is_transient());
        assert!(Error::Timeout { relay: relay.clone() }.is_transient());
        assert!(Error::Gateway { relay: relay.clone(), status: 502 }.is_transient());
        assert!(!Error::NotARelay { relay, found: Found::WebPage }.is_transient());
    }

    #[test]
    fn who_waited_in_vain_for_a_connection_may_go_another_way() {
        let relay: Arc<str> = "https://relay.example.org".into();
        let silent: Cause = Arc::new(io::Error::from(io::ErrorKind::TimedOut));
        assert!(Error::of(&relay, silent.clone(), true).is_about_the_way());
        assert!(matches!(Error::of(&relay, silent, false), Error::Timeout { .. }), "it may have arrived");
    }

    #[test]
    fn tls_trouble_is_found_within_an_io_error() {
        let io = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::BadMaxFragmentSize);
        assert_eq!(tls_trouble(&io), Some(rustls::Error::BadMaxFragmentSize));
        let nested = io::Error::other(io::Error::other(rustls::Error::DecryptError));
        assert_eq!(tls_trouble(&nested), Some(rustls::Error::DecryptError));
        assert_eq!(tls_trouble(&io::Error::other("no")), None);
    }
}
