//! Password hashing: argon2id with the crate's parameters (19 MiB, 2 passes: OWASP's first choice), off the async threads.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    thread,
};

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};
use tokio::sync::oneshot;

/// Hashing failed; the reason is for the log.
#[derive(Clone, Debug, thiserror::Error)]
#[error("hashing a password failed: {0}")]
pub(crate) struct HashFailed(String);

/// What hashing works in: 19 MiB, kept for the next one, since the allocator would keep it anyway and then take more.
type Memory = Vec<Block>;

/// A hash of no known password, verified in place of the one of a name nobody has: time doesn't tell which names exist.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5J3Mgc2FsdCEhIQ$bm9ib2R5J3MgaGFzaCwgMzIgYnl0ZXMgbG9uZy4uLi4";

type Work = Box<dyn FnOnce(&mut Memory) + Send>;

/// Hashes and verifies passwords, one at a time. Cloning shares the thread, which ends with the last clone.
///
/// One thread: each hash takes a core for about 20 ms, and calls need the cores too. Rates keep the queue short.
#[derive(Clone, Debug)]
pub(crate) struct Hasher {
    queue: mpsc::Sender<Work>,
}

impl Hasher {
    /// Starts the thread.
    pub(crate) fn new() -> Result<Self, HashFailed> {
        let (queue, works) = mpsc::channel::<Work>();
        let run = move || {
            let mut memory = Memory::new();
            for work in works {
                // A panic is a bug, and costs whoever asked their answer; the others still sign in.
                let _ = catch_unwind(AssertUnwindSafe(|| work(&mut memory)));
            }
        };
        let thread = thread::Builder::new().name("hasher".to_owned()).spawn(run);
        thread.map_err(|error| HashFailed(error.to_string()))?;
        Ok(Self { queue })
    }

    /// The PHC string to keep for a password.
    pub(crate) async fn hash(&self, password: String) -> Result<String, HashFailed> {
        self.run(move |memory| hash(memory, &password)).await?
    }

    /// Whether the password is the one of `kept`; for `None` it takes as long and says no.
    pub(crate) async fn verify(&self, password: String, kept: Option<String>) -> Result<bool, HashFailed> {
        self.run(move |memory| {
            let matches = matches(memory, &password, kept.as_deref().unwrap_or(NOBODY))?;
            Ok(matches && kept.is_some())
        })
        .await?
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce(&mut Memory) -> T + Send + 'static) -> Result<T, HashFailed> {
        let (done, result) = oneshot::channel();
        let gone = || HashFailed("the hashing thread is gone".to_owned());
        let work = move |memory: &mut Memory| {
            // Whoever asked may have given up meanwhile.
            let _ = done.send(work(memory));
        };
        self.queue.send(Box::new(work)).map_err(|_| gone())?;
        result.await.map_err(|_| gone())
    }
}

fn hash(memory: &mut Memory, password: &str) -> Result<String, HashFailed> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(failed)?;
    let (algorithm, version, params) = (Algorithm::default(), Version::default(), Params::default());
    let hash = PasswordHash {
        algorithm: algorithm.ident(),
        version: Some(version.into()),
        params: ParamsString::try_from(&params).map_err(failed)?,
        salt: Some(Salt::new(&salt).map_err(failed)?),
        hash: Some(output(memory, &Argon2::new(algorithm, version, params), password, &salt)?),
    };
    Ok(hash.to_string())
}

fn matches(memory: &mut Memory, password: &str, kept: &str) -> Result<bool, HashFailed> {
    let kept = PasswordHash::new(kept).map_err(failed)?;
    let algorithm = Algorithm::try_from(kept.algorithm.as_str()).map_err(failed)?;
    let version = kept.version.map_or(Ok(Version::default()), Version::try_from).map_err(failed)?;
    let argon2 = Argon2::new(algorithm, version, Params::try_from(&kept).map_err(failed)?);
    let (Some(salt), Some(hash)) = (kept.salt, kept.hash) else { return Err(failed("a kept hash is incomplete")) };
    // The comparison takes the same time wherever the two differ.
    Ok(output(memory, &argon2, password, &salt)? == hash)
}

fn output(memory: &mut Memory, argon2: &Argon2<'_>, password: &str, salt: &[u8]) -> Result<Output, HashFailed> {
    memory.resize(argon2.params().block_count(), Block::default());
    let mut bytes = [0; Params::DEFAULT_OUTPUT_LEN];
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, &mut bytes, memory).map_err(failed)?;
    Output::new(&bytes).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> HashFailed {
    HashFailed(error.to_string())
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::PasswordVerifier;

    use super::*;

    #[tokio::test]
    async fn the_right_password_alone_is_taken() {
        let hasher = Hasher::new().unwrap();
        let kept = hasher.hash("correct horse".to_owned()).await.unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_eq!(Argon2::default().verify_password(b"correct horse", kept.as_str()), Ok(()), "as everyone else reads it");
        assert!(hasher.verify("correct horse".to_owned(), Some(kept.clone())).await.unwrap());
        assert!(!hasher.verify("wrong horse".to_owned(), Some(kept)).await.unwrap());
        assert!(!hasher.verify("correct horse".to_owned(), None).await.unwrap());
    }
}
