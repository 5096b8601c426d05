//! What is wanted of the conversations, and what comes of it.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use iced::Task;
use proto::{
    Chat, GroupId, Name,
    api::{PageHistory, State},
    chat::Group,
    model,
};

use super::{
    Action, Conversation, Desk, Link, Message, Phone,
    conversation::{self, files, group_menu::Deed},
    groups,
    tape::open_link,
};
use crate::ui::{when::Zone, widget::toast::Kind};

impl Desk {
    /// Everything of groups and conversations as it is now; what was missed is asked for.
    pub(super) fn know_talks(&mut self, state: &mut State) -> Task<Message> {
        let me = self.me().clone();
        self.attachment_max = state.attachment_max;
        let groups = std::mem::take(&mut state.groups);
        self.conversations.retain(|_, talk| match talk.chat() {
            Chat::Group(id) => groups.iter().any(|group| group.id == *id),
            Chat::With(_) => true,
        });
        for group in &groups {
            self.conversation(&Chat::Group(group.id.clone())).set_group(group.clone());
        }
        self.groups.know(groups);
        for known in &state.conversations {
            self.conversation(&known.chat).know(known, &me);
        }
        self.conversations.values_mut().for_each(Conversation::outdate);
        self.fetch_seen()
    }

    pub(super) fn message_came(&mut self, message: model::Message) {
        let me = self.me().clone();
        // What a later version says of it is none of ours.
        let Some(chat) = message.chat(&me) else { return };
        let (mine, open) = (message.from.is(&me), self.focused && self.is_open(&chat));
        let news = self.conversation(&chat).arrive(message, mine, open);
        if news && !self.focused {
            self.ringer.chime();
        }
    }

    pub(super) fn group_changed(&mut self, group: Group) {
        self.conversation(&Chat::Group(group.id.clone())).set_group(group.clone());
        self.groups.put(group);
    }

    pub(super) fn group_left(&mut self, id: &GroupId) {
        self.groups.remove(id);
        self.conversations.remove(&Chat::Group(id.clone()).key());
    }

    pub(super) fn types(&mut self, chat: &Chat, name: Name, lasts: Duration) {
        // Not longer than any relay says, whatever this one does.
        let until = Instant::now() + lasts.min(Duration::from_secs(30));
        self.now = Instant::now();
        self.conversation(chat).types(name, until);
    }

    pub(super) fn converse(&mut self, chat: Chat, message: conversation::Message) -> Action {
        if self.zone == Zone::Local {
            self.now_ms = crate::ui::when::now_ms();
        }
        let (me, now_ms) = (self.me().clone(), self.now_ms);
        let action = self.conversation(&chat).update(message, &me, now_ms);
        let there = chat.clone();
        let back = move |message| Message::Conversation(there.clone(), message);
        match (action, chat) {
            (conversation::Action::None, _) => Action::None,
            (conversation::Action::Page(page), _) => Action::Run(self.history(page)),
            (conversation::Action::Send(letter), _) => {
                let key = letter.client_id.clone();
                let send = self.line.send(letter);
                Action::Run(send.map(move |result| back(conversation::Message::Sent(key.clone(), result))))
            }
            (conversation::Action::Edit(id, now), _) => {
                let text = now.text.clone();
                let edit = self.line.edit(id, now);
                Action::Run(edit.map(move |result| back(conversation::Message::Edited(text.clone(), result))))
            }
            (conversation::Action::Delete(id), _) => {
                let delete = self.line.delete(id);
                Action::Run(delete.map(move |result| back(conversation::Message::Deleted(result))))
            }
            (conversation::Action::Type, chat) => Action::Run(self.line.types(chat).discard()),
            (conversation::Action::Open(link), _) => {
                open_link(&link);
                Action::None
            }
            (conversation::Action::Files(action), chat) => self.transfer(&chat, action, back),
            (conversation::Action::Record, chat) => self.record(&chat),
            (conversation::Action::Finish(recording), chat) => Self::finish(chat, recording),
            (conversation::Action::Ring, chat) => self.ring_chat(chat),
            (conversation::Action::Do(deed), Chat::With(name)) => self.about(name, deed),
            (conversation::Action::AddMember(name), Chat::Group(id)) => {
                Action::Run(self.line.add_member(id, name).map(Message::GroupChanged))
            }
            (conversation::Action::Own(Deed::Rename(title)), Chat::Group(id)) => {
                Action::Run(self.line.rename_group(id, title).map(Message::GroupChanged))
            }
            (conversation::Action::Own(Deed::Remove(name)), Chat::Group(id)) => {
                Action::Run(self.line.remove_member(id, name).map(Message::Done))
            }
            (conversation::Action::Leave, Chat::Group(id)) => {
                self.groups.select(None);
                Action::Run(self.line.remove_member(id, me).map(Message::Done))
            }
            (conversation::Action::Do(_), Chat::Group(_))
            | (conversation::Action::AddMember(_) | conversation::Action::Own(_) | conversation::Action::Leave, Chat::With(_)) => {
                Action::None
            }
        }
    }

