//! Password hashing: argon2id with the crate's parameters (19 MiB, 2 passes: OWASP's first choice), off the async threads.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{self, TrySendError},
    thread,
};

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};
use tokio::sync::oneshot;

/// Why there is no hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HashFailed {
    /// It went wrong; the reason is for the log.
    #[error("hashing a password failed: {0}")]
    Failed(String),
    /// So many wait that it would take too long.
    #[error("too many passwords wait to be hashed")]
    Crowded,
}

/// Passwords that may wait for their turn: a second's worth, and nobody waits longer than that for a sign-in.
const QUEUE: usize = 64;

/// What hashing works in: 19 MiB, kept for the next one, since the allocator would keep it anyway and then take more.
type Memory = Vec<Block>;

/// A hash of no known password, verified in place of the one of a name nobody has: time doesn't tell which names exist.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5J3Mgc2FsdCEhIQ$bm9ib2R5J3MgaGFzaCwgMzIgYnl0ZXMgbG9uZy4uLi4";

/// Kept where there is no password, as in an account of an OpenID provider's: no hash looks like it, so no password is right.
pub(crate) const NO_PASSWORD: &str = "*";

type Work = Box<dyn FnOnce(&mut Memory) + Send>;

/// Hashes and verifies passwords, one at a time. Cloning shares the thread, which ends with the last clone.
///
/// One thread: each hash takes a core for about 20 ms, and calls need the cores too.
#[derive(Clone, Debug)]
pub(crate) struct Hasher {
    queue: mpsc::SyncSender<Work>,
}

impl Hasher {
    /// Starts the thread.
    pub(crate) fn new() -> Result<Self, HashFailed> {
        let (queue, works) = mpsc::sync_channel::<Work>(QUEUE);
        let run = move || {
            let mut memory = Memory::new();
            for work in works {
                // A panic is a bug, and costs whoever asked their answer; the others still sign in.
                let _ = catch_unwind(AssertUnwindSafe(|| work(&mut memory)));
            }
        };
        let thread = thread::Builder::new().name("hasher".to_owned()).spawn(run);
        thread.map_err(failed)?;
        Ok(Self { queue })
    }

    /// The PHC string to keep for a password.
    pub(crate) async fn hash(&self, password: String) -> Result<String, HashFailed> {
        self.run(move |memory| hash(memory, &password)).await?
    }

    /// Whether the password is the one of `kept`; for `None`, and where there is none, it takes as long and says no.
    pub(crate) async fn verify(&self, password: String, kept: Option<String>) -> Result<bool, HashFailed> {
        let kept = kept.filter(|kept| kept != NO_PASSWORD);
        self.run(move |memory| {
            let matches = matches(memory, &password, kept.as_deref().unwrap_or(NOBODY))?;
            Ok(matches && kept.is_some())
        })
        .await?
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce(&mut Memory) -> T + Send + 'static) -> Result<T, HashFailed> {
        self.queue(work)?.await.map_err(|_| gone())
    }

    fn queue<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>, HashFailed> {
        let (done, result) = oneshot::channel();
        let work = move |memory: &mut Memory| {
            // Whoever asked may have given up while it waited: then it isn't worth a core.
            if !done.is_closed() {
                let _ = done.send(work(memory));
            }
        };
        self.queue.try_send(Box::new(work)).map_err(|error| match error {
            TrySendError::Full(_) => HashFailed::Crowded,
            TrySendError::Disconnected(_) => gone(),
        })?;
        Ok(result)
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
    HashFailed::Failed(error.to_string())
}

fn gone() -> HashFailed {
    failed("the hashing thread is gone")
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
        for password in ["correct horse", "", NO_PASSWORD] {
            assert!(!hasher.verify(password.to_owned(), Some(NO_PASSWORD.to_owned())).await.unwrap());
        }
    }

    #[tokio::test]
    async fn only_so_many_wait_and_whoever_is_gone_is_passed_over() {
        let hasher = Hasher::new().unwrap();
        let (open, gate) = mpsc::channel::<()>();
        let busy = hasher.queue(move |_| gate.recv()).unwrap();
        let mut waiting = Vec::new();
        let (ran, runs) = mpsc::channel();
        let crowded = loop {
            let ran = ran.clone();
            match hasher.queue(move |_| ran.send(())) {
                Ok(result) => waiting.push(result),
                Err(error) => break error,
            }
        };
        assert_eq!(crowded, HashFailed::Crowded);
        // The first one may not have been taken from the queue yet.
        assert!(waiting.len() == QUEUE || waiting.len() == QUEUE - 1, "{}", waiting.len());
        let last = waiting.pop().unwrap();
        drop(waiting);
        open.send(()).unwrap();
        busy.await.unwrap().unwrap();
        last.await.unwrap().unwrap();
        assert_eq!(runs.try_iter().count(), 1);
        hasher.hash("correct horse".to_owned()).await.expect("there is room again");
    }
}
