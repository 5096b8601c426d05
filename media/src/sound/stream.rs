//! A running stream on a microphone or a speaker.
//!
//! The callbacks here run on the system's sound thread: they convert samples and move them through a ring, and neither
//! allocate, free, lock, log nor wait.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};

use cpal::{
    BufferSize, Device, Error, ErrorKind, FromSample, Sample, SampleFormat, SizedSample, StreamConfig,
    traits::{DeviceTrait, StreamTrait},
};
use ringbuf::traits::{Consumer, Producer};

use super::{
    device::{self, Way},
    ring::{Drain, Source, Wake},
};
use crate::{Part, Trouble, held::Held};

/// How long a sound system may take to open a device. Not all backends keep to it; see [`super::watch`].
const OPEN: Duration = Duration::from_secs(3);
/// Samples converted at once, on the stack.
const BLOCK: usize = 256;
/// No capture time yet.
pub(crate) const UNSET: u64 = u64::MAX;
/// Over how many seconds samples are counted to tell how long a break was. A card's quartz is off by 1 ms or two in that time, which is
/// nothing beside a break; over an hour it would be more than most breaks are.
const COUNTED_SECONDS: u64 = 10;

/// A stream that runs until it's dropped.
pub(crate) struct Running {
    /// The system's stream, which is dropped first.
    _stream: Box<dyn Send>,
    pub(crate) pulse: Pulse,
    /// What the system reports.
    pub(crate) errors: Receiver<Error>,
    /// For a message to people who look for a fault.
    pub(crate) name: String,
    /// Says that this program holds the device.
    _held: Option<Held>,
}

impl Running {
    /// With what says that this program holds the device, until that's given back.
    pub(crate) fn holding(mut self, held: Held) -> Self {
        self._held = Some(held);
        self
    }
}

/// What a stream's callbacks count.
#[derive(Clone, Default)]
pub(crate) struct Pulse {
    /// Callbacks so far: a device that's alive makes this grow.
    pub(crate) beats: Arc<AtomicU64>,
    /// Times the system reported that sound was lost, since the callback came too late.
    pub(crate) xruns: Arc<AtomicU64>,
}

impl Pulse {
    /// Takes note of what the system reports. What isn't only counted goes into a channel that's full only if nobody looks; then one
    /// error more tells nothing new.
    fn error(&self, error: Error, errors: &SyncSender<Error>) {
        if error.kind() == ErrorKind::Xrun {
            self.xruns.fetch_add(1, Ordering::Relaxed);
        } else {
            let _ = errors.try_send(error);
        }
    }
}

/// Opens a microphone. Its sound, mixed into one channel, goes into a ring made by `connect` for its rate (Hz) and for the
/// cell that says when the first sample was captured: microseconds after `started`, [`UNSET`] until it's known. What else `connect`
/// gives, the other end of that ring, comes back once the microphone runs.
pub(crate) fn open_microphone<T>(
    id: Option<&str>,
    period: Duration,
    started: Instant,
    wake: &Wake,
    connect: impl Fn(u32, Arc<AtomicU64>) -> (Source, T),
) -> Result<(Running, T), Trouble> {
    let device = device::find(Part::Microphone, id)?;
    let ways = device::choose(Part::Microphone, &device, period)?;
    let pulse = Pulse::default();
    let (sender, errors) = sync_channel(8);
    let opened = first_that_works(&ways, |config, format| {
        let first = Arc::new(AtomicU64::new(UNSET));
        let (source, end) = connect(config.sample_rate, first.clone());
        let capture = Capture {
            source,
            wake: wake.clone(),
            pulse: pulse.clone(),
            channels: usize::from(config.channels.max(1)),
            rate: config.sample_rate,
            started,
            first,
            mended: 0,
            anchor: 0,
            taken: 0,
        };
        let sender = sender.clone();
        let stream = match format {
            SampleFormat::F32 => input::<f32>(&device, config, capture, sender),
            SampleFormat::F64 => input::<f64>(&device, config, capture, sender),
            SampleFormat::I8 => input::<i8>(&device, config, capture, sender),
            SampleFormat::I16 => input::<i16>(&device, config, capture, sender),
            SampleFormat::I24 => input::<cpal::I24>(&device, config, capture, sender),
            SampleFormat::I32 => input::<i32>(&device, config, capture, sender),
            SampleFormat::U8 => input::<u8>(&device, config, capture, sender),
            SampleFormat::U16 => input::<u16>(&device, config, capture, sender),
            SampleFormat::U32 => input::<u32>(&device, config, capture, sender),
            _ => Err(ErrorKind::UnsupportedConfig.into()),
        };
        stream.map(|stream| (stream, end))
    });
    run(Part::Microphone, &device, opened, pulse, errors)
}

