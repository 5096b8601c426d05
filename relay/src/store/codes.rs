//! Invitation codes, and the accounts made by them.

use proto::Name;
use sqlx::Row;

use super::{AccountId, Result, Store};
use crate::token::TokenHash;

/// A code that still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CodeRow {
    pub(crate) id: i64,
    pub(crate) uses_left: u32,
    pub(crate) expires_at_ms: i64,
}

/// What became of an account that was to be made by a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByCode {
    Made(AccountId),
    NameTaken,
    WrongCode,
}

impl Store {
    /// Keeps a new code.
    pub(crate) async fn add_code(&self, code: &TokenHash, uses: u32, expires_at_ms: i64) -> Result<()> {
        sqlx::query("INSERT INTO codes (code, uses_left, expires_at_ms) VALUES ($1, $2, $3)")
            .bind(&code.0[..])
            .bind(i64::from(uses))
            .bind(expires_at_ms)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// The codes that count at `now_ms`, by rising id.
    pub(crate) async fn codes(&self, now_ms: i64) -> Result<Vec<CodeRow>> {
        let rows =
            sqlx::query("SELECT id, uses_left, expires_at_ms FROM codes WHERE uses_left > 0 AND expires_at_ms > $1 ORDER BY id")
                .bind(now_ms)
                .fetch_all(&self.reader)
                .await?;
        rows.iter()
            .map(|row| {
                let uses_left = u32::try_from(row.try_get::<i64, _>(1)?).unwrap_or(u32::MAX);
                Ok(CodeRow { id: row.try_get(0)?, uses_left, expires_at_ms: row.try_get(2)? })
            })
            .collect()
    }

    /// Forgets a code; whether there was one of that id.
    pub(crate) async fn remove_code(&self, id: i64) -> Result<bool> {
        Ok(sqlx::query("DELETE FROM codes WHERE id = $1").bind(id).execute(&self.writer).await?.rows_affected() > 0)
    }

    /// Forgets the codes that count no more.
    pub(crate) async fn expire_codes(&self, now_ms: i64) -> Result<()> {
        sqlx::query("DELETE FROM codes WHERE uses_left <= 0 OR expires_at_ms <= $1").bind(now_ms).execute(&self.writer).await?;
        Ok(())
    }

    /// Whether a code counts. It is looked for by its hash, so the time that takes tells nothing of the code.
    pub(crate) async fn code_counts(&self, code: &TokenHash, now_ms: i64) -> Result<bool> {
        let row = sqlx::query("SELECT 1 FROM codes WHERE code = $1 AND uses_left > 0 AND expires_at_ms > $2")
            .bind(&code.0[..])
            .bind(now_ms)
            .fetch_optional(&self.reader)
            .await?;
        Ok(row.is_some())
    }

    /// Adds an account and uses the code up for it by one: both or neither, however many try at once.
    pub(crate) async fn add_account_by_code(&self, name: &Name, password: &str, code: &TokenHash, now_ms: i64) -> Result<ByCode> {
        // What is not committed is undone when the transaction is dropped.
        let mut transaction = self.begin().await?;
        let used =
            sqlx::query("UPDATE codes SET uses_left = uses_left - 1 WHERE code = $1 AND uses_left > 0 AND expires_at_ms > $2")
                .bind(&code.0[..])
                .bind(now_ms)
                .execute(&mut *transaction)
                .await?;
        if used.rows_affected() == 0 {
            return Ok(ByCode::WrongCode);
        }
        let Some(id) = super::accounts::insert(&mut transaction, name, password, now_ms).await? else {
            return Ok(ByCode::NameTaken);
        };
        transaction.commit().await?;
        Ok(ByCode::Made(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn store(folder: &tempfile::TempDir) -> Store {
        Store::open(&folder.path().join("relay.db")).await.unwrap()
    }

    #[tokio::test]
    async fn a_code_makes_as_many_accounts_as_it_has_uses_and_a_taken_name_costs_none() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let code = TokenHash::of("code");
        store.add_code(&code, 2, 1000).await.unwrap();
        let make = async |name: &str| store.add_account_by_code(&name.parse().unwrap(), "hash", &code, 999).await.unwrap();
        assert!(matches!(make("Ana").await, ByCode::Made(_)));
        assert_eq!(make("aNA").await, ByCode::NameTaken);
        assert_eq!(store.codes(999).await.unwrap(), [CodeRow { id: 1, uses_left: 1, expires_at_ms: 1000 }]);
        assert!(matches!(make("Ben").await, ByCode::Made(_)));
        assert_eq!(make("Eva").await, ByCode::WrongCode);
        assert!(!store.code_counts(&code, 999).await.unwrap());
        assert_eq!((store.codes(999).await.unwrap(), store.accounts().await.unwrap().len()), (vec![], 2));
    }

    #[tokio::test]
    async fn a_code_counts_until_its_day_and_not_after_it_was_removed() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let (early, late) = (TokenHash::of("early"), TokenHash::of("late"));
        store.add_code(&early, 1, 1000).await.unwrap();
        store.add_code(&late, 1, 2000).await.unwrap();
        assert!(store.code_counts(&early, 999).await.unwrap() && !store.code_counts(&early, 1000).await.unwrap());
        let ana = "Ana".parse().unwrap();
        assert_eq!(store.add_account_by_code(&ana, "hash", &early, 1000).await.unwrap(), ByCode::WrongCode);
        assert_eq!(store.add_account_by_code(&ana, "hash", &TokenHash::of("none"), 0).await.unwrap(), ByCode::WrongCode);
        store.expire_codes(1000).await.unwrap();
        assert_eq!(store.codes(0).await.unwrap().len(), 1);
        assert!(store.remove_code(2).await.unwrap() && !store.remove_code(2).await.unwrap());
        assert!(!store.code_counts(&late, 0).await.unwrap());
    }
}
