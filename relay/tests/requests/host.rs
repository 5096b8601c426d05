//! Links into calls, and what the owner of a call may do.

use proto::{
    CallId, ErrorCode, Event, Kind, PeerId,
    api::{Joined, Linked, Rung},
    limits::LINKS_MAX,
    model::{Call, EndReason, InvitationState},
};
use serde_json::{Value, json};

use crate::{
    bench::{Bench, Client, Reply, chunk},
    restart::{again, keep},
};

async fn link(client: &Client<'_>, call: &CallId) -> Linked {
    client.post(&format!("/v1/calls/{call}/link"), ()).await.read()
}

async fn join(client: &Client<'_>, link: &Linked) -> Reply {
    client.post("/v1/calls/join", json!({"link": link.link})).await
}

/// What the owner wants of a peer.
async fn wants(client: &Client<'_>, call: &CallId, what: &str, peer: u16) -> Reply {
    client.post(&format!("/v1/calls/{call}/{what}"), json!({"peer": peer})).await
}

async fn lock(client: &Client<'_>, call: &CallId, locked: bool) -> Reply {
    client.post(&format!("/v1/calls/{call}/lock"), json!({"locked": locked})).await
}

async fn leave(client: &Client<'_>, call: &CallId) {
    client.post(&format!("/v1/calls/{call}/leave"), ()).await.read::<Value>();
}

async fn shown(client: &Client<'_>, call: &CallId) -> Call {
    client.get(&format!("/v1/calls/{call}")).await.read()
}

#[tokio::test]
async fn whoever_has_the_link_comes_in_buddy_or_not() {
    let bench = Bench::new().await;
    let (mut ana, ben) = bench.buddies("Ana", "Ben").await;
    let eva = bench.person("Eva").await;
    let call = ana.call(&ben).await;
    let link = link(&ben, &call).await;
    assert_eq!(link.link.reveal().len(), 43);
    ana.poll(0).await;
    let joined: Joined = join(&eva, &link).await.read();
    assert_eq!((joined.me, joined.call.peers.len(), joined.call.owner), (PeerId(3), 3, Some(PeerId(1))));
    assert_eq!(join(&eva, &link).await.read::<Joined>(), joined, "asked again");
    assert!(ana.poll(0).await.contains(&Event::Call { call: joined.call.clone() }));
    eva.publish(&call, Kind::Audio, 3, 0, true).await;
    let on_another_device = bench.sign_in("Eva").await;
    assert_eq!(join(&on_another_device, &link).await.code(), ErrorCode::Busy);
    assert_eq!(join(&eva, &Linked { link: proto::CallLink::new("x") }).await.code(), ErrorCode::NotFound);
    leave(&eva, &call).await;
    leave(&ben, &call).await;
    assert_eq!(join(&eva, &link).await.code(), ErrorCode::NotFound, "it went with the call");
}

#[tokio::test]
async fn a_link_ends_when_it_is_taken_back_or_another_takes_its_place() {
    let bench = Bench::new().await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    let eva = bench.person("Eva").await;
    let call = ana.call(&ben).await;
    assert_eq!(eva.post(&format!("/v1/calls/{call}/link"), ()).await.code(), ErrorCode::Forbidden);
    let (first, second, of_ana) = (link(&ben, &call).await, link(&ben, &call).await, link(&ana, &call).await);
    assert_eq!(join(&eva, &first).await.code(), ErrorCode::NotFound);
    ben.delete(&format!("/v1/calls/{call}/link")).await.read::<Value>();
    assert_eq!(join(&eva, &second).await.code(), ErrorCode::NotFound);
    join(&eva, &of_ana).await.read::<Joined>();
    leave(&eva, &call).await;
    let third = link(&ben, &call).await;
    ana.delete(&format!("/v1/calls/{call}/link")).await.read::<Value>();
    for link in [third, of_ana] {
        assert_eq!(join(&eva, &link).await.code(), ErrorCode::NotFound, "the owner takes back everyone's");
    }
}

#[tokio::test]
async fn a_call_has_so_many_links_and_no_more() {
    let bench = Bench::new().await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    let eva = bench.person("Eva").await;
    let call = ana.call(&ben).await;
    let first = link(&ana, &call).await;
    let mut way = first.clone();
    for _ in 0..LINKS_MAX {
        join(&eva, &way).await.read::<Joined>();
        way = link(&eva, &call).await;
        leave(&eva, &call).await;
    }
    assert_eq!(join(&eva, &first).await.code(), ErrorCode::NotFound);
    join(&eva, &way).await.read::<Joined>();
}

