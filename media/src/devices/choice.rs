//! Which device is wanted, which one is used, and whether that's still the right one.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use super::Listed;
use crate::{
    CameraSpec, MicrophoneSpec, Part, SpeakerSpec,
    camera::Turned,
    watch::{State, Told},
};

/// The device that a stream runs on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InUse {
    /// Which kind of device it is.
    pub part: Part,
    /// What it goes by in a [`CameraSpec`] and the like.
    pub id: String,
    /// What people know it by.
    pub name: String,
    /// It stands in for one that was chosen and isn't there.
    pub stand_in: bool,
}

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// An id or a name; without one it's the system's default device.
    pub(crate) id: Option<String>,
    /// Whether the default device stands in while the one with this id isn't there.
    pub(crate) stand_in: bool,
}

/// What is wanted of one kind of device. Another one may be chosen while it runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    wanted: Arc<Mutex<Wanted>>,
    turned: Turned,
}

impl Choice {
    pub(crate) fn new(id: Option<String>, stand_in: bool) -> Self {
        Self { wanted: Arc::new(Mutex::new(Wanted { id, stand_in })), turned: Turned::default() }
    }

    pub(crate) fn choose(&self, id: Option<String>) {
        self.lock().id = id;
    }

    pub(crate) fn get(&self) -> Wanted {
        self.lock().clone()
    }

    /// How a camera's pictures are turned.
    pub(crate) fn turned(&self) -> Turned {
        self.turned.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A kind of device that names the one that's wanted.
pub(crate) trait Spec {
    fn device(&self) -> Option<&str>;
}

impl Spec for CameraSpec {
    fn device(&self) -> Option<&str> {
        if let Self::Device(id) = self { id.as_deref() } else { None }
    }
}

impl Spec for MicrophoneSpec {
    fn device(&self) -> Option<&str> {
        if let Self::Device(id) = self { id.as_deref() } else { None }
    }
}

impl Spec for SpeakerSpec {
    fn device(&self) -> Option<&str> {
        if let Self::Device(id) = self { id.as_deref() } else { None }
    }
}

/// A source or a sink as a call asks for it.
#[derive(Clone)]
pub(crate) struct Wish<S> {
    pub(crate) spec: S,
    /// Goes before the device in `spec`, which it begins as.
    pub(crate) choice: Choice,
    pub(crate) told: Told,
}

impl<S: Spec + Clone> Wish<S> {
    /// `stand_in` says whether the default device may take the place of one that isn't there.
    pub(crate) fn new(spec: &S, stand_in: bool, told: Told) -> Self {
        Self { spec: spec.clone(), choice: Choice::new(spec.device().map(str::to_owned), stand_in), told }
    }

    /// Just what `spec` says, whatever else there is.
    pub(crate) fn exactly(spec: &S, state: State) -> Self {
        Self::new(spec, false, state.into())
    }
}

/// The devices of one kind at a moment.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// When it was begun to look.
    pub(crate) at: Instant,
    /// The sound system that was asked, as ids begin with it.
    pub(crate) system: String,
    pub(crate) all: Arc<[Listed]>,
    /// The default one's id.
    pub(crate) default: Option<String>,
    /// The ids of those that this program's streams are on, where the system tells.
    pub(crate) ours: Vec<String>,
}

impl Seen {
    /// Whether it's there; `None` of another sound system's devices.
    fn has(&self, device: &str) -> Option<bool> {
        if self.all.iter().any(|listed| listed.id == device || listed.name == device) {
            return Some(true);
        }
        match device.split_once(':') {
            Some((system, _)) if system != self.system => None,
            _ => Some(false),
        }
    }

    /// Whether there are the same ones.
    pub(crate) fn same(&self, other: &Self) -> bool {
        (&self.system, &self.all, &self.default) == (&other.system, &other.all, &other.default)
    }
}

/// What was opened, and when that began.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub(crate) device: InUse,
    /// What was wanted then.
    pub(crate) wanted: Wanted,
    pub(crate) at: Instant,
    /// Whether our stream was seen on it.
    pub(crate) settled: bool,
}

