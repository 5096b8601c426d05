//! Files on their way in and out: pictures, voice messages, anything else.

use std::{io, pin::pin, time::Duration};

use axum::{
    Json as Reply,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header},
};
use futures::{Stream, StreamExt, stream};
use proto::{ErrorCode, api::Upload, chat::Attachment, limits::FILE_NAME_MAX};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::chat::attachment;
use crate::{
    app::App,
    extract::{Caller, Id, Query},
    files::{
        Incoming,
        allowance::{Full, OF_EACH},
        range,
    },
    refusal::{Answer, Refusal},
    store::NewAttachment,
    text::{digits, straight},
    token,
};

/// What may be served as what it is: no browser runs any of these. All else goes as bytes.
const KINDS: [&str; 10] = [
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "audio/ogg",
    "audio/opus",
    "audio/wav",
    "audio/mpeg",
    "audio/mp4",
    "audio/flac",
];

/// The kind of all else.
const BYTES: &str = "application/octet-stream";

/// An upload or a download that stands still for this long is given up, as requests that are silent are everywhere else.
const SILENCE: Duration = Duration::from_secs(30);

/// Slowest upload or download that is waited for, in bytes a second, on top of [`SILENCE`]: a bad mobile network's.
const SLOWEST: u64 = 4096;

/// Most bytes of a file's name: file systems take 255, and a client may want to add something to it.
const FILE_NAME_BYTES: usize = 240;

/// When a person who has too many files under way may ask again.
const CROWDED: Duration = Duration::from_secs(1);

