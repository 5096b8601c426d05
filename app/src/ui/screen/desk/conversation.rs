//! What people write to each other, two of them or a group.

pub mod entry;
pub mod files;
pub mod group_menu;
pub mod marks;
pub mod menu;
pub mod view;
mod voice;

use std::time::Instant;

use iced::task::Handle;
use media::voice::Recording;
use proto::{
    Chat, MessageId, Name,
    api::{EditChat, History, MoveMarks, PageHistory, SendChat},
    chat::{self, Attachment, Group, Marks},
    limits::TEXT_MAX,
    model,
};

use self::{
    entry::{Delivery, Entry},
    files::Files,
    marks::Progress,
};
use crate::{random, ui::notice::Notice};

/// Messages fetched at once: more than a tall window shows.
const PAGE: u32 = 40;

/// Older messages are fetched when the person is this near the top, in pixels.
const NEAR_TOP: f32 = 80.0;

#[derive(Debug)]
pub struct Conversation {
    chat: Chat,
    /// Who is in it, if it is a group's.
    group: Option<Group>,
    /// By rising number; what has none yet comes last.
    entries: Vec<Entry>,
    /// There are older messages at the relay.
    more: bool,
    loading: Loading,
    draft: String,
    unread: usize,
    error: Option<String>,
    progress: Progress,
    files: Files,
    /// What is being said.
    recording: Option<Recording>,
    /// The own message for which it is to be chosen what is done to it.
    chosen: Option<u64>,
    /// The own message that is being changed in the field.
    editing: Option<u64>,
    /// What stood in the field before, meanwhile.
    aside: String,
    menu: menu::Menu,
    group_menu: group_menu::GroupMenu,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loading {
    /// The newest messages were not fetched yet, or what is here may be out of date.
    Due,
    Now,
    Done,
}

#[derive(Debug, Clone)]
pub enum Message {
    DraftChanged(String),
    SendPressed,
    RetryPressed(String),
    /// A message that was not sent is given up.
    DismissPressed(String),
    Sent(String, Result<model::Message, Notice>),
    Paged(PageHistory, Result<History, Notice>),
    OlderPressed,
    /// How near the top the person has scrolled, in pixels.
    Scrolled(f32),
    CallPressed,
    /// An own message was pressed.
    Chosen(u64),
    EditPressed(u64),
    EditEnded,
    DeletePressed(u64),
    /// What an own message was to say instead, and what came of it.
    Edited(String, Result<model::Message, Notice>),
    Deleted(Result<model::Message, Notice>),
    LinkPressed(String),
    Marked(Result<(), Notice>),
    Files(files::Message),
    RecordPressed,
    RecordCanceled,
    RecordEnded,
    /// The file of what was said is there.
    Recorded(Result<Vec<u8>, Notice>),
    /// A buddy is to come into the group.
    MemberAdded(Name),
    LeavePressed,
    Menu(menu::Message),
    GroupMenu(group_menu::Message),
}

pub enum Action {
    None,
    /// What the menu is for.
    Do(menu::Deed),
    Page(PageHistory),
    Send(SendChat),
    Edit(MessageId, EditChat),
    Delete(MessageId),
    /// The person is writing.
    Type,
    Open(String),
    Files(files::Action),
    /// The microphone is wanted.
    Record,
    /// All is said.
    Finish(Recording),
    Ring,
    AddMember(Name),
    /// What the owner's menu is for.
    Own(group_menu::Deed),
    Leave,
}

impl Conversation {
    pub fn new(chat: Chat) -> Self {
        Self {
            chat,
            group: None,
            entries: Vec::new(),
            more: false,
            loading: Loading::Due,
            draft: String::new(),
            unread: 0,
            error: None,
            progress: Progress::default(),
            files: Files::default(),
            recording: None,
            chosen: None,
            editing: None,
            aside: String::new(),
            menu: menu::Menu::default(),
            group_menu: group_menu::GroupMenu::default(),
        }
    }

    pub fn chat(&self) -> &Chat {
        &self.chat
    }

