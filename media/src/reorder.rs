//! Puts video packets in order and keeps back those that can't be decoded.
//!
//! Packets come over several connections, so one may overtake another, and one may be held up for a retransmission. A missing one
//! is waited for; when that takes long, a keyframe is asked for as well, and what comes first mends the picture. Where a packet is
//! given up on its way, a keyframe follows of itself.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::sequence::Sequence;

/// How long a packet may be missing before a keyframe is asked for: longer than one overtakes another, shorter than a TCP
/// retransmission (200 ms and a round trip), which a request may beat.
const ASK_AFTER: Duration = Duration::from_millis(100);

/// How many packets may wait behind a missing one before a keyframe is asked for: as long, at 60 and more a second.
const ASK_BEHIND: usize = 8;

/// How many packets may wait behind a missing one at all: half a second at 30 a second. By then a keyframe is on its way.
const HELD_MAX: usize = 16;

/// The most packets kept whatever happens.
const QUEUE_MAX: usize = 64;

/// The packets of one video track, in order.
#[derive(Debug)]
pub(crate) struct Reorder<T> {
    sequence: Sequence,
    held: BTreeMap<u64, Held<T>>,
    /// The packet at the floor is decodable when it comes; else only a keyframe is.
    synced: bool,
    /// A keyframe has been asked for.
    asked: bool,
    /// Everything before this position is decided.
    floor: u64,
    /// Whether a keyframe has been given out.
    started: bool,
    hole_since: Option<Instant>,
    counts: Counts,
}

#[derive(Debug)]
struct Held<T> {
    keyframe: bool,
    packet: T,
}

/// What became of the packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Packets that came, without duplicates.
    pub(crate) received: u64,
    /// Packets that came again.
    pub(crate) duplicates: u64,
    /// Packets that came after they were given up.
    pub(crate) late: u64,
    /// Packets given up before they came.
    pub(crate) lost: u64,
    /// Packets that came but can't be decoded for want of another.
    pub(crate) undecodable: u64,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<T> {
    /// A packet to decode now.
    Packet(T),
    /// Nothing: ask for a keyframe.
    Ask,
}

impl<T> Default for Reorder<T> {
    fn default() -> Self {
        Self {
            sequence: Sequence::default(),
            held: BTreeMap::new(),
            synced: false,
            asked: false,
            floor: 0,
            started: false,
            hole_since: None,
            counts: Counts::default(),
        }
    }
}

impl<T> Reorder<T> {
    /// Takes a packet. Take out all that [`Self::pop`] gives before the next one.
    pub(crate) fn push(&mut self, now: Instant, seq: u32, keyframe: bool, packet: T) {
        let arrival = self.sequence.arrive(seq);
        if arrival.repeated || self.held.contains_key(&arrival.position) {
            self.counts.duplicates += 1;
            return;
        }
        self.counts.received += 1;
        if arrival.anew {
            self.begin_anew();
        }
        if arrival.position < self.floor {
            self.counts.late += 1;
            return;
        }
        if self.held.len() >= QUEUE_MAX {
            self.counts.undecodable += 1;
            return;
        }
        self.held.insert(arrival.position, Held { keyframe, packet });
        self.hole_since.get_or_insert(now);
    }

    /// What can go on now; `None` means wait for a packet or for [`Self::deadline`].
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Next<T>> {
        if self.synced && self.held.contains_key(&self.floor) {
            return self.take(now, self.floor);
        }
        // A keyframe behind a hole makes what is missing worthless.
        if let Some(position) = self.held.iter().rev().find_map(|(position, held)| held.keyframe.then_some(*position)) {
            return self.take(now, position);
        }
        self.synced &= self.held.len() <= HELD_MAX;
        while self.held.len() > HELD_MAX {
            self.drop_first();
        }
        if self.held.len() >= ASK_BEHIND && !self.asked || self.deadline().is_some_and(|deadline| now >= deadline) {
            self.asked = true;
            return Some(Next::Ask);
        }
        None
    }

