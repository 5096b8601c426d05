//! The screen of someone who has signed in: buddies, conversations, calls, and the ticker along the foot.

pub mod account;
pub mod buddy_list;
pub mod call;
mod calls;
pub mod conversation;
pub mod dialog;
mod equip;
pub mod equipment;
pub mod groups;
pub mod missed;
pub mod own;
mod people;
pub mod phone;
mod talks;
pub mod tape;
mod view;
mod voices;

use std::{
    collections::HashMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use iced::{Subscription, Task, window};
use media::voice::Player;
use proto::{
    AttachmentId, CallId, Chat, ErrorCode, Event, Name,
    api::{Joined, Rung, State},
    chat::Group,
    model::{Invitation, Presence, Relation},
};
use relay_client::Update;

use self::{
    account::Account, buddy_list::BuddyList, call::Call, conversation::Conversation, equipment::Panel, groups::Groups,
    missed::Missed, own::Own, phone::Phone, tape::Tape,
};
use super::checkup::{self, Checkup};
use crate::{
    engine::Setup,
    ui::{
        keys::Shortcut,
        line::Line,
        notice::Notice,
        settings::Equipment,
        sound::{Ringer, Sound},
        when::{self, Zone},
        widget::toast::Kind,
    },
};

/// How often it is looked for devices that come and go, while the person looks.
const DEVICES_EVERY: Duration = Duration::from_secs(2);

/// Everything of someone who has signed in.
pub struct Desk {
    line: Line,
    link: Link,
    /// As the command line says.
    setup: Setup,
    /// As the person says, of what the command line leaves open.
    equipment: Equipment,
    own: Own,
    /// Open over everything else, each of them.
    account: Option<Account>,
    panel: Option<Panel>,
    checkup: Option<Checkup>,
    missed: Missed,
    buddies: BuddyList,
    groups: Groups,
    /// By the chat's key.
    conversations: HashMap<String, Conversation>,
    phone: Phone,
    /// Whether calls begin with their figures open.
    figures: bool,
    tape: Tape,
    /// The voice message that is heard.
    playing: Option<(AttachmentId, Player)>,
    ringer: Ringer,
    wishes: Wishes,
    /// Who rings besides the one whose ring is shown.
    knocking: Vec<Invitation>,
    /// Calls that were left while the relay could not be told.
    leaving: Vec<CallId>,
    /// Largest file the relay takes, in bytes.
    attachment_max: u64,
    /// Whether the window has the keyboard, and so most likely the person's eyes.
    focused: bool,
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
    Equipment(equipment::Message),
    /// It is to be looked again what devices there are.
    LookForDevices,
    Checkup(checkup::Message),
    Missed(missed::Message),
    /// The person does something here after a long while.
    PersonIsBack,
    /// The relay has answered whether this client may come into the call whose link was given.
    Entered(Result<Joined, Notice>),
    Buddies(buddy_list::Message),
    Conversation(Chat, conversation::Message),
    Groups(groups::Message),
    /// Someone was brought into a group, or not.
    GroupChanged(Result<Group, Notice>),
    /// The window got the keyboard, or lost it.
    Focused(bool),
    FileDropped(PathBuf),
    Phone(phone::Message),
    Call(call::Message),
    Tape(tape::Message),
    Shortcut(Shortcut),
    Tick(Instant, u64),
    AppearanceChosen,
    SignOutPressed,
    /// The relay has answered whether someone can be asked into the call.
    Invited(Name, Result<Rung, Notice>),
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
    /// This is to be used in later runs, too.
    Remember(Box<Equipment>),
    /// Calls are to begin with their figures open, or without.
    ShowFigures(bool),
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
            panel: None,
            equipment: Equipment::default(),
            checkup: None,
            missed: Missed::default(),
            buddies: BuddyList::default(),
            groups: Groups::default(),
            attachment_max: 0,
            focused: true,
            conversations: HashMap::new(),
            phone: Phone::Idle,
            figures: false,
            tape: Tape::default(),
            playing: None,
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
            Message::Equipment(message) => self.in_panel(message),
            Message::LookForDevices => Action::Run(self.list_devices()),
            Message::Checkup(message) => self.in_checkup(message),
            Message::Missed(message) => self.in_missed(message),
            Message::PersonIsBack => {
                if let Some(session) = self.line.session() {
                    session.person_is_back();
                }
                Action::None
            }
            Message::Entered(result) => self.entered(result),
            Message::Buddies(message) => self.buddy_list(message),
            Message::Conversation(chat, message) => self.converse(chat, message),
            Message::Groups(message) => self.group_list(message),
            Message::GroupChanged(Ok(group)) => {
                self.group_changed(group);
                Action::None
            }
            Message::GroupChanged(Err(notice)) => Action::Tell(Kind::Trouble, notice.text, Task::none()),
            Message::Focused(focused) => {
                self.focused = focused;
                // The key is let go where nobody sees it.
                if focused { Action::None } else { self.hold(false) }
            }
            Message::FileDropped(path) => self.drop_file(path),
            Message::Phone(message) => {
                let call = match &message {
                    phone::Message::Placed(_, Ok(rung)) => Some(rung.joined.call.id.clone()),
                    _ => None,
                };
                let others = self.phone.others().to_vec();
                let step = self.phone.update(message);
                let action = self.follow(step);
                match call {
                    // Who was first may have answered already.
                    Some(call) if self.phone.is_in(&call) => {
                        let invite = |name| self.invite(name, call.clone());
                        and(action, Task::batch(others.into_iter().map(invite).collect::<Vec<_>>()))
                    }
                    _ => action,
                }
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
            Message::Left(call, Ok(())) => self.has_left(&call),
            Message::Left(call, Err(notice)) => match notice.code {
                // It is over, or this client was not in it: as wanted.
                Some(ErrorCode::NotFound | ErrorCode::Forbidden) => self.has_left(&call),
                _ => Action::None,
            },
            Message::Done(Ok(())) => Action::None,
            Message::Done(Err(notice)) => Action::Tell(Kind::Trouble, notice.text, Task::none()),
        };
        let action = if self.knocking.is_empty() { action } else { and(action, self.next_knock()) };
        // With the others it would have nowhere to go.
        let action = match action {
            Action::None | Action::Run(_) | Action::Tell(..) => {
                let look = self.look();
                and(action, look)
            }
            other => other,
        };
        self.ringer.play(match &self.phone {
            Phone::Rung { answering: false, .. } => Some(Sound::Ring),
            Phone::Calling(calling) if calling.placed() => Some(Sound::Ringback),
            _ => None,
        });
        action
    }

    pub fn subscription(&self) -> Subscription<Message> {
        let tick = match &self.phone {
            // Its time goes on in seconds, and begins at any moment.
            _ if self.is_anything_heard() => Duration::from_millis(200),
            Phone::Talking(_) => Duration::from_secs(1),
            _ if self.link != Link::Live => Duration::from_secs(1),
            _ if self.conversations.values().any(Conversation::is_anyone_typing) => Duration::from_secs(1),
            // Only the names of days hang on it.
            _ => Duration::from_secs(60),
        };
        let look = self.panel.is_some() && self.line.session().is_some();
        let look = if look { iced::time::every(DEVICES_EVERY).map(|_| Message::LookForDevices) } else { Subscription::none() };
        Subscription::batch([
            look,
            self.line.events().map(Message::Relay),
            self.tape.subscription().map(Message::Tape),
            iced::time::every(tick).map(|now| Message::Tick(now, when::now_ms())),
            iced::event::listen_with(|event, _, _| match event {
                iced::Event::Window(window::Event::Focused) => Some(Message::Focused(true)),
                iced::Event::Window(window::Event::Unfocused) => Some(Message::Focused(false)),
                iced::Event::Window(window::Event::FileDropped(path)) => Some(Message::FileDropped(path)),
                _ => None,
            }),
        ])
    }

    fn hear(&mut self, update: Update) -> Action {
        match update {
            Update::State(state) => self.know(state),
            Update::Event(event) => self.happen(event),
            Update::Connected => {
                self.link = Link::Live;
                Action::Run(self.fetch_seen())
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
    pub fn know(&mut self, mut state: State) -> Action {
        self.link = Link::Live;
        let missed_talks = self.know_talks(&mut state);
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
        let wishes = self.grant();
        and(and(phone, missed_talks), wishes)
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
                self.message_came(message);
                Action::None
            }
            Event::Group { group } => {
                self.group_changed(group);
                Action::None
            }
            Event::GroupLeft { group } => {
                self.group_left(&group);
                Action::None
            }
            Event::Marks { chat, marks, unread } => {
                let me = self.me().clone();
                self.conversation(&chat).mark(marks, unread, &me);
                Action::None
            }
            Event::Typing { chat, name, expires_in_ms } => {
                self.types(&chat, name, Duration::from_millis(expires_in_ms));
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
            let select = self.select(Chat::With(name.clone()));
            let step = self.phone.ring(name, Vec::new());
            return Task::batch([select, into_task(self.follow(step))]);
        }
        Task::none()
    }

    fn buddy_list(&mut self, message: buddy_list::Message) -> Action {
        match self.buddies.update(message) {
            buddy_list::Action::None => Action::None,
            buddy_list::Action::Select(name) => Action::Run(self.select(Chat::With(name))),
            buddy_list::Action::Add(name) => {
                let asked = name.clone();
                let add = self.line.add_buddy(name);
                Action::Run(add.map(move |result| Message::Buddies(buddy_list::Message::Added(asked.clone(), result))))
            }
            buddy_list::Action::Menu(name) => {
                let select = self.select(Chat::With(name.clone()));
                self.conversation(&Chat::With(name)).menu().open();
                Action::Run(select)
            }
            buddy_list::Action::Enter(link) => Action::Run(self.line.enter(&link).map(Message::Entered)),
            buddy_list::Action::Remove(name) => Action::Run(self.line.remove_buddy(name).map(Message::Done)),
            buddy_list::Action::Ring(name) => {
                let step = self.phone.ring(name, Vec::new());
                self.follow(step)
            }
        }
    }

    fn shortcut(&mut self, shortcut: Shortcut) -> Action {
        match (&self.phone, shortcut) {
            (Phone::Talking(_), Shortcut::Mute) => self.in_call(call::Message::MutePressed),
            (Phone::Talking(_), Shortcut::Camera) => self.in_call(call::Message::CameraPressed),
            (Phone::Talking(_), Shortcut::Share) => self.in_call(call::Message::SharePressed),
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
            (_, Shortcut::Talk) => self.hold(true),
            (_, Shortcut::Hush) => self.hold(false),
            (_, Shortcut::Dismiss) => {
                self.dismiss();
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
        for talk in self.conversations.values_mut() {
            talk.tick(now);
        }
        if let Phone::Talking(call) = &mut self.phone {
            call.tick(now);
        }
        self.watch_player()
    }

    /// Pictures for a call without a relay.
    pub fn pretend_pictures(&mut self, own: &codecs::Frame, others: &codecs::Frame, screens: &codecs::Frame) {
        if let Phone::Talking(call) = &mut self.phone {
            call.pretend(own, others);
            call.pretend_screen(screens);
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
