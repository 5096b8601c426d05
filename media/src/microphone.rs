//! Where sound comes from: a microphone, chirps or a file, each on a thread of its own, all as 20 ms frames of one channel at 48 kHz.

mod clock;
mod line;
mod paced;

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use codecs::{MediaTime, opus};

use crate::{
    MicrophoneSpec, Part, Trouble,
    sound::{
        ring::{Exchange, Wake, ring},
        stream, watch,
    },
    stop::Stop,
    watch::{State, Watch},
};

use line::{Line, Reading};

/// A running source of sound. Dropping it ends it without waiting for the device.
#[derive(Debug)]
pub struct Microphone {
    stop: Stop,
}

/// The sound of a [`Microphone`], for the one thread that encodes it.
pub struct Samples {
    exchange: Exchange<Line>,
    wake: Wake,
    started: Instant,
    reading: Option<Reading>,
    skipped: u64,
}

impl Microphone {
    /// Starts the source that `spec` names. Times count from this call, as a [camera's](crate::camera::Camera::start) do; a clip's
    /// two files that are started together begin together, and stay so if picture and sound have the same length.
    ///
    /// `state` hears, on the source's thread, when sound begins to come and what keeps it away; trouble doesn't end the source, which
    /// tries again every few seconds. While there's trouble no silence is made up: no samples come.
    #[must_use]
    pub fn start(spec: &MicrophoneSpec, state: State) -> (Self, Samples) {
        let (stop, exchange, wake, started) = (Stop::default(), Exchange::default(), Wake::default(), Instant::now());
        let samples = Samples { exchange: exchange.clone(), wake: wake.clone(), started, reading: None, skipped: 0 };
        let outlet = Outlet { exchange, wake, started, stop: stop.clone(), watch: Watch::new(Part::Microphone, state.clone()) };
        let work: Box<dyn FnOnce() + Send> = match spec.clone() {
            MicrophoneSpec::None => return (Self { stop }, samples),
            MicrophoneSpec::Chirp => Box::new(move || paced::chirp(outlet)),
            MicrophoneSpec::File(path) => Box::new(move || paced::file(&path, outlet)),
            MicrophoneSpec::Device(id) => Box::new(move || device(id, outlet)),
        };
        if let Err(error) = thread::Builder::new().name("microphone".into()).spawn(work) {
            state(Err(Trouble::Failed { part: Part::Microphone, detail: error.to_string() }));
        }
        (Self { stop }, samples)
    }
}

impl Drop for Microphone {
    fn drop(&mut self) {
        self.stop.set();
    }
}

impl Samples {
    /// Waits for the next 20 ms of sound and tells when it began; `None` if it isn't there within `timeout`. Sound that has waited
    /// too long is skipped, so that a slow reader is behind by a fifth of a second at most; the times then leap.
    pub fn read(&mut self, out: &mut [f32; opus::FRAME], timeout: Duration) -> Option<MediaTime> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(line) = self.exchange.take() {
                self.skipped += self.reading.take().map_or(0, |reading| reading.skipped());
                self.reading = Reading::new(line);
            }
            let now = MediaTime::from(self.started.elapsed());
            if let Some(time) = self.reading.as_mut().and_then(|reading| reading.read(out, now)) {
                return Some(time);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.wake.nap(left);
        }
    }

    /// Samples (at the device's rate) that were captured and never read: they waited too long or found no room.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped + self.reading.as_ref().map_or(0, Reading::skipped)
    }
}

impl std::fmt::Debug for Samples {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Samples").field("connected", &self.reading.is_some()).field("skipped", &self.skipped()).finish()
    }
}

/// Where a source's sound and its news go.
struct Outlet {
    exchange: Exchange<Line>,
    wake: Wake,
    started: Instant,
    stop: Stop,
    watch: Watch,
}

/// How often a thread that opens a device sees whether it's still wanted.
const BEAT: Duration = Duration::from_millis(100);

fn device(id: Option<String>, outlet: Outlet) {
    let Outlet { exchange, wake, started, stop, watch: news } = outlet;
    let open = move || {
        stream::open_microphone(id.as_deref(), started, &wake, |rate, first| {
            let (source, drain) = ring(rate);
            exchange.offer(Line { drain, rate, first });
            source
        })
    };
    watch::run(Part::Microphone, &(Arc::new(open) as watch::Open), &stop, news, BEAT, |_| {});
}
