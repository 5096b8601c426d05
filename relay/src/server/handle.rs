//! Tells all sockets and connections at once that the relay stops.

use std::sync::Arc;

use tokio::sync::watch;

/// How far a relay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    /// Nobody is let in, and what is under way may end.
    Stopping,
    /// Everything ends at once.
    Ended,
}

/// The end that tells. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct Handle(Arc<watch::Sender<Phase>>);

/// The end that is told.
#[derive(Clone, Debug)]
pub(crate) struct Listener(watch::Receiver<Phase>);

impl Handle {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Phase::Running)))
    }

    pub(crate) fn stop(&self) {
        self.0.send_if_modified(|phase| {
            let running = *phase == Phase::Running;
            if running {
                *phase = Phase::Stopping;
            }
            running
        });
    }

    pub(crate) fn end(&self) {
        self.0.send_replace(Phase::Ended);
    }

    pub(crate) fn listener(&self) -> Listener {
        Listener(self.0.subscribe())
    }

    /// Waits until every listener is gone.
    #[cfg(test)]
    pub(crate) async fn nobody_listens(&self) {
        self.0.closed().await;
    }
}

impl Listener {
    pub(crate) fn phase(&mut self) -> Phase {
        *self.0.borrow_and_update()
    }

    /// Waits for another phase, and gives it. A relay that is gone has ended.
    pub(crate) async fn changed(&mut self) -> Phase {
        match self.0.changed().await {
            Ok(()) => self.phase(),
            Err(_) => Phase::Ended,
        }
    }

    pub(crate) async fn ended(&mut self) {
        let _ = self.0.wait_for(|phase| *phase == Phase::Ended).await;
    }
}
