//! Everything that lives in memory: sessions, presence, calls, invitations, event feeds.
//!
//! One lock for control, taken for bookkeeping only and never across an await; media goes through the lock of its own room.
//! Whoever needs both takes control first.

pub(crate) mod calls;
pub(crate) mod clients;
pub(crate) mod discretion;
pub(crate) mod feed;
pub(crate) mod host;
pub(crate) mod invitation;
pub(crate) mod missed;
pub(crate) mod people;
pub(crate) mod presence;
pub(crate) mod session;
pub(crate) mod switchboard;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::{Duration, Instant},
};

use bytes::Bytes;
use proto::{
    CallId, Cursor, Event, Name,
    api::State,
    model::{EndReason, Relation, Ticker},
};

use self::{
    clients::{Client, Clients},
    feed::CursorExpired,
    people::People,
    session::Session,
    switchboard::Switchboard,
};
use crate::{
    journal::Journal,
    media::room::Room,
    store::{AccountId, SessionId},
    token::TokenHash,
};

/// The events of a session that has not polled for this long are dropped: when it comes back it reads the state.
const FEED_IDLE: Duration = Duration::from_secs(300);

#[derive(Debug, Default)]
struct Control {
    people: People,
    clients: Clients,
    board: Switchboard,
    tickers: BTreeMap<String, Ticker>,
    /// Events told so far, once for each session.
    told: u64,
}

/// The relay's memory.
#[derive(Debug)]
pub(crate) struct Hub {
    epoch: String,
    journal: Journal,
    sessions: RwLock<HashMap<TokenHash, Arc<Session>>>,
    rooms: RwLock<HashMap<CallId, Arc<Room>>>,
    control: Mutex<Control>,
}

/// How much is going on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) online: usize,
    pub(crate) calls: usize,
    /// Events told since the relay was started, once for each session.
    pub(crate) told: u64,
}

impl Hub {
    /// `epoch` tells the cursors of this run from those of every other.
    pub(crate) fn new(epoch: String, journal: Journal) -> Self {
        Self { epoch, journal, sessions: RwLock::default(), rooms: RwLock::default(), control: Mutex::default() }
    }

    /// From now on a call takes so many peers.
    pub(crate) fn set_call_peers(&self, most: usize) {
        self.lock().board.set_peers_max(most);
    }

    /// The session a token proves.
    pub(crate) fn session(&self, token: &TokenHash) -> Option<Arc<Session>> {
        self.sessions.read().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }

