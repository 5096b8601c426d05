//! Password hashing: argon2id with the crate's parameters (19 MiB, 2 passes: OWASP's first choice), off the async threads.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    thread,
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::oneshot;

/// Hashing failed; the reason is for the log.
#[derive(Clone, Debug, thiserror::Error)]
#[error("hashing a password failed: {0}")]
pub(crate) struct HashFailed(String);

type Work = Box<dyn FnOnce() + Send>;

/// Hashes and verifies passwords, one at a time. Cloning shares the thread, which ends with the last clone.
///
/// One thread: each hash takes 19 MiB, which the allocator keeps for every thread that ever hashed, and a core for about 20 ms, and
/// calls need the cores too. Rates keep the queue short.
#[derive(Clone, Debug)]
pub(crate) struct Hasher {
    queue: mpsc::Sender<Work>,
    /// Verified in place of the hash of a name nobody has, so that time doesn't tell which names exist.
    nobody: Arc<str>,
}

impl Hasher {
    /// Hashes once, for the name nobody has.
    pub(crate) async fn new() -> Result<Self, HashFailed> {
        let (queue, works) = mpsc::channel::<Work>();
        let run = move || {
            for work in works {
                // A panic is a bug, and costs whoever asked their answer; the others still sign in.
                let _ = catch_unwind(AssertUnwindSafe(work));
            }
        };
        let thread = thread::Builder::new().name("hasher".to_owned()).spawn(run);
        thread.map_err(|error| HashFailed(error.to_string()))?;
        let mut hasher = Self { queue, nobody: Arc::from("") };
        hasher.nobody = hasher.hash("nobody's password".to_owned()).await?.into();
        Ok(hasher)
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
        let (done, result) = oneshot::channel();
        let gone = || HashFailed("the hashing thread is gone".to_owned());
        let work = move || {
            // Whoever asked may have given up meanwhile.
            let _ = done.send(work());
        };
        self.queue.send(Box::new(work)).map_err(|_| gone())?;
        result.await.map_err(|_| gone())
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
        let hasher = Hasher::new().await.unwrap();
        let kept = hasher.hash("correct horse".to_owned()).await.unwrap();
        assert!(kept.starts_with("$argon2id$"));
        assert!(hasher.verify("correct horse".to_owned(), Some(kept.clone())).await.unwrap());
        assert!(!hasher.verify("wrong horse".to_owned(), Some(kept)).await.unwrap());
        assert!(!hasher.verify("nobody's password".to_owned(), None).await.unwrap());
    }
}
