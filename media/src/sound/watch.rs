//! Keeps a sound device open: opens it, notices when it stalls or goes away, and opens it again.

use std::{
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, TryRecvError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use super::{device, stream::Running};
use crate::{Part, Trouble, held::Held, spell::Spell, stop::Stop, watch::Watch};

/// A device without a callback for this long has stalled: none has a period that long.
const STALL: Duration = Duration::from_secs(2);
/// A device that stalled is opened anew after this long, once it had its chance to come back.
const GIVE_UP: Duration = Duration::from_secs(6);
/// A sound server that takes longer than this to open a device hangs.
const OPEN: Duration = Duration::from_secs(5);
/// Pauses before a device in trouble is opened again: short at first, for a device that's just being switched.
const RETRY: [Duration; 4] = [Duration::from_millis(300), Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(3)];
/// How often a running device is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// More overruns or underruns than this in a second are no accident: the machine can't keep up with the period.
const MOST_XRUNS: u64 = 5;
/// How long they must stay away for the next one to be worth a line in the log.
const QUIET: Duration = Duration::from_secs(30);

/// Opens a device with this period, and gives our end of its ring, which is of use only while the device runs. Runs on a thread of its
/// own, since sound servers may hang.
pub(crate) type Open<T> = Arc<dyn Fn(Duration) -> Result<(Running, T), Trouble> + Send + Sync>;

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
    /// It would do better with a longer period.
    Choppy,
    Broken(Trouble),
}

/// Keeps the device open until `stop` is set. `now` hears each time it was opened, and every `beat` while there's none.
pub(crate) fn run<T: Send + 'static>(
    part: Part,
    open: &Open<T>,
    stop: &Stop,
    mut watch: Watch,
    beat: Duration,
    mut now: impl FnMut(Now<T>),
) {
    let (mut failures, mut period) = (0, device::period(part));
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
            Ok((running, end)) => {
                now(Now::Open(end));
                let longest = device::longest_period(part);
                let (end, worked) = attend(part, &running, stop, &mut watch, period < longest);
                if worked {
                    failures = 0;
                }
                match end {
                    End::Stopped => return,
                    End::Choppy => {
                        period = longest.min(period * 2);
                        let period_ms = period.as_millis();
                        tracing::info!(device = %part, name = running.name, period_ms, "the sound device is opened with a longer period");
                        continue;
                    }
                    End::Broken(trouble) => trouble,
                }
            }
            Err(trouble) => trouble,
        };
        watch.trouble(trouble);
        let pause = Instant::now() + RETRY[RETRY.len().min(failures + 1) - 1];
        failures += 1;
        while Instant::now() < pause {
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

/// Watches a running device until it fails, `stop` is set, or (if `may_grow`) a longer period is called for. Says what it was, and
/// whether the device ever worked.
fn attend(part: Part, running: &Running, stop: &Stop, watch: &mut Watch, may_grow: bool) -> (End, bool) {
    let (mut beats, mut since, mut worked) = (0, Instant::now(), false);
    let mut hiccups = Hiccups::new(running.pulse.xruns.load(Ordering::Relaxed), since);
    loop {
        if stop.wait(LOOK) {
            return (End::Stopped, worked);
        }
        while let Ok(error) = running.errors.try_recv() {
            if device::harmless(&error) {
                tracing::debug!(device = %part, name = running.name, %error, "sound device hiccup");
                continue;
            }
            let trouble = match device::trouble(part, &error) {
                Trouble::Missing(part) if worked => Trouble::Unplugged(part),
                trouble => trouble,
            };
            return (End::Broken(trouble), worked);
        }
        let now = Instant::now();
        if hiccups.begin(now, running.pulse.xruns.load(Ordering::Relaxed)) {
            tracing::warn!(device = %part, name = running.name, "this machine is too busy for its sound, which has gaps");
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
    use super::*;
    use crate::sound::stream::Pulse;

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
            let (stop, watch) = (stop.clone(), Watch::new(Part::Microphone, Arc::new(|_| {})));
            move || run(Part::Microphone, &open, &stop, watch, Duration::from_millis(10), |_| {})
        });
        let seen: Vec<_> = (0..3).map(|_| periods.recv_timeout(PATIENCE).unwrap().as_millis()).collect();
        assert_eq!(seen, [20, 40, 80]);
        stop.set();
        thread.join().unwrap();
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
