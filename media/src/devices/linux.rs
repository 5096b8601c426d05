//! What nokhwa leaves out on Linux.

use nokhwa::utils::CameraIndex;
use v4l::{
    Device, Format, FourCC, Fraction,
    video::{Capture, capture::Parameters},
};

use crate::VideoConfig;

/// The names V4L2 has for the pixel formats in use here.
const USABLE: [&[u8; 4]; 3] = [b"YUYV", b"NV12", b"MJPG"];

/// Whether the device gives pictures. Webcams come with a second device for their metadata, and there are encoders, outputs and radios too.
/// One that can't be opened is taken for a camera, so that whoever opens it hears why it can't.
pub(super) fn captures(index: &CameraIndex) -> bool {
    let Some(device) = open(index) else { return true };
    device.enum_formats().is_ok_and(|formats| !formats.is_empty())
}

/// nokhwa refuses to open a camera that's set to a pixel format it doesn't know or to a rate that's no whole number (29.97), whatever it's
/// asked for. So it's set to something else beforehand. What fails here fails there too, and is told there.
pub(super) fn prepare(index: &CameraIndex, want: VideoConfig) {
    let Some(device) = open(index) else { return };
    let known = |format: Format| USABLE.contains(&&format.fourcc.repr);
    if !Capture::format(&device).is_ok_and(known) {
        let offered = device.enum_formats().unwrap_or_default();
        if let Some(fourcc) = USABLE.iter().find(|usable| offered.iter().any(|format| format.fourcc.repr == ***usable)) {
            let format = Format::new(want.size.width, want.size.height, FourCC::new(fourcc));
            if let Err(error) = Capture::set_format(&device, &format) {
                tracing::debug!(%error, "camera keeps its pixel format");
            }
        }
    }
    let whole = |interval: Fraction| interval.numerator == 1;
    if !Capture::params(&device).is_ok_and(|params| whole(params.interval)) {
        let rate = Parameters::with_fps(want.frames_per_second.round().clamp(1.0, 60.0) as u32);
        if let Err(error) = Capture::set_params(&device, &rate) {
            tracing::debug!(%error, "camera keeps its frame rate");
        }
    }
}

/// The names of all video devices.
pub(super) fn nodes() -> Vec<String> {
    let entries = std::fs::read_dir("/dev").into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.filter(|name| name.starts_with("video")).collect();
    names.sort();
    names
}

fn open(index: &CameraIndex) -> Option<Device> {
    Device::new(index.as_index().ok()? as usize).ok()
}