/// Opens a speaker, which plays what the ring holds that `connect` makes for its rate (Hz), on its first two channels. What else
/// `connect` gives, the other end of that ring, comes back once the speaker runs. Underruns are counted in `xruns`.
pub(crate) fn open_speaker<T>(
    id: Option<&str>,
    period: Duration,
    wake: &Wake,
    xruns: &Arc<AtomicU64>,
    connect: impl Fn(u32) -> (Drain, T),
) -> Result<(Running, T), Trouble> {
    let device = device::find(Part::Speaker, id)?;
    let ways = device::choose(Part::Speaker, &device, period)?;
    let pulse = Pulse { beats: Arc::default(), xruns: Arc::clone(xruns) };
    let (sender, errors) = sync_channel(8);
    let opened = first_that_works(&ways, |config, format| {
        let (drain, end) = connect(config.sample_rate);
        let play = Play { drain, wake: wake.clone(), pulse: pulse.clone(), channels: usize::from(config.channels.max(1)) };
        let sender = sender.clone();
        let stream = match format {
            SampleFormat::F32 => output::<f32>(&device, config, play, sender),
            SampleFormat::F64 => output::<f64>(&device, config, play, sender),
            SampleFormat::I8 => output::<i8>(&device, config, play, sender),
            SampleFormat::I16 => output::<i16>(&device, config, play, sender),
            SampleFormat::I24 => output::<cpal::I24>(&device, config, play, sender),
            SampleFormat::I32 => output::<i32>(&device, config, play, sender),
            SampleFormat::U8 => output::<u8>(&device, config, play, sender),
            SampleFormat::U16 => output::<u16>(&device, config, play, sender),
            SampleFormat::U32 => output::<u32>(&device, config, play, sender),
            _ => Err(ErrorKind::UnsupportedConfig.into()),
        };
        stream.map(|stream| (stream, end))
    });
    run(Part::Speaker, &device, opened, pulse, errors)
}

fn run<T>(
    part: Part,
    device: &Device,
    opened: Result<((cpal::Stream, T), Way), Error>,
    pulse: Pulse,
    errors: Receiver<Error>,
) -> Result<(Running, T), Trouble> {
    let ((stream, end), (config, format)) = opened.map_err(|error| device::trouble(part, &error))?;
    stream.play().map_err(|error| device::trouble(part, &error))?;
    let name = device::name(device).unwrap_or_else(|| "unnamed".into());
    tracing::info!(
        device = %part, name, rate_hz = config.sample_rate, channels = config.channels, %format, buffer = ?config.buffer_size,
        "sound device opened"
    );
    Ok((Running { _stream: Box::new(stream), pulse, errors, name, _held: None }, end))
}

