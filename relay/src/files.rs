//! The folder of attachments: each content once, under the SHA-256 of its bytes, written beside and put in place when it is whole.
//!
//! Which contents there are and whose they are stands in the database. A content comes into its place before its row is written and
//! goes after its row is gone, so a relay killed in between leaves at worst a file that no row names; [`Files::sweep`] removes those.

pub(crate) mod allowance;
pub(crate) mod range;

use std::{
    fmt::Write as _,
    io::{self, SeekFrom},
    path::{Path, PathBuf},
};

use axum::body::Bytes;
use futures::{Stream, stream};
use sha2::{Digest, Sha256};
use tokio::{
    fs::{self, File},
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
    task::spawn_blocking,
};

use self::allowance::Allowance;

/// Bytes read at once when a content is served: one write of a fast connection, little memory for a slow one.
const PIECE: usize = 64 * 1024;

/// Folder within the folder where what is not yet whole lies.
const INCOMING: &str = "incoming";

/// The folder, and who may put how much into it.
#[derive(Debug)]
pub(crate) struct Files {
    folder: PathBuf,
    pub(crate) allowance: Allowance,
    /// Held while a content comes into its place or goes from it together with its row, so that none goes that was just wanted again. In it the bytes
    /// of all contents, each with [`allowance::OF_EACH`] more, where they were counted since one went.
    pub(crate) order: tokio::sync::Mutex<Option<u64>>,
}

impl Files {
    /// Makes the folder if there is none; what was never whole is gone.
    pub(crate) fn open(folder: PathBuf, allowance: Allowance) -> io::Result<Self> {
        let incoming = folder.join(INCOMING);
        if incoming.exists() {
            std::fs::remove_dir_all(&incoming)?;
        }
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(&incoming)?;
        Ok(Self { folder, allowance, order: tokio::sync::Mutex::new(None) })
    }

    /// Begins a file under a name that nobody else uses.
    pub(crate) async fn begin(&self, name: &str) -> io::Result<Incoming> {
        let path = self.folder.join(INCOMING).join(name);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        // Together: whoever goes away meanwhile leaves no file behind.
        let made = spawn_blocking(move || options.open(&path).map(|file| (file, Scrap(path))));
        let (file, path) = made.await.map_err(io::Error::other)??;
        Ok(Incoming { file: file.into(), size: 0, digest: Sha256::new(), path })
    }

    /// Puts a file that is whole into its place. Afterwards it survives whatever happens to the process or the machine.
    pub(crate) async fn keep(&self, incoming: Whole) -> io::Result<()> {
        let place = self.place(&incoming.hash);
        let parent = place.parent().unwrap_or(&self.folder).to_owned();
        fs::create_dir_all(&parent).await?;
        fs::rename(&incoming.path.0, &place).await?;
        // A name is only safe once its folder is.
        sync_folder(&parent).await?;
        sync_folder(&self.folder).await
    }

    /// Removes a content; one that isn't there is as good.
    pub(crate) async fn remove(&self, hash: &str) -> io::Result<()> {
        match fs::remove_file(self.place(hash)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The bytes from `start` on, `length` of them. What is held while they are read goes with the last of them.
    pub(crate) async fn read<H: Send + 'static>(
        &self,
        hash: &str,
        start: u64,
        length: u64,
        held: H,
    ) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + use<H>> {
        let mut file = File::open(self.place(hash)).await?;
        if start > 0 {
            file.seek(SeekFrom::Start(start)).await?;
        }
        Ok(stream::try_unfold((file, length, held), |(mut file, left, held)| async move {
            if left == 0 {
                return Ok(None);
            }
            let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let mut piece = vec![0; most];
            let read = file.read(&mut piece).await?;
            if read == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the content is shorter than it was"));
            }
            piece.truncate(read);
            Ok(Some((Bytes::from(piece), (file, left - read as u64, held))))
        }))
    }

    /// The hashes of all contents in the folder.
    pub(crate) async fn list(&self) -> io::Result<Vec<String>> {
        let mut hashes = Vec::new();
        let mut folders = fs::read_dir(&self.folder).await?;
        while let Some(folder) = folders.next_entry().await? {
            if folder.file_name() == INCOMING || !folder.file_type().await?.is_dir() {
                continue;
            }
            let mut files = fs::read_dir(folder.path()).await?;
            while let Some(file) = files.next_entry().await? {
                // Anything else is none of ours.
                hashes.extend(file.file_name().into_string().ok().filter(|name| is_hash(name)));
            }
        }
        Ok(hashes)
    }

    /// Removes the contents that no row names, as `named` says.
    pub(crate) async fn sweep(&self, named: &std::collections::HashSet<String>) -> io::Result<usize> {
        let mut removed = 0;
        for hash in self.list().await? {
            if !named.contains(&hash) {
                self.remove(&hash).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Some file systems are slow with many thousand files in one folder, so there are 256.
    fn place(&self, hash: &str) -> PathBuf {
        self.folder.join(hash.get(..2).unwrap_or("00")).join(hash)
    }
}

/// Whether it looks like the name of a content.
fn is_hash(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(unix)]
async fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder).await?.sync_all().await
}

/// Elsewhere a folder can't be opened for it.
#[cfg(not(unix))]
async fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// A file that is being written. Dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Incoming {
    file: File,
    size: u64,
    digest: Sha256,
    path: Scrap,
}

