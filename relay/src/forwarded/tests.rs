//! Whom a forwarded header speaks for, and that nobody speaks for themselves.

use std::net::Ipv6Addr;

use axum::http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

const PROXY: &str = "10.0.0.7";

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn proxies(header: ForwardedHeader) -> TrustedProxies {
    let networks = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap()).to_vec();
    TrustedProxies { networks, header }
}

fn headers(name: &'static str, values: &[&[u8]]) -> HeaderMap {
    let value = |value: &&[u8]| (HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
    values.iter().map(value).collect()
}

/// Where it comes from by `X-Forwarded-For`.
fn by_list(peer: &str, values: &[&str]) -> Option<Origin> {
    let values = values.iter().map(|value| value.as_bytes()).collect::<Vec<_>>();
    proxies(ForwardedHeader::XForwardedFor).origin(address(peer), &headers("x-forwarded-for", &values))
}

/// Where it comes from by `Forwarded`.
fn by_rfc(values: &[&str]) -> Option<Origin> {
    let values = values.iter().map(|value| value.as_bytes()).collect::<Vec<_>>();
    proxies(ForwardedHeader::Forwarded).origin(address(PROXY), &headers("forwarded", &values))
}

fn at(text: &str) -> Option<Origin> {
    Some(Origin::at(address(text)))
}

#[test]
fn a_network_is_an_address_or_a_prefix() {
    let trusts = |network: &str, who: &str| {
        let networks = vec![network.parse().unwrap()];
        TrustedProxies { networks, ..TrustedProxies::default() }.trust(address(who))
    };
    assert!(trusts("127.0.0.1", "127.0.0.1") && !trusts("127.0.0.1", "127.0.0.2"));
    assert!(trusts("10.1.2.3/8", "10.255.0.1") && !trusts("10.1.2.3/8", "11.0.0.1"));
    assert!(trusts("10.0.0.0/8", "::ffff:10.0.0.1"), "IPv4 on an IPv6 socket");
    assert!(trusts("fd00::/8", "fd12::1") && !trusts("fd00::/8", "2001:db8::1"));
    for wrong in ["", "proxy.example", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/"] {
        assert_eq!(wrong.parse::<Network>(), Err(NotANetwork), "{wrong}");
    }
}

#[test]
fn who_is_not_trusted_speaks_for_nobody() {
    assert_eq!(by_list("192.0.2.1", &["198.51.100.1"]), at("192.0.2.1"));
    let nobody = TrustedProxies::default();
    assert_eq!(nobody.origin(address(PROXY), &headers("x-forwarded-for", &[b"198.51.100.1"])), at(PROXY));
    assert_eq!(nobody.origin(address("127.0.0.1"), &headers("x-forwarded-for", &[b"198.51.100.1"])), None);
}

#[test]
fn the_last_address_that_is_no_trusted_proxy_counts() {
    assert_eq!(by_list(PROXY, &["198.51.100.1"]), at("198.51.100.1"));
    assert_eq!(
        by_list(PROXY, &["203.0.113.9, 198.51.100.1, 10.2.3.4"]),
        at("198.51.100.1"),
        "what stands before is the client's own"
    );
    assert_eq!(by_list(PROXY, &["203.0.113.9", "198.51.100.1", "127.0.0.1"]), at("198.51.100.1"), "in several headers, too");
    assert_eq!(by_list(PROXY, &["10.9.9.9, 10.2.3.4"]), at("10.9.9.9"), "where all are trusted, the farthest");
    for form in ["198.51.100.1:4711", " 198.51.100.1 ", "::ffff:198.51.100.1", "[::ffff:198.51.100.1]:80", "\"198.51.100.1\""] {
        assert_eq!(by_list(PROXY, &[form]), at("198.51.100.1"), "{form}");
    }
    assert_eq!(by_list(PROXY, &["2001:db8:1:2::9"]), at("2001:db8:1:2:ffff::1"), "IPv6 counts as its network");
}

#[test]
fn what_can_not_be_read_ends_the_search_where_it_stands() {
    for junk in ["unknown", "_hidden", "", "198.51.100.1.1", "[::1", "198.51.100.1 198.51.100.2"] {
        assert_eq!(by_list(PROXY, &[&format!("198.51.100.1, {junk}")]), at(PROXY), "{junk}");
        assert_eq!(by_list(PROXY, &[&format!("198.51.100.1, {junk}, 10.2.3.4")]), at("10.2.3.4"), "{junk}");
        assert_eq!(by_list(PROXY, &[&format!("{junk}, 198.51.100.1")]), at("198.51.100.1"), "{junk}");
    }
}

#[test]
fn who_is_spoken_for_is_never_this_machine() {
    assert_eq!(by_list("127.0.0.1", &[]), None, "nobody is spoken for");
    assert_eq!(by_list("127.0.0.1", &["127.0.0.1"]), at("127.0.0.1"));
    assert_eq!(by_list("127.0.0.1", &["nobody"]), at("127.0.0.1"));
    assert_eq!(by_list(PROXY, &["127.3.3.3"]), at("127.3.3.3"));
}

#[test]
fn the_other_header_is_not_looked_at() {
    let both = [("x-forwarded-for", "198.51.100.1"), ("forwarded", "for=203.0.113.9")];
    let both = both.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).into_iter().collect();
    assert_eq!(proxies(ForwardedHeader::XForwardedFor).origin(address(PROXY), &both), at("198.51.100.1"));
    assert_eq!(proxies(ForwardedHeader::Forwarded).origin(address(PROXY), &both), at("203.0.113.9"));
    assert_eq!(by_rfc(&[]), at(PROXY));
}