    pub fn group(&self) -> Option<&Group> {
        self.group.as_ref()
    }

    /// The group is now this one.
    pub fn set_group(&mut self, group: Group) {
        self.group = Some(group);
    }

    /// What can be done about the other, and what came of it.
    pub fn menu(&mut self) -> &mut menu::Menu {
        &mut self.menu
    }

    pub fn unread(&self) -> usize {
        self.unread
    }

    /// What the relay says of it to a client that has just come.
    pub fn know(&mut self, known: &chat::Conversation, me: &Name) {
        self.unread = known.unread as usize;
        self.progress.know(known, me);
    }

    /// The person has chosen it: nothing is unread, and the newest messages are wanted if they are not here.
    pub fn open(&mut self) -> Option<PageHistory> {
        self.unread = 0;
        self.fetch()
    }

    /// What is to be fetched for someone who sees it.
    pub fn fetch(&mut self) -> Option<PageHistory> {
        if self.loading != Loading::Due {
            return None;
        }
        self.loading = Loading::Now;
        Some(PageHistory { limit: Some(PAGE), ..PageHistory::newest(self.chat.clone()) })
    }

    /// After an absence: what was written, changed and deleted meanwhile is in no event.
    pub fn outdate(&mut self) {
        self.loading = Loading::Due;
    }

    /// The person sees what there is. Until the newest messages are here it is less than what is known of.
    pub fn read(&mut self) {
        self.unread = 0;
        if self.loading == Loading::Done {
            self.progress.read();
        }
    }

    /// What the relay is to be told of how far this client has come, if there is anything new.
    pub fn due_marks(&mut self) -> Option<MoveMarks> {
        self.progress.due(&self.chat)
    }

    /// Someone has come further.
    pub fn mark(&mut self, marks: Marks, unread: Option<u32>, me: &Name) {
        if let (true, Some(unread)) = (marks.name.is(me), unread) {
            self.unread = unread as usize;
        }
        self.progress.mark(marks, me);
    }

    /// The pictures and voice messages that are to be fetched now.
    pub fn wanted_previews(&mut self) -> Vec<Attachment> {
        self.files.wanted(&self.entries)
    }

    /// What sends a file from here.
    pub fn sent_by(&mut self, key: u64, task: Handle) {
        self.files.sent_by(key, task);
    }

    /// Whether someone may have stopped writing since it was last looked at.
    pub fn is_anyone_typing(&self) -> bool {
        self.progress.is_anyone_typing()
    }

    /// Forgets who no longer writes.
    pub fn tick(&mut self, now: Instant) {
        self.progress.forget_typing(now);
    }

    /// Someone is writing, until then.
    pub fn types(&mut self, name: Name, until: Instant) {
        self.progress.types(name, until);
    }

    /// A message from the event lane; whether it is a new one of someone else's.
    pub fn arrive(&mut self, message: model::Message, mine: bool, open: bool) -> bool {
        let new = !self.knows(message.id.0) && !message.deleted && self.progress.is_new(message.id.0);
        let news = new && !mine;
        if news && !open {
            self.unread += 1;
        }
        self.progress.stops_typing(&message.from);
        self.happen(message, mine);
        news
    }

