//! Sign-ins by the browser that are under way: from the app's question until it has its answer, or the time is over.
//!
//! Three secrets lead to one, each known to one side alone and kept as a hash: the app's, to ask for the outcome; the page's handle; and the
//! `state` that goes to the provider and back. Only the browser in which the person has said yes on the page may bring that back.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use proto::api::SignedIn;
use tokio::sync::Notify;

use crate::{doorman::Origin, store::AccountId, token::TokenHash};

/// How long there is for signing in: time to look for a second factor.
pub(crate) const TIME: Duration = Duration::from_secs(600);

/// An answer that was lost can be asked for again for so long: a slow network's repetitions, and little more, since it holds a token.
const AGAIN: Duration = Duration::from_secs(60);

/// Under way at once, of about a kilobyte each: a class or an office that begins in the same ten minutes.
const ALL_MAX: usize = 2000;

/// Of one address: an office behind one, while nobody fills the table from a single place.
const FROM_ONE_MAX: usize = 200;

/// Those under way.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    by_secret: HashMap<TokenHash, Entry>,
    by_handle: HashMap<TokenHash, TokenHash>,
    by_state: HashMap<TokenHash, TokenHash>,
}

/// Who wants to sign in.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    /// What the page shows, too.
    pub(crate) code: String,
    pub(crate) device: String,
    pub(crate) version: u16,
    pub(crate) from: Option<Origin>,
}

/// What the provider's answer is checked by. Secrets, all of them.
#[derive(Clone)]
pub(crate) struct Proofs {
    pub(crate) nonce: String,
    pub(crate) verifier: String,
}

impl std::fmt::Debug for Proofs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proofs(hidden)")
    }
}

/// Why nobody is signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The person, or the provider, said no.
    Declined,
    /// The provider knows the person, and this relay isn't for them.
    NotAllowed,
    /// The provider didn't answer as it should.
    Provider,
    /// The relay failed.
    Internal,
}

/// Why a page can't go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// There is none such, not any more or not yet.
    Unknown,
    /// It belongs to another browser.
    Elsewhere,
}

/// What the app is told.
#[derive(Debug)]
pub(crate) enum Polled {
    /// Nothing yet.
    Wait,
    /// Someone is known: begin a session and tell it by [`Pending::answered`].
    Begin(AccountId, Asker),
    /// As it was answered before.
    Again(SignedIn),
    Failed(Failure),
}

#[derive(Debug)]
struct Entry {
    asker: Asker,
    handle: TokenHash,
    until: Instant,
    stage: Stage,
    polls: u64,
    wake: Arc<Notify>,
}

#[derive(Debug)]
enum Stage {
    /// The page may be opened.
    Offered,
    /// The person has said yes in this browser.
    Confirmed {
        browser: TokenHash,
        state: TokenHash,
        proofs: Proofs,
    },
    /// The provider's answer is being looked at.
    Redeeming,
    Known(AccountId),
    /// A session is being made.
    Beginning,
    Answered(SignedIn),
    Failed(Failure),
}

impl Pending {
    /// Keeps a new one, or says when there may be room.
    pub(crate) fn begin(&mut self, secret: TokenHash, handle: TokenHash, asker: Asker, now: Instant) -> Result<(), Duration> {
        self.tidy(now);
        let alike = self.by_secret.values().filter(|entry| entry.asker.from == asker.from);
        // From this machine comes whoever has a proxy on it.
        let crowded = asker.from.is_some() && alike.count() >= FROM_ONE_MAX;
        if crowded || self.by_secret.len() >= ALL_MAX {
            let first = self.by_secret.values().map(|entry| entry.until).min().unwrap_or(now);
            return Err(first.saturating_duration_since(now).max(Duration::from_secs(1)));
        }
        let (stage, wake) = (Stage::Offered, Arc::default());
        self.by_handle.insert(handle, secret);
        self.by_secret.insert(secret, Entry { asker, handle, until: now + TIME, stage, polls: 0, wake });
        Ok(())
    }

