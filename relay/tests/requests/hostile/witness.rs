//! A call that goes on while others misbehave: chunks posted fifty times a second and read by two overlapped polls, all over real sockets.

use std::{
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use proto::{Chunk, Kind};
use serde_json::{Value, json};

use crate::{
    bench::{PASSWORD, chunk},
    command_line::ask,
    sockets::Wire,
};

/// Between two chunks, as of sound.
const PERIOD: Duration = Duration::from_millis(20);

/// Chunks heard before anyone misbehaves.
const BEFORE: usize = 10;

/// What 99 of a hundred chunks stay within: well before half a second, when the relay moves a reader forward. Unharmed it is about a
/// millisecond; the rest is for a machine that runs other tests beside.
const P99: Duration = Duration::from_millis(200);

/// When what is missing is lost.
const LOST: Duration = Duration::from_secs(5);

/// Two people in a call.
pub(super) struct Witness {
    address: SocketAddr,
    path: String,
    tokens: [String; 2],
}

#[derive(Default)]
struct Books {
    posted: Mutex<Vec<Instant>>,
    /// By sequence number.
    delays: Mutex<Vec<Option<Duration>>>,
    next_poll: AtomicU64,
    attacked: AtomicBool,
    over: AtomicBool,
}

impl Books {
    fn heard(&self) -> usize {
        self.delays.lock().unwrap().iter().flatten().count()
    }

    fn note(&self, seq: u32, at: Instant) {
        let posted = self.posted.lock().unwrap()[seq as usize];
        let mut delays = self.delays.lock().unwrap();
        if delays.len() <= seq as usize {
            delays.resize(seq as usize + 1, None);
        }
        delays[seq as usize].get_or_insert(at - posted);
    }
}

impl Witness {
    /// Two people come to a relay and call each other.
    pub(super) fn new(address: SocketAddr) -> Self {
        let at = address.to_string();
        let names = ["Walter", "Wilma"];
        let tokens = names.map(|name| {
            ask(&at, "POST", "/v1/accounts", "", &json!({"name": name, "password": PASSWORD}));
            let wish = json!({"name": name, "password": PASSWORD, "versions": [1]});
            ask(&at, "POST", "/v1/session", "", &wish)["token"].as_str().unwrap().to_owned()
        });
        for (token, other) in tokens.iter().zip(["Wilma", "Walter"]) {
            ask(&at, "POST", "/v1/buddies", token, &json!({"name": other}));
            let cursor = ask(&at, "GET", "/v1/state", token, &Value::Null)["cursor"].as_str().unwrap().to_owned();
            ask(&at, "GET", &format!("/v1/events?after={cursor}"), token, &Value::Null);
        }
        let rung = ask(&at, "POST", "/v1/invitations", &tokens[0], &json!({"to": "Wilma"}));
        let (id, call) = (rung["invitation"]["id"].as_str().unwrap(), rung["invitation"]["call"].as_str().unwrap());
        ask(&at, "POST", &format!("/v1/invitations/{id}/accept"), &tokens[1], &json!({}));
        Self { address, path: format!("/v1/calls/{call}/audio"), tokens }
    }

    /// Does it while they talk; fails if that shows in the call.
    pub(super) fn beside<T>(&self, attack: impl FnOnce() -> T) -> T {
        let books = Books::default();
        // A reader hears what is said from its first poll on.
        let mut wire = Wire::open(self.address);
        wire.get(&format!("{}?reader=1&poll=1", self.path), &self.tokens[1]);
        assert!(wire.receive().0.starts_with("http/1.1 200"));
        let outcome = thread::scope(|scope| {
            let ended = EndOnDrop(&books);
            for _ in 0..2 {
                scope.spawn(|| self.listen(&books));
            }
            let speaking = scope.spawn(|| self.speak(&books));
            wait(|| books.heard() >= BEFORE || speaking.is_finished(), "the call never began");
            let outcome = attack();
            books.attacked.store(true, Ordering::Relaxed);
            speaking.join().expect("whoever speaks is taken by the relay to the end");
            let posted = books.posted.lock().unwrap().len();
            wait(|| books.heard() == posted, "chunks of the call were lost");
            drop(ended);
            outcome
        });
        let mut delays = books.delays.into_inner().unwrap().into_iter().flatten().collect::<Vec<_>>();
        delays.sort_unstable();
        let p99 = delays[delays.len() * 99 / 100];
        assert!(p99 <= P99, "the call's p99 was {p99:?}, of {} chunks", delays.len());
        outcome
    }

    /// Until the attack is over, and for long enough to speak of a hundredth.
    fn speak(&self, books: &Books) {
        let mut wire = Wire::open(self.address);
        let mut due = Instant::now();
        for seq in 0.. {
            let body = chunk(Kind::Audio, 1, seq, true);
            let head = format!("POST {} HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer {}\r\n", self.path, self.tokens[0]);
            let mut request = format!("{head}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
            request.extend(body);
            books.posted.lock().unwrap().push(Instant::now());
            wire.send(&request);
            let (head, _) = wire.receive();
            assert!(head.starts_with("http/1.1 200"), "{head}");
            if books.attacked.load(Ordering::Relaxed) && seq >= 200 || books.over.load(Ordering::Relaxed) {
                return;
            }
            due += PERIOD;
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }

    fn listen(&self, books: &Books) {
        let mut wire = Wire::open(self.address);
        while !books.over.load(Ordering::Relaxed) {
            let poll = 2 + books.next_poll.fetch_add(1, Ordering::Relaxed);
            wire.get(&format!("{}?reader=1&poll={poll}&wait_ms=200", self.path), &self.tokens[1]);
            let (head, body) = wire.receive();
            let at = Instant::now();
            assert!(head.starts_with("http/1.1 200"), "{head}");
            for chunk in Chunk::decode_all(body.into()).unwrap() {
                books.note(chunk.header.seq, at);
            }
        }
    }
}

/// So that a test that fails in the middle ends.
struct EndOnDrop<'a>(&'a Books);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.attacked.store(true, Ordering::Relaxed);
        self.0.over.store(true, Ordering::Relaxed);
    }
}

fn wait(done: impl Fn() -> bool, what: &str) {
    let until = Instant::now() + LOST;
    while !done() {
        assert!(Instant::now() < until, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}
