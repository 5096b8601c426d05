//! One call of two robots under a case's conditions, and what was measured of it.

use std::{
    fmt,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, ensure};
use benches::{
    network::{Counts, Host, Impairment, Network, RELAY},
    spent::{Spent, resident},
    trace::{Trace, quantile},
};
use codecs::Frame;
use media::{barcode, y4m};
use serde_json::Value;
use tests::{
    eventually,
    people::Relay,
    proxies::{Kit, Place, forward},
    robot::Robot,
    video::{clip, ssim},
};

/// The beginning of a call that isn't measured: connections open, the round trip is learnt, the first keyframe passes.
pub(crate) const WARM_UP: Duration = Duration::from_secs(4);

/// From one look at the line and the processes to the next.
const LOOK: Duration = Duration::from_millis(250);

/// A clip whose pictures tell their number.
pub(crate) const CLIP: &str = concat!("file:", env!("CARGO_MANIFEST_DIR"), "/../assets/clips/ana.mp4");

/// Of so many pictures one is compared.
pub(crate) const COMPARED: usize = 10;

/// The call has this long to come about, on the worst line.
const RING: Duration = Duration::from_secs(40);

/// A home's proxy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Squid {
    None,
    /// It reads the requests.
    Reads,
    /// They pass it under TLS, by CONNECT.
    Tunnels,
}

/// What may happen to the lines during a call.
#[derive(Clone, Copy)]
pub(crate) enum Change {
    /// From now on they are so.
    Line(Impairment),
    /// All that is open gets nothing through any more, as when a telephone leaves one network for another.
    Forgets,
}

/// The conditions of a call.
#[derive(Clone, Copy)]
pub(crate) struct Conditions {
    /// The homes' lines; without, everything is on one machine.
    pub(crate) line: Option<Impairment>,
    /// What changes, and when: seconds since the call began.
    pub(crate) steps: &'static [(u64, Change)],
    /// What each home has of a proxy.
    pub(crate) squid: Squid,
    /// One poll and one upload at a time.
    pub(crate) naive: bool,
    /// Whether the microphones' clocks are off, each its own way.
    pub(crate) drift: bool,
    /// Whether they talk without a pause, so that a packet of sound leaves every 20 ms; else there's a chirp a second, and pauses cost next to
    /// nothing.
    pub(crate) talk: bool,
    pub(crate) camera: &'static str,
    /// Whether what arrives is kept and compared with what was sent; the camera is [`CLIP`] then.
    pub(crate) compared: bool,
    /// Most that is sent of pictures, in kilobits a second.
    pub(crate) kbit: &'static str,
    pub(crate) length: Duration,
}

/// What two robots and the relay did.
pub(crate) struct Run {
    /// What Ana received and what Ben received, without the warm-up.
    pub(crate) received: [Trace; 2],
    pub(crate) reports: [Value; 2],
    /// Ana's and Ben's round trip to the relay, as UDP sees it, in milliseconds.
    pub(crate) round_trips: [f64; 2],
    /// Kilobits a second of the lines.
    rate: Option<u32>,
    /// How long was measured, in seconds.
    pub(crate) seconds: f64,
    /// When the call began and when each step was made, in microseconds since 1970.
    pub(crate) begun: u64,
    pub(crate) steps: Vec<u64>,
    /// What the lines had carried by when.
    pub(crate) carried: Vec<(u64, Vec<Counts>)>,
    /// Resident megabytes: seconds since the call began, Ana, Ben, relay.
    pub(crate) memory: Vec<(f64, [f64; 3])>,
    /// Percent of a core: the busier robot, the relay.
    pub(crate) robot_percent: f64,
    pub(crate) relay_percent: f64,
    /// How alike the pictures that Ana and Ben received are to those sent ([`ssim`]), where that is compared.
    pub(crate) alike: Option<[f64; 2]>,
}

