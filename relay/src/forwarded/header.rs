//! The two headers in which proxies say whom they speak for, read into hops: the client first, and behind it each proxy but the last.
//!
//! A hop that can't be read is `None`. Nothing a client writes can change how a hop behind it is read, or it makes that one `None`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderValue, header::GetAll};

type Hops = Vec<Option<IpAddr>>;

/// Reads `X-Forwarded-For: CLIENT, PROXY, ..`; `None` where there is no such header.
pub(super) fn x_forwarded_for(values: GetAll<'_, HeaderValue>) -> Option<Hops> {
    let mut values = values.iter().peekable();
    values.peek()?;
    // By bytes: what is no text spoils its own hop and no other.
    Some(values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(node).collect())
}

/// Reads `Forwarded: for=CLIENT;proto=https, for=PROXY, ..` (RFC 7239); `None` where there is no such header.
pub(super) fn forwarded(values: GetAll<'_, HeaderValue>) -> Option<Hops> {
    let mut values = values.iter().peekable();
    values.peek()?;
    let mut hops = Hops::new();
    for value in values {
        let mut rest = value.as_bytes();
        loop {
            let Some((hop, after)) = element(rest) else {
                // Whatever stands behind may belong to a quotation somebody left open: it isn't read at all.
                hops.push(None);
                break;
            };
            hops.push(hop);
            match after {
                Some(after) => rest = after,
                None => break,
            }
        }
    }
    Some(hops)
}

/// One element and what follows its comma, if one does; `None` where the form is broken.
fn element(mut rest: &[u8]) -> Option<(Option<IpAddr>, Option<&[u8]>)> {
    let mut hop = None;
    loop {
        rest = rest.trim_ascii_start();
        // Empty elements and parameters are allowed.
        match rest.first() {
            None => return Some((hop, None)),
            Some(b',') => return Some((hop, Some(&rest[1..]))),
            Some(b';') => {
                rest = &rest[1..];
                continue;
            }
            _ => {}
        }
        let (name, after) = token(rest)?;
        let (value, after) = value(after.strip_prefix(b"=")?)?;
        if name.eq_ignore_ascii_case(b"for") {
            hop = node(&value);
        }
        rest = after.trim_ascii_start();
        if !matches!(rest.first(), None | Some(b',' | b';')) {
            return None;
        }
    }
}

/// A value: a token, or a quotation.
fn value(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        return token(text).map(|(token, rest)| (token.to_vec(), rest));
    };
    let mut value = Vec::new();
    let mut bytes = quoted.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some((value, &quoted[at + 1..])),
            b'\\' => value.push(*bytes.next()?.1),
            _ => value.push(*byte),
        }
    }
    None
}

/// A token that isn't empty. Colons and brackets are none of its characters, but proxies write addresses with them without quoting.
fn token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let within = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:[]".contains(byte);
    let length = text.iter().take_while(|byte| within(byte)).count();
    (length > 0).then(|| text.split_at(length))
}

/// An address with a port or without; `unknown` and made-up names are none.
fn node(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let address = text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    address.or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}
