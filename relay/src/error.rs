//! Why a relay can't be opened or run.

use std::{io, path::PathBuf};

/// Why a relay can't be opened or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The data folder can't be made or used.
    #[error("the data folder {} can't be used: {source}", path.display())]
    Data {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing says where the data folder is.
    #[error("this user has no data folder: say --data DIR")]
    NoDataFolder,
    /// The configuration file can't be read.
    #[error("the configuration file {} can't be read: {source}", path.display())]
    ConfigFile {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The configuration file says something it can't.
    #[error("{}, line {line}: {message}", path.display())]
    Config {
        /// Which.
        path: PathBuf,
        /// Where in it, from 1 on.
        line: usize,
        /// What is wrong, and what may stand there.
        message: String,
    },
    /// Another relay runs on this data folder.
    #[error("another relay runs on the data folder {}", path.display())]
    InUse {
        /// Which.
        path: PathBuf,
    },
    /// What the command line says of the database is no URL of one.
    #[error("--database: {0}")]
    DatabaseUrl(crate::config::NotADatabase),
    /// The database server can't be used.
    #[error("the database {database} can't be used: {source}")]
    DatabaseServer {
        /// Which.
        database: String,
        /// Why.
        source: sqlx::Error,
    },
    /// Another relay runs on this database.
    #[error("another relay runs on the database {database}")]
    DatabaseInUse {
        /// Which.
        database: String,
    },
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// A key is named, and no certificate for it.
    #[error("the key {} goes with no certificate: name that, too", key.display())]
    KeyAlone {
        /// The key's file.
        key: PathBuf,
    },
    /// The certificate can't be used.
    #[error("the certificate can't be used: {0}")]
    Certificate(#[from] crate::tls::BadCertificate),
    /// TLS can't be set up.
    #[error("TLS can't be set up: {0}")]
    Tls(rustls::Error),
    /// The address can't be listened on.
    #[error("can't listen on {address}: {source}")]
    Listen {
        /// Which.
        address: crate::listen::Listen,
        /// Why.
        source: io::Error,
    },
    /// Serving failed.
    #[error("serving failed: {0}")]
    Serve(#[from] io::Error),
    /// A file can't be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder was to be empty.
    #[error("{} is not empty: name a folder that is, or that is not there yet", path.display())]
    NotEmpty {
        /// Which.
        path: PathBuf,
    },
    /// A backup was to lie in what it is of.
    #[error("{} lies in the data folder: name another for the backup", path.display())]
    BackupWithin {
        /// Which.
        path: PathBuf,
    },
    /// What was to be restored is no backup.
    #[error("{} is no backup that was finished: it has no relay.db, or a relay works on it", path.display())]
    NoBackup {
        /// Which.
        path: PathBuf,
    },
    /// The database of a backup is damaged.
    #[error("the backup {} is damaged, and what is left of it lies in the data folder: {damage}", path.display())]
    DamagedBackup {
        /// Which.
        path: PathBuf,
        /// What SQLite says.
        damage: String,
    },
    /// The database is PostgreSQL's, which has its own backups.
    #[error(
        "this relay's database is PostgreSQL's: back it up by pg_dump and restore it by pg_restore or psql; the data folder can be copied beside it"
    )]
    OnServer,
    /// The system gives no random numbers.
    #[error(transparent)]
    Random(#[from] crate::token::NoRandomness),
    /// Hashing a password failed.
    #[error("hashing a password failed: {0}")]
    Hash(String),
    /// A name is taken.
    #[error("the name {0} is taken")]
    NameTaken(proto::Name),
    /// There is no such account.
    #[error("there is no account {0}")]
    NoSuchAccount(proto::Name),
    /// There is no such invitation code.
    #[error("there is no invitation code {0} that still counts")]
    NoSuchCode(i64),
    /// There is no such report.
    #[error("there is no report {0} that waits")]
    NoSuchReport(i64),
    /// Nobody is their own buddy.
    #[error("{0} can't be their own buddy")]
    OwnBuddy(proto::Name),
    /// The password is too short or too long.
    #[error("{0}")]
    Password(&'static str),
}

impl From<crate::password::HashFailed> for Error {
    fn from(failed: crate::password::HashFailed) -> Self {
        Self::Hash(failed.to_string())
    }
}