impl Run {
    /// The bound: encode, send bit by bit, half of each round trip, decode; in milliseconds.
    pub(crate) fn l0(&self) -> f64 {
        let median = |robot: usize, what| number(&self.reports[robot], what);
        let bits = |robot: usize| self.received[robot].middle_size() * 8.0;
        // A picture passes both lines.
        let sending = |robot| self.rate.map_or(0.0, |kbit| 2.0 * bits(robot) / f64::from(kbit));
        let way = f64::midpoint(self.round_trips[0], self.round_trips[1]);
        let one = |from, to| median(from, "/video/encode_ms/p50") + sending(to) + way + median(to, "/video/decode_ms/p50");
        f64::midpoint(one(0, 1), one(1, 0))
    }

    /// Of both directions, the larger figure.
    pub(crate) fn most(&self, figure: impl Fn(&Trace) -> f64) -> f64 {
        self.received.iter().map(figure).fold(f64::MIN, f64::max)
    }

    /// Of both directions, the smaller figure.
    pub(crate) fn least(&self, figure: impl Fn(&Trace) -> f64) -> f64 {
        self.received.iter().map(figure).fold(f64::MAX, f64::min)
    }

    /// A quantile of the delay from capture to decoded, of the worse direction, in milliseconds.
    pub(crate) fn delay(&self, of: f64) -> f64 {
        self.most(|trace| quantile(&trace.delays(), of))
    }

    /// A number of the robots' reports, the larger one.
    pub(crate) fn reported(&self, path: &str) -> f64 {
        self.reports.iter().map(|report| number(report, path)).fold(0.0, f64::max)
    }

    /// Kilobits a second that the homes' lines carried up to the relay between two moments: the lesser of the two.
    pub(crate) fn carried_up(&self, from: u64, to: u64) -> f64 {
        let at = |moment| self.carried.iter().find(|(at, _)| *at >= moment).or(self.carried.last());
        let (Some((began, before)), Some((ended, after))) = (at(from), at(to)) else { return 0.0 };
        let milliseconds = (ended - began).max(1) as f64 / 1000.0;
        let up = |line: usize| (after[line].bytes - before[line].bytes) as f64 * 8.0 / milliseconds;
        up(0).min(up(2))
    }

    /// Packets lost by chance and dropped by full queues, in percent.
    pub(crate) fn packets_lost(&self) -> (f64, f64) {
        let Some((_, counts)) = self.carried.last() else { return (0.0, 0.0) };
        let sum = |of: fn(&Counts) -> u64| counts.iter().map(of).sum::<u64>() as f64;
        let seen = sum(|counts| counts.seen).max(1.0);
        (sum(|counts| counts.lost) / seen * 100.0, sum(|counts| counts.dropped) / seen * 100.0)
    }
}

fn number(report: &Value, path: &str) -> f64 {
    report.pointer(path).and_then(Value::as_f64).unwrap_or_default()
}

/// Why a case can't be measured on this machine.
#[derive(Debug)]
pub(crate) struct Lacking(pub(crate) String);

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Lacking {}

/// Where the call takes place.
struct Stage {
    relay: Relay,
    network: Option<Network>,
    /// The proxies that run, one for each home.
    _proxies: [Place; 2],
    addresses: [String; 2],
}

impl Stage {
    fn set(conditions: &Conditions, seed: u64) -> anyhow::Result<(Self, [f64; 2])> {
        let clean = |line: Impairment| Impairment { loss: 0.0, rate: None, ..line };
        let network = conditions.line.map(|line| Network::start(clean(line), seed)).transpose();
        let network = network.map_err(|error| Lacking(format!("{error:#}")))?;
        let relay = match &network {
            Some(network) if conditions.squid == Squid::Tunnels => {
                network.within(Host::Relay, || Relay::secure_with_ana_and_ben_at(RELAY))
            }
            Some(network) => network.within(Host::Relay, || Relay::with_ana_and_ben_at(RELAY)),
            None => Relay::with_ana_and_ben(),
        };
        let mut round_trips = [0.1; 2];
        let mut stage =
            Self { relay, network, _proxies: <[Place; 2]>::default(), addresses: ["none".to_owned(), "none".to_owned()] };
        if let Some(network) = &stage.network {
            for (took, home) in round_trips.iter_mut().zip([Host::Ana, Host::Ben]) {
                *took = network.round_trip(home)?.as_secs_f64() * 1000.0;
            }
            let kit = Kit::default();
            let tunnels = (conditions.squid == Squid::Tunnels).then(|| stage.relay.address().port());
            let homes = [Host::Ana, Host::Ben].into_iter().zip(&mut stage._proxies).zip(&mut stage.addresses);
            for ((home, place), address) in homes.filter(|_| conditions.squid != Squid::None) {
                let squid = network.within(home, || forward::squid(&kit, place, forward::Asks::Nobody, tunnels));
                *address = format!("http://{}", squid.map_err(|missing| Lacking(format!("Squid: {}", missing.0)))?);
            }
            network.change(conditions.line.unwrap_or(Impairment::round_trip(0)));
        }
        Ok((stage, round_trips))
    }

