//! Attachments: whose they are, which messages refer to them, and which contents nobody refers to any more.

use std::collections::{HashMap, HashSet};

use sqlx::{AssertSqlSafe, Row, any::Any};

use super::{AccountId, DbConnection, DbRow, Result, Store, number, wall_clock_ms, written};

/// An upload as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AttachmentRow {
    pub(crate) id: String,
    /// `None` once it is past its days.
    pub(crate) hash: Option<String>,
    pub(crate) size: u64,
    pub(crate) name: String,
    pub(crate) kind: String,
}

/// An upload that is whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewAttachment<'a> {
    pub(crate) id: &'a str,
    pub(crate) account: AccountId,
    pub(crate) hash: &'a str,
    pub(crate) size: u64,
    pub(crate) name: &'a str,
    pub(crate) kind: &'a str,
}

impl Store {
    /// Keeps an upload. One of the same person with the same content and name that went along with nothing yet is the same: its answer was
    /// lost, and it is sent again. Says as well whether nobody has sent this content before.
    pub(crate) async fn add_attachment(&self, new: NewAttachment<'_>) -> Result<(AttachmentRow, bool)> {
        let size = i64::try_from(new.size).unwrap_or(i64::MAX);
        let mut transaction = self.begin().await?;
        let known = sqlx::query(
            "SELECT id, hash, size, name, kind FROM attachments WHERE account = $1 AND hash = $2 AND name = $3 AND kind = $4
             AND NOT EXISTS (SELECT 1 FROM message_attachments WHERE attachment = attachments.id)",
        )
        .bind(new.account.0)
        .bind(new.hash)
        .bind(new.name)
        .bind(new.kind)
        .fetch_optional(&mut *transaction)
        .await?;
        if let Some(row) = known {
            let known = attachment(&row)?;
            sqlx::query("UPDATE attachments SET made_at_ms = $2 WHERE id = $1")
                .bind(known.id.as_str())
                .bind(wall_clock_ms())
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            return Ok((known, false));
        }
        let content = sqlx::query("INSERT INTO contents (hash, size) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING")
            .bind(new.hash)
            .bind(size)
            .execute(&mut *transaction)
            .await?;
        let new = sqlx::query(
            "INSERT INTO attachments (id, account, hash, size, name, kind, made_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)
             RETURNING id, hash, size, name, kind",
        )
        .bind(new.id)
        .bind(new.account.0)
        .bind(new.hash)
        .bind(size)
        .bind(new.name)
        .bind(new.kind)
        .bind(wall_clock_ms());
        let row = written(new, &mut *transaction).await?.ok_or(sqlx::Error::RowNotFound)?;
        let added = attachment(&row)?;
        transaction.commit().await?;
        Ok((added, content.rows_affected() > 0))
    }

