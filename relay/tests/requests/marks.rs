//! How far messages have come, what is unread, and who is typing.

use std::time::Instant;

use proto::{
    Chat, ErrorCode, Event, MessageId,
    chat::{Conversation, Group, Marks},
    limits::{PREVIEW_MAX, TYPING, UNREAD_MAX, VANISHED},
    model::Message,
};
use serde_json::{Value, json};

use crate::bench::{Bench, Client};

async fn write(from: &Client<'_>, to: &str, text: &str, client_id: &str) -> Message {
    from.post("/v1/chat", json!({"to": to, "text": text, "client_id": client_id})).await.read()
}

async fn mark(by: &Client<'_>, body: Value) {
    by.post("/v1/chat/marks", body).await.read::<Value>();
}

fn marks(name: &str, delivered: u64, read: u64) -> Marks {
    Marks { name: name.parse().unwrap(), delivered: MessageId(delivered), read: MessageId(read), after: None }
}

fn with(name: &str) -> Chat {
    Chat::With(name.parse().unwrap())
}

/// The events of marks among these.
fn moved(events: Vec<Event>) -> Vec<(Chat, Marks, Option<u32>)> {
    let marks = events.into_iter().filter_map(|event| match event {
        Event::Marks { chat, marks, unread } => Some((chat, marks, unread)),
        _ => None,
    });
    marks.collect()
}

async fn conversation(of: &Client<'_>, chat: &Chat) -> Conversation {
    let found = of.state().await.conversations.into_iter().find(|conversation| conversation.chat == *chat);
    found.expect("the conversation is in the state")
}

#[tokio::test]
async fn marks_move_forward_for_both_sides_to_see() {
    let bench = Bench::new().await;
    let (mut ana, mut ben) = bench.buddies("Ana", "Ben").await;
    let mut second = bench.sign_in("Ben").await;
    second.show_up().await;
    mark(&ben, json!({"with": "Ana", "read": 5})).await;
    assert_eq!(moved(ana.poll(0).await), [], "where nothing was written nothing is read");
    let one = write(&ana, "Ben", "one", "1").await.id.0;
    let two = write(&ana, "Ben", "two", "2").await.id.0;
    let before = conversation(&ben, &with("Ana")).await;
    assert_eq!((before.unread, before.last.as_ref().unwrap().text.as_str()), (2, "two"));
    assert_eq!(before.marks, [marks("Ben", 0, 0), marks("Ana", two, two)], "who writes has read what came before");
    for client in [&mut ana, &mut ben, &mut second] {
        client.poll(0).await;
    }
    mark(&ben, json!({"with": "ana", "delivered": two})).await;
    mark(&ben, json!({"with": "Ana", "read": one})).await;
    let seen_by_ana = [(with("Ben"), marks("Ben", two, 0), None), (with("Ben"), marks("Ben", two, one), None)];
    assert_eq!(moved(ana.poll(0).await), seen_by_ana);
    for own in [&mut ben, &mut second] {
        let events = moved(own.poll(0).await);
        assert_eq!(events[0].1, marks("Ben", two, 0));
        assert_eq!(events[1], (with("Ana"), marks("Ben", two, one), Some(1)));
    }
    for backwards in [json!({"with": "Ana", "read": 0, "delivered": one}), json!({"with": "Ana"})] {
        mark(&ben, backwards).await;
    }
    assert_eq!((moved(ana.poll(0).await), moved(ben.poll(0).await)), (vec![], vec![]));
    mark(&ben, json!({"with": "Ana", "read": u64::MAX})).await;
    assert_eq!(moved(ana.poll(0).await), [(with("Ben"), marks("Ben", two, two), None)], "nobody reads what is not written");
    assert_eq!(conversation(&ben, &with("Ana")).await.unread, 0);
    assert_eq!(conversation(&ana, &with("Ben")).await.marks, [marks("Ana", two, two), marks("Ben", two, two)]);
    for (bad, code) in [
        (json!({"read": 1}), ErrorCode::BadRequest),
        (json!({"with": "Ana", "group": "x", "read": 1}), ErrorCode::BadRequest),
        (json!({"with": "Nobody", "read": 1}), ErrorCode::NotFound),
        (json!({"group": "none", "read": 1}), ErrorCode::NotFound),
        (json!({"with": "Ana", "read": -1}), ErrorCode::BadRequest),
    ] {
        assert_eq!(ben.post("/v1/chat/marks", &bad).await.code(), code, "{bad}");
    }
}

#[tokio::test]
async fn a_group_shows_how_far_each_has_read() {
    let bench = Bench::new().await;
    let (ana, mut ben) = bench.buddies("Ana", "Ben").await;
    let mut eva = bench.person("Eva").await;
    eva.befriend(&ana).await;
    let wish = json!({"title": "Lunch", "members": ["Ben", "Eva"], "client_id": "g"});
    let group: Group = ana.post("/v1/groups", wish).await.read();
    let chat = Chat::Group(group.id.clone());
    assert_eq!(conversation(&ben, &chat).await.last, None);
    let wish = json!({"group": group.id, "text": "hello", "client_id": "1"});
    let id = ana.post("/v1/chat", wish).await.read::<Message>().id.0;
    eva.show_up().await;
    ben.show_up().await;
    assert_eq!(conversation(&eva, &chat).await.unread, 1);
    mark(&eva, json!({"group": group.id, "read": id})).await;
    assert_eq!(moved(ben.poll(0).await), [(chat.clone(), marks("Eva", id, id), None)]);
    assert_eq!(moved(eva.poll(0).await), [(chat.clone(), marks("Eva", id, id), Some(0))]);
    let seen = conversation(&ana, &chat).await;
    assert_eq!(seen.marks, [marks("Ana", id, id), marks("Ben", 0, 0), marks("Eva", id, id)]);
    assert_eq!(seen.unread, 0);
}

