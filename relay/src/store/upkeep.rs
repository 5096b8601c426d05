//! Copies of the database, and what is known of one person.

use futures::TryStreamExt;
use serde_json::{Map, Value};
use sqlx::{Column, Row, TypeInfo, ValueRef};

use super::{AccountId, DbRow, Kind, Result, Store};

/// What is known of a person, section by section: its name, and what finds its rows for `$1`, the account. Columns are told under their names. Of
/// sessions and passwords nothing is told by which someone could sign in.
pub(super) const OF_A_PERSON: &[(&str, &str)] = &[
    ("account", "SELECT name, created_at_ms FROM accounts WHERE id = $1"),
    ("signs_in_at", "SELECT issuer, subject FROM oidc WHERE account = $1"),
    ("sessions", "SELECT public AS id, device, signed_in_at_ms, used_at_ms FROM sessions WHERE account = $1 ORDER BY sessions.id"),
    (
        "calls",
        "SELECT members.call, members.peer, members.audio, members.video, members.screen, members.muted FROM members JOIN sessions ON sessions.id = members.session
         WHERE sessions.account = $1",
    ),
    (
        "buddies_wanted",
        "SELECT accounts.name FROM buddies JOIN accounts ON accounts.id = buddies.buddy WHERE buddies.account = $1 ORDER BY accounts.id",
    ),
    (
        "wanted_as_buddy_by",
        "SELECT accounts.name FROM buddies JOIN accounts ON accounts.id = buddies.account WHERE buddies.buddy = $1 ORDER BY accounts.id",
    ),
    (
        "messages",
        "SELECT messages.id, sender.name AS \"from\", receiver.name AS \"to\", chat_groups.title AS \"group\", messages.text, messages.html,
         messages.sent_at_ms, messages.edited_at_ms, messages.deleted, messages.client_id,
         CASE WHEN messages.sender = $1 THEN messages.own_text END AS own_text,
         CASE WHEN messages.sender = $1 THEN messages.own_html END AS own_html,
         CASE WHEN messages.sender = $1 THEN messages.own_edited_at_ms END AS own_edited_at_ms
         FROM messages JOIN accounts AS sender ON sender.id = messages.sender
         LEFT JOIN accounts AS receiver ON receiver.id = messages.low + messages.high - messages.sender AND messages.chat_group IS NULL
         LEFT JOIN chat_groups ON chat_groups.id = messages.chat_group
         WHERE (messages.low = $1 OR messages.high = $1) AND (messages.withheld = 0 OR messages.sender = $1) ORDER BY messages.id",
    ),
    (
        "conversations",
        "SELECT accounts.name AS \"with\", conversations.delivered, conversations.read_to FROM conversations
         JOIN accounts ON accounts.id = conversations.other WHERE conversations.account = $1 ORDER BY accounts.id",
    ),
    (
        "groups",
        "SELECT chat_groups.title, chat_groups.made_at_ms, group_members.delivered, group_members.read_to FROM group_members
         JOIN chat_groups ON chat_groups.id = group_members.chat_group WHERE group_members.account = $1 ORDER BY chat_groups.made_at_ms",
    ),
    (
        "attachments",
        "SELECT attachments.name, attachments.kind, attachments.size, attachments.hash, attachments.made_at_ms, message_attachments.message
         FROM attachments LEFT JOIN message_attachments ON message_attachments.attachment = attachments.id
         WHERE attachments.account = $1 ORDER BY attachments.made_at_ms, message_attachments.message",
    ),
    ("presence", "SELECT choice, line, seen_at_ms FROM presences WHERE account = $1"),
    // Who has blocked or reported them is those others' own.
    (
        "blocked",
        "SELECT accounts.name FROM blocks JOIN accounts ON accounts.id = blocks.blocked WHERE blocks.account = $1 ORDER BY accounts.id",
    ),
    (
        "missed_calls",
        "SELECT accounts.name AS \"from\", missed.at_ms, missed.rings FROM missed JOIN accounts ON accounts.id = missed.caller
         WHERE missed.account = $1 ORDER BY accounts.id",
    ),
    (
        "reports",
        "SELECT reports.id, accounts.name AS about, reports.text, reports.at_ms FROM reports
         JOIN accounts ON accounts.id = reports.account WHERE reports.reporter = $1 ORDER BY reports.id",
    ),
    ("removed_from_calls", "SELECT call FROM removed WHERE account = $1"),
];