    fn trace(&self, name: &str) -> PathBuf {
        self.relay.folder().join(format!("{name}.trace"))
    }

    fn record(&self, name: &str) -> PathBuf {
        self.relay.folder().join(format!("{name}.record"))
    }

    fn robot(&self, home: Host, conditions: &Conditions, options: &[&str]) -> Robot {
        let (name, proxy, ppm) = match home {
            Host::Ana => ("Ana", &self.addresses[0], "100"),
            _ => ("Ben", &self.addresses[1], "-100"),
        };
        let microphone =
            if conditions.talk { format!("file:{}", talk(self.relay.folder()).display()) } else { "chirp".to_owned() };
        let common = ["--camera", conditions.camera, "--microphone", &microphone, "--proxy", proxy, "--bitrate", conditions.kbit];
        let mut command = Robot::command(&self.relay, name, &[options, &common[..]].concat());
        if conditions.squid == Squid::Tunnels {
            command.arg("--trust").arg(self.relay.fingerprint());
        }
        command.arg("--trace").arg(self.trace(name));
        if conditions.compared {
            command.arg("--record").arg(self.record(name));
        }
        if conditions.naive {
            command.env("TVPHONE_LANES", "naive");
        }
        if conditions.drift {
            command.env("TVPHONE_MICROPHONE_PPM", ppm);
        }
        match &self.network {
            Some(network) => network.within(home, || Robot::run(&self.relay, name, &mut command)),
            None => Robot::run(&self.relay, name, &mut command),
        }
    }
}

/// A sound without a pause, which no encoder leaves out: ten seconds of two tones that come and go.
fn talk(folder: &Path) -> PathBuf {
    const RATE: u32 = 48_000;
    let sample = |index: u32| {
        let seconds = f64::from(index) / f64::from(RATE);
        let tone = |hertz: f64| (std::f64::consts::TAU * hertz * seconds).sin();
        ((tone(220.0) + tone(1_310.0) * tone(3.0)) * 6_000.0) as i16
    };
    let data: Vec<u8> = (0..10 * RATE).flat_map(|index| sample(index).to_le_bytes()).collect();
    let length = data.len() as u32;
    let mut wav = Vec::new();
    // PCM, one channel, 16 bits.
    for word in
        [u32::from_le_bytes(*b"RIFF"), 36 + length, u32::from_le_bytes(*b"WAVE"), u32::from_le_bytes(*b"fmt "), 16, 0x1_0001]
    {
        wav.extend(word.to_le_bytes());
    }
    for word in [RATE, 2 * RATE, 0x10_0002, u32::from_le_bytes(*b"data"), length] {
        wav.extend(word.to_le_bytes());
    }
    wav.extend(data);
    let file = folder.join("talk.wav");
    std::fs::write(&file, wav).expect("the relay's folder can be written");
    file
}

