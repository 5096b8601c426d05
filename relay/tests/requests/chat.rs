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
    assert_eq!(
        (message.from.as_str(), message.to.as_ref().unwrap().as_str(), message.text.as_str()),
        ("Ana", "Ben", "Grüße\n<b>x</b>")
    );
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
        "?with=Ben&group=x",
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

#[tokio::test]
async fn html_is_cleaned_and_the_text_says_the_same() {
    let bench = Bench::new().await;
    let (ana, mut ben) = bench.buddies("Ana", "Ben").await;
    let html = "<p onclick=x>See <b>this</b>:</p><script>alert(1)</script><a href='https://example.org/'>here</a><a href='javascript:x'>not here</a>";
    let wish = json!({"to": "Ben", "html": html, "client_id": "1"});
    let message: Message = ana.post("/v1/chat", &wish).await.read();
    assert_eq!(message.text, "See this:\n\nhere (https://example.org/)not here");
    let clean = r#"<p>See <b>this</b>:</p><a href="https://example.org/">here</a><a>not here</a>"#;
    assert_eq!(message.html.as_deref(), Some(clean));
    assert_eq!(ben.poll(0).await, [Event::Chat { message: message.clone() }]);
    assert_eq!(ana.post("/v1/chat", &wish).await.read::<Message>(), message, "a repetition is known by what is left");
    let both = json!({"to": "Ben", "text": "own words", "html": "<i>x</i>", "client_id": "2"});
    let both: Message = ana.post("/v1/chat", both).await.read();
    assert_eq!((both.text.as_str(), both.html.as_deref()), ("own words", Some("<i>x</i>")));
    for html in ["<script>x</script>", "<p></p>", "", &"x".repeat(proto::limits::HTML_MAX + 1), &"<br>".repeat(5000)] {
        let wish = json!({"to": "Ben", "html": html, "client_id": "3"});
        assert_eq!(ana.post("/v1/chat", wish).await.code(), ErrorCode::BadRequest);
    }
    let history: History = ben.get("/v1/chat?with=Ana").await.read();
    assert_eq!(history.messages, [message, both]);
}

#[tokio::test]
async fn an_own_message_is_changed_and_deleted_where_it_stands() {
    let bench = Bench::new().await;
    let (mut ana, mut ben) = bench.buddies("Ana", "Ben").await;
    let first: Message = write(&ana, "Ben", "frist", "1").await.read();
    let second: Message = write(&ana, "Ben", "second", "2").await.read();
    for client in [&mut ana, &mut ben] {
        client.poll(0).await;
    }
    let path = format!("/v1/chat/{}", first.id.0);
    let edited: Message = ana.post(&path, json!({"text": "first", "html": "<b>first</b><hr>"})).await.read();
    assert_eq!((edited.text.as_str(), edited.html.as_deref(), edited.id), ("first", Some("<b>first</b>"), first.id));
    assert!(edited.edited_at_ms >= Some(first.sent_at_ms) && edited.sent_at_ms == first.sent_at_ms);
    for client in [&mut ana, &mut ben] {
        assert_eq!(client.poll(0).await, [Event::Chat { message: edited.clone() }]);
    }
    assert_eq!(ana.post(&path, json!({"text": "first", "html": "<b>first</b>"})).await.read::<Message>(), edited);
    assert_eq!(ben.poll(0).await, [], "what changes nothing is not told");
    assert_eq!(write(&ana, "Ben", "frist", "1").await.read::<Message>(), edited, "a late repetition undoes nothing");
    assert_eq!(ben.post(&path, json!({"text": "mine"})).await.code(), ErrorCode::NotFound);
    assert_eq!(ben.delete(&path).await.code(), ErrorCode::NotFound);
    for bad in [json!({"text": ""}), json!({}), json!({"text": "x".repeat(TEXT_MAX + 1)})] {
        assert_eq!(ana.post(&path, bad).await.code(), ErrorCode::BadRequest);
    }
    let deleted: Message = ana.delete(&path).await.read();
    assert!(deleted.deleted && deleted.text.is_empty() && deleted.html.is_none() && deleted.id == first.id);
    assert_eq!(ben.poll(0).await, [Event::Chat { message: deleted.clone() }]);
    assert_eq!(ana.delete(&path).await.read::<Message>(), deleted, "deleted is deleted");
    assert_eq!(ana.post(&path, json!({"text": "back"})).await.code(), ErrorCode::NotFound);
    assert_eq!(write(&ana, "Ben", "frist", "1").await.read::<Message>(), deleted);
    let history: History = ben.get("/v1/chat?with=Ana").await.read();
    assert_eq!(history.messages, [deleted, second.clone()]);
    ben.delete("/v1/buddies/Ana").await;
    let path = format!("/v1/chat/{}", second.id.0);
    assert_eq!(ana.post(&path, json!({"text": "still there?"})).await.code(), ErrorCode::Forbidden);
    assert!(ana.delete(&path).await.read::<Message>().deleted, "one's words can always be taken back");
    for id in ["0", "-1", "x", "99999999999999999999"] {
        assert_eq!(ana.delete(&format!("/v1/chat/{id}")).await.code(), ErrorCode::NotFound);
    }
}