    pub fn update(&mut self, message: Message, me: &Name, now_ms: u64) -> Action {
        match message {
            Message::DraftChanged(draft) => {
                let typed = draft.len() > self.draft.len() && self.editing.is_none();
                self.draft = draft;
                self.error = None;
                if typed && self.progress.may_say_typing(now_ms) { Action::Type } else { Action::None }
            }
            Message::SendPressed => self.send(now_ms),
            Message::RetryPressed(client_id) => self.retry(client_id),
            Message::DismissPressed(client_id) => {
                let failed = |entry: &Entry| entry.client_id == client_id && matches!(entry.delivery, Delivery::Failed(_));
                self.entries.retain(|entry| !failed(entry));
                Action::None
            }
            Message::Sent(_, Ok(message)) => {
                self.happen(message, true);
                Action::None
            }
            Message::Sent(client_id, Err(notice)) => {
                // The event lane may have brought it meanwhile: then it was sent after all.
                let waiting = |entry: &&mut Entry| entry.client_id == client_id && entry.delivery == Delivery::Sending;
                if let Some(entry) = self.entries.iter_mut().find(waiting) {
                    entry.delivery = Delivery::Failed(notice.text);
                }
                Action::None
            }
            Message::Paged(page, result) => {
                self.paged(&page, result, me);
                Action::None
            }
            Message::OlderPressed => self.older(),
            Message::Scrolled(from_top) if from_top < NEAR_TOP => self.older(),
            Message::Scrolled(_) => Action::None,
            Message::CallPressed => Action::Ring,
            Message::Chosen(id) => {
                self.chosen = (self.chosen != Some(id)).then_some(id);
                Action::None
            }
            Message::EditPressed(id) => self.edit(id),
            Message::EditEnded => {
                self.end_editing();
                Action::None
            }
            Message::DeletePressed(id) => {
                self.chosen = None;
                Action::Delete(MessageId(id))
            }
            Message::Edited(text, Ok(message)) => {
                // Unless the person has gone on changing it.
                if self.editing == Some(message.id.0) && self.draft.trim() == text {
                    self.end_editing();
                }
                self.happen(message, true);
                Action::None
            }
            Message::Deleted(Ok(message)) => {
                self.happen(message, true);
                Action::None
            }
            Message::Edited(_, Err(notice)) | Message::Deleted(Err(notice)) => {
                self.error = Some(notice.text);
                Action::None
            }
            Message::LinkPressed(link) => Action::Open(link),
            Message::Marked(_) => {
                self.progress.marked();
                Action::None
            }
            Message::Files(message) => match self.files.update(message) {
                files::Action::None => Action::None,
                files::Action::Send(attachment) => self.post(String::new(), vec![attachment], now_ms),
                action => Action::Files(action),
            },
            Message::RecordPressed => Action::Record,
            Message::RecordCanceled => {
                self.recording = None;
                Action::None
            }
            Message::RecordEnded => self.end_recording(),
            Message::Recorded(Ok(file)) => Action::Files(self.files.speak(file)),
            Message::Recorded(Err(notice)) => {
                self.error = Some(notice.text);
                Action::None
            }
            Message::MemberAdded(name) => Action::AddMember(name),
            Message::LeavePressed => Action::Leave,
            Message::Menu(message) => self.menu.update(message).map_or(Action::None, Action::Do),
            Message::GroupMenu(message) => {
                let deed = self.group.as_ref().and_then(|group| self.group_menu.update(message, group));
                deed.map_or(Action::None, Action::Own)
            }
        }
    }

    fn send(&mut self, now_ms: u64) -> Action {
        let text = self.draft.trim().to_owned();
        let length = text.chars().count();
        if length > TEXT_MAX {
            self.error = Some(format!("A message has at most {TEXT_MAX} characters; this one has {length}."));
            return Action::None;
        }
        if let Some(id) = self.editing {
            // It stays in the field until the relay has taken it.
            self.error = None;
            let edit = Action::Edit(MessageId(id), EditChat { text: text.clone(), html: None });
            return if text.is_empty() { Action::None } else { edit };
        }
        if self.files.are_under_way() {
            self.error = Some("Not yet: the files are still on their way.".to_owned());
            return Action::None;
        }
        if text.is_empty() && self.files.ready().next().is_none() {
            return Action::None;
        }
        let attachments = self.files.take();
        self.draft.clear();
        self.post(text, attachments, now_ms)
    }

    fn post(&mut self, text: String, attachments: Vec<Attachment>, now_ms: u64) -> Action {
        let client_id = match random::hex() {
            Ok(id) => id,
            Err(error) => {
                self.error = Some(format!("Not sent: {error}."));
                return Action::None;
            }
        };
        self.error = None;
        self.entries.push(Entry::on_its_way(client_id.clone(), text.clone(), attachments.clone(), now_ms));
        Action::Send(self.letter(text, attachments, client_id))
    }

