//! The ticker: programs in the data folder's `providers/` that say something now and then.
//!
//! Whoever runs the relay puts an executable file there; it needs no restart. It is run as a CGI/1.1 program (RFC 3875) at once and then
//! at an interval, and what it prints goes to every signed-in client. Its standard output is a CGI response:
//!
//! ```text
//! Content-Type: text/plain
//!
//! One item a line.
//! Another one.
//! ```
//!
//! or, with `Content-Type: application/json`, an array of items or `{"items": [..]}`, an item being a string or
//! `{"title": "plain text", "body": "<b>HTML</b> of a few elements", "link": "https://.."}`, the last two optional. A `Status` other
//! than 200 says "nothing new": what it said last stays. So does any failure; each spell of failures is logged once.
//!
//! Beside the variables of CGI a program finds `RELAY_USERS_ONLINE`, `RELAY_CALLS` and `RELAY_UPTIME_S`: numbers, as of now. It
//! finds nothing else of the relay's environment, and no input.

pub(crate) mod cgi;
pub(crate) mod items;
pub(crate) mod provider;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use proto::model::{Ticker, TickerItem};
use tokio::{
    sync::{Mutex, Semaphore},
    task::JoinSet,
};

use self::{
    cgi::Gateway,
    provider::{Found, Provider},
};
use crate::app::App;

/// How often the folder is looked at: a new file speaks within this time.
const LOOK: Duration = Duration::from_secs(2);

/// Programs run at once.
const AT_ONCE: usize = 2;

#[derive(Debug)]
struct Known {
    provider: Provider,
    due: Instant,
    state: Arc<Mutex<Spoken>>,
    /// The program under way, if any; it ends with this.
    running: JoinSet<()>,
}

/// What a provider said last, and whether it is failing.
#[derive(Debug, Default)]
struct Spoken {
    items: Vec<TickerItem>,
    failing: bool,
}

/// Runs the providers for as long as it is polled. `server` is where the relay listens.
pub(crate) async fn run(app: App, server: SocketAddr) {
    let folder = app.config.providers();
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut known = BTreeMap::<PathBuf, Known>::new();
    let mut passed_over = Vec::new();
    let mut looks = tokio::time::interval(LOOK.min(app.config.ticker_interval));
    loop {
        looks.tick().await;
        let now = Instant::now();
        let found = look(&folder).await;
        note_passed_over(&mut passed_over, &found);
        let stays = |file: &PathBuf| found.providers.iter().any(|provider| provider.file == *file);
        for (_, gone) in known.extract_if(.., |file, _| !stays(file)).collect::<Vec<_>>() {
            silence(&app, gone).await;
        }
        for provider in found.providers {
            let due = known.entry(provider.file.clone()).or_insert_with(|| Known::new(provider, now));
            while due.running.try_join_next().is_some() {}
            if due.due <= now {
                due.due = now + app.config.ticker_interval;
                let (provider, state) = (due.provider.clone(), Arc::clone(&due.state));
                due.running.spawn(speak(app.clone(), provider, state, Arc::clone(&permits), server));
            }
        }
    }
}

impl Known {
    fn new(provider: Provider, due: Instant) -> Self {
        Self { provider, due, state: Arc::default(), running: JoinSet::new() }
    }
}

/// A provider was taken away: what it said goes too, once it can't say any more.
async fn silence(app: &App, mut gone: Known) {
    gone.running.shutdown().await;
    app.hub.set_ticker(Ticker { provider: gone.provider.name, items: Vec::new() });
}

/// Runs one provider and passes on what it says.
async fn speak(app: App, provider: Provider, state: Arc<Mutex<Spoken>>, permits: Arc<Semaphore>, server: SocketAddr) {
    // One that still runs from last time isn't run twice.
    let Ok(mut spoken) = state.try_lock() else { return };
    let Ok(_permit) = permits.acquire().await else { return };
    let counts = app.hub.counts();
    let gateway = Gateway {
        server,
        time: cgi::TIME,
        extra: vec![
            ("RELAY_USERS_ONLINE", counts.online.to_string()),
            ("RELAY_CALLS", counts.calls.to_string()),
            ("RELAY_UPTIME_S", app.started.elapsed().as_secs().to_string()),
        ],
    };
    match gateway.run(&provider.file).await.and_then(|response| items::read(&response)) {
        Ok(items) => {
            if std::mem::take(&mut spoken.failing) {
                tracing::info!(provider = provider.name, "a ticker provider speaks again");
            }
            if spoken.items != items {
                spoken.items.clone_from(&items);
                app.hub.set_ticker(Ticker { provider: provider.name, items });
            }
        }
        Err(error) => {
            if !std::mem::replace(&mut spoken.failing, true) {
                tracing::warn!(provider = provider.name, %error, "a ticker provider has nothing to say");
            }
        }
    }
}

async fn look(folder: &Path) -> Found {
    let folder = folder.to_owned();
    tokio::task::spawn_blocking(move || provider::find(&folder)).await.unwrap_or_default()
}

/// Says once of each file why it isn't run.
fn note_passed_over(before: &mut Vec<(PathBuf, &'static str)>, found: &Found) {
    for (file, why) in &found.passed_over {
        if !before.contains(&(file.clone(), why)) {
            tracing::warn!(file = %file.display(), why, "a file in the providers' folder is not run");
        }
    }
    before.clone_from(&found.passed_over);
}
