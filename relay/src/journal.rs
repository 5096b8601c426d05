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
            if !writes.is_empty()
                && let Err(error) = store.write_calls(&writes).await
            {
                // The calls themselves go on; only a restart of the relay would miss these changes.
                tracing::error!(%error, changes = writes.len(), "changes of calls could not be stored");
            }
            for done in flushed {
                let _ = done.send(());
            }
        }
    }
}
