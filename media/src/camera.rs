//! Where pictures come from: a camera, the test picture or a file, each on a thread of its own.

pub mod clip;
mod device;
mod fit;
mod format;
mod mp4;
pub mod pattern;

use std::{
    thread,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use codecs::{Frame, MediaTime, Size};

use crate::{
    CameraSpec, Part, Trouble, VideoConfig, barcode,
    pace::Pace,
    slot::Slot,
    stop::Stop,
    watch::{State, Watch},
};

pub(crate) use clip::reason;

/// A running source of pictures. Dropping it ends it at once: nothing is put into the slot after that, even if the device is
/// stuck and its thread takes longer to go.
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
    /// away; trouble doesn't end the source, which tries again every few seconds.
    #[must_use]
    pub fn start(spec: &CameraSpec, want: VideoConfig, slot: Slot, state: State) -> Self {
        let stop = Stop::default();
        let watch = Watch::new(Part::Camera, state.clone());
        let outlet = Outlet { slot, stop: stop.clone(), started: Instant::now(), watch };
        let work: Box<dyn FnOnce() + Send> = match spec.clone() {
            CameraSpec::None => return Self { stop },
            CameraSpec::Pattern { size, frames_per_second } => Box::new(move || run_pattern(size, frames_per_second, outlet)),
            CameraSpec::File(path) => Box::new(move || clip::run(&path, want, outlet)),
            CameraSpec::Device(id) => Box::new(move || device::run(id.as_deref(), want, outlet)),
        };
        if let Err(error) = thread::Builder::new().name("camera".into()).spawn(work) {
            state(Err(Trouble::Failed { part: Part::Camera, detail: error.to_string() }));
        }
        Self { stop }
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
    started: Instant,
    watch: Watch,
}

impl Outlet {
    /// Hands a picture over, unless the camera was dropped.
    fn put(&mut self, frame: Frame) {
        self.stop.unless_set(|| self.slot.put(frame));
        self.watch.well();
    }
}

fn run_pattern(size: Size, frames_per_second: f32, mut outlet: Outlet) {
    let pattern = pattern::Pattern::new(size);
    let mut pace = Pace::new(outlet.started, f64::from(frames_per_second));
    loop {
        let offset = pace.offset();
        // Drawn beforehand, so that only the barcode is left to do between the deadline and the handover.
        let mut frame = pattern.draw(offset, MediaTime::from(offset));
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
    fn a_camera_that_is_not_there_is_missing() {
        let (state, news) = told();
        let spec = CameraSpec::Device(Some("no such camera".into()));
        let camera = Camera::start(&spec, VideoConfig::default(), Slot::new(), state);
        assert_eq!(news.recv_timeout(Duration::from_secs(20)).unwrap(), Err(Trouble::Missing(Part::Camera)));
        drop(camera);
    }
}
