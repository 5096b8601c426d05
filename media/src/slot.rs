//! The latest frame of one picture: whoever is behind sees the newest and nothing in between.
//!
//! A camera puts frames in and the encoder takes the newest; a decoder puts frames in and the screen shows the newest at
//! its next redraw. A slot never queues, so it never adds delay.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use codecs::Frame;

/// Holds the latest frame and counts the changes. A clone is another handle on the same slot.
#[derive(Clone, Default)]
pub struct Slot(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    latest: Option<Arc<Frame>>,
    generation: u64,
    frames: u64,
}

/// What was in a slot at one moment.
#[derive(Clone)]
pub struct Seen {
    /// The count of changes that led to it.
    pub generation: u64,
    /// How many frames have been put into the slot so far.
    pub frames: u64,
    /// The frame; none before the first and after [`Slot::clear`].
    pub frame: Option<Arc<Frame>>,
}

impl Slot {
    /// An empty slot of generation 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the frame and wakes who waits.
    pub fn put(&self, frame: impl Into<Arc<Frame>>) {
        self.change(Some(frame.into()));
    }

    /// Takes the frame away and wakes who waits: the camera is off, the peer is gone.
    pub fn clear(&self) {
        self.change(None);
    }

    /// The newest frame, if there is one.
    #[must_use]
    pub fn latest(&self) -> Option<Arc<Frame>> {
        self.lock().latest.clone()
    }

    /// How often the slot changed. Another number than last time means there's something new to show.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// Frame and generation, read together.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.lock().seen()
    }

    /// Waits until the slot has another generation than `seen`; `None` if it doesn't within `timeout`.
    #[must_use]
    pub fn wait(&self, seen: u64, timeout: Duration) -> Option<Seen> {
        let deadline = Instant::now() + timeout;
        let mut state = self.lock();
        while state.generation == seen {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Some(state.seen())
    }

    fn change(&self, frame: Option<Arc<Frame>>) {
        let mut state = self.lock();
        state.frames += u64::from(frame.is_some());
        let old = std::mem::replace(&mut state.latest, frame);
        state.generation += 1;
        drop(state);
        self.0.changed.notify_all();
        // Freeing a picture takes a while; nobody should wait for the lock meanwhile.
        drop(old);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A frame and a count are whole at any moment, whatever a thread that held the lock died of.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn seen(&self) -> Seen {
        Seen { generation: self.generation, frames: self.frames, frame: self.latest.clone() }
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seen = self.seen();
        f.debug_struct("Slot").field("generation", &seen.generation).field("full", &seen.frame.is_some()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use codecs::{Color, MediaTime, Size};

    use super::*;

    fn frame(time: u64) -> Frame {
        Frame::new(Size::new(16, 16).unwrap(), Color::default(), MediaTime(time))
    }

    #[test]
    fn the_newest_frame_wins() {
        let slot = Slot::new();
        assert!(slot.latest().is_none());
        let other = slot.clone();
        slot.put(frame(1));
        other.put(frame(2));
        assert_eq!(slot.latest().unwrap().time(), MediaTime(2));
        assert_eq!((slot.generation(), other.seen().frames), (2, 2));
        slot.clear();
        assert!(slot.latest().is_none());
        assert_eq!(slot.generation(), 3);
    }

    #[test]
    fn a_waiter_is_woken_by_a_frame_and_by_its_end() {
        let slot = Slot::new();
        assert!(slot.wait(0, Duration::ZERO).is_none());
        let (to_main, from_waiter) = std::sync::mpsc::channel();
        let waiter = {
            let slot = slot.clone();
            thread::spawn(move || {
                let first = slot.wait(0, Duration::from_secs(10)).unwrap();
                to_main.send(first.generation).unwrap();
                slot.wait(first.generation, Duration::from_secs(10)).unwrap().frame.is_none()
            })
        };
        slot.put(frame(1));
        assert_eq!(from_waiter.recv().unwrap(), 1);
        slot.clear();
        assert!(waiter.join().unwrap());
    }
}