    /// When to ask [`Self::pop`] again though nothing has come.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let waiting = !self.asked && !self.held.is_empty();
        self.hole_since.filter(|_| waiting).map(|since| since + ASK_AFTER)
    }

    /// The decoder has failed: only a keyframe helps.
    pub(crate) fn lose_sync(&mut self) {
        self.synced = false;
        self.asked = true;
    }

    /// Whether a keyframe is asked for and has not come, nor what was missing.
    pub(crate) fn needs_keyframe(&self) -> bool {
        self.asked
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Gives out the packet at `position` and drops all before it.
    fn take(&mut self, now: Instant, position: u64) -> Option<Next<T>> {
        let behind = self.held.split_off(&position);
        let before = std::mem::replace(&mut self.held, behind);
        self.counts.undecodable += before.len() as u64;
        if self.started {
            self.counts.lost += (position - self.floor).saturating_sub(before.len() as u64);
        }
        let taken = self.held.remove(&position)?;
        self.started = true;
        self.synced = true;
        self.asked = false;
        self.floor = position + 1;
        self.hole_since = (!self.held.is_empty()).then_some(now);
        Some(Next::Packet(taken.packet))
    }

    /// Nothing from before goes with what comes now.
    fn begin_anew(&mut self) {
        self.counts.undecodable += self.held.len() as u64;
        self.held.clear();
        self.synced = false;
        self.asked = false;
        self.started = false;
        self.hole_since = None;
    }

    fn drop_first(&mut self) {
        if let Some((position, _)) = self.held.pop_first() {
            self.counts.undecodable += 1;
            if self.started {
                self.counts.lost += position - self.floor;
            }
            self.floor = position + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Track {
        reorder: Reorder<u32>,
        start: Instant,
        millis: u64,
    }

    impl Track {
        fn new() -> Self {
            Self { reorder: Reorder::default(), start: Instant::now(), millis: 0 }
        }

        fn now(&self) -> Instant {
            self.start + Duration::from_millis(self.millis)
        }

        fn push(&mut self, seq: u32, keyframe: bool) -> Vec<Next<u32>> {
            self.reorder.push(self.now(), seq, keyframe, seq);
            self.pop()
        }

        fn pop(&mut self) -> Vec<Next<u32>> {
            let now = self.now();
            std::iter::from_fn(|| self.reorder.pop(now)).collect()
        }
    }

    fn packets(seqs: impl IntoIterator<Item = u32>) -> Vec<Next<u32>> {
        seqs.into_iter().map(Next::Packet).collect()
    }

    #[test]
    fn what_comes_in_order_goes_through_at_once() {
        let mut track = Track::new();
        assert_eq!(track.push(0, true), packets([0]));
        for seq in 1..100 {
            assert_eq!(track.push(seq, false), packets([seq]));
            assert_eq!(track.reorder.deadline(), None);
        }
        assert_eq!(track.reorder.counts(), Counts { received: 100, ..Counts::default() });
    }

    #[test]
    fn overtaking_is_undone_and_repeats_are_dropped() {
        let mut track = Track::new();
        track.push(0, true);
        assert_eq!(track.push(2, false), []);
        assert!(track.reorder.deadline().is_some());
        assert_eq!(track.push(2, false), []);
        assert_eq!(track.push(1, false), packets([1, 2]));
        assert_eq!(track.push(1, false), []);
        assert_eq!(track.reorder.counts(), Counts { received: 3, duplicates: 2, ..Counts::default() });
    }

    #[test]
    fn the_first_keyframe_may_be_overtaken_too() {
        let mut track = Track::new();
        assert_eq!(track.push(51, false), []);
        assert_eq!(track.push(50, true), packets([50, 51]));
        assert_eq!(track.reorder.counts().lost, 0);
    }

    #[test]
    fn a_missing_packet_is_waited_for_and_after_a_while_a_keyframe_is_asked_for() {
        let mut track = Track::new();
        track.push(0, true);
        track.push(2, false);
        track.millis = 99;
        assert_eq!(track.pop(), []);
        track.millis = 100;
        assert_eq!(track.pop(), [Next::Ask]);
        assert!(track.reorder.needs_keyframe());
        assert_eq!(track.push(3, false), []);
        assert_eq!(track.reorder.deadline(), None);
        // The retransmission is quicker.
        assert_eq!(track.push(1, false), packets([1, 2, 3]));
        assert!(!track.reorder.needs_keyframe());
        assert_eq!(track.push(4, true), packets([4]));
        assert_eq!(track.reorder.counts(), Counts { received: 5, ..Counts::default() });
    }

    #[test]
    fn a_keyframe_mends_a_hole() {
        let mut track = Track::new();
        track.push(0, true);
        track.push(2, false);
        track.millis = 100;
        assert_eq!(track.pop(), [Next::Ask]);
        assert_eq!(track.push(5, false), []);
        assert_eq!(track.push(4, true), packets([4, 5]));
        assert!(!track.reorder.needs_keyframe());
        assert_eq!(track.push(1, false), []);
        assert_eq!(track.reorder.counts(), Counts { received: 5, late: 1, lost: 2, undecodable: 1, ..Counts::default() });
    }

    #[test]
    fn many_packets_behind_a_hole_ask_sooner_and_too_many_end_the_wait() {
        let mut track = Track::new();
        track.push(0, true);
        for seq in 2..9 {
            assert_eq!(track.push(seq, false), []);
        }
        assert_eq!(track.push(9, false), [Next::Ask]);
        for seq in 10..100 {
            assert_eq!(track.push(seq, false), []);
        }
        assert_eq!(track.push(1, false), []);
        assert_eq!(track.push(100, true), packets([100]));
        assert_eq!((track.reorder.counts().lost, track.reorder.counts().late), (1, 1));
    }

    #[test]
    fn a_keyframe_behind_a_hole_is_not_kept_waiting() {
        let mut track = Track::new();
        track.push(0, true);
        assert_eq!(track.push(200, true), packets([200]));
        assert_eq!(track.reorder.counts().lost, 199);
    }

    #[test]
    fn a_track_without_a_keyframe_asks_for_one() {
        let mut track = Track::new();
        assert_eq!(track.push(7, false), []);
        track.millis = 100;
        assert_eq!(track.pop(), [Next::Ask]);
        for seq in 8..100 {
            assert_eq!(track.push(seq, false), []);
        }
        assert_eq!(track.push(100, true), packets([100]));
    }

    #[test]
    fn after_a_decoder_error_only_a_keyframe_passes() {
        let mut track = Track::new();
        track.push(0, true);
        track.push(1, false);
        track.reorder.lose_sync();
        assert_eq!(track.push(2, false), []);
        assert_eq!(track.push(3, true), packets([3]));
        assert_eq!(track.reorder.counts().undecodable, 1);
    }

    #[test]
    fn a_sender_who_begins_anew_is_followed() {
        let mut track = Track::new();
        track.push(0, true);
        assert_eq!(track.push(900, true), packets([900]));
        track.push(902, false);
        assert_eq!(track.push(0, true), packets([0]));
        assert_eq!(track.push(2, false), []);
        assert_eq!(track.push(1, false), packets([1, 2]));
        assert_eq!((track.reorder.counts().lost, track.reorder.counts().undecodable), (899, 1));
    }

    proptest! {
        #[test]
        fn what_comes_out_is_in_order_decodable_and_accounted_for(
            start: u32,
            steps in prop::collection::vec((0_u32..60, prop::bool::weighted(0.1), 0_u64..60), 1..300),
        ) {
            let mut track = Track::new();
            let keyframe_of = |seq: u32| steps.iter().find(|step| step.0 == seq).is_some_and(|step| step.1);
            let (mut last, mut given) = (None, 0_u64);
            for &(seq, _, wait) in &steps {
                track.millis += wait;
                for next in track.push(start.wrapping_add(seq), keyframe_of(seq)) {
                    match next {
                        Next::Packet(packet) => {
                            let at = packet.wrapping_sub(start);
                            let follows = last.is_some_and(|last: u32| at == last + 1);
                            prop_assert!(follows || keyframe_of(at) && last.is_none_or(|last| at > last));
                            last = Some(at);
                            given += 1;
                        }
                        Next::Ask => prop_assert!(track.reorder.needs_keyframe()),
                    }
                }
                prop_assert!(track.reorder.held.len() <= HELD_MAX);
                let counts = track.reorder.counts();
                let held = track.reorder.held.len() as u64;
                prop_assert_eq!(counts.received, given + counts.late + counts.undecodable + held);
            }
        }

        #[test]
        fn no_packets_make_it_panic(steps in prop::collection::vec((any::<u32>(), any::<bool>(), 0_u64..200), 0..200)) {
            let mut track = Track::new();
            for (seq, keyframe, wait) in steps {
                track.millis += wait;
                track.reorder.push(track.now(), seq, keyframe, seq);
            }
            prop_assert!(track.reorder.held.len() <= QUEUE_MAX);
            track.pop();
        }
    }
}
