//! The last moments of one track: enough for a late joiner and for a reader that was away for a moment, never more.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use proto::{Header, Kind};

/// Sequence numbers remembered to tell a repeated upload: 5 s of audio. An upload is given up after about 2 s.
const SEEN: u32 = 256;

/// A chunk this many further on is no gap but another start: at 50 a second it would be one of twenty minutes. A publisher that
/// was restarted doesn't know which numbers it has used, begins anywhere, and is thus told from one that goes on.
const FAR: u32 = 65_536;

/// How much of a track is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) age: Duration,
    pub(crate) bytes: usize,
}

impl Bounds {
    /// Video: 3 s, so that one lost keyframe request doesn't lose the newest keyframe; 8 MiB is 20 Mbit/s for that long.
    /// A shared screen: as video; one that stands still is renewed so often that its publisher soon hears who wants a keyframe.
    /// Audio: 2 s; nobody wants to hear what is older.
    pub(crate) const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Audio => Self { age: Duration::from_secs(2), bytes: 1024 * 1024 },
            Kind::Video | Kind::Screen => Self { age: Duration::from_secs(3), bytes: 8 * 1024 * 1024 },
        }
    }
}

/// One chunk in the ring.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Place in the lane: rises with each chunk of any track.
    pub(crate) position: u64,
    pub(crate) seq: u32,
    pub(crate) at: Instant,
    pub(crate) keyframe: bool,
    /// Header and payload as they go out again.
    pub(crate) wire: Bytes,
}

/// The newest chunks of one track by order of arrival.
#[derive(Debug)]
pub(crate) struct Ring {
    entries: VecDeque<Entry>,
    bytes: usize,
    bounds: Bounds,
    highest: Option<u32>,
    seen: [bool; SEEN as usize],
    lost_before: u64,
    generation: u64,
}

impl Ring {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            bounds,
            highest: None,
            seen: [false; SEEN as usize],
            lost_before: 0,
            generation: 0,
        }
    }

    /// Takes a chunk in; `false` when it was here before.
    pub(crate) fn push(&mut self, position: u64, header: Header, wire: Bytes, now: Instant) -> bool {
        if !self.admit(header.seq) {
            return false;
        }
        self.bytes += wire.len();
        self.entries.push_back(Entry { position, seq: header.seq, at: now, keyframe: header.keyframe, wire });
        self.evict(now);
        true
    }

    /// Drops what is too old or too much.
    pub(crate) fn evict(&mut self, now: Instant) {
        while let Some(oldest) = self.entries.front() {
            if self.bytes <= self.bounds.bytes && now.saturating_duration_since(oldest.at) <= self.bounds.age {
                break;
            }
            self.bytes -= oldest.wire.len();
            self.lost_before = oldest.position + 1;
            self.entries.pop_front();
        }
    }

    /// Chunks before this position may be gone.
    pub(crate) fn lost_before(&self) -> u64 {
        self.lost_before
    }

    /// How often the publisher has begun anew: sequence numbers of two generations can't be compared.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The chunks from a position on.
    pub(crate) fn from(&self, position: u64) -> impl Iterator<Item = &Entry> {
        self.entries.range(self.entries.partition_point(|entry| entry.position < position)..)
    }

    /// The keyframe furthest into the track.
    pub(crate) fn newest_keyframe(&self) -> Option<&Entry> {
        let mut keyframes = self.entries.iter().rev().filter(|entry| entry.keyframe);
        let newest = keyframes.next()?;
        Some(keyframes.fold(newest, |newest, entry| if at_or_after(entry.seq, newest.seq) { entry } else { newest }))
    }

    /// The first position that holds a chunk of this sequence number or a later one: uploads overtake each other.
    pub(crate) fn first_at_or_after(&self, seq: u32) -> Option<u64> {
        self.entries.iter().find(|entry| at_or_after(entry.seq, seq)).map(|entry| entry.position)
    }

    fn admit(&mut self, seq: u32) -> bool {
        let slot = |seq: u32| (seq % SEEN) as usize;
        let Some(highest) = self.highest else {
            self.highest = Some(seq);
            self.seen[slot(seq)] = true;
            return true;
        };
        let ahead = seq.wrapping_sub(highest).cast_signed();
        if ahead <= -SEEN.cast_signed() || ahead >= FAR.cast_signed() {
            self.begin_anew(seq);
        } else if ahead > 0 {
            for skipped in 1..=seq.wrapping_sub(highest).min(SEEN) {
                self.seen[slot(highest.wrapping_add(skipped))] = false;
            }
            self.highest = Some(seq);
        }
        !std::mem::replace(&mut self.seen[slot(seq)], true)
    }

    /// So far off is neither a late upload nor a gap: the publisher was restarted.
    fn begin_anew(&mut self, seq: u32) {
        self.generation += 1;
        self.lost_before = self.entries.back().map_or(self.lost_before, |newest| newest.position + 1);
        self.entries.clear();
        self.bytes = 0;
        self.seen = [false; SEEN as usize];
        self.highest = Some(seq);
    }
}

