//! Groups.

use std::time::Duration;

use proto::{
    ErrorBody, ErrorCode, Event,
    api::History,
    chat::Group,
    limits::{GROUP_MEMBERS_MAX, GROUP_TITLE_MAX, GROUPS_MAX},
    model::Message,
};
use serde_json::{Value, json};

use crate::bench::{Bench, Client, Reply};

/// Ana with Ben and Eva in her list, who don't know each other.
async fn three(bench: &Bench) -> (Client<'_>, Client<'_>, Client<'_>) {
    let (mut ana, mut ben) = bench.buddies("Ana", "Ben").await;
    let mut eva = bench.person("Eva").await;
    eva.befriend(&ana).await;
    for client in [&mut ana, &mut ben, &mut eva] {
        client.show_up().await;
    }
    (ana, ben, eva)
}

async fn try_make(by: &Client<'_>, title: &str, members: &[&str], client_id: &str) -> Reply {
    by.post("/v1/groups", json!({"title": title, "members": members, "client_id": client_id})).await
}

async fn write(by: &Client<'_>, group: &Group, text: &str, client_id: &str) -> Reply {
    by.post("/v1/chat", json!({"group": group.id, "text": text, "client_id": client_id})).await
}

async fn texts(of: &Client<'_>, group: &Group) -> Vec<String> {
    let history: History = of.get(&format!("/v1/chat?group={}", group.id)).await.read();
    history.messages.into_iter().map(|message| message.text).collect()
}

#[tokio::test]
async fn what_one_writes_all_members_get_and_nobody_else() {
    let bench = Bench::new().await;
    let (mut ana, mut ben, mut eva) = three(&bench).await;
    let mut kim = bench.person("Kim").await;
    let group: Group = try_make(&ana, " Sunday \u{202e}  lunch\u{200f} ", &["ben", "Eva", "Ben"], "g1").await.read();
    assert_eq!((group.title.as_str(), group.owner.as_str()), ("Sunday lunch", "Ana"));
    assert_eq!(group.members.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["Ana", "Ben", "Eva"]);
    assert_eq!(try_make(&ana, "Sunday lunch", &["Ben", "Eva"], "g1").await.read::<Group>(), group, "one id, one group");
    let message: Message = write(&ben, &group, "Who brings the cake?", "1").await.read();
    assert_eq!((message.to, message.group), (None, Some(group.id.clone())));
    assert_eq!(write(&ben, &group, "Who brings the cake?", "1").await.read::<Message>().id, message.id);
    assert_eq!(write(&ben, &group, "another", "1").await.code(), ErrorCode::BadRequest);
    for client in [&mut ana, &mut ben, &mut eva] {
        let events = client.poll(0).await;
        assert_eq!(events[0], Event::Group { group: group.clone() });
        let Event::Chat { message } = &events[1] else { panic!("{events:?}") };
        assert_eq!((message.text.as_str(), events.len()), ("Who brings the cake?", 2));
        assert_eq!(texts(client, &group).await, ["Who brings the cake?"]);
        assert_eq!(client.state().await.groups, std::slice::from_ref(&group));
    }
    assert_eq!(kim.poll(0).await, []);
    assert_eq!(write(&kim, &group, "hi", "1").await.code(), ErrorCode::NotFound);
    assert_eq!(kim.get(&format!("/v1/chat?group={}", group.id)).await.code(), ErrorCode::NotFound);
    assert_eq!(kim.post("/v1/chat/typing", json!({"group": group.id})).await.code(), ErrorCode::NotFound);
    // What is said in a group is in no conversation of two.
    assert_eq!(ana.get("/v1/chat?with=Ben").await.read::<History>().messages, []);
    assert_eq!(ben.get("/v1/chat?with=Ben").await.read::<History>().messages, []);
}

#[tokio::test]
async fn a_group_is_no_way_round_a_block() {
    let bench = Bench::new().await;
    let (mut ana, ben, _eva) = three(&bench).await;
    let group: Group = try_make(&ben, "Before", &["Ana"], "g1").await.read();
    ana.post("/v1/blocks", json!({"name": "Ben"})).await.read::<Value>();
    ana.poll(0).await;
    let in_vain = try_make(&ben, "After", &["Ana"], "g2").await;
    let refusal: ErrorBody = serde_json::from_slice(&in_vain.body).unwrap();
    assert_eq!(refusal.error.code, ErrorCode::Forbidden);
    assert!(!refusal.error.message.contains("block"), "{refusal:?}");
    assert_eq!(try_make(&ana, "Mine", &["Ben"], "g1").await.code(), ErrorCode::Forbidden);
    let other: Group = try_make(&ana, "Mine", &["Eva"], "g2").await.read();
    assert_eq!(ana.post(&format!("/v1/groups/{}/members", other.id), json!({"name": "Ben"})).await.code(), ErrorCode::Forbidden);
    let groups = ana.state().await.groups;
    assert!(groups.len() == 2 && groups.contains(&group) && groups.contains(&other), "{groups:?}");
}

