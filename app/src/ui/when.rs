//! Times as people read them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Datelike, Local, NaiveDate, TimeZone, Utc};

/// Whose clock the times on the screen follow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Zone {
    #[default]
    Local,
    /// The same on every machine, for tests.
    Utc,
}

impl Zone {
    /// Hour and minute of a time in milliseconds since 1970-01-01 UTC.
    pub fn clock(self, ms: u64) -> String {
        self.format(ms, "%H:%M")
    }

    /// The day it falls on.
    pub fn day(self, ms: u64) -> NaiveDate {
        match self {
            Self::Local => instant(ms).with_timezone(&Local).date_naive(),
            Self::Utc => instant(ms).date_naive(),
        }
    }

    /// What to call that day when it is read at `now_ms`.
    pub fn day_name(self, ms: u64, now_ms: u64) -> String {
        let (day, today) = (self.day(ms), self.day(now_ms));
        match (today - day).num_days() {
            0 => "Today".to_owned(),
            1 => "Yesterday".to_owned(),
            _ if day.year() == today.year() => self.format(ms, "%A, %-d %B"),
            _ => self.format(ms, "%-d %B %Y"),
        }
    }

    /// When someone was last seen, read at `now_ms`.
    pub fn last_seen(self, ms: u64, now_ms: u64) -> String {
        match (self.day(now_ms) - self.day(ms)).num_days() {
            0 => format!("Last seen at {}", self.clock(ms)),
            1 => format!("Last seen yesterday at {}", self.clock(ms)),
            _ => format!("Last seen on {}", self.day_name(ms, now_ms)),
        }
    }

    fn format(self, ms: u64, form: &str) -> String {
        match self {
            Self::Local => instant(ms).with_timezone(&Local).format(form).to_string(),
            Self::Utc => instant(ms).format(form).to_string(),
        }
    }
}

/// Milliseconds since 1970-01-01 UTC.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// How long something has lasted: `4:05`, `1:02:03`.
pub fn lasted(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

fn instant(ms: u64) -> DateTime<Utc> {
    // A time no calendar has comes from a broken clock; it must not take the window down.
    i64::try_from(ms).ok().and_then(|ms| Utc.timestamp_millis_opt(ms).single()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 60 * 60 * 1000;
    /// 2026-03-05 14:07 UTC.
    const NOON: u64 = 1_772_719_620_000;

    #[test]
    fn times_read_like_a_clock() {
        assert_eq!(Zone::Utc.clock(NOON), "14:07");
        assert_eq!(lasted(Duration::from_secs(245)), "4:05");
        assert_eq!(lasted(Duration::from_secs(3723)), "1:02:03");
        assert_eq!(Zone::Utc.clock(u64::MAX), "00:00");
    }

    #[test]
    fn it_is_said_when_someone_was_last_seen() {
        assert_eq!(Zone::Utc.last_seen(NOON, NOON + 1), "Last seen at 14:07");
        assert_eq!(Zone::Utc.last_seen(NOON, NOON + DAY), "Last seen yesterday at 14:07");
        assert_eq!(Zone::Utc.last_seen(NOON, NOON + 3 * DAY), "Last seen on Thursday, 5 March");
    }

    #[test]
    fn days_have_names() {
        assert_eq!(Zone::Utc.day_name(NOON, NOON + 1), "Today");
        assert_eq!(Zone::Utc.day_name(NOON, NOON + DAY), "Yesterday");
        assert_eq!(Zone::Utc.day_name(NOON, NOON + 3 * DAY), "Thursday, 5 March");
        assert_eq!(Zone::Utc.day_name(NOON, NOON + 400 * DAY), "5 March 2026");
    }
}
