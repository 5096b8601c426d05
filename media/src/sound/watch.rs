//! Keeps a sound device open: opens it, notices when it stalls or goes away or another one is to be used, and opens that.

use std::{
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, TryRecvError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use super::{device, lookout::Lookout, stream::Running};
use crate::{
    Part, Trouble,
    devices::choice::{Choice, Seen, Stand},
    held::Held,
    spell::Spell,
    stop::Stop,
    watch::Watch,
};

/// A device without a callback for this long has stalled: none has a period that long.
const STALL: Duration = Duration::from_secs(2);
/// A device that stalled is opened anew after this long, once it had its chance to come back.
const GIVE_UP: Duration = Duration::from_secs(6);
/// A sound server that takes longer than this to open a device hangs.
const OPEN: Duration = Duration::from_secs(5);
/// Pauses before a device in trouble is opened again: short at first, for a device that's just being switched.
const RETRY: [Duration; 4] = [Duration::from_millis(300), Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(3)];
/// A device that played for this long and then fails was plugged in rightly and is gone: another one may take its place at once.
const PLAYED: Duration = Duration::from_secs(1);
/// How often a running device is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// More overruns or underruns than this in a second are no accident: the machine can't keep up with the period.
const MOST_XRUNS: u64 = 5;
/// How long they must stay away for the next one to be worth a line in the log.
const QUIET: Duration = Duration::from_secs(30);

/// Opens a device with this period, and gives our end of its ring, which is of use only while the device runs. Runs on a thread of its
/// own, since sound servers may hang.
pub(crate) type Open<T> = Arc<dyn Fn(Duration) -> Result<(Running, T), Trouble> + Send + Sync>;

/// What a device is held against while it runs.
pub(crate) struct Follow {
    pub(crate) choice: Choice,
    /// What there is, as far as anyone has looked.
    pub(crate) look: Box<dyn Fn() -> Option<Seen> + Send>,
}

impl Follow {
    /// The choice among this machine's devices.
    pub(crate) fn new(part: Part, choice: Choice) -> Self {
        let lookout = Lookout::begin();
        Self { choice, look: Box::new(move || lookout.seen(part)) }
    }

    /// Whether devices have come or gone since this was seen.
    fn news_since(&self, before: Option<&Seen>) -> bool {
        match (before, (self.look)()) {
            (Some(before), Some(now)) => !now.same(before),
            _ => false,
        }
    }
}

/// How things stand.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Now<T> {
    /// The device has just begun to run; this is our end of its ring.
    Open(T),
    /// There's none at the moment.
    Without,
}

/// Why a running device isn't looked after any more.
enum End {
    Stopped,
    /// Another one is to be used.
    Outdated,
    /// It would do better with a longer period.
    Choppy,
    Broken(Trouble),
}

/// Keeps the device open until `stop` is set. `now` hears each time it was opened, and every `beat` while there's none.
pub(crate) fn run<T: Send + 'static>(
    open: &Open<T>,
    follow: &Follow,
    stop: &Stop,
    mut watch: Watch,
    beat: Duration,
    mut now: impl FnMut(Now<T>),
) {
    let part = watch.part();
    let (mut failures, mut period) = (0, device::period(part));
    // Why the last device failed, while another one is tried before anybody hears of that.
    let mut lost = None;
    while !stop.is_set() {
        let opening = spawn_open(part, open, period);
        let since = Instant::now();
        let opened = loop {
            match opening.try_recv() {
                Ok(opened) => break opened,
                Err(TryRecvError::Disconnected) => {
                    break Err(Trouble::Failed { part, detail: "its driver crashed".into() });
                }
                Err(TryRecvError::Empty) if since.elapsed() > OPEN => watch.trouble(Trouble::Stalled(part)),
                Err(TryRecvError::Empty) => {}
            }
            if stop.wait(beat) {
                return;
            }
            now(Now::Without);
        };
        let trouble = match opened {
            Ok((mut running, end)) => {
                now(Now::Open(end));
                watch.uses(&running.opened.device);
                lost = None;
                let longest = device::longest_period(part);
                let (end, worked) = attend(&mut running, follow, stop, &mut watch, period < longest);
                let opened = running.opened.clone();
                close(running);
                if worked {
                    failures = 0;
                }
                match end {
                    End::Stopped => return,
                    End::Outdated => {
                        tracing::info!(device = %part, name = opened.device.name, "another sound device is opened instead");
                        continue;
                    }
                    End::Choppy => {
                        period = longest.min(period * 2);
                        let period_ms = period.as_millis();
                        let name = &opened.device.name;
                        tracing::info!(device = %part, name, period_ms, "the sound device is opened with a longer period");
                        continue;
                    }
                    End::Broken(trouble) if opened.wanted.stand_in && opened.at.elapsed() > PLAYED => {
                        lost = Some(trouble);
                        continue;
                    }
                    End::Broken(trouble) => trouble,
                }
            }
            Err(Trouble::Missing(_)) if let Some(lost) = lost.take() => lost,
            Err(trouble) => trouble,
        };
        watch.trouble(trouble);
        let pause = Instant::now() + RETRY[RETRY.len().min(failures + 1) - 1];
        failures += 1;
        let before = (follow.look)();
        while Instant::now() < pause && !follow.news_since(before.as_ref()) {
            if stop.wait(beat) {
                return;
            }
            now(Now::Without);
        }
    }
}

