//! Chat messages: kept once each, read back by pages.

use sqlx::Row;

use super::{AccountId, DbRow, Result, Store, wall_clock_ms, written};

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
        let new = sqlx::query(
            "INSERT INTO messages (low, high, sender, client_id, text, sent_at_ms, withheld) VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (sender, client_id) DO NOTHING RETURNING id, low, high, sender, client_id, text, sent_at_ms",
        )
        .bind(low.0)
        .bind(high.0)
        .bind(message.from.0)
        .bind(message.client_id)
        .bind(message.text)
        .bind(wall_clock_ms())
        .bind(i64::from(message.withheld));
        if let Some(row) = written(new, &self.writer).await? {
            return Ok((kept(&row)?, true));
        }
        let row = sqlx::query(
            "SELECT id, low, high, sender, client_id, text, sent_at_ms FROM messages WHERE sender = $1 AND client_id = $2",
        )
        .bind(message.from.0)
        .bind(message.client_id)
        .fetch_one(&self.writer)
        .await?;
        Ok((kept(&row)?, false))
    }

    /// Removes what was sent before this time, a batch after the other, so that nobody who writes meanwhile waits for long.
    pub(crate) async fn expire_messages(&self, before_ms: i64) -> Result<()> {
        // The oldest have the lowest ids: where none of them is too old there is nothing to look for further on.
        let batch = "DELETE FROM messages WHERE sent_at_ms < $1 AND id IN (SELECT id FROM messages ORDER BY id LIMIT 500)";
        while sqlx::query(batch).bind(before_ms).execute(&self.writer).await?.rows_affected() > 0 {}
        Ok(())
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

fn kept(row: &DbRow) -> Result<Kept> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_past_their_time_are_removed_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("relay.db")).await.unwrap();
        let ana = store.add_account(&"Ana".parse().unwrap(), "hash").await.unwrap().unwrap();
        let ben = store.add_account(&"Ben".parse().unwrap(), "hash").await.unwrap().unwrap();
        // More than a batch.
        for number in 0..1100 {
            let client_id = number.to_string();
            store
                .keep_message(NewMessage { from: ana, to: ben, text: "x", client_id: &client_id, withheld: false })
                .await
                .unwrap();
        }
        store.execute("UPDATE messages SET sent_at_ms = 1000 WHERE id <= 1050").await.unwrap();
        store.expire_messages(1000).await.unwrap();
        let page = Page { one: ana, other: ben, before: None, after: Some(0), limit: 2000 };
        assert_eq!(store.page(page).await.unwrap().0.len(), 1100, "those of that very moment stay");
        store.expire_messages(1001).await.unwrap();
        let left = store.page(page).await.unwrap().0;
        assert_eq!((left.len(), left[0].client_id.as_str()), (50, "1050"));
    }
}
