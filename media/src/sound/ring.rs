//! A ring of samples between a device's callback and a thread, with a wake-up and without a lock.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use ringbuf::{
    HeapCons, HeapProd, HeapRb,
    traits::{Observer, Split},
};

/// How long a thread that waits for a ring sleeps at most before it looks by itself: a wake-up is lost when another thread than the
/// first one waits.
const NAP: Duration = Duration::from_millis(5);

/// The longest latency of a device that's believed: what's wireless takes a quarter of a second.
const LATENCY_MAX: Duration = Duration::from_millis(500);

/// Wakes the thread that waits. Waking neither locks nor allocates, so a callback may do it.
#[derive(Clone, Default)]
pub(crate) struct Wake(Arc<OnceLock<Thread>>);

impl Wake {
    /// Wakes the thread that first waited, if one did.
    pub(crate) fn wake(&self) {
        if let Some(thread) = self.0.get() {
            thread.unpark();
        }
    }

    /// Sleeps until woken, and not longer than `time`. May return early.
    pub(crate) fn nap(&self, time: Duration) {
        let known = self.0.get_or_init(thread::current);
        let bound = if known.id() == thread::current().id() { time } else { time.min(NAP) };
        thread::park_timeout(bound);
    }
}

/// Hands a new end of a ring to the thread that uses it, whenever a device is opened anew.
pub(crate) struct Exchange<T>(Arc<(AtomicBool, Mutex<Option<T>>)>);

impl<T> Clone for Exchange<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Exchange<T> {
    fn default() -> Self {
        Self(Arc::new((AtomicBool::new(false), Mutex::new(None))))
    }
}

impl<T> Exchange<T> {
    /// Offers a new end; it takes the place of one that nobody took.
    pub(crate) fn offer(&self, end: T) {
        *self.0.1.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
        self.0.0.store(true, Ordering::Release);
    }

    /// The new end, if there's one. Costs next to nothing if not.
    pub(crate) fn take(&self) -> Option<T> {
        if !self.0.0.swap(false, Ordering::Acquire) {
            return None;
        }
        self.0.1.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The end samples go into.
pub(crate) struct Source {
    pub(crate) samples: HeapProd<f32>,
    /// Samples that found no room.
    pub(crate) lost: Arc<AtomicU64>,
    ahead: Arc<AtomicU64>,
}

impl Source {
    /// How long after the other end took samples the last of them was to be heard, when that end last said.
    pub(crate) fn ahead(&self) -> Duration {
        Duration::from_micros(self.ahead.load(Ordering::Relaxed))
    }

    /// Notes samples that found no room.
    pub(crate) fn lose(&self, count: usize) {
        if count > 0 {
            self.lost.fetch_add(count as u64, Ordering::Relaxed);
        }
    }
}

/// The end samples come out of.
pub(crate) struct Drain {
    pub(crate) samples: HeapCons<f32>,
    /// Samples that found no room, or that were asked for in vain.
    pub(crate) lost: Arc<AtomicU64>,
    ahead: Arc<AtomicU64>,
    rate: u32,
}

impl Drain {
    /// So many samples are taken now, the first of them to be heard after `latency`.
    pub(crate) fn heard_after(&self, latency: Duration, count: usize) {
        let latency = if latency <= LATENCY_MAX { latency } else { Duration::ZERO };
        self.ahead.store((latency + duration(count, self.rate)).as_micros() as u64, Ordering::Relaxed);
    }

    /// Notes samples that were asked for in vain.
    pub(crate) fn lose(&self, count: usize) {
        if count > 0 {
            self.lost.fetch_add(count as u64, Ordering::Relaxed);
        }
    }
}

/// A ring for one second at `rate` Hz.
pub(crate) fn ring(rate: u32) -> (Source, Drain) {
    let (producer, consumer) = HeapRb::new(rate.max(1) as usize).split();
    let (lost, ahead) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let source = Source { samples: producer, lost: lost.clone(), ahead: ahead.clone() };
    (source, Drain { samples: consumer, lost, ahead, rate })
}

/// How long `samples` take at `rate` Hz.
pub(crate) fn duration(samples: usize, rate: u32) -> Duration {
    Duration::from_nanos(samples as u64 * 1_000_000_000 / u64::from(rate.max(1)))
}

/// How many samples are in a ring.
pub(crate) fn filled(ring: &impl Observer) -> usize {
    ring.occupied_len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_gives_the_newest_once() {
        let exchange = Exchange::default();
        assert!(exchange.take().is_none());
        exchange.offer(1);
        let other = exchange.clone();
        other.offer(2);
        assert_eq!(exchange.take(), Some(2));
        assert_eq!(exchange.take(), None);
    }

    #[test]
    fn a_device_says_when_its_sound_is_heard_and_is_believed_within_reason() {
        let (source, drain) = ring(48_000);
        assert_eq!(source.ahead(), Duration::ZERO);
        drain.heard_after(Duration::from_millis(7), 480);
        assert_eq!(source.ahead(), Duration::from_millis(17));
        drain.heard_after(Duration::from_secs(7), 480);
        assert_eq!(source.ahead(), Duration::from_millis(10));
    }

    #[test]
    fn a_thread_is_woken_long_before_its_time() {
        let wake = Wake::default();
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = thread::spawn({
            let wake = wake.clone();
            move || {
                wake.0.get_or_init(thread::current);
                sender.send(()).unwrap();
                wake.nap(Duration::from_secs(60));
            }
        });
        receiver.recv().unwrap();
        wake.wake();
        thread.join().unwrap();
    }
}
