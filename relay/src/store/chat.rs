//! Chat messages: kept once each, read back by pages, changed and deleted.

use proto::GroupId;
use sqlx::Row;

use super::{AccountId, AttachmentRow, DbRow, Result, Store, wall_clock_ms, written};

/// SQL with the columns by which a message is read in place of the gap.
macro_rules! messages {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " id, low, high, sender, chat_group, client_id, text, html, sent_at_ms, edited_at_ms, deleted, attached, withheld,
            own_text, own_html, own_edited_at_ms ",
            $after
        )
    };
}

/// Where someone writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    With(AccountId),
    Group(GroupId),
}

/// A message to keep.
#[derive(Debug)]
pub(crate) struct NewMessage<'a> {
    pub(crate) from: AccountId,
    pub(crate) to: &'a Place,
    pub(crate) text: &'a str,
    pub(crate) html: Option<&'a str>,
    pub(crate) attachments: &'a [String],
    pub(crate) client_id: &'a str,
    /// The one it is for has blocked its sender: nobody but the sender ever sees it.
    pub(crate) withheld: bool,
}

/// A message as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) id: u64,
    pub(crate) from: AccountId,
    pub(crate) to: Place,
    pub(crate) text: String,
    pub(crate) html: Option<String>,
    pub(crate) attachments: Vec<AttachmentRow>,
    pub(crate) client_id: String,
    pub(crate) sent_at_ms: u64,
    pub(crate) edited_at_ms: Option<u64>,
    pub(crate) deleted: bool,
    /// Nobody but its sender sees it.
    pub(crate) withheld: bool,
    /// How many attachments it has, whether they were read or not.
    attached: i64,
}

/// Which part of a conversation to read.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) me: AccountId,
    pub(crate) place: Place,
    /// Only messages after this one are to be read at all.
    pub(crate) floor: u64,
    pub(crate) before: Option<u64>,
    pub(crate) after: Option<u64>,
    pub(crate) limit: u32,
}

impl Store {
    /// Keeps a message, of whose sender and client id there is none yet; `None` when one of its attachments is not there, or not the sender's. Who wrote
    /// has read what came before.
    pub(crate) async fn keep_message(&self, new: NewMessage<'_>) -> Result<Option<Kept>> {
        let (low, high, group) = columns(new.from, new.to);
        let mut transaction = self.begin().await?;
        let added = sqlx::query(messages!(
            "INSERT INTO messages (low, high, sender, chat_group, client_id, text, html, sent_at_ms, attached, withheld)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING",
            ""
        ))
        .bind(low.0)
        .bind(high.0)
        .bind(new.from.0)
        .bind(group)
        .bind(new.client_id)
        .bind(new.text)
        .bind(new.html)
        .bind(wall_clock_ms())
        .bind(i64::try_from(new.attachments.len()).unwrap_or(i64::MAX))
        .bind(i64::from(new.withheld));
        let row = written(added, &mut *transaction).await?.ok_or(sqlx::Error::RowNotFound)?;
        let mut message = kept(&row, new.from)?;
        let id = bound(message.id);
        for (place, attachment) in new.attachments.iter().enumerate() {
            let added = sqlx::query(
                "INSERT INTO message_attachments (message, place, attachment)
                 SELECT $1, $2, id FROM attachments WHERE id = $3 AND account = $4 AND hash IS NOT NULL",
            )
            .bind(id)
            .bind(i64::try_from(place).unwrap_or(i64::MAX))
            .bind(attachment.as_str())
            .bind(new.from.0)
            .execute(&mut *transaction)
            .await?;
            if added.rows_affected() == 0 {
                return Ok(None);
            }
        }
        match new.to {
            Place::With(other) => {
                sqlx::query(
                    "INSERT INTO conversations (account, other, last, delivered, read_to, shown_delivered, shown_read)
                     VALUES ($1, $2, $3, $3, $3, $4, $4) ON CONFLICT (account, other) DO UPDATE SET last = excluded.last,
                     delivered = excluded.delivered, read_to = excluded.read_to,
                     shown_delivered = CASE WHEN excluded.shown_delivered = 0 THEN conversations.shown_delivered ELSE excluded.shown_delivered END,
                     shown_read = CASE WHEN excluded.shown_read = 0 THEN conversations.shown_read ELSE excluded.shown_read END",
                )
                .bind(new.from.0)
                .bind(other.0)
                .bind(id)
                // Nor do their marks tell that one was.
                .bind(if new.withheld { 0 } else { id })
                .execute(&mut *transaction)
                .await?;
                // For the other a withheld one was never written.
                if !new.withheld {
                    sqlx::query(
                        "INSERT INTO conversations (account, other, last, delivered, read_to, shown_delivered, shown_read)
                     VALUES ($1, $2, $3, 0, 0, 0, 0) ON CONFLICT (account, other) DO UPDATE SET last = excluded.last",
                    )
                    .bind(other.0)
                    .bind(new.from.0)
                    .bind(id)
                    .execute(&mut *transaction)
                    .await?;
                }
            }
            Place::Group(group) => {
                sqlx::query(
                    "UPDATE group_members SET delivered = $3, read_to = $3, shown_delivered = $3, shown_read = $3
                     WHERE chat_group = $1 AND account = $2",
                )
                .bind(group.as_str())
                .bind(new.from.0)
                .bind(id)
                .execute(&mut *transaction)
                .await?;
            }
        }
        if message.attached > 0 {
            let mut attachments = super::attachments::of_messages(&mut transaction, vec![id]).await?;
            message.attachments = attachments.remove(&id).unwrap_or_default();
        }
        transaction.commit().await?;
        Ok(Some(message))
    }

