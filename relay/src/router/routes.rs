//! The router, and a shorter way past it for what is asked most.

use std::{net::SocketAddr, panic::AssertUnwindSafe};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderValue, Method, Request, header},
    response::{IntoResponse as _, Response},
};
use futures::{FutureExt as _, future::Either};
use proto::{Kind, api::PollMedia};
use tower::Service;

use super::panicked;
use crate::{app::App, extract, handlers::media, hub::session::Counts};

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
        if let Some(poll) = self.app.as_ref().and_then(|app| media_poll(app, &request)) {
            return Either::Left(poll);
        }
        request.extensions_mut().insert(ConnectInfo(peer));
        // The router is always ready, and a clone of it is a counter.
        let answering = Service::<Request<Body>>::call(&mut self.router.clone(), request);
        Either::Right(answering.map(|response| response.unwrap_or_else(|never| match never {})))
    }
}

/// A poll of a media lane, of which there are some hundred a second for each who is in a call: finding its way through the router would
/// take longer than all else. Whatever is not just as usual goes there, and is refused there if it has to be.
fn media_poll(app: &App, request: &Request<Body>) -> Option<impl Future<Output = Response> + Send + use<>> {
    let (id, lane) = request.uri().path().strip_prefix("/v1/calls/")?.split_once('/')?;
    let kind = match lane {
        "audio" => Kind::Audio,
        "video" => Kind::Video,
        _ => return None,
    };
    if request.method() != Method::GET || id.is_empty() || id.contains('%') {
        return None;
    }
    let query = usual_query(request.uri().query()?)?;
    let (app, id) = (app.clone(), id.to_owned());
    let session = extract::session(request.headers(), &app, Counts::Poll);
    let answering = async move {
        let answer = match session {
            Ok(session) => media::answer_poll(app, session, id, query, kind).await,
            Err(refusal) => Err(refusal),
        };
        let mut response = answer.into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    };
    Some(AssertUnwindSafe(answering).catch_unwind().map(|answered| {
        answered.unwrap_or_else(|panic| {
            let mut response = panicked(panic);
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        })
    }))
}

/// A query of nothing but the known keys, each once, and plain numbers.
fn usual_query(query: &str) -> Option<PollMedia> {
    let (mut reader, mut poll, mut wait_ms) = (None, None, None);
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=')?;
        if !value.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let again = match key {
            "reader" => reader.replace(value.parse().ok()?).is_some(),
            "poll" => poll.replace(value.parse().ok()?).is_some(),
            "wait_ms" => wait_ms.replace(value.parse().ok()?).is_some(),
            _ => return None,
        };
        if again {
            return None;
        }
    }
    Some(PollMedia { reader: reader?, poll: poll?, wait_ms: wait_ms.unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;
    use crate::{Config, Relay};

    #[test]
    fn what_is_unusual_goes_the_long_way() {
        let usual = PollMedia { reader: 7, poll: 1, wait_ms: 0 };
        assert_eq!(usual_query("reader=7&poll=1"), Some(usual));
        assert_eq!(usual_query("wait_ms=25000&poll=1&reader=7"), Some(PollMedia { wait_ms: 25_000, ..usual }));
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

    #[tokio::test]
    async fn both_ways_give_the_same_answers() {
        let folder = tempfile::tempdir().unwrap();
        let relay = Relay::open(Config::new(folder.path())).await.unwrap();
        let (short, long) = (relay.routes(), Routes::from(relay.router()));
        let mut ways = [0, 0];
        for (method, target, token) in [
            ("GET", "/v1/calls/x/audio?reader=1&poll=1&wait_ms=5", "Bearer x"),
            ("GET", "/v1/calls/x/video?reader=1&poll=1", "Basic x"),
            ("GET", "/v1/calls/x/video?reader=1&poll=0", ""),
            ("GET", "/v1/calls/x/video?reader=x&poll=1", ""),
            ("GET", "/v1/calls/x/video", ""),
            ("GET", "/v1/calls/%78/video?reader=1&poll=1", ""),
            ("GET", "/v1/calls//video?reader=1&poll=1", ""),
            ("GET", "/v1/calls/x/y/video?reader=1&poll=1", ""),
            ("PUT", "/v1/calls/x/video?reader=1&poll=1", ""),
            ("GET", "/v1/health", ""),
        ] {
            let mut answers = Vec::new();
            for routes in [&short, &long] {
                let request = || {
                    let request = Request::builder().method(method).uri(target).header(header::AUTHORIZATION, token);
                    request.body(Body::empty()).unwrap()
                };
                let quick = routes.app.as_ref().is_some_and(|app| media_poll(app, &request()).is_some());
                ways[usize::from(quick)] += 1;
                let (head, body) = routes.answer(request(), SocketAddr::from(([127, 0, 0, 1], 1))).await.into_parts();
                let mut headers = head.headers;
                // Set by the router or when it is written: either way there is one.
                headers.remove(header::CONTENT_LENGTH);
                let mut headers = headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect::<Vec<_>>();
                headers.sort();
                answers.push((head.status, headers, to_bytes(body, usize::MAX).await.unwrap()));
            }
            assert_eq!(answers[0], answers[1], "{method} {target} {token}");
        }
        assert_eq!(ways, [17, 3]);
        relay.stop().await;
    }
}
