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
    BufferSize, Device, Error, FromSample, Sample, SampleFormat, SizedSample, StreamConfig,
    traits::{DeviceTrait, StreamTrait},
};
use ringbuf::traits::{Consumer, Producer};

use super::{
    device,
    ring::{Drain, Source, Wake},
};
use crate::{Part, Trouble};

/// How long a sound system may take to open a device. Not all backends keep to it; see [`super::watch`].
const OPEN: Duration = Duration::from_secs(3);
/// Samples converted at once, on the stack.
const BLOCK: usize = 256;
/// No capture time yet.
pub(crate) const UNSET: u64 = u64::MAX;

/// A stream that runs until it's dropped.
pub(crate) struct Running {
    _stream: cpal::Stream,
    /// Callbacks so far: a device that's alive makes this grow.
    pub(crate) beats: Arc<AtomicU64>,
    /// What the system reports.
    pub(crate) errors: Receiver<Error>,
    /// For a message to people who look for a fault.
    pub(crate) name: String,
}

/// Opens a microphone. Its sound, mixed into one channel, goes into a ring made by `connect` for its rate (Hz) and for the
/// cell that says when the first sample was captured: microseconds after `started`, [`UNSET`] until it's known.
pub(crate) fn open_microphone(
    id: Option<&str>,
    started: Instant,
    wake: &Wake,
    connect: impl Fn(u32, Arc<AtomicU64>) -> Source,
) -> Result<Running, Trouble> {
    let device = device::find(Part::Microphone, id)?;
    let (config, format) = device::choose(Part::Microphone, &device)?;
    let beats = Arc::new(AtomicU64::new(0));
    let (sender, errors) = sync_channel(8);
    let stream = with_fallback(config, |config| {
        let first = Arc::new(AtomicU64::new(UNSET));
        let capture = Capture {
            source: connect(config.sample_rate, first.clone()),
            wake: wake.clone(),
            beats: beats.clone(),
            channels: usize::from(config.channels.max(1)),
            rate: config.sample_rate,
            started,
            first,
        };
        let sender = sender.clone();
        match format {
            SampleFormat::F32 => input::<f32>(&device, config, capture, sender),
            SampleFormat::F64 => input::<f64>(&device, config, capture, sender),
            SampleFormat::I8 => input::<i8>(&device, config, capture, sender),
            SampleFormat::I16 => input::<i16>(&device, config, capture, sender),
            SampleFormat::I24 => input::<cpal::I24>(&device, config, capture, sender),
            SampleFormat::I32 => input::<i32>(&device, config, capture, sender),
            SampleFormat::U8 => input::<u8>(&device, config, capture, sender),
            SampleFormat::U16 => input::<u16>(&device, config, capture, sender),
            SampleFormat::U32 => input::<u32>(&device, config, capture, sender),
            _ => Err(cpal::ErrorKind::UnsupportedConfig.into()),
        }
    });
    run(Part::Microphone, &device, format, stream, beats, errors)
}

/// Opens a speaker, which plays what the ring holds that `connect` makes for its rate (Hz), on its first two channels.
pub(crate) fn open_speaker(id: Option<&str>, wake: &Wake, connect: impl Fn(u32) -> Drain) -> Result<Running, Trouble> {
    let device = device::find(Part::Speaker, id)?;
    let (config, format) = device::choose(Part::Speaker, &device)?;
    let beats = Arc::new(AtomicU64::new(0));
    let (sender, errors) = sync_channel(8);
    let stream = with_fallback(config, |config| {
        let play = Play {
            drain: connect(config.sample_rate),
            wake: wake.clone(),
            beats: beats.clone(),
            channels: usize::from(config.channels.max(1)),
        };
        let sender = sender.clone();
        match format {
            SampleFormat::F32 => output::<f32>(&device, config, play, sender),
            SampleFormat::F64 => output::<f64>(&device, config, play, sender),
            SampleFormat::I8 => output::<i8>(&device, config, play, sender),
            SampleFormat::I16 => output::<i16>(&device, config, play, sender),
            SampleFormat::I24 => output::<cpal::I24>(&device, config, play, sender),
            SampleFormat::I32 => output::<i32>(&device, config, play, sender),
            SampleFormat::U8 => output::<u8>(&device, config, play, sender),
            SampleFormat::U16 => output::<u16>(&device, config, play, sender),
            SampleFormat::U32 => output::<u32>(&device, config, play, sender),
            _ => Err(cpal::ErrorKind::UnsupportedConfig.into()),
        }
    });
    run(Part::Speaker, &device, format, stream, beats, errors)
}

fn run(
    part: Part,
    device: &Device,
    format: SampleFormat,
    stream: Result<(cpal::Stream, StreamConfig), Error>,
    beats: Arc<AtomicU64>,
    errors: Receiver<Error>,
) -> Result<Running, Trouble> {
    let (stream, config) = stream.map_err(|error| device::trouble(part, &error))?;
    stream.play().map_err(|error| device::trouble(part, &error))?;
    let name = device::name(device).unwrap_or_else(|| "unnamed".into());
    tracing::info!(
        device = %part, name, rate_hz = config.sample_rate, channels = config.channels, %format, buffer = ?config.buffer_size,
        "sound device opened"
    );
    Ok(Running { _stream: stream, beats, errors, name })
}

