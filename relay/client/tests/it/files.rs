//! Files: sent again when the answer was lost, gone on with where a download broke off.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, AtomicU64, Ordering::SeqCst},
};

use axum::{
    body::Body,
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::StreamExt;
use proto::{AttachmentId, ErrorCode, chat::Attachment};
use relay_client::Error;
use tokio::sync::Notify;

use crate::{
    fake::{Fake, broken, json, refusal},
    session, soon,
};

const WHOLE: &[u8] = b"hello world";

fn attachment() -> Attachment {
    Attachment {
        id: AttachmentId::new("a"),
        name: "a.txt".into(),
        kind: "application/octet-stream".into(),
        size: WHOLE.len() as u64,
        sha256: Some("b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9".into()),
    }
}

/// So many bytes of the file, and once they have arrived nothing more, though more were promised.
fn half(from: usize, to: usize, arrived: Arc<Notify>) -> Response {
    let bytes = futures::stream::iter([Ok(Bytes::from_static(&WHOLE[from..to]))]);
    let end = futures::stream::once(async move {
        arrived.notified().await;
        Err(std::io::Error::other("the fake relay lets go"))
    });
    let body = Body::from_stream(bytes.chain(end));
    let status = if from == 0 { StatusCode::OK } else { StatusCode::PARTIAL_CONTENT };
    (status, [(header::CONTENT_LENGTH, (WHOLE.len() - from).to_string())], body).into_response()
}

#[tokio::test]
async fn an_upload_says_how_far_it_is_and_is_sent_again_whole() {
    let count = Arc::new(AtomicU32::new(0));
    let counted = count.clone();
    let bytes = Bytes::from(vec![7; 100_000]);
    let expected = bytes.clone();
    let fake = Fake::serve(move |seen| {
        let attempt = counted.fetch_add(1, SeqCst);
        assert_eq!((seen.method, seen.path.as_str()), (Method::POST, "/v1/attachments"));
        assert_eq!((seen.query["name"].as_str(), seen.query["type"].as_str()), ("Grüße & co.png", "image/png"));
        assert_eq!(seen.authorization.as_deref(), Some("Bearer secret"));
        assert_eq!((seen.length, &seen.body), (Some(100_000), &expected));
        async move { if attempt == 0 { broken() } else { json(&attachment()) } }
    })
    .await;
    let through = Arc::new(AtomicU64::new(0));
    let told = through.clone();
    let session = session(&fake.url);
    let sent = session.upload("Grüße & co.png", Some("image/png"), bytes, move |bytes| told.store(bytes, SeqCst));
    assert_eq!(soon(sent).await.unwrap(), attachment());
    assert_eq!((count.load(SeqCst), through.load(SeqCst)), (2, 100_000));
}

#[tokio::test]
async fn an_upload_that_is_refused_is_not_sent_again() {
    let count = Arc::new(AtomicU32::new(0));
    let counted = count.clone();
    let fake = Fake::serve(move |_| {
        counted.fetch_add(1, SeqCst);
        async { refusal(ErrorCode::QuotaExceeded, None) }
    })
    .await;
    let error = soon(session(&fake.url).upload("a", None, Bytes::from_static(WHOLE), |_| {})).await.unwrap_err();
    assert_eq!((error.code(), count.load(SeqCst)), (Some(ErrorCode::QuotaExceeded), 1));
}

#[tokio::test]
async fn a_download_goes_on_where_it_broke_off() {
    let ranges = Arc::new(Mutex::new(Vec::new()));
    let asked = ranges.clone();
    let arrived = Arc::new(Notify::new());
    let told = arrived.clone();
    let fake = Fake::serve(move |seen| {
        assert_eq!(seen.path, "/v1/attachments/a");
        let mut asked = asked.lock().unwrap();
        asked.push(seen.range);
        let (attempt, arrived) = (asked.len(), arrived.clone());
        async move {
            match attempt {
                1 => half(0, 4, arrived),
                2 => half(4, 9, arrived),
                _ => (StatusCode::PARTIAL_CONTENT, &WHOLE[9..]).into_response(),
            }
        }
    })
    .await;
    let file = soon(session(&fake.url).download(&attachment(), move |_| told.notify_one())).await;
    assert_eq!(file.unwrap(), WHOLE);
    let range = |text: &str| Some(text.to_owned());
    assert_eq!(*ranges.lock().unwrap(), [None, range("bytes=4-"), range("bytes=9-")]);
}

#[tokio::test]
async fn a_file_that_is_another_one_is_not_taken() {
    for body in [&b"hello WORLD"[..], b"hello", b"hello world and more"] {
        let fake = Fake::serve(move |_| async move { body.into_response() }).await;
        let error = soon(session(&fake.url).download(&attachment(), |_| {})).await.unwrap_err();
        assert!(matches!(error, Error::NotARelay { .. } | Error::Oversize { .. }), "{error}");
    }
}