#[tokio::test]
async fn who_comes_later_reads_from_then_on() {
    let bench = Bench::new().await;
    let (ana, mut ben, mut eva) = three(&bench).await;
    let group: Group = try_make(&ana, "Lunch", &["Ben"], "g1").await.read();
    let before: Message = write(&ana, &group, "a secret of before", "1").await.read();
    assert_eq!(
        ben.post(&format!("/v1/groups/{}/members", group.id), json!({"name": "Eva"})).await.code(),
        ErrorCode::Forbidden,
        "she is no buddy of his"
    );
    let members = format!("/v1/groups/{}/members", group.id);
    let now: Group = ana.post(&members, json!({"name": "eva"})).await.read();
    assert_eq!(now.members.len(), 3);
    assert_eq!(ana.post(&members, json!({"name": "Eva"})).await.read::<Group>(), now, "again changes nothing");
    write(&ben, &group, "welcome", "1").await.read::<Message>();
    assert_eq!(texts(&eva, &group).await, ["welcome"]);
    assert_eq!(texts(&ben, &group).await, ["a secret of before", "welcome"]);
    let conversation = &eva.state().await.conversations[0];
    assert_eq!((conversation.unread, conversation.last.as_ref().unwrap().text.as_str()), (1, "welcome"));
    ben.poll(0).await;
    eva.poll(0).await;
    // Not even by a change of it.
    ana.post(&format!("/v1/chat/{}", before.id.0), json!({"text": "a changed secret"})).await.read::<Message>();
    assert_eq!((ben.poll(0).await.len(), eva.poll(0).await.len()), (1, 0));
    ana.delete(&format!("/v1/groups/{}/members/Ben", group.id)).await.read::<Value>();
    ana.post(&members, json!({"name": "Ben"})).await.read::<Group>();
    assert_eq!(texts(&ben, &group).await, Vec::<String>::new(), "who comes back comes later, too");
}

