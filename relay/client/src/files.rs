//! Files to and from the relay: larger and slower than any other request, so with patience and connections of their own.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderValue, Method, StatusCode,
    header::{IF_RANGE, RANGE},
};
use hyper::body::{Body, Frame, SizeHint};
use proto::chat::Attachment;
use sha2::{Digest, Sha256};
use url::Url;

use crate::{
    backoff::{Backoff, random},
    error::{Error, Found},
    http::{Ask, Http},
    text::hexadecimal,
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
        let file = File { left: bytes.clone(), sent: 0, progress: Arc::clone(&progress) };
        let timeout = SILENCE + Duration::from_secs(bytes.len() as u64 / SLOWEST);
        let ask = Ask::new(Method::POST, url.clone()).bearer(bearer).upload(file).timeout(timeout);
        let outcome = async {
            let answer = http.open(&http.files, ask).await?;
            answer.whole(http, 64 << 10).await
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
    if attachment.sha256.as_ref().is_some_and(|expected| *expected != hexadecimal(&Sha256::digest(&file))) {
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
    let timeout = SILENCE + Duration::from_secs(attachment.size / SLOWEST);
    let mut ask = Ask::new(Method::GET, url.clone()).bearer(bearer).file().timeout(timeout);
    if !file.is_empty()
        && let Some(hash) = &attachment.sha256
        && let (Ok(range), Ok(tag)) =
            (HeaderValue::try_from(format!("bytes={}-", file.len())), HeaderValue::try_from(format!("\"{hash}\"")))
    {
        ask = ask.header(RANGE, range).header(IF_RANGE, tag);
    }
    let mut answer = http.open(&http.files, ask).await?;
    if answer.status() != StatusCode::PARTIAL_CONTENT {
        file.clear();
    }
    let silent = |_| Error::Timeout { relay: http.relay.clone() };
    while let Some(piece) = tokio::time::timeout(SILENCE, answer.piece()).await.map_err(silent)?? {
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

/// A file on its way out. A clone starts where this one is.
#[derive(Clone)]
pub(crate) struct File {
    left: Bytes,
    sent: u64,
    progress: Arc<Progress>,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("left", &self.left.len()).field("sent", &self.sent).finish_non_exhaustive()
    }
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
