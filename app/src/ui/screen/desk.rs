//! The screen of someone who has signed in: buddies, conversations, calls, and the ticker along the foot.

pub mod account;
pub mod buddy_list;
pub mod call;
mod calls;
pub mod conversation;
pub mod dialog;
pub mod missed;
pub mod own;
mod people;
pub mod phone;
pub mod tape;
mod view;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use iced::{Subscription, Task, window};
use proto::{
    CallId, ErrorCode, Event, Name,
    api::{Joined, Rung, State},
    model::{Invitation, Presence, Relation},
};
use relay_client::Update;

use self::{
    account::Account, buddy_list::BuddyList, call::Call, conversation::Conversation, missed::Missed, own::Own, phone::Phone,
    tape::Tape,
};
use crate::{
    engine::Setup,
    ui::{
        keys::Shortcut,
        line::Line,
        notice::Notice,
        sound::{Ringer, Sound},
        when::{self, Zone},
        widget::toast::Kind,
    },
};

/// Everything of someone who has signed in.
pub struct Desk {
    line: Line,
    link: Link,
    setup: Setup,
    own: Own,
    /// Open over everything else.
    account: Option<Account>,
    missed: Missed,
    buddies: BuddyList,
    /// By the other's key.
    conversations: HashMap<String, Conversation>,
    phone: Phone,
    tape: Tape,
    ringer: Ringer,
    wishes: Wishes,
    /// Who rings besides the one whose ring is shown.
    knocking: Vec<Invitation>,
    /// Calls that were left while the relay could not be told.
    leaving: Vec<CallId>,
    /// Physical pixels per logical one.
    scale: f32,
    zone: Zone,
    now: Instant,
    now_ms: u64,
}

/// How the way to the relay is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    Connecting,
    Live,
    Reconnecting { since: Instant, reason: String },
}

/// What to do by itself, as the command line asks.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// Ring this buddy as soon as they are there.
    pub call: Option<Name>,
    /// Accept the first call that comes.
    pub answer: bool,
}

#[derive(Debug, Clone)]
pub enum Message {
    Relay(Update),
    Own(own::Message),
    Account(account::Message),
    Missed(missed::Message),
    /// The person does something here after a long while.
    PersonIsBack,
    /// The relay has answered whether this client may come into the call whose link was given.
    Entered(Result<Joined, Notice>),
    Buddies(buddy_list::Message),
    Conversation(Name, conversation::Message),
    Phone(phone::Message),
    Call(call::Message),
    Tape(tape::Message),
    Shortcut(Shortcut),
    Tick(Instant, u64),
    AppearanceChosen,
    SignOutPressed,
    /// The relay has answered whether someone can be asked into the call.
    Invited(Name, Result<Rung, Notice>),
    /// A ring was taken back; whose call it was to become is said.
    Canceled(CallId, Result<(), Notice>),
    Left(CallId, Result<(), Notice>),
    /// A request nobody waits for is done.
    Done(Result<(), Notice>),
}

pub enum Action {
    None,
    Run(Task<Message>),
    /// Tell the person.
    Tell(Kind, String, Task<Message>),
    ChangeAppearance,
    SignOut,
    /// The relay has ended the session.
    SignedOut(String),
}

impl Desk {
    pub fn new(line: Line, setup: Setup, wishes: Wishes) -> Self {
        let ringer = Ringer::new(&setup.speaker);
        Self {
            own: Own::default(),
            account: None,
            missed: Missed::default(),
            buddies: BuddyList::default(),
            conversations: HashMap::new(),
            phone: Phone::Idle,
            tape: Tape::default(),
            link: Link::Connecting,
            scale: 1.0,
            zone: Zone::Local,
            now: Instant::now(),
            now_ms: when::now_ms(),
            line,
            setup,
            ringer,
            wishes,
            knocking: Vec::new(),
            leaving: Vec::new(),
        }
    }

    pub fn me(&self) -> &Name {
        self.line.me()
    }

    pub fn line(&self) -> &Line {
        &self.line
    }

    pub fn phone(&self) -> &Phone {
        &self.phone
    }

    pub fn set_scale(&mut self, scale: f32) {
        self.scale = scale;
    }

    /// Times are shown as they were at this moment in UTC, so that a picture of the screen is always the same.
    pub fn freeze_clock(&mut self, now_ms: u64) {
        self.zone = Zone::Utc;
        self.now_ms = now_ms;
    }

    /// Unread messages in all conversations.
    pub fn unread(&self) -> usize {
        self.conversations.values().map(Conversation::unread).sum()
    }

    /// Ends what is going on before the window closes or the person signs out.
    pub fn hang_up(&mut self) -> Task<Message> {
        let step = self.phone.hang_up();
        let action = self.follow(step);
        self.ringer.play(None);
        into_task(action)
    }

