//! What the speaker plays, on its way from the thread that plays to the one that takes its echo out of the microphone's sound.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use codecs::opus::SAMPLE_RATE;
use ringbuf::traits::{Consumer, Producer};

use super::BLOCK;
use crate::sound::ring::{Drain, Source, filled, ring};

/// Most sound in blocks that may wait for a microphone. One that stood still for longer finds only what was played last.
const MOST_WAITING: usize = 30;

/// From the speaker's buffer to the air and back into the microphone's thread, in milliseconds, as far as nobody tells: a period of the
/// card each way and a frame. The canceller only begins to search here.
const DEVICES_MS: u32 = 40;

/// The end that takes note of what is played.
pub(crate) struct Tap {
    source: Source,
    delay_ms: Arc<AtomicU32>,
}

/// The end that reads it.
pub(crate) struct Reference {
    drain: Drain,
    delay_ms: Arc<AtomicU32>,
}

/// A tap and what comes out of it.
pub(crate) fn tap() -> (Tap, Reference) {
    let (source, drain) = ring(SAMPLE_RATE);
    let delay_ms = Arc::<AtomicU32>::default();
    (Tap { source, delay_ms: Arc::clone(&delay_ms) }, Reference { drain, delay_ms })
}

impl Tap {
    /// This is played next (one channel at 48 kHz), after what's buffered.
    pub(crate) fn play(&mut self, samples: &[f32], buffered: Duration) {
        // Without a microphone nobody reads it; then it's of no use either.
        self.source.samples.push_slice(samples);
        self.delay_ms.store(u32::try_from(buffered.as_millis()).unwrap_or(u32::MAX), Ordering::Relaxed);
    }
}

impl Reference {
    /// The next 10 ms that were played, if they were.
    pub(super) fn next(&mut self) -> Option<[f32; BLOCK]> {
        let waiting = filled(&self.drain.samples);
        if waiting > MOST_WAITING * BLOCK {
            // Whole blocks, so that what is left begins where one did.
            self.drain.samples.skip((waiting / BLOCK - 2) * BLOCK);
        }
        if filled(&self.drain.samples) < BLOCK {
            return None;
        }
        let mut block = [0.0; BLOCK];
        self.drain.samples.pop_slice(&mut block);
        Some(block)
    }

    /// Forgets what was played so far.
    pub(super) fn clear(&mut self) {
        self.drain.samples.clear();
    }

    /// About how long it takes until what the tap was given is heard by the microphone, in milliseconds.
    pub(super) fn delay_ms(&self) -> i32 {
        i32::try_from(self.delay_ms.load(Ordering::Relaxed).saturating_add(DEVICES_MS)).unwrap_or(i32::MAX)
    }
}
