//! Being seen, being left alone, and what was missed.

use std::time::{Duration, Instant};

use proto::{
    ErrorCode, Event,
    api::{History, Joined, Rung},
    limits::{AWAY, LINE_MAX, REPORT_MAX, RING, VANISHED},
    model::{Choice, InvitationState, Message, MissedCall, OwnPresence, Presence, Relation},
};
use relay::Rate;
use serde_json::{Value, json};

use crate::{
    bench::{Bench, Client, Reply},
    buddies::told,
    command_line::admin,
};

async fn choose(client: &Client<'_>, choice: &str, text: &str) -> Reply {
    client.post("/v1/presence", json!({"choice": choice, "text": text})).await
}

async fn poll_idle(client: &Client<'_>, idle: Duration) -> Reply {
    client.get(&format!("/v1/events?after={}&idle_ms={}", client.cursor, idle.as_millis())).await
}

/// Who rang in vain and how often, as the state has it.
async fn missed(client: &Client<'_>) -> Vec<(String, u32)> {
    client.state().await.missed.into_iter().map(|missed| (missed.from.to_string(), missed.count)).collect()
}

#[tokio::test]
async fn a_choice_and_a_line_are_told_to_buddies_and_own_devices_and_outlive_a_crash() {
    let bench = Bench::new().await;
    let token = {
        let (mut ana, mut ben) = bench.buddies("Ana", "Ben").await;
        choose(&ben, "do_not_disturb", "  Out \u{202e}for tea \u{2069}").await.read::<Value>();
        let own = OwnPresence { choice: Choice::DoNotDisturb, text: "Out for tea".to_owned() };
        assert_eq!(ben.poll(0).await, [Event::OwnPresence { presence: own.clone() }]);
        assert_eq!(ben.state().await.presence, own);
        let [Event::Presence { presence, text, last_seen_ms, .. }] = &ana.poll(0).await[..] else { panic!("not told") };
        assert_eq!((*presence, text.as_str(), *last_seen_ms), (Presence::DoNotDisturb, "Out for tea", None));
        choose(&ben, "do_not_disturb", "Out for tea").await.read::<Value>();
        assert_eq!(ana.poll(0).await, [], "nothing has changed");
        choose(&ben, "away", "").await.read::<Value>();
        assert_eq!(told(&ana.poll(0).await), [("Ben", Presence::Away)]);
        ben.token.clone()
    };
    let bench = bench.crash_and_restart().await;
    let state: proto::api::State = bench.send(axum::http::Method::GET, "/v1/state", Some(&token), "").await.read();
    assert_eq!(state.presence, OwnPresence { choice: Choice::Away, text: String::new() });
}

#[tokio::test]
async fn a_line_that_is_none_is_refused() {
    let bench = Bench::new().await;
    let ana = bench.person("Ana").await;
    for text in ["a\nb", "a\u{7}", "a\u{2028}b", &"x".repeat(LINE_MAX + 1)] {
        assert_eq!(choose(&ana, "available", text).await.code(), ErrorCode::BadRequest, "{text:?}");
    }
    assert_eq!(choose(&ana, "elsewhere", "").await.code(), ErrorCode::BadRequest);
    assert_eq!(ana.post("/v1/presence", json!({})).await.code(), ErrorCode::BadRequest);
    choose(&ana, "available", &"ü".repeat(LINE_MAX)).await.read::<Value>();
}

#[tokio::test]
async fn a_person_is_away_when_all_their_devices_are_idle() {
    let bench = Bench::new().await;
    let (mut ana, ben) = bench.buddies("Ana", "Ben").await;
    let mut second = bench.sign_in("Ben").await;
    second.show_up().await;
    poll_idle(&ben, AWAY).await;
    assert_eq!(ana.poll(0).await, [], "he may be at the other one");
    poll_idle(&second, AWAY * 2).await;
    assert_eq!(told(&ana.poll(0).await), [("Ben", Presence::Away)]);
    poll_idle(&ben, AWAY - Duration::from_millis(1)).await;
    assert_eq!(told(&ana.poll(0).await), [("Ben", Presence::Available)]);
    poll_idle(&ben, AWAY).await;
    assert_eq!(told(&ana.poll(0).await), [("Ben", Presence::Away)]);
    // A ring reaches who is away.
    ana.ring(&ben.name).await;
    ana.poll(0).await;
    // A client that says nothing of it counts as one that is used.
    second.poll(0).await;
    assert_eq!(told(&ana.poll(0).await), [("Ben", Presence::Available)]);
}

