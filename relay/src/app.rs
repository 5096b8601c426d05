//! What every handler has at hand.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    config::Config,
    doctor::Doctor,
    doorman::Doorman,
    files::{Files, allowance::Allowance},
    hub::{Hub, session::Session},
    metrics::Metrics,
    oidc::Oidc,
    password::Hasher,
    refusal::{Answer, Refusal},
    slots::Slots,
    store::{AccountId, SessionRow, Store, wall_clock_ms},
};

/// When clients may try again after a stop: about how long a restart takes.
pub(crate) const BACK_IN: Duration = Duration::from_secs(1);

/// Sessions one person may have; the longest unused gives way to a new one.
const SESSIONS_MAX: usize = 32;

/// How long an upload is kept that goes along with no message: longer than any message is written.
const UNUSED: Duration = Duration::from_secs(24 * 3600);

/// The relay's parts. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct App(Arc<Parts>);

/// What [`App`] shares.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) hub: Hub,
    pub(crate) hasher: Hasher,
    pub(crate) doorman: Doorman,
    pub(crate) doctor: Doctor,
    pub(crate) slots: Slots,
    pub(crate) metrics: Metrics,
    /// The organisation's provider, where there is one.
    pub(crate) oidc: Option<Oidc>,
    pub(crate) started: Instant,
    pub(crate) files: Files,
    /// Held while a message, a mark or a group changes in the database and is told, so that it is told in that order.
    pub(crate) chat_order: tokio::sync::Mutex<()>,
    /// Held while buddies change in the database and in memory, so that both go the same way.
    pub(crate) buddy_order: tokio::sync::Mutex<()>,
    /// Held while sessions begin, or end with a change of password, in the database and in memory: none begins by a password that is
    /// no longer the person's.
    pub(crate) session_order: tokio::sync::Mutex<()>,
    stopping: AtomicBool,
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// Puts the parts together and reads what there was before.
    pub(crate) async fn open(config: Config, store: Store, hub: Hub, now: Instant) -> Result<Self, crate::Error> {
        let hasher = Hasher::new()?;
        let doorman = Doorman::new(&config.rates);
        let doctor = Doctor::new(config.rates.doctor, now);
        let slots = Slots::new(config.connections);
        let allowance = Allowance::new(config.attachments.quota, config.attachments.total);
        let unusable = |source| crate::Error::Data { path: config.files(), source };
        let files = Files::open(config.files(), allowance).map_err(unusable)?;
        let oidc = config.oidc.as_ref().map(Oidc::open).transpose()?;
        hub.set_call_peers(config.call_peers);
        let app = Self(Arc::new(Parts {
            config,
            store,
            hub,
            hasher,
            doorman,
            doctor,
            slots,
            files,
            metrics: Metrics::default(),
            oidc,
            started: now,
            chat_order: tokio::sync::Mutex::new(()),
            buddy_order: tokio::sync::Mutex::new(()),
            session_order: tokio::sync::Mutex::new(()),
            stopping: AtomicBool::new(false),
        }));
        app.expire_sessions(now).await?;
        for row in app.store.accounts().await? {
            app.hub.add_person(row.id, row.name);
        }
        app.hub.restore_wishes(&app.store.all_buddies().await?);
        let (presences, blocks, missed) = (app.store.presences().await?, app.store.blocks().await?, app.store.missed().await?);
        app.hub.restore_people(presences, &blocks, &missed);
        app.hub.expire_missed(wall_clock_ms());
        for row in app.store.sessions().await? {
            app.add_session(&row, now);
        }
        for row in app.store.calls().await? {
            app.hub.restore_call(row, now);
        }
        Ok(app)
    }

    pub(crate) fn add_session(&self, row: &SessionRow, now: Instant) -> Arc<Session> {
        self.hub.add_session(Session::new(row.id, row.account, row.token, self.config.rates, now), now)
    }

    /// The counters of what happens many times a second, where someone may read them.
    pub(crate) fn counted(&self) -> Option<&Metrics> {
        self.config.metrics.as_ref().map(|_| &self.metrics)
    }

    /// Makes room for one more session of a person.
    pub(crate) async fn limit_sessions(&self, account: AccountId, now: Instant) -> Answer<()> {
        let sessions = self.hub.idle_sessions(account, now);
        for session in sessions.iter().take((sessions.len() + 1).saturating_sub(SESSIONS_MAX)) {
            self.store.remove_session(session.id).await?;
            self.hub.sign_out(session, now);
        }
        Ok(())
    }

    /// Notes which sessions were used since this was last done.
    pub(crate) async fn note_used(&self) -> Result<(), sqlx::Error> {
        let sessions = self.hub.sessions();
        let used = sessions.iter().filter(|session| session.take_used()).map(|session| session.id).collect::<Vec<_>>();
        self.store.touch_sessions(&used).await
    }

    /// Ends sessions unused for long.
    pub(crate) async fn expire_sessions(&self, now: Instant) -> Result<(), sqlx::Error> {
        self.note_used().await?;
        let sessions = self.hub.sessions();
        let unused_ms = i64::try_from(self.config.session_unused.as_millis()).unwrap_or(i64::MAX);
        let expired = self.store.expire_sessions(unused_ms).await?;
        for session in sessions.iter().filter(|session| expired.contains(&session.id)) {
            self.hub.sign_out(session, now);
        }
        Ok(())
    }

    /// Removes what nobody wants any more: uploads that went nowhere, attachments past their days, contents without either, groups
    /// without members.
    pub(crate) async fn tidy_chat(&self) -> Result<(), sqlx::Error> {
        self.store.drop_empty_groups().await?;
        let before = |age: Duration| wall_clock_ms() - i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        self.store.expire_attachments(before(UNUSED), self.config.attachments.keep.map(before)).await?;
        let mut order = self.files.order.lock().await;
        *order = None;
        for hash in self.store.drop_unused_contents().await? {
            if let Err(error) = self.files.remove(&hash).await {
                tracing::warn!(%error, "the content of an attachment could not be removed");
            }
        }
        drop(order);
        Ok(())
    }

    /// Removes the files of contents that a relay left which was killed.
    pub(crate) async fn sweep_files(&self) -> Result<(), sqlx::Error> {
        let order = self.files.order.lock().await;
        let named = self.store.contents().await?;
        match self.files.sweep(&named).await {
            Ok(0) => {}
            Ok(files) => tracing::info!(files, "contents that belong to nothing were removed"),
            Err(error) => tracing::warn!(%error, "the folder of attachments could not be looked through"),
        }
        drop(order);
        Ok(())
    }

    /// Ends the sessions of a person that the database has no more. To be called in the `session_order`.
    pub(crate) async fn drop_ended(&self, account: AccountId, now: Instant) -> Result<(), sqlx::Error> {
        let kept = self.store.sessions_of(account).await?;
        for session in self.hub.sessions_of(account) {
            if !kept.iter().any(|row| row.id == session.id) {
                self.hub.sign_out(&session, now);
            }
        }
        Ok(())
    }

    /// Reads an account anew that was changed behind the relay's back.
    pub(crate) async fn reload(&self, id: AccountId, now: Instant) -> Result<(), sqlx::Error> {
        let sessions = self.session_order.lock().await;
        self.drop_ended(id, now).await?;
        drop(sessions);
        let order = self.buddy_order.lock().await;
        match self.store.account(id).await? {
            None => self.hub.remove_person(id, now),
            Some(row) => {
                self.hub.add_person(id, row.name);
                self.hub.set_wishes(id, &self.store.buddies_of(id).await?);
            }
        }
        drop(order);
        Ok(())
    }

    /// From now on requests are refused.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Refuses when the relay is stopping.
    pub(crate) fn check_running(&self) -> Answer<()> {
        if self.is_stopping() { Err(Refusal::shutting_down(BACK_IN)) } else { Ok(()) }
    }

    /// Runs work to its end even when the client goes away meanwhile: what is stored is also told.
    pub(crate) async fn see_through<T: Send + 'static>(
        &self,
        work: impl Future<Output = Answer<T>> + Send + 'static,
    ) -> Answer<T> {
        tokio::spawn(work).await.unwrap_or_else(|error| Err(Refusal::internal(&error)))
    }
}
