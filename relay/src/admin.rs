//! What whoever runs the relay does by hand, whether it runs or not: a running one notices within about a second.

mod backup;
mod export;

use std::{path::PathBuf, time::Duration};

use proto::{Fingerprint, Name};

pub use self::backup::restore;
use crate::{
    code::Code,
    config::Config,
    error::Error,
    handlers::accounts::check_password,
    password::Hasher,
    store::{AccountId, GroupRow, Store, User, wall_clock_ms},
    tls,
};

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 3_600_000;

/// An invitation code that still counts. What it says is known to whom it was given alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeLeft {
    /// What to remove it by.
    pub id: i64,
    /// Accounts that can still be made by it.
    pub uses: u32,
    /// How much longer it counts.
    pub time: Duration,
}

/// What someone has written of another for whoever runs the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What to close it by.
    pub id: i64,
    /// Who wrote it.
    pub by: Name,
    /// Of whom.
    pub about: Name,
    /// How long ago.
    pub age: Duration,
    /// What happened, in their words: of control characters, line breaks and tabs alone.
    pub text: String,
}

/// What the certificate of a relay of this configuration is known by. The self-signed one is made if there is none yet.
///
/// # Errors
/// When the certificate can't be read or made.
pub fn fingerprint(config: &Config) -> Result<Fingerprint, Error> {
    tls::fingerprint_of(config)
}

/// The accounts of a relay.
#[derive(Debug)]
pub struct Admin {
    store: Store,
    data: PathBuf,
}

impl Admin {
    /// Opens the data folder, making it if there is none, and the database.
    ///
    /// # Errors
    /// When the folder or the database can't be used.
    pub async fn open(config: &Config) -> Result<Self, Error> {
        config.make_data().map_err(|source| Error::Data { path: config.data.clone(), source })?;
        Ok(Self { store: Store::open_at(&config.location(), User::Admin).await?, data: config.data.clone() })
    }

    /// Makes an account.
    ///
    /// # Errors
    /// When the name is taken or the password too short or too long.
    pub async fn add_user(&self, name: &Name, password: &str) -> Result<(), Error> {
        check_password(password).map_err(Error::Password)?;
        let hash = Hasher::new()?.hash(password.to_owned()).await?;
        let id = self.store.add_account(name, &hash).await?.ok_or_else(|| Error::NameTaken(name.clone()))?;
        Ok(self.store.log_change(&[id]).await?)
    }

