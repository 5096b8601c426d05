//! How many connections there may be, and what the requests make of few: polls share what there is and are held only briefly, so
//! that uploads and control requests find a connection.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::{
    cuts::Cuts,
    scarcity::{Failed, Scarcity},
};

/// With few connections a media poll is held this long: longer than chunks are apart, and than what counts as an answer in haste.
const MEDIA_HOLD: Duration = Duration::from_millis(60);

/// With few connections a poll of the event lane is held this long while no call is on: the first polls of one may have to wait
/// for it to end.
const IDLE_HOLD: Duration = Duration::from_secs(1);

/// For how long a request needs its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is answered at once.
    Brief,
    /// It may be held.
    Poll,
    /// As long as a file takes.
    File,
}

/// A request's share of the connections, where they are few.
pub(crate) type Turn = [Option<OwnedSemaphorePermit>; 2];

/// The connections of one client.
#[derive(Debug)]
pub(crate) struct Lines {
    state: Mutex<State>,
    /// Changes whenever the bound does.
    limit: watch::Sender<Option<usize>>,
    calls: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    scarcity: Scarcity,
    cuts: Cuts,
    /// When each request in flight began.
    flying: BTreeMap<u64, Instant>,
    next: u64,
    /// While connections are few.
    permits: Option<Permits>,
}

#[derive(Clone, Debug)]
struct Permits {
    /// As many as there are connections.
    all: Arc<Semaphore>,
    /// One less, if that leaves any: a poll needs one of these besides.
    polls: Arc<Semaphore>,
    /// One: a file needs it besides, so that a second one doesn't take what the first has left to all others.
    files: Arc<Semaphore>,
}

/// A request in flight; dropped when it is over.
#[derive(Debug)]
pub(crate) struct Flight<'a> {
    lines: &'a Lines,
    number: u64,
    began: Instant,
}

/// A call that is on; dropped when it is over.
#[derive(Debug)]
pub(crate) struct InCall(Arc<Lines>);

impl Default for Lines {
    fn default() -> Self {
        Self { state: Mutex::default(), limit: watch::Sender::new(None), calls: AtomicUsize::default() }
    }
}

impl Lines {
    /// How many connections there may be; any number while it is `None`.
    pub(crate) fn limit(&self) -> Option<usize> {
        *self.limit.borrow()
    }

    /// Changes when the bound does.
    pub(crate) fn changes(&self) -> watch::Receiver<Option<usize>> {
        self.limit.subscribe()
    }

    /// A call begins.
    pub(crate) fn call(self: &Arc<Self>) -> InCall {
        self.calls.fetch_add(1, Relaxed);
        InCall(self.clone())
    }

    /// How long a media poll is held that may be held for `hold`.
    pub(crate) fn media_hold(&self, hold: Duration) -> Duration {
        if self.limit().is_some() { hold.min(MEDIA_HOLD) } else { self.uncut(hold) }
    }

    /// How long a poll of the event lane is held that may be held for `hold`.
    pub(crate) fn event_hold(&self, hold: Duration) -> Duration {
        match self.limit() {
            None => self.uncut(hold),
            Some(_) if self.calls.load(Relaxed) > 0 => Duration::ZERO,
            Some(_) => hold.min(IDLE_HOLD),
        }
    }

    /// A poll broke at this age.
    pub(crate) fn cut(&self, age: Duration, now: Instant) {
        self.state().cuts.cut(age, now);
    }

    fn uncut(&self, hold: Duration) -> Duration {
        self.state().cuts.hold(hold, Instant::now())
    }

    /// Waits until a request may be sent; it may be sent as long as what this gives is kept. Without a bound there is no wait.
    pub(crate) async fn turn(&self, kind: Kind) -> Turn {
        let Some(Permits { all, polls, files }) = self.state().permits.clone() else { return [None, None] };
        let first = match kind {
            Kind::Brief => None,
            Kind::Poll => polls.acquire_owned().await.ok(),
            Kind::File => files.acquire_owned().await.ok(),
        };
        [first, all.acquire_owned().await.ok()]
    }

    /// A request begins.
    pub(crate) fn begin(&self, now: Instant) -> Flight<'_> {
        let mut state = self.state();
        state.next += 1;
        let number = state.next;
        state.flying.insert(number, now);
        Flight { lines: self, number, began: now }
    }

    fn change(&self, state: &mut State) {
        let limit = state.scarcity.limit();
        match limit {
            Some(limit) => tracing::warn!(limit, "something in between allows few connections: they are shared"),
            None => tracing::info!("trying again with as many connections as are of use"),
        }
        state.permits = limit.map(|limit| Permits {
            all: Arc::new(Semaphore::new(limit)),
            polls: Arc::new(Semaphore::new(limit.saturating_sub(1).max(1))),
            files: Arc::new(Semaphore::new(1)),
        });
        self.limit.send_replace(limit);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight<'_> {
    /// An answer came by a connection made at `made`.
    pub(crate) fn answered(&self, made: Instant, now: Instant) {
        let mut state = self.lines.state();
        if state.scarcity.answered(made, now) {
            self.lines.change(&mut state);
        }
    }

    /// When it began.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// Whether it has been under way for so long.
    pub(crate) fn lasted(&self, time: Duration) -> bool {
        self.began.elapsed() >= time
    }

    /// It failed on a connection that had never carried an answer.
    pub(crate) fn failed(&self, how: Failed, now: Instant) {
        let mut state = self.lines.state();
        let oldest = state.flying.iter().filter(|(number, _)| **number != self.number).map(|(_, began)| *began).min();
        if state.scarcity.failed(how, self.began, oldest, now) {
            self.lines.change(&mut state);
        }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.lines.state().flying.remove(&self.number);
    }
}

impl Drop for InCall {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn with_few_connections_polls_are_short_and_leave_one_free() {
        let lines = Arc::new(Lines::default());
        let long = Duration::from_secs(20);
        assert_eq!((lines.media_hold(long), lines.event_hold(long)), (long, long));
        assert!(matches!(lines.turn(Kind::Poll).await, [None, None]), "there is no wait");
        let now = Instant::now();
        lines.begin(now).answered(now, now);
        lines.begin(now).failed(Failed::Silent, now);
        assert_eq!(lines.limit(), Some(2));
        assert_eq!((lines.media_hold(long), lines.event_hold(long)), (MEDIA_HOLD, IDLE_HOLD));
        let call = lines.call();
        assert_eq!(lines.event_hold(long), Duration::ZERO);
        drop(call);
        assert_eq!(lines.event_hold(long), IDLE_HOLD);
        let first = lines.turn(Kind::Poll).await;
        let mut second = Box::pin(lines.turn(Kind::Poll));
        assert!(futures::poll!(&mut second).is_pending(), "one poll at a time");
        let upload = lines.turn(Kind::Brief).await;
        let mut another = Box::pin(lines.turn(Kind::Brief));
        assert!(futures::poll!(&mut another).is_pending(), "both connections are in use");
        drop(first);
        assert!(futures::poll!(&mut another).is_ready());
        drop((upload, another));
        assert!(futures::poll!(&mut second).is_ready());
        let file = lines.turn(Kind::File).await;
        let mut next = Box::pin(lines.turn(Kind::File));
        assert!(futures::poll!(&mut next).is_pending(), "one file at a time");
        assert!(futures::poll!(Box::pin(lines.turn(Kind::Poll))).is_ready(), "the other connection is left to everything else");
        drop(file);
        assert!(futures::poll!(&mut next).is_ready());
    }
}
