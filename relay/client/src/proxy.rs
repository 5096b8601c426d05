//! How the way out of this network is chosen: directly, or through which proxy.
//!
//! [`ProxySettings`] say what the person chose. A `Chooser` makes `Route`s to one relay out of them, best first; whoever sends
//! requests takes the first that works. A route is found anew now and then, because laptops move.

mod chooser;
mod desktop;
mod digest;
pub(crate) mod login;
mod pac;
mod text;

use std::{fmt, str::FromStr, sync::Arc};

use http::Uri;
use url::{Host, Url};

pub(crate) use self::chooser::Chooser;
use self::login::Login;

/// What the person chose. The default is what the environment and the system say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxySettings {
    /// Where the proxies' addresses come from.
    pub source: ProxySource,
    /// For proxies that let nobody through without a password; goes before what an address of a proxy itself holds.
    pub login: Option<ProxyLogin>,
}

/// Where the proxies' addresses come from. As text: `system`, `none`, `pac:URL` or a proxy's URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxySource {
    /// The environment (`http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`, in either case), else the system's settings. A relay
    /// on this very machine is always reached directly.
    #[default]
    System,
    /// No proxy.
    Direct,
    /// This proxy.
    Manual(ManualProxy),
    /// A proxy auto-configuration file: its URL, or a path on this machine.
    Pac(String),
}

/// A proxy by its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManualProxy {
    address: Address,
    exceptions: Exceptions,
}

/// Name and password at a proxy. Printing it shows no password.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyLogin {
    user: Arc<str>,
    password: Arc<str>,
}

/// Why a text names no proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadProxy {
    /// It can't be read as an address.
    #[error("it can't be read as an address, which looks like http://proxy.example.org:3128")]
    Syntax,
    /// A scheme other than http.
    #[error("only http:// proxies are spoken to here, neither SOCKS nor proxies behind TLS")]
    Scheme,
    /// There is a path or a query in it.
    #[error("it must end after the port")]
    Path,
    /// `pac:` with nothing behind it.
    #[error("after pac: comes the address of the file, such as pac:http://wpad/wpad.dat")]
    NoPac,
}

/// One way to the relay.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    Direct,
    Via(Arc<Proxy>),
}

/// A proxy and what is known about signing in there.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: Address,
    pub(crate) login: Login,
}

/// A proxy's host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    host: String,
    port: u16,
    login: Option<ProxyLogin>,
}

/// Hosts that are reached without the proxy, in the words of `no_proxy`: names with all names below them, addresses, networks, `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Exceptions(String);

impl ProxySettings {
    /// No proxy, whatever the environment and the system say.
    #[must_use]
    pub fn direct() -> Self {
        Self { source: ProxySource::Direct, login: None }
    }
}

impl From<ProxySource> for ProxySettings {
    fn from(source: ProxySource) -> Self {
        Self { source, login: None }
    }
}

impl FromStr for ProxySource {
    type Err = BadProxy;

    fn from_str(text: &str) -> Result<Self, BadProxy> {
        let text = text.trim();
        match text.split_at_checked(4) {
            _ if text.eq_ignore_ascii_case("system") => Ok(Self::System),
            _ if text.eq_ignore_ascii_case("none") => Ok(Self::Direct),
            Some((pac, file)) if pac.eq_ignore_ascii_case("pac:") => match file.trim() {
                "" => Err(BadProxy::NoPac),
                file => Ok(Self::Pac(file.to_owned())),
            },
            _ => Ok(Self::Manual(ManualProxy::new(text, "")?)),
        }
    }
}

impl fmt::Display for ProxySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("system"),
            Self::Direct => f.write_str("none"),
            Self::Manual(manual) => write!(f, "{}", manual.address),
            Self::Pac(file) => write!(f, "pac:{file}"),
        }
    }
}

impl ManualProxy {
    /// A proxy by its address, `proxy.example.org:3128` or `http://proxy.example.org:3128`, perhaps with `user:password@`.
    /// `exceptions` are hosts to be reached without it, with commas between, in the words of `no_proxy`.
    ///
    /// # Errors
    /// When that is no address of a proxy.
    pub fn new(address: &str, exceptions: &str) -> Result<Self, BadProxy> {
        Ok(Self { address: address.parse()?, exceptions: Exceptions(exceptions.to_owned()) })
    }

    /// The hosts that are reached without it, as they were given.
    #[must_use]
    pub fn exceptions(&self) -> &str {
        &self.exceptions.0
    }
}

