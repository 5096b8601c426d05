//! Camera, microphone and speaker as the person has chosen them, and what is done to their voice.

use media::{CameraSpec, MicrophoneSpec, Part, SpeakerSpec, VoiceProcessing, camera::Turn, devices::Listed};
use serde::{Deserialize, Serialize};

use crate::engine::Setup;

/// What is used in calls, of what there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Equipment {
    pub camera: Option<Chosen>,
    pub microphone: Option<Chosen>,
    pub speaker: Option<Chosen>,
    /// How far the camera's pictures are turned, clockwise, in degrees.
    pub turn: u16,
    pub echo_cancellation: bool,
    pub noise_suppression: bool,
    pub automatic_gain: bool,
    /// The microphone is off but while a key is held.
    pub push_to_talk: bool,
}

/// A device that was chosen; it may not be there now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    /// The same wherever and whenever it is plugged in.
    pub id: String,
    /// What people know it by.
    pub name: String,
}

impl From<&Listed> for Chosen {
    fn from(listed: &Listed) -> Self {
        Self { id: listed.id.clone(), name: listed.name.clone() }
    }
}

impl Default for Equipment {
    fn default() -> Self {
        let VoiceProcessing { echo_cancellation, noise_suppression, automatic_gain } = VoiceProcessing::ALL;
        let (camera, microphone, speaker, turn, push_to_talk) = (None, None, None, 0, false);
        Self { camera, microphone, speaker, turn, echo_cancellation, noise_suppression, automatic_gain, push_to_talk }
    }
}

impl Equipment {
    /// The device of this kind; `None` is the system's default one.
    pub fn of(&self, part: Part) -> Option<&Chosen> {
        match part {
            Part::Camera => self.camera.as_ref(),
            Part::Microphone => self.microphone.as_ref(),
            Part::Speaker => self.speaker.as_ref(),
        }
    }

    pub fn choose(&mut self, part: Part, device: Option<Chosen>) {
        let chosen = match part {
            Part::Camera => &mut self.camera,
            Part::Microphone => &mut self.microphone,
            Part::Speaker => &mut self.speaker,
        };
        *chosen = device;
    }

    pub fn turn(&self) -> Turn {
        self.turn.to_string().parse().unwrap_or_default()
    }

    pub fn voice(&self) -> VoiceProcessing {
        let Self { echo_cancellation, noise_suppression, automatic_gain, .. } = *self;
        VoiceProcessing { echo_cancellation, noise_suppression, automatic_gain }
    }

    pub fn set_voice(&mut self, voice: VoiceProcessing) {
        let VoiceProcessing { echo_cancellation, noise_suppression, automatic_gain } = voice;
        *self = Self { echo_cancellation, noise_suppression, automatic_gain, ..self.clone() };
    }

    /// The setup with what was chosen, where the command line leaves a choice.
    pub fn applied(&self, setup: &Setup) -> Setup {
        let id = |part| self.of(part).map(|chosen| chosen.id.clone());
        let mut setup = Setup { voice: self.voice(), turn: self.turn(), ..setup.clone() };
        if setup.camera == CameraSpec::Device(None) {
            setup.camera = CameraSpec::Device(id(Part::Camera));
        }
        if setup.microphone == MicrophoneSpec::Device(None) {
            setup.microphone = MicrophoneSpec::Device(id(Part::Microphone));
        }
        if setup.speaker == SpeakerSpec::Device(None) {
            setup.speaker = SpeakerSpec::Device(id(Part::Speaker));
        }
        setup
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_goes_before_what_was_chosen() {
        let mut equipment = Equipment { noise_suppression: false, ..Equipment::default() };
        equipment.choose(Part::Camera, Some(Chosen { id: "C920".into(), name: "C920".into() }));
        equipment.choose(Part::Speaker, Some(Chosen { id: "x".into(), name: "Headset".into() }));
        let said = Setup { camera: CameraSpec::PATTERN, ..Setup::default() };
        let setup = equipment.applied(&said);
        assert_eq!((setup.camera, setup.microphone), (CameraSpec::PATTERN, MicrophoneSpec::Device(None)));
        assert_eq!(setup.speaker, SpeakerSpec::Device(Some("x".into())));
        assert!(!setup.voice.noise_suppression && setup.voice.echo_cancellation);
        let named = Setup { speaker: SpeakerSpec::Device(Some("y".into())), ..Setup::default() };
        assert_eq!(equipment.applied(&named).speaker, SpeakerSpec::Device(Some("y".into())));
    }
}
