//! Calls of two robots through a real relay, each a process of its own, over real sockets.

mod group;
mod interruption;
mod manners;
mod media_integrity;
mod screen;
mod secure;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A call takes a core of its own; several at once on a small machine would measure each other.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A robot has this long to start, sign in, ring and say good-bye, besides its call.
const AROUND: Duration = Duration::from_secs(30);
