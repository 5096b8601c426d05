//! What readers report of the media that come to them, for each publisher.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use proto::{
    PeerId,
    api::{Feedback, Received},
    limits::{HEARD_FRESH, RECEPTION_FRESH},
};

/// One reader's last word on one publisher.
#[derive(Clone, Copy, Debug)]
struct Word {
    at: Instant,
    delay_ms: Option<u32>,
    received_bps: u32,
    round_trip_ms: Option<u32>,
    heard: Option<Instant>,
}

/// By publisher and reader: at most one word for each pair of peers.
#[derive(Debug, Default)]
pub(super) struct Receptions(BTreeMap<PeerId, BTreeMap<PeerId, Word>>);

impl Receptions {
    /// A reader speaks of one publisher.
    pub(super) fn report(&mut self, reader: PeerId, received: &Received, now: Instant) {
        let words = self.0.entry(received.peer).or_default();
        let heard_before = words.get(&reader).and_then(|word| word.heard);
        let heard = if received.heard_ms > 0 { Some(now) } else { heard_before };
        let Received { delay_ms, received_bps, round_trip_ms, .. } = *received;
        words.insert(reader, Word { at: now, delay_ms, received_bps, round_trip_ms, heard });
    }

    /// The peer is gone, as a publisher and as a reader.
    pub(super) fn leave(&mut self, peer: PeerId) {
        self.0.remove(&peer);
        for words in self.0.values_mut() {
            words.remove(&peer);
        }
    }

    /// Adds what a publisher must know of it.
    ///
    /// Of several readers it is the second worst who counts: the worst one alone would take the picture from all the others, and the relay skips
    /// for it anyway.
    pub(super) fn tell(&self, publisher: PeerId, now: Instant, feedback: &mut Feedback) {
        let Some(words) = self.0.get(&publisher) else { return };
        let within = |at: Instant, fresh: Duration| now.saturating_duration_since(at) <= fresh;
        let (mut worst, mut second) = (None, None);
        for (reader, word) in words {
            if word.heard.is_some_and(|heard| within(heard, HEARD_FRESH)) {
                feedback.heard_by.push(*reader);
            }
            let Some(delay_ms) = word.delay_ms.filter(|_| within(word.at, RECEPTION_FRESH)) else { continue };
            let this = Some((delay_ms, word.received_bps, word.round_trip_ms));
            if this > worst {
                (worst, second) = (this, worst);
            } else {
                second = second.max(this);
            }
        }
        if let Some((delay_ms, received_bps, round_trip_ms)) = second.or(worst) {
            (feedback.delay_ms, feedback.received_bps) = (Some(delay_ms), Some(received_bps));
            feedback.round_trip_ms = round_trip_ms;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: PeerId = PeerId(1);

    struct Bench {
        start: Instant,
        receptions: Receptions,
    }

    impl Bench {
        fn new() -> Self {
            Self { start: Instant::now(), receptions: Receptions::default() }
        }

        fn report(&mut self, reader: u16, ms: u64, delay_ms: Option<u32>, heard_ms: u32) {
            let received = Received {
                peer: ANA,
                delay_ms,
                received_bps: 1000 * u32::from(reader),
                heard_ms,
                round_trip_ms: Some(u32::from(reader)),
            };
            self.receptions.report(PeerId(reader), &received, self.start + Duration::from_millis(ms));
        }

        fn told(&self, ms: u64) -> (Option<u32>, Option<u32>, Vec<u16>) {
            let mut feedback = Feedback::default();
            self.receptions.tell(ANA, self.start + Duration::from_millis(ms), &mut feedback);
            assert_eq!(feedback.round_trip_ms.map(|ms| ms * 1000), feedback.received_bps, "of the same reader");
            (feedback.delay_ms, feedback.received_bps, feedback.heard_by.iter().map(|peer| peer.0).collect())
        }
    }

    #[test]
    fn the_only_reader_is_believed_while_its_word_is_fresh() {
        let mut bench = Bench::new();
        assert_eq!(bench.told(0), (None, None, vec![]));
        bench.report(2, 0, Some(80), 0);
        assert_eq!(bench.told(1500), (Some(80), Some(2000), vec![]));
        assert_eq!(bench.told(1501), (None, None, vec![]));
        bench.report(2, 1600, None, 0);
        assert_eq!(bench.told(1600), (None, None, vec![]), "nothing came there");
    }

    #[test]
    fn one_slow_reader_of_several_does_not_decide() {
        let mut bench = Bench::new();
        bench.report(2, 0, Some(900), 0);
        bench.report(3, 0, Some(10), 0);
        assert_eq!(bench.told(0).0, Some(10));
        bench.report(4, 0, Some(60), 0);
        assert_eq!(bench.told(0), (Some(60), Some(4000), vec![]));
        bench.report(5, 0, Some(900), 0);
        assert_eq!(bench.told(0).0, Some(900), "two are too slow: it is no longer the one");
        bench.receptions.leave(PeerId(5));
        assert_eq!(bench.told(0).0, Some(60));
    }

    #[test]
    fn who_hears_is_told_until_no_report_says_so_any_more() {
        let mut bench = Bench::new();
        bench.report(2, 0, Some(1), 20);
        bench.report(3, 100, None, 240);
        assert_eq!(bench.told(200).2, [2, 3]);
        // A pause of the talk: some reports have nothing of it.
        bench.report(2, 250, Some(1), 0);
        assert_eq!(bench.told(900).2, [2, 3]);
        assert_eq!(bench.told(901).2, [3]);
        assert_eq!(bench.told(1001).2, [] as [u16; 0]);
        bench.receptions.leave(ANA);
        assert_eq!(bench.told(100), (None, None, vec![]));
    }
}