/// How an opened device stands to what there is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// It is the right one.
    Right,
    /// The right one is this one now, and the system has moved the stream there.
    Moved(InUse),
    /// Another one is to be opened, or this one anew.
    Outdated,
}

impl Opened {
    /// Whether another device should be used instead: one that was chosen meanwhile or has come back, or the one that's the default now. What was seen before
    /// it was opened says nothing.
    pub(crate) fn stand(&mut self, wanted: &Wanted, seen: Option<&Seen>) -> Stand {
        if wanted.id != self.wanted.id {
            return Stand::Outdated;
        }
        let Some(seen) = seen.filter(|seen| seen.at > self.at) else { return Stand::Right };
        let left = !seen.ours.contains(&self.device.id);
        self.settled |= !left;
        // Our stream plays there now; one that was never seen where it was opened isn't come yet, and what is seen is an older one that's going.
        let moved = seen.default.as_ref().filter(|default| self.settled && left && seen.ours.contains(default));
        let default_is_another = seen.default.as_ref().is_some_and(|default| *default != self.device.id);
        let right = match &wanted.id {
            None => !default_is_another,
            Some(id) if self.device.stand_in && seen.has(id) == Some(true) => return Stand::Outdated,
            Some(_) if self.device.stand_in => !default_is_another,
            Some(_) if wanted.stand_in && seen.has(&self.device.id) == Some(false) => false,
            // It is there, or nothing may stand in for it.
            Some(_) if moved.is_some() => return Stand::Outdated,
            Some(_) => true,
        };
        if right {
            return Stand::Right;
        }
        let moved = moved.and_then(|id| seen.all.iter().find(|listed| listed.id == *id));
        moved.map_or(Stand::Outdated, |Listed { id, name }| {
            Stand::Moved(InUse { part: self.device.part, id: id.clone(), name: name.clone(), stand_in: wanted.id.is_some() })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn seen(at: Instant, all: &[&str], default: &str) -> Seen {
        let listed = |id: &&str| Listed { id: format!("pulse:{id}"), name: format!("The {id}") };
        Seen {
            at,
            system: "pulse".into(),
            all: all.iter().map(listed).collect(),
            default: Some(format!("pulse:{default}")),
            ours: vec![],
        }
    }

    fn opened(wanted: Option<&str>, used: &str, at: Instant) -> (Opened, Wanted) {
        let wanted = Wanted { id: wanted.map(str::to_owned), stand_in: true };
        let stand_in = wanted.id.as_ref().is_some_and(|id| *id != used);
        let device = InUse { part: Part::Speaker, id: used.into(), name: "x".into(), stand_in };
        (Opened { device, wanted: wanted.clone(), at, settled: false }, wanted)
    }

    fn stands(opened: &Opened, wanted: &Wanted, seen: Option<&Seen>) -> Stand {
        opened.clone().stand(wanted, seen)
    }

    #[test]
    fn who_takes_the_default_follows_it() {
        let start = Instant::now();
        let later = start + Duration::from_millis(1);
        let (opened, wanted) = opened(None, "pulse:desk", start);
        assert_eq!(stands(&opened, &wanted, None), Stand::Right);
        assert_eq!(stands(&opened, &wanted, Some(&seen(later, &["desk", "headset"], "desk"))), Stand::Right);
        assert_eq!(stands(&opened, &wanted, Some(&seen(later, &["desk", "headset"], "headset"))), Stand::Outdated);
        assert_eq!(stands(&opened, &wanted, Some(&seen(start, &["desk"], "headset"))), Stand::Right, "that was before");
        let none = Seen { default: None, ..seen(later, &[], "") };
        assert_eq!(stands(&opened, &wanted, Some(&none)), Stand::Right, "there is nowhere to go");
    }

    #[test]
    fn one_that_was_chosen_is_kept_while_it_is_there_and_taken_again_when_it_is_back() {
        let start = Instant::now();
        let later = start + Duration::from_millis(1);
        let (on_it, wanted) = opened(Some("pulse:headset"), "pulse:headset", start);
        assert_eq!(stands(&on_it, &wanted, Some(&seen(later, &["desk", "headset"], "desk"))), Stand::Right);
        assert_eq!(stands(&on_it, &wanted, Some(&seen(later, &["desk"], "desk"))), Stand::Outdated);
        let (instead, wanted) = opened(Some("pulse:headset"), "pulse:desk", start);
        assert_eq!(stands(&instead, &wanted, Some(&seen(later, &["desk", "tv"], "desk"))), Stand::Right);
        assert_eq!(stands(&instead, &wanted, Some(&seen(later, &["desk", "tv"], "tv"))), Stand::Outdated, "the default moves");
        let back = seen(later, &["desk", "headset"], "desk");
        assert_eq!(stands(&instead, &wanted, Some(&back)), Stand::Outdated, "it is back");
        let (by_name, wanted) = opened(Some("The headset"), "pulse:desk", start);
        assert_eq!(stands(&by_name, &wanted, Some(&back)), Stand::Outdated);
    }

    /// The same, with our stream on this one.
    fn playing_on(device: &str, seen: Seen) -> Seen {
        Seen { ours: vec![format!("pulse:{device}")], ..seen }
    }

    fn moved_to(stand: &Stand) -> (&str, bool) {
        let Stand::Moved(device) = stand else { panic!("{stand:?}") };
        (&device.id, device.stand_in)
    }

    #[test]
    fn a_stream_that_the_server_moved_rightly_is_left_there() {
        let start = Instant::now();
        let later = start + Duration::from_millis(1);
        let at_first = playing_on("desk", seen(later, &["desk", "headset"], "desk"));
        let another = playing_on("headset", seen(later, &["desk", "headset"], "headset"));
        let (mut default, wanted) = opened(None, "pulse:desk", start);
        assert_eq!(stands(&default, &wanted, Some(&another)), Stand::Outdated, "an older stream, as far as anyone knows");
        assert_eq!(default.stand(&wanted, Some(&at_first)), Stand::Right);
        assert_eq!(moved_to(&default.stand(&wanted, Some(&another))), ("pulse:headset", false));
        let (mut chosen, wanted) = opened(Some("pulse:desk"), "pulse:desk", start);
        assert_eq!(chosen.stand(&wanted, Some(&at_first)), Stand::Right);
        let gone = playing_on("headset", seen(later, &["headset"], "headset"));
        assert_eq!(moved_to(&chosen.stand(&wanted, Some(&gone))), ("pulse:headset", true));
    }

    #[test]
    fn a_stream_that_the_server_moved_off_the_chosen_device_is_opened_there_again() {
        let start = Instant::now();
        let later = start + Duration::from_millis(1);
        let (mut chosen, wanted) = opened(Some("pulse:desk"), "pulse:desk", start);
        let moved = playing_on("headset", seen(later, &["desk", "headset"], "headset"));
        assert_eq!(chosen.stand(&wanted, Some(&moved)), Stand::Right, "a server that insists isn't fought");
        assert_eq!(chosen.stand(&wanted, Some(&playing_on("desk", seen(later, &["desk", "headset"], "desk")))), Stand::Right);
        assert_eq!(chosen.stand(&wanted, Some(&moved)), Stand::Outdated, "the default moves, or it was gone for a moment");
        let by_hand = playing_on("tv", seen(later, &["desk", "headset", "tv"], "headset"));
        assert_eq!(chosen.stand(&wanted, Some(&by_hand)), Stand::Right, "a person did that");
    }

    #[test]
    fn one_of_another_sound_system_is_left_alone() {
        let start = Instant::now();
        let later = start + Duration::from_millis(1);
        let (opened, wanted) = opened(Some("alsa:hw:0"), "alsa:hw:0", start);
        assert_eq!(stands(&opened, &wanted, Some(&seen(later, &["desk"], "desk"))), Stand::Right);
    }

    #[test]
    fn another_choice_is_followed_at_once() {
        let start = Instant::now();
        let (opened, _) = opened(Some("pulse:headset"), "pulse:headset", start);
        let choice = Choice::new(Some("pulse:headset".into()), true);
        assert_eq!(stands(&opened, &choice.get(), None), Stand::Right);
        choice.choose(None);
        assert_eq!(stands(&opened, &choice.get(), None), Stand::Outdated);
    }
}
