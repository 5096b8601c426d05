//! The database as a whole, on SQLite and on PostgreSQL.

use std::path::Path;

use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Row, migrate::Migrator};

use super::*;
use crate::{config::DatabaseUrl, token::TokenHash};

#[path = "../../tests/requests/database.rs"]
mod database;

impl Store {
    /// The database in this file, or on PostgreSQL what stands for it where the tests run there.
    pub(crate) async fn open(file: &Path) -> std::result::Result<Self, crate::Error> {
        let location = Self::server_for(file).map_or_else(|| Location::File(file.to_owned()), Location::Server);
        Self::open_at(&location, User::Admin).await
    }

    /// What stands for this file where the tests run on PostgreSQL.
    pub(crate) fn server_for(file: &Path) -> Option<DatabaseUrl> {
        database::for_file(file).map(|url| url.parse().unwrap())
    }
}

#[test]
fn all_of_this_holds_on_postgresql_too() {
    database::again_on_postgres(&["store::", "journal::", "relay::tests::"]);
}

#[tokio::test]
async fn a_database_opened_again_still_has_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.db");
    let store = Store::open(&file).await.unwrap();
    let ana = store.add_account(&"Ana".parse().unwrap(), "hash").await.unwrap().unwrap();
    assert_eq!(store.add_account(&"ANA".parse().unwrap(), "hash").await.unwrap(), None);
    store.close().await;
    let store = Store::open(&file).await.unwrap();
    let rows = store.accounts().await.unwrap();
    assert_eq!(rows.iter().map(|row| (row.id, row.name.as_str())).collect::<Vec<_>>(), [(ana, "Ana")]);
}

/// What people came to have once a step was taken. Ana is signed in on two devices and in a call.
const BEFORE: &[(usize, &[&str])] = &[
    (
        1,
        &[
            "INSERT INTO accounts (name, key, password, created_at_ms) VALUES ('Ana', 'ana', 'hash', 1)",
            "INSERT INTO sessions (token, account, device, used_at_ms) VALUES (TOKEN0, 1, 'kitchen', 5)",
            "INSERT INTO sessions (token, account, device, used_at_ms) VALUES (TOKEN1, 1, '', 6)",
            "INSERT INTO messages (low, high, sender, client_id, text, sent_at_ms) VALUES (1, 1, 1, 'a', 'Hello', 7)",
            "INSERT INTO accounts (name, key, password, created_at_ms) VALUES ('Ben', 'ben', 'hash', 1)",
            "INSERT INTO messages (low, high, sender, client_id, text, sent_at_ms) VALUES (1, 2, 1, 'b', 'Hi Ben', 7)",
            "INSERT INTO messages (low, high, sender, client_id, text, sent_at_ms) VALUES (1, 2, 2, 'c', 'Hi Ana', 8)",
            "INSERT INTO calls (id, next_peer) VALUES ('call', 2)",
            "INSERT INTO members (call, peer, session, audio, video) VALUES ('call', 1, 2, 1, 0)",
        ],
    ),
    (
        2,
        &[
            "UPDATE sessions SET public = 'public1' WHERE id = 1",
            "INSERT INTO codes (code, uses_left, expires_at_ms) VALUES (TOKEN0, 3, 9000)",
        ],
    ),
];

/// A database of someone who has gone along with every release up to the one whose newest step this was.
async fn left_by(newest: usize, file: &Path) {
    for now in 1..=newest {
        let store = Store::open_as_of(now, file).await;
        for (_, statements) in BEFORE.iter().filter(|(step, _)| *step == now) {
            for sql in *statements {
                let literal = |byte: &str| match store.kind {
                    Kind::Sqlite => format!("x'{}'", byte.repeat(32)),
                    Kind::Postgres => format!("'\\x{}'", byte.repeat(32)),
                };
                let sql = sql.replace("TOKEN0", &literal("00")).replace("TOKEN1", &literal("01"));
                sqlx::query(AssertSqlSafe(sql)).execute(&store.writer).await.unwrap();
            }
        }
        store.close().await;
    }
}

impl Store {
    /// The database with its first `newest` steps alone.
    async fn open_as_of(newest: usize, file: &Path) -> Self {
        sqlx::any::install_default_drivers();
        let server = Self::server_for(file);
        let (kind, options) = match &server {
            Some(url) => (Kind::Postgres, url.options().unwrap()),
            None => (Kind::Sqlite, format!("sqlite:{}?mode=rwc", file.display()).parse().unwrap()),
        };
        let writer = sqlx::any::AnyPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        Migrator::with_migrations(steps(kind).into_iter().take(newest).collect()).run(&writer).await.unwrap();
        Self { reader: writer.clone(), writer, kind }
    }
}