fn spawn_open<T: Send + 'static>(part: Part, open: &Open<T>, period: Duration) -> Receiver<Result<(Running, T), Trouble>> {
    let (sender, receiver) = channel();
    let (open, failed) = (open.clone(), sender.clone());
    let work = move || {
        device::quiet();
        let held = Held::new(part);
        let opened = held.patiently(|| open(period)).map(|(running, end)| (running.holding(held), end));
        // If nobody waits any more, the device is closed again right here.
        let _ = sender.send(opened);
    };
    if let Err(error) = thread::Builder::new().name(format!("{part} open")).spawn(work) {
        let _ = failed.send(Err(Trouble::Failed { part, detail: error.to_string() }));
    }
    receiver
}

/// Lets go of a device on a thread of its own: cpal's stream on PulseAudio waits for ever for a server that has ended the stream itself.
fn close(running: Running) {
    let part = running.opened.device.part;
    if let Err(error) = thread::Builder::new().name(format!("{part} close")).spawn(move || drop(running)) {
        tracing::warn!(%error, device = %part, "a sound device was closed by the thread that looks after it");
    }
}

/// Watches a running device until it fails, another one is to be used, `stop` is set, or (if `may_grow`) a longer period is called for. Says what it was, and
/// whether the device ever worked.
fn attend(running: &mut Running, follow: &Follow, stop: &Stop, watch: &mut Watch, may_grow: bool) -> (End, bool) {
    let part = running.opened.device.part;
    let (mut beats, mut since, mut worked) = (0, Instant::now(), false);
    let mut hiccups = Hiccups::new(running.pulse.xruns.load(Ordering::Relaxed), since);
    loop {
        if stop.wait(LOOK) {
            return (End::Stopped, worked);
        }
        while let Ok(error) = running.errors.try_recv() {
            if device::harmless(&error) {
                tracing::debug!(device = %part, name = running.opened.device.name, %error, "sound device hiccup");
                continue;
            }
            let trouble = match device::trouble(part, &error) {
                Trouble::Missing(part) if worked => Trouble::Unplugged(part),
                trouble => trouble,
            };
            return (End::Broken(trouble), worked);
        }
        match running.opened.stand(&follow.choice.get(), (follow.look)().as_ref()) {
            Stand::Right => {}
            Stand::Moved(device) => {
                tracing::info!(device = %part, from = running.opened.device.name, to = device.name, "the system moved the sound to another device");
                watch.uses(&device);
                running.opened.device = device;
            }
            Stand::Outdated => return (End::Outdated, worked),
        }
        let now = Instant::now();
        if hiccups.begin(now, running.pulse.xruns.load(Ordering::Relaxed)) {
            tracing::warn!(device = %part, name = running.opened.device.name, "this machine is too busy for its sound, which has gaps");
        }
        if hiccups.too_many(now) && may_grow {
            return (End::Choppy, worked);
        }
        let heard = running.pulse.beats.load(Ordering::Relaxed);
        if heard != beats {
            (beats, since, worked) = (heard, now, true);
            watch.well();
        } else if since.elapsed() > GIVE_UP {
            return (End::Broken(Trouble::Stalled(part)), worked);
        } else if since.elapsed() > STALL {
            watch.trouble(Trouble::Stalled(part));
        }
    }
}

/// Counts overruns and underruns by the second.
struct Hiccups {
    xruns: u64,
    last: Instant,
    /// How many there were when the running second began, and when that was.
    second: (u64, Instant),
    spell: Spell,
}

impl Hiccups {
    fn new(xruns: u64, now: Instant) -> Self {
        Self { xruns, last: now, second: (xruns, now), spell: Spell::default() }
    }

    /// There are so many by now: whether a spell of them begins.
    fn begin(&mut self, now: Instant, xruns: u64) -> bool {
        if xruns == self.xruns {
            if now.saturating_duration_since(self.last) >= QUIET {
                self.spell.end();
            }
            return false;
        }
        (self.xruns, self.last) = (xruns, now);
        self.spell.begins()
    }

