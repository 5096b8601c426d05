//! Rings and calls.

use std::time::{Duration, Instant};

use proto::{
    CallId, ErrorCode, Event, InvitationId, Kind,
    api::{Joined, Rung},
    limits::{CLIENT_ID_MAX, RING, VANISHED},
    model::{Call, EndReason, InvitationState},
};
use serde_json::{Value, json};

use crate::bench::Bench;

/// The states of the invitation told, and how calls ended.
fn story(events: &[Event]) -> (Vec<InvitationState>, Vec<EndReason>) {
    let states = events.iter().filter_map(|event| match event {
        Event::Invitation { invitation } => Some(invitation.state),
        _ => None,
    });
    let ends = events.iter().filter_map(|event| match event {
        Event::CallEnded { reason, .. } => Some(*reason),
        _ => None,
    });
    (states.collect(), ends.collect())
}

fn names(call: &Call) -> Vec<(u16, &str)> {
    call.peers.iter().map(|peer| (peer.peer.0, peer.name.as_str())).collect()
}

#[tokio::test]
async fn ana_rings_ben_and_he_accepts() {
    let bench = Bench::new().await;
    let (mut ana, mut ben) = bench.buddies("Ana", "Ben").await;
    let rung = ana.ring(&ben.name).await;
    assert_eq!(rung.invitation.state, InvitationState::Ringing);
    assert!(rung.invitation.expires_in_ms > 40_000);
    assert_eq!(names(&rung.joined.call), [(1, "Ana")]);
    assert_eq!(story(&ben.poll(0).await).0, [InvitationState::Ringing]);
    assert_eq!(ben.state().await.invitations.len(), 1);
    ana.poll(0).await;
    let joined: Joined = ben.accept(&rung).await.read();
    assert_eq!((joined.me.0, names(&joined.call)), (2, vec![(1, "Ana"), (2, "Ben")]));
    let events = ana.poll(0).await;
    assert_eq!(story(&events).0, [InvitationState::Accepted]);
    assert!(events.contains(&Event::Call { call: joined.call.clone() }));
    assert_eq!(ana.state().await.call.unwrap().call, joined.call);
    assert_eq!(ana.get(&format!("/v1/calls/{}", joined.call.id)).await.read::<Call>(), joined.call);
    assert_eq!(ben.accept(&rung).await.read::<Joined>(), joined, "asked again after a lost answer");
}

#[tokio::test]
async fn a_ring_reaches_all_devices_and_is_taken_on_one() {
    let bench = Bench::new().await;
    let (ana, mut ben) = bench.buddies("Ana", "Ben").await;
    let mut second = bench.sign_in("Ben").await;
    second.show_up().await;
    let rung = ana.ring(&ben.name).await;
    for client in [&mut ben, &mut second] {
        assert_eq!(story(&client.poll(0).await).0, [InvitationState::Ringing]);
    }
    second.accept(&rung).await.read::<Joined>();
    assert_eq!(story(&ben.poll(0).await).0, [InvitationState::Accepted]);
    assert_eq!(ben.accept(&rung).await.code(), ErrorCode::InvitationOver);
    assert_eq!(ben.state().await.call, None);
}

#[tokio::test]
async fn declined_canceled_and_missed_rings_end_the_call_with_their_reason() {
    let bench = Bench::new().await;
    let (mut ana, mut ben) = bench.buddies("Ana", "Ben").await;
    for (state, reason) in [
        (InvitationState::Declined, EndReason::Declined),
        (InvitationState::Canceled, EndReason::Canceled),
        (InvitationState::Missed, EndReason::Missed),
    ] {
        let rung = ana.ring(&ben.name).await;
        assert_eq!(ben.answer(&rung, "cancel").await.code(), ErrorCode::NotFound);
        assert_eq!(ana.answer(&rung, "decline").await.code(), ErrorCode::NotFound);
        ana.poll(0).await;
        ben.poll(0).await;
        match reason {
            EndReason::Declined => drop(ben.answer(&rung, "decline").await.read::<Value>()),
            EndReason::Canceled => drop(ana.answer(&rung, "cancel").await.read::<Value>()),
            _ => bench.relay.tick(Instant::now() + RING),
        }
        assert_eq!(story(&ben.poll(0).await).0, [state]);
        assert_eq!(story(&ana.poll(0).await), (vec![state], vec![reason]));
        assert_eq!(ben.accept(&rung).await.code(), ErrorCode::InvitationOver);
        assert_eq!(ana.get(&format!("/v1/calls/{}", rung.joined.call.id)).await.code(), ErrorCode::NotFound);
        assert_eq!(ana.state().await.call, None);
        ana.poll(0).await;
        ben.poll(0).await;
    }
}

