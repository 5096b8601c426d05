//! Rings and calls as a machine, and any order of them.

use proptest::prelude::*;
use proto::limits::{LINKS_MAX, RING};

use super::*;

fn who(number: i64) -> Who {
    Who { session: SessionId(number), account: AccountId(number) }
}

fn link_of(number: i64) -> TokenHash {
    TokenHash::of(&number.to_string())
}

/// A switchboard in virtual time.
struct Bench {
    board: Switchboard,
    now: Instant,
    fresh: u32,
}

impl Bench {
    fn new() -> Self {
        Self { board: Switchboard::default(), now: Instant::now(), fresh: 0 }
    }

    fn ring(&mut self, from: i64, to: i64, call: Option<&CallId>) -> Result<(InvitationId, Vec<Effect>), Refused> {
        self.ring_as(from, to, call, None)
    }

    fn ring_as(
        &mut self,
        from: i64,
        to: i64,
        call: Option<&CallId>,
        client_id: Option<&str>,
    ) -> Result<(InvitationId, Vec<Effect>), Refused> {
        self.fresh += 1;
        let fresh =
            Fresh { call: CallId::new(format!("c{}", self.fresh)), invitation: InvitationId::new(format!("i{}", self.fresh)) };
        self.board.ring(who(from), Wish { to: AccountId(to), call, client_id }, fresh, self.now)
    }

    fn call_of(&self, session: i64) -> Option<CallId> {
        self.board.call_of(SessionId(session)).map(|(call, _)| call.clone())
    }

    /// Does something about somebody in the same call.
    fn with_peer(
        &mut self,
        by: i64,
        whom: i64,
        deed: impl FnOnce(&mut Switchboard, &CallId, PeerId) -> Result<Vec<Effect>, Refused>,
    ) -> Result<Vec<Effect>, Refused> {
        let whom = self.board.call_of(SessionId(whom)).map(|(_, peer)| peer);
        match (self.call_of(by), whom) {
            (Some(call), Some(peer)) => deed(&mut self.board, &call, peer),
            _ => Ok(Vec::new()),
        }
    }

    /// Rings and accepts.
    fn connect(&mut self, from: i64, to: i64) -> CallId {
        let (id, _) = self.ring(from, to, None).unwrap();
        self.board.accept(who(to), &id, self.now).unwrap();
        self.call_of(from).unwrap()
    }
}

fn ended(effects: &[Effect]) -> Option<(Vec<SessionId>, EndReason)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Ended(_, told, reason) => Some((told.clone(), *reason)),
        _ => None,
    })
}

#[test]
fn a_ring_accepted_puts_both_into_one_call() {
    let mut bench = Bench::new();
    let (id, effects) = bench.ring(1, 2, None).unwrap();
    let call = bench.call_of(1).unwrap();
    assert_eq!(effects[0], Effect::Opened(call.clone()));
    assert_eq!(effects.last(), Some(&Effect::Invitation(id.clone())));
    let effects = bench.board.accept(who(2), &id, bench.now).unwrap();
    assert!(matches!(&effects[1], Effect::Joined(joined, PeerId(2), _) if *joined == call));
    assert_eq!(bench.call_of(2), Some(call));
    assert_eq!(bench.board.accept(who(2), &id, bench.now), Ok(vec![]), "the same session again");
    let other_device = Who { session: SessionId(22), account: AccountId(2) };
    assert_eq!(bench.board.accept(other_device, &id, bench.now), Err(Refused::Over(InvitationState::Accepted)));
}

#[test]
fn a_ring_can_be_declined_taken_back_and_missed_and_each_ends_the_call() {
    for (reason, seconds) in [(EndReason::Declined, 0), (EndReason::Canceled, 0), (EndReason::Missed, 45)] {
        let mut bench = Bench::new();
        let (id, _) = bench.ring(1, 2, None).unwrap();
        bench.now += Duration::from_secs(seconds);
        let effects = match reason {
            EndReason::Declined => bench.board.decline(AccountId(2), &id, bench.now).unwrap(),
            EndReason::Canceled => bench.board.cancel(AccountId(1), &id, bench.now).unwrap(),
            _ => bench.board.tick(bench.now),
        };
        assert_eq!(ended(&effects), Some((vec![SessionId(1)], reason)));
        assert_eq!(bench.call_of(1), None);
        assert!(matches!(bench.board.accept(who(2), &id, bench.now), Err(Refused::Over(_))));
    }
}

