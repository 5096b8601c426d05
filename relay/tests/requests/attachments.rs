//! Pictures, voice messages and files.

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};
use proto::{
    ErrorCode, Event,
    api::History,
    chat::{Attachment, Group},
    limits::ATTACHMENTS_MAX,
    model::Message,
};
use serde_json::json;

use crate::{
    bench::{Bench, Client, Reply},
    restart::{again, keep},
};

/// What each file counts beside its bytes.
const OF_EACH: u64 = 4096;

/// SHA-256 of "hello world".
const HELLO: &str = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";

/// Sends a file that says it has `length` bytes.
async fn send(by: &Client<'_>, query: &str, length: Option<usize>, body: impl Into<Body>) -> Reply {
    let mut request = Request::builder().method(Method::POST).uri(format!("/v1/attachments?{query}"));
    request = request.header("authorization", format!("Bearer {}", by.token));
    if let Some(length) = length {
        request = request.header("content-length", length);
    }
    by.bench.raw(request.body(body.into()).unwrap()).await
}

async fn upload(by: &Client<'_>, query: &str, bytes: &[u8]) -> Attachment {
    send(by, query, Some(bytes.len()), bytes.to_vec()).await.read()
}

async fn fetch(by: &Client<'_>, attachment: &Attachment, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::builder().uri(format!("/v1/attachments/{}", attachment.id));
    request = request.header("authorization", format!("Bearer {}", by.token));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    by.bench.raw(request.body(Body::empty()).unwrap()).await
}

async fn share(by: &Client<'_>, to: &str, attachments: &[&Attachment], client_id: &str) -> Reply {
    let ids: Vec<_> = attachments.iter().map(|attachment| &attachment.id).collect();
    by.post("/v1/chat", json!({"to": to, "attachments": ids, "client_id": client_id})).await
}

/// The files that lie in the folder.
fn files(bench: &Bench) -> Vec<PathBuf> {
    fn look(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() { look(&entry.path(), found) } else { found.push(entry.path()) }
        }
    }
    let mut found = Vec::new();
    look(&bench.folder.path().join("attachments"), &mut found);
    found
}

