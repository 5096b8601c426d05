//! One relay from opening to stopping.

use std::{
    fs::{File, TryLockError},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::Router;
use proto::Fingerprint;
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

use crate::{
    app::{App, BACK_IN},
    config::Config,
    descriptors,
    error::Error,
    handlers::groups,
    hub::Hub,
    journal,
    listen::{Listen, Socket},
    router::{self, Routes},
    server::{Handle, Limits, Server},
    store::{Store, User, wall_clock_ms},
    ticker,
    tls::Tls,
    token,
};

/// How often the relay looks what is due, and what the admin command has changed.
const TICK: Duration = Duration::from_secs(1);

/// How often sessions and rates are tidied up.
const TIDY: Duration = Duration::from_secs(600);

/// How long requests under way have to end once the relay stops.
const GRACE: Duration = Duration::from_millis(1500);

/// A relay. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Relay {
    app: App,
    handle: Handle,
    /// Where there is an address for it.
    tls: Option<Arc<Tls>>,
    tasks: Arc<Mutex<Vec<AbortHandle>>>,
    /// Locked while this relay uses the data folder.
    lock: Arc<Mutex<Option<File>>>,
}

impl Relay {
    /// Opens the data folder (making it if there is none) and goes on with the sessions and calls that were there.
    ///
    /// # Errors
    /// When the folder can't be used, or another relay uses it.
    pub async fn open(config: Config) -> Result<Self, Error> {
        let now = Instant::now();
        let lock = lock(&config)?;
        let tls = if config.listen.iter().any(|listen| listen.secure) { Some(Arc::new(Tls::open(&config)?)) } else { None };
        let store = Store::open_at(&config.location(), User::Relay).await?;
        let (journal, writer) = journal::new();
        let writing = tokio::spawn(writer.run(store.clone()));
        let seen = store.last_change().await?;
        let app = App::open(config, store, Hub::new(token::epoch()?, journal), now).await?;
        let lock = Arc::new(Mutex::new(Some(lock)));
        let relay = Self { app, handle: Handle::new(), tls, tasks: Arc::default(), lock };
        relay.keep(writing.abort_handle());
        relay.keep(tokio::spawn(tick(relay.app.clone(), relay.tls.clone(), seen)).abort_handle());
        relay.keep(tokio::spawn(sweep(relay.app.clone())).abort_handle());
        if relay.app.oidc.is_some() {
            relay.keep(tokio::spawn(find_provider(relay.app.clone())).abort_handle());
        }
        Ok(relay)
    }

    /// All routes, without sockets.
    pub fn router(&self) -> Router {
        router::router(self.app.clone())
    }

    /// Listens on the configured addresses.
    ///
    /// # Errors
    /// When one of them is in use or not this machine's.
    pub fn bind(&self) -> Result<Vec<Socket>, Error> {
        let all = &self.app.config.listen;
        let bind = |listen: &Listen| Socket::bind(listen, all).map_err(|source| Error::Listen { address: *listen, source });
        all.iter().map(bind).collect()
    }

