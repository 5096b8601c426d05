//! The same requests on PostgreSQL, and what there is on PostgreSQL alone.

use std::time::Duration;

use relay::{Error, Relay};
use serde_json::{Value, json};

use crate::{
    bench::{Bench, PASSWORD, config},
    command_line::{admin, program},
    database,
};

#[test]
fn all_of_this_holds_on_postgresql_too() {
    database::again_on_postgres(&[]);
}

/// A relay on PostgreSQL, and the URL of its database; nothing where the tests run on SQLite.
async fn on_server() -> Option<(Bench, String)> {
    let bench = Bench::new().await;
    let url = database::for_file(&bench.folder.path().join("relay.db"))?;
    Some((bench, url))
}

#[tokio::test]
async fn two_relays_never_share_a_database() {
    let Some((bench, url)) = on_server().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut second = config(folder.path());
    second.database = Some(url.parse().unwrap());
    let refused = Relay::open(second.clone()).await;
    assert!(matches!(&refused, Err(Error::DatabaseInUse { .. })), "{refused:?}");
    bench.relay.stop().await;
    Relay::open(second).await.unwrap().kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_kept_in_the_data_folder_and_a_relay_lives_on_when_the_server_drops_it() {
    let Some((bench, url)) = on_server().await else { return };
    let ana = bench.person("Ana").await;
    assert!(!bench.folder.path().join("relay.db").exists());
    let schema = url.split_once("search_path]=").unwrap().1;
    // The readers', the writer's and with it the claim.
    let cut = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND pid IN
         (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted
          AND (classid::bigint << 32 | objid::bigint) = hashtextextended('tvphone-relay {schema}', 0))"
    );
    let server = std::env::var(database::SERVER).unwrap();
    let cut = std::process::Command::new("psql")
        .args(["--no-psqlrc", "--tuples-only", "--dbname", &server, "--command", &cut])
        .output();
    assert_eq!(String::from_utf8_lossy(&cut.unwrap().stdout).trim(), "1", "one relay held it");
    bench.sign_up("Ben").await;
    ana.add_buddy(&"Ben".parse().unwrap()).await.read::<Value>();
    bench.sign_in("Ben").await;
}

#[test]
fn a_server_that_is_not_there_is_told_of_without_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let url = "postgres://ana:hunter2@127.0.0.1:1/tvphone";
    for arguments in [&["serve"][..], &["admin", "user", "list"]] {
        let output = program().args(arguments).args(["--database", url, "--data"]).arg(folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("postgres://127.0.0.1:1/tvphone can't be used"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let output = program().args(["serve", "--database", "postgres:hunter2", "--data"]).arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("--database: expected a URL such as") && !said.contains("hunter2"), "{said}");
}

#[tokio::test]
async fn what_one_database_can_not_keep_is_refused_on_each() {
    let bench = Bench::new().await;
    let (ana, _ben) = bench.buddies("Ana", "Ben").await;
    let nul = ana.post("/v1/chat", json!({"to": "Ben", "text": "a\0b", "client_id": "1"})).await;
    assert_eq!(nul.code(), proto::ErrorCode::BadRequest);
    let spelt = ana.post("/v1/chat", json!({"to": "Ben", "text": "a\\u0000b", "client_id": "2"})).await;
    assert_eq!(spelt.read::<Value>()["text"], "a\\u0000b", "a backslash and five signs are no NUL");
    let nul = bench.post("/v1/accounts", None, json!({"name": "Eva", "password": format!("{PASSWORD}\0")})).await;
    assert_eq!(nul.code(), proto::ErrorCode::BadRequest);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_admin_commands_at_once_are_both_noticed() {
    let bench = Bench::new().await;
    let mut ana = bench.person("Ana").await;
    for name in ["Ben", "Eva"] {
        bench.sign_up(name).await;
    }
    let data = bench.folder.path().to_owned();
    let add = |name: &'static str| {
        let data = data.clone();
        tokio::task::spawn_blocking(move || admin(&data, &["buddy", "add", "Ana", name]))
    };
    let (one, other) = tokio::join!(add("Ben"), add("Eva"));
    assert!(one.unwrap().status.success() && other.unwrap().status.success());
    let both = async {
        while ana.show_up().await.buddies.len() < 2 {
            ana.poll(1000).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), both).await.expect("both are noticed");
}
