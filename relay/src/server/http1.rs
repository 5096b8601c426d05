//! HTTP/1 on one connection: a request, its answer, the next request.
//!
//! By hand, since most connections of a relay hold a parked poll and nothing else: while one waits, no buffer is kept for it in either
//! direction, which is a third of the memory a general server takes. Heads are read by `httparse`; what makes a message end where
//! it ends follows RFC 9112, section 6, and whatever two readers could understand differently is refused.

mod answer;
mod body;
mod chunked;
mod head;
mod link;

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::IntoResponse as _,
};
use bytes::{Bytes, BytesMut};
use futures::FutureExt as _;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep, timeout},
};

use self::{
    body::Incoming,
    head::{Asked, Head, Refused, Terms},
    link::{Framing, Link, Shared},
};
use super::handle::{Listener, Phase};
use crate::{
    handlers::media::CHUNKS,
    refusal::Refusal,
    router::{Answered, Media, Routes},
};

/// How long the other end may take to read the last answer and to close, and how much it may go on sending meanwhile: closed
/// at once, a connection with something unread is reset, and the answer may never be seen.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1024 * 1024;

/// Serves requests until either side has had enough. `head` is how long the next one may take to begin and to be read.
pub(super) async fn serve<S>(stream: S, routes: Routes, peer: SocketAddr, head: Duration, mut handle: Listener)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let link = Arc::new(Shared::new(Link::new(stream)));
    // One for all heads: moving it costs less than another would.
    let mut late = pin!(sleep(head));
    loop {
        late.as_mut().reset(Instant::now() + head);
        let read = tokio::select! {
            biased;
            read = head::read(&link, &routes) => read,
            () = late.as_mut() => return,
            // Between two requests there's nothing to be lost; what has begun to arrive is still answered.
            () = idle_at_the_end(&mut handle, &link) => return,
        };
        let again = match read {
            Ok(None) => return,
            Ok(Some(Asked::Media(media))) => pass_on(&link, media, &mut handle).await,
            Ok(Some(Asked::Other(head))) => converse(&link, head, &routes, peer, &mut handle).await,
            Err(refused) => return refuse(&link, refused).await,
        };
        if !again.unwrap_or(false) {
            return;
        }
    }
}

/// One request and its answer. Whether another may follow.
async fn converse<S>(
    link: &Arc<Shared<S>>,
    head: Head,
    routes: &Routes,
    peer: SocketAddr,
    handle: &mut Listener,
) -> io::Result<bool>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Head { request, framing, keeps_alive, terms } = head;
    let body = match framing {
        Framing::Done => Body::empty(),
        framing => Body::new(Incoming::new(Arc::clone(link), framing)),
    };
    let Some(response) = unless_gone(link, routes.answer(request.map(|()| body), peer)).await else { return Ok(false) };
    let whole = passed_over(link).await;
    let again = keeps_alive && whole && handle.phase() == Phase::Running && !head::says(response.headers(), "close");
    answer::send(link, response, &terms, again).await?;
    if !again {
        linger(link).await;
    }
    Ok(again)
}

/// The same for what goes through a call: no body in pieces, no headers but ours.
async fn pass_on<S>(link: &Shared<S>, media: Media, handle: &mut Listener) -> io::Result<bool>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // Who isn't let in hears so at once.
    let length = if media.is_welcome() { media.length() } else { 0 };
    let answered = match whole(link, length, media.patience()).await? {
        // A bug is answered as elsewhere; the connection goes on.
        Some(body) => unless_gone(link, AssertUnwindSafe(media.answer(body)).catch_unwind())
            .await
            .map(|answered| answered.unwrap_or_else(|_| Err(Refusal::internal(&"a request of a call panicked")))),
        None => Some(Err(Refusal::bad_request("The body took too long to arrive."))),
    };
    let Some(answered) = answered else { return Ok(false) };
    let again = passed_over(link).await && handle.phase() == Phase::Running;
    match answered {
        Ok(Answered::Chunks(chunks)) => answer::whole(link, CHUNKS, &chunks, again).await?,
        Ok(Answered::Feedback(feedback)) => {
            answer::whole(link, "application/json", &serde_json::to_vec(&feedback)?, again).await?;
        }
        Err(refusal) => {
            let mut response = refusal.into_response();
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            answer::send(link, response, &Terms { head_only: false, old: false }, again).await?;
        }
    }
    if !again {
        linger(link).await;
    }
    Ok(again)
}

/// A body of so many bytes; `None` when it takes too long.
async fn whole<S>(link: &Shared<S>, length: usize, patience: Duration) -> io::Result<Option<Bytes>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if length == 0 {
        return Ok(Some(Bytes::new()));
    }
    let piece = || async { poll_fn(|context| link.lock().poll_body(context)).await.transpose() };
    let reading = async {
        let mut body = piece().await?.unwrap_or_default();
        if body.len() == length {
            // It came with its head, as nearly all do: nothing is copied.
            return Ok(body);
        }
        let mut gathered = BytesMut::with_capacity(length);
        while !body.is_empty() {
            gathered.extend_from_slice(&body);
            body = piece().await?.unwrap_or_default();
        }
        io::Result::Ok(gathered.freeze())
    };
    timeout(patience, reading).await.map_or(Ok(None), |body| body.map(Some))
}

/// What is left of the body and here already is passed over; the rest isn't waited for. Whether that was all of it.
async fn passed_over<S: AsyncRead + AsyncWrite + Unpin>(link: &Shared<S>) -> bool {
    poll_fn(|context| Poll::Ready(link.lock().pass_over(context))).await
}

/// What is answered; `None` when the client is gone before that.
async fn unless_gone<S, T>(link: &Shared<S>, answering: impl Future<Output = T>) -> Option<T>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut answering = pin!(answering);
    poll_fn(|context: &mut Context<'_>| {
        if let Poll::Ready(answer) = answering.as_mut().poll(context) {
            return Poll::Ready(Some(answer));
        }
        link.lock().poll_gone(context).map(|()| None)
    })
    .await
}

async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(link: &Shared<S>, refused: Refused) {
    if answer::refuse(link, refused).await.is_ok() {
        linger(link).await;
    }
}

/// Says that nothing more comes, and waits until the other end has seen it.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(link: &Shared<S>) {
    let ending = async {
        poll_fn(|context| link.lock().poll_shutdown(context)).await?;
        let mut left = LINGER_BYTES;
        while left > 0 {
            match poll_fn(|context| link.lock().poll_discard(context)).await? {
                0 => break,
                read => left = left.saturating_sub(read),
            }
        }
        io::Result::Ok(())
    };
    // Whatever comes of it, this was the end.
    let _ = timeout(LINGER, ending).await;
}

/// Ends once the relay stops and nothing of a request is there. Whoever runs the connection polls it when the phase changes, so this asks
/// for nothing: it is polled for each request.
async fn idle_at_the_end<S>(handle: &mut Listener, link: &Shared<S>) {
    poll_fn(|_| if handle.phase() != Phase::Running && link.lock().is_empty() { Poll::Ready(()) } else { Poll::Pending }).await;
}

#[cfg(test)]
mod tests;