    /// A message of this person's.
    pub(crate) async fn message_of(&self, me: AccountId, id: u64) -> Result<Option<Kept>> {
        let query = sqlx::query(messages!("SELECT", "FROM messages WHERE id = $1 AND sender = $2")).bind(bound(id)).bind(me.0);
        self.own(me, query.fetch_optional(&self.reader).await?).await
    }

    /// The message that this person sent under that client id.
    pub(crate) async fn message_sent(&self, me: AccountId, client_id: &str) -> Result<Option<Kept>> {
        let query = sqlx::query(messages!("SELECT", "FROM messages WHERE sender = $1 AND client_id = $2"));
        self.own(me, query.bind(me.0).bind(client_id).fetch_optional(&self.reader).await?).await
    }

    /// A message of this person's says something else from now on; what is withheld nobody else sees.
    pub(crate) async fn edit_message(
        &self,
        me: AccountId,
        id: u64,
        text: &str,
        html: Option<&str>,
        withheld: bool,
    ) -> Result<Option<Kept>> {
        let sql = if withheld {
            messages!(
                "UPDATE messages SET own_text = $2, own_html = $3, own_edited_at_ms = $4 WHERE id = $1 AND deleted = 0 RETURNING",
                ""
            )
        } else {
            messages!(
                "UPDATE messages SET text = $2, html = $3, edited_at_ms = $4, own_text = NULL, own_html = NULL, own_edited_at_ms = NULL
                 WHERE id = $1 AND deleted = 0 RETURNING",
                ""
            )
        };
        let edited = sqlx::query(sql).bind(bound(id)).bind(text).bind(html).bind(wall_clock_ms());
        self.own(me, written(edited, &self.writer).await?).await
    }

    /// Nothing is left of what a message of this person's said, but its place.
    pub(crate) async fn delete_message(&self, me: AccountId, id: u64) -> Result<Option<Kept>> {
        let mut transaction = self.begin().await?;
        let sql = messages!(
            "UPDATE messages SET text = '', html = NULL, edited_at_ms = NULL, deleted = 1, attached = 0,
             own_text = NULL, own_html = NULL, own_edited_at_ms = NULL WHERE id = $1 RETURNING",
            ""
        );
        let row = written(sqlx::query(sql).bind(bound(id)), &mut *transaction).await?;
        sqlx::query("DELETE FROM message_attachments WHERE message = $1").bind(bound(id)).execute(&mut *transaction).await?;
        transaction.commit().await?;
        row.map(|row| kept(&row, me)).transpose()
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
        let (low, high, group) = columns(page.me, &page.place);
        let forward = page.after.is_some() && page.before.is_none();
        // For each kind of conversation its own index.
        let query = match (group, forward) {
            (None, true) => sqlx::query(messages!(
                "SELECT",
                "FROM messages WHERE low = $4 AND high = $5 AND chat_group IS NULL AND id > $1 AND id < $2
                 AND (withheld = 0 OR sender = $6) ORDER BY id ASC LIMIT $3"
            )),
            (None, false) => sqlx::query(messages!(
                "SELECT",
                "FROM messages WHERE low = $4 AND high = $5 AND chat_group IS NULL AND id > $1 AND id < $2
                 AND (withheld = 0 OR sender = $6) ORDER BY id DESC LIMIT $3"
            )),
            (Some(_), true) => sqlx::query(messages!(
                "SELECT",
                "FROM messages WHERE chat_group = $4 AND id > $1 AND id < $2 ORDER BY id ASC LIMIT $3"
            )),
            (Some(_), false) => sqlx::query(messages!(
                "SELECT",
                "FROM messages WHERE chat_group = $4 AND id > $1 AND id < $2 ORDER BY id DESC LIMIT $3"
            )),
        };
        let query = query
            .bind(bound(page.after.unwrap_or(0).max(page.floor)))
            .bind(page.before.map_or(i64::MAX, bound))
            .bind(i64::from(page.limit) + 1);
        let query = match group {
            Some(group) => query.bind(group),
            None => query.bind(low.0).bind(high.0).bind(page.me.0),
        };
        let rows = query.fetch_all(&self.reader).await?;
        let mut messages = rows.iter().map(|row| kept(row, page.me)).collect::<Result<Vec<_>>>()?;
        let more = messages.len() > page.limit as usize;
        messages.truncate(page.limit as usize);
        if !forward {
            messages.reverse();
        }
        Ok((self.with_attachments(messages).await?, more))
    }

