//! How many connections there may be: altogether, and from one place.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::doorman::Origin;

/// One place gets no more than this part of all connections: many people may sit behind one address, but nobody shuts out everyone.
const SHARE: usize = 2;

/// The connections there are. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct Slots(Arc<Mutex<Taken>>);

#[derive(Debug)]
struct Taken {
    most: usize,
    all: usize,
    by_origin: HashMap<Origin, usize>,
    refusing: bool,
    refused: u64,
}

/// A place for one connection; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Slots,
    from: Option<Origin>,
}

/// Why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    #[error("there are as many connections as there may be")]
    All,
    #[error("one address has as many connections as it may have")]
    Origin,
}

impl Slots {
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Mutex::new(Taken { most, all: 0, by_origin: HashMap::new(), refusing: false, refused: 0 })))
    }

    /// Takes a place. Each spell of refusing is logged once.
    pub(crate) fn take(&self, from: Option<Origin>) -> Result<Slot, Full> {
        let mut taken = self.lock();
        let outcome = taken.take(from);
        taken.refused += u64::from(outcome.is_err());
        if let Err(full) = outcome
            && !std::mem::replace(&mut taken.refusing, true)
        {
            tracing::warn!(reason = %full, connections = taken.all, "connections are refused");
        }
        outcome.map(|()| Slot { slots: self.clone(), from })
    }

    /// How many are taken, and how often there was none.
    pub(crate) fn counts(&self) -> (usize, u64) {
        let taken = self.lock();
        (taken.all, taken.refused)
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn take(&mut self, from: Option<Origin>) -> Result<(), Full> {
        if self.all >= self.most {
            return Err(Full::All);
        }
        if let Some(from) = from {
            let count = self.by_origin.entry(from).or_default();
            if *count >= (self.most / SHARE).max(1) {
                return Err(Full::Origin);
            }
            *count += 1;
        }
        self.all += 1;
        Ok(())
    }

    fn free(&mut self, from: Option<Origin>) {
        self.all = self.all.saturating_sub(1);
        // The spell is over when there is room to spare, not whenever one has left.
        if self.all < self.most - self.most / 8 {
            self.refusing = false;
        }
        let Some(from) = from else { return };
        let Some(count) = self.by_origin.get_mut(&from) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.by_origin.remove(&from);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.lock().free(self.from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(address: &str) -> Option<Origin> {
        Origin::of(address.parse().unwrap())
    }

    #[test]
    fn there_are_so_many_and_a_place_that_is_left_can_be_taken_again() {
        let slots = Slots::new(2);
        let (first, _second) = (slots.take(None).unwrap(), slots.take(None).unwrap());
        assert_eq!(slots.take(None).unwrap_err(), Full::All);
        assert!(slots.lock().refusing);
        assert_eq!(slots.counts(), (2, 1));
        drop(first);
        assert!(!slots.lock().refusing);
        slots.take(origin("192.0.2.1")).unwrap();
        let taken = slots.lock();
        assert_eq!((taken.all, taken.by_origin.len()), (1, 0));
    }

    #[test]
    fn one_place_does_not_get_them_all_but_the_machine_itself_may() {
        let slots = Slots::new(4);
        let _of_one = [slots.take(origin("2001:db8::1")).unwrap(), slots.take(origin("2001:db8::2")).unwrap()];
        assert_eq!(slots.take(origin("2001:db8::3")).unwrap_err(), Full::Origin);
        let other = slots.take(origin("192.0.2.1")).unwrap();
        let proxy = slots.take(None).unwrap();
        assert_eq!(slots.take(origin("192.0.2.2")).unwrap_err(), Full::All);
        drop((other, proxy));
        let _proxies = [slots.take(None).unwrap(), slots.take(origin("127.0.0.1")).unwrap()];
    }
}