    /// Whether there were more in the last second than chance makes.
    fn too_many(&mut self, now: Instant) -> bool {
        let (before, since) = self.second;
        if now.saturating_duration_since(since) < Duration::from_secs(1) {
            return false;
        }
        self.second = (self.xruns, now);
        self.xruns.wrapping_sub(before) > MOST_XRUNS
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc::SyncSender};

    use super::*;
    use crate::{
        devices::{InUse, Listed, choice::Opened},
        sound::callback::Pulse,
        watch::{State, Told, Used},
    };

    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn a_spell_of_hiccups_is_told_once_and_a_bad_second_noticed() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut hiccups = Hiccups::new(7, start);
        assert!(!hiccups.begin(at(100), 7) && hiccups.begin(at(200), 8) && !hiccups.begin(at(300), 12));
        assert!(!hiccups.too_many(at(900)) && !hiccups.too_many(at(1_000)), "five are an accident");
        assert!(!hiccups.begin(at(1_500), 18) && hiccups.too_many(at(2_000)) && !hiccups.too_many(at(3_000)));
        assert!(!hiccups.begin(at(40_000), 18) && hiccups.begin(at(40_100), 19), "a new spell after a quiet time");
    }

    #[test]
    fn a_device_that_can_not_keep_up_is_opened_with_a_longer_period() {
        let (to_test, periods) = channel();
        let stop = Stop::default();
        let open: Open<()> = Arc::new(move |period| {
            let pulse = Pulse::default();
            // Far more of them with each look, however long that takes.
            let busy = pulse.clone();
            let going = Stop::default();
            let ended = going.clone();
            let worker = thread::spawn(move || {
                while !ended.wait(Duration::from_millis(5)) {
                    busy.beats.fetch_add(1, Ordering::Relaxed);
                    busy.xruns.fetch_add(100, Ordering::Relaxed);
                }
            });
            to_test.send(period).unwrap();
            Ok((Running::fake(pulse, Worker(going, Some(worker))), ()))
        });
        let thread = thread::spawn({
            let state: State = Arc::new(|_| {});
            let (stop, watch) = (stop.clone(), Watch::new(Part::Microphone, state));
            move || run(&open, &alone(), &stop, watch, Duration::from_millis(10), |_| {})
        });
        let seen: Vec<_> = (0..3).map(|_| periods.recv_timeout(PATIENCE).unwrap().as_millis()).collect();
        assert_eq!(seen, [20, 40, 80]);
        stop.set();
        thread.join().unwrap();
    }

    /// A machine on which nothing comes or goes.
    fn alone() -> Follow {
        Follow { choice: Choice::default(), look: Box::new(|| None) }
    }

    /// Runs devices that are opened by what's wanted, on a machine that the test changes; tells what was opened and what was told.
    struct Machine {
        seen: Arc<Mutex<Seen>>,
        choice: Choice,
        opened: Receiver<(String, SyncSender<cpal::Error>)>,
        told: Receiver<Result<(), Trouble>>,
        used: Receiver<InUse>,
        stop: Stop,
        thread: thread::JoinHandle<()>,
    }

    impl Machine {
        fn new(wanted: Option<&str>, all: &[&str]) -> Self {
            let seen = Arc::new(Mutex::new(Self::seen(all)));
            let choice = Choice::new(wanted.map(str::to_owned), true);
            let ((to_opened, opened), (to_told, told), (to_used, used)) = (channel(), channel(), channel());
            let open: Open<()> = {
                let (seen, choice) = (Arc::clone(&seen), choice.clone());
                Arc::new(move |_| {
                    let (wanted, seen) = (choice.get(), seen.lock().unwrap().clone());
                    let at = Instant::now();
                    let there = |id: &String| seen.all.iter().any(|listed| listed.id == *id);
                    let chosen = wanted.id.clone().filter(there);
                    let stand_in = wanted.id.is_some() && chosen.is_none();
                    let id = chosen.or(seen.default.filter(there)).ok_or(Trouble::Missing(Part::Speaker))?;
                    let pulse = Pulse::default();
                    let (going, beating) = (Stop::default(), pulse.clone());
                    let ended = going.clone();
                    let worker = thread::spawn(move || {
                        while !ended.wait(Duration::from_millis(5)) {
                            beating.beats.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                    let (mut running, errors) = Running::fake_with_errors(pulse, Worker(going, Some(worker)));
                    // As if it had been opened long ago, so that it counts as one that has played.
                    let at = at.checked_sub(PLAYED * 2).unwrap_or(at);
                    let device = InUse { part: Part::Speaker, id: id.clone(), name: id.clone(), stand_in };
                    running.opened = Opened { device, wanted, at, settled: true };
                    to_opened.send((id, errors)).map_err(|_| Trouble::Missing(Part::Speaker))?;
                    Ok((running, ()))
                })
            };
            let follow = {
                let seen = Arc::clone(&seen);
                Follow { choice: choice.clone(), look: Box::new(move || Some(seen.lock().unwrap().clone())) }
            };
            let stop = Stop::default();
            let state: State = Arc::new(move |state| drop(to_told.send(state)));
            let hears: Used = Arc::new(move |device| drop(to_used.send(device)));
            let watch = Watch::new(Part::Speaker, Told { state, used: Some(hears) });
            let ended = stop.clone();
            let work = move || run(&open, &follow, &ended, watch, Duration::from_millis(5), |_| {});
            Self { seen, choice, opened, told, used, stop, thread: thread::spawn(work) }
        }

        /// The first one is the default.
        fn seen(all: &[&str]) -> Seen {
            let listed = |id: &&str| Listed { id: (*id).to_owned(), name: (*id).to_owned() };
            let default = all.first().map(|id| (*id).to_owned());
            Seen { at: Instant::now(), system: "fake".into(), all: all.iter().map(listed).collect(), default, ours: Vec::new() }
        }

        fn becomes(&self, all: &[&str]) {
            *self.seen.lock().unwrap() = Self::seen(all);
        }

        /// The first one becomes the default, and the system moves the sound there.
        fn moves_to(&self, all: &[&str]) {
            let seen = Self::seen(all);
            *self.seen.lock().unwrap() = Seen { ours: seen.default.iter().cloned().collect(), ..seen };
        }

        #[track_caller]
        fn opens(&self, id: &str) -> SyncSender<cpal::Error> {
            let (opened, errors) = self.opened.recv_timeout(PATIENCE).unwrap();
            assert_eq!(opened, id);
            assert_eq!(self.used.recv_timeout(PATIENCE).unwrap().id, id);
            errors
        }

        fn end(self) -> Vec<Result<(), Trouble>> {
            self.stop.set();
            self.thread.join().unwrap();
            self.told.try_iter().collect()
        }
    }

    #[test]
    fn the_default_is_followed_and_a_choice_goes_before_it() {
        let machine = Machine::new(None, &["fake:desk", "fake:tv"]);
        machine.opens("fake:desk");
        machine.becomes(&["fake:tv", "fake:desk"]);
        machine.opens("fake:tv");
        machine.choice.choose(Some("fake:desk".into()));
        machine.opens("fake:desk");
        assert!(machine.end().iter().all(Result::is_ok), "nobody hears of any trouble");
    }

    #[test]
    fn sound_that_the_system_has_moved_is_told_and_not_interrupted() {
        let machine = Machine::new(None, &["fake:desk", "fake:tv"]);
        machine.opens("fake:desk");
        machine.moves_to(&["fake:tv", "fake:desk"]);
        assert_eq!(machine.used.recv_timeout(PATIENCE).unwrap().id, "fake:tv");
        machine.choice.choose(Some("fake:desk".into()));
        machine.opens("fake:desk");
        assert!(machine.end().iter().all(Result::is_ok));
    }

    #[test]
    fn one_that_is_unplugged_is_stood_in_for_without_a_word_of_trouble_until_it_is_back() {
        let machine = Machine::new(Some("fake:headset"), &["fake:desk", "fake:headset"]);
        let errors = machine.opens("fake:headset");
        machine.becomes(&["fake:desk"]);
        // The system says it before anybody looks, or after.
        let _ = errors.send(cpal::ErrorKind::DeviceNotAvailable.into());
        machine.opens("fake:desk");
        machine.becomes(&["fake:desk", "fake:headset"]);
        machine.opens("fake:headset");
        assert!(machine.end().iter().all(Result::is_ok));
    }

    #[test]
    fn the_last_one_unplugged_is_told_and_the_next_one_plugged_in_is_taken_at_once() {
        let machine = Machine::new(None, &["fake:desk"]);
        let errors = machine.opens("fake:desk");
        assert_eq!(machine.told.recv_timeout(PATIENCE).unwrap(), Ok(()));
        machine.becomes(&[]);
        errors.send(cpal::ErrorKind::DeviceNotAvailable.into()).unwrap();
        assert!(machine.told.recv_timeout(PATIENCE).unwrap().is_err());
        machine.becomes(&["fake:tv"]);
        machine.opens("fake:tv");
        assert_eq!(machine.told.recv_timeout(PATIENCE).unwrap(), Ok(()));
        machine.end();
    }

    /// Ends a thread that stands in for the system's.
    struct Worker(Stop, Option<thread::JoinHandle<()>>);

    impl Drop for Worker {
        fn drop(&mut self) {
            self.0.set();
            if let Some(thread) = self.1.take() {
                thread.join().unwrap();
            }
        }
    }
}
