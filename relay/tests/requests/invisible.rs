//! Who is invisible, or has blocked someone, is to them as one who signed off: byte for byte.

use proto::{Cursor, api::Joined, chat::Group, model::Message};
use serde_json::{Value, json};

use crate::bench::{Bench, Client, Reply};

/// How Ben goes from Ana's sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goes {
    SignsOff,
    Invisible,
    Blocks,
    /// Not at all, to see that the comparison would notice.
    Stays,
}

/// Everything Ana's client is answered, with what differs from run to run put aside.
struct Transcript {
    epoch: String,
    group: String,
    text: String,
}

impl Transcript {
    fn new(cursor: &Cursor, group: &Group) -> Self {
        let epoch = cursor.as_str().split('.').next().unwrap().to_owned();
        Self { epoch, group: group.id.to_string(), text: String::new() }
    }

    fn note(&mut self, reply: &Reply) {
        let mut headers = reply.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect::<Vec<_>>();
        headers.retain(|header| !header.starts_with("content-length"));
        headers.sort();
        let body = String::from_utf8(reply.body.to_vec()).unwrap().replace(&self.epoch, "EPOCH").replace(&self.group, "GROUP");
        let (mut body, length) = (body, reply.body.len());
        for key in ["\"last_seen_ms\":", "\"sent_at_ms\":"] {
            let mut parts = body.split(key).map(str::to_owned).collect::<Vec<_>>();
            for part in parts.iter_mut().skip(1) {
                // A time of this year and the next thousand has 13 digits.
                let digits = part.chars().take_while(char::is_ascii_digit).count();
                assert_eq!(digits, 13, "{part}");
                part.replace_range(..digits, "TIME");
            }
            body = parts.join(key);
        }
        self.text.push_str(&format!("{} {headers:?} {length} bytes\n{body}\n", reply.status));
    }
}

/// What Ana's client sees while Ben goes, and does all sorts of things afterwards.
async fn watch(goes: Goes) -> String {
    let bench = Bench::new().await;
    let (ana, mut ben) = bench.buddies("Ana", "Ben").await;
    let mut eva = bench.person("Eva").await;
    eva.befriend(&ben).await;
    let group: Group = ben.post("/v1/groups", json!({"title": "Tea", "members": ["Ana", "Eva"], "client_id": "g"})).await.read();
    let wish = json!({"group": group.id, "text": "Tea?", "client_id": "0"});
    let tea = ana.post("/v1/chat", wish).await.read::<Message>().id;
    let mut cursor = ana.state().await.cursor;
    let mut seen = Transcript::new(&cursor, &group);
    let say = async |client: &Client<'_>, choice: &str, text: &str| {
        client.post("/v1/presence", json!({"choice": choice, "text": text})).await.read::<Value>();
    };
    say(&ben, "available", "In the garden").await;
    poll(&ana, &mut cursor, &mut seen).await;
    match goes {
        Goes::SignsOff => drop(ben.delete("/v1/session").await.read::<Value>()),
        Goes::Invisible => say(&ben, "invisible", "In the garden").await,
        Goes::Blocks => drop(ben.post("/v1/blocks", json!({"name": "Ana"})).await.read::<Value>()),
        Goes::Stays => {}
    }
    poll(&ana, &mut cursor, &mut seen).await;
    look(&ana, &mut seen).await;
    if goes != Goes::SignsOff {
        let shown = if goes == Goes::Invisible { "invisible" } else { "do_not_disturb" };
        say(&ben, shown, "Back at four").await;
        ben.poll(0).await;
        let mut second = bench.sign_in("Ben").await;
        second.show_up().await;
        second.get(&format!("/v1/events?after={}&idle_ms=9999999", second.cursor)).await;
        second.delete("/v1/session").await.read::<Value>();
        ben.show_up().await;
        eva.show_up().await;
        // What he reads and writes in her sight.
        for chat in [json!({"group": group.id, "read": tea}), json!({"with": "Ana", "read": tea})] {
            ben.post("/v1/chat/marks", &chat).await.read::<Value>();
            ben.post("/v1/chat/typing", &chat).await;
        }
        poll(&ana, &mut cursor, &mut seen).await;
        // A call with someone Ana doesn't know.
        let rung = ben.ring(&eva.name).await;
        eva.accept(&rung).await.read::<Joined>();
        look(&ana, &mut seen).await;
        poll(&ana, &mut cursor, &mut seen).await;
    } else {
        poll(&ana, &mut cursor, &mut seen).await;
        look(&ana, &mut seen).await;
        poll(&ana, &mut cursor, &mut seen).await;
    }
    let message = json!({"to": "Ben", "text": "Are you there?", "client_id": "1"});
    for _ in 0..2 {
        seen.note(&ana.post("/v1/chat", &message).await);
    }
    seen.note(&ana.add_buddy(&ben.name).await);
    seen.note(&ana.get("/v1/chat?with=Ben").await);
    poll(&ana, &mut cursor, &mut seen).await;
    bench.relay.tick(std::time::Instant::now());
    if goes != Goes::SignsOff {
        ben.poll(0).await;
    }
    poll(&ana, &mut cursor, &mut seen).await;
    // Asked anew after it was ended, it says no more.
    seen.note(&ana.delete("/v1/buddies/Ben").await);
    seen.note(&ana.add_buddy(&ben.name).await);
    poll(&ana, &mut cursor, &mut seen).await;
    seen.text
}

async fn poll(ana: &Client<'_>, cursor: &mut Cursor, seen: &mut Transcript) {
    let reply = ana.poll_after(cursor, 0).await;
    *cursor = reply.read::<proto::api::Events>().cursor;
    seen.note(&reply);
}

async fn look(ana: &Client<'_>, seen: &mut Transcript) {
    seen.note(&ana.get("/v1/state").await);
    seen.note(&ana.try_ring(&"Ben".parse().unwrap(), None).await);
    seen.note(&ana.ring_as(&"Ben".parse().unwrap(), "ring").await);
}

#[tokio::test]
async fn who_is_invisible_or_blocks_looks_as_if_signed_off_byte_for_byte() {
    let offline = watch(Goes::SignsOff).await;
    assert!(offline.contains("\"presence\":\"offline\",\"last_seen_ms\":TIME"), "{offline}");
    assert!(offline.contains("\"code\":\"offline\""), "{offline}");
    for goes in [Goes::Invisible, Goes::Blocks] {
        let seen = watch(goes).await;
        for (one, other) in offline.lines().zip(seen.lines()) {
            assert_eq!(one, other, "{goes:?}");
        }
        assert_eq!(offline, seen, "{goes:?}");
    }
    assert_ne!(offline, watch(Goes::Stays).await);
}
