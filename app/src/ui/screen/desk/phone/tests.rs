use std::time::Instant;

use proto::PeerId;

use super::*;
use crate::{engine::Setup, ui::pretend::Pretend};

fn ana() -> Name {
    "Ana".parse().unwrap()
}

fn ben() -> Name {
    "Ben".parse().unwrap()
}

fn relay() -> Pretend {
    Pretend { me: ana(), other: ben() }
}

fn talking() -> Phone {
    let (call, _) = Call::new(relay().joined(), &ana(), &Setup::default(), None, Instant::now());
    Phone::Talking(Box::new(call))
}

/// What the relay says about Ana's ring.
fn own(state: InvitationState) -> Invitation {
    Invitation { state, ..relay().ring(ben()).invitation }
}

/// What the relay says about Ben's ring.
fn theirs(state: InvitationState) -> Invitation {
    Invitation { state, ..relay().invitation() }
}

fn ringing() -> Phone {
    let mut phone = Phone::Idle;
    assert!(matches!(phone.ring(ben(), Vec::new()), Step::Ring(_)));
    assert!(matches!(phone.update(Message::Placed(ben(), Ok(relay().ring(ben())))), Step::None));
    phone
}

fn rung() -> Phone {
    let mut phone = Phone::Idle;
    phone.invitation(&ana(), theirs(InvitationState::Ringing));
    assert!(matches!(phone, Phone::Rung { answering: false, .. }));
    phone
}

fn outcome(phone: &Phone) -> Option<&Outcome> {
    match phone {
        Phone::Over { outcome, .. } => Some(outcome),
        _ => None,
    }
}

#[test]
fn a_ring_that_is_answered_becomes_a_call() {
    let mut phone = ringing();
    assert!(matches!(phone.invitation(&ana(), own(InvitationState::Accepted)), Step::None));
    let Step::Join(joined) = phone.call(relay().joined().call) else { panic!("not joined") };
    assert_eq!((joined.me, joined.call.peers.len()), (PeerId(1), 2));
}

#[test]
fn the_answer_may_come_before_the_ring_is_confirmed() {
    let mut phone = Phone::Idle;
    phone.ring(ben(), Vec::new());
    assert!(matches!(phone.invitation(&ana(), own(InvitationState::Accepted)), Step::None));
    assert!(matches!(phone.call(relay().joined().call), Step::None));
    assert!(matches!(phone.update(Message::Placed(ben(), Ok(relay().ring(ben())))), Step::Join(_)));

    let mut phone = Phone::Idle;
    phone.ring(ben(), Vec::new());
    phone.invitation(&ana(), own(InvitationState::Declined));
    phone.update(Message::Placed(ben(), Ok(relay().ring(ben()))));
    assert_eq!(outcome(&phone), Some(&Outcome::Declined));
}

#[test]
fn what_became_of_a_ring_is_told() {
    for (state, expected) in [(InvitationState::Declined, Outcome::Declined), (InvitationState::Missed, Outcome::NoAnswer)] {
        let mut phone = ringing();
        phone.invitation(&ana(), own(state));
        let reason = if expected == Outcome::Declined { EndReason::Declined } else { EndReason::Missed };
        phone.call_ended(&relay().joined().call.id, reason);
        assert_eq!(outcome(&phone), Some(&expected));
    }
    for (code, expected) in [(ErrorCode::Busy, Outcome::Busy), (ErrorCode::Offline, Outcome::Offline)] {
        let mut phone = Phone::Idle;
        phone.ring(ben(), Vec::new());
        let notice = Notice { text: "no".into(), code: Some(code) };
        phone.update(Message::Placed(ben(), Err(notice)));
        assert_eq!(outcome(&phone), Some(&expected));
        assert!(matches!(phone.update(Message::AgainPressed), Step::Ring(_)));
    }
}

fn kim(state: InvitationState) -> Invitation {
    Invitation { to: "Kim".parse().unwrap(), id: InvitationId::new("another"), ..own(state) }
}

