//! Who is in which call, who rings whom. Pure: it changes its own books and says what follows from it.

mod host;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::{Duration, Instant},
};

use proto::{
    CallId, InvitationId, PeerId,
    api::SetMedia,
    limits::PEERS_MAX,
    model::{EndReason, InvitationState},
};

use super::invitation::{Invitation, Over, Step};
use crate::{
    store::{AccountId, SessionId},
    token::TokenHash,
};

/// How long an invitation that is over is still known, so that a late answer learns what became of it.
const REMEMBERED: Duration = Duration::from_secs(60);

/// A session and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Who {
    pub(crate) session: SessionId,
    pub(crate) account: AccountId,
}

/// A peer of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) who: Who,
    pub(crate) audio: bool,
    pub(crate) video: bool,
    pub(crate) screen: bool,
    /// By the owner of the call: what it sends of sound goes nowhere until it says that sound is on.
    pub(crate) muted: bool,
}

/// A call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    pub(crate) next_peer: u16,
    pub(crate) members: BTreeMap<PeerId, Member>,
    /// Nobody comes in but whom the owner rings.
    pub(crate) locked: bool,
    /// Who was removed, and stays out unless the owner rings them.
    pub(crate) removed: BTreeSet<AccountId>,
    /// What lets others in, by who gave it out.
    pub(crate) links: BTreeMap<PeerId, TokenHash>,
}

impl Call {
    fn peer_of(&self, session: SessionId) -> Option<PeerId> {
        self.members.iter().find(|(_, member)| member.who.session == session).map(|(peer, _)| *peer)
    }

    /// The one who opened it; when they leave the one who came next, and so on: always the one with the lowest number.
    pub(crate) fn owner(&self) -> Option<(PeerId, SessionId)> {
        self.members.first_key_value().map(|(peer, member)| (*peer, member.who.session))
    }

    /// Whether a person may come in because that session rang them.
    fn admits(&self, account: AccountId, rung_by: SessionId) -> Result<(), Refused> {
        if self.owner().is_some_and(|(_, owner)| owner == rung_by) {
            return Ok(());
        }
        self.lets_in(account)
    }

    /// Whether a person may come in whom the owner hasn't rung.
    fn lets_in(&self, account: AccountId) -> Result<(), Refused> {
        match (self.removed.contains(&account), self.locked) {
            (true, _) => Err(Refused::Removed),
            (_, true) => Err(Refused::Locked),
            _ => Ok(()),
        }
    }
}

/// What follows from a change, in the order it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// There is a new call.
    Opened(CallId),
    /// Someone is in a call now, or says anew what they send.
    Joined(CallId, PeerId, Member),
    /// The members of a call are to be told how it is now.
    Changed(CallId),
    /// A call is locked, or open again.
    Locked(CallId, bool),
    /// Someone stays out of a call, or may come in again.
    Barred(CallId, AccountId, bool),
    /// A peer's link into a call counts; an earlier one of theirs doesn't any more.
    Linked(CallId, PeerId, TokenHash),
    /// A peer's link counts no longer.
    Unlinked(CallId, PeerId),
    /// Someone is in a call no longer.
    Left(CallId, PeerId, Who),
    /// A call is over; these sessions are to be told why.
    Ended(CallId, Vec<SessionId>, EndReason),
    /// The people of an invitation are to be told how it is now.
    Invitation(InvitationId),
}

/// Whom to ring, and into what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    pub(crate) to: AccountId,
    /// Into which call of the one who rings; into a new one if not given.
    pub(crate) call: Option<&'a CallId>,
    /// The client's own id of the request: one id makes one ring, however often it is asked for.
    pub(crate) client_id: Option<&'a str>,
}

/// Why nothing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The call doesn't exist, or this session is not in it.
    NoSuchCall,
    /// There is no such invitation for this person.
    NoSuchInvitation,
    /// This session is in a call already.
    InACall,
    /// The person rung is in another call.
    Busy,
    /// The person rung is in this call already.
    InThisCall,
    /// No more peers go in.
    Full,
    /// The invitation is over.
    Over(InvitationState),
    /// The client's id of the request was used for another person.
    OtherRing,
    /// The session was signed off meanwhile.
    SignedOff,
    /// The call is locked.
    Locked,
    /// The owner of the call has removed this person.
    Removed,
    /// The link is none, or none any more.
    NoSuchLink,
    /// The person is in the call on another device.
    OnOtherDevice,
    /// It is for the owner of the call to do.
    NotOwner,
    /// There is no such peer in the call.
    NoSuchPeer,
    /// It is the owner themselves.
    Oneself,
}