/// Some devices refuse what they list, others the period they're asked for. What belongs to an attempt that failed is gone with it. If
/// none of the ways works, the error is the first one's.
fn first_that_works<S>(ways: &[Way], build: impl Fn(StreamConfig, SampleFormat) -> Result<S, Error>) -> Result<(S, Way), Error> {
    let own = |config: StreamConfig| StreamConfig { buffer_size: BufferSize::Default, ..config };
    let mut first = None;
    for (config, format) in ways.iter().flat_map(|&(config, format)| [(config, format), (own(config), format)]) {
        match build(config, format) {
            Ok(stream) => return Ok((stream, (config, format))),
            Err(error) => {
                let kind = error.kind();
                first.get_or_insert(error);
                // Asking in another way won't change that.
                if matches!(kind, ErrorKind::DeviceBusy | ErrorKind::DeviceNotAvailable | ErrorKind::PermissionDenied) {
                    break;
                }
            }
        }
    }
    Err(first.unwrap_or_else(|| ErrorKind::UnsupportedConfig.into()))
}

/// What a microphone's callback works on.
struct Capture {
    source: Source,
    wake: Wake,
    pulse: Pulse,
    channels: usize,
    rate: u32,
    started: Instant,
    first: Arc<AtomicU64>,
    /// Breaks in the sound that are accounted for.
    mended: u64,
    /// When samples were last counted from 0, in microseconds after `started`.
    anchor: u64,
    /// Samples since then, those lost included.
    taken: u64,
}

impl Capture {
    fn take<T: Sample>(&mut self, data: &[T], delay: Duration)
    where
        f32: FromSample<T>,
    {
        let frames = data.len() / self.channels;
        let length = super::ring::duration(frames, self.rate);
        self.place(self.started.elapsed().saturating_sub(delay.max(length)), frames);
        let mut block = [0.0; BLOCK];
        let scale = (self.channels as f32).recip();
        for chunk in data.chunks(BLOCK * self.channels) {
            let frames = chunk.chunks_exact(self.channels);
            let count = frames.len();
            for (mono, frame) in block.iter_mut().zip(frames) {
                *mono = frame.iter().map(|&sample| f32::from_sample(sample)).sum::<f32>() * scale;
            }
            let pushed = self.source.samples.push_slice(&block[..count]);
            self.source.lose(count - pushed);
        }
        self.pulse.beats.fetch_add(1, Ordering::Relaxed);
        self.wake.wake();
    }

    /// The next `frames` samples were captured so long after the start. What's missing before them after a break is noted as lost:
    /// the reader tells the time by counting samples, and would fall behind a little more with each break.
    fn place(&mut self, captured: Duration, frames: usize) {
        let captured = captured.as_micros() as u64;
        if self.first.load(Ordering::Relaxed) == UNSET {
            self.first.store(captured, Ordering::Relaxed);
            (self.anchor, self.taken) = (captured, 0);
        }
        let rate = u64::from(self.rate.max(1));
        let xruns = self.pulse.xruns.load(Ordering::Relaxed);
        if xruns != self.mended {
            self.mended = xruns;
            let due = self.anchor.saturating_add(self.taken * 1_000_000 / rate);
            let missing = captured.saturating_sub(due).saturating_mul(rate) / 1_000_000;
            self.source.lose(missing as usize);
            self.taken = self.taken.saturating_add(missing);
        }
        if self.taken >= COUNTED_SECONDS * rate {
            (self.anchor, self.taken) = (captured, 0);
        }
        self.taken += frames as u64;
    }
}

/// What a speaker's callback works on.
struct Play {
    drain: Drain,
    wake: Wake,
    pulse: Pulse,
    channels: usize,
}

impl Play {
    /// Fills what it has sound for, to be heard after `latency`. The rest is silence already.
    fn fill<T: Sample + FromSample<f32>>(&mut self, data: &mut [T], latency: Duration) {
        self.drain.heard_after(latency, data.len() / self.channels);
        let mut block = [0.0; BLOCK];
        for chunk in data.chunks_mut(BLOCK * self.channels) {
            let wanted = chunk.len() / self.channels;
            let count = self.drain.samples.pop_slice(&mut block[..wanted]);
            for (frame, &mono) in chunk.chunks_exact_mut(self.channels).zip(&block[..count]) {
                // Left and right; a surround system's other speakers stay out of a conversation.
                frame.iter_mut().take(2).for_each(|sample| *sample = T::from_sample(mono));
            }
            self.drain.lose(wanted - count);
        }
        self.pulse.beats.fetch_add(1, Ordering::Relaxed);
        self.wake.wake();
    }
}

