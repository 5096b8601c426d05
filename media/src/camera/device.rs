//! A real camera, through nokhwa.
//!
//! Two threads: one sits in nokhwa, whose `frame()` waits forever when a camera stalls; the other one, which the camera's owner
//! talks to, watches the first. When they part, the first one ends with its next frame, or when the driver lets it go.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    thread,
    time::{Duration, Instant},
};

use codecs::{Color, Frame, MediaTime, Size, convert};
use nokhwa::{
    Camera, NokhwaError,
    utils::{CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType},
};

use super::{Outlet, fit::Fit, format, unix_micros};
use crate::{Part, Trouble, VideoConfig, devices, held::Held};

/// A camera that worked and gives nothing for this long has stalled: no camera takes longer between two frames.
const STALL: Duration = Duration::from_secs(2);
/// The same before the first frame: some cameras need seconds for their exposure.
const FIRST_FRAME: Duration = Duration::from_secs(5);
/// Pause before a camera in trouble is opened again.
const RETRY: Duration = Duration::from_secs(2);
/// How long the watching thread may take to see that the camera was dropped.
const TICK: Duration = Duration::from_millis(100);
/// Damaged frames in a row (half a second of them) that are taken for a bad cable or a camera just starting.
const MOST_BROKEN: u32 = 15;
/// Formats that are tried before the camera counts as unusable. Drivers refuse some of what they list.
const MOST_FORMATS: usize = 6;
/// A capture time further back than this is no capture time: some drivers stamp with another clock.
const OLDEST: Duration = Duration::from_millis(500);

/// From the thread that captures.
enum Event {
    Frame(Frame),
    Ended(Trouble),
}

/// Captures until the camera is dropped.
pub(super) fn run(id: Option<&str>, want: VideoConfig, mut outlet: Outlet) {
    let mut fit = Fit::new(want.size);
    loop {
        // Two: the one that's being scaled and the next. More would only be older.
        let (sender, receiver) = sync_channel(2);
        let (id, started) = (id.map(str::to_owned), outlet.started);
        let capture = move || {
            let trouble = capture(id.as_deref(), want, started, &sender);
            // Nobody listens any more: then nobody needs to know.
            let _ = sender.send(Event::Ended(trouble));
        };
        let trouble = match thread::Builder::new().name("camera capture".into()).spawn(capture) {
            Ok(_) => watch(&receiver, &mut fit, &mut outlet),
            Err(error) => Some(Trouble::Failed { part: Part::Camera, detail: error.to_string() }),
        };
        let Some(trouble) = trouble else { return };
        outlet.trouble(trouble);
        if outlet.stop.wait(RETRY) {
            return;
        }
    }
}

/// Passes frames on until the capture ends (then says why) or the camera is dropped (then `None`).
fn watch(receiver: &Receiver<Event>, fit: &mut Fit, outlet: &mut Outlet) -> Option<Trouble> {
    let (mut patience, mut since) = (FIRST_FRAME, Instant::now());
    loop {
        match receiver.recv_timeout(TICK) {
            _ if outlet.stop.is_set() => return None,
            Ok(Event::Frame(frame)) => {
                (patience, since) = (STALL, Instant::now());
                match fit.apply(frame) {
                    Ok(frame) => outlet.put(frame),
                    Err(error) => return Some(Trouble::Failed { part: Part::Camera, detail: error.to_string() }),
                }
            }
            Ok(Event::Ended(trouble)) => return Some(trouble),
            // The thread waits in the driver, which wakes it if the camera comes back to life or is unplugged. A second
            // stream on the same camera is impossible meanwhile, so there's nothing better to do than to wait with it.
            Err(RecvTimeoutError::Timeout) if since.elapsed() > patience => {
                outlet.trouble(Trouble::Stalled(Part::Camera));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Some(Trouble::Failed { part: Part::Camera, detail: "its driver crashed".into() });
            }
        }
    }
}

/// Opens a camera and sends what it gives, until it fails or nobody listens.
fn capture(id: Option<&str>, want: VideoConfig, started: Instant, sender: &SyncSender<Event>) -> Trouble {
    let mut opened = match open(id, want) {
        Ok(opened) => opened,
        Err(trouble) => return trouble,
    };
    let camera = &mut opened.camera;
    let mut jpeg = match convert::Mjpeg::new() {
        Ok(jpeg) => jpeg,
        Err(error) => return Trouble::Failed { part: Part::Camera, detail: error.to_string() },
    };
    let (mut any, mut broken) = (false, 0);
    loop {
        let buffer = match camera.frame() {
            Ok(buffer) => buffer,
            Err(error) => return if any { lost(camera, &error) } else { trouble(&error) },
        };
        any = true;
        let arrived = Instant::now();
        let age = buffer.capture_timestamp().map_or(Duration::ZERO, |captured| age(captured, unix_micros()));
        let time = MediaTime::from(arrived.saturating_duration_since(started).saturating_sub(age));
        let resolution = buffer.resolution();
        let frame = Size::new(resolution.width(), resolution.height()).and_then(|size| match buffer.source_frame_format() {
            FrameFormat::YUYV => convert::yuyv(buffer.buffer(), size, Color::default(), time),
            FrameFormat::NV12 => convert::nv12(buffer.buffer(), size, Color::default(), time),
            _ => jpeg.decode(buffer.buffer(), time),
        });
        match frame {
            Ok(frame) => {
                broken = 0;
                match sender.try_send(Event::Frame(frame)) {
                    Ok(()) | Err(TrySendError::Full(_)) => {}
                    Err(TrySendError::Disconnected(_)) => return Trouble::Unplugged(Part::Camera),
                }
            }
            Err(error) => {
                broken += 1;
                if broken > MOST_BROKEN {
                    return Trouble::Failed { part: Part::Camera, detail: error.to_string() };
                }
            }
        }
    }
}

