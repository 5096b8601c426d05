//! Pictures between decoding and showing: held until the sound that belongs to them is near.
//!
//! A picture is ready as soon as it has come, sound waits in the jitter buffer and before the speaker. The eye forgives sound that is a
//! little late, as it is from across a room, but not much. So a picture is held just until its sound is [`AIM_US`] away, and what comes
//! later than that is shown at once.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How much later than its picture sound may be, in microseconds, before the picture is held. Broadcasters allow 60 ms (EBU R 37), and
/// viewers begin to notice at 125 ms (ITU-R BT.1359); the rest is for what can't be foreseen.
const AIM_US: i64 = 45_000;

/// How far sound may move, in microseconds, before pictures follow it: less is how the jitter buffer breathes.
const SLACK_US: i64 = 5_000;

/// How fast they follow: by a quarter of the time that passes, so that a picture stands longer or shorter by that at most.
const PACE: i64 = 4;

/// Pictures that may wait: three at 30 a second last for a tenth of a second.
const MOST: usize = 3;

/// The longest hold, in microseconds, that is believed. Whose sound seems later than that doesn't keep one clock for both.
const BELIEVED_US: i64 = 300_000;

/// The pictures that wait.
pub(crate) struct Hold<P> {
    follows: Option<Follow>,
    waiting: VecDeque<Waiting<P>>,
}

/// How late pictures are shown at least.
struct Follow {
    /// In microseconds.
    late: i64,
    since: Instant,
    moving: bool,
}

struct Waiting<P> {
    came: Instant,
    due: Instant,
    picture: P,
}

impl<P> Default for Hold<P> {
    fn default() -> Self {
        Self { follows: None, waiting: VecDeque::with_capacity(MOST + 1) }
    }
}

impl<P> Hold<P> {
    /// Takes a picture that is `late` by so much at `now`, where the sound that is heard now is late by `sound`, both in microseconds; `None`
    /// holds nothing.
    pub(crate) fn push(&mut self, now: Instant, late: i64, sound: Option<i64>, picture: P) {
        let wait = self.follow(now, late, sound).saturating_sub(late).max(0).cast_unsigned();
        if let Some(over) = self.waiting.len().checked_sub(MOST) {
            self.waiting.drain(..over);
            // It comes early; if each were left out for the next, none would ever be shown.
            self.waiting.iter_mut().take(1).for_each(|first| first.due = now);
        }
        self.waiting.push_back(Waiting { came: now, due: now + Duration::from_micros(wait), picture });
    }

