//! What the telephone wants done, and what comes of it.

use std::time::Instant;

use iced::{Task, clipboard};
use proto::{
    CallId, Name,
    api::Joined,
    model::{Invitation, InvitationState},
};

use super::{
    Action, Desk, Message, call,
    call::Call,
    into_task,
    phone::{self, Phone, Step},
};
use crate::{engine, ui::widget::toast::Kind};

impl Desk {
    /// Keeps who rings while another one's ring is shown; says so when they gave up.
    pub(super) fn knock(&mut self, me: &Name, invitation: &Invitation) -> Option<String> {
        let before = self.knocking.len();
        self.knocking.retain(|known| known.id != invitation.id);
        if self.knocking.len() < before && matches!(invitation.state, InvitationState::Missed | InvitationState::Canceled) {
            return Some(phone::missed(&invitation.from));
        }
        let shown = matches!(&self.phone, Phone::Rung { invitation: shown, .. } if shown.id == invitation.id);
        if invitation.to.is(me) && invitation.state == InvitationState::Ringing && !shown {
            self.knocking.push(invitation.clone());
        }
        None
    }

    /// Shows the next ring once the phone is free.
    pub(super) fn next_knock(&mut self) -> Task<Message> {
        if let Phone::Rung { invitation: shown, .. } = &self.phone {
            let shown = shown.id.clone();
            self.knocking.retain(|knocking| knocking.id != shown);
        }
        if !matches!(self.phone, Phone::Idle) || self.knocking.is_empty() {
            return Task::none();
        }
        let me = self.me().clone();
        let next = self.knocking.remove(0);
        let step = self.phone.invitation(&me, next);
        into_task(self.follow(step))
    }

    /// Leaves a call, again and again until the relay has heard it.
    pub(super) fn leave(&mut self, call: CallId) -> Action {
        self.leaving.push(call.clone());
        let left = call.clone();
        Action::Run(self.line.leave(call).map(move |result| Message::Left(left.clone(), result)))
    }

    pub(super) fn has_left(&mut self, call: &CallId) -> Action {
        self.leaving.retain(|leaving| leaving != call);
        Action::None
    }

    /// Says whether calls begin with their figures open.
    pub fn set_figures(&mut self, open: bool) {
        self.figures = open;
    }

    pub(super) fn in_call(&mut self, message: call::Message) -> Action {
        let Phone::Talking(call) = &mut self.phone else { return Action::None };
        match call.update(message, self.now) {
            call::Action::None => Action::None,
            call::Action::Turn(task) => Action::Run(Task::batch([task.map(Message::Call), self.fetch_seen()])),
            call::Action::SetMedia(media) => {
                let id = call.id().clone();
                Action::Run(self.line.set_media(id, media).map(Message::Done))
            }
            call::Action::OpenPanel => self.open_panel(),
            call::Action::ListScreens => {
                Action::Run(self.line.screens().map(|sources| Message::Call(call::Message::ShareListed(sources))))
            }
            call::Action::News(text) => Action::Tell(Kind::News, text, Task::none()),
            call::Action::OpenChat => Action::Run(self.fetch_seen()),
            call::Action::ShowFigures(shown) => {
                self.figures = shown;
                Action::ShowFigures(shown)
            }
            call::Action::Invite(name) => {
                let call = call.id().clone();
                Action::Run(self.invite(name, call))
            }
            call::Action::Link => {
                let link = self.line.call_link(call.id().clone());
                Action::Run(link.map(|result| Message::Call(call::Message::Linked(result))))
            }
            call::Action::RevokeLink => Action::Run(self.line.revoke_link(call.id().clone()).map(Message::Done)),
            call::Action::Copy(link) => {
                let told = "The link is copied: whoever has it and an account here can join.".to_owned();
                Action::Tell(Kind::News, told, clipboard::write(link))
            }
            call::Action::Mute(peer) => Action::Run(self.line.mute(call.id().clone(), peer).map(Message::Done)),
            call::Action::Remove(peer) => Action::Run(self.line.remove(call.id().clone(), peer).map(Message::Done)),
            call::Action::Lock(locked) => Action::Run(self.line.lock(call.id().clone(), locked).map(Message::Done)),
            call::Action::Tell(text) => Action::Tell(Kind::Trouble, text, Task::none()),
            call::Action::HangUp => {
                let step = self.phone.hang_up();
                self.follow(step)
            }
        }
    }

    /// Rings someone into a call.
    pub(super) fn invite(&self, name: Name, call: CallId) -> Task<Message> {
        let asked = name.clone();
        self.line.ring(name, Some(call)).map(move |result| Message::Invited(asked.clone(), result))
    }

    /// Does what the phone wants done.
    pub(super) fn follow(&mut self, step: Step) -> Action {
        match step {
            Step::None => Action::None,
            Step::Tell(kind, text) => Action::Tell(kind, text, Task::none()),
            Step::Ring(to) => {
                let whom = to.clone();
                let ring = self.line.ring(to, None);
                Action::Run(ring.map(move |result| Message::Phone(phone::Message::Placed(whom.clone(), result))))
            }
            Step::Accept(id) => {
                let accept = self.line.accept(id.clone());
                Action::Run(accept.map(move |result| Message::Phone(phone::Message::Accepted(id.clone(), result))))
            }
            Step::Decline(id) => Action::Run(self.line.decline(id).map(Message::Done)),
            Step::Abandon(call, why) => {
                let leave = into_task(self.leave(call));
                match why {
                    Some(why) => Action::Tell(Kind::Trouble, why, leave),
                    None => Action::Run(leave),
                }
            }
            Step::Join(joined) => Action::Run(self.join(joined)),
            Step::Changed => {
                let Phone::Talking(call) = &mut self.phone else { return Action::None };
                let (redraws, notice) = (call.people_changed().map(Message::Call), call.take_notice());
                // It went unheard, on a way that was broken.
                let share = call.shares_unknown().then(|| self.line.set_media(call.id().clone(), call.media()));
                let share = share.map_or_else(Task::none, |share| share.map(Message::Done));
                let task = Task::batch([redraws, share, self.fetch_seen()]);
                match notice {
                    Some(notice) => Action::Tell(Kind::News, notice, task),
                    None => Action::Run(task),
                }
            }
            Step::Leave(id, talk) => {
                // Dropping it ends capture and lanes.
                drop(talk);
                self.leave(id)
            }
        }
    }

    pub(super) fn join(&mut self, joined: Joined) -> Task<Message> {
        // The last tick may be a minute old, and the call begins now.
        self.now = Instant::now();
        let setup = self.equipment.applied(&self.setup);
        let engine = self.line.session().map(|session| {
            let (sender, updates) = futures::channel::mpsc::unbounded();
            (engine::Engine::start(session, &joined, setup.clone(), sender), updates)
        });
        let (mut call, task) = Call::new(joined, self.line.me(), &setup, engine, self.now);
        call.begin_with(&self.equipment);
        call.set_figures(self.figures);
        if self.line.is_in_the_clear() {
            call.warn_in_the_clear();
        }
        let media = self.line.set_media(call.id().clone(), call.media());
        self.phone = Phone::Talking(Box::new(call));
        Task::batch([task.map(Message::Call), media.map(Message::Done), self.fetch_seen()])
    }
}