    /// What the page shows, while the person may still say yes.
    pub(crate) fn code(&self, handle: &TokenHash, now: Instant) -> Option<&str> {
        let entry = self.live(self.by_handle.get(handle)?, now)?;
        matches!(entry.stage, Stage::Offered | Stage::Confirmed { .. }).then_some(entry.asker.code.as_str())
    }

    /// The person said yes in this browser, and goes to the provider with this state. A second time in the same browser replaces the first.
    pub(crate) fn confirm(
        &mut self,
        handle: &TokenHash,
        browser: TokenHash,
        state: TokenHash,
        proofs: Proofs,
        now: Instant,
    ) -> Result<(), Unfit> {
        let secret = *self.by_handle.get(handle).ok_or(Unfit::Unknown)?;
        let entry = self.live_mut(&secret, now).ok_or(Unfit::Unknown)?;
        let before = match &entry.stage {
            Stage::Offered => None,
            Stage::Confirmed { browser: other, state, .. } if *other == browser => Some(*state),
            Stage::Confirmed { .. } => return Err(Unfit::Elsewhere),
            _ => return Err(Unfit::Unknown),
        };
        entry.stage = Stage::Confirmed { browser, state, proofs };
        if let Some(before) = before {
            self.by_state.remove(&before);
        }
        self.by_state.insert(state, secret);
        Ok(())
    }

    /// The provider sent the browser back with this state, which is worth nothing from then on: the secret by which to [`Self::finish`], and
    /// what to check the answer by.
    pub(crate) fn redeem(
        &mut self,
        state: &TokenHash,
        browser: Option<TokenHash>,
        now: Instant,
    ) -> Result<(TokenHash, Proofs), Unfit> {
        let secret = *self.by_state.get(state).ok_or(Unfit::Unknown)?;
        let entry = self.live_mut(&secret, now).ok_or(Unfit::Unknown)?;
        let Stage::Confirmed { browser: confirmed, proofs, .. } = &entry.stage else { return Err(Unfit::Unknown) };
        if browser != Some(*confirmed) {
            return Err(Unfit::Elsewhere);
        }
        let proofs = proofs.clone();
        entry.stage = Stage::Redeeming;
        self.by_state.remove(state);
        Ok((secret, proofs))
    }

    /// It is known who it is, or that it can't be known.
    pub(crate) fn finish(&mut self, secret: &TokenHash, outcome: Result<AccountId, Failure>) {
        if let Some(entry) = self.by_secret.get_mut(secret) {
            entry.stage = outcome.map_or_else(Stage::Failed, Stage::Known);
            entry.wake.notify_waiters();
        }
    }

    /// A poll of the app begins: its number, and what wakes it. An older one that still waits gives way.
    pub(crate) fn poll_begins(&mut self, secret: &TokenHash) -> Option<(u64, Arc<Notify>)> {
        let entry = self.by_secret.get_mut(secret)?;
        entry.polls += 1;
        entry.wake.notify_waiters();
        Some((entry.polls, entry.wake.clone()))
    }

    /// Whether a poll is the newest.
    pub(crate) fn is_newest(&self, secret: &TokenHash, poll: u64) -> bool {
        self.by_secret.get(secret).is_none_or(|entry| entry.polls == poll)
    }

    /// What the app is told; `None` when it isn't known, or not any more.
    pub(crate) fn poll(&mut self, secret: &TokenHash, now: Instant) -> Option<Polled> {
        let entry = self.live_mut(secret, now)?;
        Some(match &entry.stage {
            Stage::Known(account) => {
                let account = *account;
                entry.stage = Stage::Beginning;
                Polled::Begin(account, entry.asker.clone())
            }
            Stage::Answered(signed_in) => Polled::Again(signed_in.clone()),
            Stage::Failed(failure) => Polled::Failed(*failure),
            _ => Polled::Wait,
        })
    }

    /// This is what the app is told, should it ask again.
    pub(crate) fn answered(&mut self, secret: &TokenHash, signed_in: SignedIn, now: Instant) {
        if let Some(entry) = self.by_secret.get_mut(secret) {
            entry.stage = Stage::Answered(signed_in);
            entry.until = now + AGAIN;
            entry.wake.notify_waiters();
        }
    }