    /// The newest picture whose time has come, and how long it was held; those before it are gone.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<(P, Duration)> {
        let newest = self.waiting.iter().rposition(|waiting| waiting.due <= now)?;
        let shown = self.waiting.drain(..=newest).next_back()?;
        Some((shown.picture, now.saturating_duration_since(shown.came)))
    }

    /// When the next one's time comes.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.waiting.iter().map(|waiting| waiting.due).min()
    }

    /// How late this picture is to be shown at least.
    fn follow(&mut self, now: Instant, late: i64, sound: Option<i64>) -> i64 {
        let wanted = sound.map(|sound| sound.saturating_sub(AIM_US)).filter(|wanted| wanted.saturating_sub(late) <= BELIEVED_US);
        let Some(wanted) = wanted else {
            self.follows = None;
            return late;
        };
        // At first nothing is held, and then more and more.
        let follow = self.follows.get_or_insert_with(|| Follow { late: wanted.min(late), since: now, moving: false });
        let passed = now.saturating_duration_since(std::mem::replace(&mut follow.since, now));
        let step = i64::try_from(passed.as_micros()).unwrap_or(i64::MAX) / PACE;
        let off = wanted.saturating_sub(follow.late);
        follow.moving |= off.abs() > SLACK_US;
        if follow.moving {
            follow.late = follow.late.saturating_add(off.clamp(-step, step));
            follow.moving = follow.late != wanted;
        }
        follow.late
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: i64 = 1_000;

    /// A call in virtual time: pictures come, sound is heard, and a screen looks every millisecond.
    struct Screen {
        start: Instant,
        now: u64,
        hold: Hold<u64>,
        /// When each picture shown was captured, how late it was then and how late sound is meanwhile, in milliseconds.
        shown: Vec<(u64, i64, Option<i64>)>,
    }

    impl Screen {
        fn new() -> Self {
            Self { start: Instant::now(), now: 0, hold: Hold::default(), shown: Vec::new() }
        }

        /// For so many milliseconds a picture is captured every `apart` of them and comes `late(it)` later, while sound is late by `sound(now)`.
        fn watch(
            &mut self,
            ms: u64,
            apart: u64,
            late: impl Fn(u64) -> u64,
            sound: impl Fn(u64) -> Option<i64>,
        ) -> &[(u64, i64, Option<i64>)] {
            let (from, until) = (self.shown.len(), self.now + ms);
            let mut coming: Vec<_> =
                (self.now..until).step_by(apart as usize).map(|captured| (captured + late(captured), captured)).collect();
            coming.sort_unstable();
            let mut coming = coming.into_iter().peekable();
            while self.now < until {
                let at = self.start + Duration::from_millis(self.now);
                while let Some((came, captured)) = coming.next_if(|(came, _)| *came <= self.now) {
                    let late = (came - captured) as i64;
                    self.hold.push(at, late * MS, sound(self.now).map(|late| late * MS), captured);
                    assert!(
                        self.hold.waiting.len() <= MOST + 1
                            && self.hold.waiting.iter().filter(|one| one.due > at).count() <= MOST
                    );
                }
                if let Some((captured, _)) = self.hold.pop(at) {
                    self.shown.push((captured, (self.now - captured) as i64, sound(self.now)));
                }
                self.now += 1;
            }
            &self.shown[from..]
        }
    }

    /// How much later sound is than each picture.
    fn offsets(shown: &[(u64, i64, Option<i64>)]) -> Vec<i64> {
        shown.iter().filter_map(|(_, late, sound)| Some((*sound)? - late)).collect()
    }

    #[test]
    fn a_picture_waits_until_its_sound_is_near_and_no_longer() {
        let mut screen = Screen::new();
        let early = screen.watch(1_000, 33, |_| 5, |_| Some(90)).to_vec();
        assert_eq!(early[0].1, 5, "it begins with no hold at all");
        let stands: Vec<_> =
            early.windows(2).map(|pair| (pair[1].0 + pair[1].1 as u64) - (pair[0].0 + pair[0].1 as u64)).collect();
        assert!(stands.iter().all(|stood| (33..=42).contains(stood)), "and grows slowly: {stands:?}");
        let held = screen.watch(5_000, 33, |_| 5, |_| Some(90)).to_vec();
        assert!(offsets(&held).iter().all(|offset| (44..=46).contains(offset)), "{:?}", offsets(&held));
        assert!(held.len() > 150, "every picture is shown");
    }

    #[test]
    fn what_is_near_or_late_already_is_shown_at_once() {
        for sound in [Some(45), Some(20), None] {
            let mut screen = Screen::new();
            let shown = screen.watch(3_000, 33, |captured| 5 + captured % 60, |_| sound).to_vec();
            assert!(shown.iter().all(|(captured, late, _)| *late == 5 + (*captured % 60) as i64), "{sound:?} {shown:?}");
        }
    }

    #[test]
    fn pictures_that_come_unevenly_are_shown_evenly() {
        let mut screen = Screen::new();
        screen.watch(2_000, 33, |_| 5, |_| Some(95));
        let shown = screen.watch(5_000, 33, |captured| 5 + captured * 7 % 40, |_| Some(95)).to_vec();
        assert!(shown.iter().all(|(_, late, _)| (49..=51).contains(late)), "{shown:?}");
    }

    #[test]
    fn what_moves_a_little_is_not_followed_and_what_goes_is() {
        let mut screen = Screen::new();
        screen.watch(3_000, 33, |_| 5, |_| Some(90));
        let breathing = screen.watch(5_000, 33, |_| 5, |now| Some(86 + (now / 500 % 2 * 8) as i64)).to_vec();
        assert!(breathing.iter().all(|(_, late, _)| (44..=46).contains(late)), "{breathing:?}");
        screen.watch(1_000, 33, |_| 5, |_| Some(60));
        let nearer = screen.watch(1_000, 33, |_| 5, |_| Some(60)).to_vec();
        assert!(nearer.iter().all(|(_, late, _)| *late <= 16), "{nearer:?}");
        screen.watch(100, 33, |_| 5, |_| None);
        assert!(screen.watch(1_000, 33, |_| 5, |_| None).iter().all(|(_, late, _)| *late == 5), "muted");
    }

    #[test]
    fn no_more_than_three_wait_and_all_are_shown_in_turn() {
        let mut screen = Screen::new();
        screen.watch(5_000, 16, |_| 5, |_| Some(250));
        let shown = screen.watch(5_000, 16, |_| 5, |_| Some(250)).to_vec();
        assert!(shown.len() > 300 && shown.is_sorted_by(|a, b| a.0 < b.0), "{}", shown.len());
        assert!(shown[10..].iter().all(|(_, late, _)| (50..=60).contains(late)), "{shown:?}");
    }

    #[test]
    fn whose_sound_keeps_another_clock_is_not_waited_for() {
        let mut screen = Screen::new();
        assert!(screen.watch(3_000, 33, |_| 5, |_| Some(9_000)).iter().all(|(_, late, _)| *late == 5));
    }

    #[test]
    fn the_newest_wins_where_several_are_late() {
        let (mut hold, now) = (Hold::default(), Instant::now());
        (0..3).for_each(|picture| hold.push(now, 90 * MS, Some(60 * MS), picture));
        assert_eq!(hold.pop(now), Some((2, Duration::ZERO)));
        assert_eq!((hold.pop(now), hold.deadline()), (None, None));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_shown_in_order_and_soon(
            lates in prop::collection::vec(0u64..200, 30), sounds in prop::collection::vec(prop::option::of(0i64..400), 8), apart in 16u64..100,
        ) {
            let mut screen = Screen::new();
            let late = |captured: u64| lates[(captured / apart) as usize % lates.len()];
            let sound = |now: u64| sounds[(now / 700) as usize % sounds.len()];
            let shown = screen.watch(6_000, apart, late, sound).to_vec();
            for (captured, late_when_shown, _) in &shown {
                let held = late_when_shown - late(*captured) as i64;
                prop_assert!((0..=BELIEVED_US / MS).contains(&held), "{} was held for {}", captured, held);
            }
            prop_assert!(screen.hold.waiting.len() <= MOST);
        }
    }
}