#[tokio::test]
async fn who_comes_later_has_read_nothing_of_before() {
    let bench = Bench::new().await;
    let (ana, mut ben) = bench.buddies("Ana", "Ben").await;
    let eva = bench.buddy_of("Eva", &[&ana]).await;
    let group: Group = ana.post("/v1/groups", json!({"title": "Lunch", "members": ["Ben"], "client_id": "g"})).await.read();
    let chat = Chat::Group(group.id.clone());
    let write = async |client_id: &str| {
        let wish = json!({"group": group.id, "text": "hello", "client_id": client_id});
        ana.post("/v1/chat", wish).await.read::<Message>().id.0
    };
    let before = write("1").await;
    ana.post(&format!("/v1/groups/{}/members", group.id), json!({"name": "Eva"})).await.read::<Group>();
    let of_eva = |read: u64| Marks { after: Some(MessageId(before)), ..marks("Eva", read, read) };
    assert_eq!(conversation(&ana, &chat).await.marks[2], of_eva(0));
    let seen = conversation(&eva, &chat).await;
    assert_eq!((seen.unread, &seen.marks[0]), (0, &of_eva(before)), "nor has she anything to read");
    let later = write("2").await;
    ben.poll(0).await;
    mark(&eva, json!({"group": group.id, "read": later})).await;
    assert_eq!(moved(ben.poll(0).await), [(chat.clone(), of_eva(later), None)]);
    assert_eq!(conversation(&ana, &chat).await.marks[2], of_eva(later));
}

#[tokio::test]
async fn who_is_not_seen_shows_nothing_by_what_they_read_or_write() {
    let bench = Bench::new().await;
    let (mut ana, mut ben) = bench.buddies("Ana", "Ben").await;
    let id = write(&ana, "Ben", "are you there?", "1").await.id.0;
    // As far as Ana knows Ben is not there any more.
    bench.relay.tick(Instant::now() + VANISHED);
    ana.show_up().await;
    mark(&ben, json!({"with": "Ana", "read": id})).await;
    ben.post("/v1/chat/typing", json!({"with": "Ana"})).await.read::<Value>();
    assert_eq!(ana.poll(0).await, []);
    assert_eq!(conversation(&ana, &with("Ben")).await.marks[1], marks("Ben", 0, 0));
    assert_eq!(conversation(&ben, &with("Ana")).await.unread, 0, "for himself it is read");
    ben.show_up().await;
    ana.poll(0).await;
    mark(&ben, json!({"with": "Ana", "read": id})).await;
    assert_eq!(moved(ana.poll(0).await), [(with("Ben"), marks("Ben", id, id), None)], "once he is seen it is told");
    let later = write(&ana, "Ben", "good", "2").await.id.0;
    ben.delete("/v1/buddies/Ana").await;
    ana.poll(0).await;
    mark(&ben, json!({"with": "Ana", "read": later})).await;
    assert_eq!(moved(ana.poll(0).await), [], "nor of whoever wants no more of her");
    assert_eq!(ben.post("/v1/chat/typing", json!({"with": "Ana"})).await.code(), ErrorCode::Forbidden);
}

#[tokio::test]
async fn the_state_tells_what_was_missed_and_no_more_than_that() {
    let bench = Bench::new().await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    let long = "ü".repeat(PREVIEW_MAX + 1);
    let mut last = MessageId(0);
    for number in 0..=UNREAD_MAX {
        last = write(&ana, "Ben", &long, &number.to_string()).await.id;
    }
    let seen = conversation(&ben, &with("Ana")).await;
    let preview = seen.last.unwrap();
    assert_eq!((seen.unread, preview.id, preview.text.chars().count()), (UNREAD_MAX, last, PREVIEW_MAX));
    ana.delete(&format!("/v1/chat/{}", last.0)).await.read::<Message>();
    let preview = conversation(&ben, &with("Ana")).await.last.unwrap();
    assert!(preview.deleted && preview.text.is_empty());
    mark(&ben, json!({"with": "Ana", "read": last.0 - 2})).await;
    assert_eq!(conversation(&ben, &with("Ana")).await.unread, 1, "what is deleted needs no reading");
    assert_eq!(ana.state().await.attachment_max, 25_000_000);
}

#[tokio::test]
async fn typing_is_told_to_the_others_and_kept_nowhere() {
    let bench = Bench::new().await;
    let (mut ana, mut ben) = bench.buddies("Ana", "Ben").await;
    ben.post("/v1/chat/typing", json!({"with": "Ana"})).await.read::<Value>();
    let expires_in_ms = TYPING.as_millis() as u64;
    assert_eq!(ana.poll(0).await, [Event::Typing { chat: with("Ben"), name: "Ben".parse().unwrap(), expires_in_ms }]);
    assert_eq!(ben.poll(0).await, []);
    assert_eq!(ana.state().await.conversations, []);
    let mut refused = None;
    for _ in 0..20 {
        let reply = ben.post("/v1/chat/typing", json!({"with": "Ana"})).await;
        if reply.status != 200 {
            refused = Some((reply.code(), reply.retry_after_ms().is_some()));
        }
    }
    assert_eq!(refused, Some((ErrorCode::RateLimited, true)));
}