/// `POST /v1/attachments`.
pub(crate) async fn upload(
    State(app): State<App>,
    Caller(session): Caller,
    Query(wish): Query<Upload>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Reply<Attachment>> {
    let length = content_length(&headers)?;
    if length == 0 {
        return Err(Refusal::bad_request("The file is empty."));
    }
    let max = app.config.attachments.max;
    if length > max {
        return Err(Refusal::new(ErrorCode::TooLarge, format!("This relay takes files of at most {max} bytes.")));
    }
    let me = session.account;
    // In order: what ends meanwhile counts as there or as under way.
    let mut order = app.files.order.lock().await;
    let used = app.store.attachment_bytes(me, OF_EACH).await?;
    let all = match *order {
        Some(all) => all,
        None => app.store.content_bytes(OF_EACH).await?,
    };
    *order = Some(all);
    let pass = app.files.allowance.send(me, length.saturating_add(OF_EACH), used, all);
    drop(order);
    let pass = match pass {
        Ok(pass) => pass,
        Err(full) => {
            // Whoever is still sending hears the answer only once all is sent; who waits to be asked for it needn't send it.
            if full != Full::Busy && !waits_to_be_asked(&headers) {
                drain(body, length).await;
            }
            return Err(refused(full));
        }
    };
    let failed = |error: io::Error| Refusal::internal(&error);
    let mut incoming = app.files.begin(token::attachment_id()?.as_str()).await.map_err(failed)?;
    receive(body, length, &mut incoming).await?;
    let whole = incoming.finish().await.map_err(failed)?;
    let (name, kind) = (file_name(&wish.name), kind(wish.kind.as_deref()));
    let work = app.clone();
    app.see_through(async move {
        let mut order = work.files.order.lock().await;
        // Unless all goes well nobody knows how much there is now.
        let all = order.take();
        let (hash, size, id) = (whole.hash.clone(), whole.size, token::attachment_id()?);
        work.files.keep(whole).await.map_err(|error| Refusal::internal(&error))?;
        let new = NewAttachment { id: id.as_str(), account: me, hash: &hash, size, name: &name, kind };
        let (row, is_new) = work.store.add_attachment(new).await?;
        let more = if is_new { size.saturating_add(OF_EACH) } else { 0 };
        *order = all.map(|all| all.saturating_add(more));
        drop(pass);
        drop(order);
        Ok(Reply(attachment(row)))
    })
    .await
}

/// `GET /v1/attachments/ID`.
pub(crate) async fn download(
    State(app): State<App>,
    Caller(session): Caller,
    Id(id): Id,
    headers: HeaderMap,
) -> Answer<Response<Body>> {
    let gone = || Refusal::not_found("There is no such attachment for you, or it is past its days.");
    let row = app.store.attachment_for(session.account, &id).await?.ok_or_else(gone)?;
    let hash = row.hash.ok_or_else(gone)?;
    let pass = app.files.allowance.fetch(session.account).map_err(refused)?;
    let tag = format!("\"{hash}\"");
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    // A range counts only for the very content it was begun with.
    let same = text(header::IF_RANGE).is_none_or(|wanted| wanted == tag);
    let part = text(header::RANGE).filter(|_| same).and_then(|range| range::part(range, row.size));
    let (start, length) = part.map_or((0, row.size), |part| (part.start, part.length));
    let bytes = app.files.read(&hash, start, length, pass).await.map_err(|error| match error.kind() {
        // A backup of the database alone, say, was put back.
        io::ErrorKind::NotFound => gone(),
        _ => Refusal::internal(&error),
    })?;
    let mut response = Response::new(Body::from_stream(paced(bytes, length, SILENCE)));
    let mut set = |name: HeaderName, value: &str| {
        // All of these are plain ASCII.
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, &row.kind);
    set(header::CONTENT_LENGTH, &length.to_string());
    set(header::CONTENT_DISPOSITION, &disposition(&row.name));
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(header::ACCEPT_RANGES, "bytes");
    set(header::ETAG, &tag);
    if part.is_some() {
        set(header::CONTENT_RANGE, &format!("bytes {start}-{}/{}", start + length - 1, row.size));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

fn content_length(headers: &HeaderMap) -> Answer<u64> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| digits(length.to_str().ok()?));
    length.ok_or_else(|| Refusal::bad_request("An upload says its length beforehand (Content-Length)."))
}

/// Whether the body is held back until somebody reads it (RFC 9110, section 10.1.1).
fn waits_to_be_asked(headers: &HeaderMap) -> bool {
    headers.get(header::EXPECT).is_some_and(|expects| expects.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// When so many bytes must have come or gone.
fn deadline(length: u64, silence: Duration) -> Instant {
    Instant::now() + silence + Duration::from_secs(length / SLOWEST)
}

/// Hands out a file as fast as it is read. Where that stands still or takes too long the file is let go, with what is held for it: whoever carries
/// the answer doesn't even ask for more then.
fn paced(
    bytes: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    length: u64,
    silence: Duration,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let (sender, receiver) = mpsc::channel(1);
    let deadline = deadline(length, silence);
    tokio::spawn(async move {
        let mut bytes = pin!(bytes);
        while let Some(piece) = bytes.next().await {
            let until = deadline.min(Instant::now() + silence);
            if !matches!(timeout_at(until, sender.send(piece)).await, Ok(Ok(()))) {
                break;
            }
        }
    });
    stream::try_unfold((receiver, length), |(mut receiver, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let slow = || io::Error::new(io::ErrorKind::TimedOut, "it was read too slowly");
        let piece = receiver.recv().await.ok_or_else(slow)??;
        let left = left.saturating_sub(piece.len() as u64);
        Ok(Some((piece, (receiver, left))))
    })
}

/// Writes the body down as it comes.
async fn receive(body: Body, length: u64, incoming: &mut Incoming) -> Answer<()> {
    let slow = || Refusal::bad_request("The file took too long to arrive.");
    let deadline = deadline(length, SILENCE);
    let mut pieces = body.into_data_stream();
    loop {
        let until = deadline.min(Instant::now() + SILENCE);
        let piece = timeout_at(until, pieces.next()).await.map_err(|_| slow())?;
        let Some(piece) = piece else { break };
        let piece = piece.map_err(|error| Refusal::bad_request(format!("The file broke off: {error}.")))?;
        if incoming.size() + piece.len() as u64 > length {
            return Err(Refusal::bad_request("The file is longer than was said beforehand."));
        }
        incoming.write(&piece).await.map_err(|error| Refusal::internal(&error))?;
    }
    if incoming.size() < length {
        return Err(Refusal::bad_request("The file is shorter than was said beforehand."));
    }
    Ok(())
}

/// Reads a body of so many bytes to its end, for nothing.
async fn drain(body: Body, length: u64) {
    let deadline = deadline(length, SILENCE);
    let mut pieces = body.into_data_stream();
    while let Ok(Some(Ok(_))) = timeout_at(deadline.min(Instant::now() + SILENCE), pieces.next()).await {}
}

fn refused(full: Full) -> Refusal {
    match full {
        Full::Busy => Refusal::rate_limited(CROWDED),
        Full::Quota => Refusal::new(
            ErrorCode::QuotaExceeded,
            "You have sent as many files as you may: delete messages with files you don't need any more.",
        ),
        Full::Total => {
            tracing::warn!("an upload was refused: the attachments have as many bytes as the configuration lets them");
            Refusal::new(ErrorCode::QuotaExceeded, "The relay has no more room for files: tell whoever runs it.")
        }
    }
}

fn kind(said: Option<&str>) -> &'static str {
    let said = said.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    KINDS.into_iter().find(|kind| kind.eq_ignore_ascii_case(said)).unwrap_or(BYTES)
}

/// The last part of a path, without what has a meaning to shells, file systems or those who read it, and never empty.
fn file_name(said: &str) -> String {
    let last = straight(said.rsplit(['/', '\\']).next().unwrap_or_default());
    let plain = last.chars().filter(|c| !c.is_control());
    let plain = plain.map(|c| if "<>:\"|?*".contains(c) { '_' } else { c }).collect::<String>();
    // Hidden on some systems, impossible on others.
    let plain = plain.trim().trim_start_matches('.').trim_end_matches(['.', ' ']);
    if plain.is_empty() {
        return "file".to_owned();
    }
    if plain.chars().count() <= FILE_NAME_MAX && plain.len() <= FILE_NAME_BYTES {
        return plain.to_owned();
    }
    // What it is stands behind the last dot.
    let extension = plain.rsplit_once('.').map(|(_, extension)| extension).filter(|extension| extension.chars().count() <= 10);
    let extension = extension.map_or_else(String::new, |extension| format!(".{extension}"));
    let mut stem = plain.chars().take(FILE_NAME_MAX - extension.chars().count()).collect::<String>();
    while stem.len() + extension.len() > FILE_NAME_BYTES {
        stem.pop();
    }
    stem + &extension
}

/// To be saved and not shown, under this name: in ASCII, and whole by RFC 8187 for those who read that.
fn disposition(name: &str) -> String {
    let ascii = name.chars().map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ' { c } else { '_' });
    let whole = name.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    format!("attachment; filename=\"{}\"; filename*=UTF-8''{}", ascii.collect::<String>(), whole.collect::<String>())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn names_of_files_are_made_fit_to_be_saved_under() {
        for (said, name) in [
            ("photo.png", "photo.png"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\ana\\Grüße.txt", "Grüße.txt"),
            ("a\u{202e}gnp.exe\n", "agnp.exe"),
            ("..", "file"),
            ("", "file"),
            ("dir/", "file"),
            (".bashrc", "bashrc"),
            ("what? <now>.txt ", "what_ _now_.txt"),
        ] {
            assert_eq!(file_name(said), name, "{said:?}");
        }
        let long = file_name(&format!("{}.tar.gz", "ü".repeat(300)));
        assert_eq!((long.chars().count(), long.ends_with("ü.gz")), (FILE_NAME_MAX, true));
        assert_eq!(file_name(&"x.".repeat(200)).chars().count(), FILE_NAME_MAX);
        let wide = file_name(&format!("{}.png", "🎂".repeat(100)));
        assert_eq!((wide.len(), wide.ends_with("🎂.png")), (FILE_NAME_BYTES, true));
    }

    #[test]
    fn only_pictures_and_sound_are_served_as_what_they_are() {
        for (said, kind_of_it) in [
            (Some("image/png"), "image/png"),
            (Some("IMAGE/JPEG; x=y"), "image/jpeg"),
            (Some("image/svg+xml"), BYTES),
            (Some("text/html"), BYTES),
            (Some(""), BYTES),
            (None, BYTES),
        ] {
            assert_eq!(kind(said), kind_of_it, "{said:?}");
        }
    }

    #[tokio::test]
    async fn a_download_that_nobody_reads_is_let_go_and_no_other() {
        const SOON: Duration = Duration::from_millis(50);
        let download = |silence: Duration| {
            let (held, let_go) = oneshot::channel::<()>();
            let bytes = stream::iter(0..10).map(move |number| {
                let _ = &held;
                Ok(Bytes::from(vec![number]))
            });
            (paced(bytes, 10, silence), let_go)
        };
        let (unread, let_go) = download(SOON);
        assert!(let_go.await.is_err());
        let read = unread.collect::<Vec<_>>().await;
        assert!(read.len() < 10 && read.last().unwrap().is_err(), "nor is it taken for whole");
        let (bytes, let_go) = download(SILENCE);
        let read = bytes.map(|piece| piece.unwrap()).collect::<Vec<_>>().await;
        assert_eq!(read.concat(), (0..10).collect::<Vec<u8>>());
        assert!(let_go.await.is_err());
    }

    #[test]
    fn a_name_is_told_in_both_forms() {
        assert_eq!(disposition("a b.png"), "attachment; filename=\"a b.png\"; filename*=UTF-8''a%20b.png");
        assert_eq!(
            disposition("Grüße \"x\".txt"),
            "attachment; filename=\"Gr__e _x_.txt\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%22x%22.txt"
        );
    }

    proptest! {
        #[test]
        fn whatever_a_file_is_called_it_fits_into_its_header(said in any::<String>()) {
            let name = file_name(&said);
            prop_assert!(!name.is_empty() && name.chars().count() <= FILE_NAME_MAX && !name.contains(['/', '\\']));
            prop_assert!(name.len() <= FILE_NAME_BYTES);
            let header = disposition(&name);
            prop_assert!(HeaderValue::from_str(&header).is_ok());
            prop_assert_eq!(header.matches('"').count(), 2);
        }
    }
}
