//! What must outlive the process, in one SQLite file: accounts, sessions, buddies, chat, calls.
//!
//! Everything that knows SQL is in here. Writes go through one connection, so they never wait for each other inside SQLite;
//! a second process (the admin command) is waited for up to [`BUSY`]. WAL with `synchronous = NORMAL`: what was committed survives
//! the process being killed at any moment, and a power cut at worst loses the last moments but never damages the file.

mod accounts;
mod calls;
mod chat;

use std::{
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sqlx::{
    SqlSafeStr, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub(crate) use self::{
    accounts::SessionRow,
    calls::{CallRow, CallWrite, MemberRow},
    chat::{Kept, NewMessage, Page},
};

/// How long a write waits for another process to finish its own.
const BUSY: Duration = Duration::from_secs(5);

/// Connections for reading: history pages are the only reads a person waits for.
const READERS: u32 = 4;

/// A row of the accounts table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AccountId(pub(crate) i64);

/// A row of the sessions table: one signed-in client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SessionId(pub(crate) i64);

/// What went wrong with the database.
pub(crate) type Result<T> = std::result::Result<T, sqlx::Error>;

/// The open database. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    writer: SqlitePool,
    reader: SqlitePool,
}

impl Store {
    /// Opens the file, makes it if there is none, and brings its tables up to date.
    pub(crate) async fn open(file: &Path) -> Result<Self> {
        close_to_others(file)?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY)
            .foreign_keys(true);
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        migrations().run(&writer).await?;
        let reader = SqlitePoolOptions::new().max_connections(READERS).connect_with(options).await?;
        Ok(Self { writer, reader })
    }

    /// Runs any statement.
    #[cfg(test)]
    pub(crate) async fn execute(&self, sql: &'static str) -> Result<()> {
        sqlx::query(sql).execute(&self.writer).await.map(drop)
    }

    /// Closes every connection; what is under way ends first.
    pub(crate) async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

/// The steps from an empty database to today's tables. A step that was released is never changed; the next one follows it.
///
/// A list by hand, since sqlx's macro for it would have all of sqlx and SQLite built a second time, to run while building.
fn migrations() -> Migrator {
    let step = |version, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(vec![step(1, "start", include_str!("../migrations/0001_start.sql"))])
}

/// Makes the file if there is none, readable for nobody else, and takes every right from others on one that is there: it holds what
/// people wrote. SQLite gives the files beside it the same rights.
#[cfg(unix)]
fn close_to_others(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

    std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(file)?;
    let beside = |suffix: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        std::path::PathBuf::from(name)
    };
    for file in [file.to_owned(), beside("-wal"), beside("-shm")] {
        let Ok(metadata) = std::fs::metadata(&file) else { continue };
        let mode = metadata.permissions().mode();
        // Another user's file is theirs to close.
        if mode & 0o007 != 0 {
            let _ = std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode & !0o007));
        }
    }
    Ok(())
}

/// Elsewhere the folder's rights are all there is.
#[cfg(not(unix))]
fn close_to_others(_file: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Milliseconds since 1970-01-01 UTC by this machine's clock.
pub(crate) fn wall_clock_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_opened_again_still_has_its_rows() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("relay.db");
        let store = Store::open(&file).await.unwrap();
        let ana = store.add_account(&"Ana".parse().unwrap(), "hash").await.unwrap().unwrap();
        assert_eq!(store.add_account(&"ANA".parse().unwrap(), "hash").await.unwrap(), None);
        store.close().await;
        let store = Store::open(&file).await.unwrap();
        let rows = store.accounts().await.unwrap();
        assert_eq!(rows.iter().map(|row| (row.id, row.name.as_str())).collect::<Vec<_>>(), [(ana, "Ana")]);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn others_may_not_read_it() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let old = folder.path().join("old.db");
        std::fs::write(&old, "").unwrap();
        std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o664)).unwrap();
        let rights = |file: &Path| std::fs::metadata(file).unwrap().permissions().mode() & 0o777;
        for (file, expected) in [(old.clone(), 0o660), (folder.path().join("new.db"), 0o600)] {
            let store = Store::open(&file).await.unwrap();
            store.add_account(&"Ana".parse().unwrap(), "hash").await.unwrap();
            assert_eq!(rights(&file), expected);
            let mut wal = file.into_os_string();
            wal.push("-wal");
            assert_eq!(rights(Path::new(&wal)), expected);
            store.close().await;
        }
    }
}