#[tokio::test]
async fn a_file_goes_along_with_a_message_to_those_it_was_sent_to() {
    let bench = Bench::new().await;
    let (ana, mut ben) = bench.buddies("Ana", "Ben").await;
    let kim = bench.person("Kim").await;
    let attachment = upload(&ana, "name=Gr%C3%BC%C3%9Fe%20%22a%22.png&type=image/png", b"hello world").await;
    assert_eq!((attachment.name.as_str(), attachment.kind.as_str(), attachment.size), ("Grüße _a_.png", "image/png", 11));
    assert_eq!(attachment.sha256.as_deref(), Some(HELLO));
    assert_eq!(fetch(&ana, &attachment, &[]).await.body, "hello world");
    assert_eq!(fetch(&ben, &attachment, &[]).await.code(), ErrorCode::NotFound, "not yet sent to him");
    let message: Message = share(&ana, "Ben", &[&attachment], "1").await.read();
    assert_eq!((message.text.as_str(), &message.attachments), ("", &vec![attachment.clone()]));
    assert_eq!(share(&ana, "Ben", &[&attachment], "1").await.read::<Message>(), message);
    assert_eq!(ben.poll(0).await, [Event::Chat { message: message.clone() }]);
    assert_eq!(ben.get("/v1/chat?with=Ana").await.read::<History>().messages, std::slice::from_ref(&message));
    let reply = fetch(&ben, &attachment, &[]).await;
    assert_eq!((reply.status, reply.body.as_ref()), (StatusCode::OK, &b"hello world"[..]));
    for (name, value) in [
        ("content-type", "image/png"),
        ("content-length", "11"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("content-disposition", "attachment; filename=\"Gr__e _a_.png\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20_a_.png"),
        ("etag", &format!("\"{HELLO}\"")),
    ] {
        assert_eq!(reply.headers[name], *value, "{name}");
    }
    assert_eq!(fetch(&kim, &attachment, &[]).await.code(), ErrorCode::NotFound);
    ana.delete(&format!("/v1/chat/{}", message.id.0)).await.read::<Message>();
    assert_eq!(fetch(&ben, &attachment, &[]).await.code(), ErrorCode::NotFound, "it went with its message");
}

#[tokio::test]
async fn a_download_that_broke_off_goes_on_where_it_was() {
    let bench = Bench::new().await;
    let ana = bench.person("Ana").await;
    let bytes: Vec<u8> = (0..300_000_u32).map(|number| (number / 7) as u8).collect();
    let attachment = upload(&ana, "name=long.bin", &bytes).await;
    assert_eq!(attachment.kind, "application/octet-stream");
    let tag = format!("\"{}\"", attachment.sha256.as_ref().unwrap());
    let part = fetch(&ana, &attachment, &[("range", "bytes=100000-"), ("if-range", &tag)]).await;
    assert_eq!((part.status, part.body.as_ref()), (StatusCode::PARTIAL_CONTENT, &bytes[100_000..]));
    assert_eq!(part.headers["content-range"], "bytes 100000-299999/300000");
    assert_eq!(part.headers["content-length"], "200000");
    let middle = fetch(&ana, &attachment, &[("range", "bytes=5-9")]).await;
    assert_eq!((middle.body.as_ref(), &middle.headers["content-range"]), (&bytes[5..10], &"bytes 5-9/300000".parse().unwrap()));
    for whole in
        [&[("range", "bytes=300000-")][..], &[("range", "bytes=1-2,5-6")], &[("range", "bytes=5-9"), ("if-range", "\"x\"")]]
    {
        let reply = fetch(&ana, &attachment, whole).await;
        assert_eq!((reply.status, reply.body.len()), (StatusCode::OK, bytes.len()), "{whole:?}");
    }
}

#[tokio::test]
async fn a_content_lies_there_once_however_often_it_is_sent() {
    let bench = Bench::new().await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    let first = upload(&ana, "name=a.txt", b"hello world").await;
    assert_eq!(upload(&ana, "name=a.txt", b"hello world").await, first, "sent again since its answer was lost");
    let other_name = upload(&ana, "name=b.txt", b"hello world").await;
    let of_ben = upload(&ben, "name=a.txt", b"hello world").await;
    assert!(first.id != other_name.id && first.id != of_ben.id);
    assert_eq!(files(&bench).len(), 1);
    share(&ana, "Ben", &[&first], "1").await.read::<Message>();
    assert_ne!(upload(&ana, "name=a.txt", b"hello world").await.id, first.id, "what was sent is another thing");
    assert_eq!(share(&ana, "Ben", &[&of_ben], "2").await.code(), ErrorCode::NotFound, "one sends one's own");
    assert_eq!(ana.get("/v1/chat?with=Ben").await.read::<History>().messages.len(), 1);
}

#[tokio::test]
async fn what_is_short_long_or_silent_about_its_length_leaves_nothing_behind() {
    let bench = Bench::with(|config| config.attachments.max = 100).await;
    let ana = bench.person("Ana").await;
    for (length, bytes, code) in [
        (None, 10, ErrorCode::BadRequest),
        (Some(0), 0, ErrorCode::BadRequest),
        (Some(11), 10, ErrorCode::BadRequest),
        (Some(9), 10, ErrorCode::BadRequest),
        (Some(101), 101, ErrorCode::TooLarge),
        (Some(usize::MAX), 1, ErrorCode::TooLarge),
    ] {
        assert_eq!(send(&ana, "name=x", length, vec![7; bytes]).await.code(), code, "{length:?} {bytes}");
    }
    assert_eq!(send(&ana, "type=image/png", Some(1), "x").await.code(), ErrorCode::BadRequest, "a file has a name");
    let broken = Body::from_stream(futures::stream::iter([Ok("hell"), Err(std::io::Error::other("the cable was cut"))]));
    assert_eq!(send(&ana, "name=x", Some(11), broken).await.code(), ErrorCode::BadRequest);
    assert_eq!(files(&bench), Vec::<PathBuf>::new());
    upload(&ana, "name=x", &[7; 100]).await;
    assert_eq!(files(&bench).len(), 1);
}

#[tokio::test]
async fn quotas_bound_what_each_and_all_may_have() {
    let bench = Bench::with(|config| {
        config.attachments.quota = 100 + 2 * OF_EACH;
        config.attachments.total = 150 + 3 * OF_EACH;
    })
    .await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    let first = upload(&ana, "name=a", &[1; 60]).await;
    assert_eq!(send(&ana, "name=b", Some(41), vec![2; 41]).await.code(), ErrorCode::QuotaExceeded);
    upload(&ana, "name=b", &[2; 40]).await;
    assert_eq!(send(&ben, "name=c", Some(51), vec![3; 51]).await.code(), ErrorCode::QuotaExceeded, "the folder is full");
    upload(&ben, "name=c", &[3; 50]).await;
    let message: Message = share(&ana, "Ben", &[&first], "1").await.read();
    ana.delete(&format!("/v1/chat/{}", message.id.0)).await.read::<Message>();
    assert_eq!(files(&bench).len(), 3, "an upload may still go along with something");
}

#[tokio::test]
async fn the_folder_has_room_for_what_is_there_already_and_again_once_something_has_gone() {
    let bench = Bench::with(|config| {
        config.attachments.total = 100 + 2 * OF_EACH;
        config.attachments.keep = Some(Duration::ZERO);
    })
    .await;
    let ana = bench.person("Ana").await;
    upload(&ana, "name=a", &[1; 50]).await;
    upload(&ana, "name=again", &[1; 50]).await;
    upload(&ana, "name=b", &[2; 50]).await;
    let uploaded = Instant::now();
    assert_eq!(send(&ana, "name=c", Some(1), "x").await.code(), ErrorCode::QuotaExceeded);
    while uploaded.elapsed() <= Duration::from_millis(1) {
        tokio::task::yield_now().await;
    }
    bench.relay.tidy().await.unwrap();
    upload(&ana, "name=c", &[3; 100]).await;
}

#[tokio::test]
async fn who_waits_to_be_asked_for_a_file_that_has_no_room_is_not_asked() {
    let bench = Bench::with(|config| config.attachments.quota = OF_EACH).await;
    let ana = bench.person("Ana").await;
    for (expects, asked) in [(Some("100-Continue"), false), (None, true)] {
        let read = Arc::new(AtomicBool::new(false));
        let reading = Arc::clone(&read);
        let body = Body::from_stream(futures::stream::once(async move {
            reading.store(true, Ordering::Relaxed);
            Ok::<_, Infallible>("hello")
        }));
        let mut request = Request::post("/v1/attachments?name=a").header("content-length", 5);
        request = request.header("authorization", format!("Bearer {}", ana.token));
        if let Some(expects) = expects {
            request = request.header("expect", expects);
        }
        assert_eq!(bench.raw(request.body(body).unwrap()).await.code(), ErrorCode::QuotaExceeded);
        assert_eq!(read.load(Ordering::Relaxed), asked, "{expects:?}");
    }
}

#[tokio::test]
async fn nobody_has_any_number_of_small_files() {
    let bench = Bench::with(|config| config.attachments.quota = 3 * OF_EACH + 100).await;
    let ana = bench.person("Ana").await;
    for name in ["a", "b", "c"] {
        upload(&ana, &format!("name={name}"), b"x").await;
    }
    assert_eq!(send(&ana, "name=d", Some(1), "x").await.code(), ErrorCode::QuotaExceeded);
}

#[tokio::test]
async fn attachments_past_their_days_are_gone_and_their_messages_stay() {
    let bench = Bench::with(|config| config.attachments.keep = Some(Duration::ZERO)).await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    let (sent, unsent) = (upload(&ana, "name=a", b"sent").await, upload(&ana, "name=b", b"unsent").await);
    share(&ana, "Ben", &[&sent], "1").await.read::<Message>();
    while std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()
        <= u128::from(ana.get("/v1/chat?with=Ben").await.read::<History>().messages[0].sent_at_ms)
    {
        tokio::task::yield_now().await;
    }
    bench.relay.tidy().await.unwrap();
    assert_eq!(files(&bench), Vec::<PathBuf>::new());
    for (client, attachment) in [(&ben, &sent), (&ana, &sent), (&ana, &unsent)] {
        assert_eq!(fetch(client, attachment, &[]).await.code(), ErrorCode::NotFound);
    }
    let messages = ben.get("/v1/chat?with=Ana").await.read::<History>().messages;
    assert_eq!(messages[0].attachments, [Attachment { sha256: None, ..sent.clone() }]);
    assert_eq!(share(&ana, "Ben", &[&sent], "2").await.code(), ErrorCode::NotFound);
}

#[tokio::test]
async fn in_a_group_those_read_it_who_were_there() {
    let bench = Bench::new().await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    let eva = bench.person("Eva").await;
    eva.befriend(&ana).await;
    let wish = json!({"title": "Lunch", "members": ["Ben"], "client_id": "g"});
    let group: Group = ana.post("/v1/groups", wish).await.read();
    let attachment = upload(&ana, "name=a", b"for some").await;
    let wish = json!({"group": group.id, "text": "look", "attachments": [attachment.id], "client_id": "1"});
    ana.post("/v1/chat", wish).await.read::<Message>();
    ana.post(&format!("/v1/groups/{}/members", group.id), json!({"name": "Eva"})).await.read::<Group>();
    assert_eq!(fetch(&ben, &attachment, &[]).await.body, "for some");
    assert_eq!(fetch(&eva, &attachment, &[]).await.code(), ErrorCode::NotFound, "she came later");
    ana.delete(&format!("/v1/groups/{}/members/Ben", group.id)).await.read::<serde_json::Value>();
    assert_eq!(fetch(&ben, &attachment, &[]).await.code(), ErrorCode::NotFound, "he has left");
}

#[tokio::test]
async fn a_message_has_a_bounded_number_of_attachments_that_exist() {
    let bench = Bench::new().await;
    let (ana, _ben) = bench.buddies("Ana", "Ben").await;
    let attachment = upload(&ana, "name=a", b"x").await;
    assert_eq!(share(&ana, "Ben", &[&attachment; ATTACHMENTS_MAX + 1], "1").await.code(), ErrorCode::BadRequest);
    let wish = json!({"to": "Ben", "text": "x", "attachments": ["none"], "client_id": "1"});
    assert_eq!(ana.post("/v1/chat", wish).await.code(), ErrorCode::NotFound);
    assert_eq!(share(&ana, "Ben", &[], "1").await.code(), ErrorCode::BadRequest, "nothing at all is no message");
    let message: Message = share(&ana, "Ben", &[&attachment; ATTACHMENTS_MAX], "1").await.read();
    assert_eq!(message.attachments.len(), ATTACHMENTS_MAX);
    assert_eq!(share(&ana, "Ben", &[&attachment], "1").await.code(), ErrorCode::BadRequest, "the id was used for others");
    for path in ["../relay.db", "..%2Frelay.db", HELLO, "a%00", "%00"] {
        assert_eq!(ana.get(&format!("/v1/attachments/{path}")).await.code(), ErrorCode::NotFound, "{path}");
    }
}

#[tokio::test]
async fn attachments_outlive_a_crash() {
    let bench = Bench::new().await;
    let (ana, attachment) = {
        let ana = bench.person("Ana").await;
        let attachment = upload(&ana, "name=a", b"still there").await;
        (keep(&ana), attachment)
    };
    let half = bench.folder.path().join("attachments/incoming/half");
    std::fs::write(&half, "ha").unwrap();
    let bench = bench.crash_and_restart().await;
    let ana = again(&bench, &ana);
    assert_eq!(fetch(&ana, &attachment, &[]).await.body, "still there");
    assert!(!half.exists());
}