#[tokio::test]
async fn who_is_rung_and_comes_by_the_link_has_answered() {
    let bench = Bench::new().await;
    let (mut ana, ben) = bench.buddies("Ana", "Ben").await;
    let rung = ana.ring(&ben.name).await;
    let link = link(&ana, &rung.joined.call.id).await;
    join(&ben, &link).await.read::<Joined>();
    let accepted =
        |event: &Event| matches!(event, Event::Invitation { invitation } if invitation.state == InvitationState::Accepted);
    assert!(ana.poll(0).await.iter().any(accepted));
    assert_eq!(ben.state().await.invitations, []);
}

#[tokio::test]
async fn who_is_muted_is_not_heard_until_they_say_that_their_sound_is_on() {
    let bench = Bench::new().await;
    let (ana, mut ben) = bench.buddies("Ana", "Ben").await;
    let call = ana.call(&ben).await;
    ana.fetch(&call, Kind::Audio, 1, 1, 0).await;
    ana.fetch(&call, Kind::Video, 1, 1, 0).await;
    ben.poll(0).await;
    for _ in 0..2 {
        wants(&ana, &call, "mute", 2).await.read::<Value>();
    }
    let [Event::Call { call: told }] = &ben.poll(0).await[..] else { panic!("told otherwise") };
    assert!(told.peers[1].muted && !told.peers[1].audio && !told.peers[0].muted);
    assert_eq!(ben.publish(&call, Kind::Audio, 2, 0, true).await.readers, 0);
    ben.publish(&call, Kind::Video, 2, 0, true).await;
    assert_eq!(ana.fetch(&call, Kind::Audio, 1, 2, 0).await.chunks(), []);
    assert_eq!(ana.fetch(&call, Kind::Video, 1, 2, 0).await.chunks(), [(2, 0)], "seen they are");
    let media = |audio: bool| json!({"audio": audio, "video": true});
    ben.post(&format!("/v1/calls/{call}/media"), media(false)).await.read::<Value>();
    ben.publish(&call, Kind::Audio, 2, 1, true).await;
    ben.post(&format!("/v1/calls/{call}/media"), media(true)).await.read::<Value>();
    assert!(!shown(&ana, &call).await.peers[1].muted);
    ben.publish(&call, Kind::Audio, 2, 2, true).await;
    assert_eq!(ana.fetch(&call, Kind::Audio, 1, 3, 0).await.chunks(), [(2, 2)]);
}

#[tokio::test]
async fn who_is_removed_is_out_and_comes_back_only_when_the_owner_rings() {
    let bench = Bench::new().await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    let mut eva = bench.buddy_of("Eva", &[&ana, &ben]).await;
    let call = ana.call(&ben).await;
    let way = link(&ben, &call).await;
    join(&eva, &way).await.read::<Joined>();
    let of_eva = link(&eva, &call).await;
    eva.poll(0).await;
    wants(&ana, &call, "remove", 3).await.read::<Value>();
    let events = eva.poll(0).await;
    let out = |event: &Event| matches!(event, Event::CallEnded { reason: EndReason::Removed, call: ended } if *ended == call);
    assert!(events.iter().any(out), "{events:?}");
    assert_eq!(eva.state().await.call, None);
    for refused in [
        eva.fetch(&call, Kind::Audio, 1, 1, 0).await,
        eva.upload(&call, Kind::Audio, chunk(Kind::Audio, 3, 0, true)).await,
        join(&eva, &way).await,
        ben.try_ring(&eva.name, Some(&call)).await,
    ] {
        assert_eq!(refused.code(), ErrorCode::Forbidden);
    }
    let kim = bench.person("Kim").await;
    assert_eq!(join(&kim, &of_eva).await.code(), ErrorCode::NotFound, "her link went with her");
    assert_eq!(wants(&ana, &call, "remove", 3).await.code(), ErrorCode::NotFound);
    let rung: Rung = ana.try_ring(&eva.name, Some(&call)).await.read();
    assert_eq!(eva.accept(&rung).await.read::<Joined>().me, PeerId(4));
    leave(&eva, &call).await;
    join(&eva, &way).await.read::<Joined>();
}

#[tokio::test]
async fn an_invitation_from_before_lets_nobody_in_who_was_removed_or_is_locked_out() {
    let bench = Bench::new().await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    let mut eva = bench.person("Eva").await;
    eva.befriend(&ben).await;
    eva.show_up().await;
    let call = ana.call(&ben).await;
    let rung: Rung = ben.try_ring(&eva.name, Some(&call)).await.read();
    lock(&ana, &call, true).await.read::<Value>();
    assert_eq!(eva.accept(&rung).await.code(), ErrorCode::CallLocked);
    lock(&ana, &call, false).await.read::<Value>();
    eva.accept(&rung).await.read::<Joined>();
}

