//! How far people have come in their conversations, and what a client that knows nothing must know of them.

use proto::{GroupId, limits::UNREAD_MAX};
use sqlx::Row;

use super::{AccountId, DbRow, Place, Reached, Result, Store, chat::bound, number};

/// A conversation as one person has it.
#[derive(Clone, Debug)]
pub(crate) struct ConversationRow {
    pub(crate) place: Place,
    /// How far they have come.
    pub(crate) own: Reached,
    /// How far the other has, as far as they may be known; of groups the members' rows tell.
    pub(crate) shown: Reached,
    pub(crate) unread: u32,
    pub(crate) last: Option<LastRow>,
}

/// The newest message of one.
#[derive(Clone, Debug)]
pub(crate) struct LastRow {
    pub(crate) id: u64,
    pub(crate) from: AccountId,
    pub(crate) text: String,
    pub(crate) attached: u32,
    pub(crate) sent_at_ms: u64,
    pub(crate) deleted: bool,
}

/// What became of marks that were to be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moved {
    /// Where they are now.
    pub(crate) own: Reached,
    /// Whether they were elsewhere before.
    pub(crate) own_moved: bool,
    /// Whether there is something new in them for the others.
    pub(crate) shown_moved: bool,
}

impl Store {
    /// Moves a person's marks forward, up to the newest message at most; `show` lets the others know how far they are. `None` where there
    /// is no such conversation. To be called in the `chat_order`.
    pub(crate) async fn move_marks(&self, me: AccountId, place: &Place, wish: Reached, show: bool) -> Result<Option<Moved>> {
        let mut transaction = self.begin().await?;
        let row = match place {
            Place::With(other) => {
                sqlx::query(
                    "SELECT delivered, read_to, shown_delivered, shown_read, last FROM conversations WHERE account = $1 AND other = $2",
                )
                .bind(me.0)
                .bind(other.0)
                .fetch_optional(&mut *transaction)
                .await?
            }
            Place::Group(group) => {
                sqlx::query(
                    "SELECT delivered, read_to, shown_delivered, shown_read,
                     (SELECT COALESCE(MAX(id), 0) FROM messages WHERE chat_group = $2) FROM group_members
                     WHERE account = $1 AND chat_group = $2",
                )
                .bind(me.0)
                .bind(group.as_str())
                .fetch_optional(&mut *transaction)
                .await?
            }
        };
        let Some(row) = row else { return Ok(None) };
        let (before, shown_before, last) = (reached(&row, 0)?, reached(&row, 2)?, number(&row, 4)?);
        let read = before.read.max(wish.read.min(last));
        let own = Reached { delivered: before.delivered.max(wish.delivered.min(last)).max(read), read };
        let shown = if show { own } else { shown_before };
        let moved = Moved { own, own_moved: own != before, shown_moved: shown != shown_before };
        if !moved.own_moved && !moved.shown_moved {
            return Ok(Some(moved));
        }
        let query = match place {
            Place::With(_) => sqlx::query(
                "UPDATE conversations SET delivered = $1, read_to = $2, shown_delivered = $3, shown_read = $4
                 WHERE account = $5 AND other = $6",
            ),
            Place::Group(_) => sqlx::query(
                "UPDATE group_members SET delivered = $1, read_to = $2, shown_delivered = $3, shown_read = $4
                 WHERE account = $5 AND chat_group = $6",
            ),
        };
        let query = query.bind(bound(own.delivered)).bind(bound(own.read)).bind(bound(shown.delivered)).bind(bound(shown.read));
        let query = match place {
            Place::With(other) => query.bind(me.0).bind(other.0),
            Place::Group(group) => query.bind(me.0).bind(group.as_str()),
        };
        query.execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(Some(moved))
    }

