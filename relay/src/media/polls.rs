//! The numbered polls of one reader: which wait, which were answered, and with what.

use std::collections::BTreeMap;

use bytes::Bytes;
use proto::limits::REPLAY_MAX;

/// Bytes of answers kept for repeating: a second of a rich picture. Past it the oldest are forgotten first.
const REPLAY_BYTES: usize = 2 * 1024 * 1024;

/// What is to be done with a poll that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It was answered before: the same again.
    Repeat(Bytes),
    /// It was answered so long ago that nobody knows with what. What was in it is too old to be played, so the answer is an empty
    /// one: the reader sees what it misses by the sequence numbers, and its later polls go on.
    Forgotten,
    /// It is new.
    New,
}

/// Names one parked poll, so that a handler that goes away takes back its own and not its successor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// `W` is whoever waits for the answer.
#[derive(Debug)]
pub(crate) struct Polls<W> {
    parked: BTreeMap<u64, (Ticket, W)>,
    answered: BTreeMap<u64, Bytes>,
    answered_bytes: usize,
    /// Answers to polls below this number are forgotten.
    forgotten: u64,
    next_ticket: u64,
}

impl<W> Polls<W> {
    pub(crate) fn new() -> Self {
        Self { parked: BTreeMap::new(), answered: BTreeMap::new(), answered_bytes: 0, forgotten: 0, next_ticket: 0 }
    }

    /// A poll of this number came in.
    pub(crate) fn turn(&self, number: u64) -> Turn {
        match self.answered.get(&number) {
            Some(answer) => Turn::Repeat(answer.clone()),
            None if number < self.forgotten => Turn::Forgotten,
            None => Turn::New,
        }
    }

    /// Lets a poll wait. The one it replaces, if any, is given back to be answered empty.
    pub(crate) fn park(&mut self, number: u64, waiter: W) -> (Ticket, Option<W>) {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        let replaced = self.parked.insert(number, (ticket, waiter));
        (ticket, replaced.map(|(_, waiter)| waiter))
    }

    /// How many wait.
    pub(crate) fn parked(&self) -> usize {
        self.parked.len()
    }

    /// Whether a poll of this number waits.
    pub(crate) fn is_parked(&self, number: u64) -> bool {
        self.parked.contains_key(&number)
    }

    /// Takes the waiting poll that is answered next: the lowest.
    pub(crate) fn next(&mut self) -> Option<(u64, W)> {
        self.parked.pop_first().map(|(number, (_, waiter))| (number, waiter))
    }

    /// Remembers an answer.
    pub(crate) fn remember(&mut self, number: u64, answer: Bytes) {
        self.answered_bytes += answer.len();
        if let Some(before) = self.answered.insert(number, answer) {
            self.answered_bytes -= before.len();
        }
        while self.answered.len() > REPLAY_MAX || (self.answered_bytes > REPLAY_BYTES && self.answered.len() > 1) {
            let Some((number, answer)) = self.answered.pop_first() else { break };
            self.answered_bytes -= answer.len();
            self.forgotten = self.forgotten.max(number + 1);
        }
    }

    /// The handler that waited is gone or its time is over. Whether it still waited: if not, an answer is on its way to it.
    pub(crate) fn leave(&mut self, number: u64, ticket: Ticket) -> bool {
        let waits = self.parked.get(&number).is_some_and(|(parked, _)| *parked == ticket);
        if waits {
            self.parked.remove(&number);
        }
        waits
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_lowest_is_answered_first_and_an_answer_can_be_had_again() {
        let mut polls = Polls::new();
        for number in [3, 1, 2] {
            assert_eq!(polls.turn(number), Turn::New);
            assert_eq!(polls.park(number, number).1, None);
        }
        assert_eq!(polls.next(), Some((1, 1)));
        polls.remember(1, Bytes::from_static(b"one"));
        assert_eq!(polls.turn(1), Turn::Repeat(Bytes::from_static(b"one")));
        assert_eq!(polls.next(), Some((2, 2)));
    }

    #[test]
    fn a_repeated_number_replaces_the_older_and_outlives_its_handler() {
        let mut polls = Polls::new();
        let (old, _) = polls.park(1, "old");
        let (new, replaced) = polls.park(1, "new");
        assert_eq!(replaced, Some("old"));
        assert!(!polls.leave(1, old));
        assert_eq!(polls.parked(), 1);
        assert!(polls.leave(1, new));
        assert_eq!(polls.next(), None);
        assert!(!polls.leave(1, new));
    }

    proptest! {
        #[test]
        fn what_is_remembered_is_bounded_and_never_parks_again(numbers in prop::collection::vec(1_u64..200, 1..300)) {
            let mut polls = Polls::<()>::new();
            let mut answered = std::collections::HashMap::new();
            for number in numbers {
                let answer = Bytes::from(vec![number.to_le_bytes()[0]; 40_000]);
                match polls.turn(number) {
                    Turn::New => {
                        prop_assert!(!answered.contains_key(&number));
                        answered.insert(number, answer.clone());
                        polls.remember(number, answer);
                    }
                    Turn::Repeat(again) => prop_assert_eq!(Some(&again), answered.get(&number)),
                    Turn::Forgotten => {}
                }
                prop_assert!(polls.answered.len() <= REPLAY_MAX);
                prop_assert!(polls.answered_bytes <= REPLAY_BYTES);
                prop_assert_eq!(polls.answered.values().map(Bytes::len).sum::<usize>(), polls.answered_bytes);
            }
        }
    }
}