#[test]
fn it_rings_until_the_last_moment_and_a_late_accept_still_ends_as_missed() {
    let mut bench = Bench::new();
    let (id, _) = bench.ring(1, 2, None).unwrap();
    assert_eq!(bench.board.tick(bench.now + RING - Duration::from_millis(1)), []);
    bench.now += RING;
    assert_eq!(bench.board.accept(who(2), &id, bench.now), Err(Refused::Over(InvitationState::Missed)));
    assert_eq!(ended(&bench.board.tick(bench.now)), Some((vec![SessionId(1)], EndReason::Missed)));
    assert_eq!(bench.board.tick(bench.now + REMEMBERED), []);
    assert!(bench.board.invitation(&id).is_none());
}

#[test]
fn nobody_answers_or_takes_back_what_is_not_theirs() {
    let mut bench = Bench::new();
    let (id, _) = bench.ring(1, 2, None).unwrap();
    for account in [1, 3] {
        assert_eq!(bench.board.accept(who(account), &id, bench.now), Err(Refused::NoSuchInvitation));
        assert_eq!(bench.board.decline(AccountId(account), &id, bench.now), Err(Refused::NoSuchInvitation));
    }
    assert_eq!(bench.board.cancel(AccountId(2), &id, bench.now), Err(Refused::NoSuchInvitation));
    assert_eq!(bench.board.set_media(SessionId(2), &bench.call_of(1).unwrap(), SetMedia::default()), Err(Refused::NoSuchCall));
}

#[test]
fn both_ringing_at_once_are_connected() {
    let mut bench = Bench::new();
    let (id, _) = bench.ring(1, 2, None).unwrap();
    let (accepted, effects) = bench.ring(2, 1, None).unwrap();
    assert_eq!(accepted, id);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Joined(_, PeerId(2), _))));
    assert_eq!(bench.call_of(1), bench.call_of(2));
}

#[test]
fn a_ring_asked_for_again_is_the_same_ring() {
    let mut bench = Bench::new();
    let (id, _) = bench.ring(1, 2, None).unwrap();
    assert_eq!(bench.ring(1, 2, None), Ok((id, vec![])));
}

#[test]
fn a_ring_repeated_by_its_client_id_changes_nothing_whatever_became_of_it() {
    let mut bench = Bench::new();
    let (id, _) = bench.ring_as(1, 2, None, Some("a")).unwrap();
    let call = bench.call_of(1).unwrap();
    assert_eq!(bench.ring_as(1, 2, None, Some("a")), Ok((id.clone(), vec![])));
    assert_eq!(bench.ring_as(1, 3, None, Some("a")), Err(Refused::OtherRing));
    bench.board.accept(who(2), &id, bench.now).unwrap();
    assert_eq!(bench.ring_as(1, 2, None, Some("a")), Ok((id, vec![])), "accepted meanwhile");
    assert_eq!(bench.ring_as(1, 2, None, Some("b")), Err(Refused::InACall), "another ring");
    bench.board.leave(SessionId(1), &call, bench.now).unwrap();
    assert_eq!(bench.ring_as(1, 2, None, Some("a")), Err(Refused::Over(InvitationState::Accepted)), "and left");

    let (id, _) = bench.ring_as(1, 2, None, Some("b")).unwrap();
    bench.board.decline(AccountId(2), &id, bench.now).unwrap();
    assert_eq!(bench.ring_as(1, 2, None, Some("b")), Err(Refused::Over(InvitationState::Declined)));
    bench.ring_as(1, 2, None, Some("c")).unwrap();
    bench.now += RING;
    bench.board.tick(bench.now);
    assert_eq!(bench.ring_as(1, 2, None, Some("c")), Err(Refused::Over(InvitationState::Missed)));
    assert_eq!(bench.call_of(1), None);
    bench.ring_as(3, 2, None, Some("c")).expect("each session has its own ids");
}

#[test]
fn a_ring_that_accepted_theirs_can_be_repeated_too() {
    let mut bench = Bench::new();
    let (id, _) = bench.ring_as(1, 2, None, Some("a")).unwrap();
    assert_eq!(bench.ring_as(2, 1, None, Some("b")).unwrap().0, id);
    assert_eq!(bench.ring_as(2, 1, None, Some("b")), Ok((id.clone(), vec![])));
    assert_eq!(bench.ring_as(1, 2, None, Some("a")), Ok((id, vec![])));
}

