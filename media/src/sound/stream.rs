//! A running stream on a microphone or a speaker.

use std::{
    sync::{
        Arc,
        atomic::AtomicU64,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};

use super::{
    callback::{Capture, Play, Pulse, UNSET},
    device::{self, Way},
    ring::{Drain, Source, Wake},
    whereabouts::Whereabouts,
};
use crate::{
    Part, Trouble,
    devices::{
        InUse, Listed,
        choice::{Opened, Wanted},
    },
    held::Held,
};
use cpal::{
    BufferSize, Device, Error, ErrorKind, FromSample, SampleFormat, SizedSample, StreamConfig,
    traits::{DeviceTrait, StreamTrait},
};

/// How long a sound system may take to open a device. Not all backends keep to it; see [`super::watch`].
const OPEN: Duration = Duration::from_secs(3);
/// A stream that runs until it's dropped.
pub(crate) struct Running {
    /// The system's stream, which is dropped first.
    _stream: Box<dyn Send>,
    pub(crate) pulse: Pulse,
    /// What the system reports.
    pub(crate) errors: Receiver<Error>,
    /// Which device it is.
    pub(crate) opened: Opened,
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

/// Opens a microphone. Its sound, mixed into one channel, goes into a ring made by `connect` for its rate (Hz) and for the
/// cell that says when the first sample was captured: microseconds after `started`, [`UNSET`] until it's known. What else `connect`
/// gives, the other end of that ring, comes back once the microphone runs.
pub(crate) fn open_microphone<T>(
    wanted: Wanted,
    period: Duration,
    started: Instant,
    wake: &Wake,
    connect: impl Fn(u32, Arc<AtomicU64>) -> (Source, T),
) -> Result<(Running, T), Trouble> {
    let found = Finding::begin(Part::Microphone, wanted)?;
    let device = &found.device;
    let ways = device::choose(Part::Microphone, device, period)?;
    let pulse = Pulse::default();
    let (sender, errors) = sync_channel(8);
    let opened = first_that_works(&ways, |config, format| {
        let first = Arc::new(AtomicU64::new(UNSET));
        let (source, end) = connect(config.sample_rate, first.clone());
        let (channels, rate) = (usize::from(config.channels.max(1)), config.sample_rate);
        let capture = Capture::new(source, wake.clone(), pulse.clone(), (channels, rate), started, first);
        let sender = sender.clone();
        let stream = match format {
            SampleFormat::F32 => input::<f32>(device, config, capture, sender),
            SampleFormat::F64 => input::<f64>(device, config, capture, sender),
            SampleFormat::I8 => input::<i8>(device, config, capture, sender),
            SampleFormat::I16 => input::<i16>(device, config, capture, sender),
            SampleFormat::I24 => input::<cpal::I24>(device, config, capture, sender),
            SampleFormat::I32 => input::<i32>(device, config, capture, sender),
            SampleFormat::I64 => input::<i64>(device, config, capture, sender),
            SampleFormat::U8 => input::<u8>(device, config, capture, sender),
            SampleFormat::U16 => input::<u16>(device, config, capture, sender),
            SampleFormat::U24 => input::<cpal::U24>(device, config, capture, sender),
            SampleFormat::U32 => input::<u32>(device, config, capture, sender),
            SampleFormat::U64 => input::<u64>(device, config, capture, sender),
            // One bit at a time, at megahertz: no sound card for calls has that alone.
            _ => Err(ErrorKind::UnsupportedConfig.into()),
        };
        stream.map(|stream| (stream, end))
    });
    found.run(opened, pulse, errors)
}

/// Opens a speaker, which plays what the ring holds that `connect` makes for its rate (Hz), on its first two channels. What else
/// `connect` gives, the other end of that ring, comes back once the speaker runs. Underruns are counted in `xruns`.
pub(crate) fn open_speaker<T>(
    wanted: Wanted,
    period: Duration,
    wake: &Wake,
    xruns: &Arc<AtomicU64>,
    connect: impl Fn(u32) -> (Drain, T),
) -> Result<(Running, T), Trouble> {
    let found = Finding::begin(Part::Speaker, wanted)?;
    let device = &found.device;
    let ways = device::choose(Part::Speaker, device, period)?;
    let pulse = Pulse { beats: Arc::default(), xruns: Arc::clone(xruns) };
    let (sender, errors) = sync_channel(8);
    let opened = first_that_works(&ways, |config, format| {
        let (drain, end) = connect(config.sample_rate);
        let play = Play::new(drain, wake.clone(), pulse.clone(), usize::from(config.channels.max(1)));
        let sender = sender.clone();
        let stream = match format {
            SampleFormat::F32 => output::<f32>(device, config, play, sender),
            SampleFormat::F64 => output::<f64>(device, config, play, sender),
            SampleFormat::I8 => output::<i8>(device, config, play, sender),
            SampleFormat::I16 => output::<i16>(device, config, play, sender),
            SampleFormat::I24 => output::<cpal::I24>(device, config, play, sender),
            SampleFormat::I32 => output::<i32>(device, config, play, sender),
            SampleFormat::I64 => output::<i64>(device, config, play, sender),
            SampleFormat::U8 => output::<u8>(device, config, play, sender),
            SampleFormat::U16 => output::<u16>(device, config, play, sender),
            SampleFormat::U24 => output::<cpal::U24>(device, config, play, sender),
            SampleFormat::U32 => output::<u32>(device, config, play, sender),
            SampleFormat::U64 => output::<u64>(device, config, play, sender),
            // One bit at a time, at megahertz: no sound card for calls has that alone.
            _ => Err(ErrorKind::UnsupportedConfig.into()),
        };
        stream.map(|stream| (stream, end))
    });
    found.run(opened, pulse, errors)
}

/// A device that's being opened.
struct Finding {
    device: Device,
    opened: Opened,
}

impl Finding {
    fn begin(part: Part, wanted: Wanted) -> Result<Self, Trouble> {
        let at = Instant::now();
        let device::Found { device, listed: Listed { id, name }, stand_in } = device::find(part, &wanted)?;
        Ok(Self { device, opened: Opened { device: InUse { part, id, name, stand_in }, wanted, at, settled: false } })
    }

    fn run<T>(
        self,
        built: Result<((cpal::Stream, T), Way), Error>,
        pulse: Pulse,
        errors: Receiver<Error>,
    ) -> Result<(Running, T), Trouble> {
        let InUse { part, name, .. } = &self.opened.device;
        let ((stream, end), (config, format)) = built.map_err(|error| device::trouble(*part, &error))?;
        stream.play().map_err(|error| device::trouble(*part, &error))?;
        tracing::info!(
            device = %part, name, rate_hz = config.sample_rate, channels = config.channels, %format, buffer = ?config.buffer_size,
            "sound device opened"
        );
        let settled = Whereabouts::is_on(*part, &self.opened.device.id);
        let opened = Opened { settled, ..self.opened };
        Ok((Running { _stream: Box::new(stream), pulse, errors, opened, _held: None }, end))
    }
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
        let device = InUse { part: Part::Speaker, id: "fake:it".into(), name: "fake".into(), stand_in: false };
        let opened = Opened { device, wanted: Wanted::default(), at: Instant::now(), settled: false };
        (Self { _stream: Box::new(stream), pulse, errors, opened, _held: None }, sender)
    }
}

#[cfg(test)]
mod tests {
    use ringbuf::traits::{Consumer, Producer};

    use super::*;
    use crate::sound::ring::ring;

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
}
