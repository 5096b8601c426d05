//! The router, and a shorter way past it for what is asked most.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::ConnectInfo,
    http::Request,
    response::Response,
};
use futures::FutureExt as _;
use proto::{
    Kind,
    api::{Feedback, PollMedia},
    limits::UPLOAD_MAX,
};
use tower::Service;

use crate::{
    app::App,
    extract,
    handlers::media,
    hub::session::{Counts, Session},
    refusal::Answer,
    text::digits,
};

/// What a connection asks. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    router: Router,
    /// For the shorter way, where there is one.
    app: Option<App>,
}

impl From<Router> for Routes {
    fn from(router: Router) -> Self {
        Self { router, app: None }
    }
}

impl Routes {
    /// All routes of a relay. Where requests are counted the shorter way is none: it would go past the counting.
    pub(crate) fn new(app: App) -> Self {
        let router = super::router(app.clone());
        Self { router, app: Some(app).filter(|app| app.config.metrics.is_none()) }
    }

    /// Answers a request that came from there.
    pub(crate) fn answer(&self, mut request: Request<Body>, peer: SocketAddr) -> impl Future<Output = Response> + Send + use<> {
        request.extensions_mut().insert(ConnectInfo(peer));
        // The router is always ready, and a clone of it is a counter.
        let answering = Service::<Request<Body>>::call(&mut self.router.clone(), request);
        answering.map(|response| response.unwrap_or_else(|never| match never {}))
    }

    /// The shorter way: a request of a media lane, of which there are some hundred a second for each who is in a call. Making a request of the
    /// router's out of its head and finding its way there would take longer than all else. Whatever is not just as usual goes
    /// there, and is refused there if it has to be.
    pub(crate) fn media(&self, head: &httparse::Request<'_, '_>) -> Option<Media> {
        let app = self.app.as_ref()?;
        let (Some(method), Some(target), Some(1)) = (head.method, head.path, head.version) else { return None };
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let (id, lane) = path.strip_prefix("/v1/calls/")?.split_once('/')?;
        let kind = match lane {
            "audio" => Kind::Audio,
            "video" => Kind::Video,
            "screen" => Kind::Screen,
            _ => return None,
        };
        if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) || id.is_empty() {
            return None;
        }
        let (mut authorization, mut length) = (None, None);
        for line in head.headers.iter() {
            let again = match Header::of(line.name) {
                Header::Authorization => authorization.replace(line.value).is_some(),
                Header::Length => length.replace(line.value).is_some(),
                Header::Unusual => true,
                Header::Other => false,
            };
            if again {
                return None;
            }
        }
        let (what, counts) = match (method, query, length) {
            ("GET", Some(query), None) => (What::Poll(usual_query(query)?), Counts::Poll),
            ("POST", None, Some(length)) => (What::Upload(usual_length(length)?), Counts::Upload),
            _ => return None,
        };
        let session = extract::session(authorization, app, counts);
        Some(Media { app: app.clone(), session, id: id.to_owned(), kind, what })
    }
}

/// A header as it matters here.
enum Header {
    Authorization,
    Length,
    /// It changes how the message is read or how its connection goes on.
    Unusual,
    Other,
}

impl Header {
    fn of(name: &str) -> Self {
        // By their lengths first: most are compared with none.
        let (name_is, header) = match name.len() {
            6 => ("expect", Self::Unusual),
            7 => ("upgrade", Self::Unusual),
            10 => ("connection", Self::Unusual),
            13 => ("authorization", Self::Authorization),
            14 => ("content-length", Self::Length),
            17 => ("transfer-encoding", Self::Unusual),
            _ => return Self::Other,
        };
        if name.eq_ignore_ascii_case(name_is) { header } else { Self::Other }
    }
}

/// A request of a media lane that goes the shorter way.
#[derive(Debug)]
pub(crate) struct Media {
    app: App,
    session: Answer<Arc<Session>>,
    id: String,
    kind: Kind,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Poll(PollMedia),
    /// A body of so many bytes.
    Upload(usize),
}

impl Media {
    /// Bytes of its body.
    pub(crate) fn length(&self) -> usize {
        match self.what {
            What::Poll(_) => 0,
            What::Upload(length) => length,
        }
    }

    /// Whether its body is wanted at all.
    pub(crate) fn is_welcome(&self) -> bool {
        self.session.is_ok()
    }

    /// How long its body is waited for.
    pub(crate) fn patience(&self) -> std::time::Duration {
        self.app.config.patience.body
    }

    /// Answers it: chunks, or what the publisher must know.
    pub(crate) async fn answer(self, body: Bytes) -> Answer<Answered> {
        let session = self.session?;
        match self.what {
            What::Poll(query) => media::fetch(&self.app, &session, self.id, query, self.kind).await.map(Answered::Chunks),
            What::Upload(_) => {
                let feedback = media::publish(&self.app, &session, self.id, body, self.kind)?;
                // Who waits for the chunk is more in a hurry than who sent it.
                tokio::task::yield_now().await;
                Ok(Answered::Feedback(feedback))
            }
        }
    }
}

/// The answer to a request of a media lane.
#[derive(Debug)]
pub(crate) enum Answered {
    Chunks(Bytes),
    Feedback(Feedback),
}

/// A number of bytes that an upload may have.
fn usual_length(text: &[u8]) -> Option<usize> {
    std::str::from_utf8(text).ok().and_then(digits::<usize>).filter(|length| *length <= UPLOAD_MAX)
}

/// A query of nothing but the known keys, each once, and plain numbers.
fn usual_query(query: &str) -> Option<PollMedia> {
    let (mut reader, mut poll, mut wait_ms, mut again_ms) = (None, None, None, None);
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=')?;
        let again = match key {
            "reader" => reader.replace(digits(value)?).is_some(),
            "poll" => poll.replace(digits(value)?).is_some(),
            "wait_ms" => wait_ms.replace(digits(value)?).is_some(),
            "again_ms" => again_ms.replace(digits(value)?).is_some(),
            _ => return None,
        };
        if again {
            return None;
        }
    }
    let (wait_ms, again_ms) = (wait_ms.unwrap_or_default(), again_ms.unwrap_or_default());
    Some(PollMedia { reader: reader?, poll: poll?, wait_ms, again_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_queries_go_the_shorter_way() {
        let usual = PollMedia { reader: 7, poll: 1, wait_ms: 0, again_ms: 0 };
        assert_eq!(usual_query("reader=7&poll=1"), Some(usual));
        assert_eq!(usual_query("wait_ms=25000&poll=1&reader=7"), Some(PollMedia { wait_ms: 25_000, ..usual }));
        assert_eq!(usual_query("reader=7&poll=1&again_ms=45"), Some(PollMedia { again_ms: 45, ..usual }));
        for unusual in [
            "",
            "reader=7",
            "poll=1",
            "reader=7&poll=1&poll=1",
            "reader=7&poll=+1",
            "reader=7&poll=1&x=1",
            "reader=4294967296&poll=1",
            "reader=7&poll=%31",
            "reader=7&poll=",
            "reader=7&poll=1&",
        ] {
            assert_eq!(usual_query(unusual), None, "{unusual}");
        }
    }
}