/// What takes what is known of a person: sections, each with its rows.
pub(crate) trait Told {
    /// A section begins.
    fn section(&mut self, name: &'static str) -> std::io::Result<()>;
    /// One of its rows.
    fn row(&mut self, row: Map<String, Value>) -> std::io::Result<()>;
}

impl Store {
    /// Whether the database is a file, which can be copied from here.
    pub(crate) fn is_file(&self) -> bool {
        self.kind == Kind::Sqlite
    }

    /// Writes a copy of the database as it is at this moment into an empty file, while others go on writing. SQLite alone.
    pub(crate) async fn copy_into(&self, file: &str) -> Result<()> {
        sqlx::query("VACUUM INTO $1").bind(file).execute(&self.reader).await.map(drop)
    }

    /// What is wrong with the database's pages and indexes, if anything is. SQLite alone.
    pub(crate) async fn damage(&self) -> Result<Option<String>> {
        let found: String = sqlx::query("PRAGMA integrity_check(1)").fetch_one(&self.reader).await?.try_get(0)?;
        Ok((found != "ok").then_some(found))
    }

    /// Ends all sessions, and the calls with them.
    pub(crate) async fn end_all_sessions(&self) -> Result<()> {
        let mut transaction = self.begin().await?;
        for sql in ["DELETE FROM calls", "DELETE FROM sessions"] {
            sqlx::query(sql).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }

    /// Takes what was removed out of the file's journal too, as far as nobody reads it right now. PostgreSQL does that by itself in time.
    pub(crate) async fn forget_removed(&self) -> Result<()> {
        if self.kind == Kind::Sqlite {
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_all(&self.writer).await?;
        }
        Ok(())
    }

    /// Tells all that is known of a person, row by row, however much it is.
    pub(crate) async fn tell_all(&self, id: AccountId, told: &mut (impl Told + Send)) -> Result<()> {
        for (name, sql) in OF_A_PERSON {
            told.section(name)?;
            let mut rows = sqlx::query(*sql).bind(id.0).fetch(&self.reader);
            while let Some(row) = rows.try_next().await? {
                told.row(as_json(&row)?)?;
            }
        }
        Ok(())
    }
}

fn as_json(row: &DbRow) -> Result<Map<String, Value>> {
    let value = |at: usize| -> Result<Value> {
        let raw = row.try_get_raw(at)?;
        if raw.is_null() {
            return Ok(Value::Null);
        }
        let is_text = raw.type_info().name() == "TEXT";
        Ok(if is_text { row.try_get::<String, _>(at)?.into() } else { row.try_get::<i64, _>(at)?.into() })
    };
    row.columns().iter().map(|column| Ok((column.name().to_owned(), value(column.ordinal())?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Location, User};

    /// Tables with nothing of a person in them, and why.
    const OF_NOBODY: &[&str] = &[
        // What they say is known to whom they were given alone.
        "codes",
        // Numbers of accounts.
        "admin_log",
        // Who is in them stands in `members`.
        "calls",
        // Whose they are stands in `attachments`.
        "contents",
        // Which peer of a call gave out a link; what it says is known to whom it was given alone.
        "links",
    ];

    #[tokio::test]
    async fn all_that_is_kept_of_a_person_is_told_to_them_and_goes_with_them() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_at(&Location::File(folder.path().join("relay.db")), User::Admin).await.unwrap();
        let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE '_sqlx%'";
        let tables = sqlx::query(tables).fetch_all(&store.reader).await.unwrap();
        assert!(tables.len() > 5);
        let words =
            |sql: &str| sql.split(|sign: char| !sign.is_alphanumeric() && sign != '_').map(str::to_owned).collect::<Vec<_>>();
        for table in tables {
            let table: String = table.try_get(0).unwrap();
            let told = OF_A_PERSON.iter().any(|(_, sql)| words(sql).contains(&table));
            assert!(told != OF_NOBODY.contains(&table.as_str()), "{table}: tell it in OF_A_PERSON, or say why not in OF_NOBODY");
            let keys = "SELECT \"table\", on_delete FROM pragma_foreign_key_list($1)";
            for key in sqlx::query(keys).bind(&table).fetch_all(&store.reader).await.unwrap() {
                let (of, then): (String, String) = (key.try_get(0).unwrap(), key.try_get(1).unwrap());
                assert!(of != "accounts" || then == "CASCADE", "{table}: a person can't be removed without what is in it");
            }
        }
    }
}
