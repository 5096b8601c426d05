//! Answers on the wire: one write for head and body.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    body::Body,
    http::{Response, StatusCode, header},
};
use bytes::Bytes;
use hyper::body::Body as _;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    head::{Refused, Terms},
    link::Shared,
};

/// Room for a head of ours.
const HEAD: usize = 256;

/// A body up to this size is copied behind its head: one piece goes out cheaper than two, and the copy costs less than that.
const SMALL: usize = 8 * 1024;

/// Sends an answer. `again` says whether another request may follow.
pub(super) async fn send<S: AsyncRead + AsyncWrite + Unpin>(
    link: &Shared<S>,
    response: Response<Body>,
    terms: &Terms,
    again: bool,
) -> io::Result<()> {
    let (mut parts, mut body) = response.into_parts();
    let bodiless = matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) || parts.status.is_informational();
    // A stream doesn't know its length, but who made it may: a file goes out piece by piece, as fast as it is read.
    let told = || parts.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
    let mut length = body.size_hint().exact().or_else(told);
    if length.is_none() && !bodiless && !terms.head_only {
        // Every answer has a length; one that doesn't know its own is gathered.
        let whole = axum::body::to_bytes(body, usize::MAX).await.map_err(io::Error::other)?;
        (length, body) = (Some(whole.len() as u64), Body::from(whole));
    }
    let small = length.filter(|length| *length <= SMALL as u64).unwrap_or_default();
    let mut head = Vec::with_capacity(HEAD + small as usize);
    begin(&mut head, parts.status);
    // How the connection goes on is said below.
    for own in [header::CONNECTION, header::TRANSFER_ENCODING] {
        parts.headers.remove(own);
    }
    // Of a body that isn't sent nothing else says how long it would be.
    if !terms.head_only {
        parts.headers.remove(header::CONTENT_LENGTH);
    }
    for (name, value) in &parts.headers {
        line(&mut head, name.as_str(), value.as_bytes());
    }
    if let Some(length) = length.filter(|_| !bodiless && !parts.headers.contains_key(header::CONTENT_LENGTH)) {
        line(&mut head, "content-length", length.to_string().as_bytes());
    }
    end(&mut head, terms, again);
    if bodiless || terms.head_only {
        return write(link, &head, &[]).await;
    }
    let mut left = length.unwrap_or_default();
    let mut whole = head;
    while left > 0 {
        let piece = next(&mut body).await?.filter(|piece| piece.len() as u64 <= left);
        let piece = piece.ok_or_else(|| io::Error::other("an answer is not as long as it says"))?;
        left -= piece.len() as u64;
        if piece.len() <= SMALL {
            whole.extend_from_slice(&piece);
            write(link, &whole, &[]).await?;
        } else {
            write(link, &whole, &piece).await?;
        }
        whole.clear();
    }
    if whole.is_empty() { Ok(()) } else { write(link, &whole, &[]).await }
}

/// Sends a body that is there as a whole, to a client of today.
pub(super) async fn whole<S: AsyncRead + AsyncWrite + Unpin>(
    link: &Shared<S>,
    content_type: &str,
    body: &[u8],
    again: bool,
) -> io::Result<()> {
    let small = body.len() <= SMALL;
    let mut head = Vec::with_capacity(if small { HEAD + body.len() } else { HEAD });
    begin(&mut head, StatusCode::OK);
    line(&mut head, "content-type", content_type.as_bytes());
    line(&mut head, "cache-control", b"no-store");
    line(&mut head, "content-length", body.len().to_string().as_bytes());
    end(&mut head, &Terms { head_only: false, old: false }, again);
    if small {
        head.extend_from_slice(body);
        return write(link, &head, &[]).await;
    }
    write(link, &head, body).await
}

/// Sends the answer to bytes that are no request.
pub(super) async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(link: &Shared<S>, Refused(status): Refused) -> io::Result<()> {
    let mut head = Vec::with_capacity(HEAD);
    begin(&mut head, status);
    line(&mut head, "content-length", b"0");
    end(&mut head, &Terms { head_only: false, old: false }, false);
    write(link, &head, &[]).await
}

fn begin(head: &mut Vec<u8>, status: StatusCode) {
    head.extend_from_slice(b"HTTP/1.1 ");
    head.extend_from_slice(status.as_str().as_bytes());
    head.push(b' ');
    head.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    head.extend_from_slice(b"\r\n");
}

fn line(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}

fn end(head: &mut Vec<u8>, terms: &Terms, again: bool) {
    match (again, terms.old) {
        (true, false) => {}
        (true, true) => line(head, "connection", b"keep-alive"),
        (false, _) => line(head, "connection", b"close"),
    }
    date(head);
    head.extend_from_slice(b"\r\n");
}

/// The date, written anew once a second and thread.
fn date(head: &mut Vec<u8>) {
    thread_local! {
        static DATE: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
    }
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    DATE.with_borrow_mut(|(written, text)| {
        if *written != second || text.is_empty() {
            (*written, *text) = (second, httpdate::fmt_http_date(now));
        }
        line(head, "date", text.as_bytes());
    });
}

/// The next piece of a body; `None` at its end.
async fn next(body: &mut Body) -> io::Result<Option<Bytes>> {
    loop {
        let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await;
        match frame.transpose().map_err(io::Error::other)? {
            None => return Ok(None),
            // Trailers have no place where there is a length.
            Some(frame) => match frame.into_data() {
                Ok(piece) if !piece.is_empty() => return Ok(Some(piece)),
                _ => {}
            },
        }
    }
}

async fn write<S: AsyncRead + AsyncWrite + Unpin>(link: &Shared<S>, mut head: &[u8], mut body: &[u8]) -> io::Result<()> {
    while !(head.is_empty() && body.is_empty()) {
        let written = poll_fn(|context| link.lock().poll_write(context, head, body)).await?;
        let of_head = written.min(head.len());
        (head, body) = (&head[of_head..], &body[written - of_head..]);
    }
    poll_fn(|context| link.lock().poll_flush(context)).await
}
