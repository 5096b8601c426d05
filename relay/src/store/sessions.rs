//! Signed-in clients.

use sqlx::Row;

use super::{AccountId, Result, SessionId, Store, wall_clock_ms, written};
use crate::token::TokenHash;

/// A session as it is restored at start.
#[derive(Clone, Debug)]
pub(crate) struct SessionRow {
    pub(crate) id: SessionId,
    pub(crate) account: AccountId,
    pub(crate) token: TokenHash,
}

/// A session that begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewSession<'a> {
    pub(crate) token: TokenHash,
    /// Its name for its owner.
    pub(crate) public: &'a str,
    pub(crate) account: AccountId,
    /// The password hash it was signed in by.
    pub(crate) password: &'a str,
    pub(crate) device: &'a str,
}

/// A session as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnRow {
    pub(crate) id: SessionId,
    pub(crate) public: String,
    pub(crate) device: String,
    pub(crate) signed_in_at_ms: Option<i64>,
    pub(crate) used_at_ms: i64,
}

impl Store {
    /// Keeps a new session; `None` when the account has another password by now, or is gone.
    pub(crate) async fn add_session(&self, new: NewSession<'_>) -> Result<Option<SessionId>> {
        let begun = sqlx::query(
            "INSERT INTO sessions (token, public, account, device, used_at_ms, signed_in_at_ms)
             SELECT $1, $2, id, $3, $4, $4 FROM accounts WHERE id = $5 AND password = $6 RETURNING id",
        )
        .bind(&new.token.0[..])
        .bind(new.public)
        .bind(new.device)
        .bind(wall_clock_ms())
        .bind(new.account.0)
        .bind(new.password);
        let row = written(begun, &self.writer).await?;
        row.map(|row| Ok(SessionId(row.try_get(0)?))).transpose()
    }

    /// Forgets a session.
    pub(crate) async fn remove_session(&self, id: SessionId) -> Result<()> {
        sqlx::query("DELETE FROM sessions WHERE id = $1").bind(id.0).execute(&self.writer).await?;
        Ok(())
    }

    /// Notes that these sessions were used just now.
    pub(crate) async fn touch_sessions(&self, ids: &[SessionId]) -> Result<()> {
        let now = wall_clock_ms();
        let mut transaction = self.begin().await?;
        for id in ids {
            sqlx::query("UPDATE sessions SET used_at_ms = $1 WHERE id = $2")
                .bind(now)
                .bind(id.0)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await
    }

    /// Forgets the sessions not used for `unused_ms`, and says which.
    pub(crate) async fn expire_sessions(&self, unused_ms: i64) -> Result<Vec<SessionId>> {
        let rows = sqlx::query("DELETE FROM sessions WHERE used_at_ms < $1 RETURNING id")
            .bind(wall_clock_ms() - unused_ms)
            .fetch_all(&self.writer)
            .await?;
        rows.iter().map(|row| Ok(SessionId(row.try_get(0)?))).collect()
    }

    /// All sessions.
    pub(crate) async fn sessions(&self) -> Result<Vec<SessionRow>> {
        let rows = sqlx::query("SELECT id, account, token FROM sessions ORDER BY id").fetch_all(&self.reader).await?;
        rows.iter()
            .map(|row| {
                let token: Vec<u8> = row.try_get(2)?;
                let token = token.try_into().map_err(|_| sqlx::Error::Decode("a token hash has 32 bytes".into()))?;
                Ok(SessionRow { id: SessionId(row.try_get(0)?), account: AccountId(row.try_get(1)?), token: TokenHash(token) })
            })
            .collect()
    }

    /// The sessions of one account, by rising id.
    pub(crate) async fn sessions_of(&self, account: AccountId) -> Result<Vec<OwnRow>> {
        let rows =
            sqlx::query("SELECT id, public, device, signed_in_at_ms, used_at_ms FROM sessions WHERE account = $1 ORDER BY id")
                .bind(account.0)
                .fetch_all(&self.reader)
                .await?;
        rows.iter()
            .map(|row| {
                Ok(OwnRow {
                    id: SessionId(row.try_get(0)?),
                    public: row.try_get(1)?,
                    device: row.try_get(2)?,
                    signed_in_at_ms: row.try_get(3)?,
                    used_at_ms: row.try_get(4)?,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_that_was_changed_meanwhile_begins_no_session_and_ends_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("relay.db")).await.unwrap();
        let account = store.add_account(&"Ana".parse().unwrap(), "old").await.unwrap().unwrap();
        let begin = async |name: &str, password: &str| {
            let new = NewSession { token: TokenHash::of(name), public: name, account, password, device: "kitchen" };
            store.add_session(new).await.unwrap()
        };
        let (one, two) = (begin("one", "old").await.unwrap(), begin("two", "old").await.unwrap());
        assert!(!store.set_password(account, Some("another"), "new", Some(one)).await.unwrap());
        assert_eq!(store.sessions_of(account).await.unwrap().iter().map(|row| row.id).collect::<Vec<_>>(), [one, two]);
        assert!(store.set_password(account, Some("old"), "new", Some(two)).await.unwrap());
        assert_eq!(begin("three", "old").await, None);
        let rows = store.sessions_of(account).await.unwrap();
        assert_eq!(
            rows.iter().map(|row| (row.id, row.public.as_str(), row.device.as_str())).collect::<Vec<_>>(),
            [(two, "two", "kitchen")]
        );
        assert_eq!(rows[0].signed_in_at_ms, Some(rows[0].used_at_ms));
        assert!(store.set_password(account, None, "newer", None).await.unwrap());
        assert_eq!(store.sessions_of(account).await.unwrap(), []);
        assert!(!store.set_password(AccountId(99), None, "newer", None).await.unwrap());
    }
}
