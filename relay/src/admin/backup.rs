//! Backups. One is a data folder: all that is in the relay's own, and the database as it was at one moment.

use std::{fs, io, path::Path};

use super::Admin;
use crate::{
    config::{Config, DATABASE},
    error::Error,
    store::{Location, Store, User},
};

/// What the database is called until it is whole.
const PART: &str = "relay.db.part";

impl Admin {
    /// Backs the relay's data up into a folder that is empty or not there yet, whether the relay runs or not. What is sent meanwhile may miss it;
    /// what is in it belongs together.
    ///
    /// # Errors
    /// When the folder isn't empty or lies in the data folder, the disk is full, or the database is PostgreSQL's.
    pub async fn backup(&self, into: &Path) -> Result<(), Error> {
        if !self.store.is_file() {
            return Err(Error::OnServer);
        }
        let data = self.data.canonicalize().map_err(at(&self.data))?;
        make_empty(into)?;
        let into = into.canonicalize().map_err(at(into))?;
        if into.starts_with(&data) {
            return Err(Error::BackupWithin { path: into });
        }
        let part = into.join(PART);
        new_file(&part).map_err(at(&part))?;
        let not_text = || io::Error::new(io::ErrorKind::InvalidInput, "its path is not in UTF-8");
        self.store.copy_into(part.to_str().ok_or_else(not_text).map_err(at(&part))?).await?;
        fs::File::open(&part).and_then(|file| file.sync_all()).map_err(at(&part))?;
        copy_folder(&data, &into, true)?;
        // Last: without it nobody takes the folder for a backup.
        let whole = into.join(DATABASE);
        fs::rename(&part, &whole).map_err(at(&whole))
    }
}

/// Puts a backup into a data folder that is empty or not there yet, and signs everyone off: sessions that were ended and passwords that were changed
/// since are not known to it.
///
/// # Errors
/// When the data folder isn't empty, the backup is none or damaged or of a newer relay, or the configured database is PostgreSQL's.
pub async fn restore(config: &Config, from: &Path) -> Result<(), Error> {
    if config.database.is_some() {
        return Err(Error::OnServer);
    }
    // Beside the database of a relay that runs, or was killed, lies what isn't in it yet.
    if !from.join(DATABASE).is_file() || from.join(format!("{DATABASE}-wal")).exists() {
        return Err(Error::NoBackup { path: from.to_owned() });
    }
    config.make_data().map_err(at(&config.data))?;
    make_empty(&config.data)?;
    copy_folder(from, &config.data, true)?;
    let part = config.data.join(PART);
    let copied = new_file(&part).and_then(|mut file| io::copy(&mut fs::File::open(from.join(DATABASE))?, &mut file));
    copied.map_err(at(&part))?;
    let store = Store::open_at(&Location::File(part.clone()), User::Admin).await?;
    if let Some(damage) = store.damage().await? {
        return Err(Error::DamagedBackup { path: from.to_owned(), damage });
    }
    store.end_all_sessions().await?;
    // All of it into the one file that gets its name now.
    store.forget_removed().await?;
    store.close().await;
    let whole = config.data.join(DATABASE);
    fs::rename(&part, &whole).map_err(at(&whole))
}

/// An error with the file it befell.
fn at(path: &Path) -> impl Fn(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::File { path: path.clone(), source }
}

/// Makes a folder for nobody else to read, unless it is there and empty.
fn make_empty(path: &Path) -> Result<(), Error> {
    let mut folder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.recursive(true).create(path).map_err(at(path))?;
    if fs::read_dir(path).map_err(at(path))?.next().is_some() {
        return Err(Error::NotEmpty { path: path.to_owned() });
    }
    Ok(())
}

/// Makes a file for nobody else to read.
pub(super) fn new_file(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create_new(true).open(path)
}

/// Copies files, folders and links with their rights. At the top the database is left out with what lies beside it: it's copied as a whole.
fn copy_folder(from: &Path, to: &Path, top: bool) -> Result<(), Error> {
    for entry in fs::read_dir(from).map_err(at(from))? {
        let entry = entry.map_err(at(from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if top && (name.starts_with(DATABASE) || name == "relay.lock") {
            continue;
        }
        match copy_entry(&entry, &source, &target) {
            // It was removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(at(&source)(error)),
            Ok(true) => copy_folder(&source, &target, false)?,
            Ok(false) => {}
        }
    }
    Ok(())
}

/// Copies one entry. Whether it is a folder, in which all is left to be copied.
fn copy_entry(entry: &fs::DirEntry, source: &Path, target: &Path) -> io::Result<bool> {
    let kind = entry.file_type()?;
    if kind.is_dir() {
        fs::create_dir(target)?;
        fs::set_permissions(target, fs::metadata(source)?.permissions())?;
    } else if kind.is_file() {
        fs::copy(source, target)?;
    } else if kind.is_symlink() {
        #[cfg(unix)]
        std::os::unix::fs::symlink(fs::read_link(source)?, target)?;
    }
    Ok(kind.is_dir())
}
