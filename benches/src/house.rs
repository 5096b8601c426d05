//! A relay with many people on it.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::Command,
    time::Duration,
};

use anyhow::Context;
use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use proto::Name;
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use tests::{process::Process, program};

use crate::{
    load::{ask_all, request},
    spent::Spent,
};

const START: Duration = Duration::from_secs(60);

/// Connections for setting things up.
const AT_ONCE: usize = 8;

/// Everyone's password.
pub const PASSWORD: &str = "correct horse battery";

/// The relay process, and where it keeps what it has.
pub struct House {
    process: Option<Process>,
    address: SocketAddr,
    /// With TLS.
    secure: SocketAddr,
    folder: TempDir,
}

/// Someone signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// Their name.
    pub name: String,
    /// Their session.
    pub token: String,
}

impl House {
    /// Starts a relay with these lines in its configuration and so many people: `p0`, `p1`, ... `buddies` are pairs of them. `p0` has a
    /// password hashed as the relay does it, by which hashing is measured; the others' is hashed so cheaply that signing in thousands takes seconds.
    ///
    /// # Errors
    /// When it doesn't start.
    pub fn open(configuration: &str, people: usize, buddies: &[(usize, usize)]) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut house = Self { process: None, address: nowhere, secure: nowhere, folder };
        let password = house.folder.path().join("password");
        fs::write(&password, PASSWORD)?;
        let mut admin = Command::new(program("tvphone-relay"));
        admin.args(["admin", "user", "add", "p0", "--data"]).arg(house.data()).arg("--password-file").arg(&password);
        anyhow::ensure!(admin.status()?.success(), "the first account can't be made");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(seed(&house.data().join("relay.db"), people, buddies)).context("the accounts can't be written")?;
        fs::write(house.data().join(relay::FILE), configuration)?;
        house.start()?;
        Ok(house)
    }

    /// Starts it again: what it has in memory is what it has read, and no more.
    ///
    /// # Errors
    /// When it doesn't start.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        if let Some(process) = self.process.take() {
            process.kill();
        }
        self.start()
    }

    fn start(&mut self) -> anyhow::Result<()> {
        let mut command = Command::new(program("tvphone-relay"));
        // The relay says one address in one line, and only the first is read: this one is free just now.
        self.secure = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let secure = format!("https://{}", self.secure);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--listen", &secure, "--data"])
            .arg(self.data())
            .env("RUST_LOG", "warn");
        let (process, line) = Process::start_and_read_line(&mut command, START);
        self.address = line.trim().strip_prefix("listening on http://").context("the relay said something else")?.parse()?;
        self.process = Some(process);
        Ok(())
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("relay")
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens with TLS.
    #[must_use]
    pub fn secure_address(&self) -> SocketAddr {
        self.secure
    }

    /// Its processor time so far.
    #[must_use]
    pub fn spent(&self) -> Spent {
        Spent::by(&[self.id()])
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.as_ref().map_or(0, Process::id)
    }

    /// Signs these people in.
    ///
    /// # Errors
    /// When one is refused.
    pub fn sign_in(&self, people: std::ops::Range<usize>) -> anyhow::Result<Vec<Guest>> {
        let wish = |at: usize| request::posting("/v1/session", None, &sign_in(at));
        let answers = self.ask(&people.clone().map(wish).collect::<Vec<_>>())?;
        let guest = |(at, answer): (usize, Value)| {
            let token = answer["token"].as_str().context("no token")?.to_owned();
            Ok(Guest { name: name(at), token })
        };
        people.zip(answers).map(guest).collect()
    }

    /// Reads everyone's state and gives the cursors.
    ///
    /// # Errors
    /// When one is refused.
    pub fn cursors(&self, guests: &[Guest]) -> anyhow::Result<Vec<String>> {
        let states = self.ask(&guests.iter().map(|guest| request::getting("/v1/state", &guest.token)).collect::<Vec<_>>())?;
        states.iter().map(|state| Ok(state["cursor"].as_str().context("no cursor")?.to_owned())).collect()
    }

    /// One poll of the event lane for each, without waiting: they are there.
    ///
    /// # Errors
    /// When one is refused.
    pub fn show_up(&self, guests: &[Guest]) -> anyhow::Result<()> {
        let cursors = self.cursors(guests)?;
        let polls = guests.iter().zip(cursors).map(|(guest, cursor)| poll_events(guest, &cursor, 0));
        self.ask(&polls.collect::<Vec<_>>()).map(drop)
    }

    /// The first of them rings all the others into one call, and they accept. The call's id.
    ///
    /// # Errors
    /// When one is refused.
    pub fn call(&self, guests: &[Guest]) -> anyhow::Result<String> {
        self.show_up(guests)?;
        let (host, others) = guests.split_first().context("nobody to call")?;
        let mut call = Value::Null;
        for other in others {
            let ring = request::posting("/v1/invitations", Some(&host.token), &json!({"to": other.name, "call": call}));
            let rung = self.ask(&[ring])?.remove(0);
            let id = rung["invitation"]["id"].as_str().context("no invitation")?.to_owned();
            call = rung["invitation"]["call"].clone();
            self.ask(&[request::posting(&format!("/v1/invitations/{id}/accept"), Some(&other.token), &json!({}))])?;
        }
        Ok(call.as_str().context("no call")?.to_owned())
    }

    fn ask(&self, requests: &[Vec<u8>]) -> anyhow::Result<Vec<Value>> {
        ask_all(self.address, requests, AT_ONCE)?.iter().map(crate::load::Answer::json).collect()
    }
}

