//! What this peer says it sends: what the person wants sent, without what a broken device keeps from them.

use proto::api::SetMedia;

use crate::engine::{Device, Update};

/// Keeps the promise that the other peers rely on. The relay is to be told whenever it changes.
#[derive(Debug, Clone)]
pub struct Sending {
    wanted: SetMedia,
    camera_works: bool,
    microphone_works: bool,
    screen_works: bool,
}

impl Sending {
    /// A device is taken to work until it's known not to.
    pub fn new(wanted: SetMedia) -> Self {
        Self { wanted, camera_works: true, microphone_works: true, screen_works: true }
    }

    pub fn wanted(&self) -> SetMedia {
        self.wanted
    }

    pub fn promise(&self) -> SetMedia {
        SetMedia {
            audio: self.wanted.audio && self.microphone_works,
            video: self.wanted.video && self.camera_works,
            screen: self.wanted.screen && self.screen_works,
        }
    }

    /// A screen that's shared anew is taken to be there: what ended doesn't come back by itself.
    pub fn want(&mut self, wanted: SetMedia) {
        self.screen_works |= wanted.screen != self.wanted.screen;
        self.wanted = wanted;
    }

    /// Takes in what the engine says of a device; the new promise, if that changes it.
    pub fn hear(&mut self, update: &Update) -> Option<SetMedia> {
        let before = self.promise();
        match update {
            Update::Trouble { device: Device::Camera, trouble } => self.camera_works = trouble.is_none(),
            Update::Trouble { device: Device::Microphone, trouble } => self.microphone_works = trouble.is_none(),
            Update::Screen(state) => self.screen_works = state.is_ok(),
            _ => {}
        }
        Some(self.promise()).filter(|promise| *promise != before)
    }
}

#[cfg(test)]
mod tests {
    use media::{Part, ScreenTrouble, Trouble};

    use super::*;

    const BOTH: SetMedia = SetMedia { audio: true, video: true, screen: false };

    fn camera(trouble: Option<Trouble>) -> Update {
        Update::Trouble { device: Device::Camera, trouble }
    }

    #[test]
    fn a_broken_camera_is_not_promised_until_it_works() {
        let mut sending = Sending::new(BOTH);
        assert_eq!(sending.hear(&camera(None)), None, "it worked before");
        let without = SetMedia { video: false, ..BOTH };
        assert_eq!(sending.hear(&camera(Some(Trouble::Missing(Part::Camera)))), Some(without));
        assert_eq!(sending.hear(&camera(Some(Trouble::Busy(Part::Camera)))), None, "known already");
        sending.want(SetMedia { audio: false, ..BOTH });
        assert_eq!(sending.promise(), SetMedia::default());
        assert_eq!(sending.hear(&camera(None)), Some(SetMedia { audio: false, ..BOTH }));
    }

    #[test]
    fn a_speaker_says_nothing_about_what_is_sent() {
        let mut sending = Sending::new(BOTH);
        let speaker = Update::Trouble { device: Device::Speaker, trouble: Some(Trouble::Missing(Part::Speaker)) };
        assert_eq!(sending.hear(&speaker), None);
    }

    #[test]
    fn a_screen_that_ended_is_promised_again_once_another_one_is_shared() {
        let mut sending = Sending::new(BOTH);
        let sharing = SetMedia { screen: true, ..BOTH };
        sending.want(sharing);
        assert_eq!(sending.promise(), sharing);
        assert_eq!(sending.hear(&Update::Screen(Ok(()))), None);
        assert_eq!(sending.hear(&Update::Screen(Err(ScreenTrouble::Closed))), Some(BOTH));
        sending.want(SetMedia { audio: false, ..sharing });
        assert!(!sending.promise().screen, "it's the same one still");
        sending.want(BOTH);
        sending.want(sharing);
        assert_eq!(sending.promise(), sharing);
    }
}