    /// Files to and from the relay.
    fn transfer(
        &mut self,
        chat: &Chat,
        action: files::Action,
        back: impl Fn(conversation::Message) -> Message + Send + 'static,
    ) -> Action {
        match action {
            // The conversation itself sends a voice message.
            files::Action::None | files::Action::Send(_) => Action::None,
            files::Action::Play(id, clip) => self.play(id, &clip),
            files::Action::Upload(key, source) => {
                let upload = self.line.upload(source, self.attachment_max);
                let upload = upload.map(move |step| back(conversation::Message::Files(files::Message::Sent(key, step))));
                let (upload, task) = upload.abortable();
                self.conversation(chat).sent_by(key, task);
                Action::Run(upload)
            }
            files::Action::Save(attachment) => {
                let id = attachment.id.clone();
                let save = self.line.save(attachment);
                Action::Run(save.map(move |step| back(conversation::Message::Files(files::Message::Saved(id.clone(), step)))))
            }
            files::Action::SavedAs(path) => Action::Tell(Kind::News, format!("Saved as {}", path.display()), Task::none()),
            files::Action::Trouble(text) => Action::Tell(Kind::Trouble, text, Task::none()),
        }
    }

    /// Rings whom a conversation is with; of a group all who are there, the others once there is a call.
    fn ring_chat(&mut self, chat: Chat) -> Action {
        let mut names = match chat {
            Chat::With(name) => vec![name],
            Chat::Group(id) => {
                let members = self.groups.of(&id).map(|group| group.members.clone()).unwrap_or_default();
                members.into_iter().filter(|name| self.buddies.there().any(|there| there.is(name))).collect()
            }
        };
        if names.is_empty() {
            return Action::Tell(Kind::News, "None of your buddies in this group is there now.".to_owned(), Task::none());
        }
        let first = names.remove(0);
        let step = self.phone.ring(first, names);
        self.follow(step)
    }

    pub(super) fn group_list(&mut self, message: groups::Message) -> Action {
        match self.groups.update(message) {
            groups::Action::None => Action::None,
            groups::Action::Form => {
                self.buddies.select(None);
                self.groups.deselect();
                Action::None
            }
            groups::Action::Select(id) => Action::Run(self.select(Chat::Group(id))),
            groups::Action::Make(title, members) => {
                let made = self.line.make_group(title, members);
                Action::Run(made.map(|result| Message::Groups(groups::Message::Made(result))))
            }
            groups::Action::Made(group) => {
                let chat = Chat::Group(group.id.clone());
                self.conversation(&chat).set_group(group);
                Action::Run(self.select(chat))
            }
        }
    }

    pub(super) fn select(&mut self, chat: Chat) -> Task<Message> {
        let (with, group) = chat.clone().into_parts();
        self.buddies.select(with);
        self.groups.select(group);
        let page = self.conversation(&chat).open();
        page.map_or_else(Task::none, |page| self.history(page))
    }

    pub(super) fn history(&self, page: PageHistory) -> Task<Message> {
        let (chat, asked) = (page.chat.clone(), page.clone());
        self.line
            .history(page)
            .map(move |result| Message::Conversation(chat.clone(), conversation::Message::Paged(asked.clone(), result)))
    }

    pub(super) fn conversation(&mut self, chat: &Chat) -> &mut Conversation {
        self.conversations.entry(chat.key()).or_insert_with(|| Conversation::new(chat.clone()))
    }

    pub(super) fn talk(&self, chat: &Chat) -> Option<&Conversation> {
        self.conversations.get(&chat.key())
    }

    /// Whether the person sees this conversation now, if they look.
    pub(super) fn is_open(&self, chat: &Chat) -> bool {
        self.seen().is_some_and(|seen| seen.key() == chat.key())
    }

    /// Which conversation the person sees now.
    pub(super) fn seen(&self) -> Option<Chat> {
        match &self.phone {
            Phone::Talking(call) => call.chats_with().cloned().map(Chat::With),
            _ => {
                let group = self.groups.selected().cloned().map(Chat::Group);
                group.or_else(|| self.buddies.selected().cloned().map(Chat::With))
            }
        }
    }

    /// Which conversation is seen may have changed, or the relay is there again.
    pub(super) fn fetch_seen(&mut self) -> Task<Message> {
        let page = self.seen().and_then(|chat| self.conversation(&chat).fetch());
        page.map_or_else(Task::none, |page| self.history(page))
    }

    /// What is due after whatever happened: what is seen counts as read, the relay hears of it, pictures come.
    pub(super) fn look(&mut self) -> Task<Message> {
        self.hush();
        let mut tasks = Vec::new();
        if let Some(chat) = self.seen()
            && let Some(talk) = self.conversations.get_mut(&chat.key())
        {
            if self.focused {
                talk.read();
            }
            for attachment in talk.wanted_previews() {
                let (id, chat) = (attachment.id.clone(), chat.clone());
                let fetched = move |preview| {
                    let fetched = files::Message::Fetched(id.clone(), preview);
                    Message::Conversation(chat.clone(), conversation::Message::Files(fetched))
                };
                tasks.push(self.line.preview(attachment).map(fetched));
            }
        }
        if self.link == Link::Live {
            for talk in self.conversations.values_mut() {
                if let Some(marks) = talk.due_marks() {
                    let chat = talk.chat().clone();
                    let marked = move |result| Message::Conversation(chat.clone(), conversation::Message::Marked(result));
                    tasks.push(self.line.move_marks(marks).map(marked));
                }
            }
        }
        Task::batch(tasks)
    }

    /// A file was let go over the window: it goes along with what is written next.
    pub(super) fn drop_file(&mut self, path: PathBuf) -> Action {
        match self.seen() {
            Some(chat) => self.converse(chat, conversation::Message::Files(files::Message::Dropped(path))),
            None => Action::Tell(Kind::News, "Choose whom to send the file to, and drop it again.".to_owned(), Task::none()),
        }
    }
}