    /// What the certificate that clients are shown is known by, if there is an address with TLS.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.tls.as_ref().map(|tls| tls.fingerprint())
    }

    /// Serves on these sockets until [`Self::stop`] or [`Self::kill`]. A listener of one's own is one for plain HTTP.
    ///
    /// # Errors
    /// When a socket can't be used.
    pub fn serve(&self, sockets: Vec<impl Into<Socket>>) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send + '_>> {
        let sockets = sockets.into_iter().map(Into::into).collect::<Vec<Socket>>();
        // In a box: whoever calls an async function compiles all that's in it, here the whole server.
        Box::pin(async move {
            descriptors::allow(self.app.config.connections);
            self.say_who_we_are();
            let mut servers = JoinSet::new();
            let server = self.server();
            for (at, socket) in sockets.into_iter().enumerate() {
                if at == 0 {
                    self.keep(tokio::spawn(ticker::run(self.app.clone(), socket.listen()?.address)).abort_handle());
                }
                servers.spawn(server.clone().serve(socket, self.tls.as_ref().map(|tls| tls.config())));
            }
            while let Some(served) = servers.join_next().await {
                served.map_err(std::io::Error::other)??;
            }
            Ok(())
        })
    }

    /// Serves on these sockets until `shutdown` ends, then stops cleanly.
    ///
    /// # Errors
    /// When a socket can't be used.
    pub async fn run(&self, sockets: Vec<Socket>, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        tokio::select! {
            served = self.serve(sockets) => return served,
            () = shutdown => {}
        }
        self.stop().await;
        Ok(())
    }

    /// Stops cleanly, within about 2 s: refuses new work, says goodbye, answers whoever waits, ends, lets go of the data folder.
    pub async fn stop(&self) {
        self.app.stop();
        self.app.hub.say_goodbye(BACK_IN);
        if let Some(oidc) = &self.app.oidc {
            oidc.pending().wake_all();
        }
        self.app.doctor.stop();
        self.handle.stop();
        self.app.hub.note_seen(Instant::now());
        self.app.hub.flush().await;
        let deadline = Instant::now() + GRACE;
        while self.app.slots.counts().0 > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if let Err(error) = self.app.note_used().await {
            tracing::warn!(%error, "which sessions were used could not be stored");
        }
        self.kill();
        self.app.store.close().await;
    }

    /// Ends at once, as a crash would: connections break, nobody is told. What was acknowledged is on disk, but for changes of calls
    /// that the log says could not be stored.
    pub fn kill(&self) {
        self.handle.end();
        for task in self.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
        self.app.store.let_go();
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Does what is due by `now`: rings time out, clients that vanished are gone. The relay does this by itself each second;
    /// a test may let time pass faster.
    pub fn tick(&self, now: Instant) {
        self.app.hub.tick(now);
    }

    /// Removes attachments that are past their day and uploads that went nowhere, as the relay does by itself now and then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tidy(&self) -> Result<(), Error> {
        Ok(self.app.tidy_chat().await?)
    }

    /// All routes, as sockets are answered.
    pub(crate) fn routes(&self) -> Routes {
        Routes::new(self.app.clone())
    }

    fn server(&self) -> Server {
        let (config, slots) = (&self.app.config, self.app.slots.clone());
        Server::new(
            self.routes(),
            self.handle.clone(),
            slots,
            config.proxies.clone(),
            config.plain_http,
            Limits::new(&config.patience),
        )
    }

    fn say_who_we_are(&self) {
        let Some(tls) = &self.tls else { return };
        let fingerprint = tls.fingerprint();
        if tls.can_change() {
            tracing::info!(%fingerprint, "TLS is spoken with the configured certificate");
        } else {
            tracing::info!(%fingerprint, "TLS is spoken with a self-signed certificate: tell people its fingerprint");
        }
    }

    fn keep(&self, task: AbortHandle) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }
}

/// So that whoever runs the relay reads in its log whether the OpenID provider can be found.
async fn find_provider(app: App) {
    if let Some(oidc) = &app.oidc {
        oidc.find_provider().await;
    }
}

/// Looks through the folder of attachments once. With many of them that takes a while, in which nothing else may stand still.
async fn sweep(app: App) {
    if let Err(error) = app.sweep_files().await {
        tracing::warn!(%error, "which attachments there are could not be read");
    }
}

async fn tick(app: App, tls: Option<Arc<Tls>>, mut seen: i64) {
    let mut ticks = tokio::time::interval(TICK);
    let mut tidied = Instant::now();
    let mut look = None;
    loop {
        ticks.tick().await;
        let now = Instant::now();
        app.hub.tick(now);
        if let Some(tls) = tls.clone().filter(|tls| tls.can_change() && look.as_ref().is_none_or(JoinHandle::is_finished)) {
            // A file may lie on a slow disk, which nobody waits for.
            look = Some(tokio::task::spawn_blocking(move || tls.look()));
        }
        match follow(&app, seen, now).await {
            Ok(newest) => seen = newest,
            Err(error) => tracing::warn!(%error, "what the admin command changed could not be read"),
        }
        if now.saturating_duration_since(tidied) >= TIDY {
            tidied = now;
            app.doorman.tidy(now);
            app.doctor.tidy(now);
            if let Some(oidc) = &app.oidc {
                oidc.pending().tidy(now);
            }
            app.hub.expire_missed(wall_clock_ms());
            app.hub.note_seen(now);
            if let Err(error) = app.store.expire_codes(wall_clock_ms()).await {
                tracing::warn!(%error, "invitation codes past their day could not be removed");
            }
            if let Err(error) = app.tidy_chat().await {
                tracing::warn!(%error, "attachments past their day could not be removed");
            }
            if let Err(error) = app.expire_sessions(now).await {
                tracing::warn!(%error, "unused sessions could not be ended");
            }
            if let Err(error) = forget(&app, seen).await {
                tracing::warn!(%error, "what is kept no longer could not be removed");
            }
        }
    }
}

