//! Where a request comes from when it came through a proxy that whoever runs the relay trusts to say so.
//!
//! Anyone can write a header, so it counts only from a peer that is trusted, only the header that the configuration names, and only as
//! far as trusted proxies have written it: from its end, up to the first address that is no such proxy.

mod header;

use std::{net::IpAddr, str::FromStr};

use axum::http::HeaderMap;
use ipnet::IpNet;

use crate::doorman::Origin;

/// A proxy, or a network of them, by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

/// The text is no address and no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an address or a network such as \"127.0.0.1\", \"10.0.0.0/8\" or \"fd00::/8\"")]
pub struct NotANetwork;

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map(|network| Self(network.trunc())).map_err(|_| NotANetwork)
    }
}

/// The header a proxy writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, which nearly all proxies write.
    #[default]
    XForwardedFor,
    /// `Forwarded`, by RFC 7239.
    Forwarded,
}

/// The proxies that are trusted to say whom they speak for. None, unless the configuration names some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    /// Who they are.
    pub networks: Vec<Network>,
    /// How they say it. The other header is not looked at: many proxies pass on what a client has written there.
    pub header: ForwardedHeader,
}

impl TrustedProxies {
    /// Whether this address is one of them.
    pub(crate) fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.0.contains(&address))
    }

    /// Where a request of this peer comes from. A peer on the loopback that speaks for nobody else is nowhere, as with [`Origin::of`]; whoever is
    /// spoken for comes from somewhere, even if that is said to be a loopback or isn't said so that it can be read.
    pub(crate) fn origin(&self, peer: IpAddr, headers: &HeaderMap) -> Option<Origin> {
        if !self.trust(peer) {
            return Origin::of(peer);
        }
        let hops = match self.header {
            ForwardedHeader::XForwardedFor => header::x_forwarded_for(headers.get_all("x-forwarded-for")),
            ForwardedHeader::Forwarded => header::forwarded(headers.get_all("forwarded")),
        };
        hops.map_or_else(|| Origin::of(peer), |hops| Some(Origin::at(self.farthest(peer, &hops))))
    }

    /// The last address that is known for certain, going back from `peer`: the first that isn't trusted, else the farthest one.
    fn farthest(&self, peer: IpAddr, hops: &[Option<IpAddr>]) -> IpAddr {
        let mut known = peer;
        for hop in hops.iter().rev() {
            match hop {
                Some(address) if self.trust(*address) => known = *address,
                Some(address) => return *address,
                None => break,
            }
        }
        known
    }
}

#[cfg(test)]
mod tests;
