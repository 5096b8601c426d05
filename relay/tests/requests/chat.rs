//! Chat.

use proto::{
    ErrorCode, Event,
    api::History,
    limits::{CLIENT_ID_MAX, HISTORY_MAX, TEXT_MAX},
    model::Message,
};
use serde_json::json;

use crate::bench::{Bench, Client, Reply};

async fn write(from: &Client<'_>, to: &str, text: &str, client_id: &str) -> Reply {
    from.post("/v1/chat", json!({"to": to, "text": text, "client_id": client_id})).await
}

#[tokio::test]
async fn a_message_reaches_every_client_of_both_and_a_repeated_one_nobody() {
    let bench = Bench::new().await;
    let (mut ana, mut ben) = bench.buddies("Ana", "Ben").await;
    let mut second = bench.sign_in("Ben").await;
    second.show_up().await;
    let message: Message = write(&ana, "ben", "Grüße\n<b>x</b>", "a1").await.read();
    assert_eq!((message.from.as_str(), message.to.as_str(), message.text.as_str()), ("Ana", "Ben", "Grüße\n<b>x</b>"));
    assert_eq!(write(&ana, "Ben", "Grüße\n<b>x</b>", "a1").await.read::<Message>(), message);
    for client in [&mut ana, &mut ben, &mut second] {
        assert_eq!(client.poll(0).await, [Event::Chat { message: message.clone() }]);
    }
    let same_id: Message = write(&ben, "Ana", "mine", "a1").await.read();
    assert!(same_id.id > message.id, "a client id is the sender's own");
}

#[tokio::test]
async fn history_comes_by_pages_in_both_directions() {
    let bench = Bench::new().await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    let mut ids = Vec::new();
    for number in 0..7 {
        let (from, to) = if number % 2 == 0 { (&ana, "Ben") } else { (&ben, "Ana") };
        ids.push(write(from, to, &number.to_string(), &number.to_string()).await.read::<Message>().id.0);
    }
    let page = async |query: &str| {
        let history: History = ben.get(&format!("/v1/chat?with=ana{query}")).await.read();
        (history.messages.iter().map(|message| message.text.clone()).collect::<String>(), history.more)
    };
    assert_eq!(page("").await, ("0123456".to_owned(), false));
    assert_eq!(page("&limit=3").await, ("456".to_owned(), true));
    assert_eq!(page(&format!("&limit=3&before={}", ids[4])).await, ("123".to_owned(), true));
    assert_eq!(page(&format!("&limit=3&before={}", ids[3])).await, ("012".to_owned(), false));
    assert_eq!(page(&format!("&limit=3&after={}", ids[1])).await, ("234".to_owned(), true));
    assert_eq!(page(&format!("&limit=3&after={}", ids[3])).await, ("456".to_owned(), false));
    assert_eq!(page(&format!("&after={}&before={}", ids[1], ids[5])).await, ("234".to_owned(), false));
    assert_eq!(page(&format!("&after={}", u64::MAX)).await, (String::new(), false));
    assert_eq!(page("&before=0").await, (String::new(), false));
}

#[tokio::test]
async fn conversations_are_between_two() {
    let bench = Bench::new().await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    let eva = bench.person("Eva").await;
    eva.befriend(&ana).await;
    write(&ana, "Ben", "for Ben", "1").await.read::<Message>();
    write(&ana, "Eva", "for Eva", "2").await.read::<Message>();
    let history: History = ben.get("/v1/chat?with=Ana").await.read();
    assert_eq!(history.messages.len(), 1);
    let history: History = eva.get("/v1/chat?with=Ben").await.read();
    assert_eq!(history.messages, []);
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_and_not_kept() {
    let bench = Bench::new().await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    bench.sign_up("Eva").await;
    assert_eq!(write(&ana, "Eva", "hi", "1").await.code(), ErrorCode::Forbidden);
    ben.add_buddy(&"Eva".parse().unwrap()).await;
    assert_eq!(write(&ben, "Eva", "hi", "1").await.code(), ErrorCode::Forbidden, "asked is not yet mutual");
    assert_eq!(write(&ana, "Nobody", "hi", "1").await.code(), ErrorCode::NotFound);
    assert_eq!(write(&ana, "Ana", "hi", "1").await.code(), ErrorCode::Forbidden);
    for (text, id) in [
        ("", "1"),
        (" \n", "1"),
        (&"x".repeat(TEXT_MAX + 1), "1"),
        ("hi", ""),
        ("hi", &"x".repeat(CLIENT_ID_MAX + 1)),
        ("hi", "\n"),
    ] {
        assert_eq!(write(&ana, "Ben", text, id).await.code(), ErrorCode::BadRequest);
    }
    for query in [
        "",
        "?with=",
        "?with=Ben&limit=0",
        &format!("?with=Ben&limit={}", HISTORY_MAX + 1),
        "?with=Ben&before=-1",
        "?with=Ben&limit=x",
    ] {
        assert_eq!(ana.get(&format!("/v1/chat{query}")).await.code(), ErrorCode::BadRequest, "{query}");
    }
    assert_eq!(ana.get("/v1/chat?with=Nobody").await.code(), ErrorCode::NotFound);
    assert_eq!(ana.get("/v1/chat?with=Ben").await.read::<History>().messages, []);
    write(&ana, "Ben", &"😀".repeat(TEXT_MAX), "1").await.read::<Message>();
    assert_eq!(write(&ana, "Ben", "another", "1").await.code(), ErrorCode::BadRequest);
    assert_eq!(ana.get("/v1/chat?with=Ben").await.read::<History>().messages.len(), 1);
}
