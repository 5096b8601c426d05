//! A file that stands in for a camera: played over and over, at its own pace.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use codecs::{Frame, MediaTime};

use super::{Outlet, fit::Fit, mp4};
use crate::{Error, Part, Trouble, VideoConfig, pace::LEAD_IN, y4m};

/// Pause before a file that can't be played is tried again: someone may put it right.
const RETRY: Duration = Duration::from_secs(3);
/// A picture later than this isn't shown, so that sound and picture of one clip keep together.
const LATE: Duration = Duration::from_millis(100);
/// Late pictures in a row before one is shown all the same: on a machine that's too slow for the clip it must not stand still.
const MOST_SKIPPED: u32 = 4;

/// Plays the file until the camera is dropped.
pub(super) fn run(path: &Path, want: VideoConfig, mut outlet: Outlet) {
    loop {
        if let Err(error) = play(path, want, &mut outlet) {
            let trouble = Trouble::File { part: Part::Camera, path: path.to_owned(), reason: reason(&error) };
            outlet.trouble(trouble);
        }
        if outlet.stop.wait(RETRY) {
            return;
        }
    }
}

/// An error's words without the path, which stands beside them already.
pub(crate) fn reason(error: &Error) -> String {
    match error {
        Error::Io { source, .. } => source.to_string(),
        Error::Format { reason, .. } => reason.clone(),
        other => other.to_string(),
    }
}

/// Ends with an error, or when the camera is dropped.
fn play(path: &Path, want: VideoConfig, outlet: &mut Outlet) -> Result<(), Error> {
    let mut clip = Clip::open(path)?;
    let mut fit = Fit::new(want.size, outlet.turned.clone());
    let mut clock = Clock::new(clip.period());
    let mut skipped = 0;
    // A retry begins where the clock stands, so that times go on.
    let begun = if outlet.watch.in_trouble() { Instant::now() } else { outlet.begun };
    let start = begun.saturating_duration_since(outlet.started) + LEAD_IN;
    loop {
        let Some(frame) = clip.next_frame()? else {
            if !clock.wrap() {
                return Err(Error::Format { path: path.to_owned(), reason: "it has no picture".into() });
            }
            clip.rewind()?;
            continue;
        };
        let time = start + clock.shown(frame.time());
        let due = outlet.started + time;
        if outlet.stop.wait_until(due) {
            return Ok(());
        }
        if due.elapsed() > LATE && skipped < MOST_SKIPPED {
            skipped += 1;
            continue;
        }
        skipped = 0;
        let mut frame = fit.apply(frame)?;
        frame.set_time(MediaTime::from(time));
        outlet.put(frame);
    }
}

/// Turns the times in a file that's played over and over into one that goes on.
struct Clock {
    period: Duration,
    /// Time at which the current round began.
    round: Duration,
    /// Time of the file's first picture, which isn't always 0.
    first: Option<MediaTime>,
    latest: Duration,
}

impl Clock {
    fn new(period: Duration) -> Self {
        Self { period, round: Duration::ZERO, first: None, latest: Duration::ZERO }
    }

    /// When a picture is shown, from the beginning of the first round.
    fn shown(&mut self, time: MediaTime) -> Duration {
        let first = *self.first.get_or_insert(time);
        self.latest = self.latest.max(self.round + (time - first));
        self.latest
    }

    /// Begins the next round, a picture's time after the last one. False if there was no picture in this one.
    fn wrap(&mut self) -> bool {
        let any = self.first.take().is_some();
        self.round = self.latest + self.period;
        any
    }
}

/// A file of pictures, Y4M or MP4 with H.264, read frame by frame at its own size.
pub struct Clip(Kind);

enum Kind {
    Y4m(Box<y4m::Reader>),
    Mp4(Box<mp4::Reader>),
}

