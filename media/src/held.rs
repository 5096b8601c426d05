//! Which kinds of device this program holds itself, so that it doesn't take the end of its own last call for another program.
//!
//! A thread that's told to end lets go of its device when the driver lets it, often a frame later. Who rings again at once, or
//! switches the camera off and on, would hear meanwhile that another program uses it.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{Part, Trouble};

/// How long a device that this program itself is letting go of is waited for: some times what a driver needs for that.
const PATIENCE: Duration = Duration::from_secs(1);
/// From one attempt to the next, if nobody says before that the device is free.
const AGAIN: Duration = Duration::from_millis(50);

/// How many cameras, microphones and speakers are held or about to be.
static HELD: Mutex<[usize; 3]> = Mutex::new([0; 3]);
/// One was given back.
static FREED: Condvar = Condvar::new();

/// Says that a device is being opened or open, until it's dropped; so drop it after the device.
#[derive(Debug)]
pub(crate) struct Held(Part);

impl Held {
    pub(crate) fn new(part: Part) -> Self {
        lock()[index(part)] += 1;
        Self(part)
    }

    /// Opens a device. If it's in use while this program holds another one of its kind, tries again until that's given back, but not
    /// for long: it may be somebody else's after all.
    pub(crate) fn patiently<T>(&self, mut open: impl FnMut() -> Result<T, Trouble>) -> Result<T, Trouble> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Before the attempt: what's given back after that is worth another one.
            let perhaps_ours = lock()[index(self.0)] > 1;
            let opened = open();
            if !matches!(opened, Err(Trouble::Busy(_))) || !perhaps_ours || Instant::now() >= deadline {
                return opened;
            }
            let held = lock();
            if held[index(self.0)] > 1 {
                drop(FREED.wait_timeout(held, AGAIN).unwrap_or_else(PoisonError::into_inner));
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = lock();
        let count = &mut held[index(self.0)];
        *count = count.saturating_sub(1);
        drop(held);
        FREED.notify_all();
    }
}

fn index(part: Part) -> usize {
    match part {
        Part::Camera => 0,
        Part::Microphone => 1,
        Part::Speaker => 2,
    }
}

fn lock() -> MutexGuard<'static, [usize; 3]> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
            mpsc::channel,
        },
        thread,
    };

    use super::*;

    /// One test, since all share the counts.
    #[test]
    fn our_own_device_is_waited_for_and_anothers_is_not() {
        let busy = || Err::<(), _>(Trouble::Busy(Part::Camera));
        let mut attempts = 0;
        let alone = Held::new(Part::Camera).patiently(|| {
            attempts += 1;
            busy()
        });
        assert_eq!((alone, attempts), (busy(), 1));

        let (old, free) = (Held::new(Part::Camera), Arc::new(AtomicBool::new(false)));
        let (to_test, tried) = channel();
        let new = thread::spawn({
            let free = Arc::clone(&free);
            move || {
                Held::new(Part::Camera).patiently(|| {
                    let _ = to_test.send(());
                    if free.load(Ordering::Relaxed) { Ok(()) } else { busy() }
                })
            }
        });
        tried.recv().unwrap();
        free.store(true, Ordering::Relaxed);
        drop(old);
        assert_eq!(new.join().unwrap(), Ok(()));

        let _old = Held::new(Part::Camera);
        let begun = Instant::now();
        assert_eq!(Held::new(Part::Camera).patiently(busy), busy(), "it is somebody else's after all");
        assert!(begun.elapsed() >= PATIENCE);
        let missing = || Err::<(), _>(Trouble::Missing(Part::Camera));
        assert_eq!(Held::new(Part::Camera).patiently(missing), missing());
    }
}
