//! Password hashing: argon2id with the crate's parameters (19 MiB, 2 passes: OWASP's first choice), off the async threads.

use std::sync::Arc;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::Semaphore;

/// Hashes at once: each takes 19 MiB and a core for about 20 ms, and calls need the cores too.
const AT_ONCE: usize = 2;

/// Hashing failed; the reason is for the log.
#[derive(Clone, Debug, thiserror::Error)]
#[error("hashing a password failed: {0}")]
pub(crate) struct HashFailed(String);

/// Hashes and verifies passwords, a few at a time. Cloning shares the limit.
#[derive(Clone, Debug)]
pub(crate) struct Hasher {
    permits: Arc<Semaphore>,
    /// Verified in place of the hash of a name nobody has, so that time doesn't tell which names exist.
    nobody: Arc<str>,
}

impl Hasher {
    /// Hashes once, for the name nobody has.
    pub(crate) fn new() -> Result<Self, HashFailed> {
        Ok(Self { permits: Arc::new(Semaphore::new(AT_ONCE)), nobody: hash("nobody's password")?.into() })
    }

    /// The PHC string to keep for a password.
    pub(crate) async fn hash(&self, password: String) -> Result<String, HashFailed> {
        self.run(move || hash(&password)).await?
    }

    /// Whether the password is the one of `kept`; for `None` it takes as long and says no.
    pub(crate) async fn verify(&self, password: String, kept: Option<String>) -> Result<bool, HashFailed> {
        let nobody = Arc::clone(&self.nobody);
        self.run(move || {
            let parsed = PasswordHash::new(kept.as_deref().unwrap_or(&nobody)).map_err(|error| HashFailed(error.to_string()))?;
            let matches = Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
            Ok(matches && kept.is_some())
        })
        .await?
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, HashFailed> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|error| HashFailed(error.to_string()))?;
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        })
        .await
        .map_err(|error| HashFailed(error.to_string()))
    }
}

fn hash(password: &str) -> Result<String, HashFailed> {
    let hash: PasswordHash =
        Argon2::default().hash_password(password.as_bytes()).map_err(|error| HashFailed(error.to_string()))?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_right_password_alone_is_taken() {
        let hasher = Hasher::new().unwrap();
        let kept = hasher.hash("correct horse".to_owned()).await.unwrap();
        assert!(kept.starts_with("$argon2id$"));
        assert!(hasher.verify("correct horse".to_owned(), Some(kept.clone())).await.unwrap());
        assert!(!hasher.verify("wrong horse".to_owned(), Some(kept)).await.unwrap());
        assert!(!hasher.verify("nobody's password".to_owned(), None).await.unwrap());
    }
}