    /// An attachment, if it is this person's own upload, or went along with a message that was sent to them.
    pub(crate) async fn attachment_for(&self, account: AccountId, id: &str) -> Result<Option<AttachmentRow>> {
        // PostgreSQL doesn't even look for it.
        if id.contains('\0') {
            return Ok(None);
        }
        let row = sqlx::query(
            "SELECT id, hash, size, name, kind FROM attachments WHERE id = $1 AND (account = $2
             OR EXISTS (SELECT 1 FROM message_attachments r JOIN messages m ON m.id = r.message
                        WHERE r.attachment = attachments.id AND m.chat_group IS NULL AND (m.low = $2 OR m.high = $2) AND (m.withheld = 0 OR m.sender = $2))
             OR EXISTS (SELECT 1 FROM message_attachments r JOIN messages m ON m.id = r.message
                        JOIN group_members g ON g.chat_group = m.chat_group
                        WHERE r.attachment = attachments.id AND g.account = $2 AND g.after_id < m.id))",
        )
        .bind(id)
        .bind(account.0)
        .fetch_optional(&self.reader)
        .await?;
        row.as_ref().map(attachment).transpose()
    }

    /// Bytes of a person's uploads, each with so many more.
    pub(crate) async fn attachment_bytes(&self, account: AccountId, more: u64) -> Result<u64> {
        let bytes = sqlx::query(
            "SELECT CAST(COALESCE(SUM(size + $2), 0) AS BIGINT) FROM attachments WHERE account = $1 AND hash IS NOT NULL",
        );
        let bytes = bytes.bind(account.0).bind(i64::try_from(more).unwrap_or(i64::MAX));
        number(&bytes.fetch_one(&self.reader).await?, 0)
    }

    /// Bytes of all contents, each with so many more. It looks at every one of them.
    pub(crate) async fn content_bytes(&self, more: u64) -> Result<u64> {
        let bytes = sqlx::query("SELECT CAST(COALESCE(SUM(size + $1), 0) AS BIGINT) FROM contents");
        let bytes = bytes.bind(i64::try_from(more).unwrap_or(i64::MAX));
        number(&bytes.fetch_one(&self.reader).await?, 0)
    }

    /// Forgets uploads made before `unused` that went along with nothing, and the contents of all made before `old`.
    pub(crate) async fn expire_attachments(&self, unused_ms: i64, old_ms: Option<i64>) -> Result<()> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "DELETE FROM attachments WHERE made_at_ms < $1
             AND NOT EXISTS (SELECT 1 FROM message_attachments WHERE attachment = attachments.id)",
        )
        .bind(unused_ms)
        .execute(&mut *transaction)
        .await?;
        if let Some(old_ms) = old_ms {
            sqlx::query("UPDATE attachments SET hash = NULL WHERE made_at_ms < $1 AND hash IS NOT NULL")
                .bind(old_ms)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await
    }

    /// Forgets the contents that no attachment has any more, and says which: their files may go.
    pub(crate) async fn drop_unused_contents(&self) -> Result<Vec<String>> {
        let rows = sqlx::query(
            "DELETE FROM contents WHERE NOT EXISTS (SELECT 1 FROM attachments WHERE attachments.hash = contents.hash) RETURNING hash",
        )
        .fetch_all(&self.writer)
        .await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }

    /// All contents there are.
    pub(crate) async fn contents(&self) -> Result<HashSet<String>> {
        let rows = sqlx::query("SELECT hash FROM contents").fetch_all(&self.reader).await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }
}

/// What goes along with each of these messages, in order: one query for all of them.
pub(super) async fn of_messages(
    connection: &mut DbConnection,
    mut messages: Vec<i64>,
) -> Result<HashMap<i64, Vec<AttachmentRow>>> {
    let mut attachments = HashMap::<i64, Vec<AttachmentRow>>::new();
    let Some(last) = messages.last().copied() else { return Ok(attachments) };
    // One of them more than once is no more; there are few lengths then, and each is prepared once.
    messages.resize(messages.len().next_power_of_two(), last);
    let places = (1..=messages.len()).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ");
    // Nothing but numbers of places is put in.
    let sql = AssertSqlSafe(format!(
        "SELECT a.id, a.hash, a.size, a.name, a.kind, r.message FROM message_attachments r JOIN attachments a ON a.id = r.attachment
         WHERE r.message IN ({places}) ORDER BY r.message, r.place"
    ));
    let query = messages.into_iter().fold(sqlx::query::<Any>(sql), |query, message| query.bind(message));
    for row in query.fetch_all(connection).await? {
        attachments.entry(row.try_get(5)?).or_default().push(attachment(&row)?);
    }
    Ok(attachments)
}

fn attachment(row: &DbRow) -> Result<AttachmentRow> {
    Ok(AttachmentRow {
        id: row.try_get(0)?,
        hash: row.try_get(1)?,
        size: number(row, 2)?,
        name: row.try_get(3)?,
        kind: row.try_get(4)?,
    })
}
