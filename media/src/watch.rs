//! Tells a device's trouble once per spell, and its end.

use std::sync::Arc;

use crate::{Part, Trouble};

/// Who is told that a device works (`Ok`) or what is wrong with it. Called on the device's thread, which it must not block.
pub type State = Arc<dyn Fn(Result<(), Trouble>) + Send + Sync>;

/// Passes on what changes and keeps back what's known.
pub(crate) struct Watch {
    part: Part,
    state: State,
    last: Option<Result<(), Trouble>>,
}

impl Watch {
    pub(crate) fn new(part: Part, state: State) -> Self {
        Self { part, state, last: None }
    }

    /// The device works.
    pub(crate) fn well(&mut self) {
        self.tell(Ok(()));
    }

    /// The device doesn't work.
    pub(crate) fn trouble(&mut self, trouble: Trouble) {
        self.tell(Err(trouble));
    }

    /// Whether trouble was the last thing told.
    pub(crate) fn in_trouble(&self) -> bool {
        matches!(self.last, Some(Err(_)))
    }

    fn tell(&mut self, news: Result<(), Trouble>) {
        if self.last.as_ref() == Some(&news) {
            return;
        }
        match &news {
            Ok(()) => tracing::info!(device = %self.part, "device works"),
            Err(trouble) => tracing::warn!(device = %self.part, %trouble, "device trouble"),
        }
        self.last = Some(news.clone());
        (self.state)(news);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn tells_each_spell_once() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let mut watch = Watch::new(Part::Camera, {
            let told = told.clone();
            Arc::new(move |news| told.lock().unwrap().push(news))
        });
        watch.well();
        watch.well();
        watch.trouble(Trouble::Busy(Part::Camera));
        assert!(watch.in_trouble());
        watch.trouble(Trouble::Busy(Part::Camera));
        watch.trouble(Trouble::Missing(Part::Camera));
        watch.well();
        let expected = [Ok(()), Err(Trouble::Busy(Part::Camera)), Err(Trouble::Missing(Part::Camera)), Ok(())];
        assert_eq!(*told.lock().unwrap(), expected);
    }
}