/// Fresh identifiers, used only when needed.
#[derive(Clone, Debug)]
pub(crate) struct Fresh {
    pub(crate) call: CallId,
    pub(crate) invitation: InvitationId,
}

/// All calls and invitations.
#[derive(Debug)]
pub(crate) struct Switchboard {
    peers_max: usize,
    calls: HashMap<CallId, Call>,
    in_call: HashMap<SessionId, CallId>,
    invitations: HashMap<InvitationId, Invitation>,
}

impl Default for Switchboard {
    fn default() -> Self {
        Self { peers_max: PEERS_MAX, calls: HashMap::new(), in_call: HashMap::new(), invitations: HashMap::new() }
    }
}

impl Switchboard {
    /// From now on a call takes so many peers; those that have more keep them.
    pub(crate) fn set_peers_max(&mut self, peers_max: usize) {
        self.peers_max = peers_max;
    }

    /// Puts a call of an earlier run back.
    pub(crate) fn restore(&mut self, id: CallId, call: Call) {
        for member in call.members.values() {
            self.in_call.insert(member.who.session, id.clone());
        }
        self.calls.insert(id, call);
    }

    pub(crate) fn call(&self, id: &CallId) -> Option<&Call> {
        self.calls.get(id)
    }

    pub(crate) fn invitation(&self, id: &InvitationId) -> Option<&Invitation> {
        self.invitations.get(id)
    }

    /// The call a session is in, and as which peer.
    pub(crate) fn call_of(&self, session: SessionId) -> Option<(&CallId, PeerId)> {
        let id = self.in_call.get(&session)?;
        Some((id, self.calls.get(id)?.peer_of(session)?))
    }

    /// Invitations from or to a person that ring.
    pub(crate) fn ringing(&self, account: AccountId) -> impl Iterator<Item = &Invitation> {
        self.invitations
            .values()
            .filter(move |invitation| invitation.rings() && (invitation.to == account || invitation.from.account == account))
    }

    pub(crate) fn calls(&self) -> impl Iterator<Item = (&CallId, &Call)> {
        self.calls.iter()
    }

    /// What an earlier request like this one led to: its answer was lost on the way, and it is asked again. To be looked for
    /// before anything else is checked, since by now all of that may have changed.
    pub(crate) fn rung_before(&self, from: Who, wish: Wish<'_>) -> Result<Option<InvitationId>, Refused> {
        let current = self.call_of(from.session).map(|(id, _)| id);
        let mut known = self.invitations.values();
        let known = wish.client_id.and_then(|id| known.find(|invitation| invitation.was_asked_by(from.session, id)));
        if let Some(known) = known {
            // Its own ring or another member's; or theirs, which this one accepted.
            let other = if known.to == from.account { known.from.account } else { known.to };
            return match known.state() {
                _ if other != wish.to => Err(Refused::OtherRing),
                InvitationState::Ringing | InvitationState::Accepted if current == Some(&known.call) => {
                    Ok(Some(known.id.clone()))
                }
                state => Err(Refused::Over(state)),
            };
        }
        let same = |invitation: &&Invitation| invitation.from == from && Some(&invitation.call) == current;
        let fits = wish.call.is_none() || wish.call == current;
        Ok(self.ringing_to(wish.to).find(same).filter(|_| fits).map(|invitation| invitation.id.clone()))
    }

