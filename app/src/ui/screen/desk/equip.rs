//! What comes of choosing another camera, microphone or speaker.

use iced::Task;

use super::{
    Action, Desk, Message, Phone,
    equipment::{self, Panel},
};
use crate::ui::settings::Equipment;

impl Desk {
    /// Takes what the person had chosen in earlier runs.
    pub fn equip(&mut self, equipment: Equipment) {
        self.ringer.ring_at(&equipment.applied(&self.setup).speaker);
        if let Phone::Talking(call) = &mut self.phone {
            call.equip(&equipment);
        }
        self.equipment = equipment;
    }

    pub(super) fn open_panel(&mut self) -> Action {
        self.panel = Some(Panel::default());
        Action::Run(self.list_devices())
    }

    pub(super) fn in_panel(&mut self, message: equipment::Message) -> Action {
        let Some(panel) = &mut self.panel else { return Action::None };
        match panel.update(message, &self.equipment) {
            equipment::Action::None => Action::None,
            equipment::Action::Use(equipment) => {
                self.equip(equipment.clone());
                Action::Remember(Box::new(equipment))
            }
            equipment::Action::Close => {
                self.panel = None;
                Action::None
            }
        }
    }

    pub(super) fn list_devices(&self) -> Task<Message> {
        self.line.devices().map(|lists| Message::Equipment(equipment::Message::Listed(lists)))
    }

    /// The key for talking is held, or isn't.
    pub(super) fn hold(&mut self, held: bool) -> Action {
        if let Phone::Talking(call) = &mut self.phone {
            call.talk(held);
        }
        Action::None
    }
}
