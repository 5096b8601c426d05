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
    SqlitePool,
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
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY)
            .foreign_keys(true);
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        sqlx::migrate!("./migrations").run(&writer).await?;
        let reader = SqlitePoolOptions::new().max_connections(READERS).connect_with(options).await?;
        Ok(Self { writer, reader })
    }

    /// Closes every connection; what is under way ends first.
    pub(crate) async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
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
}