    /// All sessions.
    pub(crate) fn sessions(&self) -> Vec<Arc<Session>> {
        self.sessions.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The sessions of one person.
    pub(crate) fn sessions_of(&self, account: AccountId) -> Vec<Arc<Session>> {
        self.lock().clients.of(account).map(|client| Arc::clone(&client.session)).collect()
    }

    /// The media side of a call.
    pub(crate) fn room(&self, call: &CallId) -> Option<Arc<Room>> {
        self.rooms.read().unwrap_or_else(PoisonError::into_inner).get(call).cloned()
    }

    /// Waits until what has become of calls so far is written; what can't be is logged.
    pub(crate) async fn flush(&self) {
        self.journal.flush().await;
    }

    pub(crate) fn add_person(&self, id: AccountId, name: Name) {
        self.lock().people.add(id, name);
    }

    /// Forgets a person: their sessions end, their buddies' lists get shorter.
    pub(crate) fn remove_person(&self, id: AccountId, now: Instant) {
        for session in self.sessions_of(id) {
            self.sign_out(&session, now);
        }
        let mut control = self.lock();
        for other in control.people.remove(id) {
            control.tell_roster(other);
        }
    }

    /// Everyone's wishes for buddies, at start.
    pub(crate) fn restore_wishes(&self, wishes: &[(AccountId, AccountId)]) {
        let mut control = self.lock();
        for (who, whom) in wishes {
            control.people.want(*who, *whom);
        }
    }

    /// A person's wishes for buddies are now these; everyone it touches is told.
    pub(crate) fn set_wishes(&self, id: AccountId, wishes: &[(AccountId, AccountId)]) {
        let mut control = self.lock();
        for other in control.people.set_wishes(id, wishes) {
            control.tell_roster(other);
        }
    }

    pub(crate) fn person_named(&self, name: &Name) -> Option<AccountId> {
        self.lock().people.by_name(name)
    }

    pub(crate) fn name(&self, id: AccountId) -> Option<Name> {
        self.lock().people.name(id)
    }

    pub(crate) fn relation(&self, id: AccountId, other: AccountId) -> Option<Relation> {
        self.lock().people.relation(id, other)
    }

    /// How many are in a person's list.
    pub(crate) fn buddies(&self, id: AccountId) -> usize {
        self.lock().people.list(id).len()
    }

    /// A session is signed in now, or was restored.
    pub(crate) fn add_session(&self, session: Session, now: Instant) -> Arc<Session> {
        let session = Arc::new(session);
        let mut control = self.lock();
        control.clients.insert(Client { session: Arc::clone(&session), feed: None, read: now });
        self.sessions.write().unwrap_or_else(PoisonError::into_inner).insert(session.token, Arc::clone(&session));
        session
    }

    /// The sessions of a person that are in no call, those first that will be missed least: not there, and longest unused.
    pub(crate) fn idle_sessions(&self, account: AccountId, now: Instant) -> Vec<Arc<Session>> {
        let control = self.lock();
        let idle = control.clients.of(account).filter(|client| control.board.call_of(client.session.id).is_none());
        let mut idle = idle.map(|client| Arc::clone(&client.session)).collect::<Vec<_>>();
        idle.sort_by_key(|session| (session.is_there(now), session.last_seen(), session.id));
        idle
    }

    /// A session is over: it leaves its call, and its person may be gone at once.
    pub(crate) fn sign_out(&self, session: &Arc<Session>, now: Instant) {
        self.sessions.write().unwrap_or_else(PoisonError::into_inner).remove(&session.token);
        let mut control = self.lock();
        let effects = control.board.remove(session.id, EndReason::HungUp, now);
        control.clients.remove(session.id);
        self.apply(&mut control, effects, now);
        self.refresh_presence(&mut control, session.account, now);
        // Whoever waits in its event poll finds out.
        session.wake.notify_waiters();
    }

    /// Everything a client must know, and where its events go on from.
    pub(crate) fn state(&self, session: &Session, now: Instant) -> Option<State> {
        let mut control = self.lock();
        let client = control.clients.get_mut(session.id)?;
        client.read = now;
        let cursor = client.feed.get_or_insert_default().cursor(&self.epoch);
        let name = control.people.name(session.account)?;
        let heard = control.board.ringing(session.account).filter(|it| control.hears(session.account, it));
        let invitations = heard.filter_map(|it| control.shown(it, now)).collect();
        let call = control.joined(session.id);
        let tickers = control.tickers.values().cloned().collect();
        let presence = control.people.person(session.account)?.own.clone();
        let (blocked, missed) = (control.people.blocked(session.account), control.missed(session.account));
        let buddies = control.roster(session.account);
        Some(State {
            name,
            buddies,
            invitations,
            call,
            tickers,
            presence,
            blocked,
            missed,
            // What the database knows is added by whoever asks for it.
            groups: Vec::new(),
            conversations: Vec::new(),
            attachment_max: 0,
            cursor,
        })
    }

    /// Acknowledges the events up to the cursor and gives the body of an answer with those after it; `None` when there are none.
    pub(crate) fn events(&self, session: &Session, after: &Cursor, now: Instant) -> Result<Option<Bytes>, CursorExpired> {
        let mut control = self.lock();
        session.polls(now);
        self.refresh_presence(&mut control, session.account, now);
        let client = control.clients.get_mut(session.id).ok_or(CursorExpired)?;
        client.read = now;
        client.feed.as_mut().ok_or(CursorExpired)?.after(after, &self.epoch)
    }

    /// Tells every session of these people.
    pub(crate) fn tell(&self, people: &[AccountId], event: &Event) {
        self.lock().tell(people, event);
    }

    /// A ticker provider speaks.
    pub(crate) fn set_ticker(&self, ticker: Ticker) {
        let mut control = self.lock();
        let event = Event::Ticker { ticker: ticker.clone() };
        if ticker.items.is_empty() {
            control.tickers.remove(&ticker.provider);
        } else {
            control.tickers.insert(ticker.provider.clone(), ticker);
        }
        control.tell_all(&event);
    }

    /// The relay stops: everyone hears it, and nobody waits any longer.
    pub(crate) fn say_goodbye(&self, retry_after: Duration) {
        let retry_after_ms = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
        self.lock().tell_all(&Event::Goodbye { retry_after_ms });
        for session in self.sessions() {
            session.wake.notify_waiters();
        }
        let rooms = self.rooms.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect::<Vec<_>>();
        for room in rooms {
            room.dismiss();
        }
    }

    /// What is due by now: invitations time out, vanished clients leave their calls and are offline.
    pub(crate) fn tick(&self, now: Instant) {
        let mut control = self.lock();
        let mut effects = control.board.tick(now);
        let vanished = control.clients.all().filter(|client| !client.session.is_there(now)).map(|client| client.session.id);
        for session in vanished.collect::<Vec<_>>() {
            let Some(call) = control.board.call_of(session).map(|(call, _)| call.clone()) else { continue };
            effects.extend(control.board.remove(session, EndReason::Vanished, now));
            // It may come back, and then must learn that the call went on without it.
            effects.push(switchboard::Effect::Ended(call, vec![session], EndReason::Vanished));
        }
        self.apply(&mut control, effects, now);
        for account in control.people.told_present() {
            self.refresh_presence(&mut control, account, now);
        }
        for client in control.clients.all_mut() {
            if now.saturating_duration_since(client.read) > FEED_IDLE
                && let Some(feed) = &mut client.feed
            {
                feed.clear();
            }
        }
    }

    /// How much is going on.
    pub(crate) fn counts(&self) -> Counts {
        let control = self.lock();
        Counts { online: control.people.told_present().len(), calls: control.board.calls().count(), told: control.told }
    }

    fn lock(&self) -> MutexGuard<'_, Control> {
        // A panic in here would be a bug; the rest of the memory is still the best there is.
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Control {
    /// Queues an event for every session of these people.
    fn tell(&mut self, people: &[AccountId], event: &Event) {
        let mut people = people.to_vec();
        people.sort_unstable();
        people.dedup();
        let sessions = people.iter().flat_map(|person| self.clients.ids_of(*person)).copied().collect::<Vec<_>>();
        self.tell_sessions(&sessions, event);
    }

    fn tell_all(&mut self, event: &Event) {
        self.tell_sessions(&self.clients.ids(), event);
    }

    /// Queues an event for these sessions, none of which is named twice.
    fn tell_sessions(&mut self, sessions: &[SessionId], event: &Event) {
        if sessions.is_empty() {
            return;
        }
        let json = match serde_json::to_vec(event) {
            Ok(json) => Bytes::from(json),
            Err(error) => return tracing::error!(%error, "an event can't be written as JSON"),
        };
        for session in sessions {
            let Some(client) = self.clients.get_mut(*session) else { continue };
            if let Some(feed) = &mut client.feed {
                feed.push(json.clone());
                self.told += 1;
                client.session.wake.notify_waiters();
            }
        }
    }
}

#[cfg(test)]
mod tests;