/// Whether sequence number `seq` is `other` or comes after it, on a circle of 2^32.
pub(crate) fn at_or_after(seq: u32, other: u32) -> bool {
    seq.wrapping_sub(other).cast_signed() >= 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proto::{PeerId, TrackId};

    use super::*;

    fn header(seq: u32, keyframe: bool) -> Header {
        Header { track: TrackId { peer: PeerId(1), kind: Kind::Video }, seq, media_time_us: 0, keyframe }
    }

    fn ring(age_ms: u64, bytes: usize) -> Ring {
        Ring::new(Bounds { age: Duration::from_millis(age_ms), bytes })
    }

    fn seqs(ring: &Ring) -> Vec<u32> {
        ring.from(0).map(|entry| entry.seq).collect()
    }

    #[test]
    fn a_repeated_chunk_is_taken_once_even_after_it_was_dropped() {
        let (mut ring, start) = (ring(100, 1000), Instant::now());
        assert!(ring.push(0, header(0, true), Bytes::from_static(b"x"), start));
        assert!(!ring.push(1, header(0, true), Bytes::from_static(b"x"), start));
        assert!(ring.push(1, header(1, false), Bytes::from_static(b"x"), start + Duration::from_millis(200)));
        assert_eq!(seqs(&ring), [1]);
        assert_eq!(ring.lost_before(), 1);
        assert!(!ring.push(2, header(0, true), Bytes::from_static(b"x"), start + Duration::from_millis(200)));
    }

    #[test]
    fn a_publisher_that_begins_anew_is_followed() {
        for (last, first) in [(5000, 0), (300, 300 - SEEN), (100, 100_u32.wrapping_sub(SEEN)), (100, 100 + FAR), (100, 1 << 30)] {
            let (mut ring, now) = (ring(1000, 1000), Instant::now());
            assert!(ring.push(0, header(last, true), Bytes::from_static(b"x"), now));
            assert!(ring.push(1, header(first, true), Bytes::from_static(b"x"), now));
            assert_eq!(seqs(&ring), [first]);
            assert_eq!(ring.newest_keyframe().map(|entry| entry.seq), Some(first));
            assert_eq!((ring.generation(), ring.lost_before()), (1, 1));
        }
    }

    #[test]
    fn a_gap_is_no_new_beginning() {
        let (mut ring, now) = (ring(1000, 1000), Instant::now());
        for (position, seq) in [(0, 1000), (1, 999 + FAR), (2, 1000 + FAR - SEEN)] {
            assert!(ring.push(position, header(seq, true), Bytes::from_static(b"x"), now));
        }
        assert_eq!((ring.generation(), seqs(&ring).len()), (0, 3));
    }

    #[test]
    fn sequence_numbers_wrap() {
        let (mut ring, now) = (ring(1000, 1000), Instant::now());
        for (position, seq) in [(0, u32::MAX - 1), (1, u32::MAX), (2, 0), (3, 1)] {
            assert!(ring.push(position, header(seq, seq != 1), Bytes::from_static(b"x"), now));
        }
        assert_eq!(ring.newest_keyframe().map(|entry| entry.seq), Some(0));
        assert_eq!(ring.first_at_or_after(0), Some(2));
    }

    #[test]
    fn the_newest_keyframe_is_the_one_furthest_on_though_it_came_earlier() {
        let (mut ring, now) = (ring(1000, 1000), Instant::now());
        for (position, (seq, keyframe)) in [(2, true), (0, true), (1, false)].into_iter().enumerate() {
            assert!(ring.push(position as u64, header(seq, keyframe), Bytes::from_static(b"x"), now));
        }
        assert_eq!(ring.newest_keyframe().map(|entry| entry.seq), Some(2));
    }

    proptest! {
        #[test]
        fn it_never_outgrows_its_bounds_nor_repeats_a_chunk(
            pushes in prop::collection::vec((0_u32..40, 1_usize..50, 0_u64..30), 1..200)
        ) {
            let (mut ring, mut now) = (ring(100, 300), Instant::now());
            let mut taken = Vec::new();
            for (position, (seq, length, later)) in pushes.into_iter().enumerate() {
                now += Duration::from_millis(later);
                let position = position as u64;
                if ring.push(position, header(seq, false), vec![0; length].into(), now) {
                    prop_assert!(!taken.contains(&seq));
                    taken.push(seq);
                }
                ring.evict(now);
                prop_assert!(ring.from(0).map(|entry| entry.wire.len()).sum::<usize>() <= 300);
                prop_assert!(ring.from(0).all(|entry| now - entry.at <= Duration::from_millis(100)));
                prop_assert!(ring.from(0).all(|entry| entry.position >= ring.lost_before()));
                prop_assert!(ring.from(0).is_sorted_by_key(|entry| entry.position));
            }
        }
    }
}
