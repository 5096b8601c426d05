//! What comes of the person's own place, of missed calls, and of what they want of a buddy.

use iced::{Task, clipboard};
use proto::{Chat, Name, api::Joined};

use super::{
    Action, Desk, Message, Phone,
    account::{self, Account},
    and, buddy_list,
    conversation::{self, menu},
    missed, own,
};
use crate::ui::{
    notice::Notice,
    screen::checkup::{self, Checkup},
};

impl Desk {
    pub(super) fn own(&mut self, message: own::Message) -> Action {
        match self.own.update(message) {
            own::Action::None => Action::None,
            own::Action::Set(presence) => {
                Action::Run(self.line.set_presence(presence).map(|result| Message::Own(own::Message::Saved(result))))
            }
            own::Action::Unblock(name) => Action::Run(self.line.unblock(name).map(Message::Done)),
            own::Action::OpenPanel => self.open_panel(),
            own::Action::OpenAccount => {
                self.account = Some(Account::default());
                Action::Run(self.list_sessions())
            }
            own::Action::OpenCheckup => self.begin_checkup(),
        }
    }

    pub(super) fn begin_checkup(&mut self) -> Action {
        let (checkup, task) = Checkup::begin(self.line.examine());
        self.checkup = Some(checkup);
        Action::Run(task.map(Message::Checkup))
    }

    pub(super) fn in_checkup(&mut self, message: checkup::Message) -> Action {
        let Some(checkup) = &mut self.checkup else { return Action::None };
        match checkup.update(message) {
            checkup::Action::None => Action::None,
            checkup::Action::Again => self.begin_checkup(),
            checkup::Action::Copy(report) => Action::Run(clipboard::write(report)),
            checkup::Action::Close => {
                self.checkup = None;
                Action::None
            }
        }
    }

    pub(super) fn in_account(&mut self, message: account::Message) -> Action {
        let Some(account) = &mut self.account else { return Action::None };
        match account.update(message) {
            account::Action::None => Action::None,
            account::Action::List => Action::Run(self.list_sessions()),
            account::Action::End(id) => {
                let ended = id.clone();
                let end = self.line.end_session(id);
                Action::Run(end.map(move |result| Message::Account(account::Message::Ended(ended.clone(), result))))
            }
            account::Action::Change { old, new } => {
                let change = self.line.change_password(old, new);
                Action::Run(change.map(|result| Message::Account(account::Message::Changed(result))))
            }
            account::Action::Close => {
                self.account = None;
                Action::None
            }
        }
    }

    fn list_sessions(&self) -> Task<Message> {
        self.line.sessions().map(|result| Message::Account(account::Message::Listed(result)))
    }

    pub(super) fn in_missed(&mut self, message: missed::Message) -> Action {
        match self.missed.update(message) {
            missed::Action::Ring(name) => {
                let step = self.phone.ring(name.clone(), Vec::new());
                let ring = self.follow(step);
                let seen = self.missed.of(&name).map_or_else(Task::none, |up_to_ms| self.see_missed(Some(name), up_to_ms));
                and(ring, seen)
            }
            missed::Action::Seen(from, up_to_ms) => Action::Run(self.see_missed(from, up_to_ms)),
        }
    }

    fn see_missed(&self, from: Option<Name>, up_to_ms: u64) -> Task<Message> {
        self.line.see_missed(from, up_to_ms).map(Message::Done)
    }

    /// Does what the menu of a buddy is for.
    pub(super) fn about(&mut self, with: Name, deed: menu::Deed) -> Action {
        match deed {
            menu::Deed::Block => Action::Run(self.line.block(with).map(Message::Done)),
            menu::Deed::Unblock => Action::Run(self.line.unblock(with).map(Message::Done)),
            menu::Deed::Remove => {
                self.buddies.select(None);
                Action::Run(self.line.remove_buddy(with).map(Message::Done))
            }
            menu::Deed::Report(text) => {
                let report = self.line.report(with.clone(), text);
                let told = move |result| {
                    let message = conversation::Message::Menu(menu::Message::Reported(result));
                    Message::Conversation(Chat::With(with.clone()), message)
                };
                Action::Run(report.map(told))
            }
        }
    }

    /// The relay has let this client into the call whose link was given, or not.
    pub(super) fn entered(&mut self, result: Result<Joined, Notice>) -> Action {
        let told = result.as_ref().map(|_| ()).map_err(Clone::clone);
        // The list has nothing to be done about what it is told here.
        let _ = self.buddies.update(buddy_list::Message::Entered(told));
        match (result, &self.phone) {
            (Ok(joined), Phone::Idle | Phone::Over { .. }) => Action::Run(self.join(joined)),
            (Ok(joined), Phone::Talking(call)) if *call.id() == joined.call.id => Action::None,
            // Something else has come up meanwhile.
            (Ok(joined), _) => self.leave(joined.call.id),
            (Err(_), _) => Action::None,
        }
    }
}
