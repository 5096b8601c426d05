//! Coming in by a link, and what the owner of a call may do.

use std::time::Instant;

use proto::{CallId, PeerId, limits::LINKS_MAX, model::EndReason};

use super::{Call, Effect, Refused, Switchboard, Who};
use crate::{
    hub::invitation::{Over, Step},
    store::{AccountId, SessionId},
    token::TokenHash,
};

impl Switchboard {
    /// A peer gives out a link; the one it gave out before counts no longer.
    pub(crate) fn link(&mut self, session: SessionId, id: &CallId, link: TokenHash) -> Result<Vec<Effect>, Refused> {
        let (call, peer) = self.of_member(session, id)?;
        call.links.insert(peer, link);
        let mut effects = vec![Effect::Linked(id.clone(), peer, link)];
        // Those of peers that are gone count on, but not for ever.
        if call.links.len() > LINKS_MAX
            && let Some((oldest, _)) = call.links.pop_first()
        {
            effects.push(Effect::Unlinked(id.clone(), oldest));
        }
        Ok(effects)
    }

    /// A peer takes its link back; the owner takes back everyone's.
    pub(crate) fn unlink(&mut self, session: SessionId, id: &CallId) -> Result<Vec<Effect>, Refused> {
        let (call, peer) = self.of_member(session, id)?;
        let is_owner = call.owner().is_some_and(|(owner, _)| owner == peer);
        let gone = call.links.keys().copied().filter(|other| is_owner || *other == peer).collect::<Vec<_>>();
        call.links.retain(|other, _| !gone.contains(other));
        Ok(gone.into_iter().map(|peer| Effect::Unlinked(id.clone(), peer)).collect())
    }

    /// Someone comes in by a link. Again from the same session changes nothing.
    pub(crate) fn join_by_link(&mut self, who: Who, link: &TokenHash, now: Instant) -> Result<Vec<Effect>, Refused> {
        let linked = self.calls.iter().find(|(_, call)| call.links.values().any(|known| known == link));
        let (id, call) = linked.map(|(id, call)| (id.clone(), call)).ok_or(Refused::NoSuchLink)?;
        match self.in_call.get(&who.session) {
            Some(current) if *current == id => return Ok(Vec::new()),
            Some(_) => return Err(Refused::InACall),
            None => {}
        }
        call.lets_in(who.account)?;
        if call.members.values().any(|member| member.who.account == who.account) {
            return Err(Refused::OnOtherDevice);
        }
        let rings = |to_them: bool| {
            let into = self.invitations.values().filter(|it| it.rings() && it.call == id);
            into.filter(move |it| (it.to == who.account) == to_them)
        };
        if call.members.len() + rings(false).count() >= self.peers_max {
            return Err(Refused::Full);
        }
        let rung = rings(true).map(|invitation| invitation.id.clone()).collect::<Vec<_>>();
        let mut effects = Vec::new();
        // Who is rung into it as well has thereby answered.
        for rung in rung {
            let Some(invitation) = self.invitations.get_mut(&rung) else { continue };
            let step = if invitation.is_late(now) { Step::TimeOut } else { Step::Accept };
            invitation.step(step, now).map_err(|Over(state)| Refused::Over(state))?;
            effects.push(Effect::Invitation(rung));
        }
        self.join(&id, who, &mut effects)?;
        Ok(effects)
    }

    /// The owner mutes a peer, until that one says that its sound is on.
    pub(crate) fn mute(&mut self, session: SessionId, id: &CallId, peer: PeerId) -> Result<Vec<Effect>, Refused> {
        let call = self.of_owner(session, id, Some(peer))?;
        let member = call.members.get_mut(&peer).ok_or(Refused::NoSuchPeer)?;
        if member.muted {
            return Ok(Vec::new());
        }
        (member.muted, member.audio) = (true, false);
        Ok(vec![Effect::Joined(id.clone(), peer, *member), Effect::Changed(id.clone())])
    }

    /// The owner removes a peer, whose person stays out unless the owner rings them.
    pub(crate) fn expel(&mut self, session: SessionId, id: &CallId, peer: PeerId, now: Instant) -> Result<Vec<Effect>, Refused> {
        let call = self.of_owner(session, id, Some(peer))?;
        let who = call.members.get(&peer).ok_or(Refused::NoSuchPeer)?.who;
        let mut effects = Vec::new();
        if call.removed.insert(who.account) {
            effects.push(Effect::Barred(id.clone(), who.account, true));
        }
        if call.links.remove(&peer).is_some() {
            effects.push(Effect::Unlinked(id.clone(), peer));
        }
        effects.extend(self.remove(who.session, EndReason::HungUp, now));
        effects.push(Effect::Ended(id.clone(), vec![who.session], EndReason::Removed));
        Ok(effects)
    }

    /// The owner locks the call, or opens it again.
    pub(crate) fn lock(&mut self, session: SessionId, id: &CallId, locked: bool) -> Result<Vec<Effect>, Refused> {
        let call = self.of_owner(session, id, None)?;
        if call.locked == locked {
            return Ok(Vec::new());
        }
        call.locked = locked;
        Ok(vec![Effect::Locked(id.clone(), locked), Effect::Changed(id.clone())])
    }

    /// Whom the owner has rung may come in, and come again.
    pub(super) fn forgive(&mut self, id: &CallId, account: AccountId, effects: &mut Vec<Effect>) {
        if self.calls.get_mut(id).is_some_and(|call| call.removed.remove(&account)) {
            effects.push(Effect::Barred(id.clone(), account, false));
        }
    }

    pub(super) fn of_member(&mut self, session: SessionId, id: &CallId) -> Result<(&mut Call, PeerId), Refused> {
        let call = self.calls.get_mut(id).ok_or(Refused::NoSuchCall)?;
        let peer = call.peer_of(session).ok_or(Refused::NoSuchCall)?;
        Ok((call, peer))
    }

    /// The call, if the session is its owner, and the peer it is about somebody else.
    fn of_owner(&mut self, session: SessionId, id: &CallId, about: Option<PeerId>) -> Result<&mut Call, Refused> {
        let (call, peer) = self.of_member(session, id)?;
        if call.owner().is_none_or(|(owner, _)| owner != peer) {
            return Err(Refused::NotOwner);
        }
        if about == Some(peer) {
            return Err(Refused::Oneself);
        }
        Ok(call)
    }
}
