//! The media lanes of one call: overlapped numbered polls down, numbered uploads up, audio, video and shared screens apart.
//!
//! Each kind has two workers, one that keeps enough polls parked and one that keeps uploads in flight; how many follows from the
//! round trip, see [`overlap`]. A poll that fails is sent again under its number and so loses nothing; an upload that fails is
//! sent again byte by byte until it is too old. What arrives is handed on at once, in whatever order the answers come, and after
//! a restart of the relay a chunk may come twice: whoever plays it orders by sequence number and drops what it has.

mod failure;
mod health;
mod hedge;
pub mod overlap;
mod polls;
mod pull;
mod push;
mod report;
mod stats;
mod uploads;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use proto::{
    CallId, Chunk, Kind, PeerId,
    api::{Feedback, Reception},
};
use tokio::{
    sync::{Notify, watch},
    task::{AbortHandle, JoinHandle},
};

pub use self::stats::Stats;
use self::{
    health::Health,
    overlap::{LEAST, RoundTrips},
    stats::Counters,
    uploads::Uploads,
};
use crate::{backoff::random, error::Error, http::lines::InCall, session::Session};

/// How often the overlap is looked at anew.
const EVALUATION: Duration = Duration::from_secs(1);

/// What the lanes call. All of it comes from the runtime's own threads, so none of it may block, nor call back into
/// [`Lanes::close`].
pub trait Handler: Send + Sync + 'static {
    /// A chunk of another peer. There is no order between chunks, and one may come twice.
    fn chunk(&self, chunk: Chunk);
    /// What became of a published chunk: exactly one call for each, unless the lanes are closed or ended first.
    fn uploaded(&self, kind: Kind, seq: u32, outcome: Result<Feedback, GaveUp>);
    /// How the lanes are, whenever that changes.
    fn state(&self, state: LaneState);
    /// From now on so many uploads of the kind may usefully be in flight; [`LEAST`] before the first call.
    fn in_flight(&self, kind: Kind, limit: usize);
    /// How the others' media have come since this was last asked; asked four times a second, and told to the relay. `None` where there
    /// is nothing to say.
    fn reception(&self) -> Option<Reception> {
        None
    }
}

/// Why a published chunk never arrived.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GaveUp {
    /// The relay didn't take it while it was of use.
    #[error("the chunk couldn't be sent in time")]
    TooOld,
    /// Newer ones took its place in the queue.
    #[error("more chunks were waiting than fit the queue")]
    Crowded,
    /// The relay refused it for good.
    #[error("the relay refused the chunk: {0}")]
    Refused(#[source] Error),
}

/// How a call's lanes are.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LaneState {
    /// The relay answers. Comes first, and at the end of each spell.
    Live,
    /// The relay is out of reach; attempts go on by themselves. Comes once per spell.
    Reconnecting {
        /// When the spell began.
        since: Instant,
        /// What is in the way.
        reason: Arc<Error>,
    },
    /// The call is over for this session, or the session is over. Nothing more comes.
    Ended {
        /// What the relay said.
        reason: Arc<Error>,
    },
}

/// One call's lanes. Dropping them closes them without waiting.
#[derive(Debug)]
pub struct Lanes {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    aborts: Vec<AbortHandle>,
}

impl Lanes {
    /// Begins to receive at once. `me` is this session's peer in the call; chunks of its own are not handed on.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn open(session: &Session, call: CallId, me: PeerId, handler: Arc<dyn Handler>) -> Self {
        let shared = Arc::new(Shared {
            session: session.clone(),
            call,
            me,
            handler,
            lanes: Kind::ALL.map(Lane::new),
            health: Mutex::default(),
            round_trips: Mutex::default(),
            counters: Counters::default(),
            over: watch::Sender::new(false),
            _in_call: session.http().lines.call(),
            back: watch::Sender::new(()),
            thin: AtomicBool::new(false),
            watching: watch::Sender::new(false),
        });
        let mut workers = vec![shared.spawn(evaluate(shared.clone())), shared.spawn(report::run(shared.clone()))];
        for kind in Kind::ALL {
            workers.push(match kind {
                Kind::Screen => shared.spawn(pull::run_while_watching(shared.clone(), kind)),
                Kind::Audio | Kind::Video => shared.spawn(pull::run(shared.clone(), kind)),
            });
            workers.push(shared.spawn(push::run(shared.clone(), kind)));
        }
        let aborts = workers.iter().map(JoinHandle::abort_handle).collect();
        Self { shared, workers, aborts }
    }

    /// Sends a chunk as soon as possible, on the lane of its track's kind. Never blocks, and may be called from any thread.
    pub fn publish(&self, chunk: Chunk) {
        if *self.shared.over.borrow() {
            return;
        }
        let lane = self.shared.lane(chunk.header.track.kind);
        lock(&lane.uploads).publish(chunk, Instant::now());
        lane.published.notify_one();
    }

    /// Whether the way is thin: then sounds share requests, and nothing is sent or asked for twice.
    pub fn set_thin(&self, thin: bool) {
        if self.shared.thin.swap(thin, Ordering::Relaxed) == thin {
            return;
        }
        tracing::debug!(call = %self.shared.call, thin, "the way's width changes");
        for lane in &self.shared.lanes {
            lock(&lane.uploads).set_thin(thin);
            lane.published.notify_one();
        }
    }

    /// Whether somebody else shares a screen: only then is it asked for. At the start nobody does.
    pub fn set_watching(&self, watching: bool) {
        self.shared.watching.send_if_modified(|now| std::mem::replace(now, watching) != watching);
    }

    /// What they have done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let round_trip = lock(&self.shared.round_trips).shortest(Instant::now());
        self.shared.counters.snapshot(round_trip)
    }

    /// Ends all requests. After it returns the handler isn't called any more.
    pub async fn close(mut self) {
        for worker in std::mem::take(&mut self.workers) {
            worker.abort();
            // It was either aborted or had ended; a panic in the handler is the only other way, and tokio has shown it.
            let _ = worker.await;
        }
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        for abort in &self.aborts {
            abort.abort();
        }
    }
}

