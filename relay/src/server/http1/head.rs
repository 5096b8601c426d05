//! A request's head: from bytes to a request without its body, and what the head says of the connection.

use std::{future::poll_fn, mem::take};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version, header};
use bytes::Bytes;
use httparse::{EMPTY_HEADER, Status};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    chunked::Chunked,
    link::{Framing, Shared},
};
use crate::{
    router::{Media, Routes},
    text::digits,
};

/// Most bytes of a head: one of ours has a few hundred.
const HEAD_MAX: usize = 64 * 1024;

/// Most bytes of empty lines before a head.
const EMPTY_MAX: usize = 64;

/// Most headers: a browser sends twenty, a chain of proxies adds some.
const HEADERS_MAX: usize = 100;

/// What a client that sent its head alone waits for (RFC 9110, section 10.1.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A head that was understood.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) request: Request<()>,
    pub(super) framing: Framing,
    /// Whether the client means to ask more on this connection.
    pub(super) keeps_alive: bool,
    pub(super) terms: Terms,
}

/// What the form of the answer depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    /// It asked for the head of an answer.
    pub(super) head_only: bool,
    /// It speaks HTTP/1.0, where a connection that stays open is to be agreed on.
    pub(super) old: bool,
}

/// Bytes that are no request; the connection can't be used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) StatusCode);

const MALFORMED: Refused = Refused(StatusCode::BAD_REQUEST);
const TOO_LARGE: Refused = Refused(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);

/// What is asked next.
#[derive(Debug)]
pub(super) enum Asked {
    /// Something of a media lane, as usual.
    Media(Media),
    Other(Head),
}

/// Reads the next head; `None` when the client is gone.
pub(super) async fn read<S: AsyncRead + AsyncWrite + Unpin>(link: &Shared<S>, routes: &Routes) -> Result<Option<Asked>, Refused> {
    let mut looked = 0;
    loop {
        {
            let mut link = link.lock();
            // One empty line too many after a body is forgiven, a stream of them isn't.
            if link.unread.len() > EMPTY_MAX && link.unread[..=EMPTY_MAX].iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
                return Err(MALFORMED);
            }
            // Until its end is there, nobody need look at all of it again and again.
            if ends(&link.unread, looked) {
                let Some((asked, rest)) = parse(take(&mut link.unread), routes)? else { return Err(MALFORMED) };
                link.unread = rest;
                let (framing, invitation) = match &asked {
                    Asked::Media(media) => (Framing::of(media.length() as u64), &b""[..]),
                    Asked::Other(head) => (head.framing, if expects_continue(head) { CONTINUE } else { b"" }),
                };
                (link.framing, link.invitation) = (framing, invitation);
                return Ok(Some(asked));
            }
            looked = link.unread.len();
            if looked >= HEAD_MAX {
                return Err(TOO_LARGE);
            }
        }
        match poll_fn(|context| link.lock().poll_fill(context)).await {
            Ok(0) | Err(_) => return Ok(None),
            Ok(_) => {}
        }
    }
}

/// Whether a head's end is among these bytes, of which `looked` have been looked at.
fn ends(bytes: &[u8], looked: usize) -> bool {
    // Empty lines before a request are passed over.
    let begin = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
    let from = looked.saturating_sub(3).max(begin);
    let fresh = &bytes[from..];
    fresh.windows(2).any(|two| two == b"\n\n") || fresh.windows(3).any(|three| three == b"\n\r\n")
}

/// The first head of these bytes and what follows it.
fn parse(bytes: Bytes, routes: &Routes) -> Result<Option<(Asked, Bytes)>, Refused> {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let length = match parsed.parse(&bytes) {
        Ok(Status::Complete(length)) if length <= HEAD_MAX => length,
        Ok(Status::Complete(_)) | Err(httparse::Error::TooManyHeaders) => return Err(TOO_LARGE),
        Ok(Status::Partial) => return Ok(None),
        Err(_) => return Err(MALFORMED),
    };
    if let Some(media) = routes.media(&parsed) {
        return Ok(Some((Asked::Media(media), bytes.slice(length..))));
    }
    let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version) else { return Err(MALFORMED) };
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(method.as_bytes()).map_err(|_| MALFORMED)?;
    *request.uri_mut() = Uri::from_maybe_shared(bytes.slice_ref(target.as_bytes())).map_err(|_| MALFORMED)?;
    *request.version_mut() = if version == 0 { Version::HTTP_10 } else { Version::HTTP_11 };
    request.headers_mut().reserve(parsed.headers.len());
    for line in parsed.headers.iter() {
        let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|_| MALFORMED)?;
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(line.value)).map_err(|_| MALFORMED)?;
        request.headers_mut().append(name, value);
    }
    let old = version == 0;
    let (framing, unambiguous) = framing(request.headers_mut(), old)?;
    let keeps_alive = unambiguous && keeps_alive(request.headers(), old);
    let terms = Terms { head_only: request.method() == Method::HEAD, old };
    Ok(Some((Asked::Other(Head { request, framing, keeps_alive, terms }), bytes.slice(length..))))
}

