//! What this peer says it sends: what the person wants sent, without what a broken device keeps from them.

use proto::api::SetMedia;

use crate::engine::{Device, Update};

/// Keeps the promise that the other peers rely on. The relay is to be told whenever it changes.
#[derive(Debug, Clone)]
pub struct Sending {
    wanted: SetMedia,
    camera_works: bool,
    microphone_works: bool,
}

impl Sending {
    /// A device is taken to work until it's known not to.
    pub fn new(wanted: SetMedia) -> Self {
        Self { wanted, camera_works: true, microphone_works: true }
    }

    pub fn wanted(&self) -> SetMedia {
        self.wanted
    }

    pub fn promise(&self) -> SetMedia {
        SetMedia { audio: self.wanted.audio && self.microphone_works, video: self.wanted.video && self.camera_works }
    }

    pub fn want(&mut self, wanted: SetMedia) {
        self.wanted = wanted;
    }

    /// Takes in what the engine says of a device; the new promise, if that changes it.
    pub fn hear(&mut self, update: &Update) -> Option<SetMedia> {
        let before = self.promise();
        match update {
            Update::Trouble { device: Device::Camera, trouble } => self.camera_works = trouble.is_none(),
            Update::Trouble { device: Device::Microphone, trouble } => self.microphone_works = trouble.is_none(),
            _ => {}
        }
        Some(self.promise()).filter(|promise| *promise != before)
    }
}

#[cfg(test)]
mod tests {
    use media::{Part, Trouble};

    use super::*;

    fn camera(trouble: Option<Trouble>) -> Update {
        Update::Trouble { device: Device::Camera, trouble }
    }

    #[test]
    fn a_broken_camera_is_not_promised_until_it_works() {
        let mut sending = Sending::new(SetMedia { audio: true, video: true });
        assert_eq!(sending.hear(&camera(None)), None, "it worked before");
        let without = SetMedia { audio: true, video: false };
        assert_eq!(sending.hear(&camera(Some(Trouble::Missing(Part::Camera)))), Some(without));
        assert_eq!(sending.hear(&camera(Some(Trouble::Busy(Part::Camera)))), None, "known already");
        sending.want(SetMedia { audio: false, video: true });
        assert_eq!(sending.promise(), SetMedia { audio: false, video: false });
        assert_eq!(sending.hear(&camera(None)), Some(SetMedia { audio: false, video: true }));
    }

    #[test]
    fn a_speaker_says_nothing_about_what_is_sent() {
        let mut sending = Sending::new(SetMedia { audio: true, video: true });
        let speaker = Update::Trouble { device: Device::Speaker, trouble: Some(Trouble::Missing(Part::Speaker)) };
        assert_eq!(sending.hear(&speaker), None);
    }
}
