//! Signing in at one proxy: what it asked for last, how often that was answered, and when to stop trying. No I/O, no clock.
//!
//! Nothing is sent unasked: the first request finds out what the proxy wants, and all further ones carry it at once.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::HeaderValue;

use super::{
    ProxyLogin,
    digest::{self, Challenge, DigestChallenge},
};
use crate::text::one_line;

/// After a refusal the same password isn't sent again for this long: many proxies lock an account that is tried too often.
const REFUSED: Duration = Duration::from_secs(60);

/// Longest list of schemes that is shown, in characters.
const OFFERED_MAX: usize = 100;

/// How often one request is sent at most: unasked, with an answer, and with an answer to a renewed challenge.
pub(crate) const ATTEMPTS: u32 = 3;

/// Name and password for one proxy, and how it wants them.
#[derive(Debug)]
pub(crate) struct Login {
    login: Option<ProxyLogin>,
    /// Whether the password may be shown to the proxy and to the network on the way.
    in_clear: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    asked: Asked,
    /// Goes up with each new challenge, so that those who answered an older one can tell.
    generation: u64,
    /// Whether an answer to this challenge was taken.
    proven: bool,
    refused: Option<(Instant, Refusal)>,
}

#[derive(Debug, Default)]
enum Asked {
    #[default]
    Nothing,
    Basic,
    Digest {
        challenge: DigestChallenge,
        count: u32,
    },
}

/// Which challenge a request answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answered(Option<u64>);

/// Why a proxy lets nobody through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The schemes it offered, such as `Negotiate, NTLM`; empty if it offered none.
    pub(crate) offered: String,
    /// Whether a scheme that is spoken here was among them.
    pub(crate) spoken: bool,
    /// Whether Basic was among them and may not be used there.
    pub(crate) withheld: bool,
    /// Whether name and password were there to be sent.
    pub(crate) had_password: bool,
}

impl Login {
    pub(crate) fn new(login: Option<ProxyLogin>) -> Self {
        Self { login, in_clear: true, state: Mutex::default() }
    }

    /// For a proxy that was named by who knows whom: it learns no password, only that someone has it.
    pub(crate) fn guarded(self) -> Self {
        Self { in_clear: false, ..self }
    }

    /// Whose name is said there.
    pub(crate) fn user(&self) -> Option<&str> {
        self.login.as_ref().map(ProxyLogin::user)
    }

    /// Whether it is for a proxy named by who knows whom.
    pub(crate) fn is_guarded(&self) -> bool {
        !self.in_clear
    }

    /// What goes into `Proxy-Authorization` of a request with this method and target. `salt` can't be guessed.
    ///
    /// # Errors
    /// While the password counts as wrong.
    pub(crate) fn authorization(
        &self,
        method: &str,
        target: &str,
        salt: u64,
        now: Instant,
    ) -> Result<(Option<HeaderValue>, Answered), Refusal> {
        let mut state = self.state();
        if let Some((since, refusal)) = &state.refused {
            if now.saturating_duration_since(*since) < REFUSED {
                return Err(refusal.clone());
            }
            state.refused = None;
        }
        let Some(login) = &self.login else { return Ok((None, Answered(None))) };
        let text = match &mut state.asked {
            Asked::Nothing => return Ok((None, Answered(None))),
            Asked::Basic => format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", login.user, login.password))),
            Asked::Digest { challenge, count } => {
                // A proxy that has seen four billion answers to one challenge has long renewed it.
                *count = count.saturating_add(1);
                challenge.answer(login, method, target, *count, &format!("{salt:016x}"))
            }
        };
        let generation = state.generation;
        // A name can't hold what no header may; one that does is refused by the proxy in words of its own.
        let header = HeaderValue::try_from(text).ok().map(|mut header| {
            header.set_sensitive(true);
            header
        });
        Ok((header, Answered(Some(generation))))
    }

    /// The proxy let a request through.
    pub(crate) fn passed(&self, answered: Answered) {
        let mut state = self.state();
        if answered.0 == Some(state.generation) {
            state.proven = true;
        }
    }

