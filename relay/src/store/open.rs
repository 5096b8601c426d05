//! Opening the database: where it is, how it is set, and that one relay alone works on it.
//!
//! SQLite: WAL with `synchronous = NORMAL`. What was committed survives the process being killed at any moment, and a power cut at worst
//! loses the last moments but never damages the file. A second process (the admin command) is waited for up to [`BUSY`]. What is
//! removed is overwritten (`secure_delete`): a message that was deleted is to be found nowhere in the file.
//!
//! PostgreSQL: a relay holds a lock in the database for as long as it writes there. It is taken on the connection that writes, so a relay
//! that has lost it can't write either.

use std::{
    fmt::Write as _,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    ConnectOptions as _, Connection as _,
    any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers},
    migrate::Migrator,
};

use super::{DbConnection, Kind, Result, Store, steps};
use crate::{config::DatabaseUrl, error::Error};

/// How long a write to SQLite waits for another process to finish its own.
const BUSY: Duration = Duration::from_secs(5);

/// Connections for reading: history pages are the only reads a person waits for.
const READERS: u32 = 4;

/// How long a request waits for a connection to PostgreSQL before it is refused: someone is waiting for the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What one relay alone may hold, in each schema of a database. The one before it may still be let go of: that of a process which was killed
/// is noticed by the server within moments.
const CLAIM: &str = "SET lock_timeout = '3s';
    SELECT pg_advisory_lock(hashtextextended('tvphone-relay ' || current_schema(), 0));
    SET lock_timeout = 0";

/// What PostgreSQL says when a lock was not to be had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// Where the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// A file of SQLite's.
    File(PathBuf),
    /// A database of PostgreSQL's.
    Server(DatabaseUrl),
}

/// Who works on the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User {
    /// A relay: there is one alone.
    Relay,
    /// The admin command: beside a relay or another of its kind.
    Admin,
}

impl Store {
    /// Opens the database, makes the file if there is none, and brings the tables up to date.
    pub(crate) async fn open_at(location: &Location, user: User) -> std::result::Result<Self, Error> {
        install_default_drivers();
        match location {
            Location::File(file) => Ok(sqlite(file).await?),
            Location::Server(url) => {
                let unusable = |source| Error::DatabaseServer { database: url.to_string(), source };
                if user == User::Relay && is_claimed(url).await.map_err(unusable)? {
                    return Err(Error::DatabaseInUse { database: url.to_string() });
                }
                postgres(url, user).await.map_err(unusable)
            }
        }
    }

    /// Lets go of what a relay alone may hold. A file's lock goes with the process or its data folder's.
    pub(crate) fn let_go(&self) {
        if self.kind == Kind::Postgres
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let store = self.clone();
            runtime.spawn(async move { store.close().await });
        }
    }
}

async fn sqlite(file: &Path) -> Result<Store> {
    close_to_others(file)?;
    let options = sqlite_options(file)?;
    let pool = |connections| {
        let set = format!(
            "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON",
            BUSY.as_millis()
        );
        let pool = AnyPoolOptions::new().max_connections(connections);
        pool.after_connect(move |connection, _| {
            let set = set.clone();
            Box::pin(async move { sqlx::raw_sql(sqlx::AssertSqlSafe(set)).execute(connection).await.map(drop) })
        })
    };
    let writer = pool(1).connect_with(options.clone()).await?;
    Migrator::with_migrations(steps(Kind::Sqlite)).run(&writer).await?;
    let reader = pool(READERS).connect_with(options).await?;
    Ok(Store { writer, reader, kind: Kind::Sqlite })
}

async fn postgres(url: &DatabaseUrl, user: User) -> Result<Store> {
    let options = url.options()?;
    let pool = AnyPoolOptions::new().acquire_timeout(PATIENCE);
    // It stays for as long as the relay: with the connection the claim would go.
    let writer = pool.clone().max_connections(1).idle_timeout(None).max_lifetime(None);
    let writer = writer.after_connect(move |connection, _| {
        Box::pin(async move { if user == User::Relay { claim(connection).await } else { Ok(()) } })
    });
    let writer = writer.connect_with(options.clone()).await?;
    Migrator::with_migrations(steps(Kind::Postgres)).run(&writer).await?;
    let reader = pool.max_connections(READERS).connect_with(options).await?;
    Ok(Store { writer, reader, kind: Kind::Postgres })
}

async fn claim(connection: &mut DbConnection) -> Result<()> {
    sqlx::raw_sql(CLAIM).execute(connection).await.map(drop)
}

/// Whether another relay works on this database.
async fn is_claimed(url: &DatabaseUrl) -> Result<bool> {
    let mut connection = url.options()?.connect().await?;
    let claimed = match claim(&mut connection).await {
        Ok(()) => false,
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(LOCK_NOT_AVAILABLE) => true,
        Err(error) => return Err(error),
    };
    // The claim ends with the connection.
    connection.close().await?;
    Ok(claimed)
}

/// The file as the URL that sqlx takes.
fn sqlite_options(file: &Path) -> Result<AnyConnectOptions> {
    // Without `..`, which the URL would take for something else.
    let file = file.canonicalize()?;
    let not_text = || io::Error::new(io::ErrorKind::InvalidInput, "its path is not in UTF-8");
    let path = file.to_str().ok_or_else(not_text)?;
    let mut url = String::from("sqlite:");
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_') {
            url.push(char::from(byte));
        } else {
            // A String takes all that is written to it.
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url.parse()
}

/// Makes the file if there is none, readable for nobody else, and takes every right from others on one that is there: it holds what
/// people wrote. SQLite gives the files beside it the same rights.
#[cfg(unix)]
fn close_to_others(file: &Path) -> io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

    std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(file)?;
    let beside = |suffix: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
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
fn close_to_others(file: &Path) -> io::Result<()> {
    std::fs::OpenOptions::new().append(true).create(true).open(file).map(drop)
}
