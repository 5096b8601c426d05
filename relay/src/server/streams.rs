//! The streams of a connection of HTTP/2, each with its answer.

use std::{pin::pin, task::Poll, time::Duration};

use hyper::rt::Executor;
use tokio::time::{Instant, sleep};

/// Runs streams, and gives up each on which nothing has moved for so long: its client doesn't read the answer, or has stopped doing so. It is
/// reset then, and the others of the connection go on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Streams(pub(super) Duration);

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let patience = self.0;
        tokio::spawn(async move {
            let (mut stream, mut silence) = (pin!(stream), pin!(sleep(patience)));
            // It is looked after whenever something has moved, and at no other time.
            std::future::poll_fn(|context| {
                if silence.as_mut().poll(context).is_ready() {
                    return Poll::Ready(());
                }
                silence.as_mut().reset(Instant::now() + patience);
                // Asked anew, it wakes this one when it is time.
                if silence.as_mut().poll(context).is_ready() {
                    return Poll::Ready(());
                }
                stream.as_mut().poll(context).map(drop)
            })
            .await;
        });
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        net::Ipv4Addr,
        sync::{Arc, Mutex},
    };

    use axum::{body::Body, response::Response};
    use futures::stream;
    use hyper::{Request, body::Incoming, server::conn::http2, service::service_fn};
    use hyper_util::rt::TokioIo;
    use tokio::{
        net::TcpListener,
        sync::{mpsc, oneshot},
    };

    use super::*;

    const SOON: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn a_stream_on_which_nothing_moves_is_given_up_and_no_other() {
        let (held, mut ended) = mpsc::channel::<&str>(8);
        let (streams, of_stuck) = (Streams(SOON), held.clone());
        streams.execute(async move {
            std::future::pending::<()>().await;
            drop(of_stuck);
        });
        streams.execute(async move {
            for _ in 0..20 {
                sleep(SOON / 10).await;
            }
            let _ = held.send("whole").await;
        });
        assert_eq!(ended.recv().await, Some("whole"));
        assert_eq!(ended.recv().await, None, "the other is gone with what it held");
    }

    #[tokio::test]
    async fn an_answer_that_nobody_reads_is_let_go_and_its_connection_goes_on() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (held, let_go) = oneshot::channel::<()>();
        let held = Arc::new(Mutex::new(Some(held)));
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let answer = service_fn(move |request: Request<Incoming>| {
                let held = held.lock().unwrap().take();
                let endless = stream::repeat_with(move || {
                    let _ = &held;
                    Ok::<_, Infallible>(vec![0; 65_536])
                });
                let body = if request.uri().path() == "/" { Body::from("here") } else { Body::from_stream(endless) };
                async { Ok::<_, Infallible>(Response::new(body)) }
            });
            // One connection alone: whoever comes again comes by the same.
            http2::Builder::new(Streams(SOON)).serve_connection(TokioIo::new(stream), answer).await.unwrap();
        });
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
        let unread = client.get(format!("http://{address}/endless")).send().await.unwrap();
        assert!(let_go.await.is_err());
        let here = client.get(format!("http://{address}/")).send().await.unwrap();
        assert_eq!(here.text().await.unwrap(), "here");
        assert!(unread.bytes().await.is_err(), "it was reset");
    }
}