#[tokio::test]
async fn both_ring_at_once_and_are_connected() {
    let bench = Bench::new().await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    let first = ana.ring(&ben.name).await;
    let second = ben.ring(&ana.name).await;
    assert_eq!(second.invitation.id, first.invitation.id);
    assert_eq!(second.invitation.state, InvitationState::Accepted);
    assert_eq!(names(&second.joined.call), [(1, "Ana"), (2, "Ben")]);
}

#[tokio::test]
async fn a_ring_whose_answer_was_lost_is_asked_for_again_whatever_became_of_it() {
    let bench = Bench::new().await;
    let (mut ana, mut ben) = bench.buddies("Ana", "Ben").await;
    let rung: Rung = ana.ring_as(&ben.name, "first").await.read();
    assert_eq!(ana.ring_as(&ben.name, "first").await.read::<Rung>().invitation.id, rung.invitation.id);
    let joined: Joined = ben.accept(&rung).await.read();
    ben.poll(0).await;
    let again: Rung = ana.ring_as(&ben.name, "first").await.read();
    assert_eq!((again.invitation.id, again.invitation.state), (rung.invitation.id, InvitationState::Accepted));
    assert_eq!((again.joined.call, again.joined.me.0), (joined.call.clone(), 1));
    assert_eq!(ana.ring_as(&ben.name, "another").await.code(), ErrorCode::Busy);
    ana.post(&format!("/v1/calls/{}/leave", joined.call.id), ()).await.read::<Value>();

    let rung: Rung = ana.ring_as(&ben.name, "declined").await.read();
    ben.answer(&rung, "decline").await.read::<Value>();
    ana.poll(0).await;
    ben.poll(0).await;
    assert_eq!(ana.ring_as(&ben.name, "declined").await.code(), ErrorCode::InvitationOver);
    assert_eq!(ben.poll(0).await, [], "it does not ring again");
    assert_eq!(ana.ring_as(&"Nobody".parse().unwrap(), "declined").await.code(), ErrorCode::NotFound);
    for bad in ["", "a\nb", &"x".repeat(CLIENT_ID_MAX + 1)] {
        assert_eq!(ana.ring_as(&ben.name, bad).await.code(), ErrorCode::BadRequest);
    }
}

#[tokio::test]
async fn a_repeated_ring_is_known_though_its_callee_is_gone_by_now() {
    let bench = Bench::new().await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    let rung: Rung = ana.ring_as(&ben.name, "a").await.read();
    ben.delete("/v1/session").await.read::<Value>();
    let again: Rung = ana.ring_as(&ben.name, "a").await.read();
    assert_eq!((&again.invitation.id, again.invitation.state), (&rung.invitation.id, InvitationState::Ringing));
    ana.answer(&rung, "cancel").await.read::<Value>();
    assert_eq!(ana.ring_as(&ben.name, "b").await.code(), ErrorCode::Offline);
}

#[tokio::test]
async fn two_of_a_call_who_ring_the_same_person_ring_once() {
    let bench = Bench::new().await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    let mut eva = bench.buddy_of("Eva", &[&ana, &ben]).await;
    let call = ana.call(&ben).await;
    eva.poll(0).await;
    let first: Rung = ana.try_ring(&eva.name, Some(&call)).await.read();
    let second: Rung = ben.try_ring(&eva.name, Some(&call)).await.read();
    assert_eq!((second.invitation.id, second.joined.me.0), (first.invitation.id.clone(), 2));
    assert_eq!(story(&eva.poll(0).await).0, [InvitationState::Ringing]);
    let joined: Joined = eva.accept(&first).await.read();
    assert_eq!(names(&joined.call), [(1, "Ana"), (2, "Ben"), (3, "Eva")]);
    assert_eq!(ben.try_ring(&eva.name, Some(&call)).await.code(), ErrorCode::BadRequest);
}

#[tokio::test]
async fn busy_offline_and_strange_people_cannot_be_rung() {
    let bench = Bench::new().await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    let mut eva = bench.person("Eva").await;
    assert_eq!(ana.try_ring(&eva.name, None).await.code(), ErrorCode::Forbidden);
    assert_eq!(ana.try_ring(&"Nobody".parse().unwrap(), None).await.code(), ErrorCode::NotFound);
    assert_eq!(ana.try_ring(&ana.name, None).await.code(), ErrorCode::BadRequest);
    eva.befriend(&ana).await;
    eva.show_up().await;
    ana.call(&ben).await;
    assert_eq!(eva.try_ring(&ana.name, None).await.code(), ErrorCode::Busy);
    bench.sign_up("Ida").await;
    let ida = bench.sign_in("Ida").await;
    ida.befriend(&eva).await;
    assert_eq!(eva.try_ring(&ida.name, None).await.code(), ErrorCode::Offline);
    assert_eq!(eva.state().await.call, None);
}

