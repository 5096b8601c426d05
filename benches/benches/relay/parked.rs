//! Ten thousand parked polls: what each keeps of memory, and how long it takes to wake them all with one event.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use benches::{
    Better, Row,
    house::{Guest, House, poll_events},
    load::{Crowd, Reply, connections_possible, trusting},
    spent::resident,
};

use crate::Plan;

/// Polls to park.
const POLLS: usize = 10_000;

/// Connections opened without a look at what the relay says: fewer than wait for being accepted.
const AT_ONCE: usize = 64;

/// By then the relay has read the last poll and is still again.
const SETTLE: Duration = Duration::from_secs(2);

/// An event that takes longer got lost.
const LOST: Duration = Duration::from_secs(20);

/// How the polls come, and what each may keep of memory in KB.
struct Over {
    name: &'static str,
    kilobytes: f64,
    tls: bool,
}

const PLAIN: Over = Over { name: "plain HTTP", kilobytes: 8.0, tls: false };

const TLS: Over = Over { name: "TLS", kilobytes: 30.0, tls: true };

/// As the others', but for a ticker that speaks as soon as it has something to say.
const CONFIGURATION: &str = "
ticker_seconds = 1
connections = 20000
[rates]
control = { at_once = 1000000, per_second = 1000000 }
";

/// A ticker provider: says when it was told to, in nanoseconds since 1970.
const PROVIDER: &str = "#!/bin/sh
cd 'FOLDER' || exit 1
if [ ! -e wake ]; then printf 'Status: 404 Nothing New\\nContent-Type: text/plain\\n\\n'; exit 0; fi
[ -s said ] || date +%s%N > said
printf 'Content-Type: text/plain\\n\\n'
cat said
";

pub(crate) fn rows(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    Ok([over(&PLAIN, plan)?, over(&TLS, plan)?].concat())
}

fn over(over: &Over, plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let polls = connections_possible(POLLS);
    let mut house = House::open(CONFIGURATION, polls, &[])?;
    let bell = Bell::hang(&house)?;
    let guests = house.sign_in(0..polls)?;
    // What signing in took is not to be found again by what comes: only who is signed in stays.
    house.restart()?;
    let tls = over.tls.then(|| trusting(&house.data().join("self-signed.pem"))).transpose()?;
    let to = if over.tls { house.secure_address() } else { house.address() };
    let mut hall = Hall { cursors: house.cursors(&guests)?, guests: &guests, to, crowd: Crowd::new()?.secure(tls) };
    let before = resident(house.id())?;
    hall.park()?;
    let parked = resident(house.id())?;
    let woken = (0..plan.runs).map(|_| hall.wake(&bell)).collect::<anyhow::Result<Vec<_>>>()?;
    hall.settle(SETTLE)?;
    let again = resident(house.id())?;
    let each = |after: u64| (after.saturating_sub(before)) as f64 / 1024.0 / polls as f64;
    let what = |text: &str| format!("{polls} polls over {}: {text}", over.name);
    Ok(vec![
        Row::new(&what("memory each"), "KB", Better::Lower, &[each(parked)]).limit(over.kilobytes),
        Row::new(&what("memory each, once woken and parked again"), "KB", Better::Lower, &[each(again)]).limit(over.kilobytes),
        Row::new(&what("all woken"), "ms", Better::Lower, &woken).limit(1000.0),
    ])
}

/// Those who wait.
struct Hall<'a> {
    guests: &'a [Guest],
    cursors: Vec<String>,
    to: SocketAddr,
    crowd: Crowd,
}

impl Hall<'_> {
    fn park(&mut self) -> anyhow::Result<()> {
        for at in 0..self.guests.len() {
            let number = self.crowd.connect(self.to)?;
            self.crowd.send(number, &poll_events(&self.guests[at], &self.cursors[at], 25_000))?;
            if at % AT_ONCE == AT_ONCE - 1 {
                self.settle(Duration::from_millis(1))?;
            }
        }
        self.settle(SETTLE)
    }

    fn settle(&mut self, time: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.turn(until)?;
        }
        Ok(())
    }

    /// Rings the bell; the milliseconds until the last one heard it.
    fn wake(&mut self, bell: &Bell) -> anyhow::Result<f64> {
        bell.ring()?;
        let (mut heard, mut rung, mut last) = (0, 0, 0);
        let until = Instant::now() + LOST;
        while heard < self.guests.len() {
            anyhow::ensure!(Instant::now() < until, "only {heard} heard the event");
            for (at, said) in self.turn(until)? {
                anyhow::ensure!(rung == 0 || rung == said, "two events at once");
                (heard, rung, last) = (heard + 1, said, at.max(last));
            }
        }
        Ok(Duration::from_nanos(u64::try_from(last.saturating_sub(rung))?).as_secs_f64() * 1e3)
    }

    /// Everyone answered polls again. When what was heard came, and when it was said.
    fn turn(&mut self, until: Instant) -> anyhow::Result<Vec<(u128, u128)>> {
        let (mut heard, cursors, guests) = (Vec::new(), &mut self.cursors, self.guests);
        self.crowd.turn(until, &mut |number, reply, _, outbox| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
            cursors[number] = text_of(reply, "cursor").context("an answer without a cursor")?.to_owned();
            if let Some(title) = text_of(reply, "title") {
                heard.push((now, title.parse()?));
            }
            outbox.extend_from_slice(&poll_events(&guests[number], &cursors[number], 25_000));
            Ok(())
        })?;
        Ok(heard)
    }
}

/// A text of the answer's JSON by its key: reading all of it ten thousand times would be measured, too.
fn text_of<'a>(reply: &Reply<'a>, key: &str) -> Option<&'a str> {
    let body = std::str::from_utf8(reply.body).ok()?;
    let (_, rest) = body.split_once(&format!("\"{key}\":\""))?;
    rest.split_once('"').map(|(text, _)| text)
}

/// One event for everyone: a ticker provider that speaks when it is told to.
struct Bell {
    folder: std::path::PathBuf,
}

impl Bell {
    fn hang(house: &House) -> anyhow::Result<Self> {
        let folder = house.data().join("bell");
        fs::create_dir_all(&folder)?;
        let file = house.data().join("providers").join("bell");
        write_program(&file, &PROVIDER.replace("FOLDER", &folder.display().to_string()))?;
        Ok(Self { folder })
    }

    fn ring(&self) -> anyhow::Result<()> {
        fs::write(self.folder.join("wake"), "")?;
        match fs::remove_file(self.folder.join("said")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

fn write_program(file: &Path, text: &str) -> anyhow::Result<()> {
    // Under its name only once it is whole: the relay looks there all the time.
    let hidden = file.with_file_name(".bell");
    fs::write(&hidden, text)?;
    fs::set_permissions(&hidden, fs::Permissions::from_mode(0o755))?;
    Ok(fs::rename(hidden, file)?)
}
