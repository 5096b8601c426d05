//! Who is there, as their buddies are told; who wants nothing of whom; and whose rings came to nothing.
//!
//! Whoever is invisible or has blocked someone must look to those who may not see them just as if they were offline: what is told, and
//! what a ring is answered with, comes from [`People::seen_by`](super::people::People::seen_by) and [`Control::reachable`] alone.

use std::time::Instant;

use proto::{
    Event, Name,
    limits::BLOCKED_MAX,
    model::{Buddy, Choice, InvitationState, MissedCall, OwnPresence, Presence, Relation},
};

use super::{Control, Hub, calls::RingRefused, missed::MissedFrom, people::Told};
use crate::store::{AccountId, BlockRow, CallWrite, MissedRow, PresenceRow, wall_clock_ms};

/// The person has blocked as many as they may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyBlocked;

impl Hub {
    /// How people wanted to be seen, whom they had blocked and what they had missed, at start.
    pub(crate) fn restore_people(&self, presences: Vec<PresenceRow>, blocks: &[BlockRow], missed: &[MissedRow]) {
        let mut control = self.lock();
        for row in presences {
            let Some(person) = control.people.person_mut(row.account) else { continue };
            (person.own, person.seen_at_ms) = (row.own, row.seen_at_ms);
        }
        for row in blocks {
            control.people.block(row.account, row.blocked, row.seen_at_ms);
        }
        for row in missed {
            if let Some(person) = control.people.person_mut(row.account) {
                person.missed.restore(MissedFrom { caller: row.caller, at_ms: row.at_ms, rings: row.rings });
            }
        }
    }

    /// A person has chosen how to be seen; it is stored already.
    pub(crate) fn set_presence(&self, account: AccountId, own: OwnPresence, now: Instant) {
        let mut control = self.lock();
        let Some(person) = control.people.person_mut(account) else { return };
        person.own = own.clone();
        control.tell(&[account], &Event::OwnPresence { presence: own });
        self.refresh_presence(&mut control, account, now);
    }

    /// Whether `who` wants nothing of `whom`: what `whom` writes or asks must not come to `who`'s eyes, and `whom` must not notice.
    pub(crate) fn blocks(&self, who: AccountId, whom: AccountId) -> bool {
        self.lock().people.blocks(who, whom)
    }

    /// Whether one more can be blocked, and since when the other will see them as offline; `None` when they are blocked already.
    pub(crate) fn may_block(&self, who: AccountId, whom: AccountId, now: Instant) -> Result<Option<BlockRow>, TooManyBlocked> {
        let control = self.lock();
        if control.people.blocks(who, whom) {
            return Ok(None);
        }
        if control.people.blocked(who).len() >= BLOCKED_MAX {
            return Err(TooManyBlocked);
        }
        let Some(person) = control.people.person(who) else { return Ok(None) };
        let there = person.told.presence != Presence::Offline;
        let seen_at_ms = if there { Some(wall_ms(now)) } else { person.seen_at_ms };
        Ok(Some(BlockRow { account: who, blocked: whom, seen_at_ms }))
    }

    /// Someone is blocked; it is stored already.
    pub(crate) fn block(&self, row: BlockRow, now: Instant) {
        let mut control = self.lock();
        let before = control.shown_to(row.blocked, row.account);
        control.people.block(row.account, row.blocked, row.seen_at_ms);
        control.tell_view(row.blocked, row.account, before);
        let rings = control.board.ringing_to(row.account).filter(|it| it.from.account == row.blocked);
        // For the one who blocks they ring no longer; the one who rings waits until it was long enough.
        let over = rings.filter_map(|it| control.shown(it, now)).collect::<Vec<_>>();
        for mut invitation in over {
            (invitation.state, invitation.expires_in_ms) = (InvitationState::Canceled, 0);
            control.tell(&[row.account], &Event::Invitation { invitation });
        }
        control.tell_blocked(row.account);
    }

