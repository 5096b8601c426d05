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
use crate::{
    Part, Trouble, VideoConfig,
    devices::{
        self, InUse,
        choice::{Choice, Wanted},
    },
    held::Held,
};

/// A camera that worked and gives nothing for this long has stalled: no camera takes longer between two frames.
const STALL: Duration = Duration::from_secs(2);
/// The same before the first frame: some cameras need seconds for their exposure.
const FIRST_FRAME: Duration = Duration::from_secs(5);
/// Pause before a camera in trouble is opened again, if none is plugged in before.
const RETRY: Duration = Duration::from_secs(2);
/// A camera that was just plugged in isn't ours to open until the system has seen to that.
const SETTLE: Duration = Duration::from_millis(300);
/// How long the watching thread may take to see that the camera was dropped.
const TICK: Duration = Duration::from_millis(100);
/// A camera that gave pictures for this long and then fails was plugged in rightly and is gone: another one may take its place at once.
const SHOWN: Duration = Duration::from_secs(1);
/// How often it's looked for a camera that another one stands in for.
const LOOK: Duration = Duration::from_millis(500);
/// Damaged frames in a row (half a second of them) that are taken for a bad cable or a camera just starting.
const MOST_BROKEN: u32 = 15;
/// Formats that are tried before the camera counts as unusable. Drivers refuse some of what they list.
const MOST_FORMATS: usize = 6;
/// A capture time further back than this is no capture time: some drivers stamp with another clock.
const OLDEST: Duration = Duration::from_millis(500);

/// From the thread that captures.
enum Event {
    Opened(InUse),
    Frame(Frame),
    Ended(Trouble),
}

/// Why the capture is no longer watched.
enum End {
    Dropped,
    /// Another camera is to be used.
    Outdated,
    Broken(Trouble),
}

/// Captures until the camera is dropped.
pub(super) fn run(choice: &Choice, want: VideoConfig, mut outlet: Outlet) {
    let mut fit = Fit::new(want.size, outlet.turned.clone());
    // Why the last camera failed, while another one is tried before anybody hears of that.
    let mut lost = None;
    loop {
        // Two: the one that's being scaled and the next. More would only be older.
        let (sender, receiver) = sync_channel(2);
        let (wanted, started) = (choice.get(), outlet.started);
        let capture = {
            let wanted = wanted.clone();
            move || {
                let trouble = capture(&wanted, want, started, &sender);
                // Nobody listens any more: then nobody needs to know.
                let _ = sender.send(Event::Ended(trouble));
            }
        };
        let mut watched = Watched { choice, wanted: &wanted, device: None, shown: None };
        let end = match thread::Builder::new().name("camera capture".into()).spawn(capture) {
            Ok(_) => watched.watch(&receiver, &mut fit, &mut outlet),
            Err(error) => End::Broken(Trouble::Failed { part: Part::Camera, detail: error.to_string() }),
        };
        let trouble = match end {
            End::Dropped => return,
            End::Outdated => continue,
            End::Broken(trouble) if wanted.stand_in && watched.shown.is_some_and(|first| first.elapsed() > SHOWN) => {
                lost = Some(trouble);
                continue;
            }
            End::Broken(Trouble::Missing(_)) if let Some(lost) = lost.take() => lost,
            End::Broken(trouble) => trouble,
        };
        outlet.trouble(trouble);
        if !pause(&outlet) {
            return;
        }
    }
}

/// Waits until it's worth trying again; false once the camera was dropped.
fn pause(outlet: &Outlet) -> bool {
    let (before, end) = (devices::cameras_now(), Instant::now() + RETRY);
    while Instant::now() < end {
        if outlet.stop.wait(TICK) {
            return false;
        }
        if cfg!(target_os = "linux") && devices::cameras_now() != before {
            return !outlet.stop.wait(SETTLE);
        }
    }
    true
}

/// What a running capture is held against.
struct Watched<'a> {
    choice: &'a Choice,
    /// What was wanted when it began.
    wanted: &'a Wanted,
    device: Option<InUse>,
    /// When the first frame came.
    shown: Option<Instant>,
}

impl Watched<'_> {
    /// Passes frames on until the capture ends, another one is to begin or the camera is dropped.
    fn watch(&mut self, receiver: &Receiver<Event>, fit: &mut Fit, outlet: &mut Outlet) -> End {
        let (mut patience, mut since) = (FIRST_FRAME, Instant::now());
        let (mut cameras, mut looked) = (devices::cameras_now(), Instant::now());
        loop {
            let event = receiver.recv_timeout(TICK);
            if outlet.stop.is_set() {
                return End::Dropped;
            }
            if self.choice.get().id != self.wanted.id {
                return End::Outdated;
            }
            if self.device.as_ref().is_some_and(|device| device.stand_in) && looked.elapsed() > LOOK {
                looked = Instant::now();
                let now = devices::cameras_now();
                if now != cameras && devices::find_cameras(self.wanted.id.as_deref()).is_ok_and(|found| !found.is_empty()) {
                    return End::Outdated;
                }
                cameras = now;
            }
            match event {
                Ok(Event::Opened(device)) => {
                    outlet.watch.uses(&device);
                    self.device = Some(device);
                }
                Ok(Event::Frame(frame)) => {
                    (patience, since) = (STALL, Instant::now());
                    self.shown.get_or_insert(since);
                    match fit.apply(frame) {
                        Ok(frame) => outlet.put(frame),
                        Err(error) => return End::Broken(Trouble::Failed { part: Part::Camera, detail: error.to_string() }),
                    }
                }
                Ok(Event::Ended(trouble)) => return End::Broken(trouble),
                // The thread waits in the driver, which wakes it if the camera comes back to life or is unplugged. A second
                // stream on the same camera is impossible meanwhile, so there's nothing better to do than to wait with it.
                Err(RecvTimeoutError::Timeout) if since.elapsed() > patience => {
                    outlet.trouble(Trouble::Stalled(Part::Camera));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return End::Broken(Trouble::Failed { part: Part::Camera, detail: "its driver crashed".into() });
                }
            }
        }
    }
}

/// Opens a camera and sends what it gives, until it fails or nobody listens.
fn capture(wanted: &Wanted, want: VideoConfig, started: Instant, sender: &SyncSender<Event>) -> Trouble {
    let mut opened = match open(wanted, want) {
        Ok(opened) => opened,
        Err(trouble) => return trouble,
    };
    // Nobody listens any more: the first frame finds that out.
    let _ = sender.send(Event::Opened(opened.device.clone()));
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
    device: InUse,
    _held: Held,
}

/// Opens the wanted camera, or the first one that works.
fn open(wanted: &Wanted, want: VideoConfig) -> Result<Opened, Trouble> {
    let chosen = devices::find_cameras(wanted.id.as_deref())?;
    let stand_in = chosen.is_empty() && wanted.stand_in && wanted.id.is_some();
    let found = if stand_in { devices::find_cameras(None)? } else { chosen };
    let mut first = None;
    for devices::Found { index, listed } in found {
        let held = Held::new(Part::Camera);
        match held.patiently(|| open_index(index.clone(), want)) {
            Ok(camera) => {
                let device = InUse { part: Part::Camera, id: listed.id, name: listed.name, stand_in };
                return Ok(Opened { camera, device, _held: held });
            }
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
    let there = devices::find_cameras(None).is_ok_and(|all| all.iter().any(|found| found.index == *camera.index()));
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