    async fn own(&self, me: AccountId, row: Option<DbRow>) -> Result<Option<Kept>> {
        let Some(row) = row else { return Ok(None) };
        Ok(self.with_attachments(vec![kept(&row, me)?]).await?.pop())
    }

    async fn with_attachments(&self, mut messages: Vec<Kept>) -> Result<Vec<Kept>> {
        let ids = messages.iter().filter(|message| message.attached > 0).map(|message| bound(message.id)).collect::<Vec<_>>();
        if ids.is_empty() {
            return Ok(messages);
        }
        let mut connection = self.reader.acquire().await?;
        let mut attachments = super::attachments::of_messages(&mut connection, ids).await?;
        for message in &mut messages {
            message.attachments = attachments.remove(&bound(message.id)).unwrap_or_default();
        }
        Ok(messages)
    }
}

/// A message's number as the database counts.
pub(super) fn bound(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

/// `low`, `high` and the group of a message from `me` to there.
fn columns(me: AccountId, place: &Place) -> (AccountId, AccountId, Option<&str>) {
    match place {
        Place::With(other) => (me.min(*other), me.max(*other), None),
        Place::Group(group) => (me, me, Some(group.as_str())),
    }
}

/// A message as this person sees it.
fn kept(row: &DbRow, me: AccountId) -> Result<Kept> {
    let number = |number: i64| u64::try_from(number).unwrap_or(0);
    let (low, high, sender): (i64, i64, i64) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    let group: Option<String> = row.try_get(4)?;
    // What they changed while it was withheld.
    let own = sender == me.0 && row.try_get::<Option<i64>, _>(15)?.is_some();
    let (text, html, edited_at) = if own { (13, 14, 15) } else { (6, 7, 9) };
    Ok(Kept {
        id: number(row.try_get(0)?),
        from: AccountId(sender),
        to: match group {
            Some(group) => Place::Group(GroupId::new(group)),
            None => Place::With(AccountId(if sender == low { high } else { low })),
        },
        client_id: row.try_get(5)?,
        text: row.try_get(text)?,
        html: row.try_get(html)?,
        sent_at_ms: number(row.try_get(8)?),
        edited_at_ms: row.try_get::<Option<i64>, _>(edited_at)?.map(number),
        deleted: row.try_get::<i64, _>(10)? != 0,
        attached: row.try_get(11)?,
        withheld: row.try_get::<i64, _>(12)? != 0,
        attachments: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::NewAttachment;

    #[tokio::test]
    async fn each_message_of_a_page_has_its_own_attachments_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("relay.db")).await.unwrap();
        let ana = store.add_account(&"Ana".parse().unwrap(), "hash").await.unwrap().unwrap();
        for id in ["a", "b", "c"] {
            let new = NewAttachment { id, account: ana, hash: id, size: 1, name: id, kind: "" };
            store.add_attachment(new).await.unwrap();
        }
        let (to, written) = (Place::With(ana), [&["b", "a"][..], &[], &["c"], &["a", "b", "c"]]);
        for (number, ids) in written.into_iter().enumerate() {
            let (client_id, attachments) = (number.to_string(), ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>());
            let new = NewMessage {
                from: ana,
                to: &to,
                text: "x",
                html: None,
                attachments: &attachments,
                client_id: &client_id,
                withheld: false,
            };
            let kept = store.keep_message(new).await.unwrap().unwrap();
            assert_eq!(store.message_of(ana, kept.id).await.unwrap(), Some(kept));
        }
        let page = Page { me: ana, place: to, floor: 0, before: None, after: None, limit: 9 };
        let page = store.page(page).await.unwrap().0;
        let read = page.iter().map(|kept| kept.attachments.iter().map(|it| it.id.as_str()).collect::<Vec<_>>());
        assert_eq!(read.collect::<Vec<_>>(), written);
    }

    #[tokio::test]
    async fn messages_past_their_time_are_removed_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("relay.db")).await.unwrap();
        let ana = store.add_account(&"Ana".parse().unwrap(), "hash").await.unwrap().unwrap();
        let ben = store.add_account(&"Ben".parse().unwrap(), "hash").await.unwrap().unwrap();
        let to = Place::With(ben);
        // More than a batch.
        for number in 0..1100 {
            let client_id = number.to_string();
            let new = NewMessage {
                from: ana,
                to: &to,
                text: "x",
                html: None,
                attachments: &[],
                client_id: &client_id,
                withheld: false,
            };
            store.keep_message(new).await.unwrap();
        }
        store.execute("UPDATE messages SET sent_at_ms = 1000 WHERE id <= 1050").await.unwrap();
        store.expire_messages(1000).await.unwrap();
        let page = Page { me: ana, place: to, floor: 0, before: None, after: Some(0), limit: 2000 };
        assert_eq!(store.page(page.clone()).await.unwrap().0.len(), 1100, "those of that very moment stay");
        store.expire_messages(1001).await.unwrap();
        let left = store.page(page).await.unwrap().0;
        assert_eq!((left.len(), left[0].client_id.as_str()), (50, "1050"));
    }
}