impl Clip {
    /// Opens a file of either format; its first bytes tell which.
    ///
    /// # Errors
    /// [`Error::Io`] when it can't be read, [`Error::Format`] when it is of neither format.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let io = |source| Error::Io { path: PathBuf::from(path), source };
        let mut head = [0; 12];
        let mut file = File::open(path).map_err(io)?;
        let read = file.read(&mut head).map_err(io)?;
        match &head[..read] {
            [b'Y', b'U', b'V', b'4', ..] => Ok(Self(Kind::Y4m(Box::new(y4m::Reader::open(path)?)))),
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => Ok(Self(Kind::Mp4(Box::new(mp4::Reader::open(path)?)))),
            [] => Err(Error::Format { path: path.to_owned(), reason: "it is empty".into() }),
            _ => Err(Error::Format { path: path.to_owned(), reason: "it is neither Y4M nor MP4".into() }),
        }
    }

    /// The next frame; `None` at the end.
    ///
    /// # Errors
    /// When the file is damaged or ends within a frame.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, Error> {
        match &mut self.0 {
            Kind::Y4m(reader) => reader.next_frame(),
            Kind::Mp4(reader) => reader.next_frame(),
        }
    }

    fn rewind(&mut self) -> Result<(), Error> {
        match &mut self.0 {
            Kind::Y4m(reader) => reader.rewind(),
            Kind::Mp4(reader) => reader.rewind(),
        }
    }

    fn period(&self) -> Duration {
        match &self.0 {
            Kind::Y4m(reader) => Duration::from_secs_f64(reader.frames_per_second().recip()),
            Kind::Mp4(reader) => reader.period(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use codecs::{Color, Size};

    use super::*;
    use crate::{CameraSpec, camera::Camera, slot::Slot};

    #[test]
    fn rounds_follow_each_other() {
        let mut clock = Clock::new(Duration::from_millis(40));
        let mut times = Vec::new();
        for _ in 0..2 {
            times.extend([10_000, 50_000, 45_000, 90_000].map(|time| clock.shown(MediaTime(time)).as_millis()));
            assert!(clock.wrap());
        }
        assert_eq!(times, [0, 40, 40, 80, 120, 160, 160, 200]);
        assert!(!clock.wrap(), "a round without a picture");
    }

    #[test]
    fn a_file_plays_at_its_own_pace_and_begins_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.y4m");
        let size = Size::new(32, 16).unwrap();
        let picture = |index: u64| {
            let mut frame = Frame::new(size, Color::default(), MediaTime(5_000_000 + index * 30_000));
            frame.planes_mut().0.fill(20 + index as u8);
            frame
        };
        let mut writer = y4m::Writer::create(&path, &picture(0), 50).unwrap();
        (0..3).for_each(|index| writer.write(&picture(index)).unwrap());
        drop(writer);
        let (slot, (told, news)) = (Slot::new(), mpsc::channel());
        let want = VideoConfig { size, ..VideoConfig::default() };
        let state = Arc::new(move |state| told.send(state).unwrap());
        let camera = Camera::start(&CameraSpec::File(path), want, slot.clone(), state);
        let (mut generation, mut seen) = (0, Vec::new());
        while seen.len() < 5 {
            let next = slot.wait(generation, Duration::from_secs(10)).unwrap();
            generation = next.generation;
            let frame = next.frame.unwrap();
            seen.push((frame.time().0, frame.y()[0]));
        }
        drop(camera);
        // Which pictures a busy machine lets through is open; each has its own time: 0, 30 and 60 ms, and again from 80 ms on.
        for (time, luma) in seen {
            let round = (time - LEAD_IN.as_micros() as u64) % 80_000;
            assert_eq!(round, [0, 30_000, 60_000][usize::from(luma - 20)], "{time}");
        }
        assert_eq!(news.recv().unwrap(), Ok(()));
    }

    #[test]
    fn a_bad_file_is_told_once_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.mp4");
        for (content, reason) in [("", "it is empty"), ("GIF89a, certainly", "it is neither Y4M nor MP4")] {
            std::fs::write(&path, content).unwrap();
            let (told, news) = mpsc::channel();
            let state = Arc::new(move |state| told.send(state).unwrap());
            let camera = Camera::start(&CameraSpec::File(path.clone()), VideoConfig::default(), Slot::new(), state);
            let expected = Trouble::File { part: Part::Camera, path: path.clone(), reason: reason.into() };
            assert_eq!(news.recv_timeout(Duration::from_secs(10)).unwrap(), Err(expected));
            drop(camera);
        }
    }
}