#[test]
fn who_is_rung_into_a_call_already_is_not_rung_into_it_twice() {
    let mut bench = Bench::new();
    let call = bench.connect(1, 2);
    let (id, _) = bench.ring(1, 3, Some(&call)).unwrap();
    assert_eq!(bench.ring_as(2, 3, Some(&call), Some("x")), Ok((id.clone(), vec![])));
    bench.board.accept(who(3), &id, bench.now).unwrap();
    assert_eq!(bench.ring_as(2, 3, Some(&call), Some("x")), Ok((id, vec![])), "repeated");
    assert_eq!(bench.board.ringing(AccountId(3)).count(), 0);
}

#[test]
fn who_is_in_a_call_is_busy_and_can_be_rung_into_no_other() {
    let mut bench = Bench::new();
    let call = bench.connect(1, 2);
    assert_eq!(bench.ring(3, 2, None), Err(Refused::Busy));
    assert_eq!(bench.ring(1, 3, None), Err(Refused::InACall));
    assert_eq!(bench.ring(3, 4, Some(&call)), Err(Refused::NoSuchCall));
    assert_eq!(bench.ring(1, 2, Some(&call)), Err(Refused::InThisCall));
    let (id, _) = bench.ring(1, 3, Some(&call)).unwrap();
    bench.board.accept(who(3), &id, bench.now).unwrap();
    assert_eq!(bench.call_of(3), Some(call));
}

#[test]
fn a_call_ends_with_its_last_but_one_peer_unless_someone_still_rings() {
    let mut bench = Bench::new();
    let call = bench.connect(1, 2);
    let (id, _) = bench.ring(1, 3, Some(&call)).unwrap();
    assert_eq!(ended(&bench.board.leave(SessionId(2), &call, bench.now).unwrap()), None);
    let effects = bench.board.decline(AccountId(3), &id, bench.now).unwrap();
    assert_eq!(ended(&effects), Some((vec![SessionId(1)], EndReason::Declined)));

    let call = bench.connect(1, 2);
    let (id, _) = bench.ring(1, 3, Some(&call)).unwrap();
    let effects = bench.board.remove(SessionId(1), EndReason::Vanished, bench.now);
    assert!(effects.contains(&Effect::Invitation(id)), "the rings of who leaves end");
    assert_eq!(ended(&effects), Some((vec![SessionId(2)], EndReason::Vanished)));
    assert_eq!(bench.board.leave(SessionId(2), &call, bench.now), Err(Refused::NoSuchCall));
}

#[test]
fn a_call_takes_so_many_and_no_more() {
    let mut bench = Bench::new();
    let call = bench.connect(1, 2);
    for other in 3..=PEERS_MAX as i64 {
        bench.ring(1, other, Some(&call)).unwrap();
    }
    assert_eq!(bench.ring(1, 100, Some(&call)), Err(Refused::Full));
    bench.board.set_peers_max(PEERS_MAX + 1);
    bench.ring(1, 100, Some(&call)).unwrap();
    assert_eq!(bench.ring(1, 101, Some(&call)), Err(Refused::Full));
}

#[derive(Clone, Debug)]
enum Deed {
    Ring(i64, i64, bool),
    Accept(i64, usize),
    Decline(i64, usize),
    Cancel(i64, usize),
    Leave(i64),
    Vanish(i64),
    Link(i64),
    Join(i64, i64),
    Expel(i64, i64),
    Mute(i64, i64),
    Lock(i64, bool),
    Pass(u64),
}

fn deeds() -> impl Strategy<Value = Deed> {
    let person = || 1_i64..6;
    prop_oneof![
        4 => (person(), person(), any::<bool>()).prop_map(|(from, to, into)| Deed::Ring(from, to, into)),
        4 => (person(), 0_usize..8).prop_map(|(who, at)| Deed::Accept(who, at)),
        1 => (person(), 0_usize..8).prop_map(|(who, at)| Deed::Decline(who, at)),
        1 => (person(), 0_usize..8).prop_map(|(who, at)| Deed::Cancel(who, at)),
        1 => person().prop_map(Deed::Leave),
        1 => person().prop_map(Deed::Vanish),
        1 => person().prop_map(Deed::Link),
        2 => (person(), person()).prop_map(|(who, by)| Deed::Join(who, by)),
        1 => (person(), person()).prop_map(|(who, whom)| Deed::Expel(who, whom)),
        1 => (person(), person()).prop_map(|(who, whom)| Deed::Mute(who, whom)),
        1 => (person(), any::<bool>()).prop_map(|(who, locked)| Deed::Lock(who, locked)),
        1 => (0_u64..50).prop_map(Deed::Pass),
    ]
}

