//! What must outlive the process, in one SQLite file or a PostgreSQL database: accounts, sessions, invitation codes, buddies, chat, attachments,
//! calls.
//!
//! Everything that knows SQL is in here, and all of it is understood by both. Writes go through one connection, so they never wait for
//! each other inside the database and the rows of a table get their ids in the order they are committed. What a write gives back is
//! read by [`written`].

mod accounts;
mod attachments;
mod calls;
mod chat;
mod codes;
mod conversations;
mod groups;
mod oidc;
mod open;
mod people;
mod schema;
mod sessions;
#[cfg(test)]
mod tests;
mod upkeep;

use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::{
    Row, SqlSafeStr, Transaction,
    any::{Any, AnyArguments},
    migrate::{Migration, MigrationType},
    query::Query,
};

pub(crate) use self::{
    accounts::AccountRow,
    attachments::{AttachmentRow, NewAttachment},
    calls::{CallRow, CallWrite, MemberRow},
    chat::{Kept, NewMessage, Page, Place},
    codes::ByCode,
    conversations::ConversationRow,
    groups::{GroupRow, NewGroup, Reached},
    oidc::ForSubject,
    open::{Location, User},
    people::{BlockRow, MissedRow, PresenceRow},
    sessions::{NewSession, SessionRow},
    upkeep::Told,
};

type DbPool = sqlx::AnyPool;
type DbConnection = sqlx::AnyConnection;
type DbRow = sqlx::any::AnyRow;

/// A row of the accounts table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AccountId(pub(crate) i64);

/// A row of the sessions table: one signed-in client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SessionId(pub(crate) i64);

/// What went wrong with the database.
pub(crate) type Result<T> = std::result::Result<T, sqlx::Error>;

/// Which database it is, where that makes a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
}

/// The open database. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    writer: DbPool,
    reader: DbPool,
    kind: Kind,
}

impl Store {
    /// Runs any statement.
    #[cfg(test)]
    pub(crate) async fn execute(&self, sql: &'static str) -> Result<()> {
        sqlx::query(sql).execute(&self.writer).await.map(drop)
    }

    /// Begins to change several rows at once. In a file the right to write is waited for now: taken only after something was read, it fails
    /// at once if the other process (the administrator's commands work beside a relay) wrote meanwhile.
    async fn begin(&self) -> Result<Transaction<'static, Any>> {
        let begin = match self.kind {
            Kind::Sqlite => "BEGIN IMMEDIATE",
            Kind::Postgres => "BEGIN",
        };
        self.writer.begin_with(begin).await
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

/// Runs a statement that writes, and takes the row it gives back. sqlx's own `fetch_optional` and `fetch_one` are content with the row alone, which
/// PostgreSQL sends before it commits.
async fn written<'q>(
    query: Query<'q, Any, AnyArguments>,
    connection: impl sqlx::Executor<'_, Database = Any>,
) -> Result<Option<DbRow>> {
    Ok(query.fetch_all(connection).await?.pop())
}

/// A number that is never negative.
fn number(row: &DbRow, at: usize) -> Result<u64> {
    Ok(u64::try_from(row.try_get::<i64, _>(at)?).unwrap_or(0))
}

/// The steps from an empty database to today's tables. A step that was released is never changed; the next one follows it.
///
/// A list by hand, since sqlx's macro for it would have all of sqlx and SQLite built a second time, to run while building. Each step is written for
/// SQLite, and [`schema::for_postgres`] says it in PostgreSQL's words.
fn steps(kind: Kind) -> Vec<Migration> {
    let step = |version, name: &'static str, sql: &'static str| {
        let sql = match kind {
            Kind::Sqlite => sql.into_sql_str(),
            Kind::Postgres => sqlx::AssertSqlSafe(schema::for_postgres(sql)).into_sql_str(),
        };
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    };
    vec![
        step(1, "start", include_str!("../migrations/0001_start.sql")),
        step(2, "sessions and codes", include_str!("../migrations/0002_sessions_and_codes.sql")),
        step(3, "people and rights", include_str!("../migrations/0003_people_and_rights.sql")),
        step(4, "groups, marks, attachments", include_str!("../migrations/0004_groups_marks_attachments.sql")),
        step(5, "oidc", include_str!("../migrations/0005_oidc.sql")),
        step(6, "withheld edits", include_str!("../migrations/0006_withheld_edits.sql")),
        step(7, "screens", include_str!("../migrations/0007_screens.sql")),
    ]
}

/// Milliseconds since 1970-01-01 UTC by this machine's clock.
pub(crate) fn wall_clock_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
