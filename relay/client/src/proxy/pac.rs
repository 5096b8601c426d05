//! Proxy auto-configuration: a script of the network's administrator that names the proxies for an address.

mod file;
mod script;

use std::time::{Duration, SystemTime};

use tokio::sync::{Semaphore, oneshot};
use url::Url;

use super::Address;
use crate::{error::BadPac, text::one_line};

/// Fetching the file may take this long. With running its script it is less than what the first request may take.
const FETCHING: Duration = Duration::from_secs(4);

/// Running its script may take this long, with those that run before it; it asks name servers, and those may be slow.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest part of an answer that is kept without being understood, in characters.
const UNSPOKEN_MAX: usize = 100;

/// One script at a time: one that doesn't end costs a thread, and no more than that.
static RUNNING: Semaphore = Semaphore::const_new(1);

/// One of the ways that a script names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Direct,
    Proxy(Address),
    /// SOCKS, a proxy behind TLS, or nothing that can be understood.
    Unspoken(String),
}

/// What the script of the PAC file at this URL or path says about `relay`, such as `PROXY a:1; DIRECT`.
pub(super) async fn ask(file: &str, relay: &Url) -> Result<String, BadPac> {
    let text = fetched(file, FETCHING).await?;
    let asking = async {
        let (url, host) = (shown(relay), relay.host_str().unwrap_or_default().to_owned());
        // No engine can be stopped everywhere: a script that doesn't end keeps this one thread, and nobody waits for it, not even at the end.
        let alone = RUNNING.acquire().await.map_err(|_| BadPac::Endless)?;
        let (tell, answer) = oneshot::channel();
        let run = move || {
            let _ = tell.send(script::run(&text, &url, &host, SystemTime::now()));
            drop(alone);
        };
        let fault = || BadPac::Script("it ended in a fault of ours".to_owned());
        std::thread::Builder::new().name("proxy file".to_owned()).spawn(run).map_err(|_| fault())?;
        answer.await.unwrap_or_else(|_| Err(fault()))
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or(Err(BadPac::Endless))
}

/// The file's text. Who is away from the network whose file it is often gets no answer at all.
async fn fetched(file: &str, patience: Duration) -> Result<String, BadPac> {
    let late = |_| BadPac::Unreadable("its server doesn't answer in time".to_owned());
    tokio::time::timeout(patience, file::read(file)).await.map_err(late)?
}

/// The ways that an answer names, best first. An empty answer means a direct one.
pub(super) fn entries(answer: &str) -> impl Iterator<Item = Entry> {
    let direct = answer.trim().is_empty().then_some(Entry::Direct);
    direct.into_iter().chain(answer.split(';').map(str::trim).filter(|entry| !entry.is_empty()).map(entry))
}

fn entry(text: &str) -> Entry {
    let (kind, address) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    if kind.eq_ignore_ascii_case("DIRECT") {
        return Entry::Direct;
    }
    let spoken = kind.eq_ignore_ascii_case("PROXY") || kind.eq_ignore_ascii_case("HTTP");
    let address = address.trim();
    // Name and password have no place in such a file, and no browser takes them from there.
    let address = if spoken && !address.contains('@') { address.parse().ok() } else { None };
    address.map_or_else(|| Entry::Unspoken(one_line(text, UNSPOKEN_MAX)), Entry::Proxy)
}

/// As browsers do, the script is told all of a plain address and no path of one behind TLS.
fn shown(relay: &Url) -> String {
    let mut shown = relay.clone();
    if relay.scheme() == "https" {
        shown.set_path("/");
    }
    shown.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_names_ways_in_their_order() {
        let proxy = |text: &str| Entry::Proxy(text.parse().unwrap());
        let found: Vec<_> = entries("PROXY a.example:3128;  http b:8080 ; SOCKS5 c:1080; HTTPS d:443;DIRECT;").collect();
        let unspoken = |text: &str| Entry::Unspoken(text.to_owned());
        let expected =
            [proxy("a.example:3128"), proxy("b:8080"), unspoken("SOCKS5 c:1080"), unspoken("HTTPS d:443"), Entry::Direct];
        assert_eq!(found, expected);
        assert_eq!(entries(" ").collect::<Vec<_>>(), [Entry::Direct]);
        assert_eq!(entries("PROXY").collect::<Vec<_>>(), [unspoken("PROXY")]);
        assert_eq!(entries("PROXY ana:secret@a:1").collect::<Vec<_>>(), [unspoken("PROXY ana:secret@a:1")]);
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_gives_no_file() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let file = format!("http://{}/proxy.pac", silent.local_addr().unwrap());
        let outcome = fetched(&file, Duration::from_millis(10)).await;
        assert!(matches!(outcome, Err(BadPac::Unreadable(_))), "{outcome:?}");
    }

    #[test]
    fn what_lies_behind_tls_is_not_shown_to_a_script() {
        assert_eq!(shown(&"https://h:8443/phone".parse().unwrap()), "https://h:8443/");
        assert_eq!(shown(&"http://h/phone".parse().unwrap()), "http://h/phone");
    }
}
