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
use crate::{Part, Trouble, stop::Stop, watch::Watch};

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

/// Opens a device. Runs on a thread of its own, since sound servers may hang.
pub(crate) type Open = Arc<dyn Fn() -> Result<Running, Trouble> + Send + Sync>;

/// How things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Now {
    /// The device has just been opened.
    Open,
    /// There's none at the moment.
    Without,
}

/// Keeps the device open until `stop` is set. `now` hears each time it was opened, and every `beat` while there's none.
pub(crate) fn run(part: Part, open: &Open, stop: &Stop, mut watch: Watch, beat: Duration, mut now: impl FnMut(Now)) {
    let mut failures = 0;
    while !stop.is_set() {
        let opening = spawn_open(part, open);
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
            Ok(running) => {
                now(Now::Open);
                let (trouble, worked) = attend(part, &running, stop, &mut watch);
                if worked {
                    failures = 0;
                }
                trouble
            }
            Err(trouble) => Some(trouble),
        };
        let Some(trouble) = trouble else { return };
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

fn spawn_open(part: Part, open: &Open) -> Receiver<Result<Running, Trouble>> {
    let (sender, receiver) = channel();
    let (open, failed) = (open.clone(), sender.clone());
    let work = move || {
        device::quiet();
        // If nobody waits any more, the device is closed again right here.
        let _ = sender.send(open());
    };
    if let Err(error) = thread::Builder::new().name(format!("{part} open")).spawn(work) {
        let _ = failed.send(Err(Trouble::Failed { part, detail: error.to_string() }));
    }
    receiver
}

/// Watches a running device until it fails (then says why) or `stop` is set (then `None`), and tells whether it ever worked.
fn attend(part: Part, running: &Running, stop: &Stop, watch: &mut Watch) -> (Option<Trouble>, bool) {
    let (mut beats, mut since, mut worked) = (0, Instant::now(), false);
    loop {
        if stop.wait(LOOK) {
            return (None, worked);
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
            return (Some(trouble), worked);
        }
        let now = running.beats.load(Ordering::Relaxed);
        if now != beats {
            (beats, since, worked) = (now, Instant::now(), true);
            watch.well();
        } else if since.elapsed() > GIVE_UP {
            return (Some(Trouble::Stalled(part)), worked);
        } else if since.elapsed() > STALL {
            watch.trouble(Trouble::Stalled(part));
        }
    }
}
