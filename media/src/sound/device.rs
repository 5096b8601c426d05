//! The system's microphones and speakers, and which of their formats serves a call.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use cpal::{
    BufferSize, Device, Error, ErrorKind, Host, SampleFormat, StreamConfig, SupportedBufferSize, SupportedStreamConfigRange,
    traits::{DeviceTrait, HostTrait},
};

use super::whereabouts::Whereabouts;
use crate::{
    Part, Trouble,
    devices::{
        Listed,
        choice::{Seen, Wanted},
    },
    resample::RATES,
};

/// The rate a call runs at, in Hz, so that a device that offers it needs no conversion.
pub(crate) const RATE: u32 = codecs::opus::SAMPLE_RATE;
/// Time from callback to callback that a speaker is asked for: half an Opus frame. Less costs wake-ups, more costs delay.
const SPEAKER_PERIOD: Duration = Duration::from_millis(10);
/// The same for a microphone. ALSA holds two periods, so the second one is all that our thread may be late by before sound is lost: of
/// 10 ms, a microphone shared by `dsnoop` gave 60 % of its sound on a busy machine.
const MICROPHONE_PERIOD: Duration = Duration::from_millis(20);
/// The longest periods a machine that's too busy for those is given. Playing learns to keep up to 40 ms of sound ready, so a speaker may
/// take as much at once; a microphone's period only adds delay, and 80 ms of it are more than enough.
const LONGEST_SPEAKER_PERIOD: Duration = Duration::from_millis(40);
const LONGEST_MICROPHONE_PERIOD: Duration = Duration::from_millis(80);
/// Most channels a callback sorts out. Mixing desks have 32 or 64.
const MOST_CHANNELS: u16 = 64;

/// The period to begin with.
pub(crate) fn period(part: Part) -> Duration {
    if part == Part::Microphone { MICROPHONE_PERIOD } else { SPEAKER_PERIOD }
}

/// The longest period that makes sense.
pub(crate) fn longest_period(part: Part) -> Duration {
    if part == Part::Microphone { LONGEST_MICROPHONE_PERIOD } else { LONGEST_SPEAKER_PERIOD }
}

/// Keeps ALSA from writing to the terminal for the rest of this thread, which should be a short one: the messages are gathered in
/// memory. They say in many lines what our own errors say in one, again at each attempt.
pub(crate) fn quiet() {
    #[cfg(target_os = "linux")]
    if let Err(error) = alsa::Output::local_error_handler() {
        tracing::debug!(%error, "ALSA can't be kept quiet");
    }
}

/// A device that was found.
pub(crate) struct Found {
    pub(crate) device: Device,
    pub(crate) listed: Listed,
    /// It stands in for the one that's wanted.
    pub(crate) stand_in: bool,
}

/// The device that's wanted, or the system's default one.
pub(crate) fn find(part: Part, wanted: &Wanted) -> Result<Found, Trouble> {
    let host = host();
    let named = |id: &str| all(part, &host).into_iter().find(|device| name(device).as_deref() == Some(id));
    let chosen = wanted.id.as_deref().and_then(|id| by_id(&host, id).or_else(|| named(id)));
    let stand_in = wanted.id.is_some() && chosen.is_none();
    let device = match chosen {
        None if stand_in && !wanted.stand_in => None,
        None => default(part, &host),
        chosen => chosen,
    };
    let device = device.ok_or(Trouble::Missing(part))?;
    let listed = listed(&device).unwrap_or_else(|| Listed { id: String::new(), name: "unnamed".to_owned() });
    Ok(Found { device, listed, stand_in })
}

fn default(part: Part, host: &Host) -> Option<Device> {
    if part == Part::Microphone { host.default_input_device() } else { host.default_output_device() }
}

/// The connection to a sound server. cpal's never ends once it's made, so there's one for all, for as long as the server answers.
static SERVER: Mutex<Option<Arc<Host>>> = Mutex::new(None);

fn host() -> Arc<Host> {
    let server = || SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = server().clone();
    if let Some(kept) = kept {
        if kept.devices().is_ok() {
            return kept;
        }
        server().take_if(|server| Arc::ptr_eq(server, &kept));
    }
    let host = Arc::new(cpal::default_host());
    if is_server(&host) {
        *server() = Some(Arc::clone(&host));
    }
    host
}

/// Whether a sound server has it.
fn is_served(device: &Device) -> bool {
    cfg!(target_os = "linux") && device.id().is_ok_and(|id| id.host().to_string() != "alsa")
}

/// Whether asking it goes through a connection. ALSA must be asked anew instead: it reads its list of cards as it's begun.
fn is_server(host: &Host) -> bool {
    cfg!(target_os = "linux") && host.id().to_string() != "alsa"
}

/// An id says which of the system's sound servers it's for.
fn by_id(host: &Host, id: &str) -> Option<Device> {
    let id: cpal::DeviceId = id.parse().ok()?;
    if id.host() == host.id() { host.device_by_id(&id) } else { cpal::host_from_id(id.host()).ok()?.device_by_id(&id) }
}

