//! What is shared beside the camera: a monitor, a window or the test picture, on a thread of its own.
//!
//! | system | how |
//! |---|---|
//! | Linux and others with X11 | the server is asked for the picture whenever it says that something has changed |
//! | Wayland, Windows, macOS | not yet: [`ScreenTrouble`] says so |

#[cfg(target_os = "linux")]
mod x11;

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use codecs::{Frame, MediaTime, Size};
use thiserror::Error;

use crate::{
    ScreenSpec, barcode,
    camera::{pattern::Pattern, unix_micros},
    pace::Pace,
    slot::Slot,
    stop::Stop,
};

/// The most pictures a second: a pointer that moves is followed, and text is read no faster.
const FRAMES_PER_SECOND: f64 = 15.0;

/// Something that can be shared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// What goes behind `x11:` in a [`ScreenSpec`].
    pub id: String,
    /// What people know it by: the title of a window, the name of a monitor.
    pub name: String,
    /// Whether it's a monitor with all that is to be seen there.
    pub monitor: bool,
    /// Columns and rows.
    pub size: (u32, u32),
}

/// Why nothing is shared (any more).
///
/// `Display` is one sentence or two for a person: what is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ScreenTrouble {
    /// The desktop doesn't let programs see each other's windows without a way of asking that this version hasn't.
    #[error(
        "Sharing from a Wayland desktop isn't there yet. Sign in to the desktop with an X11 session (the sign-in screen calls it \"Xorg\" or \"X11\") to share."
    )]
    Wayland,
    /// Nothing can be shared from this system yet.
    #[error("Sharing a screen isn't there yet on this system.")]
    NotHere,
    /// There is no X11 server to ask.
    #[error("There's no screen to share: the X11 display can't be reached ({0}).")]
    NoDisplay(String),
    /// There is no such window or monitor.
    #[error("What was to be shared isn't there any more. Choose something else.")]
    Missing,
    /// It was there and has gone.
    #[error("The window that was shared was closed.")]
    Closed,
    /// The server's pictures are of a kind that isn't known here.
    #[error("This display's colours can't be read ({0}). Set it to 24 bits a pixel.")]
    Form(String),
    /// The server has gone or refuses what it gave before.
    #[error("The display stopped giving pictures ({0}). Share again.")]
    Failed(String),
}

/// All that can be shared: monitors first, then windows, the one on top first. It takes a moment, so not on a thread that draws.
///
/// # Errors
/// When nothing can be shared at all.
pub fn sources() -> Result<Vec<Source>, ScreenTrouble> {
    #[cfg(target_os = "linux")]
    return x11::sources();
    #[cfg(not(target_os = "linux"))]
    Err(ScreenTrouble::NotHere)
}

/// A running source of a shared screen. Dropping it ends it: nothing is put into the slot after that.
#[derive(Debug)]
pub struct Screen {
    stop: Stop,
}

impl Screen {
    /// Starts the source that `spec` names. What changes goes into `slot`; times count from `started`. `told` hears, on the source's
    /// thread, when the first picture is there, and once what ends them, after which the slot is empty.
    pub fn start(
        started: Instant,
        spec: &ScreenSpec,
        slot: Slot,
        told: impl Fn(Result<(), ScreenTrouble>) + Send + Sync + 'static,
    ) -> Self {
        let stop = Stop::default();
        let told: Arc<dyn Fn(Result<(), ScreenTrouble>) + Send + Sync> = Arc::new(told);
        let mut outlet = Outlet { slot, stop: stop.clone(), started, told: Arc::clone(&told), seen: false };
        let spec = spec.clone();
        let work = move || {
            if let Err(trouble) = run(&spec, &mut outlet) {
                outlet.end(trouble);
            }
        };
        if let Err(error) = thread::Builder::new().name("screen".into()).spawn(work) {
            told(Err(ScreenTrouble::Failed(error.to_string())));
        }
        Self { stop }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.stop.set();
    }
}