    /// How many messages of others a person has not read, counted up to [`UNREAD_MAX`].
    pub(crate) async fn unread(&self, me: AccountId, place: &Place) -> Result<u32> {
        let row =
            match place {
                Place::With(other) => {
                    sqlx::query(
                        "SELECT COUNT(*) FROM (SELECT 1 FROM messages m JOIN conversations c ON c.account = $1 AND c.other = $2
                     WHERE m.low = $3 AND m.high = $4 AND m.chat_group IS NULL AND m.id > c.read_to AND m.sender = $2
                     AND m.deleted = 0 AND m.withheld = 0 LIMIT $5) AS missed",
                    )
                    .bind(me.0)
                    .bind(other.0)
                    .bind(me.0.min(other.0))
                    .bind(me.0.max(other.0))
                    .bind(i64::from(UNREAD_MAX))
                    .fetch_one(&self.reader)
                    .await?
                }
                Place::Group(group) => sqlx::query(
                    "SELECT COUNT(*) FROM (SELECT 1 FROM messages m JOIN group_members c ON c.account = $1 AND c.chat_group = $2
                     WHERE m.chat_group = $2 AND m.id > c.read_to AND m.sender <> $1 AND m.deleted = 0 LIMIT $3) AS missed",
                )
                .bind(me.0)
                .bind(group.as_str())
                .bind(i64::from(UNREAD_MAX))
                .fetch_one(&self.reader)
                .await?,
            };
        Ok(u32::try_from(row.try_get::<i64, _>(0)?).unwrap_or(UNREAD_MAX))
    }

    /// A person's conversations of two, those with the newest messages first, and all of their groups.
    pub(crate) async fn conversations_of(&self, me: AccountId, most: u32) -> Result<Vec<ConversationRow>> {
        let pairs = sqlx::query(
            "SELECT c.delivered, c.read_to, COALESCE(o.shown_delivered, 0), COALESCE(o.shown_read, 0),
             (SELECT COUNT(*) FROM (SELECT 1 FROM messages n
              WHERE n.low = CASE WHEN c.account < c.other THEN c.account ELSE c.other END
              AND n.high = CASE WHEN c.account < c.other THEN c.other ELSE c.account END
              AND n.chat_group IS NULL AND n.id > c.read_to AND n.sender = c.other AND n.deleted = 0 AND n.withheld = 0 LIMIT $3) AS missed),
             m.id, m.sender, CASE WHEN m.sender = c.account AND m.own_edited_at_ms IS NOT NULL THEN m.own_text ELSE m.text END,
             m.attached, m.sent_at_ms, m.deleted, c.other
             FROM conversations c LEFT JOIN conversations o ON o.account = c.other AND o.other = c.account JOIN messages m ON m.id = c.last
             WHERE c.account = $1 ORDER BY c.last DESC LIMIT $2",
        )
        .bind(me.0)
        .bind(i64::from(most))
        .bind(i64::from(UNREAD_MAX))
        .fetch_all(&self.reader)
        .await?;
        let groups = sqlx::query(
            "SELECT c.delivered, c.read_to, c.shown_delivered, c.shown_read,
             (SELECT COUNT(*) FROM (SELECT 1 FROM messages n
              WHERE n.chat_group = c.chat_group AND n.id > c.read_to AND n.sender <> c.account AND n.deleted = 0 LIMIT $2) AS missed),
             m.id, m.sender, m.text, m.attached, m.sent_at_ms, m.deleted, c.chat_group
             FROM group_members c LEFT JOIN messages m
             ON m.id = (SELECT MAX(id) FROM messages WHERE chat_group = c.chat_group AND id > c.after_id) WHERE c.account = $1",
        )
        .bind(me.0)
        .bind(i64::from(UNREAD_MAX))
        .fetch_all(&self.reader)
        .await?;
        let mut rows = Vec::new();
        for row in &pairs {
            rows.push(conversation(row, Place::With(AccountId(row.try_get(11)?)))?);
        }
        for row in &groups {
            rows.push(conversation(row, Place::Group(GroupId::new(row.try_get::<String, _>(11)?)))?);
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.last.as_ref().map(|last| last.id)));
        Ok(rows)
    }
}

fn conversation(row: &DbRow, place: Place) -> Result<ConversationRow> {
    let last = match row.try_get::<Option<i64>, _>(5)? {
        None => None,
        Some(_) => Some(LastRow {
            id: number(row, 5)?,
            from: AccountId(row.try_get(6)?),
            text: row.try_get(7)?,
            attached: u32::try_from(row.try_get::<i64, _>(8)?).unwrap_or(0),
            sent_at_ms: number(row, 9)?,
            deleted: row.try_get::<i64, _>(10)? != 0,
        }),
    };
    let unread = u32::try_from(number(row, 4)?).unwrap_or(UNREAD_MAX);
    Ok(ConversationRow { place, own: reached(row, 0)?, shown: reached(row, 2)?, unread, last })
}

fn reached(row: &DbRow, at: usize) -> Result<Reached> {
    Ok(Reached { delivered: number(row, at)?, read: number(row, at + 1)? })
}
