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
    devices::choice::{Choice, Wish},
    sound::{
        ring::{Exchange, Wake, ring},
        stream,
        watch::{self, Follow},
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
    /// How long the sound was that lines before this one lost.
    lost: Duration,
}

impl Microphone {
    /// Starts the source that `spec` names. Times count from this call, as a [camera's](crate::camera::Camera::start) do; a clip's
    /// two files that are started together begin together, and stay so if picture and sound have the same length.
    ///
    /// `state` hears, on the source's thread, when sound begins to come and what keeps it away; trouble doesn't end the source, which
    /// tries again every few seconds. While there's trouble no silence is made up: no samples come.
    #[must_use]
    pub fn start(spec: &MicrophoneSpec, state: State) -> (Self, Samples) {
        Self::begin(&Wish::exactly(spec, state))
    }

    /// The same, with a device that may change.
    pub(crate) fn begin(wish: &Wish<MicrophoneSpec>) -> (Self, Samples) {
        let (stop, exchange, wake, started) = (Stop::default(), Exchange::default(), Wake::default(), Instant::now());
        let samples =
            Samples { exchange: exchange.clone(), wake: wake.clone(), started, reading: None, skipped: 0, lost: Duration::ZERO };
        let outlet =
            Outlet { exchange, wake, started, stop: stop.clone(), watch: Watch::new(Part::Microphone, wish.told.clone()) };
        let work: Box<dyn FnOnce() + Send> = match wish.spec.clone() {
            MicrophoneSpec::None => return (Self { stop }, samples),
            MicrophoneSpec::Chirp => Box::new(move || paced::chirp(outlet)),
            MicrophoneSpec::File(path) => Box::new(move || paced::file(&path, outlet)),
            MicrophoneSpec::Device(_) => {
                let choice = wish.choice.clone();
                Box::new(move || device(choice, outlet))
            }
        };
        if let Err(error) = thread::Builder::new().name("microphone".into()).spawn(work) {
            (wish.told.state)(Err(Trouble::Failed { part: Part::Microphone, detail: error.to_string() }));
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
                if let Some(old) = self.reading.take() {
                    self.skipped += old.skipped();
                    self.lost += old.lost();
                }
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

    /// Samples (at the device's rate) that were never read: they waited too long, found no room, or were not taken from the device in
    /// time.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped + self.reading.as_ref().map_or(0, Reading::skipped)
    }

    /// How long the sound of those samples was.
    #[must_use]
    pub fn lost(&self) -> Duration {
        self.lost + self.reading.as_ref().map_or(Duration::ZERO, Reading::lost)
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

/// How often a thread that opens a device sees whether it's still wanted, and whether it's open: sound waits as long to be read.
const BEAT: Duration = Duration::from_millis(20);

fn device(choice: Choice, outlet: Outlet) {
    let Outlet { exchange, wake, started, stop, watch: news } = outlet;
    let follow = Follow::new(Part::Microphone, choice.clone());
    let open = move |period| {
        stream::open_microphone(choice.get(), period, started, &wake, |rate, first| {
            let (source, drain) = ring(rate);
            (source, Line { drain, rate, first })
        })
    };
    let open: watch::Open<Line> = Arc::new(open);
    watch::run(&open, &follow, &stop, news, BEAT, |now| {
        if let watch::Now::Open(line) = now {
            exchange.offer(line);
        }
    });
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::{camera::unix_micros, chirp::Detector, pace::LEAD_IN};

    fn told() -> (State, mpsc::Receiver<Result<(), Trouble>>) {
        let (told, news) = mpsc::channel();
        // Who has heard enough is gone.
        (Arc::new(move |state| drop(told.send(state))), news)
    }

    #[test]
    fn a_file_plays_in_step_with_the_clock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let spec =
            hound::WavSpec { channels: 1, sample_rate: 48_000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
        let mut writer = hound::WavWriter::create(&path, spec).unwrap();
        // Each frame of 20 ms has a level of its own.
        (0..5 * 960).for_each(|index| writer.write_sample((1_000 + index / 960 * 1_000) as i16).unwrap());
        writer.finalize().unwrap();
        let (state, news) = told();
        let (microphone, mut samples) = Microphone::start(&MicrophoneSpec::File(path), state);
        let mut out = [0.0; opus::FRAME];
        for _ in 0..12 {
            let time = samples.read(&mut out, Duration::from_secs(10)).unwrap();
            assert!(samples.started.elapsed() >= time.since_start() + Duration::from_millis(20), "not before it's complete");
            let frame = (time.0 - LEAD_IN.as_micros() as u64) / 20_000;
            let level = (1_000.0 + (frame % 5) as f32 * 1_000.0) / 32_768.0;
            assert!(out.iter().all(|sample| (sample - level).abs() < 1e-4), "frame {frame}: {} {level}", out[0]);
        }
        assert_eq!(news.recv().unwrap(), Ok(()));
        drop(microphone);
    }

    #[test]
    fn chirps_are_heard_when_they_are_due() {
        let (state, _news) = told();
        let (_microphone, mut samples) = Microphone::start(&MicrophoneSpec::Chirp, state);
        let (mut out, mut detector) = ([0.0; opus::FRAME], Detector::new());
        let end = Instant::now() + Duration::from_secs(20);
        let heard = loop {
            let time = samples.read(&mut out, Duration::from_secs(10)).unwrap();
            // As if each frame were played 50 ms after it began.
            let began = unix_micros() - samples.started.elapsed().as_micros() as u64 + time.0;
            if let Some(heard) = detector.push(&out, began + 50_000).first() {
                break *heard;
            }
            assert!(Instant::now() < end, "no chirp in 20 s");
        };
        assert!(heard.abs_diff(Duration::from_millis(50)) < Duration::from_millis(3), "{heard:?}");
    }

    #[test]
    fn without_a_microphone_nothing_comes_and_the_reason_is_told() {
        let mut out = [0.0; opus::FRAME];
        let (state, news) = told();
        let (_none, mut samples) = Microphone::start(&MicrophoneSpec::None, state.clone());
        assert_eq!(samples.read(&mut out, Duration::from_millis(30)), None);
        let (missing, mut samples) = Microphone::start(&MicrophoneSpec::Device(Some("no such one".into())), state.clone());
        assert_eq!(news.recv_timeout(Duration::from_secs(20)).unwrap(), Err(Trouble::Missing(Part::Microphone)));
        assert_eq!(samples.read(&mut out, Duration::from_millis(1)), None);
        drop(missing);
        let (_bad, _) = Microphone::start(&MicrophoneSpec::File("/no/such.wav".into()), state);
        let trouble = news.recv_timeout(Duration::from_secs(20)).unwrap().unwrap_err();
        assert!(trouble.to_string().contains("/no/such.wav"), "{trouble}");
    }
}
