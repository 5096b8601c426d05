//! The calls a person has missed: one line for each who rang, until it was seen or is too old.

use proto::limits::{MISSED_KEPT, MISSED_MAX};

use crate::store::AccountId;

/// Rings of one person that are no further apart than this count as one: a finger that presses again, or a client that asks again.
const APART_MS: i64 = 10_000;

/// The rings of one person that came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MissedFrom {
    pub(crate) caller: AccountId,
    /// When they last rang, in milliseconds since 1970-01-01 UTC.
    pub(crate) at_ms: i64,
    pub(crate) rings: u32,
}

/// Those of one person, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Missed(Vec<MissedFrom>);

impl Missed {
    /// All of them, the newest first.
    pub(crate) fn list(&self) -> &[MissedFrom] {
        &self.0
    }

    /// Puts back what was stored.
    pub(crate) fn restore(&mut self, missed: MissedFrom) {
        self.0.push(missed);
        self.0.sort_by_key(|missed| std::cmp::Reverse(missed.at_ms));
        self.0.truncate(MISSED_MAX);
    }

    /// Someone has rung in vain. Gives back what there is to store, and who had to make room; `None` when it is the same ring again.
    pub(crate) fn ring(&mut self, caller: AccountId, at_ms: i64) -> Option<(MissedFrom, Option<AccountId>)> {
        let known = self.0.iter().position(|missed| missed.caller == caller);
        let rings = match known {
            Some(at) if (0..APART_MS).contains(&(at_ms - self.0[at].at_ms)) => return None,
            Some(at) => self.0.remove(at).rings.saturating_add(1),
            None => 1,
        };
        let missed = MissedFrom { caller, at_ms, rings };
        self.0.insert(0, missed);
        let gone = if self.0.len() > MISSED_MAX { self.0.pop().map(|oldest| oldest.caller) } else { None };
        Some((missed, gone))
    }

    /// The person has seen those of one, or of all, up to that time. Gives back whose they were.
    pub(crate) fn see(&mut self, from: Option<AccountId>, up_to_ms: i64) -> Vec<AccountId> {
        let seen = |missed: &MissedFrom| missed.at_ms <= up_to_ms && from.is_none_or(|from| from == missed.caller);
        self.take(seen)
    }

    /// What is too old to be of use goes. Gives back whose they were.
    pub(crate) fn expire(&mut self, now_ms: i64) -> Vec<AccountId> {
        let kept_ms = i64::try_from(MISSED_KEPT.as_millis()).unwrap_or(i64::MAX);
        self.take(|missed| now_ms.saturating_sub(missed.at_ms) > kept_ms)
    }

    /// There is no such person any more.
    pub(crate) fn forget(&mut self, caller: AccountId) {
        self.0.retain(|missed| missed.caller != caller);
    }

    fn take(&mut self, which: impl Fn(&MissedFrom) -> bool) -> Vec<AccountId> {
        let taken = self.0.iter().filter(|missed| which(missed)).map(|missed| missed.caller).collect();
        self.0.retain(|missed| !which(missed));
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEN: AccountId = AccountId(2);
    const EVA: AccountId = AccountId(3);

    fn list(missed: &Missed) -> Vec<(i64, i64, u32)> {
        missed.list().iter().map(|missed| (missed.caller.0, missed.at_ms, missed.rings)).collect()
    }

    #[test]
    fn each_who_rang_has_one_line_and_the_newest_is_the_first() {
        let mut missed = Missed::default();
        assert!(missed.ring(BEN, 1_000).is_some());
        assert!(missed.ring(EVA, 2_000).is_some());
        assert_eq!(missed.ring(BEN, 1_000 + APART_MS - 1), None, "the same ring again");
        assert_eq!(missed.ring(BEN, 1_000 + APART_MS).unwrap().0.rings, 2);
        assert_eq!(list(&missed), [(2, 11_000, 2), (3, 2_000, 1)]);
    }

    #[test]
    fn what_was_seen_goes_and_what_came_meanwhile_stays() {
        let mut missed = Missed::default();
        missed.ring(BEN, 1_000);
        missed.ring(EVA, 2_000);
        assert_eq!(missed.see(Some(BEN), 999), []);
        assert_eq!(missed.see(None, 1_000), [BEN]);
        assert_eq!(missed.see(Some(BEN), 9_000), []);
        assert_eq!(missed.see(Some(EVA), 9_000), [EVA]);
        assert_eq!(missed.list(), []);
    }

    #[test]
    fn it_stays_small_and_forgets_what_is_old() {
        let mut missed = Missed::default();
        for number in 0..=MISSED_MAX as i64 {
            let (_, gone) = missed.ring(AccountId(number), number).unwrap();
            assert_eq!(gone, (number == MISSED_MAX as i64).then_some(AccountId(0)));
        }
        assert_eq!(missed.list().len(), MISSED_MAX);
        let month = MISSED_KEPT.as_millis() as i64;
        assert_eq!(missed.expire(month + 2), [AccountId(1)]);
        assert_eq!(missed.expire(month * 2).len(), MISSED_MAX - 1);
    }
}