/// All the devices of one kind.
pub(crate) fn list(part: Part) -> Vec<Listed> {
    let work = move || {
        quiet();
        all(part, &host()).iter().filter_map(listed).filter(|device| device.id != NOTHING).collect()
    };
    thread::Builder::new().name("sound devices".into()).spawn(work).ok().and_then(|work| work.join().ok()).unwrap_or_default()
}

/// What there is at a moment.
pub(crate) struct Look {
    microphones: Seen,
    speakers: Seen,
}

impl Look {
    /// Asks the sound system, which may keep the thread for as long as it likes.
    pub(crate) fn now(whereabouts: &mut Whereabouts) -> Self {
        let (at, host) = (Instant::now(), host());
        let all: Vec<_> = host.devices().into_iter().flatten().collect();
        let those = |does: fn(&Device) -> bool| all.iter().filter(|device| does(device)).filter_map(listed).collect();
        let default = |part| Some(listed(&default(part, &host)?)?.id);
        let system = host.id().to_string();
        let streams = whereabouts.ask(&system);
        let seen = |part, all| Seen { at, system: system.clone(), all, default: default(part), ours: streams.of(part) };
        Self {
            microphones: seen(Part::Microphone, those(Device::supports_input)),
            speakers: seen(Part::Speaker, those(Device::supports_output)),
        }
    }

    pub(crate) fn seen(&self, part: Part) -> Seen {
        if part == Part::Microphone { self.microphones.clone() } else { self.speakers.clone() }
    }
}

fn listed(device: &Device) -> Option<Listed> {
    let id = device.id().ok()?.to_string();
    let name = name(device).unwrap_or_else(|| id.clone());
    Some(Listed { id, name })
}

/// ALSA lists a device that plays to nobody and hears nothing.
const NOTHING: &str = "alsa:null";

fn all(part: Part, host: &Host) -> Vec<Device> {
    let devices = if part == Part::Microphone { host.input_devices() } else { host.output_devices() };
    devices.map(Iterator::collect).unwrap_or_default()
}

/// What people call the device.
pub(crate) fn name(device: &Device) -> Option<String> {
    Some(device.description().ok()?.name().to_owned())
}

/// A way to open a device.
pub(crate) type Way = (StreamConfig, SampleFormat);

/// Most ways that are tried.
const MOST_WAYS: usize = 8;

/// Ways to open a device, best first, each with the period that's wanted. A device may refuse what it lists: the other
/// half of a loop, for instance, must be opened as the first one was.
pub(crate) fn choose(part: Part, device: &Device, period: Duration) -> Result<Vec<Way>, Trouble> {
    let ranges: Result<Vec<_>, _> = if part == Part::Microphone {
        device.supported_input_configs().map(Iterator::collect)
    } else {
        device.supported_output_configs().map(Iterator::collect)
    };
    // A server keeps what isn't taken at once, so it's asked twice as often; where that is too much for the machine, a longer period is wanted.
    let period = if period == self::period(part) && is_served(device) { period / 2 } else { period };
    let mut ways = rank(part, ranges.as_deref().unwrap_or_default(), period);
    if ways.is_empty() {
        // A device that lists nothing may still have a default.
        let default = if part == Part::Microphone { device.default_input_config() } else { device.default_output_config() };
        let config = default.map_err(|error| trouble(part, &ranges.err().unwrap_or(error)))?;
        ways.push((config.config(), config.sample_format()));
    }
    Ok(ways)
}

fn rank(part: Part, ranges: &[SupportedStreamConfigRange], period: Duration) -> Vec<Way> {
    let mut usable: Vec<_> = ranges.iter().filter(|range| cost(part, range) < UNUSABLE).collect();
    usable.sort_by_key(|range| cost(part, range));
    let way = |range: &SupportedStreamConfigRange| {
        let sample_rate = RATE.clamp(range.min_sample_rate(), range.max_sample_rate());
        let period = samples(period, sample_rate);
        let period = match *range.buffer_size() {
            SupportedBufferSize::Range { min, max } if min <= max => period.clamp(min, max),
            _ => period,
        };
        let buffer_size = BufferSize::Fixed(period);
        (StreamConfig { channels: range.channels(), sample_rate, buffer_size }, range.sample_format())
    };
    let mut ways: Vec<_> = usable.into_iter().map(way).collect();
    ways.dedup();
    ways.truncate(MOST_WAYS);
    ways
}

/// How many samples a device of `rate` Hz gives in a time as short as a period.
fn samples(time: Duration, rate: u32) -> u32 {
    u32::try_from(u128::from(rate) * time.as_micros() / 1_000_000).unwrap_or(u32::MAX)
}

const UNUSABLE: u32 = 1_000_000;