/// Some devices refuse the period they're asked for.
fn with_fallback(
    config: StreamConfig,
    build: impl Fn(StreamConfig) -> Result<cpal::Stream, Error>,
) -> Result<(cpal::Stream, StreamConfig), Error> {
    let own = StreamConfig { buffer_size: BufferSize::Default, ..config };
    build(config).map(|stream| (stream, config)).or_else(|error| match error.kind() {
        cpal::ErrorKind::DeviceBusy | cpal::ErrorKind::DeviceNotAvailable | cpal::ErrorKind::PermissionDenied => Err(error),
        _ => build(own).map(|stream| (stream, own)),
    })
}

/// What a microphone's callback works on.
struct Capture {
    source: Source,
    wake: Wake,
    beats: Arc<AtomicU64>,
    channels: usize,
    rate: u32,
    started: Instant,
    first: Arc<AtomicU64>,
}

impl Capture {
    fn take<T: Sample>(&mut self, data: &[T], delay: Duration)
    where
        f32: FromSample<T>,
    {
        if self.first.load(Ordering::Relaxed) == UNSET {
            let length = super::ring::duration(data.len() / self.channels, self.rate);
            let captured = self.started.elapsed().saturating_sub(delay.max(length));
            self.first.store(captured.as_micros() as u64, Ordering::Relaxed);
        }
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
        self.beats.fetch_add(1, Ordering::Relaxed);
        self.wake.wake();
    }
}

/// What a speaker's callback works on.
struct Play {
    drain: Drain,
    wake: Wake,
    beats: Arc<AtomicU64>,
    channels: usize,
}

impl Play {
    /// Fills what it has sound for. The rest is silence already.
    fn fill<T: Sample + FromSample<f32>>(&mut self, data: &mut [T]) {
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
        self.beats.fetch_add(1, Ordering::Relaxed);
        self.wake.wake();
    }
}

fn input<T>(device: &Device, config: StreamConfig, mut capture: Capture, errors: SyncSender<Error>) -> Result<cpal::Stream, Error>
where
    T: SizedSample + Send + 'static,
    f32: FromSample<T>,
{
    device.build_input_stream(
        config,
        move |data: &[T], info| {
            let times = info.timestamp();
            capture.take(data, times.callback.duration_since(times.capture));
        },
        // The channel is full only if nobody looks; then one error more tells nothing new.
        move |error| drop(errors.try_send(error)),
        Some(OPEN),
    )
}

fn output<T>(device: &Device, config: StreamConfig, mut play: Play, errors: SyncSender<Error>) -> Result<cpal::Stream, Error>
where
    T: SizedSample + FromSample<f32> + Send + 'static,
{
    device.build_output_stream(
        config,
        move |data: &mut [T], _| play.fill(data),
        move |error| drop(errors.try_send(error)),
        Some(OPEN),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sound::ring::ring;

    #[test]
    fn a_stereo_microphone_is_mixed() {
        let (source, mut drain) = ring(48_000);
        let first = Arc::new(AtomicU64::new(UNSET));
        let mut capture = Capture {
            source,
            wake: Wake::default(),
            beats: Arc::default(),
            channels: 2,
            rate: 48_000,
            started: Instant::now(),
            first: first.clone(),
        };
        let data: Vec<i16> = (0..1_000).flat_map(|index| [index * 16, index * 16]).chain([i16::MAX, i16::MIN]).collect();
        capture.take(&data, Duration::ZERO);
        let mut out = [0.0; 1_100];
        assert_eq!(drain.samples.pop_slice(&mut out), 1_001);
        assert!((out[999] - 999.0 * 16.0 / 32_768.0).abs() < 1e-4);
        assert!(out[1_000].abs() < 1e-4);
        assert!(first.load(Ordering::Relaxed) < 10_000_000);
        assert_eq!(capture.beats.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn samples_without_room_are_counted() {
        let (source, drain) = ring(100);
        let mut capture = Capture {
            source,
            wake: Wake::default(),
            beats: Arc::default(),
            channels: 1,
            rate: 100,
            started: Instant::now(),
            first: Arc::default(),
        };
        capture.take(&[0.5f32; 130], Duration::ZERO);
        assert_eq!(drain.lost.load(Ordering::Relaxed), 30);
    }

    #[test]
    fn sound_goes_to_the_front_speakers_and_silence_follows_it() {
        let (mut source, drain) = ring(48_000);
        source.samples.push_slice(&[0.5; 300]);
        let mut play = Play { drain, wake: Wake::default(), beats: Arc::default(), channels: 4 };
        let mut data = [0i16; 4 * 400];
        play.fill(&mut data);
        assert_eq!(data[299 * 4..301 * 4], [16_384, 16_384, 0, 0, 0, 0, 0, 0]);
        assert_eq!(play.drain.lost.load(Ordering::Relaxed), 100);
    }
}
