//! Changes of calls on their way to the database, in the order they happened, while nobody holds a lock for it.

use tokio::sync::{mpsc, oneshot};

use crate::store::{CallWrite, Store};

/// Changes written in one transaction at most.
const BATCH: usize = 256;

#[derive(Debug)]
enum Entry {
    Write(CallWrite),
    Flush(oneshot::Sender<()>),
}

/// Takes changes without waiting. Cloning shares the way.
#[derive(Clone, Debug)]
pub(crate) struct Journal(mpsc::UnboundedSender<Entry>);

/// The other end: to be run as a task.
#[derive(Debug)]
pub(crate) struct Writer(mpsc::UnboundedReceiver<Entry>);

/// Makes both ends.
pub(crate) fn new() -> (Journal, Writer) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Journal(sender), Writer(receiver))
}

impl Journal {
    /// Queues a change. After the writer has stopped there is nothing left to write for.
    pub(crate) fn write(&self, write: CallWrite) {
        let _ = self.0.send(Entry::Write(write));
    }

    /// Waits until everything queued so far is on disk.
    pub(crate) async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.0.send(Entry::Flush(done)).is_ok() {
            let _ = written.await;
        }
    }
}

impl Writer {
    /// Writes until every [`Journal`] is gone.
    pub(crate) async fn run(mut self, store: Store) {
        let mut entries = Vec::new();
        while self.0.recv_many(&mut entries, BATCH).await > 0 {
            let (mut writes, mut flushed) = (Vec::new(), Vec::new());
            for entry in entries.drain(..) {
                match entry {
                    Entry::Write(write) => writes.push(write),
                    Entry::Flush(done) => flushed.push(done),
                }
            }
            write(&store, &writes).await;
            for done in flushed {
                let _ = done.send(());
            }
        }
    }
}

/// Writes all in one transaction; if that fails one by one, so that what can be written is.
async fn write(store: &Store, writes: &[CallWrite]) {
    if writes.is_empty() || store.write_calls(writes).await.is_ok() {
        return;
    }
    for write in writes {
        if let Err(error) = store.write_calls(std::slice::from_ref(write)).await {
            // The call itself goes on; only a restart of the relay would miss this change.
            // Not which call: its id may be what lets people in.
            tracing::error!(%error, change = write.what(), "a change of a call could not be stored");
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::{CallId, PeerId};

    use super::*;
    use crate::{
        store::{MemberRow, NewSession, SessionId},
        token::TokenHash,
    };

    async fn store(folder: &tempfile::TempDir) -> (Store, MemberRow) {
        let store = Store::open(&folder.path().join("relay.db")).await.unwrap();
        let account = store.add_account(&"Ana".parse().unwrap(), "hash").await.unwrap().unwrap();
        let new = NewSession { token: TokenHash::of("x"), public: "x", account, password: "hash", device: "" };
        let session = store.add_session(new).await.unwrap().unwrap();
        (store, MemberRow { peer: PeerId(1), session, audio: true, video: true, screen: false, muted: false })
    }

    async fn calls(store: &Store) -> Vec<(String, usize)> {
        let mut calls = store.calls().await.unwrap();
        calls.sort_by(|one, other| one.id.cmp(&other.id));
        calls.into_iter().map(|call| (call.id.to_string(), call.members.len())).collect()
    }

    #[tokio::test]
    async fn who_joins_what_was_never_stored_spoils_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (store, member) = store(&folder).await;
        let (lost, kept) = (CallId::new("lost"), CallId::new("kept"));
        let stranger = MemberRow { session: SessionId(99), ..member };
        let writes = [
            CallWrite::Joined(lost, member),
            CallWrite::Opened(kept.clone()),
            CallWrite::Joined(kept.clone(), stranger),
            CallWrite::Joined(kept, member),
        ];
        store.write_calls(&writes).await.unwrap();
        assert_eq!(calls(&store).await, [("kept".to_owned(), 1)]);
    }

    #[tokio::test]
    async fn one_change_that_cannot_be_stored_takes_no_other_along() {
        let folder = tempfile::tempdir().unwrap();
        let (store, member) = store(&folder).await;
        store.execute("INSERT INTO calls (id, next_peer) VALUES ('other', 1)").await.unwrap();
        store.execute("CREATE UNIQUE INDEX no_bad ON calls (next_peer) WHERE id <> 'good'").await.unwrap();
        let (journal, writer) = new();
        let writing = tokio::spawn(writer.run(store.clone()));
        for call in ["bad", "good"].map(CallId::new) {
            journal.write(CallWrite::Opened(call.clone()));
            journal.write(CallWrite::Joined(call, member));
        }
        journal.flush().await;
        assert_eq!(calls(&store).await, [("good".to_owned(), 1), ("other".to_owned(), 0)]);
        drop(journal);
        writing.await.unwrap();
    }
}
