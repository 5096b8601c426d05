//! Who there is, who is whose buddy, and what each was last seen as.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proto::{
    Name,
    model::{OwnPresence, Presence, Relation},
};

use super::missed::Missed;
use crate::store::AccountId;

/// What buddies were last told of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) presence: Presence,
    /// Empty while they are offline.
    pub(crate) text: String,
}

/// One account.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) name: Name,
    pub(crate) told: Told,
    /// When they were last told to be there, in milliseconds since 1970-01-01 UTC.
    pub(crate) seen_at_ms: Option<i64>,
    /// How they want to be seen.
    pub(crate) own: OwnPresence,
    pub(crate) missed: Missed,
    /// Of whom they want nothing, and since when each of these sees them as offline.
    blocks: BTreeMap<AccountId, Option<i64>>,
    wants: BTreeSet<AccountId>,
    wanted_by: BTreeSet<AccountId>,
}

/// All accounts by id and by name.
#[derive(Debug, Default)]
pub(crate) struct People {
    by_id: HashMap<AccountId, Person>,
    by_key: HashMap<String, AccountId>,
}

impl People {
    pub(crate) fn add(&mut self, id: AccountId, name: Name) {
        self.by_key.insert(name.key(), id);
        self.by_id.entry(id).or_insert(Person {
            name,
            told: Told::default(),
            seen_at_ms: None,
            own: OwnPresence::default(),
            missed: Missed::default(),
            blocks: BTreeMap::new(),
            wants: BTreeSet::new(),
            wanted_by: BTreeSet::new(),
        });
    }

    /// Forgets a person, and gives back those whose list they were in.
    pub(crate) fn remove(&mut self, id: AccountId) -> BTreeSet<AccountId> {
        let Some(person) = self.by_id.remove(&id) else { return BTreeSet::new() };
        self.by_key.remove(&person.name.key());
        let others = &person.wants | &person.wanted_by;
        for other in &others {
            if let Some(other) = self.by_id.get_mut(other) {
                other.wants.remove(&id);
                other.wanted_by.remove(&id);
            }
        }
        // Seldom, and nobody keeps a list of who has blocked or missed them.
        for other in self.by_id.values_mut() {
            other.blocks.remove(&id);
            other.missed.forget(id);
        }
        others
    }

    /// Everyone.
    pub(crate) fn ids(&self) -> Vec<AccountId> {
        self.by_id.keys().copied().collect()
    }

    pub(crate) fn by_name(&self, name: &Name) -> Option<AccountId> {
        self.by_key.get(&name.key()).copied()
    }

    pub(crate) fn person(&self, id: AccountId) -> Option<&Person> {
        self.by_id.get(&id)
    }

    pub(crate) fn person_mut(&mut self, id: AccountId) -> Option<&mut Person> {
        self.by_id.get_mut(&id)
    }

    pub(crate) fn name(&self, id: AccountId) -> Option<Name> {
        self.by_id.get(&id).map(|person| person.name.clone())
    }

    /// Those whose presence isn't "offline" as far as their buddies know.
    pub(crate) fn told_present(&self) -> Vec<AccountId> {
        self.by_id.iter().filter(|(_, person)| person.told.presence != Presence::Offline).map(|(id, _)| *id).collect()
    }

    /// Whether `who` wants nothing of `whom`.
    pub(crate) fn blocks(&self, who: AccountId, whom: AccountId) -> bool {
        self.by_id.get(&who).is_some_and(|person| person.blocks.contains_key(&whom))
    }

    /// Whom a person has blocked, by name.
    pub(crate) fn blocked(&self, who: AccountId) -> Vec<Name> {
        let Some(person) = self.by_id.get(&who) else { return Vec::new() };
        let mut names = person.blocks.keys().filter_map(|whom| self.name(*whom)).collect::<Vec<_>>();
        names.sort_by_cached_key(Name::key);
        names
    }

    /// `who` wants nothing of `whom` any more, who sees them as last seen at `seen_at_ms` from now on.
    pub(crate) fn block(&mut self, who: AccountId, whom: AccountId, seen_at_ms: Option<i64>) {
        if self.by_id.contains_key(&whom)
            && let Some(person) = self.by_id.get_mut(&who)
        {
            person.blocks.entry(whom).or_insert(seen_at_ms);
        }
    }

    /// Whether it was blocked.
    pub(crate) fn unblock(&mut self, who: AccountId, whom: AccountId) -> bool {
        self.by_id.get_mut(&who).is_some_and(|person| person.blocks.remove(&whom).is_some())
    }

    /// How `viewer` sees `person`, a mutual buddy: what they were last told, and for one who is offline since when.
    pub(crate) fn seen_by(&self, viewer: AccountId, id: AccountId) -> (Told, Option<u64>) {
        let Some(person) = self.by_id.get(&id) else { return (Told::default(), None) };
        let (told, seen_at_ms) = match person.blocks.get(&viewer) {
            Some(seen_at_ms) => (Told::default(), *seen_at_ms),
            None => (person.told.clone(), person.seen_at_ms),
        };
        let seen = seen_at_ms.filter(|_| told.presence == Presence::Offline);
        (told, seen.and_then(|ms| u64::try_from(ms).ok()))
    }

