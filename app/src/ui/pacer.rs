//! Redraws the window when there is a new picture to show, and only then.

use std::{
    thread,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, channel::mpsc};
use iced::{Task, task};
use iced_runtime::{Action, task::effect, window};
use media::Slot;

/// Between two redraws at least: no screen worth mentioning shows more than 120 pictures a second.
const PAUSE: Duration = Duration::from_millis(8);

/// The other pictures are looked at this often while the first one stands still.
const GLANCE: Duration = Duration::from_millis(33);

/// Watches the slots until the handle is dropped: a change in the first one redraws at once, changes in the others with the
/// next redraw. No message is sent and no view is built for it.
pub fn redraw<Message: Send + 'static>(first: Slot, others: Vec<Slot>) -> (Task<Message>, task::Handle) {
    // One redraw under way is enough, however many pictures come meanwhile.
    let (mut due, changes) = mpsc::channel::<()>(0);
    let spawned = thread::Builder::new().name("redraws".into()).spawn(move || {
        let mut watch = Watch::new(first, others);
        while !due.is_closed() {
            if watch.changed() {
                // Full: the redraw asked for last shows this picture too.
                let _ = due.try_send(());
                thread::park_timeout(PAUSE);
            }
        }
    });
    if let Err(error) = spawned {
        tracing::error!(%error, "no thread could be started; pictures move only when something else does");
    }
    let redraws = Task::run(changes.map(|()| ()), |()| ()).then(|()| effect(Action::Window(window::Action::RedrawAll)));
    let (task, handle) = redraws.abortable();
    (task, handle.abort_on_drop())
}

struct Watch {
    first: Slot,
    seen: u64,
    others: Vec<(Slot, u64)>,
}

impl Watch {
    fn new(first: Slot, others: Vec<Slot>) -> Self {
        // What is there already is drawn by whoever starts the watch.
        let others = others.into_iter().map(|slot| (slot.generation(), slot)).map(|(seen, slot)| (slot, seen)).collect();
        Self { seen: first.generation(), first, others }
    }

    /// Waits a moment for a change.
    fn changed(&mut self) -> bool {
        let started = Instant::now();
        let first = self.first.wait(self.seen, GLANCE).map(|seen| self.seen = seen.generation).is_some();
        let mut any = first;
        for (slot, seen) in &mut self.others {
            let generation = slot.generation();
            any |= std::mem::replace(seen, generation) != generation;
        }
        debug_assert!(any || started.elapsed() >= GLANCE / 2, "waiting must not spin");
        any
    }
}

#[cfg(test)]
mod tests {
    use codecs::{Color, Frame, MediaTime, Size};

    use super::*;

    fn frame() -> Frame {
        Frame::new(Size::VGA, Color::default(), MediaTime::ZERO)
    }

    #[test]
    fn each_change_is_told_once() {
        let (first, other) = (Slot::new(), Slot::new());
        let mut watch = Watch::new(first.clone(), vec![other.clone()]);
        assert!(!watch.changed());
        first.put(frame());
        assert!(watch.changed());
        assert!(!watch.changed());
        other.put(frame());
        assert!(watch.changed());
        assert!(!watch.changed());
    }
}