/// Removes messages past their time, and what the admin command has changed before entry `seen`.
async fn forget(app: &App, seen: i64) -> Result<(), sqlx::Error> {
    app.store.forget_changes(seen).await?;
    if let Some(age) = app.config.message_age {
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        app.store.expire_messages(wall_clock_ms().saturating_sub(age)).await?;
    }
    Ok(())
}

/// Reads what the admin command has changed since entry `seen`.
async fn follow(app: &App, seen: i64, now: Instant) -> Result<i64, sqlx::Error> {
    let mut newest = seen;
    for (entry, account) in app.store.changes(seen).await? {
        app.reload(account, now).await?;
        groups::tell_all_of(app, account).await?;
        newest = entry;
    }
    Ok(newest)
}

fn lock(config: &Config) -> Result<File, Error> {
    let path = config.data.clone();
    let unusable = |source| Error::Data { path: path.clone(), source };
    config.make_data().map_err(unusable)?;
    std::fs::create_dir_all(config.providers()).map_err(unusable)?;
    let file = File::create(config.data.join("relay.lock")).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { path }),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use axum::{body::Body, http::Request};
    use serde_json::json;
    use tower::ServiceExt;

    use super::*;
    use crate::{
        hub::session::Counts,
        store::{NewAttachment, NewMessage, NewSession, Page, Place, SessionRow},
        token::TokenHash,
    };

    #[tokio::test]
    async fn a_session_used_until_the_stop_counts_as_used() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::new(folder.path());
        config.database = Store::server_for(&folder.path().join("relay.db"));
        let relay = Relay::open(config).await.unwrap();
        let store = &relay.app.store;
        let account = store.add_account(&"Ana".parse().unwrap(), "hash").await.unwrap().unwrap();
        let mut ids = Vec::new();
        for public in ["used", "unused"] {
            let token = TokenHash::of(public);
            let new = NewSession { token, public, account, password: "hash", device: "" };
            let id = store.add_session(new).await.unwrap().unwrap();
            let session = relay.app.add_session(&SessionRow { id, account, token }, Instant::now());
            if ids.is_empty() {
                session.take(Counts::Control, Instant::now()).unwrap();
            }
            ids.push(id);
        }
        store.execute("UPDATE sessions SET used_at_ms = 0").await.unwrap();
        relay.stop().await;
        let store = Store::open(&folder.path().join("relay.db")).await.unwrap();
        assert_eq!(store.expire_sessions(3_600_000).await.unwrap(), ids[1..]);
    }

    async fn post(relay: &Relay, path: &str, token: Option<&str>, body: serde_json::Value) -> (u16, serde_json::Value) {
        let mut request = Request::post(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer = relay.router().oneshot(request.body(Body::from(body.to_string())).unwrap()).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (head.status.as_u16(), serde_json::from_slice(&body).unwrap())
    }

    async fn open(folder: &Path) -> Relay {
        let mut config = Config::new(folder);
        config.database = Store::server_for(&folder.join("relay.db"));
        config.attachments.quota = 5000;
        Relay::open(config).await.unwrap()
    }

    #[tokio::test]
    async fn who_is_removed_while_they_sign_in_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let relay = open(folder.path()).await;
        let account = json!({"name": "Ana", "password": "correct horse"});
        assert_eq!(post(&relay, "/v1/accounts", None, account.clone()).await.0, 200);
        let sign_in = json!({"name": "Ana", "password": "correct horse", "device": "", "versions": [1]});
        let removed = async {
            let (row, _) = relay.app.store.account_by_name(&"Ana".parse().unwrap()).await.unwrap().unwrap();
            relay.app.store.remove_account(row.id).await.unwrap();
            relay.app.reload(row.id, Instant::now()).await.unwrap();
        };
        // Hashing takes longer than all that.
        let (refused, ()) = tokio::join!(post(&relay, "/v1/session", None, sign_in), removed);
        assert_eq!(refused.0, 401, "{}", refused.1);
        assert_eq!(post(&relay, "/v1/accounts", None, account).await.0, 200, "the name is free");
        relay.stop().await;
    }

    #[tokio::test]
    async fn what_is_stored_while_an_upload_begins_counts_against_it() {
        let folder = tempfile::tempdir().unwrap();
        let relay = open(folder.path()).await;
        post(&relay, "/v1/accounts", None, json!({"name": "Ana", "password": "correct horse"})).await;
        let sign_in = json!({"name": "Ana", "password": "correct horse", "device": "", "versions": [1]});
        let token = post(&relay, "/v1/session", None, sign_in).await.1["token"].as_str().unwrap().to_owned();
        let store = &relay.app.store;
        let (row, _) = store.account_by_name(&"Ana".parse().unwrap()).await.unwrap().unwrap();
        let order = relay.app.files.order.lock().await;
        let stored = async {
            for _ in 0..10 {
                store.answers().await.unwrap();
            }
            let new = NewAttachment { id: "a", account: row.id, hash: "a", size: 10, name: "a", kind: "a" };
            store.add_attachment(new).await.unwrap();
            drop(order);
        };
        let upload = Request::post("/v1/attachments?name=b").header("content-length", "10");
        let upload = upload.header("authorization", format!("Bearer {token}")).body(Body::from("0123456789")).unwrap();
        let (answer, ()) = tokio::join!(relay.router().oneshot(upload), stored);
        assert_eq!(answer.unwrap().status(), 413);
        relay.stop().await;
    }

    #[tokio::test]
    async fn what_the_admin_command_changes_is_noticed_while_the_folder_of_attachments_is_looked_through() {
        let folder = tempfile::tempdir().unwrap();
        let relay = open(folder.path()).await;
        // Nobody gets to the folder meanwhile.
        let order = relay.app.files.order.lock().await;
        let ana = relay.app.store.add_account(&"Ana".parse().unwrap(), "hash").await.unwrap().unwrap();
        relay.app.store.log_change(&[ana]).await.unwrap();
        let noticed = async {
            while relay.app.hub.name(ana).is_none() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), noticed).await.expect("it is noticed");
        drop(order);
        relay.stop().await;
    }

    #[tokio::test]
    async fn what_is_kept_no_longer_goes_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::new(folder.path());
        config.database = Store::server_for(&folder.path().join("relay.db"));
        config.message_age = Some(Duration::from_secs(86_400));
        let relay = Relay::open(config).await.unwrap();
        let store = &relay.app.store;
        let ana = store.add_account(&"Ana".parse().unwrap(), "hash").await.unwrap().unwrap();
        let to = Place::With(ana);
        for client_id in ["old", "new"] {
            let new = NewMessage { from: ana, to: &to, text: "x", html: None, attachments: &[], client_id, withheld: false };
            store.keep_message(new).await.unwrap();
        }
        store.execute("UPDATE messages SET sent_at_ms = sent_at_ms - 86400001 WHERE client_id = 'old'").await.unwrap();
        store.log_change(&[ana, ana, ana]).await.unwrap();
        let seen = store.last_change().await.unwrap();
        forget(&relay.app, seen).await.unwrap();
        let page = Page { me: ana, place: to, floor: 0, before: None, after: None, limit: 9 };
        let left = store.page(page).await.unwrap().0;
        assert_eq!(left.iter().map(|message| message.client_id.as_str()).collect::<Vec<_>>(), ["new"]);
        assert_eq!(store.changes(0).await.unwrap(), [(seen, ana)], "the newest stays: numbers go on from it");
        relay.stop().await;
    }
}
