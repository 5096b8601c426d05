//! How much later than its pictures a peer's sound is.

use std::time::Duration;

use super::Delays;

/// Offsets that may have either sign, in microseconds: positive where the sound of a moment is heard later than its picture is shown,
/// negative where it is heard first. Each is exact to a thousandth.
#[derive(Clone, Debug, Default)]
pub struct Offsets {
    later: Delays,
    /// Their sizes.
    earlier: Delays,
    last: Option<i64>,
}

impl Offsets {
    /// Adds an offset; one of more than an hour counts as an hour.
    pub fn record(&mut self, micros: i64) {
        let side = if micros < 0 { &mut self.earlier } else { &mut self.later };
        side.record(Duration::from_micros(micros.unsigned_abs()));
        self.last = Some(micros);
    }

    /// Adds all the offsets of another distribution.
    pub fn add(&mut self, other: &Self) {
        self.later.add(&other.later);
        self.earlier.add(&other.earlier);
        self.last = other.last.or(self.last);
    }

    /// Those that were added after `before` was what it is.
    #[must_use]
    pub fn since(&self, before: Option<&Self>) -> Self {
        Self {
            later: self.later.since(before.map(|before| &before.later)),
            earlier: self.earlier.since(before.map(|before| &before.earlier)),
            last: self.last,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.later.count() + self.earlier.count()
    }

    /// The one added last, in microseconds.
    #[must_use]
    pub fn last(&self) -> Option<i64> {
        self.last
    }

    /// The offset that the share `quantile` (0 to 1) doesn't exceed, in microseconds; `None` if there are none.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<i64> {
        let (earlier, later) = (self.earlier.count() as f64, self.later.count() as f64);
        let rank = quantile.clamp(0.0, 1.0) * (earlier + later);
        let micros = |delay: Duration| i64::try_from(delay.as_micros()).unwrap_or(i64::MAX);
        if rank <= earlier && earlier > 0.0 {
            // The earliest are the largest.
            self.earlier.quantile(1.0 - rank / earlier).map(|delay| -micros(delay))
        } else {
            self.later.quantile((rank - earlier) / later.max(1.0)).map(micros)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_of_both_signs_tell_their_quantiles() {
        let mut offsets = Offsets::default();
        assert_eq!((offsets.count(), offsets.quantile(0.5), offsets.last()), (0, None, None));
        (-20..=79).for_each(|ms| offsets.record(ms * 1_000));
        let near = |quantile, ms: i64| {
            let is = offsets.quantile(quantile).unwrap();
            assert!(is.abs_diff(ms * 1_000) < 1_200, "{quantile}: {is}");
        };
        near(0.0, -20);
        near(0.05, -15);
        near(0.2, 0);
        near(0.5, 29);
        near(0.95, 74);
        near(1.0, 79);
        assert_eq!((offsets.count(), offsets.last()), (100, Some(79_000)));
    }

    #[test]
    fn offsets_of_one_sign_alone_and_of_a_time_alone() {
        let mut offsets = Offsets::default();
        (1..=10).for_each(|ms| offsets.record(-ms * 1_000));
        assert!(offsets.quantile(0.95).unwrap() >= -1_100 && offsets.quantile(0.0).unwrap() <= -9_900);
        let before = offsets.clone();
        offsets.record(50_000);
        let since = offsets.since(Some(&before));
        assert_eq!((since.count(), since.quantile(0.5).unwrap() / 1_000), (1, 50));
        let mut both = before;
        both.add(&since);
        assert_eq!((both.count(), both.last()), (11, Some(50_000)));
    }
}
