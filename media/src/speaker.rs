//! Where sound goes to: a speaker, or nowhere at a speaker's pace.

mod idle;
mod ringing;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use codecs::opus;
use ringbuf::traits::Producer;

use crate::{
    Part, SpeakerSpec, Trouble,
    devices::choice::Wish,
    resample::Resampler,
    sound::{
        ring::{Exchange, Source, Wake, duration, filled, ring},
        stream::{self, Running},
        watch::{self, Follow},
    },
    stop::Stop,
    watch::{State, Watch},
};

use idle::Idle;
pub use ringing::{Ringing, chime, ring as ring_tone};

/// How often sound that nobody hears is used up: the period a device is asked for.
const BEAT: Duration = Duration::from_millis(10);

/// A running sink of sound. Dropping it ends it without waiting for the device.
#[derive(Debug)]
pub struct Speaker {
    stop: Stop,
}

/// The way into a [`Speaker`], for the one thread that decodes.
pub struct Playback {
    exchange: Exchange<Line>,
    wake: Wake,
    line: Line,
    resampler: Option<Resampler>,
    /// Sound at the device's rate that found no room in the ring yet.
    pending: Vec<f32>,
    /// Silence played for want of sound on the lines before this one.
    missed: Duration,
    xruns: Arc<AtomicU64>,
}

/// A ring that a device was just connected to.
struct Line {
    source: Source,
    /// Hz.
    rate: u32,
    /// What its device had asked for in vain before it was given any sound; `None` until it was.
    before: Option<u64>,
}

impl Line {
    fn new(source: Source, rate: u32) -> Self {
        Self { source, rate, before: None }
    }

    fn missed(&self) -> Duration {
        let lost = self.source.lost.load(Ordering::Relaxed);
        duration(self.before.map_or(0, |before| lost.saturating_sub(before)) as usize, self.rate)
    }
}

impl Speaker {
    /// Starts the sink that `spec` names. While a device is in trouble its sound is used up all the same, at the pace of the clock, so
    /// that a call goes on as if it were heard.
    ///
    /// `state` hears, on the sink's thread, when a device begins to play and what keeps it from it; trouble doesn't end the sink,
    /// which tries again every few seconds.
    #[must_use]
    pub fn start(spec: &SpeakerSpec, state: State) -> (Self, Playback) {
        Self::begin(&Wish::exactly(spec, state))
    }

    /// The same, with a device that may change.
    pub(crate) fn begin(wish: &Wish<SpeakerSpec>) -> (Self, Playback) {
        let (stop, exchange, wake) = (Stop::default(), Exchange::default(), Wake::default());
        let (source, drain) = ring(opus::SAMPLE_RATE);
        let idle = Idle::new(drain, wake.clone(), Instant::now());
        let playback = Playback::new(exchange.clone(), wake.clone(), Line::new(source, opus::SAMPLE_RATE));
        let xruns = Arc::clone(&playback.xruns);
        let news = Watch::new(Part::Speaker, wish.told.clone());
        let work: Box<dyn FnOnce() + Send> = match wish.spec {
            SpeakerSpec::Silent => {
                let stop = stop.clone();
                Box::new(move || silent(idle, &stop, news))
            }
            SpeakerSpec::Device(_) => {
                let stop = stop.clone();
                let awake = wake.clone();
                let choice = wish.choice.clone();
                let follow = Follow::new(Part::Speaker, choice.clone());
                let open = move |period| {
                    stream::open_speaker(choice.get(), period, &awake, &xruns, |rate| {
                        let (source, drain) = ring(rate);
                        (drain, Line::new(source, rate))
                    })
                };
                Box::new(move || device(open, &follow, Inlet { exchange, wake, idle }, &stop, news))
            }
        };
        if let Err(error) = thread::Builder::new().name("speaker".into()).spawn(work) {
            (wish.told.state)(Err(Trouble::Failed { part: Part::Speaker, detail: error.to_string() }));
        }
        (Self { stop }, playback)
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.stop.set();
    }
}

impl Playback {
    fn new(exchange: Exchange<Line>, wake: Wake, line: Line) -> Self {
        let (missed, xruns) = (Duration::ZERO, Arc::default());
        Self { exchange, wake, line, resampler: None, pending: Vec::new(), missed, xruns }
    }

    /// Takes samples of one channel at 48 kHz, as many as there's room for (a second's worth in all), and returns how many.
    pub fn write(&mut self, samples: &[f32]) -> usize {
        self.connect();
        let lost = self.line.source.lost.load(Ordering::Relaxed);
        self.line.before.get_or_insert(lost);
        self.flush();
        if !self.pending.is_empty() {
            return 0;
        }
        let Some(resampler) = &mut self.resampler else { return self.line.source.samples.push_slice(samples) };
        resampler.push(samples, &mut self.pending);
        self.flush();
        samples.len()
    }