struct Shared {
    session: Session,
    call: CallId,
    me: PeerId,
    handler: Arc<dyn Handler>,
    lanes: [Lane; 3],
    health: Mutex<Health>,
    round_trips: Mutex<RoundTrips>,
    counters: Counters,
    over: watch::Sender<bool>,
    _in_call: InCall,
    /// Sent when a worker gets through that didn't, so that the others needn't wait to try.
    back: watch::Sender<()>,
    /// See [`Lanes::set_thin`].
    thin: AtomicBool,
    /// See [`Lanes::set_watching`].
    watching: watch::Sender<bool>,
}

struct Lane {
    kind: Kind,
    uploads: Mutex<Uploads>,
    published: Notify,
    depth: watch::Sender<usize>,
}

impl Lane {
    fn new(kind: Kind) -> Self {
        let uploads = Mutex::new(Uploads::new(kind, random()));
        Self { kind, uploads, published: Notify::new(), depth: watch::Sender::new(LEAST) }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("session", &self.session)
            .field("call", &self.call)
            .field("me", &self.me)
            .finish_non_exhaustive()
    }
}

/// Who tells how it fares, as an index into [`Health`].
#[derive(Clone, Copy)]
enum Worker {
    Pull(Kind),
    Push(Kind),
}

impl Worker {
    const fn index(self) -> usize {
        let (kind, pushes) = match self {
            Self::Pull(kind) => (kind, 0),
            Self::Push(kind) => (kind, 1),
        };
        2 * place(kind) + pushes
    }
}

impl Shared {
    fn lane(&self, kind: Kind) -> &Lane {
        &self.lanes[place(kind)]
    }

    /// Runs until it ends by itself or the call is over.
    fn spawn(&self, worker: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let mut over = self.over.subscribe();
        tokio::spawn(async move {
            tokio::select! {
                _ = over.wait_for(|over| *over) => {}
                () = worker => {}
            }
        })
    }

    // The lock is held while the handler is called: what one worker tells must not overtake what another told before.
    fn tell(&self, say: impl FnOnce(&mut Health) -> Option<LaneState>) {
        let mut health = lock(&self.health);
        let Some(state) = say(&mut health) else { return };
        match &state {
            LaneState::Live => tracing::debug!(call = %self.call, "the media lanes are live"),
            LaneState::Reconnecting { reason, .. } => {
                self.counters.reconnects.add(1);
                tracing::warn!(call = %self.call, %reason, "the media lanes reconnect");
            }
            LaneState::Ended { reason } => tracing::info!(call = %self.call, %reason, "the media lanes are over"),
        }
        self.handler.state(state);
    }

    fn works(&self, worker: Worker) {
        self.tell(|health| {
            if health.is_failing(worker.index()) {
                self.back.send_replace(());
            }
            health.works(worker.index())
        });
    }

    fn rests(&self, worker: Worker) {
        self.tell(|health| health.rests(worker.index()));
    }

    fn fails(&self, worker: Worker, reason: &Error) {
        self.tell(|health| health.fails(worker.index(), reason, Instant::now()));
    }

    /// All workers stop; the one that calls this isn't polled again after it next waits.
    fn ends(&self, reason: &Error) {
        self.tell(|health| health.ends(reason));
        self.over.send_replace(true);
    }
}

/// Where a kind stands in [`Kind::ALL`].
const fn place(kind: Kind) -> usize {
    match kind {
        Kind::Audio => 0,
        Kind::Video => 1,
        Kind::Screen => 2,
    }
}

/// Looks at the overlap again and again.
async fn evaluate(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(EVALUATION);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // What the overlap is worth is measured against doing without.
    let naive = std::env::var_os("TVPHONE_LANES").is_some_and(|lanes| lanes == "naive");
    loop {
        tick.tick().await;
        let round_trip = lock(&shared.round_trips).shortest(Instant::now());
        for lane in &shared.lanes {
            // Where connections are few, what is measured is how long requests wait for one.
            let few = shared.session.http().lines.limit().is_some();
            let depth = match (naive, few) {
                (true, _) => 1,
                (_, true) => LEAST,
                _ => overlap::depth(round_trip, overlap::period(lane.kind)),
            };
            let changed = lane.depth.send_if_modified(|now| std::mem::replace(now, depth) != depth);
            if changed {
                tracing::debug!(kind = %lane.kind, depth, round_trip_us = round_trip.map(|r| r.as_micros() as u64), "overlap changes");
                shared.handler.in_flight(lane.kind, depth);
            }
        }
    }
}

/// Resolves at `when`; never if there is no such time.
async fn until(when: Option<Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when.into()).await,
        None => std::future::pending().await,
    }
}

/// What a thread that panicked leaves behind is still whole: no method here panics halfway through a change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
