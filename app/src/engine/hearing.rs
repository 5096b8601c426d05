//! Who hears: what the answers to uploads say, and for how long that is believed.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use proto::PeerId;

/// Taken back this long after the last answer that said so. Together with what the relay and the report of the one who hears take, that is less
/// than 2 s after a cut anywhere.
const BELIEVED: Duration = Duration::from_millis(500);

/// Who plays this one's sound.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    said: BTreeMap<PeerId, Instant>,
    last: Vec<PeerId>,
}

impl Hearing {
    /// An answer names these.
    pub(super) fn told(&mut self, heard_by: &[PeerId], now: Instant) {
        self.said.extend(heard_by.iter().map(|peer| (*peer, now)));
    }

    /// Who hears now.
    pub(super) fn now(&self, now: Instant) -> Vec<PeerId> {
        let believed = |at: &Instant| now.saturating_duration_since(*at) <= BELIEVED;
        self.said.iter().filter(|(_, at)| believed(at)).map(|(peer, _)| *peer).collect()
    }

    /// Who hears now, if that isn't what was given last.
    pub(super) fn changed(&mut self, now: Instant) -> Option<Vec<PeerId>> {
        let hear = self.now(now);
        self.said.retain(|peer, _| hear.contains(peer));
        (hear != self.last).then(|| self.last.clone_from(&hear))?;
        Some(hear)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_hears_is_told_once_and_taken_back_when_no_answer_says_so() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut hearing = Hearing::default();
        assert_eq!(hearing.changed(at(0)), None);
        hearing.told(&[PeerId(2)], at(0));
        assert_eq!(hearing.changed(at(10)), Some(vec![PeerId(2)]));
        hearing.told(&[PeerId(2)], at(400));
        hearing.told(&[], at(500));
        assert_eq!(hearing.changed(at(900)), None);
        assert_eq!(hearing.now(at(900)), [PeerId(2)]);
        assert_eq!(hearing.changed(at(901)), Some(vec![]));
        assert_eq!(hearing.changed(at(902)), None);
    }
}