    /// Rings someone into a call, or into a new call. Where they ring this person already, it accepts instead.
    pub(crate) fn ring(
        &mut self,
        from: Who,
        wish: Wish<'_>,
        fresh: Fresh,
        now: Instant,
    ) -> Result<(InvitationId, Vec<Effect>), Refused> {
        let Wish { to, call, client_id } = wish;
        if let Some(id) = self.rung_before(from, wish)? {
            self.note_asked(&id, from, client_id);
            return Ok((id, Vec::new()));
        }
        let current = self.call_of(from.session).map(|(id, _)| id.clone());
        if call.is_some() && call != current.as_ref() {
            return Err(Refused::NoSuchCall);
        }
        if current.is_none() {
            let theirs = self.ringing_to(from.account).find(|it| it.from.account == to && !it.is_late(now));
            if let Some(id) = theirs.map(|invitation| invitation.id.clone()) {
                let effects = self.accept(from, &id, now)?;
                self.note_asked(&id, from, client_id);
                return Ok((id, effects));
            }
        }
        if call.is_none() && current.is_some() {
            return Err(Refused::InACall);
        }
        // Rung into this call already, by whomever: twice would put them into it twice. One that lets nobody in any more gives way.
        let rings = self.ringing_to(to).find(|it| Some(&it.call) == current.as_ref());
        let rings =
            rings.map(|it| (it.id.clone(), self.calls.get(&it.call).is_none_or(|call| call.admits(to, it.from.session).is_ok())));
        let vain = match rings {
            Some((id, true)) => {
                self.note_asked(&id, from, client_id);
                return Ok((id, Vec::new()));
            }
            Some((id, false)) => Some(id),
            None => None,
        };
        let theirs = self.calls.iter().filter(|(_, call)| call.members.values().any(|member| member.who.account == to));
        let theirs = theirs.map(|(id, _)| id).collect::<Vec<_>>();
        if theirs.iter().any(|id| Some(*id) == current.as_ref()) {
            return Err(Refused::InThisCall);
        }
        if !theirs.is_empty() {
            return Err(Refused::Busy);
        }
        let mut effects = Vec::new();
        let id = if let Some(id) = current {
            let others = |it: &&Invitation| it.rings() && it.call == id && Some(&it.id) != vain.as_ref();
            let expected = self.invitations.values().filter(others).count();
            let call = self.calls.get(&id).ok_or(Refused::NoSuchCall)?;
            call.admits(to, from.session)?;
            if call.members.len() + expected >= self.peers_max {
                return Err(Refused::Full);
            }
            if let Some(vain) = vain.and_then(|id| self.invitations.get_mut(&id))
                && vain.step(Step::Cancel, now).is_ok()
            {
                effects.push(Effect::Invitation(vain.id.clone()));
            }
            id
        } else {
            self.calls.insert(fresh.call.clone(), Call { next_peer: 1, ..Call::default() });
            effects.push(Effect::Opened(fresh.call.clone()));
            self.join(&fresh.call, from, &mut effects)?;
            fresh.call
        };
        let mut invitation = Invitation::new(fresh.invitation, id, from, to, now);
        invitation.asked_by(from.session, client_id);
        effects.push(Effect::Invitation(invitation.id.clone()));
        let rung = invitation.id.clone();
        self.invitations.insert(rung.clone(), invitation);
        Ok((rung, effects))
    }

    /// The one who is rung takes the call on this session. Again from the same session changes nothing.
    pub(crate) fn accept(&mut self, who: Who, id: &InvitationId, now: Instant) -> Result<Vec<Effect>, Refused> {
        let current = self.call_of(who.session).map(|(call, _)| call.clone());
        let invitation = self.invitations.get_mut(id).filter(|it| it.to == who.account).ok_or(Refused::NoSuchInvitation)?;
        let call = invitation.call.clone();
        if invitation.rings() {
            if current.is_some() {
                return Err(Refused::InACall);
            }
            let into = self.calls.get(&call).filter(|call| call.members.len() < self.peers_max).ok_or(Refused::Full)?;
            into.admits(who.account, invitation.from.session)?;
        } else if current.as_ref() == Some(&call) {
            return Ok(Vec::new());
        }
        invitation.step(Step::Accept, now).map_err(|Over(state)| Refused::Over(state))?;
        let mut effects = vec![Effect::Invitation(id.clone())];
        self.forgive(&call, who.account, &mut effects);
        self.join(&call, who, &mut effects)?;
        Ok(effects)
    }

    /// The one who is rung refuses.
    pub(crate) fn decline(&mut self, account: AccountId, id: &InvitationId, now: Instant) -> Result<Vec<Effect>, Refused> {
        self.invitations.get(id).filter(|invitation| invitation.to == account).ok_or(Refused::NoSuchInvitation)?;
        self.finish(id, Step::Decline, EndReason::Declined, now)
    }

    /// The one who rings takes it back.
    pub(crate) fn cancel(&mut self, account: AccountId, id: &InvitationId, now: Instant) -> Result<Vec<Effect>, Refused> {
        self.invitations.get(id).filter(|invitation| invitation.from.account == account).ok_or(Refused::NoSuchInvitation)?;
        self.finish(id, Step::Cancel, EndReason::Canceled, now)
    }

    /// A session hangs up.
    pub(crate) fn leave(&mut self, session: SessionId, call: &CallId, now: Instant) -> Result<Vec<Effect>, Refused> {
        if self.in_call.get(&session) != Some(call) {
            return Err(Refused::NoSuchCall);
        }
        Ok(self.remove(session, EndReason::HungUp, now))
    }

