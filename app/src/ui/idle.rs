//! For how long the person has done nothing in this program's windows.
//!
//! Other programs' windows are not looked at: whoever reads beside this one for long counts as away, and is back with the first move here.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use iced::{Event, Subscription, event, window};
use proto::limits::AWAY;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// When something was last done, in milliseconds since the start. One for the whole program, whose person is one.
static LAST: AtomicU64 = AtomicU64::new(0);

/// Says so when the person is back after they were away; every other move is noted without a message, so that no window is drawn for it.
pub fn subscription() -> Subscription<()> {
    event::listen_with(hear)
}

pub fn since_input() -> Duration {
    START.elapsed().saturating_sub(Duration::from_millis(LAST.load(Ordering::Relaxed)))
}

fn hear(event: Event, _: event::Status, _: window::Id) -> Option<()> {
    if !matches!(event, Event::Keyboard(_) | Event::Mouse(_) | Event::Touch(_)) {
        return None;
    }
    note(&LAST, START.elapsed()).then_some(())
}

/// Notes that something was done at `now`. Whether that ends a time of being away.
fn note(last: &AtomicU64, now: Duration) -> bool {
    let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let before = last.fetch_max(now_ms, Ordering::Relaxed);
    Duration::from_millis(now_ms.saturating_sub(before)) >= AWAY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_move_after_a_long_while_is_told() {
        let last = AtomicU64::new(0);
        assert!(!note(&last, Duration::from_secs(1)));
        assert!(!note(&last, Duration::from_secs(1) + AWAY - Duration::from_millis(1)));
        assert!(note(&last, AWAY * 3));
        assert!(!note(&last, AWAY * 3), "he is back already");
        assert!(!note(&last, AWAY), "the clock of another thread is a little behind");
    }
}