fn input<T>(device: &Device, config: StreamConfig, mut capture: Capture, errors: SyncSender<Error>) -> Result<cpal::Stream, Error>
where
    T: SizedSample + Send + 'static,
    f32: FromSample<T>,
{
    let pulse = capture.pulse.clone();
    device.build_input_stream(
        config,
        move |data: &[T], info| {
            let times = info.timestamp();
            capture.take(data, times.callback.duration_since(times.capture));
        },
        move |error| pulse.error(error, &errors),
        Some(OPEN),
    )
}

fn output<T>(device: &Device, config: StreamConfig, mut play: Play, errors: SyncSender<Error>) -> Result<cpal::Stream, Error>
where
    T: SizedSample + FromSample<f32> + Send + 'static,
{
    let pulse = play.pulse.clone();
    device.build_output_stream(
        config,
        move |data: &mut [T], info| {
            let times = info.timestamp();
            play.fill(data, times.playback.duration_since(times.callback));
        },
        move |error| pulse.error(error, &errors),
        Some(OPEN),
    )
}

#[cfg(test)]
impl Running {
    /// A device that only seems to be one; `stream` is dropped with it.
    pub(crate) fn fake(pulse: Pulse, stream: impl Send + 'static) -> Self {
        Self::fake_with_errors(pulse, stream).0
    }