/// Holds a call. The same seed loses the same packets.
pub(crate) fn measure(conditions: &Conditions, seed: u64) -> anyhow::Result<Run> {
    let (mut stage, round_trips) = Stage::set(conditions, seed)?;
    let length = conditions.length.as_secs_f64().to_string();
    let mut ben = stage.robot(Host::Ben, conditions, &["--answer"]);
    let mut ana = stage.robot(Host::Ana, conditions, &["--call", "Ben", "--duration", &length]);
    eventually("the call begins", RING, || stage.trace("Ana").exists().then_some(()));

    let (start, begun) = (Instant::now(), now());
    let processes = [ana.process().id(), ben.process().id(), stage.relay.process().id()];
    let spent = || processes.map(|process| Spent::by(&[process]));
    let (mut carried, mut memory, mut steps, mut early) = (Vec::new(), Vec::new(), Vec::new(), None);
    let mut due = conditions.steps.iter();
    let mut next = due.next();
    let last_look = conditions.length - Duration::from_secs(1);
    while start.elapsed() < last_look {
        if let Some(network) = &stage.network {
            if let Some((_, change)) = next.filter(|(at, _)| start.elapsed().as_secs() >= *at) {
                match change {
                    Change::Line(line) => network.change(*line),
                    Change::Forgets => network.forget(),
                }
                steps.push(now());
                next = due.next();
            }
            carried.push((now(), network.counts()));
        }
        if early.is_none() && start.elapsed() >= WARM_UP {
            early = Some((Instant::now(), spent()));
        }
        let megabytes = processes.map(|process| resident(process).unwrap_or_default() as f64 / 1e6);
        memory.push((start.elapsed().as_secs_f64(), megabytes));
        sleep(LOOK);
    }
    let (since, early) = early.context("the call is too short to be measured")?;
    let shares: Vec<f64> = spent().iter().zip(&early).map(|(now, then)| now.since(then).as_secs_f64()).collect();
    let percent = |process: usize| shares[process] / since.elapsed().as_secs_f64() * 100.0;
    let (robot_percent, relay_percent) = (percent(0).max(percent(1)), percent(2));

    let limit = Duration::from_secs(30);
    let outcomes = [ana.finish(limit), ben.finish(limit)];
    for outcome in &outcomes {
        ensure!(outcome.success, "the call did not come about: {}", outcome.report["outcome"]);
    }
    if let Some(folder) = std::env::var_os("TVPHONE_BENCH_TRACES") {
        for name in ["Ana", "Ben"] {
            std::fs::copy(stage.trace(name), Path::new(&folder).join(format!("{begun}-{name}.trace")))?;
        }
    }
    let from = begun + micros(WARM_UP);
    let until = begun + micros(conditions.length);
    let read = |name| anyhow::Ok(Trace::read(&stage.trace(name))?.between(from, until));
    let alike = |name| alike(&stage.record(name));
    let alike = if conditions.compared { Some([alike("Ana")?, alike("Ben")?]) } else { None };
    Ok(Run {
        received: [read("Ana")?, read("Ben")?],
        reports: outcomes.map(|outcome| outcome.report),
        round_trips,
        rate: conditions.line.and_then(|line| line.rate),
        seconds: (conditions.length - WARM_UP).as_secs_f64(),
        begun,
        steps,
        carried,
        memory,
        robot_percent,
        relay_percent,
        alike,
    })
}

/// How alike a recording's pictures are to those of the clip, without the first seconds.
fn alike(record: &Path) -> anyhow::Result<f64> {
    let mut reader = y4m::Reader::open(&record.join("peer-1.y4m"))
        .or_else(|_| y4m::Reader::open(&record.join("peer-2.y4m")))
        .context("nothing was recorded")?;
    let mut pictures = Vec::new();
    let mut number = 0;
    while let Ok(Some(frame)) = reader.next_frame() {
        number += 1;
        // Only some are kept, or they would fill the memory.
        if number % COMPARED == 0 && number > WARM_UP.as_secs() as usize * 30 {
            pictures.push(frame);
        }
    }
    likeness(&pictures)
}

/// The mean [`ssim`] of pictures and those of the clip that they were made of.
pub(crate) fn likeness(pictures: &[Frame]) -> anyhow::Result<f64> {
    let sent = clip(Path::new(CLIP.trim_start_matches("file:")));
    ensure!(pictures.len() > 10, "only {} pictures to compare", pictures.len());
    let mut sum = 0.0;
    for picture in pictures {
        let code = barcode::read(picture).context("a picture that doesn't tell its number")?;
        sum += ssim(sent.get(&code).context("a picture that wasn't sent")?, picture);
    }
    Ok(sum / pictures.len() as f64)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, micros)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
