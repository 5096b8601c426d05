//! Rings and calls: what the switchboard decides becomes events, rooms and rows.

use std::{
    sync::{Arc, PoisonError},
    time::Instant,
};

use proto::{
    CallId, Event, InvitationId,
    api::{Joined, Rung, SetMedia},
    model::{Call as ShownCall, Invitation as ShownInvitation, InvitationState, Peer},
};

use super::{
    Control, Hub,
    invitation::Invitation,
    session::Session,
    switchboard::{Call, Effect, Fresh, Member, Refused, Who, Wish},
};
use crate::{
    media::room::Room,
    store::{AccountId, CallRow, CallWrite, MemberRow, SessionId},
};

/// Why a ring was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RingRefused {
    /// They are no mutual buddies.
    NotBuddies,
    /// The one who rings has blocked the other.
    Blocked,
    /// Nobody is there to hear it.
    Offline,
    /// They want no ring.
    DoNotDisturb,
    /// The switchboard says no.
    Refused(Refused),
}

impl Hub {
    /// Puts a call of an earlier run back, with those of its members whose sessions still exist.
    pub(crate) fn restore_call(&self, row: CallRow, now: Instant) {
        let mut control = self.lock();
        let (removed, links) = (row.removed.into_iter().collect(), row.links.into_iter().collect());
        let mut call = Call { next_peer: row.next_peer, locked: row.locked, removed, links, ..Call::default() };
        for member in row.members {
            let Some(client) = control.clients.get(member.session) else { continue };
            // It gets as long to come back as a client that vanishes.
            client.session.polls(now);
            let who = client.session.who();
            let MemberRow { audio, video, screen, muted, .. } = member;
            call.members.insert(member.peer, Member { who, audio, video, screen, muted });
        }
        if call.members.len() < 2 {
            self.journal.write(CallWrite::Ended(row.id));
            return;
        }
        let room = Room::new();
        for (peer, member) in &call.members {
            room.join(member.who.session, *peer);
            room.set_muted(*peer, member.muted);
        }
        self.rooms.write().unwrap_or_else(PoisonError::into_inner).insert(row.id.clone(), Arc::new(room));
        let accounts = call.members.values().map(|member| member.who.account).collect::<Vec<_>>();
        control.board.restore(row.id, call);
        for account in accounts {
            self.refresh_presence(&mut control, account, now);
        }
    }

    /// Rings a person.
    pub(crate) fn ring(&self, session: &Session, wish: Wish<'_>, fresh: Fresh, now: Instant) -> Result<Rung, RingRefused> {
        let mut control = self.lock();
        control.check_signed_in(session).map_err(RingRefused::Refused)?;
        if control.board.rung_before(session.who(), wish).map_err(RingRefused::Refused)?.is_none() {
            self.check_reachable(&mut control, session.account, wish.to, now)?;
        }
        let (id, effects) = control.board.ring(session.who(), wish, fresh, now).map_err(RingRefused::Refused)?;
        self.apply(&mut control, effects, now);
        let shown = control.board.invitation(&id).and_then(|invitation| control.shown(invitation, now));
        match (shown, control.joined(session.id)) {
            (Some(invitation), Some(joined)) => Ok(Rung { invitation, joined }),
            _ => Err(RingRefused::Refused(Refused::NoSuchCall)),
        }
    }

    /// Takes a ringing invitation.
    pub(crate) fn accept(&self, session: &Session, id: &InvitationId, now: Instant) -> Result<Joined, Refused> {
        let mut control = self.lock();
        control.check_signed_in(session)?;
        let effects = control.board.accept(session.who(), id, now)?;
        self.apply(&mut control, effects, now);
        control.joined(session.id).ok_or(Refused::NoSuchCall)
    }

    /// Refuses a ringing invitation.
    pub(crate) fn decline(&self, session: &Session, id: &InvitationId, now: Instant) -> Result<(), Refused> {
        let mut control = self.lock();
        let effects = control.board.decline(session.account, id, now)?;
        self.apply(&mut control, effects, now);
        Ok(())
    }

    /// Takes a ring back.
    pub(crate) fn cancel(&self, session: &Session, id: &InvitationId, now: Instant) -> Result<(), Refused> {
        let mut control = self.lock();
        let effects = control.board.cancel(session.account, id, now)?;
        self.apply(&mut control, effects, now);
        Ok(())
    }

    /// Hangs up.
    pub(crate) fn leave(&self, session: &Session, call: &CallId, now: Instant) -> Result<(), Refused> {
        let mut control = self.lock();
        let effects = control.board.leave(session.id, call, now)?;
        self.apply(&mut control, effects, now);
        Ok(())
    }

    /// Notes what a peer sends.
    pub(crate) fn set_media(&self, session: &Session, call: &CallId, media: SetMedia, now: Instant) -> Result<(), Refused> {
        let mut control = self.lock();
        let effects = control.board.set_media(session.id, call, media)?;
        self.apply(&mut control, effects, now);
        Ok(())
    }