/// A file that has all its bytes, on disk. Dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) size: u64,
    pub(crate) hash: String,
    path: Scrap,
}

impl Incoming {
    /// Adds some bytes.
    pub(crate) async fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.digest.update(piece);
        self.size += piece.len() as u64;
        self.file.write_all(piece).await
    }

    /// How many bytes there are.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// That was all.
    pub(crate) async fn finish(mut self) -> io::Result<Whole> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        let hash = self.digest.finalize().iter().fold(String::new(), |mut hex, byte| {
            // A String takes all that is written to it.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        Ok(Whole { size: self.size, hash, path: self.path })
    }
}

/// A file that goes with this; one that was put elsewhere stays there.
#[derive(Debug)]
struct Scrap(PathBuf);

impl Drop for Scrap {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use futures::TryStreamExt;

    use super::*;

    fn open(folder: &Path) -> Files {
        Files::open(folder.join("attachments"), Allowance::new(1000, 1000)).unwrap()
    }

    async fn keep(files: &Files, name: &str, bytes: &[u8]) -> String {
        let mut incoming = files.begin(name).await.unwrap();
        for piece in bytes.chunks(3) {
            incoming.write(piece).await.unwrap();
        }
        assert_eq!(incoming.size(), bytes.len() as u64);
        let whole = incoming.finish().await.unwrap();
        let hash = whole.hash.clone();
        files.keep(whole).await.unwrap();
        hash
    }

    async fn read(files: &Files, hash: &str, start: u64, length: u64) -> Vec<u8> {
        let pieces: Vec<Bytes> = files.read(hash, start, length, ()).await.unwrap().try_collect().await.unwrap();
        pieces.concat()
    }

    #[tokio::test]
    async fn a_content_is_kept_once_and_read_back_whole_or_in_part() {
        let folder = tempfile::tempdir().unwrap();
        let files = open(folder.path());
        let hash = keep(&files, "a", b"hello world").await;
        assert_eq!(hash, "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9");
        assert_eq!(keep(&files, "b", b"hello world").await, hash);
        assert_eq!(files.list().await.unwrap(), std::slice::from_ref(&hash));
        assert_eq!(read(&files, &hash, 0, 11).await, b"hello world");
        assert_eq!(read(&files, &hash, 6, 3).await, b"wor");
        let long: Vec<u8> = (0..200_000_u32).map(|number| number as u8).collect();
        let other = keep(&files, "c", &long).await;
        assert_eq!(read(&files, &other, 7, 199_993).await, long[7..]);
        assert!(files.read(&other, 0, 200_001, ()).await.unwrap().try_collect::<Vec<_>>().await.is_err());
        files.remove(&hash).await.unwrap();
        files.remove(&hash).await.unwrap();
        assert_eq!(files.list().await.unwrap(), [other]);
    }

    #[tokio::test]
    async fn what_was_never_whole_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let files = open(folder.path());
        let incoming = || std::fs::read_dir(folder.path().join("attachments/incoming")).unwrap().count();
        let mut half = files.begin("a").await.unwrap();
        half.write(b"hel").await.unwrap();
        assert_eq!(incoming(), 1);
        drop(half);
        assert_eq!(incoming(), 0);
        let killed = files.begin("b").await.unwrap();
        std::mem::forget(killed);
        drop(open(folder.path()));
        assert_eq!(incoming(), 0, "a relay that was killed left it, the next one removes it");
    }

    #[test]
    fn who_goes_away_before_the_first_byte_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let files = open(folder.path());
        // Work for its one thread is done one after the other.
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            let mut begun = Box::pin(files.begin("a"));
            assert!(futures::poll!(&mut begun).is_pending());
            drop(begun);
            spawn_blocking(|| ()).await.unwrap();
        });
        assert_eq!(std::fs::read_dir(folder.path().join("attachments/incoming")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn contents_that_no_row_names_are_swept_away() {
        let folder = tempfile::tempdir().unwrap();
        let files = open(folder.path());
        let (kept, lost) = (keep(&files, "a", b"kept").await, keep(&files, "b", b"lost").await);
        std::fs::write(folder.path().join("attachments/note"), "not ours").unwrap();
        assert_eq!(files.sweep(&HashSet::from([kept.clone()])).await.unwrap(), 1);
        assert_eq!(files.list().await.unwrap(), [kept]);
        assert!(files.read(&lost, 0, 1, ()).await.is_err());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn others_may_not_read_it() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let files = open(folder.path());
        let hash = keep(&files, "a", b"private").await;
        let rights = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((rights(&files.folder), rights(&files.place(&hash))), (0o700, 0o600));
    }
}