#[tokio::test]
async fn when_someone_was_last_there_is_for_mutual_buddies_and_outlives_a_crash() {
    let bench = Bench::new().await;
    let token = {
        let (mut ana, ben) = bench.buddies("Ana", "Ben").await;
        let eva = bench.person("Eva").await;
        eva.add_buddy(&ben.name).await.read::<Value>();
        ben.delete("/v1/session").await.read::<Value>();
        let [Event::Presence { presence: Presence::Offline, last_seen_ms: Some(seen), .. }] = ana.poll(0).await[..] else {
            panic!("not told")
        };
        assert_eq!(ana.state().await.buddies[0].last_seen_ms, Some(seen));
        assert_eq!(eva.state().await.buddies[0].last_seen_ms, None);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
        assert!(u128::from(seen).abs_diff(now) < 60_000);
        bench.sign_in("Ana").await.state().await;
        (ana.token.clone(), seen)
    };
    bench.relay.stop().await;
    let bench = bench.crash_and_restart().await;
    let state: proto::api::State = bench.send(axum::http::Method::GET, "/v1/state", Some(&token.0), "").await.read();
    assert_eq!(state.buddies[0].last_seen_ms, Some(token.1));
}

#[tokio::test]
async fn who_does_not_want_to_be_disturbed_is_not_rung_and_finds_the_call_missed() {
    let bench = Bench::new().await;
    let (mut ana, mut ben) = bench.buddies("Ana", "Ben").await;
    choose(&ben, "do_not_disturb", "").await.read::<Value>();
    ben.poll(0).await;
    ana.poll(0).await;
    for _ in 0..2 {
        assert_eq!(ana.try_ring(&ben.name, None).await.code(), ErrorCode::DoNotDisturb);
    }
    assert_eq!(ana.state().await.call, None);
    let [Event::Missed { calls }] = &ben.poll(0).await[..] else { panic!("told otherwise") };
    assert!(matches!(&calls[..], [MissedCall { count: 1, .. }]), "pressed twice, it is one ring: {calls:?}");
    assert_eq!(ben.state().await.invitations, []);
    // He may ring himself, and then is there for her.
    let rung = ben.ring(&ana.name).await;
    let back: Rung = ana.try_ring(&ben.name, None).await.read();
    assert_eq!((back.invitation.id, back.invitation.state), (rung.invitation.id, InvitationState::Accepted));
}

