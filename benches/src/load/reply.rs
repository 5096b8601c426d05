//! Answers, read where they lie.

use anyhow::Context;

use super::Answer;

/// One answer, borrowed from the buffer it came in.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// HTTP status.
    pub status: u16,
    head: &'a [u8],
    /// The whole body.
    pub body: &'a [u8],
}

impl<'a> Reply<'a> {
    /// The first answer of these bytes and its length; `None` while it isn't all there.
    pub(super) fn read(bytes: &'a [u8]) -> anyhow::Result<Option<(Self, usize)>> {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
        let (head, rest) = (&bytes[..end + 2], &bytes[end + 4..]);
        let status = head.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()).and_then(|digits| digits.parse().ok());
        let mut reply = Self { status: status.context("an answer without a status")?, head, body: &[] };
        let length = match reply.header("content-length") {
            Some(length) => length.parse::<usize>().context("a length that is none")?,
            // These two have no body.
            None if matches!(reply.status, 204 | 304) => 0,
            None => anyhow::bail!("an answer without a length: {}", String::from_utf8_lossy(head)),
        };
        if rest.len() < length {
            return Ok(None);
        }
        reply.body = &rest[..length];
        Ok(Some((reply, end + 4 + length)))
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.head.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
            let (key, value) = line.split_at_checked(name.len())?;
            let value = value.strip_prefix(b":").filter(|_| key.eq_ignore_ascii_case(name.as_bytes()))?;
            std::str::from_utf8(value.trim_ascii()).ok()
        })
    }

    /// What is left of it when the buffer is used again.
    #[must_use]
    pub fn keep(&self) -> Answer {
        Answer { status: self.status, body: self.body.to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[u8] = b"HTTP/1.1 200 OK\r\nETag: a\r\ncontent-LENGTH: 3\r\n\r\nabcHTTP/1.1 204 No Content\r\n\r\n";

    #[test]
    fn answers_are_read_one_after_the_other() {
        let (first, length) = Reply::read(TWO).unwrap().unwrap();
        assert_eq!((first.status, first.body, first.header("etag"), first.header("tag")), (200, &b"abc"[..], Some("a"), None));
        let (second, rest) = Reply::read(&TWO[length..]).unwrap().unwrap();
        assert_eq!((second.status, second.body, length + rest), (204, &b""[..], TWO.len()));
    }

    #[test]
    fn half_an_answer_is_waited_for_and_one_without_end_refused() {
        let (_, length) = Reply::read(TWO).unwrap().unwrap();
        assert!((0..length).all(|cut| Reply::read(&TWO[..cut]).unwrap().is_none()));
        assert!(Reply::read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
    }
}
