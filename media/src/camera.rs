//! Where pictures come from: a camera, the test picture or a file, each on a thread of its own.

pub mod clip;
mod device;
mod fit;
mod format;
mod mp4;
pub mod pattern;
mod turn;

use std::{
    thread,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use codecs::{Frame, MediaTime, Size};

use crate::{
    CameraSpec, Part, Trouble, VideoConfig, barcode,
    devices::choice::Wish,
    pace::Pace,
    slot::Slot,
    stop::Stop,
    watch::{State, Watch},
};

pub(crate) use clip::reason;
pub use turn::Turn;
pub(crate) use turn::Turned;

/// A running source of pictures. Dropping it ends it at once: nothing is put into the slot or taken out of it after that, even if the
/// device is stuck and its thread takes longer to go.
#[derive(Debug)]
pub struct Camera {
    stop: Stop,
}

impl Camera {
    /// Starts the source that `spec` names; its pictures go into `slot`. Their time counts from this call, and so does a
    /// [microphone's](crate::microphone::Microphone::start): start both together and their times match.
    ///
    /// A device and a file give pictures of the wanted size (cut or with black bars where the shape differs), the test picture
    /// those of its own size and rate. `state` hears, on the source's thread, when pictures begin to come and what keeps them
    /// away; trouble empties the slot and doesn't end the source, which tries again every few seconds.
    #[must_use]
    pub fn start(spec: &CameraSpec, want: VideoConfig, slot: Slot, state: State) -> Self {
        let now = Instant::now();
        let (camera, spawned) = Self::launch((now, now), &Wish::exactly(spec, state.clone()), want, slot);
        if let Err(trouble) = spawned {
            state(Err(trouble));
        }
        camera
    }

    /// The same with a device that may change, and with times that count from `started`, so that those of several sources make one clock.
    /// Nothing is told before this returns: trouble that comes at once comes back.
    pub(crate) fn begin_since(
        started: Instant,
        wish: &Wish<CameraSpec>,
        want: VideoConfig,
        slot: Slot,
    ) -> (Self, Result<(), Trouble>) {
        Self::launch((started, Instant::now()), wish, want, slot)
    }

    /// Times count from `started`; pictures begin at `begun`.
    fn launch(
        (started, begun): (Instant, Instant),
        wish: &Wish<CameraSpec>,
        want: VideoConfig,
        slot: Slot,
    ) -> (Self, Result<(), Trouble>) {
        let stop = Stop::default();
        let watch = Watch::new(Part::Camera, wish.told.clone());
        let turned = wish.choice.turned();
        let outlet = Outlet { slot, stop: stop.clone(), started, begun, watch, turned };
        let choice = wish.choice.clone();
        let work: Box<dyn FnOnce() + Send> = match wish.spec.clone() {
            CameraSpec::None => return (Self { stop }, Ok(())),
            CameraSpec::Pattern { size, frames_per_second } => Box::new(move || run_pattern(size, frames_per_second, outlet)),
            CameraSpec::File(path) => Box::new(move || clip::run(&path, want, outlet)),
            CameraSpec::Device(_) => Box::new(move || device::run(&choice, want, outlet)),
        };
        let spawned = thread::Builder::new().name("camera".into()).spawn(work);
        let failed = |error: std::io::Error| Trouble::Failed { part: Part::Camera, detail: error.to_string() };
        (Self { stop }, spawned.map(drop).map_err(failed))
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.stop.set();
    }
}

/// Where a source's pictures and its news go.
struct Outlet {
    slot: Slot,
    stop: Stop,
    /// What times count from.
    started: Instant,
    /// When the source began, which may be much later.
    begun: Instant,
    watch: Watch,
    /// How pictures that aren't made up are turned.
    turned: Turned,
}

impl Outlet {
    /// Hands a picture over, unless the camera was dropped.
    fn put(&mut self, frame: Frame) {
        if self.stop.unless_set(|| self.slot.put(frame)) {
            self.watch.well();
        }
    }

    /// Tells of trouble, unless the camera was dropped: a slot that's emptied or news that's told then would be the next camera's. The
    /// flag isn't held while it's told, so that whoever hears of it may drop the camera.
    fn trouble(&mut self, trouble: Trouble) {
        let slot = &self.slot;
        // A picture that stands still would look like a live one.
        let clear = || {
            if slot.latest().is_some() {
                slot.clear();
            }
        };
        if self.stop.unless_set(clear) {
            self.watch.trouble(trouble);
        }
    }
}

fn run_pattern(size: Size, frames_per_second: f32, mut outlet: Outlet) {
    let pattern = pattern::Pattern::new(size);
    let mut pace = Pace::new(outlet.begun, f64::from(frames_per_second));
    let begun = outlet.begun.saturating_duration_since(outlet.started);
    loop {
        let offset = pace.offset();
        // Drawn beforehand, so that only the barcode is left to do between the deadline and the handover.
        let mut frame = pattern.draw(offset, MediaTime::from(begun + offset));
        if outlet.stop.wait_until(pace.due()) {
            return;
        }
        barcode::draw(&mut frame, unix_micros());
        outlet.put(frame);
        pace.advance(Instant::now());
    }
}

/// The system's time in microseconds since the UNIX epoch, which barcodes and chirps tell the delay by.
#[must_use]
pub fn unix_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, mpsc},
        time::Duration,
    };

    use super::*;

    fn told() -> (State, mpsc::Receiver<Result<(), Trouble>>) {
        let (told, news) = mpsc::channel();
        // Who has heard enough is gone.
        (Arc::new(move |state| drop(told.send(state))), news)
    }

    #[test]
    fn the_pattern_carries_the_time_of_its_capture() {
        let (slot, (state, news)) = (Slot::new(), told());
        let spec: CameraSpec = "pattern:320x240@50".parse().unwrap();
        let camera = Camera::start(&spec, VideoConfig::default(), slot.clone(), state);
        let (mut generation, mut last) = (0, None);
        for _ in 0..10 {
            let seen = slot.wait(generation, Duration::from_secs(10)).unwrap();
            generation = seen.generation;
            let frame = seen.frame.unwrap();
            assert_eq!(frame.size(), Size::new(320, 240).unwrap());
            let stamp = barcode::read(&frame).unwrap();
            assert!(stamp <= unix_micros() && unix_micros() - stamp < 5_000_000);
            assert_eq!(frame.time().0 % 20_000, 0, "an absolute deadline");
            assert!(last < Some((frame.time(), stamp)), "times grow");
            last = Some((frame.time(), stamp));
        }
        drop(camera);
        let end = slot.generation();
        assert!(slot.wait(end, Duration::from_millis(100)).is_none(), "nothing comes after the end");
        assert_eq!(news.recv().unwrap(), Ok(()));
    }

    #[test]
    fn a_camera_started_late_counts_from_the_given_moment() {
        let started = Instant::now().checked_sub(Duration::from_secs(3)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.y4m");
        let frame = Frame::new(Size::VGA, codecs::Color::default(), MediaTime::ZERO);
        crate::y4m::Writer::create(&path, &frame, 30).unwrap().write(&frame).unwrap();
        for spec in ["pattern:320x240@50".parse().unwrap(), CameraSpec::File(path)] {
            let (slot, (state, _news)) = (Slot::new(), told());
            let before = MediaTime::from(started.elapsed());
            let wish = Wish::exactly(&spec, state);
            let (camera, spawned) = Camera::begin_since(started, &wish, VideoConfig::default(), slot.clone());
            assert_eq!(spawned, Ok(()));
            let time = slot.wait(0, Duration::from_secs(10)).unwrap().frame.unwrap().time();
            assert!((before..MediaTime::from(started.elapsed())).contains(&time), "{spec:?}: {time} is not after {before}");
            drop(camera);
        }
    }

    #[test]
    fn pictures_are_turned_from_the_moment_that_is_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.y4m");
        let mut frame = Frame::new(Size::VGA, codecs::Color::default(), MediaTime::ZERO);
        frame.planes_mut().0[..Size::VGA.width as usize].fill(200);
        let mut file = crate::y4m::Writer::create(&path, &frame, 30).unwrap();
        file.write(&frame).unwrap();
        drop(file);
        let (slot, (state, _news)) = (Slot::new(), told());
        let wish = Wish::exactly(&CameraSpec::File(path), state);
        let (_camera, spawned) = Camera::begin_since(Instant::now(), &wish, VideoConfig::default(), slot.clone());
        assert_eq!(spawned, Ok(()));
        let last = |frame: &Frame| frame.y()[frame.strides().0 * (Size::VGA.height as usize - 1)];
        let seen = slot.wait(0, Duration::from_secs(10)).unwrap();
        let upright = seen.frame.unwrap();
        assert_eq!((upright.y()[0], last(&upright)), (200, 16));
        wish.choice.turned().set(Turn::Over);
        let mut generation = seen.generation;
        // One may have been under way.
        let turned = (0..3).find_map(|_| {
            let seen = slot.wait(generation, Duration::from_secs(10)).unwrap();
            generation = seen.generation;
            seen.frame.filter(|frame| frame.y()[0] == 16)
        });
        assert_eq!(last(&turned.expect("a picture that is turned")), 200);
    }

    #[test]
    fn trouble_empties_the_slot_of_a_camera_that_is_still_wanted_and_of_no_other() {
        let (slot, (state, news)) = (Slot::new(), told());
        let frame = || Frame::new(Size::MIN, codecs::Color::default(), MediaTime::ZERO);
        let outlet = |stop: &Stop| {
            let watch = Watch::new(Part::Camera, state.clone());
            let now = Instant::now();
            Outlet { slot: slot.clone(), stop: stop.clone(), started: now, begun: now, watch, turned: Turned::default() }
        };
        let (old, new) = (Stop::default(), Stop::default());
        let (mut late, mut live) = (outlet(&old), outlet(&new));
        old.set();
        live.put(frame());
        late.trouble(Trouble::Unplugged(Part::Camera));
        late.put(frame());
        assert_eq!((slot.seen().frames, slot.latest().is_some()), (1, true));
        live.trouble(Trouble::Stalled(Part::Camera));
        assert!(slot.latest().is_none());
        assert_eq!(news.try_iter().collect::<Vec<_>>(), [Ok(()), Err(Trouble::Stalled(Part::Camera))]);
    }

    #[test]
    fn who_hears_of_trouble_may_drop_the_camera() {
        let stop = Stop::default();
        let state: State = {
            let stop = stop.clone();
            Arc::new(move |_| stop.set())
        };
        let now = Instant::now();
        let watch = Watch::new(Part::Camera, state);
        let turned = Turned::default();
        let mut outlet = Outlet { slot: Slot::new(), stop: stop.clone(), started: now, begun: now, watch, turned };
        outlet.trouble(Trouble::Missing(Part::Camera));
        assert!(stop.is_set());
    }

    #[test]
    fn a_camera_that_is_not_there_is_missing() {
        let (state, news) = told();
        let spec = CameraSpec::Device(Some("no such camera".into()));
        let camera = Camera::start(&spec, VideoConfig::default(), Slot::new(), state);
        assert_eq!(news.recv_timeout(Duration::from_secs(20)).unwrap(), Err(Trouble::Missing(Part::Camera)));
        drop(camera);
    }
}