/// Ana rings Ben, and Kim into the same call.
fn ringing_two() -> Phone {
    let mut phone = Phone::Idle;
    phone.ring(ben(), vec!["Kim".parse().unwrap()]);
    phone.update(Message::Placed(ben(), Ok(relay().ring(ben()))));
    phone
}

#[test]
fn a_call_to_several_goes_on_while_anyone_may_come() {
    let mut phone = ringing_two();
    let Step::Tell(_, told) = phone.invitation(&ana(), own(InvitationState::Declined)) else { panic!("nothing told") };
    assert_eq!(told, "Ben declined.");
    assert!(matches!(phone, Phone::Calling(_)));
    phone.invitation(&ana(), kim(InvitationState::Accepted));
    assert!(matches!(phone.call(relay().joined().call), Step::Join(_)));

    let mut phone = ringing_two();
    phone.invitation(&ana(), own(InvitationState::Missed));
    phone.invitation(&ana(), kim(InvitationState::Declined));
    phone.call_ended(&relay().joined().call.id, EndReason::Declined);
    assert_eq!(outcome(&phone), Some(&Outcome::Declined));
    assert!(matches!(phone.update(Message::AgainPressed), Step::Ring(to) if to.is(&ben())));
    assert_eq!(phone.others(), ["Kim".parse().unwrap()]);
}

#[test]
fn a_call_to_several_is_left_when_it_is_called_off() {
    let mut phone = ringing_two();
    let call = relay().joined().call.id;
    assert!(phone.is_in(&call));
    phone.invitation(&ana(), own(InvitationState::Declined));
    assert!(matches!(phone.update(Message::CancelPressed), Step::Abandon(left, None) if left == call));
    assert!(!phone.is_in(&call));
}

#[test]
fn where_the_first_can_not_be_rung_the_next_one_is() {
    let mut phone = Phone::Idle;
    phone.ring(ben(), vec!["Kim".parse().unwrap()]);
    let busy = || Notice { text: "no".into(), code: Some(ErrorCode::Busy) };
    assert!(matches!(phone.update(Message::Placed(ben(), Err(busy()))), Step::Ring(to) if to.as_str() == "Kim"));
    assert!(matches!(phone.update(Message::Placed("Kim".parse().unwrap(), Err(busy()))), Step::None));
    assert_eq!(outcome(&phone), Some(&Outcome::Busy));
}

#[test]
fn after_an_absence_a_call_to_several_still_rings() {
    let mut phone = ringing_two();
    let alone = relay().ring(ben()).joined;
    assert!(matches!(phone.know(&ana(), &[kim(InvitationState::Ringing)], Some(&alone)), Step::None));
    assert!(matches!(phone, Phone::Calling(_)));
    phone.know(&ana(), &[], None);
    assert_eq!(outcome(&phone), Some(&Outcome::NoAnswer));
}

#[test]
fn a_ring_called_off_before_it_is_confirmed_is_left_then() {
    let mut phone = Phone::Idle;
    phone.ring(ben(), Vec::new());
    assert!(matches!(phone.update(Message::CancelPressed), Step::None));
    assert!(matches!(phone.update(Message::Placed(ben(), Ok(relay().ring(ben())))), Step::Abandon(_, None)));
    assert!(matches!(phone, Phone::Idle));
    assert!(matches!(ringing().update(Message::CancelPressed), Step::Abandon(_, None)));
}

#[test]
fn a_call_that_comes_is_accepted_once() {
    let mut phone = rung();
    let Step::Accept(id) = phone.update(Message::AcceptPressed) else { panic!("not accepted") };
    assert!(matches!(phone.update(Message::AcceptPressed), Step::None));
    // The event lane tells of the acceptance too.
    assert!(matches!(phone.invitation(&ana(), theirs(InvitationState::Accepted)), Step::None));
    assert!(matches!(phone.update(Message::Accepted(id, Ok(relay().joined()))), Step::Join(_)));
}

