//! What people write to each other, two of them or a group.

pub mod entry;
pub mod files;
pub mod marks;
pub mod menu;
pub mod view;

use std::time::Instant;

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
    /// What came after this message was missed and is not fetched yet.
    behind: Option<u64>,
    progress: Progress,
    files: Files,
    /// The own message for which it is to be chosen what is done to it.
    chosen: Option<u64>,
    /// The own message that is being changed in the field.
    editing: Option<u64>,
    menu: menu::Menu,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loading {
    /// Nothing was fetched yet.
    Never,
    Now,
    Done,
}

#[derive(Debug, Clone)]
pub enum Message {
    DraftChanged(String),
    SendPressed,
    RetryPressed(String),
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
    Changed(Result<model::Message, Notice>),
    LinkPressed(String),
    Marked(Result<(), Notice>),
    Files(files::Message),
    /// A buddy is to come into the group.
    MemberAdded(Name),
    LeavePressed,
    Menu(menu::Message),
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
    Ring,
    AddMember(Name),
    Leave,
}

impl Conversation {
    pub fn new(chat: Chat) -> Self {
        Self {
            chat,
            group: None,
            entries: Vec::new(),
            more: false,
            loading: Loading::Never,
            draft: String::new(),
            unread: 0,
            error: None,
            behind: None,
            progress: Progress::default(),
            files: Files::default(),
            chosen: None,
            editing: None,
            menu: menu::Menu::default(),
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

    /// The person looks at it: nothing is unread, and the first time the newest messages are wanted.
    pub fn open(&mut self) -> Option<PageHistory> {
        self.unread = 0;
        if self.loading != Loading::Never {
            return None;
        }
        self.loading = Loading::Now;
        Some(PageHistory { limit: Some(PAGE), ..PageHistory::newest(self.chat.clone()) })
    }

    /// The person sees what there is.
    pub fn read(&mut self) {
        self.unread = 0;
        self.progress.read();
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

    /// The pictures that are to be fetched now.
    pub fn wanted_pictures(&mut self) -> Vec<Attachment> {
        self.files.wanted(&self.entries)
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

    /// What has been missed since the last known message, if any of it is known. To be called before news arrive that are newer
    /// than what was missed.
    pub fn catch_up(&mut self) -> Option<PageHistory> {
        // Where an earlier try failed there is more to fetch.
        let last = self.entries.iter().filter_map(|entry| entry.id).max();
        let after = self.behind.or(last);
        match self.loading {
            Loading::Never => None,
            Loading::Now => {
                self.behind = after;
                None
            }
            Loading::Done => {
                self.behind = None;
                Some(self.page_after(after))
            }
        }
    }

    fn page_after(&mut self, after: Option<u64>) -> PageHistory {
        self.loading = Loading::Now;
        PageHistory { after, limit: Some(PAGE), ..PageHistory::newest(self.chat.clone()) }
    }

    /// A message from the event lane; whether it is a new one of someone else's.
    pub fn arrive(&mut self, message: model::Message, mine: bool, open: bool) -> bool {
        let new = !self.knows(message.id.0) && !message.deleted && self.progress.is_new(message.id.0);
        let news = new && !mine;
        if news && !open {
            self.unread += 1;
        }
        self.progress.stops_typing(&message.from);
        self.put(message, mine);
        news
    }

    /// `open` says whether the person sees the conversation now.
    pub fn update(&mut self, message: Message, me: &Name, now_ms: u64, open: bool) -> Action {
        match message {
            Message::DraftChanged(draft) => {
                let typed = draft.len() > self.draft.len() && self.editing.is_none();
                self.draft = draft;
                self.error = None;
                if typed && self.progress.may_say_typing(now_ms) { Action::Type } else { Action::None }
            }
            Message::SendPressed => self.send(now_ms),
            Message::RetryPressed(client_id) => self.retry(client_id),
            Message::Sent(_, Ok(message)) => {
                self.put(message, true);
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
            Message::Paged(page, result) => self.paged(&page, result, me, open),
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
            Message::Changed(Ok(message)) => {
                self.put(message, true);
                Action::None
            }
            Message::Changed(Err(notice)) => {
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
                action => Action::Files(action),
            },
            Message::MemberAdded(name) => Action::AddMember(name),
            Message::LeavePressed => Action::Leave,
            Message::Menu(message) => self.menu.update(message).map_or(Action::None, Action::Do),
        }
    }

    fn send(&mut self, now_ms: u64) -> Action {
        let text = self.draft.trim().to_owned();
        if let Some(id) = self.editing {
            if text.is_empty() {
                return Action::None;
            }
            self.end_editing();
            return Action::Edit(MessageId(id), EditChat { text, html: None });
        }
        if self.files.are_under_way() {
            self.error = Some("Not yet: the files are still on their way.".to_owned());
            return Action::None;
        }
        if text.is_empty() && self.files.ready().next().is_none() {
            return Action::None;
        }
        let length = text.chars().count();
        if length > TEXT_MAX {
            self.error = Some(format!("A message has at most {TEXT_MAX} characters; this one has {length}."));
            return Action::None;
        }
        let client_id = match random::hex() {
            Ok(id) => id,
            Err(error) => {
                self.error = Some(format!("Not sent: {error}."));
                return Action::None;
            }
        };
        self.draft.clear();
        self.error = None;
        let attachments: Vec<Attachment> = self.files.take();
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
            self.draft = entry.text.clone();
            self.editing = Some(id);
            self.error = None;
        }
        Action::None
    }

    fn end_editing(&mut self) {
        self.editing = None;
        self.draft.clear();
    }

    /// Escape: forgets what was begun with a message.
    pub fn dismiss(&mut self) {
        self.chosen = None;
        if self.editing.is_some() {
            self.end_editing();
        }
        self.files.dismiss();
    }

    fn older(&mut self) -> Action {
        let first = self.entries.iter().find_map(|entry| entry.id);
        if !self.more || self.loading != Loading::Done || first.is_none() {
            return Action::None;
        }
        self.loading = Loading::Now;
        Action::Page(PageHistory { before: first, limit: Some(PAGE), ..PageHistory::newest(self.chat.clone()) })
    }

    fn paged(&mut self, page: &PageHistory, result: Result<History, Notice>, me: &Name, open: bool) -> Action {
        let first_page = page.before.is_none() && page.after.is_none();
        match result {
            Ok(history) => {
                self.loading = Loading::Done;
                self.error = None;
                if page.after.is_none() {
                    self.more = history.more;
                }
                let last = history.messages.last().map(|message| message.id.0);
                for message in history.messages {
                    let mine = message.from.is(me);
                    let missed = page.after.is_some() && !mine && !message.deleted && !self.knows(message.id.0);
                    if missed && !open && self.progress.is_new(message.id.0) {
                        self.unread += 1;
                    }
                    self.put(message, mine);
                }
                // A long absence: there may be more than one page of it.
                if page.after.is_some() && history.more && last > page.after {
                    return Action::Page(self.page_after(last));
                }
                // Or another one began meanwhile.
                if let Some(after) = self.behind.take() {
                    return Action::Page(self.page_after(Some(after)));
                }
            }
            Err(notice) => {
                self.loading = if first_page { Loading::Never } else { Loading::Done };
                self.behind = page.after.or(self.behind);
                self.error = Some(notice.text);
            }
        }
        Action::None
    }

    fn knows(&self, id: u64) -> bool {
        self.entries.iter().any(|entry| entry.id == Some(id))
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
        // What was changed long before the first message that is here is not fetched for that.
        let first = self.entries.iter().find_map(|entry| entry.id);
        self.progress.came(id, mine);
        if message.edited_at_ms.is_some() && self.loading == Loading::Done && self.more && first.is_some_and(|first| id < first) {
            return;
        }
        let place = self.entries.partition_point(|entry| entry.id.is_some_and(|other| other < id));
        self.entries.insert(place, Entry::new(message, mine));
    }
}

#[cfg(test)]
mod tests;