    fn letter(&self, text: String, attachments: Vec<Attachment>, client_id: String) -> SendChat {
        let attachments = attachments.into_iter().map(|attachment| attachment.id).collect();
        SendChat { attachments, ..SendChat::new(self.chat.clone(), text, client_id) }
    }

    fn retry(&mut self, client_id: String) -> Action {
        let failed = |entry: &&mut Entry| entry.client_id == client_id && matches!(entry.delivery, Delivery::Failed(_));
        let Some(entry) = self.entries.iter_mut().find(failed) else { return Action::None };
        entry.delivery = Delivery::Sending;
        let (text, attachments) = (entry.text.clone(), entry.attachments.clone());
        // The same id: if the relay got it the first time, there is still one message.
        Action::Send(self.letter(text, attachments, client_id))
    }

    fn edit(&mut self, id: u64) -> Action {
        self.chosen = None;
        if let Some(entry) = self.entries.iter().find(|entry| entry.id == Some(id) && entry.mine && !entry.deleted) {
            let before = std::mem::replace(&mut self.draft, entry.text.clone());
            if self.editing.replace(id).is_none() {
                self.aside = before;
            }
            self.error = None;
        }
        Action::None
    }

    fn end_editing(&mut self) {
        if self.editing.take().is_some() {
            self.draft = std::mem::take(&mut self.aside);
        }
    }

    /// Escape: forgets what was begun with a message.
    pub fn dismiss(&mut self) {
        self.chosen = None;
        self.end_editing();
        self.files.dismiss();
        self.group_menu.dismiss();
    }

    fn older(&mut self) -> Action {
        let first = self.first();
        if !self.more || self.loading != Loading::Done || first.is_none() {
            return Action::None;
        }
        self.loading = Loading::Now;
        Action::Page(PageHistory { before: first, limit: Some(PAGE), ..PageHistory::newest(self.chat.clone()) })
    }

    fn paged(&mut self, page: &PageHistory, result: Result<History, Notice>, me: &Name) {
        // Older ones are no longer wanted once what they were to stand before is gone.
        if page.before.is_some() && (self.loading != Loading::Now || page.before != self.first()) {
            return;
        }
        match result {
            Ok(history) => {
                self.loading = Loading::Done;
                self.error = None;
                self.more = history.more;
                if let (None, true, Some(first)) = (page.before, history.more, history.messages.first()) {
                    // Between this page and what is here from before it there may be others.
                    self.entries.retain(|entry| entry.id.is_none_or(|id| id >= first.id.0));
                }
                for message in history.messages {
                    let mine = message.from.is(me);
                    self.put(message, mine);
                }
            }
            Err(notice) => {
                self.loading = if page.before.is_none() { Loading::Due } else { Loading::Done };
                self.error = Some(notice.text);
            }
        }
    }

    /// The first message that is here.
    fn first(&self) -> Option<u64> {
        self.entries.iter().find_map(|entry| entry.id)
    }

    fn knows(&self, id: u64) -> bool {
        self.entries.iter().any(|entry| entry.id == Some(id))
    }

    /// A message is new, or what became of it.
    fn happen(&mut self, message: model::Message, mine: bool) {
        // What lies before the first message that is here comes with the others there.
        if self.more && self.first().is_some_and(|first| message.id.0 < first) {
            self.progress.came(message.id.0, mine);
        } else {
            self.put(message, mine);
        }
    }

    /// Puts a message where it belongs, in place of what is known of it.
    fn put(&mut self, message: model::Message, mine: bool) {
        let same = |entry: &Entry| {
            entry.id == Some(message.id.0) || entry.id.is_none() && entry.mine && mine && entry.client_id == message.client_id
        };
        self.entries.retain(|entry| !same(entry));
        let id = message.id.0;
        if message.deleted && self.editing == Some(id) {
            self.end_editing();
        }
        self.progress.came(id, mine);
        let place = self.entries.partition_point(|entry| entry.id.is_some_and(|other| other < id));
        self.entries.insert(place, Entry::new(message, mine));
    }
}

#[cfg(test)]
mod tests;
