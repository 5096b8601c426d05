//! The threads of a call, and waiting for their end, but not for ever.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

/// How long their end is waited for: a thread that needs longer hangs in a driver, and would take the window with it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Threads to be ended together.
pub(crate) struct Workers {
    threads: Vec<JoinHandle<()>>,
    /// Held by each thread's work; once all are dropped, all work is done.
    alive: Sender<()>,
    done: Receiver<()>,
}

impl Default for Workers {
    fn default() -> Self {
        let (alive, done) = channel();
        Self { threads: Vec::new(), alive, done }
    }
}

impl Workers {
    /// Starts a thread; if the system gives none, the call goes on without what it would have done.
    pub(crate) fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> bool {
        self.threads.retain(|thread| !thread.is_finished());
        let alive = self.alive.clone();
        let spawned = thread::Builder::new().name(name.into()).spawn(move || {
            let _alive = alive;
            work();
        });
        match spawned {
            Ok(thread) => {
                self.threads.push(thread);
                true
            }
            Err(error) => {
                tracing::error!(%error, thread = name, "a thread could not be started");
                false
            }
        }
    }

    /// Waits for the threads, which have been told to end. One of them may do this itself.
    pub(crate) fn join(self) {
        let Self { threads, alive, done } = self;
        drop(alive);
        let me = thread::current().id();
        if threads.iter().any(|thread| thread.thread().id() == me) {
            return;
        }
        // Nobody ever says anything: the wait ends with the last of them or with patience.
        if done.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            let stuck: Vec<_> = threads.iter().filter(|thread| !thread.is_finished()).filter_map(|t| t.thread().name()).collect();
            tracing::warn!(?stuck, "some threads of the call don't end");
            return;
        }
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the call had panicked");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_what_ends() {
        let (mut workers, (to_main, results)) = (Workers::default(), channel());
        for number in 0..3 {
            let to_main = to_main.clone();
            assert!(workers.spawn("test", move || to_main.send(number).unwrap()));
        }
        drop(to_main);
        workers.join();
        assert_eq!(results.try_iter().count(), 3);
    }

    #[test]
    fn a_worker_may_end_them_all() {
        let (to_worker, worker) = channel::<Workers>();
        let (to_main, done) = channel();
        let mut workers = Workers::default();
        workers.spawn("test", move || {
            worker.recv().unwrap().join();
            to_main.send(()).unwrap();
        });
        to_worker.send(workers).unwrap();
        done.recv_timeout(Duration::from_secs(10)).unwrap();
    }

    #[test]
    fn a_panic_does_not_spread() {
        let mut workers = Workers::default();
        workers.spawn("test", || panic!("this is the test"));
        workers.join();
    }
}
