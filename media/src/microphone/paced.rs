//! Sound that isn't captured but made: chirps and files, 20 ms at a time at the pace of a real microphone.

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use codecs::opus;
use ringbuf::traits::Producer;

use super::{Line, Outlet};
use crate::{
    Error, Part, Trouble,
    camera::{reason, unix_micros},
    chirp::Chirp,
    pace::{LEAD_IN, Pace},
    sound::ring::ring,
    wav,
};

/// Length of a frame.
const FRAME: Duration = Duration::from_millis(20);
/// Frames a second.
const RATE: f64 = 50.0;
/// Pause before a file that can't be played is tried again: someone may put it right.
const RETRY: Duration = Duration::from_secs(3);

/// Makes chirps until the microphone is dropped.
pub(super) fn chirp(mut outlet: Outlet) {
    let mut chirp = Chirp::default();
    let start = outlet.started;
    let made = run(&mut outlet, start, |block, began| {
        // What's handed over now began a frame ago, as with a real microphone.
        let age = u64::try_from(began.elapsed().as_micros()).unwrap_or(0);
        chirp.fill(block, unix_micros().saturating_sub(age));
        Ok(())
    });
    debug_assert!(made.is_ok(), "chirps can't fail");
}

/// Plays a file until the microphone is dropped.
pub(super) fn file(path: &Path, mut outlet: Outlet) {
    loop {
        let played = wav::Loop::open(path).and_then(|mut sound| {
            let start = if outlet.watch.in_trouble() { Instant::now() } else { outlet.started };
            run(&mut outlet, start + LEAD_IN, |block, _| sound.read(block))
        });
        if let Err(error) = played {
            outlet.watch.trouble(Trouble::File { part: Part::Microphone, path: path.to_owned(), reason: reason(&error) });
        }
        if outlet.stop.wait(RETRY) {
            return;
        }
    }
}

/// Hands over a frame every 20 ms, the first one 20 ms after `start`, until an error or the end. `make` fills a frame that begins at a
/// given time.
fn run(outlet: &mut Outlet, start: Instant, mut make: impl FnMut(&mut [f32], Instant) -> Result<(), Error>) -> Result<(), Error> {
    let (mut source, drain) = ring(opus::SAMPLE_RATE);
    let first = start.saturating_duration_since(outlet.started).as_micros() as u64;
    let first = Arc::new(AtomicU64::new(first));
    outlet.exchange.offer(Line { drain, rate: opus::SAMPLE_RATE, first });
    let mut pace = Pace::new(start + FRAME, RATE * drift());
    let mut block = [0.0; opus::FRAME];
    loop {
        let due = pace.due();
        if outlet.stop.wait_until(due) {
            return Ok(());
        }
        make(&mut block, due.checked_sub(FRAME).unwrap_or(due))?;
        let pushed = source.samples.push_slice(&block);
        source.lose(block.len() - pushed);
        outlet.wake.wake();
        outlet.watch.well();
        // A thread that was held up makes up for a little, but sound of seconds ago is of no use.
        if due.elapsed() > MOST_LATE {
            for left_out in 0..pace.advance(Instant::now()) {
                make(&mut block, due + FRAME * u32::try_from(left_out).unwrap_or(u32::MAX))?;
                source.lose(block.len());
            }
        } else {
            pace.step();
        }
    }
}

/// How much faster than the system's clock this microphone's is: no two real ones agree, which measurements imitate (in parts per million).
fn drift() -> f64 {
    let ppm = std::env::var("TVPHONE_MICROPHONE_PPM").ok().and_then(|text| text.parse::<f64>().ok());
    1.0 + ppm.filter(|ppm| ppm.abs() <= 1_000.0).unwrap_or(0.0) / 1e6
}

/// How late a frame may be and still be handed over.
const MOST_LATE: Duration = Duration::from_millis(150);