    /// Hangs up and signs out, one after the other.
    pub fn say_goodbye(&mut self) -> Task<Message> {
        let hang_up = self.hang_up();
        hang_up.chain(self.line.sign_out().map(Message::Done))
    }

    /// Who is large on the screen, in a call.
    pub fn talks_with(&self) -> Option<&Name> {
        match &self.phone {
            Phone::Talking(call) => call.partner(),
            _ => None,
        }
    }

    pub fn update(&mut self, message: Message) -> Action {
        let action = match message {
            Message::Relay(update) => self.hear(update),
            Message::Own(message) => self.own(message),
            Message::Account(message) => self.in_account(message),
            Message::Missed(message) => self.in_missed(message),
            Message::PersonIsBack => {
                if let Some(session) = self.line.session() {
                    session.person_is_back();
                }
                Action::None
            }
            Message::Entered(result) => self.entered(result),
            Message::Buddies(message) => self.buddy_list(message),
            Message::Conversation(with, message) => self.converse(with, message),
            Message::Phone(message) => {
                let step = self.phone.update(message);
                self.follow(step)
            }
            Message::Call(message) => self.in_call(message),
            Message::Tape(message) => {
                self.tape.update(message);
                Action::None
            }
            Message::Shortcut(shortcut) => self.shortcut(shortcut),
            Message::Tick(now, now_ms) => self.tick(now, now_ms),
            Message::AppearanceChosen => Action::ChangeAppearance,
            Message::SignOutPressed => Action::SignOut,
            Message::Invited(name, Ok(_)) => Action::Tell(Kind::News, format!("It rings at {name}\u{2019}s."), Task::none()),
            Message::Invited(_, Err(notice)) => Action::Tell(Kind::Trouble, notice.text, Task::none()),
            // It was accepted just before: then there is a call to leave.
            Message::Canceled(call, Err(notice)) if notice.code == Some(ErrorCode::InvitationOver) => self.leave(call),
            Message::Left(call, Ok(())) => self.has_left(&call),
            Message::Left(call, Err(notice)) => match notice.code {
                // It is over, or this client was not in it: as wanted.
                Some(ErrorCode::NotFound | ErrorCode::Forbidden) => self.has_left(&call),
                _ => Action::None,
            },
            Message::Done(Ok(())) | Message::Canceled(_, Ok(())) => Action::None,
            Message::Done(Err(notice)) | Message::Canceled(_, Err(notice)) => {
                Action::Tell(Kind::Trouble, notice.text, Task::none())
            }
        };
        let action = if self.knocking.is_empty() { action } else { and(action, self.next_knock()) };
        let seen = self.seen().cloned();
        if let Some(talk) = seen.and_then(|name| self.conversations.get_mut(&name.key())) {
            talk.read();
        }
        self.ringer.play(match &self.phone {
            Phone::Rung { answering: false, .. } => Some(Sound::Ring),
            Phone::Calling(calling) if calling.placed() => Some(Sound::Ringback),
            _ => None,
        });
        action
    }

    pub fn subscription(&self) -> Subscription<Message> {
        let tick = match &self.phone {
            Phone::Talking(_) => Duration::from_secs(1),
            _ if self.link != Link::Live => Duration::from_secs(1),
            // Only the names of days hang on it.
            _ => Duration::from_secs(60),
        };
        Subscription::batch([
            self.line.events().map(Message::Relay),
            self.tape.subscription().map(Message::Tape),
            iced::time::every(tick).map(|now| Message::Tick(now, when::now_ms())),
        ])
    }

    fn hear(&mut self, update: Update) -> Action {
        match update {
            Update::State(state) => self.know(state),
            Update::Event(event) => self.happen(event),
            Update::Connected => {
                self.link = Link::Live;
                Action::None
            }
            Update::Reconnecting { since, reason, .. } => {
                self.link = Link::Reconnecting { since, reason: reason.to_string() };
                Action::None
            }
            Update::SignedOut { reason } => Action::SignedOut(reason.to_string()),
            _ => Action::None,
        }
    }

    /// Everything as it is now.
    pub fn know(&mut self, state: State) -> Action {
        self.link = Link::Live;
        self.own.know(state.presence, state.blocked);
        self.missed.know(state.missed);
        self.buddies.know(state.buddies);
        self.tape.know(state.tickers);
        let me = self.me().clone();
        let call = state.call.filter(|joined| !self.leaving.contains(&joined.call.id));
        let again: Vec<_> = std::mem::take(&mut self.leaving).into_iter().map(|call| self.leave(call)).map(into_task).collect();
        let step = self.phone.know(&me, &state.invitations, call.as_ref());
        let phone = and(self.follow(step), Task::batch(again));
        self.knocking = state.invitations.into_iter().filter(|invitation| invitation.to.is(&me)).collect();
        // What was written while nobody listened is in no event.
        let missed: Vec<_> = self.conversations.values_mut().filter_map(Conversation::catch_up).collect();
        let missed = missed.into_iter().map(|page| self.history(page));
        let missed = Task::batch(missed.collect::<Vec<_>>());
        let wishes = self.grant();
        and(and(phone, missed), wishes)
    }

