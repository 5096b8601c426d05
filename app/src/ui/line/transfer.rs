//! Files between this machine and the relay, with word of how far they are.

use std::{
    io,
    path::{Path, PathBuf},
};

use futures::channel::mpsc::{UnboundedSender, unbounded};
use iced::Task;
use media::voice::Clip;
use proto::chat::Attachment;
use relay_client::Session;

use crate::ui::{
    notice::Notice,
    picture,
    screen::desk::conversation::files::{Preview, Source, Step},
};

/// Steps are told when so many more parts of the whole are through: a bar moves no finer.
const PARTS: u64 = 50;

/// Names tried for a file beside one of the same name.
const NAMES: u32 = 1000;

pub(super) fn upload(session: Session, source: Source, max: u64) -> Task<Step<Attachment>> {
    with_steps(move |steps| async move {
        let (name, kind, bytes) = match source {
            Source::File(file) => {
                let name = file.file_name().map_or_else(|| "file".to_owned(), |name| name.to_string_lossy().into_owned());
                let bytes = read(&file, &name, max).await?;
                (name, kind(&file), bytes)
            }
            Source::Voice(bytes) => {
                let name = "Voice message.ogg".to_owned();
                fits(bytes.len() as u64, &name, max)?;
                (name, Some("audio/ogg"), bytes)
            }
        };
        let progress = every_part(steps, bytes.len() as u64);
        Ok(session.upload(&name, kind, bytes.into(), progress).await?)
    })
}

async fn read(file: &Path, name: &str, max: u64) -> Result<Vec<u8>, Notice> {
    let cant = |error: io::Error| Notice::new(format!("{name} can't be read: {error}."));
    let metadata = tokio::fs::metadata(file).await.map_err(cant)?;
    if !metadata.is_file() {
        return Err(Notice::new(format!("{name} is no file.")));
    }
    fits(metadata.len(), name, max)?;
    tokio::fs::read(file).await.map_err(cant)
}

fn fits(size: u64, name: &str, max: u64) -> Result<(), Notice> {
    match size {
        0 => Err(Notice::new(format!("{name} is empty."))),
        _ if size > max => Err(Notice::new(format!("{name} is larger than the {} MB this relay takes.", max / 1_000_000))),
        _ => Ok(()),
    }
}

pub(super) fn save(session: Session, attachment: Attachment) -> Task<Step<PathBuf>> {
    with_steps(move |steps| async move {
        let progress = every_part(steps, attachment.size);
        let bytes = session.download(&attachment, progress).await?;
        let folder = directories::UserDirs::new();
        let folder = folder.as_ref().and_then(|dirs| dirs.download_dir().or(Some(dirs.home_dir()))).map(Path::to_owned);
        let folder = folder.ok_or_else(|| Notice::new("This computer has no folder for downloads."))?;
        let cant = |error: io::Error| Notice::new(format!("{} can't be saved: {error}.", attachment.name));
        tokio::fs::create_dir_all(&folder).await.map_err(cant)?;
        write(&folder, &attachment.name, &bytes).await.map_err(cant)
    })
}

pub(super) fn preview(session: Session, attachment: Attachment) -> Task<Option<Preview>> {
    Task::future(async move {
        let bytes = match session.download(&attachment, |_| {}).await {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::info!(%error, "what is to be shown can't be fetched");
                return None;
            }
        };
        let read = move || match attachment.kind.as_str() {
            "audio/ogg" => Clip::read(&bytes).map(Preview::Voice),
            _ => picture::decode(&bytes).map(Preview::Picture),
        };
        // Reading a large one takes a good part of a second.
        tokio::task::spawn_blocking(read).await.ok()?
    })
}

/// Writes a file under its name or one like it: nothing that is there is overwritten.
async fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    use tokio::io::AsyncWriteExt as _;

    for number in 0..NAMES {
        let path = folder.join(numbered(name, number));
        match tokio::fs::OpenOptions::new().write(true).create_new(true).open(&path).await {
            Ok(mut file) => {
                let written = async {
                    file.write_all(bytes).await?;
                    file.sync_all().await
                };
                let written = written.await;
                if written.is_err() {
                    // Half a file under its whole name would be taken for it.
                    let _ = tokio::fs::remove_file(&path).await;
                }
                return written.map(|()| path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "there are too many files of that name"))
}

/// `photo.png`, `photo (1).png` and so on; a path or a hidden file's name is none.
fn numbered(name: &str, number: u32) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default().trim_start_matches('.');
    let name = if name.is_empty() { "file" } else { name };
    match (number, name.rsplit_once('.')) {
        (0, _) => name.to_owned(),
        (_, Some((stem, extension))) => format!("{stem} ({number}).{extension}"),
        (_, None) => format!("{name} ({number})"),
    }
}

/// The media type by the name's end, for those that are shown as what they are.
fn kind(file: &Path) -> Option<&'static str> {
    let extension = file.extension()?.to_str()?.to_ascii_lowercase();
    Some(match extension.as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "ogg" | "oga" => "audio/ogg",
        "opus" => "audio/opus",
        "wav" => "audio/wav",
        "mp3" => "audio/mpeg",
        "m4a" => "audio/mp4",
        "flac" => "audio/flac",
        _ => return None,
    })
}

/// A task that tells how far it is.
fn with_steps<T, F>(work: impl FnOnce(UnboundedSender<Step<T>>) -> F + Send + 'static) -> Task<Step<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Notice>> + Send + 'static,
{
    let (sender, steps) = unbounded();
    let done = work(sender.clone());
    let work = Task::future(async move {
        let _ = sender.unbounded_send(Step::Done(done.await));
    });
    Task::batch([work.discard(), Task::stream(steps)])
}

/// Tells each further part of the whole.
fn every_part<T: Send + 'static>(steps: UnboundedSender<Step<T>>, all: u64) -> impl Fn(u64) + Send + Sync + 'static {
    let told = std::sync::atomic::AtomicU64::new(0);
    move |through| {
        let part = through.saturating_mul(PARTS) / all.max(1);
        if told.swap(part, std::sync::atomic::Ordering::Relaxed) != part {
            let _ = steps.unbounded_send(Step::Through(through, all));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_file_takes_no_other_s_place_and_leaves_the_folder_never() {
        assert_eq!(numbered("photo.png", 0), "photo.png");
        assert_eq!(numbered("photo.png", 2), "photo (2).png");
        assert_eq!(numbered("notes", 1), "notes (1)");
        assert_eq!(numbered("../../etc/passwd", 0), "passwd");
        assert_eq!(numbered("..", 0), "file");
        let folder = std::env::temp_dir().join(format!("tvphone-save-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let save = |bytes: &[u8]| runtime.block_on(write(&folder, "a.txt", bytes)).unwrap();
        let (one, two) = (save(b"one"), save(b"two"));
        assert_eq!((std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap()), (b"one".to_vec(), b"two".to_vec()));
        assert_eq!(two, folder.join("a (1).txt"));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
