//! Sessions, and whom an event reaches.

use proto::{CallId, InvitationId, limits::VANISHED};

use super::{
    calls::RingRefused,
    switchboard::{Fresh, Refused, Wish},
    *,
};
use crate::{journal, rate::Rates};

const ANA: AccountId = AccountId(1);
const BEN: AccountId = AccountId(2);

/// A hub where Ana and Ben are buddies.
fn hub() -> Hub {
    let hub = Hub::new("e".to_owned(), journal::new().0);
    hub.add_person(ANA, "Ana".parse().unwrap());
    hub.add_person(BEN, "Ben".parse().unwrap());
    hub.restore_wishes(&[(ANA, BEN), (BEN, ANA)]);
    hub
}

/// A session that has asked for the state.
fn sign_in(hub: &Hub, account: AccountId, number: i64, now: Instant) -> Arc<Session> {
    let token = TokenHash::of(&number.to_string());
    let session = hub.add_session(Session::new(SessionId(number), account, token, Rates::default(), now), now);
    hub.state(&session, now).unwrap();
    session
}

fn fresh(number: u32) -> Fresh {
    Fresh { call: CallId::new(format!("c{number}")), invitation: InvitationId::new(format!("i{number}")) }
}

#[test]
fn a_session_signed_off_meanwhile_enters_no_call() {
    let (hub, now) = (hub(), Instant::now());
    let (ana, ben) = (sign_in(&hub, ANA, 1, now), sign_in(&hub, BEN, 2, now));
    let second = sign_in(&hub, ANA, 3, now);
    ana.polls(now);
    ben.polls(now);
    second.polls(now);
    let wish = |to| Wish { to, call: None, client_id: None };
    let rung = hub.ring(&ana, wish(BEN), fresh(1), now).unwrap();
    hub.sign_out(&ben, now);
    assert_eq!(hub.accept(&ben, &rung.invitation.id, now), Err(Refused::SignedOff));
    assert_eq!(hub.ring(&ben, wish(ANA), fresh(2), now), Err(RingRefused::Refused(Refused::SignedOff)));
    assert_eq!(hub.lock().board.call_of(ben.id), None);
}

#[test]
fn an_event_reaches_each_session_of_the_people_once() {
    let (hub, now) = (hub(), Instant::now());
    let of_ana = [sign_in(&hub, ANA, 1, now), sign_in(&hub, ANA, 3, now)];
    let ben = sign_in(&hub, BEN, 2, now);
    let event = Event::Goodbye { retry_after_ms: 1 };
    let heard = |session: &Session| hub.lock().clients.get(session.id).unwrap().feed.as_ref().unwrap().newest();
    hub.tell(&[ANA, ANA], &event);
    assert_eq!((of_ana.each_ref().map(|session| heard(session)), heard(&ben)), ([1, 1], 0));
    hub.sign_out(&of_ana[0], now);
    hub.tell(&[ANA, BEN], &event);
    assert_eq!((heard(&of_ana[1]), heard(&ben)), (2, 1));
    assert_eq!(hub.lock().clients.ids_of(ANA), [of_ana[1].id]);
}

#[test]
fn the_sessions_missed_least_come_first() {
    let (hub, start) = (hub(), Instant::now());
    let sessions = (1..=5).map(|number| sign_in(&hub, ANA, number, start)).collect::<Vec<_>>();
    let now = start + VANISHED * 2;
    sessions[0].polls(now);
    sessions[2].polls(start + Duration::from_secs(1));
    let order = |hub: &Hub| hub.idle_sessions(ANA, now).iter().map(|session| session.id.0).collect::<Vec<_>>();
    assert_eq!(order(&hub), [2, 4, 5, 3, 1]);
    sign_in(&hub, BEN, 9, now).polls(now);
    hub.ring(&sessions[3], Wish { to: BEN, call: None, client_id: None }, fresh(1), now).unwrap();
    assert_eq!(order(&hub), [2, 5, 3, 1], "one in a call is not idle");
}