    /// Forgets one.
    pub(crate) fn cancel(&mut self, secret: &TokenHash) {
        if let Some(entry) = self.by_secret.remove(secret) {
            self.by_handle.remove(&entry.handle);
            if let Stage::Confirmed { state, .. } = entry.stage {
                self.by_state.remove(&state);
            }
            entry.wake.notify_waiters();
        }
    }

    /// Forgets those whose time is over.
    pub(crate) fn tidy(&mut self, now: Instant) {
        let over = self.by_secret.iter().filter(|(_, entry)| entry.until <= now).map(|(secret, _)| *secret).collect::<Vec<_>>();
        for secret in over {
            self.cancel(&secret);
        }
    }

    /// Wakes whoever waits.
    pub(crate) fn wake_all(&self) {
        for entry in self.by_secret.values() {
            entry.wake.notify_waiters();
        }
    }

    fn live(&self, secret: &TokenHash, now: Instant) -> Option<&Entry> {
        self.by_secret.get(secret).filter(|entry| now < entry.until)
    }

    fn live_mut(&mut self, secret: &TokenHash, now: Instant) -> Option<&mut Entry> {
        self.by_secret.get_mut(secret).filter(|entry| now < entry.until)
    }
}

#[cfg(test)]
mod tests {
    use proto::Token;

    use super::*;

    const ANA: AccountId = AccountId(1);

    fn hash(text: &str) -> TokenHash {
        TokenHash::of(text)
    }

    fn asker(from: Option<&str>) -> Asker {
        let from = from.and_then(|address| Origin::of(address.parse().unwrap()));
        Asker { code: "7KQ-F9M".to_owned(), device: "kitchen".to_owned(), version: 1, from }
    }

    fn proofs() -> Proofs {
        Proofs { nonce: "nonce".to_owned(), verifier: "verifier".to_owned() }
    }

    fn begun(now: Instant) -> Pending {
        let mut pending = Pending::default();
        pending.begin(hash("secret"), hash("handle"), asker(None), now).unwrap();
        pending
    }

    fn confirmed(now: Instant) -> Pending {
        let mut pending = begun(now);
        pending.confirm(&hash("handle"), hash("browser"), hash("state"), proofs(), now).unwrap();
        pending
    }

    #[test]
    fn it_goes_from_the_app_to_the_browser_and_back_once() {
        let now = Instant::now();
        let mut pending = confirmed(now);
        assert_eq!(pending.code(&hash("handle"), now), Some("7KQ-F9M"));
        assert!(matches!(pending.poll(&hash("secret"), now), Some(Polled::Wait)));
        let (secret, _) = pending.redeem(&hash("state"), Some(hash("browser")), now).unwrap();
        assert_eq!(secret, hash("secret"));
        assert_eq!(
            pending.redeem(&hash("state"), Some(hash("browser")), now).unwrap_err(),
            Unfit::Unknown,
            "a state counts once"
        );
        assert_eq!(pending.code(&hash("handle"), now), None, "nor is the page shown again");
        pending.finish(&secret, Ok(ANA));
        assert!(matches!(pending.poll(&secret, now), Some(Polled::Begin(ANA, _))));
        assert!(matches!(pending.poll(&secret, now), Some(Polled::Wait)), "one session, however many ask");
        let signed_in = SignedIn { token: Token::new("t"), name: "Ana".parse().unwrap(), version: 1 };
        pending.answered(&secret, signed_in.clone(), now);
        assert!(matches!(pending.poll(&secret, now), Some(Polled::Again(again)) if again == signed_in));
        assert!(pending.poll(&secret, now + AGAIN).is_none());
    }

