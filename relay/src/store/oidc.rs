//! Accounts of people an OpenID provider knows.

use proto::Name;
use sqlx::Row;

use super::{AccountId, Result, Store, accounts::insert, wall_clock_ms};

/// What became of an account that was to be made for someone the provider knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ForSubject {
    /// This is theirs from now on, or was already.
    Account(AccountId),
    /// Somebody else has the name.
    NameTaken,
}

impl Store {
    /// The account of someone the provider knows.
    pub(crate) async fn account_of_subject(&self, issuer: &str, subject: &str) -> Result<Option<AccountId>> {
        // From the writer: it may have been made a moment ago.
        let row = sqlx::query("SELECT account FROM oidc WHERE issuer = $1 AND subject = $2")
            .bind(issuer)
            .bind(subject)
            .fetch_optional(&self.writer)
            .await?;
        row.map(|row| row.try_get(0).map(AccountId)).transpose()
    }

    /// Adds an account for someone the provider knows: account and mark, or neither. An account that is there, by whatever way it was made, is
    /// never given to them.
    pub(crate) async fn add_account_of_subject(
        &self,
        issuer: &str,
        subject: &str,
        name: &Name,
        password: &str,
    ) -> Result<ForSubject> {
        // What is not committed is undone when the transaction is dropped.
        let mut transaction = self.begin().await?;
        let Some(id) = insert(&mut transaction, name, password, wall_clock_ms()).await? else {
            return Ok(ForSubject::NameTaken);
        };
        let marked = sqlx::query(
            "INSERT INTO oidc (issuer, subject, account) VALUES ($1, $2, $3) ON CONFLICT (issuer, subject) DO NOTHING",
        )
        .bind(issuer)
        .bind(subject)
        .bind(id.0)
        .execute(&mut *transaction)
        .await?;
        if marked.rows_affected() == 0 {
            // They signed in twice at once, and the other was faster.
            transaction.rollback().await?;
            let theirs = self.account_of_subject(issuer, subject).await?;
            return theirs.map(ForSubject::Account).ok_or(sqlx::Error::RowNotFound);
        }
        transaction.commit().await?;
        Ok(ForSubject::Account(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::NO_PASSWORD;

    async fn add(store: &Store, issuer: &str, subject: &str, name: &str) -> ForSubject {
        store.add_account_of_subject(issuer, subject, &name.parse().unwrap(), NO_PASSWORD).await.unwrap()
    }

    #[tokio::test]
    async fn a_subject_gets_one_account_and_never_somebody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("relay.db")).await.unwrap();
        let local = store.add_account(&"Ana".parse().unwrap(), "hash").await.unwrap().unwrap();
        assert_eq!(add(&store, "https://a", "1", "aNA").await, ForSubject::NameTaken);
        assert_eq!(store.account_of_subject("https://a", "1").await.unwrap(), None);
        let ForSubject::Account(id) = add(&store, "https://a", "1", "Ana-2").await else { panic!("the name is free") };
        assert_ne!(id, local);
        assert_eq!(store.account_of_subject("https://a", "1").await.unwrap(), Some(id));
        // The same subject again gets the same account, and nothing is left of the second attempt.
        assert_eq!(add(&store, "https://a", "1", "Other").await, ForSubject::Account(id));
        assert_eq!(store.accounts().await.unwrap().len(), 2);
        // Of another provider it is another person.
        let ForSubject::Account(other) = add(&store, "https://b", "1", "Other").await else { panic!("the name is free") };
        assert_ne!(other, id);
        store.remove_account(id).await.unwrap();
        assert_eq!(store.account_of_subject("https://a", "1").await.unwrap(), None);
    }
}