#[tokio::test]
async fn rings_nobody_answered_are_kept_until_they_were_seen() {
    let bench = Bench::new().await;
    {
        let (ana, mut ben) = bench.buddies("Ana", "Ben").await;
        let mut eva = bench.person("Eva").await;
        eva.befriend(&ben).await;
        eva.show_up().await;
        ana.ring(&ben.name).await;
        bench.relay.tick(Instant::now() + RING);
        assert_eq!(missed(&ben).await, [("Ana".to_owned(), 1)], "it rang too long");
        let rung = eva.ring(&ben.name).await;
        eva.answer(&rung, "cancel").await.read::<Value>();
        assert_eq!(missed(&ben).await.len(), 2, "she took it back");
        let declined = eva.ring(&ben.name).await;
        ben.answer(&declined, "decline").await.read::<Value>();
        let taken = eva.ring(&ben.name).await;
        ben.accept(&taken).await.read::<Joined>();
        eva.post(&format!("/v1/calls/{}/leave", taken.joined.call.id), ()).await.read::<Value>();
        assert_eq!(missed(&ben).await.len(), 2, "answered is not missed");
        ben.poll(0).await;
        let up_to_ms = ben.state().await.missed.iter().map(|missed| missed.at_ms).min().unwrap();
        ben.post("/v1/missed/seen", json!({"up_to_ms": up_to_ms - 1})).await.read::<Value>();
        assert_eq!(ben.poll(0).await, []);
        ben.post("/v1/missed/seen", json!({"from": "eva", "up_to_ms": u64::MAX})).await.read::<Value>();
        assert!(matches!(&ben.poll(0).await[..], [Event::Missed { calls }] if calls.len() == 1));
        assert_eq!(ben.post("/v1/missed/seen", json!({"from": "Nobody", "up_to_ms": 1})).await.code(), ErrorCode::NotFound);
        ben.delete("/v1/session").await.read::<Value>();
        assert_eq!(eva.try_ring(&ben.name, None).await.code(), ErrorCode::Offline);
    }
    let bench = bench.crash_and_restart().await;
    let ben = bench.sign_in("Ben").await;
    let mut names = missed(&ben).await;
    names.sort();
    assert_eq!(names, [("Ana".to_owned(), 1), ("Eva".to_owned(), 1)], "shown at the next sign-in");
    ben.post("/v1/missed/seen", json!({"up_to_ms": u64::MAX})).await.read::<Value>();
    assert_eq!(missed(&ben).await, []);
    let bench = bench.crash_and_restart().await;
    assert_eq!(missed(&bench.sign_in("Ben").await).await, []);
}

#[tokio::test]
async fn who_is_invisible_hears_of_a_ring_at_once() {
    let bench = Bench::new().await;
    let (ana, mut ben) = bench.buddies("Ana", "Ben").await;
    choose(&ben, "invisible", "").await.read::<Value>();
    ben.poll(0).await;
    assert_eq!(ana.try_ring(&ben.name, None).await.code(), ErrorCode::Offline);
    assert!(matches!(&ben.poll(0).await[..], [Event::Missed { calls }] if calls[0].from == ana.name));
}

#[tokio::test]
async fn who_is_seen_again_is_told_to_be_back() {
    let bench = Bench::new().await;
    let (mut ana, ben) = bench.buddies("Ana", "Ben").await;
    choose(&ben, "invisible", "here").await.read::<Value>();
    assert_eq!(told(&ana.poll(0).await), [("Ben", Presence::Offline)]);
    let frozen = ana.state().await.buddies[0].last_seen_ms;
    tokio::time::sleep(Duration::from_millis(5)).await;
    bench.relay.tick(Instant::now() + VANISHED);
    assert_eq!(ana.state().await.buddies[0].last_seen_ms, frozen);
    choose(&ben, "available", "here").await.read::<Value>();
    ben.get(&format!("/v1/events?after={}", ben.cursor)).await;
    assert!(told(&ana.poll(0).await).ends_with(&[("Ben", Presence::Available)]));
}

async fn write(from: &Client<'_>, to: &str, id: &str) -> Reply {
    from.post("/v1/chat", json!({"to": to, "text": format!("message {id}"), "client_id": id})).await
}

/// What someone reads in their conversation with that one.
pub(crate) async fn texts(client: &Client<'_>, with: &str) -> Vec<String> {
    let history: History = client.get(&format!("/v1/chat?with={with}")).await.read();
    history.messages.into_iter().map(|message| message.text).collect()
}