    /// The same, and the way for the system to report what's wrong with it.
    pub(crate) fn fake_with_errors(pulse: Pulse, stream: impl Send + 'static) -> (Self, SyncSender<Error>) {
        let (sender, errors) = sync_channel(1);
        (Self { _stream: Box::new(stream), pulse, errors, name: "fake".into(), _held: None }, sender)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sound::ring::ring;

    fn capture(rate: u32, channels: usize) -> (Capture, Drain) {
        let (source, drain) = ring(rate);
        let capture = Capture {
            source,
            wake: Wake::default(),
            pulse: Pulse::default(),
            channels,
            rate,
            started: Instant::now(),
            first: Arc::new(AtomicU64::new(UNSET)),
            mended: 0,
            anchor: 0,
            taken: 0,
        };
        (capture, drain)
    }

    #[test]
    fn what_a_break_swallowed_is_lost_and_nothing_else() {
        let (mut capture, drain) = capture(48_000, 1);
        let lost = || drain.lost.load(Ordering::Relaxed);
        let place = |capture: &mut Capture, millis: f64| capture.place(Duration::from_micros((millis * 1e3) as u64), 960);
        let errors = sync_channel(1).0;
        place(&mut capture, 500.0);
        assert_eq!(capture.first.load(Ordering::Relaxed), 500_000);
        // Late callbacks are no break.
        place(&mut capture, 527.0);
        place(&mut capture, 540.0);
        assert_eq!(lost(), 0);
        capture.pulse.error(ErrorKind::Xrun.into(), &errors);
        place(&mut capture, 660.0);
        assert_eq!(lost(), 4_800);
        place(&mut capture, 681.0);
        // A break in which nothing was lost after all.
        capture.pulse.error(ErrorKind::Xrun.into(), &errors);
        place(&mut capture, 699.0);
        assert_eq!(lost(), 4_800);
        // Two in a row are made up for together.
        capture.pulse.error(ErrorKind::Xrun.into(), &errors);
        capture.pulse.error(ErrorKind::Xrun.into(), &errors);
        place(&mut capture, 1_720.0);
        assert_eq!(lost(), 4_800 + 48_000);
    }

    #[test]
    fn a_quartz_that_is_off_is_no_break() {
        let (mut capture, drain) = capture(48_000, 1);
        // An hour of a card that's 300 millionths slow: 1.08 s in all.
        for index in 0..180_000u64 {
            if index == 179_990 {
                capture.pulse.error(ErrorKind::Xrun.into(), &sync_channel(1).0);
            }
            capture.place(Duration::from_nanos(index * 20_006_000), 960);
        }
        let lost = drain.lost.load(Ordering::Relaxed);
        assert!(lost <= 48 * 4, "{lost}");
    }

    #[test]
    fn what_belongs_to_a_failed_attempt_is_gone_with_it() {
        let config = StreamConfig { channels: 1, sample_rate: 48_000, buffer_size: BufferSize::Fixed(480) };
        let ways = [(config, SampleFormat::F32), (config, SampleFormat::I16)];
        let opened = first_that_works(&ways, |_, format| {
            let (source, drain) = ring(48_000);
            // A stream that can't be built takes its end of the ring along.
            if format == SampleFormat::I16 { Ok((drain, source)) } else { Err(ErrorKind::BackendError.into()) }
        });
        let ((mut drain, mut source), way) = opened.unwrap();
        assert_eq!(way, ways[1]);
        source.samples.push_slice(&[0.5; 10]);
        assert_eq!(drain.samples.pop_slice(&mut [0.0; 20]), 10, "the ends belong together");
        let busy = first_that_works(&ways, |_, _| Err::<(), _>(ErrorKind::DeviceBusy.into()));
        assert_eq!(busy.unwrap_err().kind(), ErrorKind::DeviceBusy);
    }

    #[test]
    fn a_device_that_goes_away_is_heard_of_however_many_hiccups_there_were() {
        let (pulse, (sender, errors)) = (Pulse::default(), sync_channel(1));
        for _ in 0..100 {
            pulse.error(ErrorKind::Xrun.into(), &sender);
        }
        pulse.error(ErrorKind::DeviceNotAvailable.into(), &sender);
        assert_eq!(errors.try_recv().unwrap().kind(), ErrorKind::DeviceNotAvailable);
        assert_eq!(pulse.xruns.load(Ordering::Relaxed), 100);
    }

    #[test]
    fn a_stereo_microphone_is_mixed() {
        let (mut capture, mut drain) = capture(48_000, 2);
        let data: Vec<i16> = (0..1_000).flat_map(|index| [index * 16, index * 16]).chain([i16::MAX, i16::MIN]).collect();
        capture.take(&data, Duration::ZERO);
        let mut out = [0.0; 1_100];
        assert_eq!(drain.samples.pop_slice(&mut out), 1_001);
        assert!((out[999] - 999.0 * 16.0 / 32_768.0).abs() < 1e-4);
        assert!(out[1_000].abs() < 1e-4);
        assert!(capture.first.load(Ordering::Relaxed) < 10_000_000);
        assert_eq!(capture.pulse.beats.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn samples_without_room_are_counted() {
        let (mut capture, drain) = capture(100, 1);
        capture.take(&[0.5f32; 130], Duration::ZERO);
        assert_eq!(drain.lost.load(Ordering::Relaxed), 30);
    }

    #[test]
    fn sound_goes_to_the_front_speakers_and_silence_follows_it() {
        let (mut source, drain) = ring(48_000);
        source.samples.push_slice(&[0.5; 300]);
        let mut play = Play { drain, wake: Wake::default(), pulse: Pulse::default(), channels: 4 };
        let mut data = [0i16; 4 * 400];
        play.fill(&mut data, Duration::ZERO);
        assert_eq!(data[299 * 4..301 * 4], [16_384, 16_384, 0, 0, 0, 0, 0, 0]);
        assert_eq!(play.drain.lost.load(Ordering::Relaxed), 100);
    }
}
