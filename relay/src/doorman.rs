//! How often strangers may knock: sign-ups and sign-ins by where they come from, wrong passwords by name as well.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use proto::Name;

use crate::{
    rate::{Buckets, Rates},
    store::AccountId,
};

/// Where someone comes from, as far as it can be told apart: an IPv4 address, or the /64 that is the least any IPv6 connection gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin(IpAddr);

impl Origin {
    /// `None` for the loopback: it is whoever runs this, or a proxy in front for everyone.
    pub(crate) fn of(address: IpAddr) -> Option<Self> {
        (!address.to_canonical().is_loopback()).then(|| Self::at(address))
    }

    /// The same, even if it is the loopback.
    pub(crate) fn at(address: IpAddr) -> Self {
        // An IPv4 client on an IPv6 socket is still an IPv4 client.
        Self(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        })
    }
}

/// What guesses of invitation codes are counted under: no name has a space in it.
const CODE: &str = "invitation code";

/// A guess of a password or of an invitation code that was let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guess {
    key: String,
    from: Option<Origin>,
}

/// Counts. Whoever is told to wait is told for how long.
#[derive(Debug)]
pub(crate) struct Doorman(Mutex<Counts>);

#[derive(Debug)]
struct Counts {
    sign_ups: Buckets<Origin>,
    sign_ins: Buckets<Origin>,
    /// Wrong passwords for a name from one place: whoever guesses shuts out themselves.
    guesses: Buckets<(String, Option<Origin>)>,
    /// Those for a name from everywhere, laxer: it takes many places to shut its owner out.
    guesses_from_everywhere: Buckets<String>,
    reports: Buckets<AccountId>,
}

impl Doorman {
    pub(crate) fn new(rates: &Rates) -> Self {
        Self(Mutex::new(Counts {
            sign_ups: Buckets::new(rates.sign_up),
            sign_ins: Buckets::new(rates.sign_in),
            guesses: Buckets::new(rates.wrong_password),
            guesses_from_everywhere: Buckets::new(rates.wrong_password_everywhere),
            reports: Buckets::new(rates.report),
        }))
    }

    /// Counts a sign-up.
    pub(crate) fn sign_up(&self, from: Option<Origin>, now: Instant) -> Result<(), Duration> {
        from.map_or(Ok(()), |from| self.lock().sign_ups.take(from, now))
    }

    /// Counts a sign-in as a guess, which it is until the password was found right.
    pub(crate) fn sign_in(&self, from: Option<Origin>, name: &Name, now: Instant) -> Result<Guess, Duration> {
        let mut counts = self.lock();
        from.map_or(Ok(()), |from| counts.sign_ins.take(from, now))?;
        counts.guess(name.key(), from, now)
    }

    /// Counts an invitation code as a guess, which it is until it was found to count.
    pub(crate) fn code(&self, from: Option<Origin>, now: Instant) -> Result<Guess, Duration> {
        self.lock().guess(CODE.to_owned(), from, now)
    }

    /// Counts a report to whoever runs the relay.
    pub(crate) fn report(&self, by: AccountId, now: Instant) -> Result<(), Duration> {
        self.lock().reports.take(by, now)
    }

    /// It was no guess: the password was right, or was never looked at. So with a code.
    pub(crate) fn no_guess(&self, guess: Guess) {
        let mut counts = self.lock();
        counts.guesses_from_everywhere.give_back(&guess.key);
        counts.guesses.give_back(&(guess.key, guess.from));
    }

    /// Forgets whoever has been quiet.
    pub(crate) fn tidy(&self, now: Instant) {
        let mut counts = self.lock();
        counts.sign_ups.tidy(now);
        counts.sign_ins.tidy(now);
        counts.guesses.tidy(now);
        counts.guesses_from_everywhere.tidy(now);
        counts.reports.tidy(now);
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn guess(&mut self, key: String, from: Option<Origin>, now: Instant) -> Result<Guess, Duration> {
        let guess = Guess { key, from };
        self.guesses.take((guess.key.clone(), from), now)?;
        if let Err(wait) = self.guesses_from_everywhere.take(guess.key.clone(), now) {
            self.guesses.give_back(&(guess.key, from));
            return Err(wait);
        }
        Ok(guess)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rate::Rate;

    fn origin(address: &str) -> Option<Origin> {
        Origin::of(address.parse().unwrap())
    }

    #[test]
    fn an_origin_is_an_address_or_a_network_of_ipv6() {
        assert_eq!(origin("2001:db8:1:2:3:4:5:6"), origin("2001:db8:1:2:ffff::1"));
        assert_ne!(origin("2001:db8:1:2::1"), origin("2001:db8:1:3::1"));
        assert_eq!(origin("::ffff:192.0.2.1"), origin("192.0.2.1"));
        assert_ne!(origin("::ffff:192.0.2.1"), origin("::ffff:192.0.2.2"));
        for loopback in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(origin(loopback), None, "{loopback}");
        }
    }

    #[test]
    fn who_guesses_shuts_out_themselves_and_only_many_together_everyone() {
        let few = |burst| Rate { burst, per_second: 0.1 };
        let rates =
            Rates { sign_in: few(100.0), wrong_password: few(2.0), wrong_password_everywhere: few(5.0), ..Rates::default() };
        let (doorman, now, ana) = (Doorman::new(&rates), Instant::now(), "Ana".parse().unwrap());
        let knock = |from: &str| doorman.sign_in(origin(from), &ana, now);
        for from in ["192.0.2.1", "192.0.2.2"] {
            knock(from).unwrap();
            knock(from).unwrap();
            knock(from).unwrap_err();
        }
        for _ in 0..20 {
            let right = knock("192.0.2.9").expect("Ana herself gets in");
            doorman.no_guess(right);
        }
        knock("192.0.2.3").unwrap();
        knock("192.0.2.9").expect_err("that was the fifth");
        let ben = "Ben".parse().unwrap();
        doorman.sign_in(origin("192.0.2.9"), &ben, now).unwrap();
        doorman.sign_in(origin("192.0.2.9"), &ana, now + Duration::from_secs(20)).expect("it took nothing from her own count");
    }

    #[test]
    fn codes_are_guessed_as_slowly_as_passwords_and_beside_them() {
        let rates = Rates { wrong_password: Rate { burst: 1.0, per_second: 0.1 }, ..Rates::default() };
        let (doorman, now, ana) = (Doorman::new(&rates), Instant::now(), "Ana".parse().unwrap());
        let right = doorman.code(origin("192.0.2.1"), now).unwrap();
        doorman.no_guess(right);
        doorman.code(origin("192.0.2.1"), now).unwrap();
        assert_eq!(doorman.code(origin("192.0.2.1"), now), Err(Duration::from_secs(10)));
        doorman.code(origin("192.0.2.2"), now).unwrap();
        doorman.sign_in(origin("192.0.2.1"), &ana, now).unwrap();
    }

    #[test]
    fn who_has_been_quiet_is_forgotten() {
        let (doorman, now, ana) = (Doorman::new(&Rates::default()), Instant::now(), "Ana".parse().unwrap());
        doorman.sign_up(origin("192.0.2.1"), now).unwrap();
        doorman.sign_in(origin("192.0.2.1"), &ana, now).unwrap();
        doorman.tidy(now + Duration::from_secs(3600));
        let counts = doorman.lock();
        let left = (counts.sign_ups.len(), counts.sign_ins.len(), counts.guesses.len(), counts.guesses_from_everywhere.len());
        assert_eq!(left, (0, 0, 0, 0));
    }
}