/// What the people are called.
#[must_use]
pub fn name(at: usize) -> String {
    format!("p{at}")
}

/// What they sign in with.
#[must_use]
pub fn sign_in(at: usize) -> Value {
    json!({"name": name(at), "password": PASSWORD, "device": "bench", "versions": [1]})
}

/// A poll of the event lane.
#[must_use]
pub fn poll_events(guest: &Guest, cursor: &str, wait_ms: u64) -> Vec<u8> {
    request::getting(&format!("/v1/events?after={cursor}&wait_ms={wait_ms}"), &guest.token)
}

/// Writes accounts and buddies as the relay does, but all in one go.
async fn seed(database: &std::path::Path, people: usize, buddies: &[(usize, usize)]) -> anyhow::Result<()> {
    let mut connection = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(database)).await?;
    let mut all = connection.begin().await?;
    let (first,): (i64,) = sqlx::query_as("SELECT id FROM accounts").fetch_one(&mut *all).await?;
    let hash = cheap_hash()?;
    for at in 1..people {
        let name: Name = name(at).parse()?;
        sqlx::query("INSERT INTO accounts (id, name, key, password, created_at_ms) VALUES ($1, $2, $3, $4, 0)")
            .bind(first + i64::try_from(at)?)
            .bind(name.as_str())
            .bind(name.key())
            .bind(&hash)
            .execute(&mut *all)
            .await?;
    }
    for (one, other) in buddies.iter().flat_map(|(one, other)| [(one, other), (other, one)]) {
        sqlx::query("INSERT INTO buddies (account, buddy) VALUES ($1, $2)")
            .bind(first + i64::try_from(*one)?)
            .bind(first + i64::try_from(*other)?)
            .execute(&mut *all)
            .await?;
    }
    all.commit().await?;
    connection.close().await?;
    Ok(())
}

/// [`PASSWORD`] in the form the relay keeps, with the least argon2 does.
fn cheap_hash() -> anyhow::Result<String> {
    const SALT: &[u8] = b"salt of the bench";
    let wrong = |error: argon2::Error| anyhow::anyhow!("argon2: {error}");
    let params = Params::new(Params::MIN_M_COST, 1, 1, None).map_err(wrong)?;
    let mut hash = [0; Params::DEFAULT_OUTPUT_LEN];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(PASSWORD.as_bytes(), SALT, &mut hash).map_err(wrong)?;
    let (salt, hash) = (STANDARD_NO_PAD.encode(SALT), STANDARD_NO_PAD.encode(hash));
    Ok(format!("$argon2id$v=19$m={},t=1,p=1${salt}${hash}", Params::MIN_M_COST))
}
