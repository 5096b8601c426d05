//! A look at the way to the relay, rung by rung: the name, the connection, the proxy, who vouches for the relay, whether it is one at all;
//! and then what the way carries: how large uploads may be, how long polls are held, whether anything is gathered whole, both rates, round
//! trip and loss. Each rung stands on those before it, and says in plain words what was found and what to do.
//!
//! It goes the way everything else goes: by the same choice of proxies, the same trust in certificates, the same HTTP. It sends no token and no
//! password but what a proxy asks for.

mod drip;
mod load;
mod report;
mod signer;
mod trips;
mod way;
mod words;

use std::time::Duration;

pub(crate) use self::drip::Drip;
pub use self::{
    report::{Figures, Report, Rung, Step, Verdict},
    trips::Trips,
};
use crate::{
    http::Http,
    proxy::{ProxySource, Route},
};

/// How long to look at what.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Plan {
    /// For a name to be found, and for a connection to come about.
    pub connect: Duration,
    /// For a request to be answered that isn't held, however slow the way.
    pub answer: Duration,
    /// How long the longest poll is held; at most 25 s.
    pub hold: Duration,
    /// Over how long bodies are spread, to see whether they are gathered; at most 5 s.
    pub spread: Duration,
    /// For the rate of each direction.
    pub rate: Duration,
    /// Round trips, at most.
    pub trips: usize,
    /// After this long no more of them; ten there are in any case.
    pub trips_within: Duration,
}

impl Default for Plan {
    /// A whole look: half a minute where all is well and the way is short.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(12),
            hold: proto::limits::WAIT_MAX,
            spread: Duration::from_secs(1),
            rate: Duration::from_secs(3),
            trips: 100,
            trips_within: Duration::from_secs(8),
        }
    }
}

impl Plan {
    /// A quick look, some ten seconds: it doesn't see what is cut after more than five seconds.
    #[must_use]
    pub fn quick() -> Self {
        let (answer, hold) = (Duration::from_secs(8), Duration::from_secs(5));
        let (rate, trips_within) = (Duration::from_millis(1200), Duration::from_secs(2));
        Self { answer, hold, rate, trips: 40, trips_within, ..Self::default() }
    }
}

/// What is going on.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Progress {
    /// This rung is being looked at.
    Began(Step),
    /// The longest one: so much of its time has passed, of so much.
    Held(Duration, Duration),
    /// This one is done. All are, in order.
    Ended(Rung),
}

/// Looks, and tells as it goes.
pub(crate) async fn examine(http: &Http, plan: &Plan, tell: impl FnMut(Progress) + Send) -> Report {
    let mut look = Look { plan: plan.clone(), tell, rungs: Vec::new(), figures: Figures::default(), shortest: Duration::ZERO };
    let by = match http.afresh() {
        Ok(http) => {
            let route = look.climb(&http).await;
            said_of(&http, route.as_ref())
        }
        Err(error) => {
            let (found, advice) = words::told(&error);
            look.end(Rung::bad(Step::Encryption, found, advice));
            said_of(http, None)
        }
    };
    look.finish();
    // They have been told in the order in which they were looked at.
    look.rungs.sort_by_key(|rung| rung.step);
    Report::new(http.base().to_string(), by, look.rungs, look.figures)
}

/// What has been found so far.
struct Look<T> {
    plan: Plan,
    tell: T,
    rungs: Vec<Rung>,
    figures: Figures,
    /// The shortest round trip so far.
    shortest: Duration,
}

impl<T: FnMut(Progress) + Send> Look<T> {
    fn begin(&mut self, step: Step) {
        (self.tell)(Progress::Began(step));
    }

    fn end(&mut self, rung: Rung) {
        (self.tell)(Progress::Ended(rung.clone()));
        self.rungs.push(rung);
    }

    async fn climb(&mut self, http: &Http) -> Option<Route> {
        let route = self.reach(http).await?;
        if self.relay(http, &route).await {
            self.carry(http).await;
        }
        Some(route)
    }

    /// What hasn't been looked at is said to be so.
    fn finish(&mut self) {
        for step in Step::ALL {
            if !self.rungs.iter().any(|rung| rung.step == step) {
                self.end(Rung::untested(step, "Not looked at: a rung before it fails."));
            }
        }
    }
}

/// How the relay is reached, for people; never with a password.
fn said_of(http: &Http, route: Option<&Route>) -> String {
    let by = match route {
        Some(route) => route.to_string(),
        None => match &http.proxy().source {
            ProxySource::Direct => "no proxy".to_owned(),
            source => words::without_login(&format!("proxy settings: {source}")),
        },
    };
    match route.and_then(Route::proxy).and_then(|proxy| proxy.login.user().map(str::to_owned)) {
        Some(user) => format!("{by} (as {user}, password not shown)"),
        None => by,
    }
}
