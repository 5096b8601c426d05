//! Voice messages that are recorded and played: one at a time, and none beside a call.

use iced::Task;
use media::voice::{Clip, Player, Recording};
use proto::{AttachmentId, Chat};

use super::{Action, Desk, Message, Phone, conversation};
use crate::ui::{notice::Notice, widget::toast::Kind};

impl Desk {
    /// Opens the microphone for a message.
    pub(super) fn record(&mut self, chat: &Chat) -> Action {
        let begun = match &self.phone {
            Phone::Talking(_) => Err(Notice::new("The call has the microphone: record once it is over.")),
            // What is played would be recorded, too.
            _ => {
                self.playing = None;
                let setup = self.equipment.applied(&self.setup);
                Recording::start(&setup.microphone).map_err(|error| Notice::new(format!("Not recorded: {error}.")))
            }
        };
        self.conversation(chat).record(begun);
        Action::None
    }

    /// Makes a file of what was said, which is sent then.
    pub(super) fn finish(chat: Chat, recording: Recording) -> Action {
        let finish = async move {
            let file = tokio::task::spawn_blocking(move || recording.finish()).await;
            let file = file.map_err(|error| error.to_string()).and_then(|file| file.map_err(|error| error.to_string()));
            file.map_err(|error| Notice::new(format!("Not recorded: {error}.")))
        };
        let recorded = move |file| Message::Conversation(chat.clone(), conversation::Message::Recorded(file));
        Action::Run(Task::perform(finish, recorded))
    }

    /// Plays a message, or ends it if it plays already.
    pub(super) fn play(&mut self, id: AttachmentId, clip: &Clip) -> Action {
        if self.playing.take().is_some_and(|(playing, _)| playing == id) {
            return Action::None;
        }
        if matches!(self.phone, Phone::Talking(_)) {
            return Action::Tell(Kind::News, "Listen to it once the call is over.".to_owned(), Task::none());
        }
        match Player::start(clip, &self.equipment.applied(&self.setup).speaker) {
            Ok(player) => {
                self.playing = Some((id, player));
                Action::None
            }
            Err(error) => Action::Tell(Kind::Trouble, format!("It can\u{2019}t be played: {error}."), Task::none()),
        }
    }

    /// A message may have been heard to its end; where the speaker fails, the person is told.
    pub(super) fn watch_player(&mut self) -> Action {
        let Some((_, player)) = &self.playing else { return Action::None };
        let trouble = player.trouble();
        if player.is_over() || trouble.is_some() {
            self.playing = None;
        }
        trouble.map_or(Action::None, |trouble| Action::Tell(Kind::Trouble, trouble.to_string(), Task::none()))
    }

    /// A call takes the microphone and the speaker; nobody is recorded whom they can't see being recorded.
    pub(super) fn hush(&mut self) {
        let (seen, talking) = (self.seen().map(|chat| chat.key()), matches!(self.phone, Phone::Talking(_)));
        for (key, talk) in &self.conversations {
            if talking || seen.as_ref() != Some(key) {
                talk.stop_recording();
            }
        }
        if talking {
            self.playing = None;
        }
    }

    pub(super) fn is_anything_heard(&self) -> bool {
        self.playing.is_some() || self.conversations.values().any(conversation::Conversation::is_recording)
    }
}
