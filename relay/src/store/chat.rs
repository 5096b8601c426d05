//! Chat messages: kept once each, read back by pages.

use sqlx::{Row, sqlite::SqliteRow};

use super::{AccountId, Result, Store, wall_clock_ms};

/// A message to keep.
#[derive(Debug)]
pub(crate) struct NewMessage<'a> {
    pub(crate) from: AccountId,
    pub(crate) to: AccountId,
    pub(crate) text: &'a str,
    pub(crate) client_id: &'a str,
    /// The one it is for has blocked its sender: nobody but the sender ever sees it.
    pub(crate) withheld: bool,
}

/// A message as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) id: u64,
    pub(crate) from: AccountId,
    pub(crate) to: AccountId,
    pub(crate) text: String,
    pub(crate) client_id: String,
    pub(crate) sent_at_ms: u64,
}

/// Which part of a conversation to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    /// Who reads it.
    pub(crate) one: AccountId,
    pub(crate) other: AccountId,
    pub(crate) before: Option<u64>,
    pub(crate) after: Option<u64>,
    pub(crate) limit: u32,
}

impl Store {
    /// Keeps a message; a second one with the same sender and client id gives back the first. Whether it is new comes beside it.
    pub(crate) async fn keep_message(&self, message: NewMessage<'_>) -> Result<(Kept, bool)> {
        let (low, high) = by_id(message.from, message.to);
        let added = sqlx::query(
            "INSERT INTO messages (low, high, sender, client_id, text, sent_at_ms, withheld) VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (sender, client_id) DO NOTHING RETURNING id, low, high, sender, client_id, text, sent_at_ms",
        )
        .bind(low.0)
        .bind(high.0)
        .bind(message.from.0)
        .bind(message.client_id)
        .bind(message.text)
        .bind(wall_clock_ms())
        .bind(i64::from(message.withheld))
        .fetch_optional(&self.writer)
        .await?;
        if let Some(row) = added {
            return Ok((kept(&row)?, true));
        }
        let row = sqlx::query(
            "SELECT id, low, high, sender, client_id, text, sent_at_ms FROM messages WHERE sender = ? AND client_id = ?",
        )
        .bind(message.from.0)
        .bind(message.client_id)
        .fetch_one(&self.writer)
        .await?;
        Ok((kept(&row)?, false))
    }

    /// Reads a page, oldest first, and whether there is more in the direction asked.
    pub(crate) async fn page(&self, page: Page) -> Result<(Vec<Kept>, bool)> {
        let (low, high) = by_id(page.one, page.other);
        let forward = page.after.is_some() && page.before.is_none();
        let sql = if forward {
            "SELECT id, low, high, sender, client_id, text, sent_at_ms FROM messages
             WHERE low = $1 AND high = $2 AND id > $3 AND id < $4 AND (withheld = 0 OR sender = $6) ORDER BY id ASC LIMIT $5"
        } else {
            "SELECT id, low, high, sender, client_id, text, sent_at_ms FROM messages
             WHERE low = $1 AND high = $2 AND id > $3 AND id < $4 AND (withheld = 0 OR sender = $6) ORDER BY id DESC LIMIT $5"
        };
        let bound = |id: u64| i64::try_from(id).unwrap_or(i64::MAX);
        let rows = sqlx::query(sql)
            .bind(low.0)
            .bind(high.0)
            .bind(page.after.map_or(-1, bound))
            .bind(page.before.map_or(i64::MAX, bound))
            .bind(i64::from(page.limit) + 1)
            .bind(page.one.0)
            .fetch_all(&self.reader)
            .await?;
        let mut messages = rows.iter().map(kept).collect::<Result<Vec<_>>>()?;
        let more = messages.len() > page.limit as usize;
        messages.truncate(page.limit as usize);
        if !forward {
            messages.reverse();
        }
        Ok((messages, more))
    }
}

fn by_id(one: AccountId, other: AccountId) -> (AccountId, AccountId) {
    (one.min(other), one.max(other))
}

fn kept(row: &SqliteRow) -> Result<Kept> {
    let number = |at: usize| -> Result<u64> { Ok(u64::try_from(row.try_get::<i64, _>(at)?).unwrap_or(0)) };
    let (low, high, sender): (i64, i64, i64) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    Ok(Kept {
        id: number(0)?,
        from: AccountId(sender),
        to: AccountId(if sender == low { high } else { low }),
        client_id: row.try_get(4)?,
        text: row.try_get(5)?,
        sent_at_ms: number(6)?,
    })
}