    /// Takes a session out of the call it is in, if any: it hung up, signed off or vanished.
    pub(crate) fn remove(&mut self, session: SessionId, reason: EndReason, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        let Some(id) = self.in_call.remove(&session) else { return effects };
        let Some(call) = self.calls.get_mut(&id) else { return effects };
        let Some(peer) = call.peer_of(session) else { return effects };
        let Some(member) = call.members.remove(&peer) else { return effects };
        effects.push(Effect::Left(id.clone(), peer, member.who));
        let orphans = self.invitations.values_mut().filter(|it| it.rings() && it.call == id && it.from.session == session);
        for orphan in orphans {
            if orphan.step(Step::Cancel, now).is_ok() {
                effects.push(Effect::Invitation(orphan.id.clone()));
            }
        }
        self.settle(&id, reason, &mut effects);
        effects
    }

    /// A peer says what it sends.
    pub(crate) fn set_media(&mut self, session: SessionId, id: &CallId, media: SetMedia) -> Result<Vec<Effect>, Refused> {
        let (call, peer) = self.of_member(session, id)?;
        let member = call.members.get_mut(&peer).ok_or(Refused::NoSuchCall)?;
        let SetMedia { audio, video, screen } = media;
        let said = Member { audio, video, screen, muted: member.muted && !audio, ..*member };
        if *member == said {
            return Ok(Vec::new());
        }
        *member = said;
        Ok(vec![Effect::Joined(id.clone(), peer, *member), Effect::Changed(id.clone())])
    }

    /// Time passes: what rang too long is missed.
    pub(crate) fn tick(&mut self, now: Instant) -> Vec<Effect> {
        self.invitations.retain(|_, invitation| !invitation.is_stale(now, REMEMBERED));
        let late = self.invitations.values().filter(|invitation| invitation.is_late(now)).map(|it| it.id.clone());
        let late = late.collect::<Vec<_>>();
        let missed = late.iter().filter_map(|id| self.finish(id, Step::TimeOut, EndReason::Missed, now).ok());
        missed.flatten().collect()
    }

    /// Those of them to that person.
    pub(super) fn ringing_to(&self, account: AccountId) -> impl Iterator<Item = &Invitation> {
        self.ringing(account).filter(move |invitation| invitation.to == account)
    }

    fn note_asked(&mut self, id: &InvitationId, by: Who, client_id: Option<&str>) {
        if let Some(invitation) = self.invitations.get_mut(id) {
            invitation.asked_by(by.session, client_id);
        }
    }

    fn finish(&mut self, id: &InvitationId, step: Step, reason: EndReason, now: Instant) -> Result<Vec<Effect>, Refused> {
        let invitation = self.invitations.get_mut(id).ok_or(Refused::NoSuchInvitation)?;
        invitation.step(step, now).map_err(|Over(state)| Refused::Over(state))?;
        let call = invitation.call.clone();
        let mut effects = vec![Effect::Invitation(id.clone())];
        if self.calls.get(&call).is_some_and(|call| call.members.len() < 2) {
            self.settle(&call, reason, &mut effects);
        }
        Ok(effects)
    }

    fn join(&mut self, id: &CallId, who: Who, effects: &mut Vec<Effect>) -> Result<(), Refused> {
        let call = self.calls.get_mut(id).ok_or(Refused::NoSuchCall)?;
        // A number is never given twice, so a call that has used them all takes nobody else.
        let peer = PeerId(call.next_peer);
        call.next_peer = call.next_peer.checked_add(1).ok_or(Refused::Full)?;
        let member = Member { who, audio: true, video: true, screen: false, muted: false };
        call.members.insert(peer, member);
        self.in_call.insert(who.session, id.clone());
        effects.push(Effect::Joined(id.clone(), peer, member));
        effects.push(Effect::Changed(id.clone()));
        Ok(())
    }

    /// A call goes on while two are in it, or one who still rings someone.
    fn settle(&mut self, id: &CallId, reason: EndReason, effects: &mut Vec<Effect>) {
        let Some(call) = self.calls.get(id) else { return };
        let rings = self.invitations.values().any(|invitation| invitation.rings() && invitation.call == *id);
        if call.members.len() >= 2 || (call.members.len() == 1 && rings) {
            effects.push(Effect::Changed(id.clone()));
            return;
        }
        let Some(call) = self.calls.remove(id) else { return };
        for (peer, member) in &call.members {
            self.in_call.remove(&member.who.session);
            effects.push(Effect::Left(id.clone(), *peer, member.who));
        }
        let told = call.members.values().map(|member| member.who.session).collect();
        effects.push(Effect::Ended(id.clone(), told, reason));
    }
}

#[cfg(test)]
mod tests;
