//! Where a relay listens: addresses, with TLS or without, and the sockets for them.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    str::FromStr,
};

use socket2::{Domain, Socket as RawSocket, Type};

/// Connections that may wait to be accepted. The system takes its own limit where that is lower (on Linux 4096).
const BACKLOG: i32 = 4096;

/// An address to listen on. As text it is `https://ADDR:PORT`, `http://ADDR:PORT`, or `ADDR:PORT`, which is the same without TLS; with a
/// scheme the port may be missing, and is the usual one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Listen {
    /// Whether TLS is spoken there, and nothing else.
    pub secure: bool,
    /// Which address of this machine, and which port; 0 is a free one.
    pub address: SocketAddr,
}

/// The text is no address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an address and a port such as \"127.0.0.1:7480\", \"https://0.0.0.0:443\" or \"http://[::]:80\", the address in numbers"
)]
pub struct NotAnAddress;

impl Listen {
    /// An address for plain HTTP.
    #[must_use]
    pub const fn plain(address: SocketAddr) -> Self {
        Self { secure: false, address }
    }

    /// An address for TLS.
    #[must_use]
    pub const fn secure(address: SocketAddr) -> Self {
        Self { secure: true, address }
    }
}

impl FromStr for Listen {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let (secure, usual, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, Some(443), rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, Some(80), rest),
            Some(_) => return Err(NotAnAddress),
            None => (false, None, text),
        };
        if let Ok(address) = rest.parse() {
            return Ok(Self { secure, address });
        }
        let bare = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(rest);
        let address = bare.parse::<IpAddr>().map_err(|_| NotAnAddress)?;
        usual.map(|port| Self { secure, address: SocketAddr::new(address, port) }).ok_or(NotAnAddress)
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.secure { "https" } else { "http" }, self.address)
    }
}

/// An address that is listened on.
#[derive(Debug)]
pub struct Socket {
    pub(crate) listener: TcpListener,
    pub(crate) secure: bool,
}

impl Socket {
    /// Listens.
    ///
    /// # Errors
    /// When the address is in use or not this machine's.
    pub(crate) fn bind(listen: &Listen, all: &[Listen]) -> io::Result<Self> {
        let address = listen.address;
        let socket = RawSocket::new(Domain::for_address(address), Type::STREAM, None)?;
        if address.is_ipv6() {
            // "[::]" takes IPv4 along, unless that has a socket of its own on this port: then the two would be in each other's way.
            let apart = all.iter().any(|other| shares(&other.address, &address));
            socket.set_only_v6(apart)?;
        }
        // On Unix this lets a relay that was just stopped come back; elsewhere it would let two listen at once.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(Self { listener: socket.into(), secure: listen.secure })
    }

    /// Where it listens: the port is the real one, even if a free one was asked for.
    ///
    /// # Errors
    /// When the system doesn't say.
    pub fn listen(&self) -> io::Result<Listen> {
        Ok(Listen { secure: self.secure, address: self.listener.local_addr()? })
    }
}

impl From<TcpListener> for Socket {
    fn from(listener: TcpListener) -> Self {
        Self { listener, secure: false }
    }
}

/// Whether `other` is every address of IPv4 at the port of `address`.
fn shares(other: &SocketAddr, address: &SocketAddr) -> bool {
    other.port() == address.port() && other.port() != 0 && other.ip() == IpAddr::V4(Ipv4Addr::UNSPECIFIED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(text: &str) -> Listen {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn an_address_says_whether_it_speaks_tls_and_a_bare_one_does_not() {
        for (text, shown) in [
            ("127.0.0.1:7480", "http://127.0.0.1:7480"),
            ("[::1]:80", "http://[::1]:80"),
            ("http://0.0.0.0:80", "http://0.0.0.0:80"),
            ("https://0.0.0.0:443", "https://0.0.0.0:443"),
            ("HTTPS://[::]:8443", "https://[::]:8443"),
            ("https://[::]", "https://[::]:443"),
            ("http://192.0.2.1", "http://192.0.2.1:80"),
        ] {
            assert_eq!(listen(text).to_string(), shown);
            assert_eq!(listen(shown), listen(text));
        }
        for wrong in ["", "here", "relay.example.org:80", "127.0.0.1", "ftp://127.0.0.1:21", "https://", "[::1", "1.2.3.4:99999"]
        {
            assert_eq!(wrong.parse::<Listen>(), Err(NotAnAddress), "{wrong}");
        }
    }

    #[test]
    fn both_kinds_of_address_may_have_the_same_port() {
        let v4 = Socket::bind(&listen("0.0.0.0:0"), &[]).unwrap();
        let port = v4.listen().unwrap().address.port();
        let all = [listen(&format!("0.0.0.0:{port}")), listen(&format!("https://[::]:{port}"))];
        match Socket::bind(&all[1], &all) {
            Ok(v6) => assert_eq!(v6.listen().unwrap(), all[1]),
            // A machine without IPv6 says so, and not that the port is taken.
            Err(error) => assert_ne!(error.kind(), io::ErrorKind::AddrInUse, "{error}"),
        }
    }

    #[test]
    fn an_address_of_both_kinds_takes_both() {
        let Ok(socket) = Socket::bind(&listen("[::]:0"), &[]) else { return };
        let port = socket.listen().unwrap().address.port();
        std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    }
}