    /// Removes an account with its sessions, buddies and chat, wholly: SQLite overwrites what is removed. Of what others sent there is nothing left
    /// either, in the conversations with them.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn remove_user(&self, name: &Name) -> Result<(), Error> {
        let id = self.id(name).await?;
        let groups = self.store.groups_of(id).await?;
        let mut others = groups.iter().flat_map(GroupRow::accounts).filter(|member| *member != id).collect::<Vec<_>>();
        // However many groups they had together.
        others.sort_unstable();
        others.dedup();
        self.store.remove_account(id).await?;
        // The groups of those are others now.
        let changed = std::iter::once(id).chain(others).collect::<Vec<_>>();
        self.store.log_change(&changed).await?;
        Ok(self.store.forget_removed().await?)
    }

    /// All accounts, in the order they were made.
    ///
    /// # Errors
    /// When the database can't be read.
    pub async fn users(&self) -> Result<Vec<Name>, Error> {
        Ok(self.store.accounts().await?.into_iter().map(|row| row.name).collect())
    }

    /// Gives an account another password; all its sessions end.
    ///
    /// # Errors
    /// When there is no such account, or the password is too short or too long.
    pub async fn set_password(&self, name: &Name, password: &str) -> Result<(), Error> {
        check_password(password).map_err(Error::Password)?;
        let id = self.id(name).await?;
        let hash = Hasher::new()?.hash(password.to_owned()).await?;
        if !self.store.set_password(id, None, &hash, None).await? {
            return Err(Error::NoSuchAccount(name.clone()));
        }
        Ok(self.store.log_change(&[id]).await?)
    }

    /// Makes an invitation code by which so many accounts can be made within so many days. It is given here and never again.
    ///
    /// # Errors
    /// When the database can't be written.
    pub async fn add_code(&self, uses: u32, days: u32) -> Result<String, Error> {
        let code = Code::new()?;
        let expires_at_ms = wall_clock_ms().saturating_add(i64::from(days).saturating_mul(DAY_MS));
        self.store.add_code(&code.hash(), uses, expires_at_ms).await?;
        Ok(code.to_string())
    }

    /// The invitation codes that still count, in the order they were made.
    ///
    /// # Errors
    /// When the database can't be read.
    pub async fn codes(&self) -> Result<Vec<CodeLeft>, Error> {
        let now_ms = wall_clock_ms();
        let rows = self.store.codes(now_ms).await?.into_iter();
        let left = rows.map(|row| CodeLeft {
            id: row.id,
            uses: row.uses_left,
            time: Duration::from_millis(u64::try_from(row.expires_at_ms.saturating_sub(now_ms)).unwrap_or_default()),
        });
        Ok(left.collect())
    }

    /// Takes an invitation code back; the accounts made by it stay.
    ///
    /// # Errors
    /// When there is no such code.
    pub async fn remove_code(&self, id: i64) -> Result<(), Error> {
        if self.store.remove_code(id).await? { Ok(()) } else { Err(Error::NoSuchCode(id)) }
    }

    /// The reports that wait to be looked at, the oldest first.
    ///
    /// # Errors
    /// When the database can't be read.
    pub async fn reports(&self) -> Result<Vec<Report>, Error> {
        let now_ms = wall_clock_ms();
        let rows = self.store.reports().await?.into_iter();
        let reports = rows.map(|row| Report {
            id: row.id,
            by: row.reporter,
            about: row.about,
            age: Duration::from_millis(u64::try_from(now_ms.saturating_sub(row.at_ms)).unwrap_or_default()),
            text: row.text,
        });
        Ok(reports.collect())
    }

    /// Forgets a report that was dealt with.
    ///
    /// # Errors
    /// When there is no such report.
    pub async fn close_report(&self, id: i64) -> Result<(), Error> {
        if self.store.close_report(id).await? { Ok(()) } else { Err(Error::NoSuchReport(id)) }
    }

    /// Makes two people mutual buddies.
    ///
    /// # Errors
    /// When one of them doesn't exist, or both are the same.
    pub async fn add_buddies(&self, one: &Name, other: &Name) -> Result<(), Error> {
        if one.is(other) {
            return Err(Error::OwnBuddy(one.clone()));
        }
        let (one, other) = (self.id(one).await?, self.id(other).await?);
        self.store.add_buddy(one, other).await?;
        self.store.add_buddy(other, one).await?;
        Ok(self.store.log_change(&[one, other]).await?)
    }

    /// Lets go of the database. Without it SQLite leaves files beside its own until the next one who opens it.
    pub async fn close(self) {
        self.store.close().await;
    }

    async fn id(&self, name: &Name) -> Result<AccountId, Error> {
        let account = self.store.account_by_name(name).await?;
        account.map(|(row, _)| row.id).ok_or_else(|| Error::NoSuchAccount(name.clone()))
    }
}

#[cfg(test)]
mod tests {
    use proto::GroupId;

    use super::*;
    use crate::store::NewGroup;

    #[tokio::test]
    async fn who_had_several_groups_with_someone_who_is_removed_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let admin = Admin::open(&Config::new(folder.path())).await.unwrap();
        let store = &admin.store;
        let mut people = Vec::new();
        for name in ["Ben", "Eva", "Ana"] {
            people.push(store.add_account(&name.parse().unwrap(), "hash").await.unwrap().unwrap());
        }
        let (others, ana) = (&people[..2], people[2]);
        for client_id in ["1", "2"] {
            let id = GroupId::new(client_id);
            store.add_group(NewGroup { id: &id, title: "Lunch", maker: ana, others, client_id }).await.unwrap();
        }
        let before = store.last_change().await.unwrap();
        admin.remove_user(&"Ana".parse().unwrap()).await.unwrap();
        let told = store.changes(before).await.unwrap().into_iter().map(|(_, account)| account).collect::<Vec<_>>();
        assert_eq!(told, [ana, others[0], others[1]]);
        admin.close().await;
    }
}
