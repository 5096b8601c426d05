//! Groups of people who write to each other.

use proto::GroupId;
use sqlx::Row;

use super::{AccountId, DbRow, Result, Store, number, wall_clock_ms};

/// A group with its members, the one who has been in it longest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupRow {
    pub(crate) id: GroupId,
    pub(crate) title: String,
    pub(crate) members: Vec<MemberRow>,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemberRow {
    pub(crate) account: AccountId,
    /// Only messages after this one are theirs to read.
    pub(crate) after: u64,
    /// What of their marks the others know.
    pub(crate) shown: Reached,
}

/// How far someone has come in a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) delivered: u64,
    pub(crate) read: u64,
}

impl GroupRow {
    /// Who may rename it and remove others.
    pub(crate) fn owner(&self) -> Option<AccountId> {
        self.members.first().map(|member| member.account)
    }

    pub(crate) fn member(&self, account: AccountId) -> Option<&MemberRow> {
        self.members.iter().find(|member| member.account == account)
    }

    pub(crate) fn accounts(&self) -> Vec<AccountId> {
        self.members.iter().map(|member| member.account).collect()
    }

    /// Those to whom a message was sent.
    pub(crate) fn readers(&self, message: u64) -> Vec<AccountId> {
        self.members.iter().filter(|member| member.after < message).map(|member| member.account).collect()
    }
}

/// What is to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewGroup<'a> {
    pub(crate) id: &'a GroupId,
    pub(crate) title: &'a str,
    pub(crate) maker: AccountId,
    pub(crate) others: &'a [AccountId],
    pub(crate) client_id: &'a str,
}

impl Store {
    /// The group that someone made under this client id, if it is still there.
    pub(crate) async fn group_made(&self, maker: AccountId, client_id: &str) -> Result<Option<GroupId>> {
        let row = sqlx::query("SELECT id FROM chat_groups WHERE maker = $1 AND client_id = $2")
            .bind(maker.0)
            .bind(client_id)
            .fetch_optional(&self.writer)
            .await?;
        row.map(|row| Ok(GroupId::new(row.try_get::<String, _>(0)?))).transpose()
    }

    /// Makes a group.
    pub(crate) async fn add_group(&self, new: NewGroup<'_>) -> Result<()> {
        let mut transaction = self.begin().await?;
        sqlx::query("INSERT INTO chat_groups (id, title, maker, client_id, made_at_ms) VALUES ($1, $2, $3, $4, $5)")
            .bind(new.id.as_str())
            .bind(new.title)
            .bind(new.maker.0)
            .bind(new.client_id)
            .bind(wall_clock_ms())
            .execute(&mut *transaction)
            .await?;
        for (place, account) in std::iter::once(&new.maker).chain(new.others).enumerate() {
            sqlx::query(
                "INSERT INTO group_members
                 (chat_group, account, place, after_id, delivered, read_to, shown_delivered, shown_read)
                 VALUES ($1, $2, $3, 0, 0, 0, 0, 0)",
            )
            .bind(new.id.as_str())
            .bind(account.0)
            .bind(i64::try_from(place).unwrap_or(i64::MAX))
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await
    }

    /// One group, if anyone is in it.
    pub(crate) async fn group(&self, id: &GroupId) -> Result<Option<GroupRow>> {
        // PostgreSQL doesn't even look for it.
        if id.as_str().contains('\0') {
            return Ok(None);
        }
        let rows = sqlx::query(
            "SELECT g.id, g.title, m.account, m.after_id, m.shown_delivered, m.shown_read
             FROM chat_groups g JOIN group_members m ON m.chat_group = g.id WHERE g.id = $1 ORDER BY m.place",
        )
        .bind(id.as_str())
        .fetch_all(&self.reader)
        .await?;
        Ok(groups(&rows)?.pop())
    }

    /// All groups of a person.
    pub(crate) async fn groups_of(&self, account: AccountId) -> Result<Vec<GroupRow>> {
        let rows = sqlx::query(
            "SELECT g.id, g.title, m.account, m.after_id, m.shown_delivered, m.shown_read
             FROM group_members mine JOIN chat_groups g ON g.id = mine.chat_group JOIN group_members m ON m.chat_group = g.id
             WHERE mine.account = $1 ORDER BY g.made_at_ms, g.id, m.place",
        )
        .bind(account.0)
        .fetch_all(&self.reader)
        .await?;
        groups(&rows)
    }

    /// In how many groups a person is.
    pub(crate) async fn count_groups(&self, account: AccountId) -> Result<usize> {
        let row =
            sqlx::query("SELECT COUNT(*) FROM group_members WHERE account = $1").bind(account.0).fetch_one(&self.reader).await?;
        Ok(usize::try_from(row.try_get::<i64, _>(0)?).unwrap_or(usize::MAX))
    }

    pub(crate) async fn rename_group(&self, id: &GroupId, title: &str) -> Result<()> {
        sqlx::query("UPDATE chat_groups SET title = $2 WHERE id = $1")
            .bind(id.as_str())
            .bind(title)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Adds someone, who reads what is written from now on: of what was there they have nothing to read, and have read nothing. Whoever is in it already
    /// stays as they are.
    pub(crate) async fn add_member(&self, id: &GroupId, account: AccountId) -> Result<()> {
        sqlx::query(
            "INSERT INTO group_members
             (chat_group, account, place, after_id, delivered, read_to, shown_delivered, shown_read)
             SELECT $1, $2, (SELECT COALESCE(MAX(place), 0) + 1 FROM group_members WHERE chat_group = $1), n.id, n.id, n.id, 0, 0
             FROM (SELECT COALESCE(MAX(id), 0) AS id FROM messages) AS n WHERE TRUE
             ON CONFLICT (chat_group, account) DO NOTHING",
        )
        .bind(id.as_str())
        .bind(account.0)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Takes someone out. A group that nobody is in any more is gone with all that was written in it.
    pub(crate) async fn remove_member(&self, id: &GroupId, account: AccountId) -> Result<()> {
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM group_members WHERE chat_group = $1 AND account = $2")
            .bind(id.as_str())
            .bind(account.0)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM chat_groups WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM group_members WHERE chat_group = $1)")
            .bind(id.as_str())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    /// Removes the groups whose last member's account is gone.
    pub(crate) async fn drop_empty_groups(&self) -> Result<()> {
        sqlx::query(
            "DELETE FROM chat_groups WHERE NOT EXISTS (SELECT 1 FROM group_members WHERE group_members.chat_group = chat_groups.id)",
        )
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}

/// Rows of members, those of one group after the other.
fn groups(rows: &[DbRow]) -> Result<Vec<GroupRow>> {
    let mut groups: Vec<GroupRow> = Vec::new();
    for row in rows {
        let id: String = row.try_get(0)?;
        if groups.last().is_none_or(|group| group.id.as_str() != id) {
            groups.push(GroupRow { id: GroupId::new(id), title: row.try_get(1)?, members: Vec::new() });
        }
        let shown = Reached { delivered: number(row, 4)?, read: number(row, 5)? };
        let member = MemberRow { account: AccountId(row.try_get(2)?), after: number(row, 3)?, shown };
        if let Some(group) = groups.last_mut() {
            group.members.push(member);
        }
    }
    Ok(groups)
}