impl ProxyLogin {
    /// What the proxy's administrator gave.
    #[must_use]
    pub fn new(user: &str, password: &str) -> Self {
        Self { user: user.into(), password: password.into() }
    }

    /// The name.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }
}

impl fmt::Debug for ProxyLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyLogin").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Route {
    /// Two routes that lead through the same proxy, or through none, are one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Direct, Self::Direct) => true,
            (Self::Via(one), Self::Via(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    pub(crate) fn proxy(&self) -> Option<&Arc<Proxy>> {
        match self {
            Self::Direct => None,
            Self::Via(proxy) => Some(proxy),
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct => f.write_str("no proxy"),
            Self::Via(proxy) => proxy.address.fmt(f),
        }
    }
}

impl Address {
    /// Host, without the brackets of an IPv6 address, and port.
    pub(crate) fn hop(&self) -> (&str, u16) {
        (self.host.trim_matches(['[', ']']), self.port)
    }

    /// As the target of a connection.
    pub(crate) fn uri(&self) -> Result<Uri, http::uri::InvalidUri> {
        Uri::try_from(format!("{self}/"))
    }
}

impl FromStr for Address {
    type Err = BadProxy;

    fn from_str(text: &str) -> Result<Self, BadProxy> {
        let text = text.trim();
        let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url = Url::parse(&whole).map_err(|_| BadProxy::Syntax)?;
        if url.scheme() != "http" {
            return Err(BadProxy::Scheme);
        }
        if url.query().is_some() || url.fragment().is_some() || !matches!(url.path(), "" | "/") {
            return Err(BadProxy::Path);
        }
        let host = url.host().map(|host| host.to_string()).filter(|host| !host.is_empty()).ok_or(BadProxy::Syntax)?;
        let login = (!url.username().is_empty())
            .then(|| ProxyLogin::new(&text::unescape(url.username()), &text::unescape(url.password().unwrap_or_default())));
        Ok(Self { host, port: url.port_or_known_default().unwrap_or(80), login })
    }
}

/// Never with name and password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}", self.host, self.port)
    }
}

/// Whether the address is one of this machine itself, which no proxy can reach.
pub(crate) fn is_loopback(relay: &Url) -> bool {
    match relay.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_writes_becomes_a_source() {
        let source = |text: &str| text.parse::<ProxySource>();
        assert_eq!(source("system"), Ok(ProxySource::System));
        assert_eq!(source(" None "), Ok(ProxySource::Direct));
        assert_eq!(source("pac:http://wpad/wpad.dat"), Ok(ProxySource::Pac("http://wpad/wpad.dat".to_owned())));
        assert_eq!(source("pac:"), Err(BadProxy::NoPac));
        for (text, means) in [
            ("proxy.example.org:3128", "http://proxy.example.org:3128"),
            ("http://proxy.example.org", "http://proxy.example.org:80"),
            ("http://[::1]:8080/", "http://[::1]:8080"),
        ] {
            assert_eq!(source(text).unwrap().to_string(), means);
            assert_eq!(source(means).unwrap().to_string(), means);
        }
        assert_eq!(source("socks5://proxy:1080"), Err(BadProxy::Scheme));
        assert_eq!(source("https://proxy:443"), Err(BadProxy::Scheme));
        assert_eq!(source("http://proxy/path"), Err(BadProxy::Path));
        assert_eq!(source(""), Err(BadProxy::Syntax));
        assert_eq!(source("http://proxy:99999"), Err(BadProxy::Syntax));
    }

    #[test]
    fn a_password_in_an_address_is_kept_and_never_shown() {
        let source: ProxySource = "http://an%40a:p%3Aw@proxy:3128".parse().unwrap();
        let ProxySource::Manual(manual) = &source else { panic!("{source:?}") };
        assert_eq!(manual.address.login, Some(ProxyLogin::new("an@a", "p:w")));
        let settings = ProxySettings { source, login: Some(ProxyLogin::new("ana", "p:w")) };
        let shown = format!("{settings:?} {}", settings.source);
        assert!(!shown.contains("p:w") && !shown.contains("p%3A"), "{shown}");
    }

    #[test]
    fn this_machine_is_known_by_any_of_its_names() {
        let here = |text: &str| is_loopback(&text.parse().unwrap());
        assert!(here("http://localhost:1") && here("http://a.localhost") && here("http://127.1.2.3") && here("http://[::1]"));
        assert!(!here("http://example.org") && !here("http://10.0.0.1"));
    }
}