#[tokio::test]
async fn what_was_done_is_answered_again_whatever_has_changed_since() {
    let bench = Bench::new().await;
    let (ana, ben, _eva) = three(&bench).await;
    let group: Group = try_make(&ana, "Lunch", &["Ben"], "g1").await.read();
    let message: Message = write(&ben, &group, "Gladly", "1").await.read();
    ben.delete("/v1/buddies/Ana").await.read::<Value>();
    assert_eq!(try_make(&ana, "Lunch", &["Ben"], "g1").await.read::<Group>(), group);
    ben.delete(&format!("/v1/groups/{}/members/Ben", group.id)).await.read::<Value>();
    assert_eq!(write(&ben, &group, "Gladly", "1").await.read::<Message>(), message);
    assert_eq!(write(&ben, &group, "Another", "1").await.code(), ErrorCode::BadRequest);
    assert_eq!(write(&ben, &group, "Another", "2").await.code(), ErrorCode::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_from_the_relay_is_out_of_their_groups_for_all_to_see() {
    let bench = Bench::new().await;
    let (mut ana, ben, mut eva) = three(&bench).await;
    let group: Group = try_make(&ben, "Lunch", &["Ana"], "g1").await.read();
    ana.post(&format!("/v1/groups/{}/members", group.id), json!({"name": "Eva"})).await.read::<Group>();
    for client in [&mut ana, &mut eva] {
        client.poll(0).await;
    }
    bench.admin().await.remove_user(&ben.name).await.unwrap();
    for client in [&mut ana, &mut eva] {
        let told = async {
            loop {
                let events = client.next().await;
                if let Some(Event::Group { group }) = events.into_iter().find(|event| matches!(event, Event::Group { .. })) {
                    break group;
                }
            }
        };
        let told = tokio::time::timeout(Duration::from_secs(10), told).await.expect("the others are told");
        assert_eq!((told.owner.as_str(), told.members.len()), ("Ana", 2));
    }
}

#[tokio::test]
async fn members_leave_and_the_owner_removes() {
    let bench = Bench::new().await;
    let (mut ana, mut ben, eva) = three(&bench).await;
    let group: Group = try_make(&ana, "Lunch", &["Ben", "Eva"], "g1").await.read();
    let member = |name: &str| format!("/v1/groups/{}/members/{name}", group.id);
    let path = format!("/v1/groups/{}", group.id);
    assert_eq!(ben.delete(&member("Eva")).await.code(), ErrorCode::Forbidden);
    assert_eq!(ben.post(&path, json!({"title": "Ben's"})).await.code(), ErrorCode::Forbidden);
    assert_eq!(ana.post(&path, json!({"title": "Dinner"})).await.read::<Group>().title, "Dinner");
    ana.poll(0).await;
    ben.poll(0).await;
    ana.delete(&member("Ana")).await.read::<Value>();
    assert_eq!(ana.poll(0).await, [Event::GroupLeft { group: group.id.clone() }]);
    let events = ben.poll(0).await;
    let [Event::Group { group: now }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((now.owner.as_str(), now.members.len()), ("Ben", 2), "whoever has been there longest owns it now");
    assert_eq!(write(&ana, &group, "hi", "1").await.code(), ErrorCode::NotFound);
    assert_eq!(ana.delete(&member("Ana")).await.code(), ErrorCode::NotFound);
    assert_eq!(ana.state().await.groups, []);
    ben.delete(&member("Eva")).await.read::<Value>();
    assert_eq!(eva.state().await.groups, []);
    assert_eq!(ben.delete(&member("Eva")).await.status, 200, "gone is gone");
    write(&ben, &group, "alone", "1").await.read::<Message>();
    ben.delete(&member("ben")).await.read::<Value>();
    assert_eq!(ben.get(&format!("/v1/chat?group={}", group.id)).await.code(), ErrorCode::NotFound);
}

#[tokio::test]
async fn groups_and_their_members_are_bounded() {
    let bench = Bench::new().await;
    let (ana, _ben, _eva) = three(&bench).await;
    bench.sign_up("Kim").await;
    for (title, members, code) in [
        ("", &["Ben"][..], ErrorCode::BadRequest),
        (" \n ", &["Ben"], ErrorCode::BadRequest),
        ("\u{2066}\u{2069}", &["Ben"], ErrorCode::BadRequest),
        (&"x".repeat(GROUP_TITLE_MAX + 1), &["Ben"], ErrorCode::BadRequest),
        ("a\u{7}b", &["Ben"], ErrorCode::BadRequest),
        ("Lunch", &["Ben", "Kim"], ErrorCode::Forbidden),
        ("Lunch", &["Nobody"], ErrorCode::NotFound),
        ("Lunch", &["Ana"], ErrorCode::Forbidden),
    ] {
        assert_eq!(try_make(&ana, title, members, "1").await.code(), code, "{title:?} {members:?}");
    }
    assert_eq!(ana.get("/v1/chat?group=%00").await.code(), ErrorCode::NotFound);
    for path in ["/v1/groups/none", "/v1/groups/none/members", "/v1/groups/%00"] {
        assert_eq!(ana.post(path, json!({"title": "x", "name": "Ben"})).await.code(), ErrorCode::NotFound);
    }
    for number in 0..GROUPS_MAX {
        try_make(&ana, "Lunch", &[], &format!("g{number}")).await.read::<Group>();
    }
    assert_eq!(try_make(&ana, "Lunch", &[], "more").await.code(), ErrorCode::Forbidden);
    try_make(&ana, "Lunch", &[], "g0").await.read::<Group>();
    assert_eq!(ana.state().await.groups.len(), GROUPS_MAX);
}

#[tokio::test]
async fn a_group_has_so_many_members_and_no_more() {
    let bench = Bench::with(|config| config.rates.sign_up.burst = 1000.0).await;
    let ana = bench.person("Ana").await;
    let names: Vec<String> = (0..GROUP_MEMBERS_MAX).map(|number| format!("p{number}")).collect();
    for name in &names {
        bench.sign_up(name).await;
        bench.sign_in(name).await.befriend(&ana).await;
    }
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(try_make(&ana, "Crowd", &all, "1").await.code(), ErrorCode::Forbidden);
    let group: Group = try_make(&ana, "Crowd", &all[1..], "1").await.read();
    assert_eq!(group.members.len(), GROUP_MEMBERS_MAX);
    let members = format!("/v1/groups/{}/members", group.id);
    assert_eq!(ana.post(&members, json!({"name": "p0"})).await.code(), ErrorCode::Forbidden);
}
