//! The time base of a track.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A time on a track's own clock, in microseconds since its source started.
///
/// Arithmetic saturates: a wild time off the network makes a wild difference, not a panic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaTime(pub u64);

impl MediaTime {
    /// The start of a track.
    pub const ZERO: Self = Self(0);

    /// Microseconds since the track's source started.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Time since the track's source started.
    #[must_use]
    pub const fn since_start(self) -> Duration {
        Duration::from_micros(self.0)
    }

    /// Time from `earlier` to this, or `None` when `earlier` is later.
    #[must_use]
    pub const fn checked_since(self, earlier: Self) -> Option<Duration> {
        match self.0.checked_sub(earlier.0) {
            Some(micros) => Some(Duration::from_micros(micros)),
            None => None,
        }
    }
}

impl From<Duration> for MediaTime {
    /// A duration since the source's start; more than 584,000 years is taken as that.
    fn from(since_start: Duration) -> Self {
        Self(u64::try_from(since_start.as_micros()).unwrap_or(u64::MAX))
    }
}

impl Add<Duration> for MediaTime {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(Self::from(duration).0))
    }
}

impl Sub<Duration> for MediaTime {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(Self::from(duration).0))
    }
}

impl Sub for MediaTime {
    type Output = Duration;

    /// Time from `earlier` to this; zero when `earlier` is later.
    fn sub(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for MediaTime {
    /// Seconds and microseconds: `12.034567 s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06} s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let second = Duration::from_secs(1);
        assert_eq!(MediaTime(500) - second, MediaTime::ZERO);
        assert_eq!(MediaTime(u64::MAX) + second, MediaTime(u64::MAX));
        assert_eq!(MediaTime(1) - MediaTime(2), Duration::ZERO);
        assert_eq!(MediaTime(1).checked_since(MediaTime(2)), None);
        assert_eq!(MediaTime(1_000_002) - MediaTime(2), second);
        assert_eq!(MediaTime::from(Duration::MAX), MediaTime(u64::MAX));
        assert_eq!(MediaTime(1) + second, MediaTime(1_000_001));
    }

    #[test]
    fn displays_seconds_and_micros() {
        assert_eq!(MediaTime(12_034_567).to_string(), "12.034567 s");
    }
}