#[tokio::test]
async fn the_owner_rings_in_whom_another_rang_before_the_call_was_locked() {
    let bench = Bench::new().await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    let eva = bench.buddy_of("Eva", &[&ana, &ben]).await;
    let call = ana.call(&ben).await;
    let of_ben: Rung = ben.try_ring(&eva.name, Some(&call)).await.read();
    let same: Rung = ana.try_ring(&eva.name, Some(&call)).await.read();
    assert_eq!(same.invitation.id, of_ben.invitation.id, "while it lets her in one is enough");
    lock(&ana, &call, true).await.read::<Value>();
    let of_ana: Rung = ana.try_ring(&eva.name, Some(&call)).await.read();
    let rings = eva.state().await.invitations.into_iter().map(|it| it.id).collect::<Vec<_>>();
    assert_eq!(rings, std::slice::from_ref(&of_ana.invitation.id));
    assert_eq!(eva.accept(&of_ben).await.code(), ErrorCode::InvitationOver);
    assert_eq!(eva.accept(&of_ana).await.read::<Joined>().call.peers.len(), 3);
}

#[tokio::test]
async fn into_a_locked_call_comes_only_whom_the_owner_rings() {
    let bench = Bench::new().await;
    let (ana, mut ben) = bench.buddies("Ana", "Ben").await;
    let eva = bench.buddy_of("Eva", &[&ana, &ben]).await;
    let call = ana.call(&ben).await;
    let way = link(&ana, &call).await;
    ben.poll(0).await;
    for _ in 0..2 {
        lock(&ana, &call, true).await.read::<Value>();
    }
    assert!(matches!(&ben.poll(0).await[..], [Event::Call { call }] if call.locked));
    assert_eq!(join(&eva, &way).await.code(), ErrorCode::CallLocked);
    assert_eq!(ben.try_ring(&eva.name, Some(&call)).await.code(), ErrorCode::CallLocked);
    let rung: Rung = ana.try_ring(&eva.name, Some(&call)).await.read();
    eva.accept(&rung).await.read::<Joined>();
    leave(&eva, &call).await;
    lock(&ana, &call, false).await.read::<Value>();
    join(&eva, &way).await.read::<Joined>();
}

#[tokio::test]
async fn only_the_owner_may_and_the_next_peer_is_the_owner_after_them() {
    let bench = Bench::new().await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    let eva = bench.person("Eva").await;
    let call = ana.call(&ben).await;
    join(&eva, &link(&ana, &call).await).await.read::<Joined>();
    let kim = bench.person("Kim").await;
    for (who, code) in [(&ben, ErrorCode::Forbidden), (&kim, ErrorCode::Forbidden)] {
        for what in ["mute", "remove"] {
            assert_eq!(wants(who, &call, what, 3).await.code(), code);
        }
        assert_eq!(lock(who, &call, true).await.code(), code);
    }
    for what in ["mute", "remove"] {
        assert_eq!(wants(&ana, &call, what, 1).await.code(), ErrorCode::BadRequest);
        assert_eq!(wants(&ana, &call, what, 9).await.code(), ErrorCode::NotFound);
        assert_eq!(wants(&ana, &CallId::new("x"), what, 2).await.code(), ErrorCode::NotFound);
    }
    leave(&ana, &call).await;
    assert_eq!(shown(&eva, &call).await.owner, Some(PeerId(2)));
    lock(&ben, &call, true).await.read::<Value>();
    wants(&ben, &call, "mute", 3).await.read::<Value>();
    wants(&ben, &call, "remove", 3).await.read::<Value>();
    assert_eq!(ben.state().await.call, None, "nobody is left to talk to");
}

#[tokio::test]
async fn what_the_owner_has_said_outlives_a_crash() {
    let bench = Bench::new().await;
    let (tokens, call, way) = {
        let (ana, ben) = bench.buddies("Ana", "Ben").await;
        let (eva, kim) = (bench.person("Eva").await, bench.person("Kim").await);
        let call = ana.call(&ben).await;
        let way = link(&ana, &call).await;
        join(&eva, &way).await.read::<Joined>();
        wants(&ana, &call, "remove", 3).await.read::<Value>();
        wants(&ana, &call, "mute", 2).await.read::<Value>();
        lock(&ana, &call, true).await.read::<Value>();
        ([&ana, &ben, &eva, &kim].map(keep), call, way)
    };
    let bench = bench.crash_and_restart().await;
    let [ana, ben, eva, kim] = tokens.map(|client| again(&bench, &client));
    let now = shown(&ana, &call).await;
    assert!(now.locked && now.peers[1].muted && now.owner == Some(PeerId(1)), "{now:?}");
    assert_eq!(join(&kim, &way).await.code(), ErrorCode::CallLocked);
    ana.fetch(&call, Kind::Audio, 1, 1, 0).await;
    ben.publish(&call, Kind::Audio, 2, 0, true).await;
    assert_eq!(ana.fetch(&call, Kind::Audio, 1, 2, 0).await.chunks(), [], "he is muted still");
    lock(&ana, &call, false).await.read::<Value>();
    assert_eq!(join(&eva, &way).await.code(), ErrorCode::Forbidden, "she is out still");
    join(&kim, &way).await.read::<Joined>();
}
