//! Ringing, answering, writing: who learns what, and when there is no call.

use futures::StreamExt;
use proto::Event;
use relay_client::Update;
use tests::{people::Relay, robot::Robot};

use crate::{AROUND, alone};

const QUIET: [&str; 4] = ["--camera", "none", "--microphone", "none"];

#[test]
fn chat_arrives_once_and_in_order() {
    let _alone = alone();
    let relay = Relay::with_ana_and_ben();
    let lines: Vec<String> = (1..=25).map(|number| format!("line {number} – <b>not</b> bold, ünïcödé ✓")).collect();
    let say: Vec<&str> = lines.iter().flat_map(|line| ["--say", line.as_str()]).collect();
    let ben = Robot::start(&relay, "Ben", &[&["--answer"], &QUIET[..], &say].concat());
    let ana = Robot::start(&relay, "Ana", &[&["--call", "Ben", "--duration", "3"], &QUIET[..], &say].concat());
    for (name, other, robot) in [("Ana", "Ben", ana), ("Ben", "Ana", ben)] {
        let outcome = robot.finish(AROUND);
        assert!(outcome.success, "{name}: {:#}", outcome.report);
        let received = outcome.report["chat_received"].as_array().expect("a list");
        let texts: Vec<_> = received.iter().map(|said| said["text"].as_str().expect("text")).collect();
        assert_eq!(texts, lines, "{name}");
        assert!(received.iter().all(|said| said["from"] == other));
        let ids: Vec<_> = received.iter().map(|said| said["id"].as_u64().expect("an id")).collect();
        assert!(ids.is_sorted(), "{name}: {ids:?}");
    }
}

#[test]
fn without_anybody_to_answer_there_is_no_call() {
    let _alone = alone();
    let relay = Relay::with_ana_and_ben();
    let ana = Robot::start(&relay, "Ana", &[&["--call", "Ben", "--patience", "2"], &QUIET[..]].concat());
    let outcome = ana.finish(AROUND);
    assert!(!outcome.success);
    assert_eq!(outcome.report["happened"], false);
    assert_eq!(outcome.report["outcome"], "nobody answered within 2 s");
}

#[test]
fn a_device_that_is_missing_is_told_and_the_call_goes_on() {
    let _alone = alone();
    let relay = Relay::with_ana_and_ben();
    let ben = Robot::start(&relay, "Ben", &["--answer", "--camera", "pattern:320x240@15", "--microphone", "chirp"]);
    let broken = ["--camera", "file:no-such-clip.mp4", "--microphone", "device:no-such-microphone"];
    let ana = Robot::start(&relay, "Ana", &[&["--call", "Ben", "--duration", "4"], &broken[..]].concat());
    let (ana, ben) = (ana.finish(AROUND), ben.finish(AROUND));
    assert!(ana.success, "{:#}", ana.report);
    assert!(ana.number("/video/shown") > 30.0, "{:#}", ana.report);
    let troubles = ana.report["troubles"].to_string();
    assert!(troubles.contains("no-such-clip.mp4"), "{troubles}");
    assert!(ana.report["troubles"].as_array().is_some_and(|all| all.len() >= 2), "{troubles}");
    assert!(ben.success, "who can't send promises nothing: {:#}", ben.report);
    assert_eq!(ben.number("/video/received"), 0.0);
}

#[test]
fn the_right_password_is_asked_for() {
    let relay = Relay::with_ana_and_ben();
    std::fs::write(relay.password_file("Ana"), "a guess").expect("the file can be written");
    let options = [&["--call", "Ben", "--patience", "2"], &QUIET[..]].concat();
    let ended = Robot::command(&relay, "Ana", &options).output().expect("the robot runs");
    let told = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(told.contains("password is wrong"), "{told}");
    assert!(ended.stdout.is_empty(), "who wasn't let in has nothing to report");
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_works_while_the_relay_runs() {
    let relay = Relay::start();
    relay.add_user("Ana");
    relay.add_user("Ben");
    let session = relay.sign_in("Ana").await;
    let mut updates = std::pin::pin!(session.events());
    let mut next = async || tokio::time::timeout(AROUND, updates.next()).await.expect("in time").expect("the lane goes on");
    let state = loop {
        if let Update::State(state) = next().await {
            break state;
        }
    };
    assert!(state.buddies.is_empty());
    relay.add_buddies("Ana", "Ben");
    let buddies = loop {
        // That Ben has an account now comes first, and changes nothing on Ana's list.
        if let Update::Event(Event::Roster { buddies }) = next().await
            && !buddies.is_empty()
        {
            break buddies;
        }
    };
    assert_eq!(buddies.iter().map(|buddy| buddy.name.as_str()).collect::<Vec<_>>(), ["Ben"]);
    let again = relay.admin(&["user", "add", "ana", "--password-file", relay.password_file("Ana").to_str().expect("plain")]);
    assert!(!again.status.success(), "a name is taken however it is written");
}