    /// How long it takes until what's written now is taken by the device.
    #[must_use]
    pub fn buffered(&self) -> Duration {
        let waiting = self.resampler.as_ref().map_or(0, Resampler::waiting);
        duration(self.pending.len() + filled(&self.line.source.samples), self.line.rate) + duration(waiting, opus::SAMPLE_RATE)
    }

    /// How long it takes until what's written now leaves the speaker, as far as its driver tells. It's asked best just after
    /// [`Playback::wait_until_below`]: devices take sound in pieces, and that ends when one has been taken.
    #[must_use]
    pub fn ahead(&self) -> Duration {
        self.buffered() + self.line.source.ahead()
    }

    /// Waits until no more than `target` is buffered; false if it doesn't come to that within `timeout`.
    pub fn wait_until_below(&mut self, target: Duration, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        loop {
            self.connect();
            self.flush();
            if self.buffered() <= target {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            self.wake.nap(left);
        }
    }

    /// Silence that was played so far since the next sound wasn't there when it was due.
    #[must_use]
    pub fn missed(&self) -> Duration {
        self.missed + self.line.missed()
    }

    /// How often so far the device had played all it had before it was looked after: a gap of unknown length each time.
    #[must_use]
    pub fn underruns(&self) -> u64 {
        self.xruns.load(Ordering::Relaxed)
    }

    /// Goes over to the device that was opened last, if one was.
    fn connect(&mut self) {
        let Some(line) = self.exchange.take() else { return };
        self.missed += self.line.missed();
        self.pending.clear();
        self.resampler = (line.rate != opus::SAMPLE_RATE).then(|| Resampler::new(opus::SAMPLE_RATE, line.rate)).flatten();
        self.line = line;
    }

    fn flush(&mut self) {
        let pushed = self.line.source.samples.push_slice(&self.pending);
        self.pending.drain(..pushed);
    }
}

impl std::fmt::Debug for Playback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Playback").field("rate", &self.line.rate).field("buffered", &self.buffered()).finish_non_exhaustive()
    }
}

fn silent(mut idle: Idle, stop: &Stop, mut news: Watch) {
    news.well();
    let mut pace = crate::pace::Pace::new(Instant::now(), BEAT.as_secs_f64().recip());
    while !stop.wait_until(pace.due()) {
        let now = Instant::now();
        idle.use_up(now);
        pace.advance(now);
    }
}

/// Where a device gets its sound from.
struct Inlet {
    exchange: Exchange<Line>,
    wake: Wake,
    idle: Idle,
}