    /// Someone is blocked no longer; it is stored already.
    pub(crate) fn unblock(&self, who: AccountId, whom: AccountId) {
        let mut control = self.lock();
        let before = control.shown_to(whom, who);
        if control.people.unblock(who, whom) {
            control.tell_view(whom, who, before);
            control.tell_blocked(who);
        }
    }

    /// A person has seen which calls they missed.
    pub(crate) fn see_missed(&self, account: AccountId, from: Option<AccountId>, up_to_ms: i64) {
        let mut control = self.lock();
        let Some(person) = control.people.person_mut(account) else { return };
        let seen = person.missed.see(from, up_to_ms);
        if seen.is_empty() {
            return;
        }
        for caller in seen {
            self.journal.write(CallWrite::MissedSeen(account, caller));
        }
        control.tell_missed(account);
    }

    /// What was missed long ago is forgotten.
    pub(crate) fn expire_missed(&self, now_ms: i64) {
        let mut control = self.lock();
        for account in control.people.ids() {
            let Some(person) = control.people.person_mut(account) else { continue };
            let expired = person.missed.expire(now_ms);
            if !expired.is_empty() {
                for caller in expired {
                    self.journal.write(CallWrite::MissedSeen(account, caller));
                }
                control.tell_missed(account);
            }
        }
    }

    /// Notes that those who are seen as there are seen until now, in case the relay doesn't come to noting that they went.
    pub(crate) fn note_seen(&self, now: Instant) {
        for account in self.lock().people.told_present() {
            self.journal.write(CallWrite::Seen(account, wall_ms(now)));
        }
    }

    /// Works out anew how a person is seen, and tells their buddies when it has changed.
    pub(super) fn refresh_presence(&self, control: &mut Control, id: AccountId, now: Instant) {
        let told = control.told(id, now);
        let Some(person) = control.people.person_mut(id) else { return };
        if person.told == told {
            return;
        }
        let was_there = person.told.presence != Presence::Offline;
        let is_there = told.presence != Presence::Offline;
        person.told = told;
        if was_there != is_there {
            let at_ms = wall_ms(now);
            person.seen_at_ms = Some(at_ms);
            self.journal.write(CallWrite::Seen(id, at_ms));
        }
        let viewers = control.people.mutual(id).into_iter().filter(|viewer| !control.people.blocks(id, *viewer));
        let viewers = viewers.collect::<Vec<_>>();
        if let Some(viewer) = viewers.first()
            && let Some(event) = control.presence_event(*viewer, id)
        {
            control.tell(&viewers, &event);
        }
    }

    /// Whether one person may ring another now; if they can't be heard, it is a call missed.
    pub(super) fn check_reachable(
        &self,
        control: &mut Control,
        from: AccountId,
        to: AccountId,
        now: Instant,
    ) -> Result<(), RingRefused> {
        if control.people.relation(from, to) != Some(Relation::Mutual) {
            return Err(RingRefused::NotBuddies);
        }
        if control.people.blocks(from, to) {
            return Err(RingRefused::Blocked);
        }
        self.refresh_presence(control, to, now);
        let reachable = control.reachable(from, to);
        if reachable.is_err() {
            self.miss(control, from, to, now);
        }
        reachable
    }

    /// A ring came to nothing. Who wants nothing of the one who rang doesn't hear of it.
    pub(super) fn miss(&self, control: &mut Control, from: AccountId, to: AccountId, now: Instant) {
        if control.people.blocks(to, from) {
            return;
        }
        let Some(person) = control.people.person_mut(to) else { return };
        let Some((missed, gone)) = person.missed.ring(from, wall_ms(now)) else { return };
        if let Some(gone) = gone {
            self.journal.write(CallWrite::MissedSeen(to, gone));
        }
        let row = MissedRow { account: to, caller: from, at_ms: missed.at_ms, rings: missed.rings };
        self.journal.write(CallWrite::Missed(row));
        control.tell_missed(to);
    }
}

impl Control {
    pub(super) fn tell_roster(&mut self, id: AccountId) {
        let buddies = self.roster(id);
        self.tell(&[id], &Event::Roster { buddies });
    }