    pub(crate) fn want(&mut self, who: AccountId, whom: AccountId) {
        if let Some(person) = self.by_id.get_mut(&who) {
            person.wants.insert(whom);
        }
        if let Some(person) = self.by_id.get_mut(&whom) {
            person.wanted_by.insert(who);
        }
    }

    /// The wishes of and for one account are now these; gives back all whose list has changed.
    pub(crate) fn set_wishes(&mut self, id: AccountId, wishes: &[(AccountId, AccountId)]) -> BTreeSet<AccountId> {
        let Some(person) = self.by_id.get_mut(&id) else { return BTreeSet::new() };
        let before = (std::mem::take(&mut person.wants), std::mem::take(&mut person.wanted_by));
        for other in &before.0 | &before.1 {
            if let Some(other) = self.by_id.get_mut(&other) {
                other.wants.remove(&id);
                other.wanted_by.remove(&id);
            }
        }
        for (who, whom) in wishes {
            self.want(*who, *whom);
        }
        let Some(person) = self.by_id.get(&id) else { return BTreeSet::new() };
        let mut changed = &(&before.0 ^ &person.wants) | &(&before.1 ^ &person.wanted_by);
        if !changed.is_empty() {
            changed.insert(id);
        }
        changed
    }

    pub(crate) fn relation(&self, id: AccountId, other: AccountId) -> Option<Relation> {
        let person = self.by_id.get(&id)?;
        match (person.wants.contains(&other), person.wanted_by.contains(&other)) {
            (true, true) => Some(Relation::Mutual),
            (true, false) => Some(Relation::Asked),
            (false, true) => Some(Relation::Asking),
            (false, false) => None,
        }
    }

    /// Everyone in a person's list, by name. Who asks them and is blocked isn't in it.
    pub(crate) fn list(&self, id: AccountId) -> Vec<(AccountId, &Person, Relation)> {
        let Some(person) = self.by_id.get(&id) else { return Vec::new() };
        let ids = &person.wants | &person.wanted_by;
        let mut list = ids
            .into_iter()
            .filter_map(|other| Some((other, self.by_id.get(&other)?, self.relation(id, other)?)))
            .filter(|(other, _, relation)| *relation != Relation::Asking || !person.blocks.contains_key(other))
            .collect::<Vec<_>>();
        list.sort_by_cached_key(|(_, person, _)| person.name.key());
        list
    }

    pub(crate) fn mutual(&self, id: AccountId) -> Vec<AccountId> {
        self.by_id.get(&id).map_or_else(Vec::new, |person| (&person.wants & &person.wanted_by).into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: AccountId = AccountId(1);
    const BEN: AccountId = AccountId(2);
    const EVA: AccountId = AccountId(3);

    fn people() -> People {
        let mut people = People::default();
        for (id, name) in [(ANA, "Ana"), (BEN, "Ben"), (EVA, "Eva")] {
            people.add(id, name.parse().unwrap());
        }
        people
    }

    #[test]
    fn two_wishes_make_it_mutual() {
        let mut people = people();
        people.want(ANA, BEN);
        assert_eq!(people.relation(ANA, BEN), Some(Relation::Asked));
        assert_eq!(people.relation(BEN, ANA), Some(Relation::Asking));
        people.want(BEN, ANA);
        assert_eq!(people.relation(ANA, BEN), Some(Relation::Mutual));
        assert_eq!(people.mutual(BEN), [ANA]);
    }

    #[test]
    fn who_is_blocked_sees_nothing_and_asks_in_vain() {
        let mut people = people();
        people.person_mut(ANA).unwrap().told = Told { presence: Presence::Available, text: "here".into() };
        people.want(BEN, ANA);
        assert_eq!(people.list(ANA).len(), 1);
        people.block(ANA, BEN, Some(7));
        people.block(ANA, BEN, Some(9));
        assert!(people.blocks(ANA, BEN) && !people.blocks(BEN, ANA));
        assert_eq!(people.list(ANA).len(), 0);
        assert_eq!(people.seen_by(BEN, ANA), (Told::default(), Some(7)), "the first time counts");
        assert_eq!(people.seen_by(EVA, ANA).0.presence, Presence::Available);
        assert!(people.unblock(ANA, BEN) && !people.unblock(ANA, BEN));
        assert_eq!(people.seen_by(BEN, ANA).0.text, "here");
        people.block(ANA, BEN, None);
        people.remove(BEN);
        assert_eq!(people.blocked(ANA), Vec::<Name>::new());
    }

    #[test]
    fn new_wishes_replace_the_old_and_name_whom_it_touches() {
        let mut people = people();
        people.want(ANA, BEN);
        people.want(BEN, EVA);
        assert_eq!(people.set_wishes(ANA, &[(ANA, BEN)]), BTreeSet::new());
        assert_eq!(people.set_wishes(ANA, &[(EVA, ANA)]), BTreeSet::from([ANA, BEN, EVA]));
        assert_eq!(people.relation(ANA, BEN), None);
        assert_eq!(people.relation(BEN, EVA), Some(Relation::Asked));
        assert_eq!(people.remove(EVA), BTreeSet::from([ANA, BEN]));
        assert_eq!(people.list(ANA).len(), 0);
    }
}
