//! What happened to one session since it last said what it knows: numbered, bounded, forgotten once acknowledged.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};
use proto::Cursor;

/// Events kept for a session that doesn't fetch them. Past that it reads the whole state anew, which is shorter.
const EVENTS_MAX: usize = 1024;

/// The same in bytes.
const BYTES_MAX: usize = 512 * 1024;

/// An answer takes no further event past this many bytes, as with media: filters hold larger bodies back.
const ANSWER_SOFT_MAX: usize = proto::limits::POLL_SOFT_MAX;

/// The events after this cursor aren't kept any more, or never were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CursorExpired;

/// The events of one session that it has not acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    /// Each is one event as JSON; sessions told the same share it.
    events: VecDeque<Bytes>,
    bytes: usize,
    /// Number of the newest event dropped, acknowledged or not.
    dropped: u64,
}

impl Feed {
    /// Adds an event. When there are too many all are dropped: half a story is worse than none.
    pub(crate) fn push(&mut self, event: Bytes) {
        self.bytes += event.len();
        self.events.push_back(event);
        if self.events.len() > EVENTS_MAX || self.bytes > BYTES_MAX {
            self.clear();
        }
    }

    /// Forgets everything; cursors given out before expire.
    pub(crate) fn clear(&mut self) {
        self.dropped += self.events.len() as u64;
        self.events.clear();
        self.bytes = 0;
    }

    /// Number of the newest event.
    pub(crate) fn newest(&self) -> u64 {
        self.dropped + self.events.len() as u64
    }

    /// The cursor after the newest event.
    pub(crate) fn cursor(&self, epoch: &str) -> Cursor {
        cursor(epoch, self.newest())
    }

    /// Acknowledges all up to the cursor and gives the body of an answer with those after it; `None` when there are none.
    pub(crate) fn after(&mut self, after: &Cursor, epoch: &str) -> Result<Option<Bytes>, CursorExpired> {
        let number =
            number(after, epoch).filter(|number| (self.dropped..=self.newest()).contains(number)).ok_or(CursorExpired)?;
        while self.dropped < number {
            self.dropped += 1;
            self.bytes -= self.events.pop_front().map_or(0, |event| event.len());
        }
        if self.events.is_empty() {
            return Ok(None);
        }
        let mut taken = Vec::new();
        let mut bytes = 0;
        for event in &self.events {
            if bytes + event.len() > ANSWER_SOFT_MAX && !taken.is_empty() {
                break;
            }
            bytes += event.len();
            taken.push(event);
        }
        Ok(Some(body(&taken, &cursor(epoch, number + taken.len() as u64))))
    }
}

/// The answer with no events, at the end of the wait.
pub(crate) fn nothing_after(after: &Cursor) -> Bytes {
    body(&[], after)
}

/// `{"events":[..],"cursor":".."}` around events that are JSON already.
fn body(events: &[&Bytes], cursor: &Cursor) -> Bytes {
    let mut body = BytesMut::with_capacity(64 + events.iter().map(|event| event.len() + 1).sum::<usize>());
    body.put_slice(b"{\"events\":[");
    for (at, event) in events.iter().enumerate() {
        if at > 0 {
            body.put_u8(b',');
        }
        body.put_slice(event);
    }
    body.put_slice(b"],\"cursor\":\"");
    // A cursor of ours has no character that JSON escapes, and one that isn't ours has expired.
    body.put_slice(cursor.as_str().as_bytes());
    body.put_slice(b"\"}");
    body.freeze()
}

fn cursor(epoch: &str, number: u64) -> Cursor {
    Cursor::new(format!("{epoch}.{number}"))
}

fn number(cursor: &Cursor, epoch: &str) -> Option<u64> {
    let digits = cursor.as_str().strip_prefix(epoch)?.strip_prefix('.')?;
    let number = digits.parse::<u64>().ok()?;
    // "+1" and "01" are no cursors of ours.
    (number.to_string() == digits).then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proto::{Event, api::Events};

    use super::*;

    fn event(number: u64) -> Bytes {
        serde_json::to_vec(&Event::Goodbye { retry_after_ms: number }).unwrap().into()
    }

    fn read(body: &Bytes) -> (Vec<u64>, Cursor) {
        let events: Events = serde_json::from_slice(body).unwrap();
        let numbers = events.events.iter().map(|event| match event {
            Event::Goodbye { retry_after_ms } => *retry_after_ms,
            other => panic!("{other:?}"),
        });
        (numbers.collect(), events.cursor)
    }

    #[test]
    fn unacknowledged_events_come_again_and_acknowledged_ones_are_gone() {
        let mut feed = Feed::default();
        let start = feed.cursor("e");
        assert_eq!(feed.after(&start, "e"), Ok(None));
        feed.push(event(1));
        feed.push(event(2));
        let (numbers, cursor) = read(&feed.after(&start, "e").unwrap().unwrap());
        assert_eq!(numbers, [1, 2]);
        assert_eq!(read(&feed.after(&start, "e").unwrap().unwrap()).0, [1, 2]);
        assert_eq!(feed.after(&cursor, "e"), Ok(None));
        assert_eq!(feed.after(&start, "e"), Err(CursorExpired));
        assert_eq!(read(&nothing_after(&cursor)), (vec![], cursor));
    }

    #[test]
    fn another_run_another_format_and_the_future_have_expired() {
        let mut feed = Feed::default();
        for bad in ["f.0", "e.1", "e", "e.", "e.+0", "e.00", "", "e.\"0"] {
            assert_eq!(feed.after(&Cursor::new(bad), "e"), Err(CursorExpired), "{bad}");
        }
        assert_eq!(feed.after(&Cursor::new("e.0"), "e"), Ok(None));
    }

    #[test]
    fn a_session_that_never_fetches_is_sent_back_to_the_state() {
        let mut feed = Feed::default();
        let start = feed.cursor("e");
        for number in 0..=EVENTS_MAX as u64 {
            feed.push(event(number));
        }
        assert_eq!(feed.after(&start, "e"), Err(CursorExpired));
        let now = feed.cursor("e");
        assert_eq!(feed.after(&now, "e"), Ok(None));
    }

    proptest! {
        #[test]
        fn every_event_is_read_once_and_in_order(steps in prop::collection::vec((any::<bool>(), 0_usize..40_000), 1..100)) {
            let mut feed = Feed::default();
            let (mut cursor, mut pushed, mut seen) = (feed.cursor("e"), 0, Vec::new());
            for (fetch, padding) in steps {
                if fetch {
                    if let Some(body) = feed.after(&cursor, "e").unwrap() {
                        let (numbers, next) = read(&body);
                        seen.extend(numbers);
                        cursor = next;
                    }
                } else if feed.bytes + padding + 100 < BYTES_MAX {
                    let mut json = event(pushed).to_vec();
                    json.extend(std::iter::repeat_n(b' ', padding));
                    feed.push(json.into());
                    pushed += 1;
                }
            }
            while let Some(body) = feed.after(&cursor, "e").unwrap() {
                let (numbers, next) = read(&body);
                seen.extend(numbers);
                cursor = next;
            }
            prop_assert_eq!(seen, (0..pushed).collect::<Vec<_>>());
            prop_assert_eq!(feed.bytes, 0);
        }
    }
}
