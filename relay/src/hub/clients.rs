//! The signed-in clients, by session and by whose they are.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Instant,
};

use super::{feed::Feed, session::Session};
use crate::store::{AccountId, SessionId};

/// One signed-in client.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) session: Arc<Session>,
    /// None until it first asks for the state.
    pub(crate) feed: Option<Feed>,
    /// When the feed was last asked for.
    pub(crate) read: Instant,
}

/// All of them. What concerns one person looks at that person's alone, however many there are.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    by_session: BTreeMap<SessionId, Client>,
    by_account: HashMap<AccountId, Vec<SessionId>>,
}

impl Clients {
    pub(crate) fn insert(&mut self, client: Client) {
        let (id, account) = (client.session.id, client.session.account);
        if self.by_session.insert(id, client).is_none() {
            self.by_account.entry(account).or_default().push(id);
        }
    }

    pub(crate) fn remove(&mut self, id: SessionId) {
        let Some(client) = self.by_session.remove(&id) else { return };
        let account = client.session.account;
        let Some(sessions) = self.by_account.get_mut(&account) else { return };
        sessions.retain(|other| *other != id);
        if sessions.is_empty() {
            self.by_account.remove(&account);
        }
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<&Client> {
        self.by_session.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: SessionId) -> Option<&mut Client> {
        self.by_session.get_mut(&id)
    }

    /// The sessions of one person.
    pub(crate) fn ids_of(&self, account: AccountId) -> &[SessionId] {
        self.by_account.get(&account).map_or(&[], Vec::as_slice)
    }

    /// The clients of one person.
    pub(crate) fn of(&self, account: AccountId) -> impl Iterator<Item = &Client> {
        self.ids_of(account).iter().filter_map(|id| self.by_session.get(id))
    }

    /// Everyone's.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Client> {
        self.by_session.values()
    }

    /// Everyone's.
    pub(crate) fn all_mut(&mut self) -> impl Iterator<Item = &mut Client> {
        self.by_session.values_mut()
    }

    /// Which sessions there are.
    pub(crate) fn ids(&self) -> Vec<SessionId> {
        self.by_session.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{rate::Rates, token::TokenHash};

    #[test]
    fn each_person_has_their_own() {
        let now = Instant::now();
        let client = |session: i64, account: i64| {
            let token = TokenHash::of(&session.to_string());
            let session = Session::new(SessionId(session), AccountId(account), token, Rates::default(), now);
            Client { session: Arc::new(session), feed: None, read: now }
        };
        let mut clients = Clients::default();
        for (session, account) in [(1, 1), (2, 2), (3, 1), (3, 1)] {
            clients.insert(client(session, account));
        }
        let of = |clients: &Clients, account: i64| clients.of(AccountId(account)).map(|it| it.session.id.0).collect::<Vec<_>>();
        assert_eq!((of(&clients, 1), of(&clients, 2), of(&clients, 3)), (vec![1, 3], vec![2], vec![]));
        clients.remove(SessionId(1));
        clients.remove(SessionId(1));
        clients.remove(SessionId(2));
        assert_eq!((of(&clients, 1), of(&clients, 2)), (vec![3], vec![]));
        assert_eq!((clients.all().count(), clients.by_account.len()), (1, 1));
    }
}
