//! Accounts, their passwords and buddies, and the log by which the admin command speaks to a running relay.

use proto::Name;
use sqlx::Row;

use super::{AccountId, DbConnection, DbRow, Kind, Result, SessionId, Store, wall_clock_ms, written};

/// An account without its password.
#[derive(Clone, Debug)]
pub(crate) struct AccountRow {
    pub(crate) id: AccountId,
    pub(crate) name: Name,
}

impl Store {
    /// Adds an account; `None` when the name is taken.
    pub(crate) async fn add_account(&self, name: &Name, password: &str) -> Result<Option<AccountId>> {
        let mut connection = self.writer.acquire().await?;
        insert(&mut connection, name, password, wall_clock_ms()).await
    }

    /// Removes an account with all it has.
    pub(crate) async fn remove_account(&self, id: AccountId) -> Result<()> {
        sqlx::query("DELETE FROM accounts WHERE id = $1").bind(id.0).execute(&self.writer).await?;
        Ok(())
    }

    /// All accounts, by rising id.
    pub(crate) async fn accounts(&self) -> Result<Vec<AccountRow>> {
        let rows = sqlx::query("SELECT id, name FROM accounts ORDER BY id").fetch_all(&self.reader).await?;
        rows.iter().map(account).collect()
    }

    /// One account.
    pub(crate) async fn account(&self, id: AccountId) -> Result<Option<AccountRow>> {
        let row = sqlx::query("SELECT id, name FROM accounts WHERE id = $1").bind(id.0).fetch_optional(&self.reader).await?;
        row.as_ref().map(account).transpose()
    }

    /// The account of that name and its password hash.
    pub(crate) async fn account_by_name(&self, name: &Name) -> Result<Option<(AccountRow, String)>> {
        let row = sqlx::query("SELECT id, name, password FROM accounts WHERE key = $1")
            .bind(name.key())
            .fetch_optional(&self.reader)
            .await?;
        row.map(|row| Ok((account(&row)?, row.try_get(2)?))).transpose()
    }

    /// The password hash of an account.
    pub(crate) async fn password(&self, id: AccountId) -> Result<Option<String>> {
        let row = sqlx::query("SELECT password FROM accounts WHERE id = $1").bind(id.0).fetch_optional(&self.reader).await?;
        row.map(|row| row.try_get(0)).transpose()
    }

    /// Puts a new password hash in the old one's place and ends the account's sessions, but for the one to keep. `old` is what the
    /// hash must still be, where that matters. Whether it was done.
    pub(crate) async fn set_password(
        &self,
        id: AccountId,
        old: Option<&str>,
        new: &str,
        keep: Option<SessionId>,
    ) -> Result<bool> {
        let mut transaction = self.begin().await?;
        let changed = sqlx::query("UPDATE accounts SET password = $1 WHERE id = $2 AND ($3 IS NULL OR password = $3)")
            .bind(new)
            .bind(id.0)
            .bind(old)
            .execute(&mut *transaction)
            .await?;
        if changed.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query("DELETE FROM sessions WHERE account = $1 AND id IS DISTINCT FROM $2")
            .bind(id.0)
            .bind(keep.map(|keep| keep.0))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Everyone's wishes: `(who, wants whom)`.
    pub(crate) async fn all_buddies(&self) -> Result<Vec<(AccountId, AccountId)>> {
        let rows = sqlx::query("SELECT account, buddy FROM buddies").fetch_all(&self.reader).await?;
        rows.iter().map(pair).collect()
    }

    /// The wishes of and for one account.
    pub(crate) async fn buddies_of(&self, id: AccountId) -> Result<Vec<(AccountId, AccountId)>> {
        let rows = sqlx::query("SELECT account, buddy FROM buddies WHERE account = $1 OR buddy = $1")
            .bind(id.0)
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(pair).collect()
    }

    /// `account` wants `buddy`.
    pub(crate) async fn add_buddy(&self, account: AccountId, buddy: AccountId) -> Result<()> {
        sqlx::query("INSERT INTO buddies (account, buddy) VALUES ($1, $2) ON CONFLICT (account, buddy) DO NOTHING")
            .bind(account.0)
            .bind(buddy.0)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// The two know nothing of each other any more.
    pub(crate) async fn remove_buddies(&self, one: AccountId, other: AccountId) -> Result<()> {
        sqlx::query("DELETE FROM buddies WHERE (account = $1 AND buddy = $2) OR (account = $2 AND buddy = $1)")
            .bind(one.0)
            .bind(other.0)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Tells a running relay that these accounts were changed behind its back.
    pub(crate) async fn log_change(&self, ids: &[AccountId]) -> Result<()> {
        let mut transaction = self.begin().await?;
        if self.kind == Kind::Postgres {
            // Entries get their ids in the order they are committed: a relay that has read one has read those below it.
            sqlx::query("LOCK TABLE admin_log IN EXCLUSIVE MODE").execute(&mut *transaction).await?;
        }
        for id in ids {
            sqlx::query("INSERT INTO admin_log (account) VALUES ($1)").bind(id.0).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }

    /// The newest entry of the log.
    pub(crate) async fn last_change(&self) -> Result<i64> {
        sqlx::query("SELECT COALESCE(MAX(id), 0) FROM admin_log").fetch_one(&self.reader).await?.try_get(0)
    }

    /// Forgets the entries before this one, which were read.
    pub(crate) async fn forget_changes(&self, before: i64) -> Result<()> {
        sqlx::query("DELETE FROM admin_log WHERE id < $1").bind(before).execute(&self.writer).await?;
        Ok(())
    }

    /// What was changed after entry `after`: the entry and the account.
    pub(crate) async fn changes(&self, after: i64) -> Result<Vec<(i64, AccountId)>> {
        let rows = sqlx::query("SELECT id, account FROM admin_log WHERE id > $1 ORDER BY id")
            .bind(after)
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, AccountId(row.try_get(1)?)))).collect()
    }
}

/// Adds an account; `None` when the name is taken.
pub(super) async fn insert(connection: &mut DbConnection, name: &Name, password: &str, now_ms: i64) -> Result<Option<AccountId>> {
    let new = sqlx::query(
        "INSERT INTO accounts (name, key, password, created_at_ms) VALUES ($1, $2, $3, $4)
         ON CONFLICT (key) DO NOTHING RETURNING id",
    );
    let new = new.bind(name.as_str()).bind(name.key()).bind(password).bind(now_ms);
    let row = written(new, connection).await?;
    row.map(|row| Ok(AccountId(row.try_get(0)?))).transpose()
}

fn account(row: &DbRow) -> Result<AccountRow> {
    let name: String = row.try_get(1)?;
    let name = name.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(AccountRow { id: AccountId(row.try_get(0)?), name })
}

fn pair(row: &DbRow) -> Result<(AccountId, AccountId)> {
    Ok((AccountId(row.try_get(0)?), AccountId(row.try_get(1)?)))
}
