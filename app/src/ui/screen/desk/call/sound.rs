//! The person's camera, microphone and speaker in a call: which ones, how loud, and when they are heard.

use iced::{
    Element, Fill,
    widget::{container, row, space},
};
use media::{Part, devices::InUse};

use super::{Call, Message};
use crate::{
    engine::Voices,
    ui::{
        settings::Equipment,
        theme::{self, spacing},
    },
};

impl Call {
    /// What the call was set up with.
    pub fn begin_with(&mut self, equipment: &Equipment) {
        self.equipment = equipment.clone();
        self.mute_or_not();
    }

    /// What the person has chosen, from now on.
    pub fn equip(&mut self, equipment: &Equipment) {
        if let Some(engine) = &self.engine {
            for part in [Part::Camera, Part::Microphone, Part::Speaker] {
                // What the command line names is no choice of the person's.
                if self.equipment.of(part) != equipment.of(part) {
                    engine.choose(part, equipment.of(part).map(|chosen| chosen.id.clone()));
                }
            }
            engine.turn(equipment.turn());
            engine.set_voice_processing(equipment.voice());
        }
        self.equipment = equipment.clone();
        self.held = false;
        self.mute_or_not();
    }

    /// The key for talking is held, or isn't.
    pub fn talk(&mut self, held: bool) {
        if self.equipment.push_to_talk && self.held != held {
            self.held = held;
            self.mute_or_not();
        }
    }

    /// Whether nothing is heard of the person since they don't hold the key for that.
    pub(super) fn waits_for_key(&self) -> bool {
        self.equipment.push_to_talk && !self.held && !self.muted()
    }

    pub(super) fn mute_or_not(&self) {
        if let Some(engine) = &self.engine {
            engine.set_muted(self.muted() || self.waits_for_key());
        }
    }

    /// The device that is used from now on; a sentence, if it isn't the one that a person would expect.
    pub(super) fn uses(&mut self, device: InUse) -> Option<String> {
        let InUse { part, name, stand_in, .. } = &device;
        let before = self.in_use.iter().find(|before| before.part == *part);
        let says = match (stand_in, before) {
            (true, _) => {
                let missing = self.equipment.of(*part).map_or_else(|| format!("The {part}"), |chosen| chosen.name.clone());
                Some(format!("{missing} isn\u{2019}t there: {name} is the {part} until it is."))
            }
            (false, Some(before)) if before.id != device.id => Some(format!("The {part} is {name} now.")),
            _ => None,
        };
        self.in_use.retain(|before| before.part != device.part);
        self.in_use.push(device);
        says
    }

    /// Whether others hear this person speak.
    pub(super) fn is_speaking(&self) -> bool {
        self.voices.speaks && !self.muted() && !self.waits_for_key()
    }

    /// How loud the microphone is; dim while nobody hears it.
    pub(super) fn level<'a>(&self) -> Element<'a, Message> {
        let heard = !self.muted() && !self.waits_for_key();
        let level = if self.has.audio { self.voices.level } else { 0 };
        let steps = (0..Voices::STEPS).map(|step| {
            let lit = (step < level).then_some(heard);
            container(space()).width(Fill).height(spacing::METER).style(theme::container::step(lit)).into()
        });
        row(steps).spacing(spacing::HAIR).width(spacing::CONTROL).into()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::{
        engine::Setup,
        ui::{pretend::Pretend, settings::Chosen},
    };

    fn call() -> Call {
        let [me, other] = ["Ana", "Ben"].map(|name| name.parse().unwrap());
        let pretend = Pretend { me, other };
        Call::new(pretend.joined(), &pretend.me, &Setup::default(), None, Instant::now()).0
    }

    fn speaker(id: &str, stand_in: bool) -> InUse {
        InUse { part: Part::Speaker, id: id.into(), name: format!("the {id}"), stand_in }
    }

    #[test]
    fn a_device_is_told_of_when_it_is_not_the_one_before() {
        let mut call = call();
        let mut equipment = Equipment::default();
        equipment.choose(Part::Speaker, Some(Chosen { id: "headset".into(), name: "My headset".into() }));
        call.equip(&equipment);
        assert_eq!(call.uses(speaker("headset", false)), None, "as expected");
        let says = call.uses(speaker("desk", true)).unwrap();
        assert_eq!(says, "My headset isn\u{2019}t there: the desk is the speaker until it is.");
        assert_eq!(call.uses(speaker("headset", false)).unwrap(), "The speaker is the headset now.");
        assert_eq!(call.uses(speaker("headset", false)), None);
    }

    #[test]
    fn who_pushes_to_talk_is_heard_while_they_do() {
        let mut call = call();
        call.talk(true);
        assert!(!call.waits_for_key(), "no key is needed");
        call.equip(&Equipment { push_to_talk: true, ..Equipment::default() });
        assert!(call.waits_for_key());
        call.talk(true);
        assert!(!call.waits_for_key());
        call.talk(false);
        assert!(call.waits_for_key());
    }
}
