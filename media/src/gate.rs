//! Credit for video packets in flight. It makes the encoder a pulled one: a frame is encoded only when the transport can
//! take it, so nothing grows old in a queue.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The most packets in flight a limit may ask for: what the lanes overlap at most.
pub const LIMIT_MAX: usize = 8;

/// Two in flight keep a short round trip busy while one of them is acknowledged.
const LIMIT_DEFAULT: usize = 2;

/// Counts packets in flight against a limit. A clone is another handle on the same gate.
#[derive(Clone, Default)]
pub struct Gate(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    in_flight: usize,
    limit: usize,
    /// What the rate control allows.
    window: usize,
    /// While two packets have been on their way for longer, no other one follows.
    patience: Duration,
    /// When those on their way were sent.
    sent: VecDeque<Instant>,
    hole: bool,
    gave_up: u64,
    closed: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            in_flight: 0,
            limit: LIMIT_DEFAULT,
            window: LIMIT_MAX,
            patience: Duration::MAX,
            sent: VecDeque::new(),
            hole: false,
            gave_up: 0,
            closed: false,
        }
    }
}

/// The right to send one packet. Dropped unspent, it goes back.
#[must_use]
#[derive(Debug)]
pub struct Credit(Option<Gate>);

impl Gate {
    /// A gate with two credits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many packets may be in flight, 1 to [`LIMIT_MAX`]; another number is moved to the nearer end.
    pub fn set_limit(&self, limit: usize) {
        self.lock().limit = limit.clamp(1, LIMIT_MAX);
        self.0.changed.notify_all();
    }

    /// Narrows the limit to what the rate control allows, and lets nothing follow while two packets have been on their way for longer than
    /// `patience`: one is a lost segment, two are a queue.
    pub(crate) fn set_window(&self, window: usize, patience: Duration) {
        let mut state = self.lock();
        state.window = window.clamp(1, LIMIT_MAX);
        state.patience = patience;
        drop(state);
        self.0.changed.notify_all();
    }

    /// A packet has arrived at the relay: its credit is free again. More releases than packets do no harm.
    pub fn release(&self) {
        let mut state = self.lock();
        state.in_flight = state.in_flight.saturating_sub(1);
        state.sent.pop_front();
        drop(state);
        self.0.changed.notify_all();
    }

    /// A packet never arrives: its credit is free again, and receivers have a hole that only a keyframe closes.
    pub fn give_up(&self) {
        let mut state = self.lock();
        state.hole = true;
        state.gave_up += 1;
        drop(state);
        self.release();
    }

    /// How many packets are in flight now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.lock().in_flight
    }

    /// How many packets were given up so far.
    #[must_use]
    pub fn gave_up(&self) -> u64 {
        self.lock().gave_up
    }

    /// Whether a packet was given up since the last time this was asked.
    pub(crate) fn take_hole(&self) -> bool {
        std::mem::take(&mut self.lock().hole)
    }

    /// Waits for a credit; `None` if there's none within `timeout` or the gate is closed.
    pub(crate) fn acquire(&self, timeout: Duration) -> Option<Credit> {
        let deadline = Instant::now() + timeout;
        let mut state = self.lock();
        while !state.closed && state.is_full(Instant::now()) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.closed {
            return None;
        }
        state.in_flight += 1;
        Some(Credit(Some(self.clone())))
    }

    /// Ends every wait, now and later.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.0.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_full(&self, now: Instant) -> bool {
        let late = self.sent.get(1).is_some_and(|sent| now.saturating_duration_since(*sent) > self.patience);
        late || self.in_flight >= self.limit.min(self.window)
    }
}

impl Credit {
    /// The packet is on its way: the credit stays taken until [`Gate::release`] or [`Gate::give_up`].
    pub(crate) fn spend(mut self) {
        if let Some(gate) = self.0.take() {
            gate.lock().sent.push_back(Instant::now());
        }
    }
}