/// How long ago a frame was captured, as far as that can be believed.
fn age(captured: Duration, now_micros: u64) -> Duration {
    let age = Duration::from_micros(now_micros).saturating_sub(captured);
    if age <= OLDEST { age } else { Duration::ZERO }
}

/// An open camera. It's dropped before what says that this program holds it.
struct Opened {
    camera: Camera,
    _held: Held,
}

/// Opens the camera with this id, or the first one that works.
fn open(id: Option<&str>, want: VideoConfig) -> Result<Opened, Trouble> {
    let mut first = None;
    for index in devices::find_cameras(id)? {
        let held = Held::new(Part::Camera);
        match held.patiently(|| open_index(index.clone(), want)) {
            Ok(camera) => return Ok(Opened { camera, _held: held }),
            Err(trouble) => first = first.or(Some(trouble)),
        }
    }
    Err(first.unwrap_or(Trouble::Missing(Part::Camera)))
}

fn open_index(index: CameraIndex, want: VideoConfig) -> Result<Camera, Trouble> {
    devices::prepare_camera(&index, want);
    // Any format will do to get at the list. Asking for the wanted one at once fails with cameras that don't have its exact size.
    let any = RequestedFormat::with_formats(RequestedFormatType::None, &format::USABLE);
    let mut camera = Camera::new(index, any).map_err(|error| trouble(&error))?;
    let offered = camera.compatible_camera_formats().unwrap_or_default();
    let ranked = format::rank(&offered, want);
    for &format in ranked.iter().take(MOST_FORMATS) {
        if format == camera.camera_format() {
            break;
        }
        match camera.set_camera_requset(RequestedFormat::with_formats(RequestedFormatType::Exact(format), &format::USABLE)) {
            Ok(_) => break,
            Err(error) => tracing::debug!(%format, %error, "camera refuses a format it lists"),
        }
    }
    // A driver may set something else than it's asked for, and frames are read by what this says.
    let format = camera.refresh_camera_format().unwrap_or_else(|error| {
        tracing::debug!(%error, "camera doesn't tell its format");
        camera.camera_format()
    });
    if !format::USABLE.contains(&format.format()) {
        return Err(Trouble::Unsupported { part: Part::Camera, detail: format!("it delivers {}", format.format()) });
    }
    camera.open_stream().map_err(|error| trouble(&error))?;
    tracing::info!(camera = camera.info().human_name(), %format, "camera opened");
    Ok(camera)
}

/// Why a camera that worked stopped.
fn lost(camera: &Camera, error: &NokhwaError) -> Trouble {
    let there = devices::find_cameras(None).is_ok_and(|all| all.contains(camera.index()));
    if there { trouble(error) } else { Trouble::Unplugged(Part::Camera) }
}

/// nokhwa hands the system's errors on as text.
fn trouble(error: &NokhwaError) -> Trouble {
    let text = error.to_string();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["(os error 16)", "(os error 11)", "busy", "in use"]) {
        Trouble::Busy(Part::Camera)
    } else if has(&["(os error 2)", "(os error 6)"]) {
        Trouble::Missing(Part::Camera)
    } else if has(&["(os error 19)", "(os error 5)"]) {
        Trouble::Unplugged(Part::Camera)
    } else if has(&["(os error 13)", "(os error 1)", "denied", "uthoriz"]) {
        Trouble::Denied(Part::Camera)
    } else if has(&["Fufill", "Frame rate", "FrameFormat", "Framerate"]) {
        Trouble::Unsupported { part: Part::Camera, detail: text }
    } else {
        Trouble::Failed { part: Part::Camera, detail: text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_become_ours() {
        let open = |text: &str| trouble(&NokhwaError::OpenDeviceError("0".into(), text.into()));
        assert_eq!(open("V4L2 Error: Device or resource busy (os error 16)"), Trouble::Busy(Part::Camera));
        assert_eq!(open("V4L2 Error: No such file or directory (os error 2)"), Trouble::Missing(Part::Camera));
        assert_eq!(open("V4L2 Error: Permission denied (os error 13)"), Trouble::Denied(Part::Camera));
        let read = trouble(&NokhwaError::ReadFrameError("No such device (os error 19)".into()));
        assert_eq!(read, Trouble::Unplugged(Part::Camera));
        assert!(matches!(open("something new"), Trouble::Failed { .. }));
    }

    #[test]
    fn a_capture_time_is_believed_within_reason() {
        let now = 1_790_000_000_000_000;
        assert_eq!(age(Duration::from_micros(now - 30_000), now), Duration::from_millis(30));
        assert_eq!(age(Duration::from_micros(now + 30_000), now), Duration::ZERO);
        assert_eq!(age(Duration::from_secs(77), now), Duration::ZERO);
    }
}