#[test]
fn a_call_that_is_no_more_stops_ringing() {
    for state in [InvitationState::Canceled, InvitationState::Missed, InvitationState::Accepted] {
        let mut phone = rung();
        assert!(matches!(phone.invitation(&ana(), theirs(state)), Step::Tell(..)));
        assert!(matches!(phone, Phone::Idle));
    }
    let mut phone = rung();
    phone.know(&ana(), &[], None);
    assert!(matches!(phone, Phone::Idle));
}

#[test]
fn the_end_of_a_call_is_told_once() {
    let mut phone = talking();
    let call = relay().joined().call.id;
    assert!(matches!(phone.call_ended(&CallId::new("another"), EndReason::HungUp), Step::None));
    let Step::Tell(_, text) = phone.call_ended(&call, EndReason::HungUp) else { panic!("not told") };
    assert!(text.starts_with("Ben hung up."), "{text}");
    assert!(matches!(phone.call_ended(&call, EndReason::HungUp), Step::None));
}

#[test]
fn after_an_absence_the_phone_is_as_the_relay_says() {
    let mut phone = talking();
    assert!(matches!(phone.know(&ana(), &[], Some(&relay().joined())), Step::Changed));
    assert!(matches!(phone.know(&ana(), &[], None), Step::Tell(..)));
    assert!(matches!(phone, Phone::Idle));

    phone.know(&ana(), &[theirs(InvitationState::Ringing)], None);
    assert!(matches!(phone, Phone::Rung { .. }));

    assert!(matches!(ringing().know(&ana(), &[], Some(&relay().joined())), Step::Join(_)));
    let mut phone = ringing();
    phone.know(&ana(), &[], None);
    assert_eq!(outcome(&phone), Some(&Outcome::NoAnswer));
}

#[test]
fn who_talks_is_not_disturbed_and_can_leave() {
    let mut phone = talking();
    assert!(matches!(phone.invitation(&ana(), theirs(InvitationState::Ringing)), Step::None));
    assert!(matches!(phone.ring(ben(), Vec::new()), Step::None));
    assert!(matches!(phone.hang_up(), Step::Leave(..)));
    assert!(matches!(phone, Phone::Idle));
}

#[test]
fn what_became_of_asking_someone_else_in_is_told() {
    let mut phone = talking();
    assert!(matches!(phone.invitation(&ana(), kim(InvitationState::Ringing)), Step::None));
    let Step::Tell(_, text) = phone.invitation(&ana(), kim(InvitationState::Declined)) else { panic!("nothing told") };
    assert_eq!(text, "Kim declined.");
    let Step::Tell(_, text) = phone.invitation(&ana(), kim(InvitationState::Missed)) else { panic!("nothing told") };
    assert_eq!(text, "Kim didn\u{2019}t answer.");
    let other = Invitation { call: CallId::new("another-call"), ..kim(InvitationState::Declined) };
    assert!(matches!(phone.invitation(&ana(), other), Step::None));
    assert!(matches!(phone, Phone::Talking(_)));
}

#[test]
fn a_call_this_client_does_not_hold_is_left() {
    let joined = relay().joined();
    let abandons = |step| matches!(step, Step::Abandon(call, None) if call == joined.call.id);
    // Hung up while the relay was away.
    assert!(abandons(Phone::Idle.know(&ana(), &[], Some(&joined))));
    // Declined between the press and the relay's answer.
    let mut phone = rung();
    let Step::Accept(id) = phone.update(Message::AcceptPressed) else { panic!("not accepted") };
    phone.hang_up();
    assert!(abandons(phone.update(Message::Accepted(id.clone(), Ok(joined.clone())))));
    // The answer got lost, and the relay may have taken it.
    let mut phone = rung();
    phone.update(Message::AcceptPressed);
    let lost = phone.update(Message::Accepted(id.clone(), Err(Notice::new("no network"))));
    assert!(matches!(lost, Step::Abandon(call, Some(why)) if call == joined.call.id && why == "no network"));
    // What comes twice changes nothing.
    assert!(matches!(talking().update(Message::Accepted(id, Ok(joined))), Step::None));
}
