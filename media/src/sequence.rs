//! Sequence numbers that wrap, and sometimes begin anew, made into positions that only grow.

/// How far back arrivals are remembered, in packets: 2.5 s of sound, more than any repeat is late.
const REMEMBERED: u64 = 128;

/// A number this far back is the first of a sender who began anew; the relay takes it for that, too.
///
/// Who begins anew within the first 256 packets, at 0, is not noticed: PROTOCOL.md has them begin at a random number instead.
const ANEW: i32 = 256;

/// And so is a number this far ahead: no network holds back that many packets.
const ANEW_AHEAD: i32 = 65_536;

/// Where positions start, so that packets older than the first one still have one.
const BASE: u64 = 1 << 32;

/// Follows the numbers of one track.
#[derive(Debug, Default)]
pub(crate) struct Sequence {
    newest: Option<Newest>,
}

#[derive(Debug)]
struct Newest {
    seq: u32,
    position: u64,
    /// A bit for each of the [`REMEMBERED`] positions up to the newest, which is bit 0.
    seen: u128,
}

/// One packet's place in its track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// One more from packet to packet, without wrapping.
    pub(crate) position: u64,
    /// Whether it has been here before. Not known of one too old to be remembered.
    pub(crate) repeated: bool,
    /// The sender has begun anew with this packet: nothing before it belongs to it.
    pub(crate) anew: bool,
}

impl Sequence {
    /// Takes note of a packet. Its position is the one nearest to the newest.
    pub(crate) fn arrive(&mut self, seq: u32) -> Arrival {
        let Some(newest) = &mut self.newest else {
            let position = BASE + u64::from(seq);
            self.newest = Some(Newest { seq, position, seen: 1 });
            return Arrival { position, repeated: false, anew: false };
        };
        let ahead = seq.wrapping_sub(newest.seq).cast_signed();
        if ahead <= -ANEW || ahead >= ANEW_AHEAD {
            // Leave room for packets of the new beginning that were overtaken by this one.
            let position = newest.position + u64::from(ANEW.cast_unsigned());
            *newest = Newest { seq, position, seen: 1 };
            return Arrival { position, repeated: false, anew: true };
        }
        let position = newest.position.saturating_add_signed(i64::from(ahead));
        if position > newest.position {
            let by = position - newest.position;
            let seen = if by < REMEMBERED { newest.seen << by | 1 } else { 1 };
            *newest = Newest { seq, position, seen };
            return Arrival { position, repeated: false, anew: false };
        }
        let back = newest.position - position;
        if back >= REMEMBERED {
            return Arrival { position, repeated: false, anew: false };
        }
        let repeated = newest.seen >> back & 1 == 1;
        newest.seen |= 1 << back;
        Arrival { position, repeated, anew: false }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wrapping_goes_on() {
        let mut sequence = Sequence::default();
        let first = sequence.arrive(u32::MAX - 1).position;
        assert_eq!(sequence.arrive(u32::MAX).position, first + 1);
        assert_eq!(sequence.arrive(1).position, first + 3);
        assert_eq!(sequence.arrive(0), Arrival { position: first + 2, repeated: false, anew: false });
        assert_eq!(sequence.arrive(0), Arrival { position: first + 2, repeated: true, anew: false });
        assert_eq!(sequence.arrive(u32::MAX), Arrival { position: first + 1, repeated: true, anew: false });
    }

    #[test]
    fn what_came_before_the_first_has_a_place() {
        let mut sequence = Sequence::default();
        let first = sequence.arrive(0).position;
        assert_eq!(sequence.arrive(u32::MAX).position, first - 1);
        assert_eq!(sequence.arrive(5).position, first + 5);
    }

    #[test]
    fn far_back_is_a_new_beginning() {
        let mut sequence = Sequence::default();
        let last = sequence.arrive(1000).position;
        assert!(!sequence.arrive(745).anew);
        let again = sequence.arrive(744);
        assert!(again.anew && again.position > last);
        assert_eq!(sequence.arrive(745), Arrival { position: again.position + 1, repeated: false, anew: false });
    }

    #[test]
    fn far_ahead_is_a_new_beginning_too() {
        let mut sequence = Sequence::default();
        let last = sequence.arrive(1000).position;
        let after_a_gap = sequence.arrive(1000 + 65_535);
        assert!(!after_a_gap.anew && after_a_gap.position > last);
        let again = sequence.arrive(1000 + 65_535 + 65_536);
        assert!(again.anew && again.position > after_a_gap.position);
    }

    proptest! {
        #[test]
        fn a_number_keeps_its_position(start: u32, steps in prop::collection::vec(0_u32..100, 1..300)) {
            let mut sequence = Sequence::default();
            let base = sequence.arrive(start).position;
            let mut seen = std::collections::HashSet::from([0]);
            for step in steps {
                let arrival = sequence.arrive(start.wrapping_add(step));
                prop_assert_eq!(arrival.position, base + u64::from(step));
                prop_assert_eq!(arrival.repeated, !seen.insert(step));
            }
        }

        #[test]
        fn no_numbers_make_it_panic_or_go_back_far(numbers in prop::collection::vec(any::<u32>(), 0..300)) {
            let mut sequence = Sequence::default();
            let mut highest = 0;
            for number in numbers {
                let position = sequence.arrive(number).position;
                prop_assert!(position + 256 > highest);
                highest = highest.max(position);
            }
        }
    }
}