    /// A call as its members see it; `None` for everyone else.
    pub(crate) fn call(&self, session: &Session, id: &CallId) -> Option<ShownCall> {
        let control = self.lock();
        control.board.call_of(session.id).filter(|(current, _)| *current == id)?;
        control.shown_call(id)
    }

    /// Carries out what follows from a change.
    pub(super) fn apply(&self, control: &mut Control, effects: Vec<Effect>, now: Instant) {
        for effect in effects {
            match effect {
                Effect::Opened(call) => {
                    self.rooms.write().unwrap_or_else(PoisonError::into_inner).insert(call.clone(), Arc::new(Room::new()));
                    self.journal.write(CallWrite::Opened(call));
                }
                Effect::Joined(call, peer, member) => {
                    if let Some(room) = self.room(&call) {
                        room.join(member.who.session, peer);
                        room.set_muted(peer, member.muted);
                    }
                    if let Some(client) = control.clients.get(member.who.session) {
                        // Whoever does this is there, though its first poll is still on the way.
                        client.session.polls(now);
                    }
                    let Member { who, audio, video, screen, muted } = member;
                    let row = MemberRow { peer, session: who.session, audio, video, screen, muted };
                    self.journal.write(CallWrite::Joined(call, row));
                    self.refresh_presence(control, who.account, now);
                }
                Effect::Locked(call, locked) => self.journal.write(CallWrite::Locked(call, locked)),
                Effect::Barred(call, account, out) => self.journal.write(CallWrite::Barred(call, account, out)),
                Effect::Linked(call, peer, link) => self.journal.write(CallWrite::Linked(call, peer, link)),
                Effect::Unlinked(call, peer) => self.journal.write(CallWrite::Unlinked(call, peer)),
                Effect::Left(call, peer, Who { account, .. }) => {
                    if let Some(room) = self.room(&call) {
                        room.leave(peer);
                    }
                    self.journal.write(CallWrite::Left(call, peer));
                    self.refresh_presence(control, account, now);
                }
                Effect::Changed(id) => {
                    if let Some(call) = control.shown_call(&id) {
                        let members = control.members(&id);
                        control.tell_sessions(&members, &Event::Call { call });
                    }
                }
                Effect::Ended(call, told, reason) => {
                    if control.board.call(&call).is_none() {
                        self.rooms.write().unwrap_or_else(PoisonError::into_inner).remove(&call);
                        self.journal.write(CallWrite::Ended(call.clone()));
                    }
                    control.tell_sessions(&told, &Event::CallEnded { call, reason });
                }
                Effect::Invitation(id) => {
                    let Some(invitation) = control.board.invitation(&id) else { continue };
                    let (from, to, state) = (invitation.from.account, invitation.to, invitation.state());
                    let heard = control.hears(to, invitation);
                    if let Some(invitation) = control.shown(invitation, now) {
                        let people = if heard { vec![from, to] } else { vec![from] };
                        control.tell(&people, &Event::Invitation { invitation });
                    }
                    if matches!(state, InvitationState::Missed | InvitationState::Canceled) {
                        self.miss(control, from, to, now);
                    }
                }
            }
        }
    }
}

impl Control {
    /// A request may have been under way while its session was signed off: that one enters no call any more, for nobody would take
    /// it out again.
    pub(super) fn check_signed_in(&self, session: &Session) -> Result<(), Refused> {
        self.clients.get(session.id).map(|_| ()).ok_or(Refused::SignedOff)
    }

    /// Whether a person is to hear of an invitation: not of one from somebody they have blocked since.
    pub(super) fn hears(&self, account: AccountId, invitation: &Invitation) -> bool {
        invitation.to != account || !self.people.blocks(account, invitation.from.account)
    }

    pub(super) fn shown(&self, invitation: &Invitation, now: Instant) -> Option<ShownInvitation> {
        let (from, to) = (self.people.name(invitation.from.account)?, self.people.name(invitation.to)?);
        Some(invitation.shown(from, to, now))
    }

    pub(super) fn joined(&self, session: SessionId) -> Option<Joined> {
        let (id, me) = self.board.call_of(session)?;
        Some(Joined { call: self.shown_call(id)?, me })
    }

    fn shown_call(&self, id: &CallId) -> Option<ShownCall> {
        let call = self.board.call(id)?;
        let peers = call.members.iter().filter_map(|(peer, member)| {
            let name = self.people.name(member.who.account)?;
            let Member { audio, video, screen, muted, .. } = *member;
            Some(Peer { peer: *peer, name, audio, video, screen, muted })
        });
        let owner = call.owner().map(|(peer, _)| peer);
        Some(ShownCall { id: id.clone(), peers: peers.collect(), owner, locked: call.locked })
    }

    fn members(&self, id: &CallId) -> Vec<SessionId> {
        let members = self.board.call(id).into_iter().flat_map(|call| call.members.values());
        members.map(|member| member.who.session).collect()
    }
}
