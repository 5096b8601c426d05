//! The header `Range` of RFC 9110: one range of bytes, so that a download that broke off goes on where it was.

use crate::text::digits;

/// Which part of a content is wanted: the first byte and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) start: u64,
    pub(crate) length: u64,
}

/// The one range that the header names in a content of `size` bytes; `None` is all of it. That is what RFC 9110 lets a server answer where
/// it can't read the header, where there are several ranges, and where the range lies outside.
pub(crate) fn part(header: &str, size: u64) -> Option<Part> {
    let (first, last) = header.trim().strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = if first.is_empty() {
        (size.checked_sub(digits::<u64>(last)?.min(size))?, size)
    } else {
        let end = if last.is_empty() { size } else { digits::<u64>(last)?.checked_add(1)?.min(size) };
        (digits(first)?, end)
    };
    (start < end).then_some(Part { start, length: end - start })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_read_and_everything_else_is_all_of_it() {
        for (header, expected) in [
            ("bytes=0-4", Some((0, 5))),
            ("bytes=3-", Some((3, 7))),
            ("bytes=9-9", Some((9, 1))),
            ("bytes=5-999", Some((5, 5))),
            ("bytes=-3", Some((7, 3))),
            ("bytes=-999", Some((0, 10))),
            ("bytes=10-", None),
            ("bytes=4-3", None),
            ("bytes=-0", None),
            ("bytes=-", None),
            ("bytes=0-1,3-4", None),
            ("bytes=+1-2", None),
            ("bytes= 1-2", None),
            ("bytes=18446744073709551615-18446744073709551615", None),
            ("bytes=99999999999999999999-", None),
            ("lines=1-2", None),
            ("", None),
        ] {
            assert_eq!(part(header, 10), expected.map(|(start, length)| Part { start, length }), "{header}");
        }
        assert_eq!(part("bytes=0-", 0), None);
    }
}