/// Where the body ends (RFC 9112, section 6.3), and whether everyone on the way agrees on that.
fn framing(headers: &mut HeaderMap, old: bool) -> Result<(Framing, bool), Refused> {
    let mut encodings = headers.get_all(header::TRANSFER_ENCODING).iter();
    if let Some(encoding) = encodings.next() {
        // An encoding that isn't known here, or one that doesn't say where it ends.
        if old || encodings.next().is_some() || !encoding.as_bytes().eq_ignore_ascii_case(b"chunked") {
            return Err(MALFORMED);
        }
        let unambiguous = headers.remove(header::CONTENT_LENGTH).is_none();
        return Ok((Framing::Chunked(Chunked::Size), unambiguous));
    }
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else { return Ok((Framing::Done, true)) };
    // Said twice, it must be the same.
    if lengths.any(|other| other != length) {
        return Err(MALFORMED);
    }
    let length = length.to_str().ok().and_then(digits::<u64>).ok_or(MALFORMED)?;
    Ok((Framing::of(length), true))
}

fn keeps_alive(headers: &HeaderMap, old: bool) -> bool {
    !says(headers, "close") && (!old || says(headers, "keep-alive"))
}

/// Whether a message says this of its connection.
pub(super) fn says(headers: &HeaderMap, what: &str) -> bool {
    let lines = headers.get_all(header::CONNECTION).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|word| word.trim().eq_ignore_ascii_case(what))
}

/// Whether the client holds its body back until it is told to go on.
fn expects_continue(head: &Head) -> bool {
    let expects = head.request.headers().get(header::EXPECT);
    !head.terms.old
        && head.framing != Framing::Done
        && expects.is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Head, u16> {
        assert!(ends(text.as_bytes(), 0), "{text}");
        let routes = Routes::from(axum::Router::new());
        let parsed = parse(Bytes::copy_from_slice(text.as_bytes()), &routes).map_err(|refused| refused.0.as_u16())?;
        match parsed.expect("its end is there").0 {
            Asked::Other(head) => Ok(head),
            Asked::Media(_) => unreachable!("there are no media here"),
        }
    }

    #[test]
    fn the_end_is_found_wherever_it_is_cut() {
        for text in ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\n\n", "\r\n\r\nGET / HTTP/1.1\r\n\r\n"] {
            for cut in 0..text.len() {
                let begun = &text.as_bytes()[..cut];
                assert!(!ends(begun, 0), "{begun:?}");
                assert!(ends(text.as_bytes(), cut), "{text:?} from {cut}");
            }
        }
    }

    #[test]
    fn a_body_ends_where_everyone_says_it_does() {
        let framing =
            |headers: &str| head(&format!("POST / HTTP/1.1\r\n{headers}\r\n")).map(|head| (head.framing, head.keeps_alive));
        assert_eq!(framing(""), Ok((Framing::Done, true)));
        assert_eq!(framing("Content-Length: 0\r\n"), Ok((Framing::Done, true)));
        assert_eq!(framing("Content-Length: 5\r\nContent-Length: 5\r\n"), Ok((Framing::Length(5), true)));
        assert_eq!(framing("Transfer-Encoding: Chunked\r\n"), Ok((Framing::Chunked(Chunked::Size), true)));
        assert_eq!(framing("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), Ok((Framing::Chunked(Chunked::Size), false)));
        for ambiguous in [
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 5, 5\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: 0x5\r\n",
            "Content-Length:\r\n",
            "Content-Length: 18446744073709551616\r\n",
            "Transfer-Encoding: gzip\r\n",
            "Transfer-Encoding: chunked, gzip\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding : chunked\r\n",
            "X: y\r\n Content-Length: 5\r\n",
        ] {
            assert_eq!(framing(ambiguous), Err(400), "{ambiguous}");
        }
        assert_eq!(head("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").map(|head| head.framing), Err(400));
    }

    #[test]
    fn who_keeps_the_connection_is_agreed_on() {
        for (text, keeps) in [
            ("GET / HTTP/1.1\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nConnection: x, Close\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", false),
            ("GET / HTTP/1.0\r\n\r\n", false),
            ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true),
        ] {
            assert_eq!(head(text).map(|head| head.keeps_alive), Ok(keeps), "{text}");
        }
    }

    #[test]
    fn heads_without_measure_are_refused() {
        let many = "X: y\r\n".repeat(HEADERS_MAX + 1);
        assert_eq!(head(&format!("GET / HTTP/1.1\r\n{many}\r\n")).map(drop), Err(431));
        assert_eq!(head(&format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(HEAD_MAX))).map(drop), Err(431));
        for malformed in [
            "GET /\r\n\r\n",
            "GET / HTTP/2.0\r\n\r\n",
            "G\u{e9}T / HTTP/1.1\r\n\r\n",
            "GET x y HTTP/1.1\r\n\r\n",
            "GET v1 HTTP/1.1\r\nX\r\n\r\n",
        ] {
            assert_eq!(head(malformed).map(drop), Err(400), "{malformed}");
        }
    }
}
