//! A message acknowledged is a message kept: the relay's process is killed again and again while people write.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use proto::{
    Chat, GroupId, MessageId,
    api::{PageHistory, SendChat},
};
use relay_client::Session;
use tests::{eventually, people::Relay};

/// How often the relay is killed.
const KILLS: u32 = 8;

/// Which moments it is killed at; another number gives others.
const SEED: u64 = 20_261_122;

/// Longest the test waits for anyone to get an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was acknowledged: who wrote under which client id, and the message's number.
type Acknowledged = (String, MessageId);

/// Writes one message after the other, each until it is acknowledged.
async fn write(session: Session, chat: Chat, mark: String, stop: Arc<AtomicBool>, told: mpsc::Sender<Acknowledged>) {
    for number in 0.. {
        let client_id = format!("{mark}-{number}");
        let letter = SendChat::new(chat.clone(), format!("{mark} says {number}"), client_id.clone());
        let id = loop {
            match session.send(&letter).await {
                Ok(message) => break message.id,
                Err(error) => assert!(error.is_transient(), "{error}"),
            }
        };
        told.send((client_id, id)).expect("the test listens");
        if stop.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// All that is kept of a conversation, page by page.
async fn kept(session: &Session, chat: &Chat) -> Vec<(String, MessageId)> {
    let mut all: Vec<(String, MessageId)> = Vec::new();
    loop {
        let after = all.last().map_or(0, |(_, id)| id.0);
        let page = PageHistory { after: Some(after), limit: Some(200), ..PageHistory::newest(chat.clone()) };
        let page = session.history(page).await.expect("the relay answers");
        all.extend(page.messages.into_iter().map(|message| (message.client_id, message.id)));
        if !page.more {
            return all;
        }
    }
}

/// A number below `below`, and the next ones from it.
fn random(state: &mut u64, below: u64) -> u64 {
    // Knuth's MMIX constants; the upper bits are the good ones.
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % below
}

#[test]
fn what_was_acknowledged_is_kept_once_whenever_the_relay_is_killed() {
    let mut relay = Relay::with_ana_and_ben();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let name = |text: &str| text.parse::<proto::Name>().expect("a name");
    let ana = runtime.block_on(relay.sign_in("Ana"));
    // The admin command made them buddies a moment ago, which the relay notices within a second.
    let make = || runtime.block_on(ana.make_group("Lunch", &[name("Ben")])).ok();
    let group: GroupId = eventually("they are buddies", PATIENCE, make).id;
    let (stop, (told, acknowledged)) = (Arc::new(AtomicBool::new(false)), mpsc::channel());
    let mut writers = Vec::new();
    for (who, mark, chat) in [
        ("Ana", "kitchen", Chat::With(name("Ben"))),
        ("Ana", "desk", Chat::With(name("Ben"))),
        ("Ben", "phone", Chat::With(name("Ana"))),
        ("Ben", "couch", Chat::Group(group.clone())),
    ] {
        let session = runtime.block_on(relay.sign_in(who));
        writers.push(runtime.spawn(write(session, chat, mark.to_owned(), stop.clone(), told.clone())));
    }
    drop(told);
    let mut state = SEED;
    let mut known: BTreeMap<String, MessageId> = BTreeMap::new();
    let mut note = |(client_id, id): Acknowledged| assert_eq!(known.insert(client_id, id), None, "each is told once");
    for _ in 0..KILLS {
        // After so many answers, while others are under way.
        for _ in 0..=random(&mut state, 60) {
            note(acknowledged.recv_timeout(PATIENCE).expect("the relay answers again"));
        }
        relay.kill();
        relay.restart();
    }
    stop.store(true, Ordering::Relaxed);
    while let Ok(answer) = acknowledged.recv_timeout(PATIENCE) {
        note(answer);
    }
    for writer in writers {
        runtime.block_on(writer).expect("the writer ends well");
    }
    let mut found = runtime.block_on(kept(&ana, &Chat::With(name("Ben"))));
    found.extend(runtime.block_on(kept(&ana, &Chat::Group(group))));
    let once: BTreeSet<_> = found.iter().map(|(client_id, _)| client_id).collect();
    assert_eq!(once.len(), found.len(), "none is there twice");
    assert!(found.len() > KILLS as usize * 4, "{} messages tell nothing", found.len());
    println!("{} messages kept through {KILLS} kills", found.len());
    assert_eq!(found.into_iter().collect::<BTreeMap<_, _>>(), known, "what was acknowledged and what is kept");
}
