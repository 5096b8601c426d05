//! Tells a device's trouble once per spell, and its end.

use std::sync::Arc;

use crate::{Part, Trouble, devices::InUse};

/// Who is told that a device works (`Ok`) or what is wrong with it. Called on the device's thread, which it must not block.
pub type State = Arc<dyn Fn(Result<(), Trouble>) + Send + Sync>;

/// Who is told which device is in use, likewise.
pub(crate) type Used = Arc<dyn Fn(InUse) + Send + Sync>;

/// Both of them.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) state: State,
    pub(crate) used: Option<Used>,
}

impl From<State> for Told {
    fn from(state: State) -> Self {
        Self { state, used: None }
    }
}

/// Passes on what changes and keeps back what's known.
pub(crate) struct Watch {
    part: Part,
    told: Told,
    last: Option<Result<(), Trouble>>,
    device: Option<InUse>,
}

impl Watch {
    pub(crate) fn new(part: Part, told: impl Into<Told>) -> Self {
        Self { part, told: told.into(), last: None, device: None }
    }

    /// Which kind of device it is.
    pub(crate) fn part(&self) -> Part {
        self.part
    }

    /// This device is used from now on.
    pub(crate) fn uses(&mut self, device: &InUse) {
        if self.device.as_ref() == Some(device) {
            return;
        }
        tracing::info!(device = %self.part, name = device.name, id = device.id, stand_in = device.stand_in, "device in use");
        self.device = Some(device.clone());
        if let Some(used) = &self.told.used {
            used(device.clone());
        }
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
        (self.told.state)(news);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn tells_each_spell_once() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let state: State = {
            let told = told.clone();
            Arc::new(move |news| told.lock().unwrap().push(news))
        };
        let mut watch = Watch::new(Part::Camera, state);
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

    #[test]
    fn tells_each_device_once() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let used: Used = {
            let told = told.clone();
            Arc::new(move |device| told.lock().unwrap().push(device.name))
        };
        let mut watch = Watch::new(Part::Speaker, Told { state: Arc::new(|_| {}), used: Some(used) });
        for name in ["desk", "desk", "headset", "desk"] {
            watch.uses(&InUse { part: Part::Speaker, id: name.into(), name: name.into(), stand_in: false });
        }
        assert_eq!(*told.lock().unwrap(), ["desk", "headset", "desk"]);
    }
}
