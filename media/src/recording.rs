//! Keeps a recorder's disk away from the threads that decode and play: they queue, a thread of its own writes.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use codecs::Frame;

use crate::{Error, Kind, Report, recorder::Recorder, report::Reporter};

/// Pictures that may wait for the disk: half a second's worth, 14 MB at 640x480.
const PICTURES_MAX: usize = 15;

/// Pieces of sound of 20 ms that may wait for the disk: 20 s of one peer's, 4 MB.
const SOUNDS_MAX: usize = 1000;

/// Where what is received goes to be kept, if anywhere. A clone is another handle on the same recording; it ends with the last.
#[derive(Clone, Default)]
pub(crate) struct Recording(Option<Arc<Handle>>);

struct Handle(Arc<Queue>);

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Item>,
    pictures: usize,
    sounds: usize,
    dropping: bool,
    ended: bool,
}

enum Item {
    Picture(u16, Kind, Arc<Frame>),
    Sound(u16, Vec<f32>),
}

impl Recording {
    /// Records into a folder. The work, for a thread of its own, ends with the last handle, everything written.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub(crate) fn start(folder: &Path, reporter: Reporter) -> Result<(Self, impl FnOnce() + Send + 'static), Error> {
        let recorder = Recorder::create(folder)?;
        let queue = Arc::new(Queue::default());
        let work = {
            let queue = Arc::clone(&queue);
            move || write(&queue, recorder, &reporter)
        };
        Ok((Self(Some(Arc::new(Handle(queue)))), work))
    }

    /// Keeps a picture, unless the disk is too slow.
    pub(crate) fn video(&self, peer: u16, kind: Kind, frame: &Arc<Frame>) {
        self.put(|| Item::Picture(peer, kind, Arc::clone(frame)));
    }

    /// Keeps sound, unless the disk is too slow.
    pub(crate) fn audio(&self, peer: u16, samples: &[f32]) {
        self.put(|| Item::Sound(peer, samples.to_vec()));
    }

    fn put(&self, item: impl FnOnce() -> Item) {
        let Some(handle) = &self.0 else { return };
        let mut state = handle.0.lock();
        if state.ended {
            return;
        }
        let item = item();
        let room = match item {
            Item::Picture(..) => state.pictures < PICTURES_MAX,
            Item::Sound(..) => state.sounds < SOUNDS_MAX,
        };
        if !room {
            if !std::mem::replace(&mut state.dropping, true) {
                drop(state);
                tracing::warn!("the disk is too slow for the recording, which has gaps from here on");
            }
            return;
        }
        match item {
            Item::Picture(..) => state.pictures += 1,
            Item::Sound(..) => state.sounds += 1,
        }
        state.waiting.push_back(item);
        drop(state);
        handle.0.changed.notify_one();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.changed.notify_one();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next item to write; `None` once the recording has ended and all is written.
    fn next(&self) -> Option<Item> {
        let mut state = self.lock();
        loop {
            if let Some(item) = state.waiting.pop_front() {
                match item {
                    Item::Picture(..) => state.pictures -= 1,
                    Item::Sound(..) => state.sounds -= 1,
                }
                return Some(item);
            }
            if state.ended {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn write(queue: &Queue, mut recorder: Recorder, reporter: &Reporter) {
    while let Some(item) = queue.next() {
        match item {
            Item::Picture(peer, kind, frame) => recorder.video(peer, kind, &frame),
            Item::Sound(peer, samples) => recorder.audio(peer, &samples),
        }
        if let Some(error) = recorder.error() {
            let reason = error.to_string();
            let mut state = queue.lock();
            state.ended = true;
            state.waiting.clear();
            drop(state);
            reporter.tell(Report::Recording { reason });
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use codecs::{Color, MediaTime, Size};

    use super::*;

    #[test]
    fn everything_queued_is_written_before_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let reporter = Reporter::new(Box::new(|report| panic!("{report:?}")));
        let (recording, work) = Recording::start(folder.path(), reporter).unwrap();
        let thread = std::thread::spawn(work);
        let frame = Arc::new(Frame::new(Size::MIN, Color::default(), MediaTime(0)));
        for _ in 0..10 {
            recording.video(7, Kind::Video, &frame);
            recording.clone().audio(7, &[0.5; 960]);
        }
        drop(recording);
        thread.join().unwrap();
        assert_eq!(hound::WavReader::open(folder.path().join("peer-7.wav")).unwrap().len(), 9600);
        let mut pictures = crate::y4m::Reader::open(&folder.path().join("peer-7.y4m")).unwrap();
        assert_eq!(std::iter::from_fn(|| pictures.next_frame().unwrap()).count(), 10);
    }

    #[test]
    fn a_recording_that_fails_is_reported_once() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        let (to_main, reports) = std::sync::mpsc::channel();
        let reporter = Reporter::new(Box::new(move |report| to_main.send(report).unwrap()));
        let (recording, work) = Recording::start(&inner, reporter).unwrap();
        std::fs::remove_dir(&inner).unwrap();
        recording.audio(1, &[0.0; 960]);
        work();
        recording.audio(1, &[0.0; 960]);
        assert!(matches!(reports.try_iter().collect::<Vec<_>>()[..], [Report::Recording { .. }]));
    }

    #[test]
    fn without_a_folder_nothing_is_kept() {
        Recording::default().audio(1, &[0.0; 960]);
    }
}
