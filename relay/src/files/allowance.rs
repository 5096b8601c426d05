//! Who may put how much into the folder, and how many files are under way at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::store::AccountId;

/// Files one person sends or fetches at once: a message's pictures, a few at a time.
const OF_ONE: usize = 6;

/// Files all people together send or fetch at once: each has a file open and a task.
const OF_ALL: usize = 256;

/// What a file takes beside its bytes, in bytes: its rows, and the rest of its last block on the disk. Without it the smallest would be free.
pub(crate) const OF_EACH: u64 = 4096;

/// The limits, and what is on its way in. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct Allowance {
    /// Bytes one person's uploads may have together.
    quota: u64,
    /// Bytes all contents may have together.
    total: u64,
    under_way: Arc<Mutex<UnderWay>>,
}

#[derive(Debug, Default)]
struct UnderWay {
    files: usize,
    bytes: u64,
    by_account: HashMap<AccountId, (usize, u64)>,
}

/// Why a file is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// Too many are under way; a little later there is room.
    Busy,
    /// The person has used up what they may have.
    Quota,
    /// The relay has no room for anyone's.
    Total,
}

/// A file under way, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Pass {
    allowance: Allowance,
    account: AccountId,
    bytes: u64,
}

impl Allowance {
    pub(crate) fn new(quota: u64, total: u64) -> Self {
        Self { quota, total, under_way: Arc::default() }
    }

    /// Room for a file on its way to someone.
    pub(crate) fn fetch(&self, account: AccountId) -> Result<Pass, Full> {
        self.take(account, 0, |_, _| Ok(()))
    }

    /// Room for a file of so many bytes. `used` and `all` are the bytes of what the person has, and of all there is.
    pub(crate) fn send(&self, account: AccountId, bytes: u64, used: u64, all: u64) -> Result<Pass, Full> {
        self.take(account, bytes, |of_one, of_all| {
            let sum = |parts: [u64; 3]| parts.into_iter().fold(0, u64::saturating_add);
            if sum([used, of_one, bytes]) > self.quota {
                return Err(Full::Quota);
            }
            if sum([all, of_all, bytes]) > self.total { Err(Full::Total) } else { Ok(()) }
        })
    }

    fn take(&self, account: AccountId, bytes: u64, check: impl FnOnce(u64, u64) -> Result<(), Full>) -> Result<Pass, Full> {
        let mut under_way = self.lock();
        let of_one = under_way.by_account.get(&account).copied().unwrap_or_default();
        if under_way.files >= OF_ALL || of_one.0 >= OF_ONE {
            return Err(Full::Busy);
        }
        check(of_one.1, under_way.bytes)?;
        under_way.files += 1;
        under_way.bytes += bytes;
        under_way.by_account.insert(account, (of_one.0 + 1, of_one.1 + bytes));
        Ok(Pass { allowance: self.clone(), account, bytes })
    }

    fn lock(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut under_way = self.allowance.lock();
        under_way.files = under_way.files.saturating_sub(1);
        under_way.bytes = under_way.bytes.saturating_sub(self.bytes);
        let Some(of_one) = under_way.by_account.get_mut(&self.account) else { return };
        *of_one = (of_one.0.saturating_sub(1), of_one.1.saturating_sub(self.bytes));
        if of_one.0 == 0 {
            under_way.by_account.remove(&self.account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: AccountId = AccountId(1);
    const BEN: AccountId = AccountId(2);

    #[test]
    fn what_is_on_its_way_counts_as_if_it_were_there() {
        let allowance = Allowance::new(100, 150);
        let first = allowance.send(ANA, 60, 30, 30).unwrap();
        assert_eq!(allowance.send(ANA, 11, 30, 30).unwrap_err(), Full::Quota);
        let second = allowance.send(ANA, 10, 30, 30).unwrap();
        assert_eq!(allowance.send(BEN, 60, 0, 30).unwrap_err(), Full::Total);
        let third = allowance.send(BEN, 50, 0, 30).unwrap();
        drop((first, second, third));
        assert_eq!(allowance.lock().bytes, 0);
        assert!(allowance.lock().by_account.is_empty());
        allowance.send(BEN, 100, 0, 50).unwrap();
        assert_eq!(allowance.send(BEN, u64::MAX, 100, 1).unwrap_err(), Full::Quota);
    }

    #[test]
    fn so_many_at_once_and_no_more() {
        let allowance = Allowance::new(100, 100);
        let mut passes: Vec<_> = (0..OF_ONE).map(|_| allowance.fetch(ANA).unwrap()).collect();
        assert_eq!(allowance.fetch(ANA).unwrap_err(), Full::Busy);
        passes.extend((0..OF_ALL - OF_ONE).map(|number| allowance.fetch(AccountId(number as i64 + 10)).unwrap()));
        assert_eq!(allowance.fetch(BEN).unwrap_err(), Full::Busy);
        passes.truncate(1);
        allowance.fetch(ANA).unwrap();
        allowance.fetch(BEN).unwrap();
    }
}
