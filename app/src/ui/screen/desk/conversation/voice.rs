//! A voice message while it is spoken.

use std::time::Duration;

use iced::{
    Center, Element, Fill,
    widget::{button, container, row, tooltip::Position},
};
use media::voice::{LONGEST, Recording};

use super::{Action, Conversation, Message};
use crate::ui::{
    icon::{self, Icon, icon},
    notice::Notice,
    theme::{self, spacing, text},
    when::lasted,
    widget::{avatar, hint::hint},
};

impl Conversation {
    /// The microphone is open, or why it isn't.
    pub fn record(&mut self, begun: Result<Recording, Notice>) {
        match begun {
            Ok(recording) => (self.recording, self.error) = (Some(recording), None),
            Err(notice) => self.error = Some(notice.text),
        }
    }

    /// Lets go of the microphone; what was said can still be sent.
    pub fn stop_recording(&self) {
        if let Some(recording) = &self.recording {
            recording.stop();
        }
    }

    /// Whether the time on the screen goes on.
    pub fn is_recording(&self) -> bool {
        self.recording.as_ref().is_some_and(|recording| !recording.is_over())
    }

    /// The person has said it all.
    pub(super) fn end_recording(&mut self) -> Action {
        match self.recording.take_if(|recording| recording.lasted() > Duration::ZERO) {
            Some(recording) => Action::Finish(recording),
            None => Action::None,
        }
    }

    /// What has the place of the field meanwhile.
    pub(super) fn recorder(&self) -> Option<Element<'_, Message>> {
        let recording = self.recording.as_ref()?;
        let said = recording.lasted();
        let says = match recording.trouble() {
            Some(trouble) => text::body(trouble.to_string()),
            None if recording.is_over() => text::body(format!("Recorded {}", lasted(said))),
            None => text::body(format!("Recording {} (at most {})", lasted(said), lasted(LONGEST))),
        };
        let dot = avatar::dot(|palette| palette.danger);
        let dot = (!recording.is_over() && recording.trouble().is_none()).then_some(dot);
        let cancel = button(icon(Icon::Trash2, icon::MEDIUM)).padding(spacing::M).style(theme::button::quiet);
        let cancel = container(cancel.on_press(Message::RecordCanceled)).id("record-cancel");
        let send = button(icon(Icon::SendHorizontal, icon::MEDIUM)).padding(spacing::M).style(theme::button::primary);
        let send = send.on_press_maybe((said > Duration::ZERO).then_some(Message::RecordEnded));
        let line = row![]
            .push(dot)
            .push(container(says).width(Fill))
            .push(hint(cancel, "Throw it away", Position::Top))
            .push(hint(container(send).id("record-send"), "Send it", Position::Top));
        Some(line.spacing(spacing::S).align_y(Center).into())
    }
}
