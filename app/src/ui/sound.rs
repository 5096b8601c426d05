//! The sounds of the telephone itself.

use std::sync::Arc;

use media::{
    SpeakerSpec, Trouble,
    speaker::{Ringing, chime, ring_tone},
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
    /// What sounds once, or has.
    chime: Option<Ringing>,
}

impl Ringer {
    pub fn new(speaker: &SpeakerSpec) -> Self {
        Self { speaker: speaker.clone(), playing: None, chime: None }
    }

    /// Where it sounds from the next time on.
    pub fn ring_at(&mut self, speaker: &SpeakerSpec) {
        self.speaker = speaker.clone();
    }

    /// From now on this one sounds; the one that does already goes on undisturbed.
    pub fn play(&mut self, sound: Option<Sound>) {
        if self.playing.as_ref().map(|(sound, _)| *sound) != sound {
            self.playing = sound.map(|sound| (sound, self.start(sound)));
        }
    }

    /// A message has come: one short sound, unless the telephone rings anyhow.
    pub fn chime(&mut self) {
        if let SpeakerSpec::Device(id) = &self.speaker
            && self.playing.is_none()
        {
            self.chime = Some(chime(id.clone(), include_bytes!("../../../assets/sounds/message.wav"), Arc::new(silent)));
        }
    }

    fn start(&self, sound: Sound) -> Option<Ringing> {
        match &self.speaker {
            SpeakerSpec::Silent => None,
            SpeakerSpec::Device(id) => Some(ring_tone(id.clone(), sound.wav(), Arc::new(silent))),
        }
    }
}

fn silent(state: Result<(), Trouble>) {
    if let Err(trouble) = state {
        tracing::info!(%trouble, "the telephone rings without a sound");
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
