//! What two people write to each other.

pub mod menu;
pub mod view;

use proto::{
    Name,
    api::{History, PageHistory},
    limits::TEXT_MAX,
    model,
};

use crate::{random, ui::notice::Notice};

/// Messages fetched at once: more than a tall window shows.
const PAGE: u32 = 40;

#[derive(Debug)]
pub struct Conversation {
    with: Name,
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
    menu: menu::Menu,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loading {
    /// Nothing was fetched yet.
    Never,
    Now,
    Done,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    id: Option<u64>,
    client_id: String,
    mine: bool,
    text: String,
    at_ms: u64,
    delivery: Delivery,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Delivery {
    Sending,
    Sent,
    Failed(String),
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
    Menu(menu::Message),
}

#[derive(Debug)]
pub enum Action {
    None,
    /// What the menu is for.
    Do(menu::Deed),
    Page(PageHistory),
    Send {
        text: String,
        client_id: String,
    },
    Ring,
}

/// Older messages are fetched when the person is this near the top, in pixels.
const NEAR_TOP: f32 = 80.0;

impl Conversation {
    pub fn new(with: Name) -> Self {
        Self {
            with,
            entries: Vec::new(),
            more: false,
            loading: Loading::Never,
            draft: String::new(),
            unread: 0,
            error: None,
            behind: None,
            menu: menu::Menu::default(),
        }
    }

    /// What can be done about the other, and what came of it.
    pub fn menu(&mut self) -> &mut menu::Menu {
        &mut self.menu
    }

    pub fn unread(&self) -> usize {
        self.unread
    }

    /// The person looks at it: nothing is unread, and the first time the newest messages are wanted.
    pub fn open(&mut self) -> Option<PageHistory> {
        self.unread = 0;
        if self.loading != Loading::Never {
            return None;
        }
        self.loading = Loading::Now;
        Some(PageHistory { with: self.with.clone(), before: None, after: None, limit: Some(PAGE) })
    }

    /// The person sees what there is.
    pub fn read(&mut self) {
        self.unread = 0;
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
        PageHistory { with: self.with.clone(), before: None, after, limit: Some(PAGE) }
    }

    /// A message from the event lane.
    pub fn arrive(&mut self, message: model::Message, mine: bool, open: bool) {
        if !self.knows(message.id.0) && !mine && !open {
            self.unread += 1;
        }
        self.put(message, mine);
    }

    /// `open` says whether the person sees the conversation now.
    pub fn update(&mut self, message: Message, me: &Name, now_ms: u64, open: bool) -> Action {
        match message {
            Message::DraftChanged(draft) => {
                self.draft = draft;
                self.error = None;
                Action::None
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
            Message::Menu(message) => self.menu.update(message).map_or(Action::None, Action::Do),
        }
    }

    fn send(&mut self, now_ms: u64) -> Action {
        let text = self.draft.trim().to_owned();
        if text.is_empty() {
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
        self.entries.push(Entry {
            id: None,
            client_id: client_id.clone(),
            mine: true,
            text: text.clone(),
            at_ms: now_ms,
            delivery: Delivery::Sending,
        });
        Action::Send { text, client_id }
    }

    fn retry(&mut self, client_id: String) -> Action {
        let failed = |entry: &&mut Entry| entry.client_id == client_id && matches!(entry.delivery, Delivery::Failed(_));
        match self.entries.iter_mut().find(failed) {
            Some(entry) => {
                entry.delivery = Delivery::Sending;
                // The same id: if the relay got it the first time, there is still one message.
                Action::Send { text: entry.text.clone(), client_id }
            }
            None => Action::None,
        }
    }

    fn older(&mut self) -> Action {
        let first = self.entries.iter().find_map(|entry| entry.id);
        if !self.more || self.loading != Loading::Done || first.is_none() {
            return Action::None;
        }
        self.loading = Loading::Now;
        Action::Page(PageHistory { with: self.with.clone(), before: first, after: None, limit: Some(PAGE) })
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
                    let missed = page.after.is_some() && !mine && !self.knows(message.id.0);
                    if missed && !open {
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
        let place = self.entries.partition_point(|entry| entry.id.is_some_and(|other| other < id));
        self.entries.insert(
            place,
            Entry {
                id: Some(id),
                client_id: message.client_id,
                mine,
                text: message.text,
                at_ms: message.sent_at_ms,
                delivery: Delivery::Sent,
            },
        );
    }
}

#[cfg(test)]
mod tests;
