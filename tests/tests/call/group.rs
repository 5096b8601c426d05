//! Three in a call: somebody asks two others in.

use std::{collections::HashSet, pin::Pin};

use futures::{Stream, StreamExt};
use proto::{CallId, Event, Name, api::SetMedia, model::Presence};
use relay_client::{Session, Update};
use tests::{people::Relay, robot::Robot};

use crate::{AROUND, alone};

#[test]
fn whoever_is_asked_in_sees_and_hears_the_others() {
    let _alone = alone();
    let relay = Relay::with_ana_and_ben();
    relay.add_user("Kim");
    relay.add_buddies("Kim", "Ana");
    relay.add_buddies("Kim", "Ben");
    let common = ["--answer", "--camera", "pattern:320x240@15", "--microphone", "chirp", "--duration", "6"];
    let robots = ["Ana", "Ben"].map(|name| (name, Robot::start(&relay, name, &common)));

    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut kim = runtime.block_on(Host::sign_in(&relay, "Kim"));
    runtime.block_on(async {
        kim.ask("Ana").await;
        let nothing = SetMedia::default();
        let call = kim.call.clone().expect("a call");
        kim.session.set_media(&call, nothing).await.expect("Kim is in the call");
        kim.ask("Ben").await;
    });
    for (name, robot) in robots {
        let outcome = robot.finish(AROUND);
        assert!(outcome.success, "{name}: {:#}", outcome.report);
        // Kim sends nothing, so it is the other one's.
        assert!(outcome.number("/video/shown") > 30.0, "{name}: {:#}", outcome.report);
        // Between chirps hardly anything is sent.
        assert!(outcome.number("/audio/played_ms") > 500.0, "{name}: {:#}", outcome.report);
    }
}

/// One who brings others together.
struct Host {
    session: Session,
    updates: Pin<Box<dyn Stream<Item = Update> + Send>>,
    there: HashSet<String>,
    call: Option<CallId>,
}

impl Host {
    async fn sign_in(relay: &Relay, name: &str) -> Self {
        let session = relay.sign_in(name).await;
        let updates = Box::pin(session.events());
        Self { session, updates, there: HashSet::new(), call: None }
    }

    /// Rings somebody as soon as they are there, and waits until they are in the call.
    async fn ask(&mut self, name: &str) {
        let name: Name = name.parse().expect("a name");
        while !self.there.contains(name.as_str()) {
            self.next().await;
        }
        let rung = self.session.ring(&name, self.call.clone()).await.expect("it rings");
        self.call = Some(rung.joined.call.id);
        loop {
            if let Update::Event(Event::Call { call }) = self.next().await
                && call.peers.iter().any(|peer| peer.name.is(&name))
            {
                return;
            }
        }
    }

    async fn next(&mut self) -> Update {
        let update = tokio::time::timeout(AROUND, self.updates.next()).await.expect("in time").expect("the lane goes on");
        let mut note = |name: &Name, presence| {
            if presence == Presence::Available {
                self.there.insert(name.to_string());
            }
        };
        match &update {
            Update::State(state) => state.buddies.iter().for_each(|buddy| note(&buddy.name, buddy.presence)),
            Update::Event(Event::Roster { buddies }) => buddies.iter().for_each(|buddy| note(&buddy.name, buddy.presence)),
            Update::Event(Event::Presence { name, presence, .. }) => note(name, *presence),
            _ => {}
        }
        update
    }
}