/// Where the pictures and the news go.
struct Outlet {
    slot: Slot,
    stop: Stop,
    started: Instant,
    told: Arc<dyn Fn(Result<(), ScreenTrouble>) + Send + Sync>,
    seen: bool,
}

impl Outlet {
    /// The time of a picture taken now.
    fn now(&self) -> MediaTime {
        MediaTime::from(self.started.elapsed())
    }

    /// Hands a picture over, unless the screen was dropped.
    fn put(&mut self, frame: Frame) {
        let put = self.stop.unless_set(|| self.slot.put(frame));
        if put && !std::mem::replace(&mut self.seen, true) {
            (self.told)(Ok(()));
        }
    }

    /// Nothing more comes, unless the screen was dropped, of which nobody is told.
    fn end(&self, trouble: ScreenTrouble) {
        if self.stop.unless_set(|| self.slot.clear()) {
            tracing::info!(%trouble, "what is shared has ended");
            (self.told)(Err(trouble));
        }
    }
}

/// Gives pictures until it's stopped.
fn run(spec: &ScreenSpec, outlet: &mut Outlet) -> Result<(), ScreenTrouble> {
    match spec {
        ScreenSpec::None => Ok(()),
        ScreenSpec::Pattern { size, frames_per_second } => {
            run_pattern(*size, *frames_per_second, outlet);
            Ok(())
        }
        #[cfg(target_os = "linux")]
        ScreenSpec::X11(id) => run_x11(id.as_deref(), outlet),
        #[cfg(not(target_os = "linux"))]
        ScreenSpec::X11(_) => Err(ScreenTrouble::NotHere),
    }
}

#[cfg(target_os = "linux")]
fn run_x11(id: Option<&str>, outlet: &mut Outlet) -> Result<(), ScreenTrouble> {
    let mut grabber = x11::Grabber::open(id)?;
    let every = Duration::from_secs_f64(FRAMES_PER_SECOND.recip());
    loop {
        let due = Instant::now() + every;
        if let Some(frame) = grabber.look(outlet.now())? {
            outlet.put(frame);
        }
        if outlet.stop.wait_until(due) {
            return Ok(());
        }
    }
}

fn run_pattern(size: Size, frames_per_second: f32, outlet: &mut Outlet) {
    let pattern = Pattern::new(size);
    let mut pace = Pace::new(Instant::now(), f64::from(frames_per_second));
    while !outlet.stop.wait_until(pace.due()) {
        let mut frame = pattern.draw(pace.offset(), outlet.now());
        barcode::draw(&mut frame, unix_micros());
        outlet.put(frame);
        pace.advance(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn the_test_picture_comes_and_ends_with_the_source() {
        let (slot, (told, news)) = (Slot::new(), mpsc::channel());
        let spec = "pattern:320x240@30".parse().unwrap();
        let screen = Screen::start(Instant::now(), &spec, slot.clone(), move |state| drop(told.send(state)));
        let frame = slot.wait(0, PATIENCE).unwrap().frame.unwrap();
        assert!(barcode::read(&frame).unwrap() <= unix_micros());
        assert_eq!(news.recv_timeout(PATIENCE).unwrap(), Ok(()));
        drop(screen);
        let end = slot.generation();
        assert!(slot.wait(end, Duration::from_millis(100)).is_none());
    }

    #[test]
    fn a_window_that_is_not_there_is_told_of_once() {
        let (slot, (told, news)) = (Slot::new(), mpsc::channel());
        // Be there a display or not, no window has this number.
        let spec = ScreenSpec::X11(Some("0x1".into()));
        let _screen = Screen::start(Instant::now(), &spec, slot.clone(), move |state| drop(told.send(state)));
        assert!(news.recv_timeout(PATIENCE).unwrap().is_err());
        assert!(slot.latest().is_none());
        assert!(news.recv_timeout(PATIENCE).is_err(), "the source is gone");
    }
}