proptest! {
    /// Whatever people do: nobody is in two calls, no call has fewer than two without ringing, and the effects tell the whole
    /// story to someone who only hears them.
    #[test]
    fn the_books_always_balance(deeds in prop::collection::vec(deeds(), 1..60)) {
        let mut bench = Bench::new();
        let mut rung = Vec::new();
        let mut told = HashMap::<CallId, BTreeMap<PeerId, SessionId>>::new();
        for deed in deeds {
            let now = bench.now;
            let pick = |at: usize| rung.get(at % rung.len().max(1)).cloned().unwrap_or_else(|| InvitationId::new("none"));
            let effects = match deed {
                Deed::Ring(from, to, into) if from != to => {
                    let call = bench.call_of(from).filter(|_| into);
                    let result = bench.ring(from, to, call.as_ref());
                    result.map(|(id, effects)| { rung.push(id); effects })
                }
                Deed::Ring(..) => continue,
                Deed::Accept(by, at) => bench.board.accept(who(by), &pick(at), now),
                Deed::Decline(by, at) => bench.board.decline(AccountId(by), &pick(at), now),
                Deed::Cancel(by, at) => bench.board.cancel(AccountId(by), &pick(at), now),
                Deed::Leave(by) => bench.call_of(by).map_or(Ok(vec![]), |call| bench.board.leave(SessionId(by), &call, now)),
                Deed::Vanish(by) => Ok(bench.board.remove(SessionId(by), EndReason::Vanished, now)),
                Deed::Link(by) => {
                    bench.call_of(by).map_or(Ok(vec![]), |call| bench.board.link(SessionId(by), &call, link_of(by)))
                }
                Deed::Join(by, of) => bench.board.join_by_link(who(by), &link_of(of), now),
                Deed::Expel(by, whom) => bench.with_peer(by, whom, |board, call, peer| board.expel(SessionId(by), call, peer, now)),
                Deed::Mute(by, whom) => bench.with_peer(by, whom, |board, call, peer| board.mute(SessionId(by), call, peer)),
                Deed::Lock(by, locked) => {
                    bench.call_of(by).map_or(Ok(vec![]), |call| bench.board.lock(SessionId(by), &call, locked))
                }
                Deed::Pass(seconds) => { bench.now += Duration::from_secs(seconds); Ok(bench.board.tick(bench.now)) }
            };
            for effect in effects.unwrap_or_default() {
                match effect {
                    Effect::Opened(call) => { told.insert(call, BTreeMap::new()); }
                    Effect::Joined(call, peer, member) => { told.get_mut(&call).unwrap().insert(peer, member.who.session); }
                    Effect::Left(call, peer, who) => {
                        prop_assert_eq!(told.get_mut(&call).unwrap().remove(&peer), Some(who.session));
                    }
                    // Whoever was removed hears that it is over for them; for the others it goes on.
                    Effect::Ended(_, _, EndReason::Removed) => {}
                    Effect::Ended(call, ..) => prop_assert_eq!(told.remove(&call), Some(BTreeMap::new())),
                    Effect::Changed(_) | Effect::Invitation(_) => {}
                    Effect::Locked(..) | Effect::Barred(..) | Effect::Linked(..) | Effect::Unlinked(..) => {}
                }
            }
            let mut seen = std::collections::HashSet::new();
            for (id, call) in bench.board.calls() {
                let rings = bench.board.invitations.values().any(|invitation| invitation.rings() && invitation.call == *id);
                prop_assert!(call.members.len() >= 2 || (call.members.len() == 1 && rings));
                let invited = bench.board.invitations.values().filter(|it| it.rings() && it.call == *id).map(|it| it.to);
                let people = invited.chain(call.members.values().map(|member| member.who.account)).collect::<Vec<_>>();
                let distinct = people.iter().collect::<std::collections::HashSet<_>>();
                prop_assert_eq!(people.len(), distinct.len(), "someone is rung into a call twice, or is in it");
                prop_assert!(call.links.len() <= LINKS_MAX);
                for (peer, member) in &call.members {
                    prop_assert!(!call.removed.contains(&member.who.account), "in a call they were removed from");
                    prop_assert!(!member.muted || !member.audio);
                    prop_assert!(seen.insert(member.who.session), "in two calls");
                    prop_assert_eq!(bench.board.call_of(member.who.session), Some((id, *peer)));
                    prop_assert!(peer.0 < call.next_peer);
                }
                let members = call.members.iter().map(|(peer, member)| (*peer, member.who.session)).collect::<BTreeMap<_, _>>();
                prop_assert_eq!(told.get(id), Some(&members));
            }
            prop_assert_eq!(told.len(), bench.board.calls().count());
            prop_assert_eq!(bench.board.in_call.len(), seen.len());
        }
    }
}