#[tokio::test]
async fn what_the_blocked_writes_is_kept_for_them_alone() {
    let bench = Bench::new().await;
    let (mut ana, mut ben) = bench.buddies("Ana", "Ben").await;
    write(&ben, "Ana", "1").await.read::<Message>();
    ana.post("/v1/blocks", json!({"name": "BEN"})).await.read::<Value>();
    let (_, events) = (ben.poll(0).await, ana.poll(0).await);
    assert!(events.iter().any(|event| matches!(event, Event::Blocked { names } if names[0] == ben.name)), "{events:?}");
    let sent: Message = write(&ben, "Ana", "2").await.read();
    assert_eq!(write(&ben, "Ana", "2").await.read::<Message>(), sent);
    assert!(matches!(&ben.poll(0).await[..], [Event::Chat { message }] if *message == sent));
    assert_eq!(ana.poll(0).await, []);
    assert_eq!((texts(&ana, "Ben").await, texts(&ben, "Ana").await.len()), (vec!["message 1".to_owned()], 2));
    for refused in [write(&ana, "Ben", "1").await, ana.try_ring(&ben.name, None).await, ana.add_buddy(&ben.name).await] {
        assert_eq!(refused.code(), ErrorCode::Forbidden);
    }
    ana.delete("/v1/blocks/Ben").await.read::<Value>();
    write(&ben, "Ana", "3").await.read::<Message>();
    assert_eq!(texts(&ana, "Ben").await, ["message 1", "message 3"], "what was withheld stays so");
    assert_eq!(ana.state().await.blocked, []);
}

#[tokio::test]
async fn what_the_blocked_changes_is_changed_for_them_alone() {
    let bench = Bench::new().await;
    let (mut ana, ben) = bench.buddies("Ana", "Ben").await;
    let id = write(&ben, "Ana", "1").await.read::<Message>().id.0;
    let before: Value = ana.state().await.conversations.iter().map(|it| json!(it)).collect();
    ana.post("/v1/blocks", json!({"name": "Ben"})).await.read::<Value>();
    ana.poll(0).await;
    let edit = async |text: &str| ben.post(&format!("/v1/chat/{id}"), json!({"text": text})).await.read::<Message>();
    let edited = edit("You will read this").await;
    assert_eq!((edited.text.as_str(), edited.edited_at_ms.is_some()), ("You will read this", true));
    assert_eq!(write(&ben, "Ana", "1").await.read::<Message>(), edited, "sent again it is as he knows it");
    assert_eq!(texts(&ben, "Ana").await, ["You will read this"]);
    assert_eq!(ben.state().await.conversations[0].last.as_ref().unwrap().text, "You will read this");
    write(&ben, "Ana", "2").await.read::<Message>();
    assert_eq!(texts(&ana, "Ben").await, ["message 1"]);
    let seen: Value = ana.state().await.conversations.iter().map(|it| json!(it)).collect();
    assert_eq!(seen, before, "nor do his marks tell of it");
    assert_eq!(ana.poll(0).await, []);
    ana.delete("/v1/blocks/Ben").await.read::<Value>();
    assert_eq!(texts(&ana, "Ben").await, ["message 1"], "what was withheld stays so");
    edit("In the open").await;
    assert_eq!((texts(&ana, "Ben").await, texts(&ben, "Ana").await.len()), (vec!["In the open".to_owned()], 2));
    ana.post("/v1/blocks", json!({"name": "Ben"})).await.read::<Value>();
    edit("Once more").await;
    let deleted: Message = ben.delete(&format!("/v1/chat/{id}")).await.read();
    assert!(deleted.deleted && deleted.text.is_empty() && deleted.edited_at_ms.is_none());
    assert_eq!(
        (texts(&ana, "Ben").await, texts(&ben, "Ana").await),
        (vec![String::new()], vec![String::new(), "message 2".to_owned()])
    );
}