#[tokio::test]
async fn a_database_of_every_release_is_brought_up_to_date_with_all_it_has() {
    for newest in 1..=steps(Kind::Sqlite).len() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("relay.db");
        left_by(newest, &file).await;
        let store = Store::open(&file).await.unwrap();
        let sessions = store.sessions().await.unwrap();
        assert_eq!((sessions.len(), sessions[0].token.0), (2, [0; 32]));
        let own = store.sessions_of(AccountId(1)).await.unwrap();
        assert_eq!((own[0].device.as_str(), own[0].used_at_ms, own[0].signed_in_at_ms), ("kitchen", 5, None));
        if newest == 1 {
            assert!(own[0].public.len() == 32 && own[1].public.len() == 32 && own[0].public != own[1].public, "{own:?}");
        } else {
            assert_eq!(own[0].public, "public1");
            assert!(store.code_counts(&TokenHash([0; 32]), 8999).await.unwrap());
        }
        assert_eq!(store.calls().await.unwrap()[0].members[0].session, sessions[1].id);
        let page = Page { me: AccountId(1), place: Place::With(AccountId(1)), floor: 0, before: None, after: None, limit: 10 };
        assert_eq!(store.page(page).await.unwrap().0[0].text, "Hello");
        let read = Reached { delivered: 3, read: 3 };
        for (me, other) in [(AccountId(1), AccountId(2)), (AccountId(2), AccountId(1))] {
            let conversations = store.conversations_of(me, 10).await.unwrap();
            let [conversation] = conversations.as_slice() else { panic!("{conversations:?}") };
            let last = conversation.last.as_ref().unwrap();
            assert_eq!((&conversation.place, conversation.unread, last.text.as_str()), (&Place::With(other), 0, "Hi Ana"));
            assert_eq!((conversation.own, conversation.shown), (read, read));
        }
        let (account, token) = (AccountId(1), TokenHash::of("new"));
        let new = NewSession { token, public: "new", account, password: "hash", device: "" };
        assert!(store.add_session(new).await.unwrap().is_some());
        store.add_code(&token, 1, i64::MAX).await.unwrap();
        store.close().await;
        Store::open(&file).await.expect("once up to date it stays so").close().await;
    }
}

#[test]
fn a_step_that_was_released_is_what_it_was() {
    let released = ["39952c95e9917b23", "4a2275efddbad860"];
    for (step, expected) in steps(Kind::Sqlite).iter().zip(released) {
        let digest = Sha256::digest(step.sql.as_str());
        let digest = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(digest, expected, "step {} is in use: add one that follows it", step.version);
    }
    let numbers = steps(Kind::Postgres).iter().map(|step| step.version).collect::<Vec<_>>();
    assert_eq!(numbers, (1..=numbers.len() as i64).collect::<Vec<_>>());
}

#[tokio::test]
async fn sqlite_is_set_for_one_writer_that_survives_being_killed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("with space, 100 % ü and ?.db");
    let store = Store::open_at(&Location::File(file.clone()), User::Relay).await.unwrap();
    assert!(file.exists(), "whatever its name");
    for pool in [&store.writer, &store.reader] {
        let number =
            async |pragma: &'static str| sqlx::query(pragma).fetch_one(pool).await.unwrap().try_get::<i64, _>(0).unwrap();
        let set = (number("PRAGMA synchronous").await, number("PRAGMA foreign_keys").await, number("PRAGMA busy_timeout").await);
        assert_eq!(set, (1, 1, 5000));
        let mode = sqlx::query("PRAGMA journal_mode").fetch_one(pool).await.unwrap();
        assert_eq!(mode.try_get::<String, _>(0).unwrap(), "wal");
    }
    assert_eq!(store.writer.options().get_max_connections(), 1);
}

#[tokio::test]
async fn a_change_begun_beside_another_process_waits_instead_of_failing() {
    let folder = tempfile::tempdir().unwrap();
    let file = Location::File(folder.path().join("relay.db"));
    let relay = Store::open_at(&file, User::Relay).await.unwrap();
    let admin = Store::open_at(&file, User::Admin).await.unwrap();
    let mut change = admin.begin().await.unwrap();
    sqlx::query("SELECT COUNT(*) FROM accounts").fetch_one(&mut *change).await.unwrap();
    let (ana, ben) = ("Ana".parse().unwrap(), "Ben".parse().unwrap());
    let mut other = std::pin::pin!(relay.add_account(&ana, "hash"));
    let early = tokio::time::timeout(std::time::Duration::from_millis(100), other.as_mut()).await;
    assert!(early.is_err(), "what was read may be written to until the change is made");
    let insert = "INSERT INTO accounts (name, key, password, created_at_ms) VALUES ('Ben', 'ben', 'hash', 1)";
    sqlx::query(insert).execute(&mut *change).await.unwrap();
    change.commit().await.unwrap();
    assert!(other.await.unwrap().is_some());
    assert_eq!(admin.add_account(&ben, "hash").await.unwrap(), None);
}

/// `fetch_optional` and `fetch_one` answer before PostgreSQL has committed: what gives a row back while it writes goes through [`written`].
#[test]
fn no_write_is_taken_for_done_before_it_is() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut looked_at = 0;
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    for file in files.filter(|file| !file.ends_with("tests.rs")) {
        let text = std::fs::read_to_string(&file).unwrap();
        for statement in text.split(';').filter(|statement| statement.contains("RETURNING") && statement.contains("query(")) {
            looked_at += 1;
            let early = statement.contains(".fetch_optional(") || statement.contains(".fetch_one(");
            assert!(!early, "{}: read it by `written`:{statement}", file.display());
        }
    }
    assert!(looked_at >= 4);
}

#[cfg(unix)]
#[tokio::test]
async fn others_may_not_read_it() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old.db");
    std::fs::write(&old, "").unwrap();
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o664)).unwrap();
    let rights = |file: &Path| std::fs::metadata(file).unwrap().permissions().mode() & 0o777;
    for (file, expected) in [(old.clone(), 0o660), (folder.path().join("new.db"), 0o600)] {
        let store = Store::open_at(&Location::File(file.clone()), User::Relay).await.unwrap();
        store.add_account(&"Ana".parse().unwrap(), "hash").await.unwrap();
        assert_eq!(rights(&file), expected);
        let mut wal = file.into_os_string();
        wal.push("-wal");
        assert_eq!(rights(Path::new(&wal)), expected);
        store.close().await;
    }
}
