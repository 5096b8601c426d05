//! Backups, and what a person is told and can have removed, beside a running relay.

use std::{path::Path, process::Output, time::Duration};

use proto::{ErrorCode, Event, api::SignedIn, model::Message};
use relay::{Error, Relay, admin};
use serde_json::{Value, json};

use crate::{
    bench::{Bench, Client, PASSWORD, config},
    command_line::{self, ended, program_on},
    database,
    people::texts,
};

async fn send(client: &Client<'_>, to: &str, text: &str) {
    let message = json!({"to": to, "text": text, "client_id": text});
    client.post("/v1/chat", message).await.read::<Message>();
}

/// Whether the database is a file, with backups of its own.
fn on_file(bench: &Bench) -> bool {
    database::for_file(&bench.folder.path().join("relay.db")).is_none()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn run(data: &Path, words: &[&str], file: &Path) -> Output {
    ended(program_on(data).args(["admin", "--data"]).arg(data).args(words).arg(file))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_running_relay_is_restored_with_all_it_had_but_sessions() {
    let bench = Bench::new().await;
    let data = bench.folder.path();
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    send(&ana, "Ben", "before").await;
    ana.call(&ben).await;
    std::fs::create_dir_all(data.join("attachments/ab")).unwrap();
    std::fs::write(data.join("attachments/ab/cd"), "a picture").unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let (backup, restored) = (elsewhere.path().join("backup"), elsewhere.path().join("restored"));
    let made = run(data, &["backup"], &backup);
    if !on_file(&bench) {
        assert!(!made.status.success() && said(&made).contains("pg_dump") && !backup.exists(), "{}", said(&made));
        let refused = run(data, &["restore"], &backup);
        assert!(!refused.status.success() && said(&refused).contains("pg_restore"), "{}", said(&refused));
        return;
    }
    assert!(made.status.success(), "{}", said(&made));
    send(&ana, "Ben", "after").await;
    let put = run(&restored, &["restore"], &backup);
    assert!(put.status.success(), "{}", said(&put));
    assert_eq!(std::fs::read_to_string(restored.join("attachments/ab/cd")).unwrap(), "a picture");
    let again = Bench::on(config(&restored)).await;
    let signed_off = again.post("/v1/chat", Some(&ana.token), json!({})).await;
    assert_eq!(signed_off.code(), ErrorCode::Unauthorized);
    let mut later = again.sign_in("Ana").await;
    assert_eq!(texts(&later, "Ben").await, ["before"]);
    let state = later.show_up().await;
    assert_eq!((state.buddies.len(), state.call), (1, None));
    assert_eq!(texts(&ana, "Ben").await, ["before", "after"], "the relay went on");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_messages_come_in_a_backup_has_them_up_to_one_moment() {
    let bench = Bench::new().await;
    if !on_file(&bench) {
        return;
    }
    let (ana, _ben) = bench.buddies("Ana", "Ben").await;
    let admin = bench.admin().await;
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("backup");
    let sending = async {
        for number in 0..100 {
            send(&ana, "Ben", &number.to_string()).await;
        }
    };
    let (made, ()) = tokio::join!(admin.backup(&into), sending);
    made.unwrap();
    let restored = folder.path().join("restored");
    admin::restore(&config(&restored), &into).await.unwrap();
    let again = Bench::on(config(&restored)).await;
    let kept = texts(&again.sign_in("Ana").await, "Ben").await;
    let expected = (0..100).map(|number: u32| number.to_string()).collect::<Vec<_>>();
    let all = texts(&ana, "Ben").await;
    assert_eq!(all, expected[50..], "a page is the newest 50");
    // A page of what was there at that moment, with no gap.
    let first = kept.first().map_or(0, |text| text.parse::<usize>().unwrap());
    assert_eq!(kept, expected[first..first + kept.len()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_overwritten_and_nothing_but_a_backup_is_restored() {
    let bench = Bench::new().await;
    if !on_file(&bench) {
        return;
    }
    let data = bench.folder.path();
    let admin = bench.admin().await;
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(admin.backup(data).await, Err(Error::NotEmpty { .. })));
    assert!(matches!(admin.backup(&data.join("backup")).await, Err(Error::BackupWithin { .. })));
    let backup = folder.path().join("backup");
    admin.backup(&backup).await.unwrap();
    assert!(matches!(admin.backup(&backup).await, Err(Error::NotEmpty { .. })), "not over an older one");
    assert!(matches!(admin::restore(&config(data), &backup).await, Err(Error::NotEmpty { .. })));
    let new = folder.path().join("new");
    assert!(matches!(admin::restore(&config(&new), data).await, Err(Error::NoBackup { .. })), "a relay works on it");
    assert!(matches!(admin::restore(&config(&new), folder.path()).await, Err(Error::NoBackup { .. })));
    assert!(!new.join("relay.db").exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let rights = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((rights(&backup), rights(&backup.join("relay.db"))), (0o700, 0o600));
    }
    let bytes = std::fs::read(backup.join("relay.db")).unwrap();
    let damaged = folder.path().join("damaged");
    std::fs::create_dir(&damaged).unwrap();
    // Half of it, and pages of nothing in the midst.
    std::fs::write(damaged.join("relay.db"), [&bytes[..4096], &[7; 8192], &bytes[12_288..]].concat()).unwrap();
    let refused = admin::restore(&config(&new), &damaged).await;
    assert!(matches!(refused, Err(Error::DamagedBackup { .. } | Error::Database(_))), "{refused:?}");
    assert!(!new.join("relay.db").exists(), "no relay is to run on that");
    Relay::open(config(&folder.path().join("other"))).await.unwrap().kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_told_all_that_is_kept_of_them_but_no_secret() {
    let bench = Bench::new().await;
    let (ana, ben) = bench.buddies("Ana", "Ben").await;
    let eva = bench.person("Eva").await;
    eva.befriend(&ben).await;
    send(&ana, "Ben", "from Ana").await;
    send(&ben, "Ana", "to Ana").await;
    send(&eva, "Ben", "nothing to Ana").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ana.json");
    let made = run(bench.folder.path(), &["export", "ana"], &file);
    assert!(made.status.success(), "{}", said(&made));
    let text = std::fs::read_to_string(&file).unwrap();
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&told["format"], &told["account"][0]["name"]), (&json!(1), &json!("Ana")));
    let messages = told["messages"].as_array().unwrap();
    let seen =
        messages.iter().map(|row| (row["from"].as_str().unwrap(), row["to"].as_str().unwrap(), row["text"].as_str().unwrap()));
    assert_eq!(seen.collect::<Vec<_>>(), [("Ana", "Ben", "from Ana"), ("Ben", "Ana", "to Ana")]);
    assert_eq!((&told["buddies_wanted"], &told["wanted_as_buddy_by"]), (&json!([{"name": "Ben"}]), &json!([{"name": "Ben"}])));
    assert_eq!(told["sessions"][0]["device"], "test");
    for secret in [ana.token.as_str(), "argon2", "nothing to Ana", PASSWORD] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    let again = run(bench.folder.path(), &["export", "Ana"], &file);
    assert!(!again.status.success() && said(&again).contains("ana.json"), "nothing is overwritten: {}", said(&again));
    let nobody = run(bench.folder.path(), &["export", "Nobody"], &folder.path().join("nobody.json"));
    assert!(!nobody.status.success() && said(&nobody).contains("no account Nobody"), "{}", said(&nobody));
    assert!(!folder.path().join("nobody.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_leaves_nothing_behind_and_only_when_it_was_meant() {
    let bench = Bench::new().await;
    let (mut ana, ben) = bench.buddies("Ana", "Ben").await;
    send(&ana, "Ben", "a word of Ana's").await;
    send(&ben, "Ana", "a word of Ben's").await;
    let data = bench.folder.path();
    let unsure = command_line::admin(data, &["user", "remove", "Ben"]);
    assert!(!unsure.status.success() && said(&unsure).contains("--yes"), "{}", said(&unsure));
    bench.sign_in("Ben").await;
    assert!(command_line::admin(data, &["user", "delete", "Ben", "--yes"]).status.success());
    let told = async {
        while !ana.poll(1000).await.iter().any(|event| matches!(event, Event::Roster { buddies } if buddies.is_empty())) {}
    };
    tokio::time::timeout(Duration::from_secs(10), told).await.expect("Ana's window is told");
    assert_eq!(ana.get("/v1/chat?with=Ben").await.code(), ErrorCode::NotFound);
    let wish = json!({"name": "Ben", "password": PASSWORD, "versions": [1]});
    assert_eq!(bench.post("/v1/session", None, wish).await.code(), ErrorCode::WrongPassword);
    // Someone who takes the name later gets nothing of it.
    bench.sign_up("Ben").await;
    let new: SignedIn =
        bench.post("/v1/session", None, json!({"name": "Ben", "password": PASSWORD, "versions": [1]})).await.read();
    assert_eq!(
        bench.post("/v1/chat", Some(new.token.reveal()), json!({"to": "Ana", "text": "x", "client_id": "1"})).await.code(),
        ErrorCode::Forbidden
    );
    if on_file(&bench) {
        bench.relay.stop().await;
        let bytes = std::fs::read(data.join("relay.db")).unwrap();
        for text in ["a word of Ana's", "a word of Ben's"] {
            assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{text} is still in the file");
        }
    }
}