    fn happen(&mut self, event: Event) -> Action {
        match event {
            Event::Roster { buddies } => {
                self.buddies.know(buddies);
                Action::Run(self.grant())
            }
            Event::Presence { name, presence, text, last_seen_ms } => {
                self.buddies.presence(&name, presence, text, last_seen_ms);
                Action::Run(self.grant())
            }
            Event::OwnPresence { presence } => {
                self.own.set(presence);
                Action::None
            }
            Event::Blocked { names } => {
                self.own.block(names);
                Action::None
            }
            Event::Missed { calls } => {
                self.missed.know(calls);
                Action::None
            }
            Event::Invitation { invitation } => {
                let me = self.me().clone();
                if let Some(missed) = self.knock(&me, &invitation) {
                    return Action::Tell(Kind::News, missed, Task::none());
                }
                let step = self.phone.invitation(&me, invitation);
                let action = self.follow(step);
                let look = if matches!(self.phone, Phone::Rung { .. }) { call_attention() } else { Task::none() };
                let wishes = self.grant();
                and(and(action, look), wishes)
            }
            Event::Call { call } => {
                let step = self.phone.call(call);
                self.follow(step)
            }
            Event::CallEnded { call, reason } => {
                let step = self.phone.call_ended(&call, reason);
                self.follow(step)
            }
            Event::Chat { message } => {
                let other = if message.from.is(self.me()) { message.to.clone() } else { message.from.clone() };
                let (mine, open) = (message.from.is(self.me()), self.is_open(&other));
                self.conversation(&other).arrive(message, mine, open);
                Action::None
            }
            Event::Ticker { ticker } => {
                self.tape.hear(ticker);
                Action::None
            }
            _ => Action::None,
        }
    }

    /// Does what the command line asked for, once it can be done.
    fn grant(&mut self) -> Task<Message> {
        if self.wishes.answer
            && let Phone::Rung { answering: false, .. } = self.phone
        {
            self.wishes.answer = false;
            let step = self.phone.update(phone::Message::AcceptPressed);
            return into_task(self.follow(step));
        }
        if let Some(name) = &self.wishes.call
            && matches!(self.phone, Phone::Idle)
            && self.buddies.presence_of(name).is_some_and(|presence| presence != Presence::Offline)
            && let Some(name) = self.wishes.call.take()
        {
            let select = self.select(name.clone());
            let step = self.phone.ring(name);
            return Task::batch([select, into_task(self.follow(step))]);
        }
        Task::none()
    }

    fn buddy_list(&mut self, message: buddy_list::Message) -> Action {
        match self.buddies.update(message) {
            buddy_list::Action::None => Action::None,
            buddy_list::Action::Select(name) => Action::Run(self.select(name)),
            buddy_list::Action::Add(name) => {
                let asked = name.clone();
                let add = self.line.add_buddy(name);
                Action::Run(add.map(move |result| Message::Buddies(buddy_list::Message::Added(asked.clone(), result))))
            }
            buddy_list::Action::Menu(name) => {
                let select = self.select(name.clone());
                self.conversation(&name).menu().open();
                Action::Run(select)
            }
            buddy_list::Action::Enter(link) => Action::Run(self.line.enter(&link).map(Message::Entered)),
            buddy_list::Action::Remove(name) => Action::Run(self.line.remove_buddy(name).map(Message::Done)),
            buddy_list::Action::Ring(name) => {
                let step = self.phone.ring(name);
                self.follow(step)
            }
        }
    }

    fn select(&mut self, name: Name) -> Task<Message> {
        self.buddies.select(Some(name.clone()));
        let page = self.conversation(&name).open();
        page.map_or_else(Task::none, |page| self.history(page))
    }

    fn converse(&mut self, with: Name, message: conversation::Message) -> Action {
        let (me, now_ms) = (self.me().clone(), self.now_ms);
        let open = self.is_open(&with);
        match self.conversation(&with).update(message, &me, now_ms, open) {
            conversation::Action::None => Action::None,
            conversation::Action::Page(page) => Action::Run(self.history(page)),
            conversation::Action::Send { text, client_id } => {
                let key = client_id.clone();
                let send = self.line.send_chat(with.clone(), text, client_id);
                let sent = move |result| Message::Conversation(with.clone(), conversation::Message::Sent(key.clone(), result));
                Action::Run(send.map(sent))
            }
            conversation::Action::Ring => {
                let step = self.phone.ring(with);
                self.follow(step)
            }
            conversation::Action::Do(deed) => self.about(with, deed),
        }
    }