    #[test]
    fn only_the_browser_that_said_yes_comes_back() {
        let now = Instant::now();
        let mut pending = confirmed(now);
        for browser in [None, Some(hash("other"))] {
            assert_eq!(pending.redeem(&hash("state"), browser, now).unwrap_err(), Unfit::Elsewhere);
        }
        let other = pending.confirm(&hash("handle"), hash("other"), hash("state 2"), proofs(), now);
        assert_eq!(other, Err(Unfit::Elsewhere));
        // In the same one it may be said again: then the newest counts.
        pending.confirm(&hash("handle"), hash("browser"), hash("state 2"), proofs(), now).unwrap();
        assert_eq!(pending.redeem(&hash("state"), Some(hash("browser")), now).unwrap_err(), Unfit::Unknown);
        pending.redeem(&hash("state 2"), Some(hash("browser")), now).unwrap();
        let late = pending.confirm(&hash("handle"), hash("browser"), hash("state 3"), proofs(), now);
        assert_eq!(late, Err(Unfit::Unknown));
    }

    #[test]
    fn one_secret_does_not_stand_for_another() {
        let now = Instant::now();
        let mut pending = confirmed(now);
        for secret in ["handle", "state", "browser", "nonce", "verifier", ""] {
            assert!(pending.poll(&hash(secret), now).is_none(), "{secret}");
        }
        for handle in ["secret", "state", ""] {
            assert_eq!(pending.code(&hash(handle), now), None, "{handle}");
            assert_eq!(pending.confirm(&hash(handle), hash("b"), hash("s"), proofs(), now), Err(Unfit::Unknown));
        }
        for state in ["secret", "handle", ""] {
            assert_eq!(pending.redeem(&hash(state), Some(hash("browser")), now).unwrap_err(), Unfit::Unknown, "{state}");
        }
        assert!(!format!("{pending:?}").contains("nonce"));
    }

    #[test]
    fn what_takes_too_long_is_over() {
        let now = Instant::now();
        let late = now + TIME;
        let mut pending = confirmed(now);
        assert!(pending.poll(&hash("secret"), late).is_none());
        assert_eq!(pending.code(&hash("handle"), late), None);
        assert_eq!(pending.redeem(&hash("state"), Some(hash("browser")), late).unwrap_err(), Unfit::Unknown);
        pending.tidy(late);
        assert_eq!((pending.by_secret.len(), pending.by_handle.len(), pending.by_state.len()), (0, 0, 0));
        let mut pending = confirmed(now);
        pending.cancel(&hash("secret"));
        assert_eq!((pending.by_secret.len(), pending.by_handle.len(), pending.by_state.len()), (0, 0, 0));
        // An answer that comes for it is nobody's.
        pending.finish(&hash("secret"), Ok(ANA));
        assert!(pending.poll(&hash("secret"), now).is_none());
    }

    #[test]
    fn a_failure_is_told_as_often_as_it_is_asked_for() {
        let now = Instant::now();
        let mut pending = confirmed(now);
        pending.redeem(&hash("state"), Some(hash("browser")), now).unwrap();
        pending.finish(&hash("secret"), Err(Failure::Declined));
        for _ in 0..2 {
            assert!(matches!(pending.poll(&hash("secret"), now), Some(Polled::Failed(Failure::Declined))));
        }
    }

    #[test]
    fn there_are_only_so_many() {
        let now = Instant::now();
        let mut pending = Pending::default();
        let mut begin = |number: usize, from: Option<&str>, now| {
            pending.begin(hash(&format!("s{number}")), hash(&format!("h{number}")), asker(from), now)
        };
        for number in 0..FROM_ONE_MAX {
            begin(number, Some("192.0.2.1"), now).unwrap();
        }
        assert_eq!(begin(FROM_ONE_MAX, Some("192.0.2.1"), now), Err(TIME));
        begin(FROM_ONE_MAX, Some("192.0.2.2"), now).unwrap();
        for number in FROM_ONE_MAX + 1..ALL_MAX {
            begin(number, None, now).unwrap();
        }
        assert_eq!(begin(ALL_MAX, Some("192.0.2.3"), now + TIME - Duration::from_secs(5)), Err(Duration::from_secs(5)));
        begin(ALL_MAX, Some("192.0.2.1"), now + TIME).unwrap();
        assert_eq!(pending.by_secret.len(), 1);
    }
}
