//! Files to and from the relay: larger and slower than any other request, so with patience and connections of their own.

use std::{
    convert::Infallible,
    fmt::Write as _,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use proto::chat::Attachment;
use reqwest::{
    Method, Request, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, IF_RANGE, RANGE},
};
use sha2::{Digest, Sha256};
use url::Url;

use crate::{
    backoff::{Backoff, random},
    error::{Error, Found},
    http::Http,
};

/// How often a file is begun or gone on with at most without a single byte more.
const ATTEMPTS: u32 = 4;

/// A transfer that stands still for this long is given up.
const SILENCE: Duration = Duration::from_secs(35);

/// Slowest transfer that is waited for, in bytes a second: the relay's own bound.
const SLOWEST: u64 = 4096;

/// Bytes handed to the connection at once: fine enough for a bar that shows how far it is.
const PIECE: usize = 32 * 1024;

/// Is told how many bytes are through.
pub(crate) type Progress = dyn Fn(u64) + Send + Sync;

/// Sends a file. Sent again after its answer was lost it is the same attachment.
pub(crate) async fn upload(
    http: &Http,
    bearer: &HeaderValue,
    url: Url,
    bytes: Bytes,
    progress: Arc<Progress>,
) -> Result<Attachment, Error> {
    let mut backoff = Backoff::new(random());
    let mut attempt = 1;
    loop {
        let mut request = Request::new(Method::POST, url.clone());
        *request.timeout_mut() = Some(SILENCE + Duration::from_secs(bytes.len() as u64 / SLOWEST));
        request.headers_mut().insert(AUTHORIZATION, bearer.clone());
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        let file = File { left: bytes.clone(), sent: 0, progress: Arc::clone(&progress) };
        *request.body_mut() = Some(reqwest::Body::wrap(file));
        let outcome = async {
            let answer = http.open(&http.files, request).await?;
            http.body(answer, 64 << 10).await
        };
        let error = match outcome.await {
            Ok(body) => return http.parse(&body),
            Err(error) => error,
        };
        if !error.is_transient() || attempt == ATTEMPTS {
            return Err(error);
        }
        tracing::debug!(%error, attempt, "a file is sent again");
        tokio::time::sleep(backoff.wait().max(error.retry_after().unwrap_or_default())).await;
        attempt += 1;
    }
}

/// Fetches a file whole.
pub(crate) async fn download(
    http: &Http,
    bearer: &HeaderValue,
    url: Url,
    attachment: &Attachment,
    progress: &Progress,
) -> Result<Bytes, Error> {
    let mut backoff = Backoff::new(random());
    // What the relay says of the size is no reason to have so much memory ready.
    let mut file = BytesMut::new();
    let mut attempt = 1;
    loop {
        let before = file.len();
        let error = match go_on(http, bearer, &url, attachment, &mut file, progress).await {
            Ok(()) => break,
            Err(error) => error,
        };
        if file.len() > before {
            attempt = 0;
        }
        if !error.is_transient() || attempt == ATTEMPTS {
            return Err(error);
        }
        tracing::debug!(%error, attempt, bytes = file.len(), "a file is gone on with");
        tokio::time::sleep(backoff.wait().max(error.retry_after().unwrap_or_default())).await;
        attempt += 1;
    }
    let file = file.freeze();
    if attachment.sha256.as_ref().is_some_and(|expected| *expected != hex(&Sha256::digest(&file))) {
        return Err(http.not_a_relay(Found::Nonsense));
    }
    Ok(file)
}

/// Fetches what is still missing.
async fn go_on(
    http: &Http,
    bearer: &HeaderValue,
    url: &Url,
    attachment: &Attachment,
    file: &mut BytesMut,
    progress: &Progress,
) -> Result<(), Error> {
    let mut request = Request::new(Method::GET, url.clone());
    *request.timeout_mut() = Some(SILENCE + Duration::from_secs(attachment.size / SLOWEST));
    request.headers_mut().insert(AUTHORIZATION, bearer.clone());
    if !file.is_empty()
        && let Some(hash) = &attachment.sha256
        && let (Ok(range), Ok(tag)) =
            (HeaderValue::try_from(format!("bytes={}-", file.len())), HeaderValue::try_from(format!("\"{hash}\"")))
    {
        request.headers_mut().insert(RANGE, range);
        request.headers_mut().insert(IF_RANGE, tag);
    }
    let mut answer = http.open(&http.files, request).await?;
    if answer.status() != StatusCode::PARTIAL_CONTENT {
        file.clear();
    }
    let broken = |error| Error::from_reqwest(&http.relay, error);
    let silent = |_| Error::Timeout { relay: http.relay.clone() };
    while let Some(piece) = tokio::time::timeout(SILENCE, answer.chunk()).await.map_err(silent)?.map_err(broken)? {
        if (file.len() + piece.len()) as u64 > attachment.size {
            let limit = usize::try_from(attachment.size).unwrap_or(usize::MAX);
            return Err(Error::Oversize { relay: http.relay.clone(), limit });
        }
        file.extend_from_slice(&piece);
        progress(file.len() as u64);
    }
    if (file.len() as u64) < attachment.size {
        return Err(http.not_a_relay(Found::Nonsense));
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // A String takes all that is written to it.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// A file on its way out.
struct File {
    left: Bytes,
    sent: u64,
    progress: Arc<Progress>,
}

impl Body for File {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let most = self.left.len().min(PIECE);
        let piece = self.left.split_to(most);
        self.sent += piece.len() as u64;
        (self.progress)(self.sent);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}
