//! Coming into a call by its link, and what its owner may do, for the people in it.

use std::time::Instant;

use proto::{CallId, PeerId, api::Joined};

use super::{Hub, session::Session, switchboard::Refused};
use crate::token::TokenHash;

impl Hub {
    /// Someone comes in by a link.
    pub(crate) fn join_by_link(&self, session: &Session, link: &TokenHash, now: Instant) -> Result<Joined, Refused> {
        let mut control = self.lock();
        control.check_signed_in(session)?;
        let effects = control.board.join_by_link(session.who(), link, now)?;
        self.apply(&mut control, effects, now);
        control.joined(session.id).ok_or(Refused::NoSuchCall)
    }

    /// A peer gives out a link.
    pub(crate) fn link(&self, session: &Session, call: &CallId, link: TokenHash, now: Instant) -> Result<(), Refused> {
        let mut control = self.lock();
        let effects = control.board.link(session.id, call, link)?;
        self.apply(&mut control, effects, now);
        Ok(())
    }

    /// A peer takes its link back; the owner takes back everyone's.
    pub(crate) fn unlink(&self, session: &Session, call: &CallId, now: Instant) -> Result<(), Refused> {
        let mut control = self.lock();
        let effects = control.board.unlink(session.id, call)?;
        self.apply(&mut control, effects, now);
        Ok(())
    }

    /// The owner mutes a peer.
    pub(crate) fn mute(&self, session: &Session, call: &CallId, peer: PeerId, now: Instant) -> Result<(), Refused> {
        let mut control = self.lock();
        let effects = control.board.mute(session.id, call, peer)?;
        self.apply(&mut control, effects, now);
        Ok(())
    }

    /// The owner removes a peer.
    pub(crate) fn expel(&self, session: &Session, call: &CallId, peer: PeerId, now: Instant) -> Result<(), Refused> {
        let mut control = self.lock();
        let effects = control.board.expel(session.id, call, peer, now)?;
        self.apply(&mut control, effects, now);
        Ok(())
    }

    /// The owner locks the call, or opens it again.
    pub(crate) fn lock_call(&self, session: &Session, call: &CallId, locked: bool, now: Instant) -> Result<(), Refused> {
        let mut control = self.lock();
        let effects = control.board.lock(session.id, call, locked)?;
        self.apply(&mut control, effects, now);
        Ok(())
    }
}
