//! Plays a voice message.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use codecs::opus::{Decoder, FRAME, SAMPLE_RATE};

use super::{Clip, clip::length};
use crate::{
    Error, SpeakerSpec, Trouble,
    devices::choice::Wish,
    mixer,
    speaker::{Playback, Speaker},
    stop::Stop,
    watch::State,
};

/// How much sound waits at the device: enough to sleep through a beat.
const AHEAD: Duration = Duration::from_millis(200);
/// How long the player sleeps before it looks whether it's still wanted.
const BEAT: Duration = Duration::from_millis(50);
/// What may be left at the device in the end: the last piece of another rate waits for more.
const END: Duration = Duration::from_millis(20);

/// A voice message that is heard. Dropping it ends it.
#[derive(Debug)]
pub struct Player {
    stop: Stop,
    /// Samples at 48 kHz that were heard.
    heard: Arc<AtomicUsize>,
    samples: usize,
    trouble: Arc<Mutex<Option<Trouble>>>,
}

impl Player {
    /// Plays a clip once, from its beginning.
    ///
    /// # Errors
    /// [`Error::Thread`], and [`Error::Codec`] without memory.
    pub fn start(clip: &Clip, spec: &SpeakerSpec) -> Result<Self, Error> {
        let player = Self { stop: Stop::default(), heard: Arc::default(), samples: clip.samples, trouble: Arc::default() };
        let (decoder, trouble) = (Decoder::new()?, Arc::clone(&player.trouble));
        let tell = move |state: Result<(), Trouble>| *trouble.lock().unwrap_or_else(PoisonError::into_inner) = state.err();
        let state: State = Arc::new(tell);
        let (speaker, playback) = Speaker::begin(&Wish::new(spec, true, state.into()));
        let (stop, heard, clip) = (player.stop.clone(), Arc::clone(&player.heard), clip.clone());
        let work = move || {
            play(&clip, decoder, playback, &stop, &heard);
            heard.store(clip.samples, Ordering::Relaxed);
            drop(speaker);
        };
        thread::Builder::new().name("voice player".into()).spawn(work).map_err(Error::Thread)?;
        Ok(player)
    }

    /// How much of it was heard.
    #[must_use]
    pub fn position(&self) -> Duration {
        length(self.heard.load(Ordering::Relaxed))
    }

    /// What is wrong with the speaker at this moment.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether all of it was heard.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.heard.load(Ordering::Relaxed) >= self.samples
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.stop.set();
    }
}

fn play(clip: &Clip, mut decoder: Decoder, mut playback: Playback, stop: &Stop, heard: &AtomicUsize) {
    let (mut skip, mut left, mut sound) = (clip.skip, clip.samples, Vec::new());
    let mut given = 0;
    let mut give = |sound: &[f32], playback: &mut Playback| {
        let mut rest = sound;
        while !rest.is_empty() && !stop.is_set() {
            if playback.wait_until_below(AHEAD, BEAT) {
                rest = &rest[playback.write(rest)..];
            }
            // The end is told when all of it was heard, and not before.
            let waiting = (playback.buffered().as_secs_f64() * f64::from(SAMPLE_RATE)) as usize;
            heard.store(
                (given + sound.len() - rest.len()).saturating_sub(waiting).min(clip.samples.saturating_sub(1)),
                Ordering::Relaxed,
            );
        }
        given += sound.len();
    };
    for packet in clip.packets.iter() {
        if stop.is_set() {
            return;
        }
        sound.clear();
        // A broken packet is a gap.
        if decoder.append(packet, &mut sound).is_err() {
            continue;
        }
        let begin = skip.min(sound.len());
        skip -= begin;
        let end = sound.len().min(begin + left);
        left -= end - begin;
        mixer::limit(&mut sound);
        give(&sound[begin..end], &mut playback);
    }
    // Pushes the last of it through a device of another rate.
    give(&[0.0; FRAME], &mut playback);
    while !stop.is_set() && !playback.wait_until_below(END, BEAT) {}
}