impl Drop for Credit {
    fn drop(&mut self) {
        if let Some(gate) = self.0.take() {
            let mut state = gate.lock();
            state.in_flight = state.in_flight.saturating_sub(1);
            drop(state);
            gate.0.changed.notify_all();
        }
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.lock();
        f.debug_struct("Gate").field("in_flight", &state.in_flight).field("limit", &state.limit).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn credits_end_at_the_limit_and_come_back() {
        let gate = Gate::new();
        gate.acquire(Duration::ZERO).unwrap().spend();
        gate.acquire(Duration::ZERO).unwrap().spend();
        assert!(gate.acquire(Duration::ZERO).is_none());
        gate.release();
        drop(gate.acquire(Duration::ZERO).unwrap());
        gate.acquire(Duration::ZERO).unwrap().spend();
        assert_eq!(gate.in_flight(), 2);
        gate.set_limit(100);
        for _ in 2..LIMIT_MAX {
            gate.acquire(Duration::ZERO).unwrap().spend();
        }
        assert!(gate.acquire(Duration::ZERO).is_none());
        gate.set_limit(0);
        for _ in 0..LIMIT_MAX {
            assert!(gate.acquire(Duration::ZERO).is_none());
            gate.release();
        }
        assert!(gate.acquire(Duration::ZERO).is_some());
    }

    #[test]
    fn the_rate_control_narrows_the_limit_and_two_late_packets_stop_all() {
        let gate = Gate::new();
        gate.set_limit(5);
        gate.set_window(3, Duration::MAX);
        for _ in 0..3 {
            gate.acquire(Duration::ZERO).unwrap().spend();
        }
        assert!(gate.acquire(Duration::ZERO).is_none());
        gate.set_window(8, Duration::MAX);
        drop(gate.acquire(Duration::ZERO).unwrap());
        gate.set_window(8, Duration::ZERO);
        assert!(gate.acquire(Duration::ZERO).is_none(), "three are late");
        gate.release();
        assert!(gate.acquire(Duration::ZERO).is_none());
        gate.release();
        gate.acquire(Duration::ZERO).unwrap().spend();
    }

    #[test]
    fn giving_up_tells_of_a_hole_once() {
        let gate = Gate::new();
        gate.acquire(Duration::ZERO).unwrap().spend();
        gate.release();
        assert!(!gate.take_hole());
        gate.acquire(Duration::ZERO).unwrap().spend();
        gate.give_up();
        assert!(gate.take_hole());
        assert!(!gate.take_hole());
        assert_eq!((gate.in_flight(), gate.gave_up()), (0, 1));
    }

    #[test]
    fn a_waiter_is_woken_by_a_release_and_by_the_end() {
        let gate = Gate::new();
        gate.set_limit(1);
        gate.acquire(Duration::ZERO).unwrap().spend();
        let (to_main, from_waiter) = std::sync::mpsc::channel();
        let waiter = {
            let gate = gate.clone();
            thread::spawn(move || {
                gate.acquire(Duration::from_secs(10)).unwrap().spend();
                to_main.send(()).unwrap();
                gate.acquire(Duration::from_secs(10)).is_none()
            })
        };
        gate.release();
        from_waiter.recv().unwrap();
        gate.close();
        assert!(waiter.join().unwrap());
    }

    proptest! {
        #[test]
        fn never_more_in_flight_than_the_limit_let_in(steps in prop::collection::vec(0_u8..5, 0..200)) {
            let gate = Gate::new();
            let mut limit = LIMIT_DEFAULT;
            for step in steps {
                let before = gate.in_flight();
                match step {
                    0 | 1 => match gate.acquire(Duration::ZERO) {
                        Some(credit) => { prop_assert!(before < limit); credit.spend(); }
                        None => prop_assert!(before >= limit),
                    },
                    2 => gate.release(),
                    3 => gate.give_up(),
                    _ => { limit = before.max(1); gate.set_limit(limit); }
                }
                prop_assert!(gate.in_flight() <= LIMIT_MAX);
            }
        }
    }
}
