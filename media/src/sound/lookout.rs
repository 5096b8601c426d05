//! Looks again and again which microphones and speakers there are, while any is in use.
//!
//! Sound systems have events of their own for that, each its own; asking twice in a second and a half costs next to nothing, works with all of them
//! and notices a change soon enough. One thread does it for the whole program, since a sound server that hangs keeps who asks it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::Duration,
};

use super::{
    device::{self, Look},
    whereabouts::Whereabouts,
};
use crate::{Part, devices::choice::Seen};

/// From one look to the next.
const EVERY: Duration = Duration::from_millis(700);

/// Somebody's interest in what there is. The looking ends with the last one.
#[derive(Clone, Default)]
pub(crate) struct Lookout(Arc<Mutex<Option<Look>>>);

impl Lookout {
    pub(crate) fn begin() -> Self {
        static CURRENT: Mutex<Weak<Mutex<Option<Look>>>> = Mutex::new(Weak::new());
        let mut current = lock(&CURRENT);
        if let Some(shared) = current.upgrade() {
            return Self(shared);
        }
        let shared = Arc::default();
        let weak = Arc::downgrade(&shared);
        *current = Weak::clone(&weak);
        if let Err(error) = thread::Builder::new().name("sound lookout".into()).spawn(move || look(&weak)) {
            tracing::warn!(%error, "sound devices that come and go are noticed late");
        }
        Self(shared)
    }

    /// What there was at the last look.
    pub(crate) fn seen(&self, part: Part) -> Option<Seen> {
        lock(&self.0).as_ref().map(|look| look.seen(part))
    }
}

fn look(shared: &Weak<Mutex<Option<Look>>>) {
    device::quiet();
    let mut whereabouts = Whereabouts::default();
    while shared.strong_count() > 0 {
        let look = Look::now(&mut whereabouts);
        let Some(shared) = shared.upgrade() else { return };
        *lock(&shared) = Some(look);
        drop(shared);
        thread::sleep(EVERY);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