#[test]
fn the_header_of_the_rfc_is_read_in_all_its_forms() {
    for form in [
        "for=198.51.100.1",
        "For=\"198.51.100.1:4711\";proto=https;by=203.0.113.43",
        "proto=http; for=198.51.100.1 ;host=\"a, b; c\"",
        "for=203.0.113.9, for=198.51.100.1",
        "for=203.0.113.9;by=\"\\\"\",for=198.51.100.1, for=\"10.1.1.1:80\"",
        ", ;for=198.51.100.1;",
        "for=198.51.100.1:80",
    ] {
        assert_eq!(by_rfc(&[form]), at("198.51.100.1"), "{form}");
    }
    assert_eq!(by_rfc(&["for=\"[2001:db8:1:2::9]:4711\""]), at("2001:db8:1:2::"));
    assert_eq!(by_rfc(&["for=203.0.113.9", "for=198.51.100.1"]), at("198.51.100.1"));
    for none in
        ["for=unknown", "for=_mystery", "by=198.51.100.1", "for", "for=", "for=\"198.51.100.1", "for=198.51.100.1 proto=x"]
    {
        assert_eq!(by_rfc(&[none]), at(PROXY), "{none}");
    }
}

#[test]
fn a_quotation_left_open_does_not_swallow_the_proxys_word() {
    for opened in ["for=203.0.113.9;by=\"", "for=\"203.0.113.9", "for=203.0.113.9;by=\"\\"] {
        for word in ["for=198.51.100.1", "for=\"[2001:db8::1]:80\"", "for=\"198.51.100.1:80\";proto=\"https\""] {
            assert_eq!(by_rfc(&[&format!("{opened}, {word}")]), at(PROXY), "{opened}, {word}");
        }
    }
}

/// Addresses that no proxy of the tests has.
fn strangers() -> impl Strategy<Value = IpAddr> {
    let v4 = (192_u8..=203, any::<[u8; 3]>()).prop_map(|(a, [b, c, d])| IpAddr::from([a, b, c, d]));
    let v6 = any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(0x2001 << 112 | bits >> 16)));
    prop_oneof![v4, v6]
}

fn helpers() -> impl Strategy<Value = IpAddr> {
    any::<[u8; 3]>().prop_map(|[b, c, d]| IpAddr::from([10, b, c, d]))
}

/// As a proxy writes it.
fn written(address: IpAddr, port: Option<u16>) -> String {
    match (address, port) {
        (IpAddr::V6(address), Some(port)) => format!("\"[{address}]:{port}\""),
        (IpAddr::V6(address), None) => format!("\"[{address}]\""),
        (IpAddr::V4(address), Some(port)) => format!("\"{address}:{port}\""),
        (IpAddr::V4(address), None) => address.to_string(),
    }
}

/// Anything a client can put into a header.
fn anything() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![0x20_u8..=0x7e, 0x80_u8..=0xff, prop::sample::select(b"\",;=\\ :[]for1.".to_vec())];
    prop::collection::vec(byte, 0..60)
}

proptest! {
    #[test]
    fn a_client_can_write_what_it_likes_into_the_list(
        lie in anything(),
        client in strangers(),
        between in prop::collection::vec(helpers(), 0..3),
        several in any::<bool>(),
    ) {
        let mut line = lie.clone();
        let truth = [client].iter().chain(&between).map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let origin = if several {
            proxies(ForwardedHeader::XForwardedFor).origin(address(PROXY), &headers("x-forwarded-for", &[&lie, truth.as_bytes()]))
        } else {
            line.extend_from_slice(format!(",{truth}").as_bytes());
            proxies(ForwardedHeader::XForwardedFor).origin(address(PROXY), &headers("x-forwarded-for", &[&line]))
        };
        prop_assert_eq!(origin, Some(Origin::at(client)));
    }

    #[test]
    fn a_client_gains_nobody_elses_address_by_what_it_writes_into_the_header_of_the_rfc(
        lie in anything(),
        client in strangers(),
        port in any::<Option<u16>>(),
        between in prop::collection::vec((helpers(), any::<Option<u16>>()), 0..3),
    ) {
        let mut line = lie;
        let mut known = vec![address(PROXY), client];
        line.extend_from_slice(format!(", for={};proto=http", written(client, port)).as_bytes());
        for (helper, port) in between {
            line.extend_from_slice(format!(", for={}", written(helper, port)).as_bytes());
            known.push(helper);
        }
        let origin = proxies(ForwardedHeader::Forwarded).origin(address(PROXY), &headers("forwarded", &[&line]));
        prop_assert!(known.into_iter().any(|address| origin == Some(Origin::at(address))), "{:?}", origin);
    }

    #[test]
    fn an_honest_header_of_the_rfc_gives_the_client(
        lies in prop::collection::vec((strangers(), any::<Option<u16>>()), 0..3),
        client in strangers(),
        port in any::<Option<u16>>(),
        between in prop::collection::vec((helpers(), any::<Option<u16>>()), 0..3),
    ) {
        let hops = lies.into_iter().chain([(client, port)]).chain(between);
        let line = hops.map(|(address, port)| format!("for={}", written(address, port))).collect::<Vec<_>>().join(", ");
        prop_assert_eq!(by_rfc(&[&line]), Some(Origin::at(client)));
    }
}
