//! A flag that ends a thread, and wakes it from its wait for the next deadline.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Set once, seen by all its clones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    /// Sets the flag.
    pub(crate) fn set(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    /// Whether the flag is set.
    pub(crate) fn is_set(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `work` unless the flag is set, which it can't become meanwhile: after [`Stop::set`] nothing more happens. Says whether it
    /// was done.
    pub(crate) fn unless_set(&self, work: impl FnOnce()) -> bool {
        let set = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !*set {
            work();
        }
        !*set
    }

    /// Waits for `deadline`; true as soon as the flag is set.
    pub(crate) fn wait_until(&self, deadline: Instant) -> bool {
        let mut set = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !*set {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            set = self.0.1.wait_timeout(set, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Waits for `time`; true as soon as the flag is set.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        self.wait_until(Instant::now() + time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wakes_who_waits() {
        let stop = Stop::default();
        assert!(!stop.wait(Duration::ZERO));
        let waiter = std::thread::spawn({
            let stop = stop.clone();
            move || stop.wait(Duration::from_secs(60))
        });
        stop.set();
        assert!(waiter.join().unwrap());
        assert!(!stop.unless_set(|| panic!("it is set")));
        assert!(stop.is_set() && stop.wait(Duration::from_secs(60)));
    }
}
