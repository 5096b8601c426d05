//! Who there is, who is whose buddy, and what each was last seen as.

use std::collections::{BTreeSet, HashMap};

use proto::{
    Name,
    model::{Presence, Relation},
};

use crate::store::AccountId;

/// One account.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) name: Name,
    /// What their buddies were last told.
    pub(crate) told: Presence,
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
            told: Presence::Offline,
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
        others
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
        self.by_id.iter().filter(|(_, person)| person.told != Presence::Offline).map(|(id, _)| *id).collect()
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

    /// Everyone in a person's list, by name.
    pub(crate) fn list(&self, id: AccountId) -> Vec<(AccountId, &Person, Relation)> {
        let Some(person) = self.by_id.get(&id) else { return Vec::new() };
        let ids = &person.wants | &person.wanted_by;
        let mut list = ids
            .into_iter()
            .filter_map(|other| Some((other, self.by_id.get(&other)?, self.relation(id, other)?)))
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