    fn history(&self, page: proto::api::PageHistory) -> Task<Message> {
        let (with, asked) = (page.with.clone(), page.clone());
        self.line
            .history(page)
            .map(move |result| Message::Conversation(with.clone(), conversation::Message::Paged(asked.clone(), result)))
    }

    fn conversation(&mut self, with: &Name) -> &mut Conversation {
        self.conversations.entry(with.key()).or_insert_with(|| Conversation::new(with.clone()))
    }

    /// Whether the person sees this conversation now.
    fn is_open(&self, with: &Name) -> bool {
        self.seen().is_some_and(|name| name.is(with))
    }

    /// Whose conversation the person sees now.
    fn seen(&self) -> Option<&Name> {
        match &self.phone {
            Phone::Talking(call) => call.chats_with(),
            _ => self.buddies.selected(),
        }
    }

    /// Whom the call's chat is with may have changed.
    fn open_chat(&mut self) -> Task<Message> {
        let Phone::Talking(call) = &self.phone else { return Task::none() };
        let Some(name) = call.chats_with().cloned() else { return Task::none() };
        let page = self.conversation(&name).open();
        page.map_or_else(Task::none, |page| self.history(page))
    }

    fn shortcut(&mut self, shortcut: Shortcut) -> Action {
        match (&self.phone, shortcut) {
            (Phone::Talking(_), Shortcut::Mute) => self.in_call(call::Message::MutePressed),
            (Phone::Talking(_), Shortcut::Camera) => self.in_call(call::Message::CameraPressed),
            (Phone::Talking(_) | Phone::Calling(_), Shortcut::HangUp) => {
                let step = self.phone.hang_up();
                self.follow(step)
            }
            (Phone::Rung { .. }, Shortcut::Confirm) => self.update(Message::Phone(phone::Message::AcceptPressed)),
            (Phone::Rung { .. }, Shortcut::Dismiss) => self.update(Message::Phone(phone::Message::DeclinePressed)),
            (Phone::Calling(_), Shortcut::Dismiss) => self.update(Message::Phone(phone::Message::CancelPressed)),
            (Phone::Over { .. }, Shortcut::Dismiss | Shortcut::Confirm) => {
                self.update(Message::Phone(phone::Message::ClosePressed))
            }
            (_, Shortcut::Dismiss) if self.account.is_some() => {
                self.account = None;
                Action::None
            }
            (_, Shortcut::Dismiss) => {
                self.buddies.dismiss();
                self.own.dismiss();
                if let Some(name) = self.buddies.selected().cloned() {
                    self.conversation(&name).menu().dismiss();
                }
                if let Phone::Talking(call) = &mut self.phone {
                    call.dismiss();
                }
                Action::None
            }
            _ => Action::None,
        }
    }

    fn tick(&mut self, now: Instant, now_ms: u64) -> Action {
        self.now = now;
        if self.zone == Zone::Local {
            self.now_ms = now_ms;
        }
        if let Phone::Talking(call) = &mut self.phone {
            call.tick(now);
        }
        Action::None
    }

    /// Pictures for a call without a relay.
    pub fn pretend_pictures(&mut self, own: &codecs::Frame, others: &codecs::Frame) {
        if let Phone::Talking(call) = &mut self.phone {
            call.pretend(own, others);
        }
    }

    /// Whether this person may be rung and written to.
    fn is_mutual(&self, name: &Name) -> bool {
        self.buddies.relation_of(name) == Some(Relation::Mutual)
    }
}

/// Has the system point at the window, wherever it lies.
fn call_attention() -> Task<Message> {
    window::latest().and_then(|id| window::request_user_attention::<Message>(id, Some(window::UserAttention::Critical)))
}

fn into_task(action: Action) -> Task<Message> {
    match action {
        Action::Run(task) | Action::Tell(_, _, task) => task,
        _ => Task::none(),
    }
}

/// The action, and the task beside it.
fn and(action: Action, task: Task<Message>) -> Action {
    match action {
        Action::None => Action::Run(task),
        Action::Run(first) => Action::Run(Task::batch([first, task])),
        Action::Tell(kind, text, first) => Action::Tell(kind, text, Task::batch([first, task])),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::pretend::Pretend;

    #[test]
    fn a_call_is_timed_from_its_beginning_however_old_the_last_tick_is() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let pretend = Pretend { me: name("Ana"), other: name("Ben") };
        let mut desk = Desk::new(Line::Pretend(pretend.clone()), Setup::default(), Wishes::default());
        desk.now = Instant::now().checked_sub(Duration::from_secs(50)).unwrap();
        drop(desk.join(pretend.joined()));
        drop(desk.update(Message::Tick(Instant::now(), 0)));
        let Phone::Talking(call) = &desk.phone else { panic!("no call") };
        assert_eq!(call.lasted(), "0:00");
    }
}