#[tokio::test]
async fn who_is_blocked_asks_in_vain_and_the_block_outlives_a_crash() {
    let bench = Bench::new().await;
    let (ana, ben) = {
        let (mut ana, ben) = (bench.person("Ana").await, bench.person("Ben").await);
        assert_eq!(ana.post("/v1/blocks", json!({"name": "Ana"})).await.code(), ErrorCode::BadRequest);
        assert_eq!(ana.post("/v1/blocks", json!({"name": "Nobody"})).await.code(), ErrorCode::NotFound);
        for _ in 0..2 {
            ana.post("/v1/blocks", json!({"name": "Ben"})).await.read::<Value>();
        }
        ana.poll(0).await;
        ben.add_buddy(&ana.name).await.read::<Value>();
        assert_eq!(ana.state().await.buddies, []);
        assert_eq!(ben.state().await.buddies[0].relation, Relation::Asked);
        assert!(ana.poll(0).await.iter().all(|event| matches!(event, Event::Roster { buddies } if buddies.is_empty())));
        (ana.token.clone(), ben.token.clone())
    };
    let bench = bench.crash_and_restart().await;
    let get = async |token: &str, path: &str| bench.send(axum::http::Method::GET, path, Some(token), "").await;
    let state: proto::api::State = get(&ana, "/v1/state").await.read();
    assert_eq!((state.blocked.len(), state.buddies.len()), (1, 0));
    let unblock = bench.send(axum::http::Method::DELETE, "/v1/blocks/Ben", Some(&ana), "").await;
    unblock.read::<Value>();
    let state: proto::api::State = get(&ana, "/v1/state").await.read();
    assert_eq!((state.blocked.len(), state.buddies[0].relation), (0, Relation::Asking), "now she sees it");
    assert_eq!(get(&ben, "/v1/state").await.read::<proto::api::State>().buddies[0].presence, Presence::Offline);
}

#[tokio::test]
async fn a_ring_of_the_blocked_stops_for_the_one_who_blocks_and_rings_on_for_them() {
    let bench = Bench::new().await;
    let (ana, mut ben) = bench.buddies("Ana", "Ben").await;
    ana.ring(&ben.name).await;
    ben.poll(0).await;
    ben.post("/v1/blocks", json!({"name": "Ana"})).await.read::<Value>();
    let events = ben.poll(0).await;
    let over = |event: &Event| matches!(event, Event::Invitation { invitation } if invitation.state == InvitationState::Canceled);
    assert!(events.iter().any(over), "{events:?}");
    assert_eq!((ben.state().await.invitations.len(), ana.state().await.invitations.len()), (0, 1));
    bench.relay.tick(Instant::now() + RING);
    // By then she has not polled for long; nothing else has happened, nor is the call missed.
    assert_eq!(told(&ben.poll(0).await), [("Ana", Presence::Offline)]);
    assert_eq!(missed(&ben).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_reaches_whoever_runs_the_relay_and_nobody_else() {
    let bench = Bench::with(|config| config.rates.report = Rate { burst: 2.0, per_second: 0.001 }).await;
    let (ana, mut ben) = bench.buddies("Ana", "Ben").await;
    let report = async |name: &str, text: &str| ana.post("/v1/reports", json!({"name": name, "text": text})).await;
    for (name, text) in [("Ben", " "), ("Ben", "a\u{1b}[2J"), ("Ben", &*"x".repeat(REPORT_MAX + 1)), ("Ana", "me")] {
        assert_eq!(report(name, text).await.code(), ErrorCode::BadRequest);
    }
    assert_eq!(report("Nobody", "x").await.code(), ErrorCode::NotFound);
    report("ben", "Rings \u{202e}every night.\nAnd laughs.").await.read::<Value>();
    report("Ben", "Again.").await.read::<Value>();
    assert_eq!(report("Ben", "And again.").await.code(), ErrorCode::RateLimited);
    assert_eq!(ben.poll(0).await, []);
    let reports = bench.admin().await.reports().await.unwrap();
    assert_eq!((reports.len(), reports[0].by.as_str(), reports[0].about.as_str()), (2, "Ana", "Ben"));
    let list = || String::from_utf8(admin(bench.folder.path(), &["report", "list"]).stdout).unwrap();
    let number = reports[0].id.to_string();
    assert!(list().starts_with(&format!("{number}\t0\tAna\tBen\n\tRings every night.\n\tAnd laughs.\n")), "{}", list());
    assert!(admin(bench.folder.path(), &["report", "close", &number]).status.success());
    assert!(!admin(bench.folder.path(), &["report", "close", &number]).status.success());
    assert!(!list().contains("every night") && list().contains("Again."));
}
