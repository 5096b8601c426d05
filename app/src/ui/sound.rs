//! The sounds of the telephone itself.

use std::sync::Arc;

use media::{
    SpeakerSpec, Trouble,
    speaker::{Ringing, ring_tone},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sound {
    /// Someone rings this person.
    Ring,
    /// It rings at the other's.
    Ringback,
}

impl Sound {
    fn wav(self) -> &'static [u8] {
        match self {
            Self::Ring => include_bytes!("../../../assets/sounds/ring.wav"),
            Self::Ringback => include_bytes!("../../../assets/sounds/ringback.wav"),
        }
    }
}

/// Plays one sound over and over, or none.
pub struct Ringer {
    speaker: SpeakerSpec,
    playing: Option<(Sound, Option<Ringing>)>,
}

impl Ringer {
    pub fn new(speaker: &SpeakerSpec) -> Self {
        Self { speaker: speaker.clone(), playing: None }
    }

    /// From now on this one sounds; the one that does already goes on undisturbed.
    pub fn play(&mut self, sound: Option<Sound>) {
        if self.playing.as_ref().map(|(sound, _)| *sound) != sound {
            self.playing = sound.map(|sound| (sound, self.start(sound)));
        }
    }

    fn start(&self, sound: Sound) -> Option<Ringing> {
        let state = |state: Result<(), Trouble>| {
            if let Err(trouble) = state {
                tracing::info!(%trouble, "the telephone rings without a sound");
            }
        };
        match &self.speaker {
            SpeakerSpec::Silent => None,
            SpeakerSpec::Device(id) => Some(ring_tone(id.clone(), sound.wav(), Arc::new(state))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_speaker_stays_silent() {
        let mut ringer = Ringer::new(&SpeakerSpec::Silent);
        ringer.play(Some(Sound::Ring));
        assert!(matches!(ringer.playing, Some((Sound::Ring, None))));
        ringer.play(None);
        assert!(ringer.playing.is_none());
    }
}