#[tokio::test]
async fn a_third_joins_and_the_call_ends_with_the_last_but_one() {
    let bench = Bench::new().await;
    let (mut ana, ben) = bench.buddies("Ana", "Ben").await;
    let mut eva = bench.person("Eva").await;
    eva.befriend(&ana).await;
    eva.show_up().await;
    let call = ana.call(&ben).await;
    assert_eq!(eva.get(&format!("/v1/calls/{call}")).await.code(), ErrorCode::Forbidden);
    let rung: Rung = ana.try_ring(&eva.name, Some(&call)).await.read();
    let joined: Joined = eva.accept(&rung).await.read();
    assert_eq!(names(&joined.call), [(1, "Ana"), (2, "Ben"), (3, "Eva")]);
    ben.post(&format!("/v1/calls/{call}/leave"), ()).await.read::<Value>();
    assert_eq!(ben.post(&format!("/v1/calls/{call}/leave"), ()).await.code(), ErrorCode::Forbidden);
    ana.poll(0).await;
    eva.post(&format!("/v1/calls/{call}/leave"), ()).await.read::<Value>();
    assert_eq!(story(&ana.poll(0).await).1, [EndReason::HungUp]);
    assert_eq!(ana.post(&format!("/v1/calls/{call}/leave"), ()).await.code(), ErrorCode::NotFound);
}

#[tokio::test]
async fn muting_is_told_to_the_others() {
    let bench = Bench::new().await;
    let (ana, mut ben) = bench.buddies("Ana", "Ben").await;
    let call = ana.call(&ben).await;
    ben.poll(0).await;
    ana.post(&format!("/v1/calls/{call}/media"), json!({"audio": false, "video": true})).await.read::<Value>();
    let events = ben.poll(0).await;
    assert!(matches!(&events[..], [Event::Call { call }] if !call.peers[0].audio && call.peers[0].video), "{events:?}");
}

#[tokio::test]
async fn who_vanishes_leaves_the_call_and_learns_it_when_back() {
    let bench = Bench::new().await;
    let (mut ana, mut ben) = bench.buddies("Ana", "Ben").await;
    let mut eva = bench.person("Eva").await;
    eva.befriend(&ana).await;
    eva.show_up().await;
    let call = ana.call(&ben).await;
    let rung: Rung = ana.try_ring(&eva.name, Some(&call)).await.read();
    eva.accept(&rung).await.read::<Joined>();
    eva.poll(0).await;
    let last_seen = Instant::now();
    tokio::time::sleep(Duration::from_millis(20)).await;
    ana.poll(0).await;
    // By its media polls a client is seen as well.
    ben.fetch(&call, Kind::Audio, 1, 1, 0).await;
    bench.relay.tick(last_seen + VANISHED);
    let events = ana.poll(0).await;
    assert_eq!(story(&events).1, [], "the call goes on without her");
    assert!(matches!(&events[..], [.., Event::Call { call }] if names(call) == [(1, "Ana"), (2, "Ben")]), "{events:?}");
    assert_eq!(story(&eva.poll(0).await).1, [EndReason::Vanished]);
    assert_eq!((eva.state().await.call, ben.state().await.call.unwrap().me.0), (None, 2));
    // Now both are gone, so the call is over for both.
    ben.show_up().await;
    bench.relay.tick(Instant::now() + VANISHED + Duration::from_secs(1));
    assert_eq!(story(&ana.poll(0).await).1, [EndReason::Vanished]);
    assert_eq!(story(&ben.poll(0).await).1, [EndReason::Vanished]);
    assert_eq!(ana.state().await.call, None);
}

#[tokio::test]
async fn signing_off_leaves_the_call() {
    let bench = Bench::new().await;
    let (ana, mut ben) = bench.buddies("Ana", "Ben").await;
    ana.call(&ben).await;
    ana.delete("/v1/session").await.read::<Value>();
    assert_eq!(story(&ben.poll(0).await).1, [EndReason::HungUp]);
}

#[tokio::test]
async fn calls_and_invitations_that_are_not_there_are_not_found() {
    let bench = Bench::new().await;
    let ana = bench.person("Ana").await;
    let (call, invitation) = (CallId::new("x"), InvitationId::new("y"));
    for how in ["accept", "decline", "cancel"] {
        assert_eq!(ana.post(&format!("/v1/invitations/{invitation}/{how}"), ()).await.code(), ErrorCode::NotFound);
    }
    assert_eq!(ana.get(&format!("/v1/calls/{call}")).await.code(), ErrorCode::NotFound);
    assert_eq!(ana.post(&format!("/v1/calls/{call}/leave"), ()).await.code(), ErrorCode::NotFound);
    assert_eq!(ana.post(&format!("/v1/calls/{call}/keyframe"), json!({"track": 257})).await.code(), ErrorCode::NotFound);
    let media = json!({"audio": true, "video": true});
    assert_eq!(ana.post(&format!("/v1/calls/{call}/media"), media).await.code(), ErrorCode::NotFound);
}
