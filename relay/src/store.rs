//! What must outlive the process, in one SQLite file: accounts, sessions, invitation codes, buddies, chat, calls.
//!
//! Everything that knows SQL is in here. Writes go through one connection, so they never wait for each other inside SQLite;
//! a second process (the admin command) is waited for up to [`BUSY`]. WAL with `synchronous = NORMAL`: what was committed survives
//! the process being killed at any moment, and a power cut at worst loses the last moments but never damages the file.

mod accounts;
mod calls;
mod chat;
mod codes;
mod oidc;
mod sessions;

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
    accounts::AccountRow,
    calls::{CallRow, CallWrite, MemberRow},
    chat::{Kept, NewMessage, Page},
    codes::ByCode,
    oidc::ForSubject,
    sessions::{NewSession, SessionRow},
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
        Migrator::with_migrations(steps()).run(&writer).await?;
        let reader = SqlitePoolOptions::new().max_connections(READERS).connect_with(options).await?;
        Ok(Self { writer, reader })
    }

    /// Runs any statement.
    #[cfg(test)]
    pub(crate) async fn execute(&self, sql: &'static str) -> Result<()> {
        sqlx::query(sql).execute(&self.writer).await.map(drop)
    }

    /// Asks the database whether it is there.
    pub(crate) async fn answers(&self) -> Result<()> {
        sqlx::query("SELECT 1 FROM accounts LIMIT 1").fetch_optional(&self.reader).await.map(drop)
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
fn steps() -> Vec<Migration> {
    let step = |version, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    vec![
        step(1, "start", include_str!("../migrations/0001_start.sql")),
        step(2, "sessions and codes", include_str!("../migrations/0002_sessions_and_codes.sql")),
        step(6, "oidc", include_str!("../migrations/0006_oidc.sql")),
    ]
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

    /// A database as the first step alone left it: with someone in it, signed in on two devices and in a call.
    async fn first_release(file: &Path) {
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options.foreign_keys(true)).await.unwrap();
        Migrator::with_migrations(steps().into_iter().take(1).collect()).run(&pool).await.unwrap();
        for sql in [
            "INSERT INTO accounts (name, key, password, created_at_ms) VALUES ('Ana', 'ana', 'hash', 1)",
            "INSERT INTO sessions (token, account, device, used_at_ms) VALUES (zeroblob(32), 1, 'kitchen', 5)",
            "INSERT INTO sessions (token, account, device, used_at_ms) VALUES (randomblob(32), 1, '', 6)",
            "INSERT INTO messages (low, high, sender, client_id, text, sent_at_ms) VALUES (1, 1, 1, 'a', 'Hello', 7)",
            "INSERT INTO calls (id, next_peer) VALUES ('call', 2)",
            "INSERT INTO members (call, peer, session, audio, video) VALUES ('call', 1, 2, 1, 0)",
        ] {
            sqlx::query(sql).execute(&pool).await.unwrap();
        }
        pool.close().await;
    }

    #[tokio::test]
    async fn a_database_of_the_first_release_is_brought_up_to_date_with_all_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("relay.db");
        first_release(&file).await;
        let store = Store::open(&file).await.unwrap();
        let sessions = store.sessions().await.unwrap();
        assert_eq!((sessions.len(), sessions[0].token.0), (2, [0; 32]));
        let own = store.sessions_of(AccountId(1)).await.unwrap();
        assert_eq!((own[0].device.as_str(), own[0].used_at_ms, own[0].signed_in_at_ms), ("kitchen", 5, None));
        assert!(own[0].public.len() == 32 && own[1].public.len() == 32 && own[0].public != own[1].public, "{own:?}");
        assert_eq!(store.calls().await.unwrap()[0].members[0].session, sessions[1].id);
        let page = Page { one: AccountId(1), other: AccountId(1), before: None, after: None, limit: 10 };
        assert_eq!(store.page(page).await.unwrap().0[0].text, "Hello");
        let (account, token) = (AccountId(1), crate::token::TokenHash::of("new"));
        let new = NewSession { token, public: "new", account, password: "hash", device: "" };
        assert!(store.add_session(new).await.unwrap().is_some());
        store.add_code(&token, 1, i64::MAX).await.unwrap();
        store.close().await;
        Store::open(&file).await.expect("once up to date it stays so").close().await;
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