fn device(
    open: impl Fn(Duration) -> Result<(Running, Line), Trouble> + Send + Sync + 'static,
    follow: &Follow,
    inlet: Inlet,
    stop: &Stop,
    news: Watch,
) {
    let Inlet { exchange, wake, idle } = inlet;
    let mut idle = Some(idle);
    let open: watch::Open<Line> = Arc::new(open);
    // The device's ring dies with it; until the next one there's one of our own, used up by this thread. So it's in use only while
    // the device runs: what plays into a ring that nobody empties waits for ever.
    watch::run(&open, follow, stop, news, BEAT, |opened| match opened {
        watch::Now::Open(line) => {
            exchange.offer(line);
            idle = None;
        }
        watch::Now::Without => {
            let idle = idle.get_or_insert_with(|| {
                let (source, drain) = ring(opus::SAMPLE_RATE);
                exchange.offer(Line::new(source, opus::SAMPLE_RATE));
                Idle::new(drain, wake.clone(), Instant::now())
            });
            idle.use_up(Instant::now());
        }
    });
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::{
        devices::choice::Choice,
        sound::{callback::Pulse, ring::Drain},
    };

    fn told() -> (State, mpsc::Receiver<Result<(), Trouble>>) {
        let (told, news) = mpsc::channel();
        // Who has heard enough is gone.
        (Arc::new(move |state| drop(told.send(state))), news)
    }

    fn plays_at_the_pace_of_the_clock(playback: &mut Playback) {
        let start = Instant::now();
        assert_eq!(playback.write(&[0.1; 9_600]), 9_600);
        assert!(!playback.wait_until_below(Duration::from_millis(100), Duration::ZERO));
        assert!(playback.wait_until_below(Duration::from_millis(100), Duration::from_secs(10)));
        assert!(start.elapsed() >= Duration::from_millis(80), "{:?}", start.elapsed());
        assert!(playback.wait_until_below(Duration::ZERO, Duration::from_secs(10)));
        assert_eq!(playback.buffered(), Duration::ZERO);
    }

    #[test]
    fn a_silent_speaker_takes_its_time() {
        let (state, news) = told();
        let (_speaker, mut playback) = Speaker::start(&SpeakerSpec::Silent, state);
        assert_eq!(news.recv_timeout(Duration::from_secs(10)).unwrap(), Ok(()));
        plays_at_the_pace_of_the_clock(&mut playback);
    }

    #[test]
    fn a_call_goes_on_without_a_speaker() {
        let (state, news) = told();
        let (_speaker, mut playback) = Speaker::start(&SpeakerSpec::Device(Some("no such speaker".into())), state);
        assert_eq!(news.recv_timeout(Duration::from_secs(20)).unwrap(), Err(Trouble::Missing(Part::Speaker)));
        plays_at_the_pace_of_the_clock(&mut playback);
    }

    #[test]
    fn a_device_of_another_rate_gets_its_own_sound() {
        let (source, mut drain) = ring(44_100);
        let exchange = Exchange::default();
        let (old, _gone) = ring(opus::SAMPLE_RATE);
        let mut playback = Playback::new(exchange.clone(), Wake::default(), Line::new(old, opus::SAMPLE_RATE));
        exchange.offer(Line::new(source, 44_100));
        for _ in 0..10 {
            assert_eq!(playback.write(&[0.25; 960]), 960);
        }
        assert!(playback.buffered().abs_diff(Duration::from_millis(200)) < Duration::from_millis(25), "{playback:?}");
        let mut out = [0.0; 10_000];
        let count = ringbuf::traits::Consumer::pop_slice(&mut drain.samples, &mut out);
        assert!(count.abs_diff(8_820) < 1_000, "{count}");
        assert!(out[100..count - 500].iter().all(|sample| (sample - 0.25).abs() < 0.01));
    }

    #[test]
    fn no_more_is_taken_than_there_is_room_for() {
        let (source, _drain) = ring(opus::SAMPLE_RATE);
        let mut playback = Playback::new(Exchange::default(), Wake::default(), Line::new(source, opus::SAMPLE_RATE));
        assert_eq!(playback.write(&[0.1; 60_000]), 48_000);
        assert_eq!(playback.write(&[0.1; 960]), 0);
        assert_eq!(playback.buffered(), Duration::from_secs(1));
    }

    /// A speaker whose device is opened by `open`.
    fn with_device(
        state: State,
        open: impl Fn(Duration) -> Result<(Running, Line), Trouble> + Send + Sync + 'static,
    ) -> (Speaker, Playback, thread::JoinHandle<()>) {
        let (exchange, wake) = (Exchange::default(), Wake::default());
        let (source, drain) = ring(opus::SAMPLE_RATE);
        let idle = Idle::new(drain, wake.clone(), Instant::now());
        let playback = Playback::new(exchange.clone(), wake.clone(), Line::new(source, opus::SAMPLE_RATE));
        let speaker = Speaker { stop: Stop::default() };
        let stop = speaker.stop.clone();
        let follow = Follow { choice: Choice::default(), look: Box::new(|| None) };
        let work = move || device(open, &follow, Inlet { exchange, wake, idle }, &stop, Watch::new(Part::Speaker, state));
        (speaker, playback, thread::spawn(work))
    }

    #[test]
    fn a_call_goes_on_while_a_speaker_fails_to_open_again_and_again() {
        let (state, news) = told();
        let (to_test, attempts) = mpsc::channel();
        let (speaker, mut playback, thread) = with_device(state, move |_| {
            // As a driver does that takes the stream and then won't start it: the ring dies with the stream.
            let (_source, _drain) = ring(44_100);
            let _ = to_test.send(());
            Err(Trouble::Missing(Part::Speaker))
        });
        assert_eq!(news.recv_timeout(Duration::from_secs(20)).unwrap(), Err(Trouble::Missing(Part::Speaker)));
        for _ in 0..2 {
            attempts.recv_timeout(Duration::from_secs(20)).unwrap();
            plays_at_the_pace_of_the_clock(&mut playback);
        }
        drop(speaker);
        thread.join().unwrap();
    }

    #[test]
    fn sound_goes_to_a_device_while_it_runs_and_is_used_up_when_it_has_gone() {
        let (state, _news) = told();
        let (to_test, opened) = mpsc::channel::<(Drain, mpsc::SyncSender<cpal::Error>)>();
        let (speaker, mut playback, thread) = with_device(state, move |_| {
            let (source, drain) = ring(48_000);
            let (running, errors) = Running::fake_with_errors(Pulse::default(), ());
            to_test.send((drain, errors)).map_err(|_| Trouble::Missing(Part::Speaker))?;
            Ok((running, Line::new(source, 48_000)))
        });
        let (mut drain, errors) = opened.recv_timeout(Duration::from_secs(20)).unwrap();
        drop(opened);
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut heard = [0.0; 960];
        while ringbuf::traits::Consumer::pop_slice(&mut drain.samples, &mut heard) == 0 {
            playback.write(&[0.25; 960]);
            assert!(Instant::now() < deadline, "nothing gets to the device");
            assert!(!speaker.stop.wait(Duration::from_millis(1)));
        }
        assert_eq!(heard[0], 0.25);
        let before = playback.missed();
        drain.lose(480);
        assert_eq!(playback.missed() - before, Duration::from_millis(10));
        errors.send(cpal::ErrorKind::DeviceNotAvailable.into()).unwrap();
        assert!(playback.wait_until_below(Duration::ZERO, Duration::from_secs(20)));
        plays_at_the_pace_of_the_clock(&mut playback);
        drop(speaker);
        thread.join().unwrap();
    }
}
