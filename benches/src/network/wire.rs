//! The thread that carries packets from device to device, each when it is due.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{Read, Write},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::setpriority_process,
};

use super::{
    link::{Counts, Direction, Impairment},
    router::Router,
};

/// How long the thread sleeps at most, so that it soon sees that it is over.
const REST: Duration = Duration::from_millis(20);

/// A packet at a time; the devices' packets have 1,500 bytes at most.
const PACKET: usize = 2048;

/// The running thread; it ends when this is dropped.
pub(super) struct Wire {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    wrong: Mutex<Impairment>,
    counts: Mutex<Vec<Counts>>,
    /// How often the homes' routers were told to forget.
    forgets: AtomicU64,
    over: AtomicBool,
}

impl Wire {
    /// Joins the devices two by two: the first with the second, the third with the fourth.
    pub(super) fn join(devices: Vec<File>, wrong: Impairment, seed: u64) -> Self {
        let counts = vec![Counts::default(); devices.len()];
        let (forgets, over) = (AtomicU64::new(0), AtomicBool::new(false));
        let shared = Arc::new(Shared { wrong: Mutex::new(wrong), counts: Mutex::new(counts), forgets, over });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::spawn(move || carry(&devices, seed, &theirs));
        Self { shared, thread: Some(thread) }
    }

    pub(super) fn change(&self, wrong: Impairment) {
        *lock(&self.shared.wrong) = wrong;
    }

    pub(super) fn forget(&self) {
        self.shared.forgets.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> Vec<Counts> {
        lock(&self.shared.counts).clone()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// When, in which order of those due together, to which device, what.
type Waiting = Reverse<(Instant, u64, usize, Vec<u8>)>;

fn carry(devices: &[File], seed: u64, shared: &Shared) {
    // A packet that is late by this thread's fault is measured as the system's delay. For the calling thread alone; without leave it goes on as
    // it is.
    let _ = setpriority_process(None, -15);
    let mut directions: Vec<_> =
        (0_u64..).take(devices.len()).map(|n| Direction::new(seed.wrapping_mul(31).wrapping_add(n))).collect();
    let mut routers: Vec<Router> = devices.chunks(2).map(|_| Router::default()).collect();
    let mut waiting: BinaryHeap<Waiting> = BinaryHeap::new();
    let (mut order, mut forgot) = (0, 0);
    let mut packet = vec![0; PACKET];
    while !shared.over.load(Ordering::Relaxed) {
        let now = Instant::now();
        while waiting.peek().is_some_and(|Reverse((due, ..))| *due <= now) {
            let Some(Reverse((.., to, packet))) = waiting.pop() else { break };
            // A device whose host is being taken down takes nothing.
            let _ = devices.get(to).map(|mut device| device.write(&packet));
        }
        let rest = waiting.peek().map_or(REST, |Reverse((due, ..))| due.saturating_duration_since(Instant::now()).min(REST));
        let mut ready: Vec<_> = devices.iter().map(|device| PollFd::new(device, PollFlags::IN)).collect();
        let rest = Timespec { tv_sec: 0, tv_nsec: i64::from(rest.subsec_nanos()) };
        if poll(&mut ready, Some(&rest)).is_err() {
            continue;
        }
        let ready: Vec<bool> = ready.iter().map(|device| !device.revents().is_empty()).collect();
        let wrong = *lock(&shared.wrong);
        let forgets = shared.forgets.load(Ordering::Relaxed);
        if std::mem::replace(&mut forgot, forgets) != forgets {
            routers.iter_mut().for_each(Router::forget);
        }
        for (from, (mut device, direction)) in devices.iter().zip(&mut directions).enumerate().filter(|(from, _)| ready[*from]) {
            while let Ok(length) = device.read(&mut packet) {
                let packet = &packet[..length];
                // What the kernel says of itself over IPv6 is not the calls'.
                if packet.first().is_none_or(|first| first >> 4 != 4) {
                    continue;
                }
                if !routers[from / 2].passes(packet, from.is_multiple_of(2)) {
                    continue;
                }
                if let Some(due) = direction.pass(Instant::now(), length, &wrong) {
                    order += 1;
                    waiting.push(Reverse((due, order, from ^ 1, packet.to_vec())));
                }
            }
            lock(&shared.counts)[from] = direction.counts;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