    pub(super) fn roster(&self, id: AccountId) -> Vec<Buddy> {
        let list = self.people.list(id).into_iter();
        list.map(|(other, person, relation)| {
            let mutual = relation == Relation::Mutual;
            let (told, last_seen_ms) = if mutual { self.people.seen_by(id, other) } else { (Told::default(), None) };
            Buddy { name: person.name.clone(), relation, presence: told.presence, text: told.text, last_seen_ms }
        })
        .collect()
    }

    pub(super) fn missed(&self, id: AccountId) -> Vec<MissedCall> {
        let missed = self.people.person(id).map_or(&[][..], |person| person.missed.list());
        let shown = missed.iter().filter_map(|missed| {
            let from = self.people.name(missed.caller)?;
            Some(MissedCall { from, at_ms: u64::try_from(missed.at_ms).unwrap_or_default(), count: missed.rings })
        });
        shown.collect()
    }

    fn tell_missed(&mut self, id: AccountId) {
        let calls = self.missed(id);
        self.tell(&[id], &Event::Missed { calls });
    }

    fn tell_blocked(&mut self, id: AccountId) {
        let names: Vec<Name> = self.people.blocked(id);
        self.tell(&[id], &Event::Blocked { names });
        // Who asks to be a buddy comes and goes with it.
        self.tell_roster(id);
    }

    /// How a person is to be seen now.
    fn told(&self, id: AccountId, now: Instant) -> Told {
        let Some(person) = self.people.person(id) else { return Told::default() };
        let (mut there, mut idle, mut calls) = (false, true, false);
        for client in self.clients.of(id) {
            calls |= self.board.call_of(client.session.id).is_some();
            if client.session.is_there(now) {
                there = true;
                idle &= client.session.person_is_idle();
            }
        }
        let presence = match person.own.choice {
            Choice::Invisible => Presence::Offline,
            _ if !there && !calls => Presence::Offline,
            Choice::DoNotDisturb => Presence::DoNotDisturb,
            _ if calls => Presence::Busy,
            Choice::Away => Presence::Away,
            _ if idle => Presence::Away,
            _ => Presence::Available,
        };
        let text = if presence == Presence::Offline { String::new() } else { person.own.text.clone() };
        Told { presence, text }
    }

    /// Whether a ring from one buddy is heard by the other. Whose own ring is on its way the other way is there for that one.
    fn reachable(&self, from: AccountId, to: AccountId) -> Result<(), RingRefused> {
        if self.board.ringing_to(from).any(|invitation| invitation.from.account == to) {
            return Ok(());
        }
        match self.people.seen_by(from, to).0.presence {
            Presence::Offline => Err(RingRefused::Offline),
            Presence::DoNotDisturb => Err(RingRefused::DoNotDisturb),
            _ => Ok(()),
        }
    }

    /// How `viewer` sees `id`, if they are mutual buddies.
    fn shown_to(&self, viewer: AccountId, id: AccountId) -> Option<(Told, Option<u64>)> {
        (self.people.relation(viewer, id) == Some(Relation::Mutual)).then(|| self.people.seen_by(viewer, id))
    }

    fn presence_event(&self, viewer: AccountId, id: AccountId) -> Option<Event> {
        let (Told { presence, text }, last_seen_ms) = self.shown_to(viewer, id)?;
        Some(Event::Presence { name: self.people.name(id)?, presence, text, last_seen_ms })
    }

    /// Tells one viewer how someone is seen, if that is not as `before`.
    fn tell_view(&mut self, viewer: AccountId, id: AccountId, before: Option<(Told, Option<u64>)>) {
        if self.shown_to(viewer, id) != before
            && let Some(event) = self.presence_event(viewer, id)
        {
            self.tell(&[viewer], &event);
        }
    }
}

/// A moment of the relay's clock as the wall clock has it, in milliseconds since 1970-01-01 UTC.
fn wall_ms(at: Instant) -> i64 {
    let now = Instant::now();
    let ms = |span: std::time::Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    wall_clock_ms().saturating_sub(ms(now.saturating_duration_since(at))).saturating_add(ms(at.saturating_duration_since(now)))
}