    /// The proxy answered 407 with these `Proxy-Authenticate` lines. `Ok`: the request is worth sending again.
    ///
    /// # Errors
    /// When it isn't: nothing offered is spoken here, there is no password, or it was wrong.
    pub(crate) fn challenged<'a>(
        &self,
        answered: Answered,
        lines: impl Iterator<Item = &'a str>,
        now: Instant,
    ) -> Result<(), Refusal> {
        let challenges: Vec<_> = lines.flat_map(digest::challenges).collect();
        let asked = choose(&challenges, self.in_clear);
        let spoken = asked.is_some();
        let withheld = !spoken && !self.in_clear && challenges.iter().any(|challenge| challenge.is("Basic"));
        let refusal = Refusal { offered: names(&challenges), spoken, withheld, had_password: self.login.is_some() };
        let (Some(asked), Some(_)) = (asked, &self.login) else { return Err(refusal) };
        let mut state = self.state();
        if let Some(generation) = answered.0 {
            if generation != state.generation {
                // Someone else has been asked anew meanwhile.
                return Ok(());
            }
            // Not all proxies say that a challenge is stale; one whose answers were taken before simply counts as that, once.
            let stale = state.proven || matches!(&asked, Asked::Digest { challenge, .. } if challenge.stale);
            if !stale {
                state.refused = Some((now, refusal.clone()));
                state.asked = Asked::Nothing;
                return Err(refusal);
            }
        } else if !matches!(state.asked, Asked::Nothing) {
            // Many requests find out at once what the proxy wants; the first one's challenge serves them all.
            return Ok(());
        }
        state.asked = asked;
        state.generation += 1;
        state.proven = false;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first Digest there is: the proxy names its favourite first; Basic, which shows the password to the network, only else and if that may be.
fn choose(challenges: &[Challenge], in_clear: bool) -> Option<Asked> {
    let digest = challenges.iter().find_map(Challenge::digest).map(|challenge| Asked::Digest { challenge, count: 0 });
    digest.or_else(|| (in_clear && challenges.iter().any(|challenge| challenge.is("Basic"))).then_some(Asked::Basic))
}

fn names(challenges: &[Challenge]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for challenge in challenges {
        if !names.iter().any(|name| challenge.is(name)) {
            names.push(&challenge.scheme);
        }
    }
    one_line(&names.join(", "), OFFERED_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = r#"Digest realm="net", nonce="one", qop="auth""#;
    const RENEWED: &str = r#"Digest realm="net", nonce="two", qop="auth", stale=true"#;

    fn login() -> Login {
        Login::new(Some(ProxyLogin::new("ana", "secret")))
    }

    fn sent(login: &Login, now: Instant) -> (String, Answered) {
        let (header, answered) = login.authorization("GET", "http://relay/", 7, now).unwrap();
        (header.map(|header| header.to_str().unwrap().to_owned()).unwrap_or_default(), answered)
    }

    fn asked(login: &Login, answered: Answered, line: &str, now: Instant) -> Result<(), Refusal> {
        login.challenged(answered, [line].into_iter(), now)
    }

    #[test]
    fn nothing_is_sent_unasked_and_digest_goes_before_basic() {
        let (login, now) = (login(), Instant::now());
        let (header, answered) = sent(&login, now);
        assert_eq!(header, "");
        asked(&login, answered, &format!("Basic realm=\"net\", {DIGEST}"), now).unwrap();
        assert!(sent(&login, now).0.starts_with("Digest username=\"ana\""));
        let basic = Login::new(Some(ProxyLogin::new("Aladdin", "open sesame")));
        asked(&basic, sent(&basic, now).1, "Basic realm=\"net\"", now).unwrap();
        assert_eq!(sent(&basic, now).0, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    #[test]
    fn each_answer_has_a_count_of_its_own() {
        let (login, now) = (login(), Instant::now());
        let unasked: Vec<_> = (0..3).map(|_| sent(&login, now).1).collect();
        for answered in unasked {
            asked(&login, answered, DIGEST, now).unwrap();
        }
        for count in 1..=20 {
            assert!(sent(&login, now).0.contains(&format!("nc={count:08x}")), "the first challenge served all three");
        }
    }

    #[test]
    fn a_stale_challenge_is_renewed_once_for_all() {
        let (login, now) = (login(), Instant::now());
        asked(&login, sent(&login, now).1, DIGEST, now).unwrap();
        let (first, second) = (sent(&login, now).1, sent(&login, now).1);
        asked(&login, first, RENEWED, now).unwrap();
        let (header, third) = sent(&login, now);
        assert!(header.contains("nonce=\"two\"") && header.contains("nc=00000001"), "{header}");
        asked(&login, second, RENEWED, now).unwrap();
        assert!(sent(&login, now).0.contains("nc=00000002"), "who answered the old one goes on with the new one");
        // A proxy that doesn't say so, but took answers before.
        login.passed(third);
        asked(&login, third, DIGEST, now).unwrap();
        assert!(sent(&login, now).0.contains("nonce=\"one\""));
    }

    #[test]
    fn a_wrong_password_is_not_tried_again_and_again() {
        let (login, now) = (login(), Instant::now());
        asked(&login, sent(&login, now).1, DIGEST, now).unwrap();
        let refusal = asked(&login, sent(&login, now).1, DIGEST, now).unwrap_err();
        assert!(refusal.had_password && refusal.spoken);
        assert_eq!(login.authorization("GET", "/", 1, now + REFUSED / 2), Err(refusal));
        assert!(login.authorization("GET", "/", 1, now + REFUSED).is_ok(), "perhaps it was put right there");
    }

    #[test]
    fn a_proxy_named_by_who_knows_whom_learns_no_password() {
        let (login, now) = (login().guarded(), Instant::now());
        for offered in ["Basic", "Negotiate, Basic"] {
            let refusal = asked(&login, sent(&login, now).1, offered, now).unwrap_err();
            assert_eq!((refusal.offered.as_str(), refusal.spoken, refusal.withheld), (offered, false, true));
        }
        assert!(!asked(&login, sent(&login, now).1, "Negotiate", now).unwrap_err().withheld);
        assert_eq!(sent(&login, now).0, "");
        asked(&login, Answered(None), DIGEST, now).unwrap();
        assert!(sent(&login, now).0.starts_with("Digest "));
    }

    #[test]
    fn what_is_not_spoken_is_named() {
        let now = Instant::now();
        let refusal = asked(&login(), Answered(None), "Negotiate, NTLM, negotiate", now).unwrap_err();
        assert_eq!((refusal.offered.as_str(), refusal.spoken), ("Negotiate, NTLM", false));
        let refusal = asked(&Login::new(None), Answered(None), DIGEST, now).unwrap_err();
        assert!(refusal.spoken && !refusal.had_password);
    }

    #[test]
    fn printing_it_shows_no_password() {
        assert!(!format!("{:?}", login()).contains("secret"));
    }
}