/// Lower is better: our rate before all, floating point before conversion, one microphone channel or two speaker channels.
fn cost(part: Part, range: &SupportedStreamConfigRange) -> u32 {
    let rate = RATE.clamp(range.min_sample_rate(), range.max_sample_rate());
    let format = match range.sample_format() {
        SampleFormat::F32 => 0,
        SampleFormat::I16 => 1,
        SampleFormat::I32 => 2,
        SampleFormat::I24 | SampleFormat::U16 | SampleFormat::U24 | SampleFormat::U32 | SampleFormat::F64 => 3,
        SampleFormat::I64 | SampleFormat::U64 => 4,
        SampleFormat::I8 | SampleFormat::U8 => 6,
        _ => return UNUSABLE,
    };
    if !RATES.contains(&rate) || range.channels() == 0 || range.channels() > MOST_CHANNELS {
        return UNUSABLE;
    }
    let wanted = if part == Part::Microphone { 1 } else { 2 };
    rate.abs_diff(RATE) + 100 * u32::from(range.channels().abs_diff(wanted)) + 10 * format
}

/// The same in words for a person.
pub(crate) fn trouble(part: Part, error: &Error) -> Trouble {
    match error.kind() {
        ErrorKind::DeviceBusy => Trouble::Busy(part),
        ErrorKind::DeviceNotAvailable | ErrorKind::HostUnavailable => Trouble::Missing(part),
        ErrorKind::PermissionDenied => Trouble::Denied(part),
        ErrorKind::UnsupportedConfig | ErrorKind::UnsupportedOperation | ErrorKind::InvalidInput => {
            Trouble::Unsupported { part, detail: words(error) }
        }
        _ => Trouble::Failed { part, detail: words(error) },
    }
}

/// The error without its full stop, to stand in a sentence.
fn words(error: &Error) -> String {
    error.to_string().trim_end_matches('.').to_owned()
}

/// Whether a running stream goes on after this.
pub(crate) fn harmless(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Xrun | ErrorKind::RealtimeDenied | ErrorKind::DeviceChanged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(channels: u16, rates: (u32, u32), format: SampleFormat) -> SupportedStreamConfigRange {
        SupportedStreamConfigRange::new(channels, rates.0, rates.1, SupportedBufferSize::Unknown, format)
    }

    #[test]
    fn our_own_rate_and_format_first() {
        let offered = [
            range(2, (44_100, 44_100), SampleFormat::F32),
            range(2, (8_000, 48_000), SampleFormat::I16),
            range(1, (8_000, 192_000), SampleFormat::F32),
            range(2, (8_000, 192_000), SampleFormat::F32),
            range(2, (2_822_400, 2_822_400), SampleFormat::DsdU8),
        ];
        let ways = |part| -> Vec<_> {
            let short = |(config, format): Way| (config.channels, config.sample_rate, format);
            rank(part, &offered, period(part)).into_iter().map(short).collect()
        };
        let (one, two) = ((1, 48_000, SampleFormat::F32), (2, 48_000, SampleFormat::F32));
        let (integer, slow) = ((2, 48_000, SampleFormat::I16), (2, 44_100, SampleFormat::F32));
        assert_eq!(ways(Part::Microphone), [one, two, integer, slow]);
        assert_eq!(ways(Part::Speaker), [two, integer, one, slow]);
    }

    #[test]
    fn a_period_is_a_time_whatever_the_rate() {
        let offered = [range(1, (16_000, 16_000), SampleFormat::I16), range(1, (48_000, 48_000), SampleFormat::I16)];
        let periods = |part, period| -> Vec<_> {
            rank(part, &offered, period).into_iter().map(|(config, _)| (config.sample_rate, config.buffer_size)).collect()
        };
        let fixed = |rate, samples| (rate, BufferSize::Fixed(samples));
        assert_eq!(periods(Part::Speaker, period(Part::Speaker)), [fixed(48_000, 480), fixed(16_000, 160)]);
        assert_eq!(periods(Part::Microphone, period(Part::Microphone)), [fixed(48_000, 960), fixed(16_000, 320)]);
        assert_eq!(periods(Part::Microphone, longest_period(Part::Microphone)), [fixed(48_000, 3_840), fixed(16_000, 1_280)]);
    }

    #[test]
    fn errors_become_trouble() {
        let trouble = |kind: ErrorKind| trouble(Part::Speaker, &Error::from(kind));
        assert_eq!(trouble(ErrorKind::DeviceBusy), Trouble::Busy(Part::Speaker));
        assert_eq!(trouble(ErrorKind::DeviceNotAvailable), Trouble::Missing(Part::Speaker));
        assert_eq!(trouble(ErrorKind::PermissionDenied), Trouble::Denied(Part::Speaker));
        assert!(matches!(trouble(ErrorKind::BackendError), Trouble::Failed { .. }));
        assert!(harmless(&Error::from(ErrorKind::Xrun)) && !harmless(&Error::from(ErrorKind::StreamInvalidated)));
    }
}
