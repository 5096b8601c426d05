//! The system's microphones and speakers, and which of their formats serves a call.

use std::thread;

use cpal::{
    BufferSize, Device, Error, ErrorKind, SampleFormat, StreamConfig, SupportedBufferSize, SupportedStreamConfigRange,
    traits::{DeviceTrait, HostTrait},
};

use crate::{Part, Trouble, resample::RATES};

/// The rate a call runs at, in Hz, so that a device that offers it needs no conversion.
pub(crate) const RATE: u32 = codecs::opus::SAMPLE_RATE;
/// Samples from callback to callback that are asked for: 10 ms, half an Opus frame. Less costs wake-ups, more costs delay.
const PERIOD: u32 = 480;
/// Most channels a callback sorts out. Mixing desks have 32 or 64.
const MOST_CHANNELS: u16 = 64;

/// Keeps ALSA from writing to the terminal for the rest of this thread, which should be a short one: the messages are gathered in
/// memory. They say in many lines what our own errors say in one, again at each attempt.
pub(crate) fn quiet() {
    #[cfg(target_os = "linux")]
    if let Err(error) = alsa::Output::local_error_handler() {
        tracing::debug!(%error, "ALSA can't be kept quiet");
    }
}

/// The device with this id or name, or the system's default one.
pub(crate) fn find(part: Part, id: Option<&str>) -> Result<Device, Trouble> {
    let host = cpal::default_host();
    let found = match id {
        None if part == Part::Microphone => host.default_input_device(),
        None => host.default_output_device(),
        Some(id) => by_id(id).or_else(|| all(part, &host).into_iter().find(|device| name(device).as_deref() == Some(id))),
    };
    found.ok_or(Trouble::Missing(part))
}

/// An id says which of the system's sound servers it's for.
fn by_id(id: &str) -> Option<Device> {
    let id: cpal::DeviceId = id.parse().ok()?;
    cpal::host_from_id(id.host()).ok()?.device_by_id(&id)
}

/// Id and name of all the devices.
pub(crate) fn list(part: Part) -> Vec<(String, String)> {
    let work = move || {
        quiet();
        let host = cpal::default_host();
        let named = |device: &Device| {
            let id = device.id().ok()?.to_string();
            let name = name(device).unwrap_or_else(|| id.clone());
            Some((id, name))
        };
        let all = all(part, &host);
        all.iter().filter_map(named).filter(|(id, _)| id != NOTHING).collect()
    };
    thread::Builder::new().name("sound devices".into()).spawn(work).ok().and_then(|work| work.join().ok()).unwrap_or_default()
}

/// ALSA lists a device that plays to nobody and hears nothing.
const NOTHING: &str = "alsa:null";

fn all(part: Part, host: &cpal::Host) -> Vec<Device> {
    let devices = if part == Part::Microphone { host.input_devices() } else { host.output_devices() };
    devices.map(Iterator::collect).unwrap_or_default()
}

/// What people call the device.
pub(crate) fn name(device: &Device) -> Option<String> {
    Some(device.description().ok()?.name().to_owned())
}

/// How a device is to be opened: with [`StreamConfig::buffer_size`] as wanted, or with the device's own if it refuses that.
pub(crate) fn choose(part: Part, device: &Device) -> Result<(StreamConfig, SampleFormat), Trouble> {
    let ranges: Result<Vec<_>, _> = if part == Part::Microphone {
        device.supported_input_configs().map(Iterator::collect)
    } else {
        device.supported_output_configs().map(Iterator::collect)
    };
    let best = (ranges.as_ref().ok()).and_then(|ranges| ranges.iter().min_by_key(|range| cost(part, range)));
    if let Some(range) = best.filter(|range| cost(part, range) < UNUSABLE) {
        let rate = RATE.clamp(range.min_sample_rate(), range.max_sample_rate());
        let buffer_size = match *range.buffer_size() {
            SupportedBufferSize::Range { min, max } if min <= max => BufferSize::Fixed(PERIOD.clamp(min, max)),
            _ => BufferSize::Fixed(PERIOD),
        };
        return Ok((StreamConfig { channels: range.channels(), sample_rate: rate, buffer_size }, range.sample_format()));
    }
    // A device that lists nothing may still have a default.
    let default = if part == Part::Microphone { device.default_input_config() } else { device.default_output_config() };
    let config = default.map_err(|error| trouble(part, &ranges.err().unwrap_or(error)))?;
    Ok((config.config(), config.sample_format()))
}

const UNUSABLE: u32 = 1_000_000;

/// Lower is better: our rate before all, floating point before conversion, one microphone channel or two speaker channels.
fn cost(part: Part, range: &SupportedStreamConfigRange) -> u32 {
    let rate = RATE.clamp(range.min_sample_rate(), range.max_sample_rate());
    let format = match range.sample_format() {
        SampleFormat::F32 => 0,
        SampleFormat::I16 => 1,
        SampleFormat::I32 => 2,
        SampleFormat::I8 | SampleFormat::I24 | SampleFormat::U8 | SampleFormat::U16 | SampleFormat::U32 | SampleFormat::F64 => 3,
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
            Trouble::Unsupported { part, detail: error.to_string() }
        }
        _ => Trouble::Failed { part, detail: error.to_string() },
    }
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
        let best = |part| offered.iter().min_by_key(|range| cost(part, range)).unwrap();
        assert_eq!(best(Part::Microphone), &offered[2]);
        assert_eq!(best(Part::Speaker), &offered[3]);
        assert_eq!(cost(Part::Speaker, &offered[4]), UNUSABLE);
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
