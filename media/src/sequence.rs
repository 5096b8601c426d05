//! Sequence numbers that wrap, made into ones that don't.

/// How far back arrivals are remembered, in packets: 2.5 s of sound, more than any repeat is late.
const REMEMBERED: u64 = 128;

/// Where numbering starts, so that packets older than the first one still have a place.
const BASE: u64 = 1 << 32;

/// Follows the numbers of one track.
#[derive(Debug, Default)]
pub(crate) struct Sequence {
    /// The highest position so far, and a bit for each of the [`REMEMBERED`] up to it: bit 0 is that position itself.
    newest: Option<(u64, u128)>,
}

/// One packet's place in its track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// Its position: one more from packet to packet, without wrapping.
    pub(crate) position: u64,
    /// Whether it has been here before. Not known of one too old to be remembered.
    pub(crate) repeated: bool,
}

impl Sequence {
    /// Takes note of a packet. The number is taken as the position nearest to the newest one.
    pub(crate) fn arrive(&mut self, seq: u32) -> Arrival {
        let Some((newest, seen)) = &mut self.newest else {
            let position = BASE + u64::from(seq);
            self.newest = Some((position, 1));
            return Arrival { position, repeated: false };
        };
        // The low half of a position is the number it came with, so the wrapped difference is the way to go.
        let ahead = seq.wrapping_sub(*newest as u32).cast_signed();
        let position = newest.saturating_add_signed(i64::from(ahead));
        if position > *newest {
            let by = position - *newest;
            *seen = if by < REMEMBERED { *seen << by | 1 } else { 1 };
            *newest = position;
            return Arrival { position, repeated: false };
        }
        let back = *newest - position;
        if back >= REMEMBERED {
            return Arrival { position, repeated: false };
        }
        let repeated = *seen >> back & 1 == 1;
        *seen |= 1 << back;
        Arrival { position, repeated }
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
        assert_eq!(sequence.arrive(0), Arrival { position: first + 2, repeated: false });
        assert_eq!(sequence.arrive(0), Arrival { position: first + 2, repeated: true });
        assert_eq!(sequence.arrive(u32::MAX), Arrival { position: first + 1, repeated: true });
    }

    #[test]
    fn what_came_before_the_first_has_a_place() {
        let mut sequence = Sequence::default();
        let first = sequence.arrive(0).position;
        assert_eq!(sequence.arrive(u32::MAX).position, first - 1);
        assert_eq!(sequence.arrive(5).position, first + 5);
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
        fn no_numbers_make_it_panic(numbers in prop::collection::vec(any::<u32>(), 0..300)) {
            let mut sequence = Sequence::default();
            for number in numbers {
                prop_assert_eq!(sequence.arrive(number).position as u32, number);
            }
        }
    }
}
