//! What whoever runs the relay does by hand, whether it runs or not: a running one notices within about a second.

use std::path::Path;

use proto::Name;

use crate::{
    config::Config,
    error::Error,
    handlers::accounts::check_password,
    password::Hasher,
    store::{AccountId, Store},
};

/// The accounts in a data folder.
#[derive(Debug)]
pub struct Admin {
    store: Store,
}

impl Admin {
    /// Opens a data folder, making it if there is none.
    ///
    /// # Errors
    /// When the folder or its database can't be used.
    pub async fn open(data: &Path) -> Result<Self, Error> {
        let config = Config::new(data);
        config.make_data().map_err(|source| Error::Data { path: data.to_owned(), source })?;
        Ok(Self { store: Store::open(&config.database()).await? })
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

    /// Removes an account with its sessions, buddies and chat.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn remove_user(&self, name: &Name) -> Result<(), Error> {
        let id = self.id(name).await?;
        self.store.remove_account(id).await?;
        Ok(self.store.log_change(&[id]).await?)
    }

    /// All accounts, in the order they were made.
    ///
    /// # Errors
    /// When the database can't be read.
    pub async fn users(&self) -> Result<Vec<Name>, Error> {
        Ok(self.store.accounts().await?.into_iter().map(|row| row.name).collect())
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

    async fn id(&self, name: &Name) -> Result<AccountId, Error> {
        let account = self.store.account_by_name(name).await?;
        account.map(|(row, _)| row.id).ok_or_else(|| Error::NoSuchAccount(name.clone()))
    }
}
