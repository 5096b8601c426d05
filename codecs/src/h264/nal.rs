//! What an access unit holds, checked before the C++ decoder sees it.

use super::sps;
use crate::Error;

/// What an access unit is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contents {
    /// Parameter sets and the like, no picture.
    Parameters,
    /// A picture that builds on others.
    Picture,
    /// A picture that decoding can start with.
    Keyframe,
}

/// Looks through the NAL units of an access unit (ITU-T H.264, 7.3.1 and annex B).
///
/// Only what a plain stream is made of may pass: data partitions, auxiliary pictures and the layers of annexes F to J are
/// so rarely used that they are where a decoder's bugs live.
///
/// # Errors
/// [`Error::H264Syntax`], [`Error::H264Unit`], or what [`sps::check`] objects to.
pub(super) fn inspect(access_unit: &[u8]) -> Result<Contents, Error> {
    let mut contents = Contents::Parameters;
    let mut begin = start_code(access_unit, 0).ok_or(Error::H264Syntax)?;
    if access_unit[..begin].iter().any(|&byte| byte != 0) {
        return Err(Error::H264Syntax);
    }
    loop {
        begin += START_CODE;
        let end = start_code(access_unit, begin);
        let unit = &access_unit[begin..end.unwrap_or(access_unit.len())];
        match unit.first().ok_or(Error::H264Syntax)? & 0x1f {
            1 => contents = if contents == Contents::Parameters { Contents::Picture } else { contents },
            5 => contents = Contents::Keyframe,
            7 => sps::check(&unit[1..])?,
            // Enhancement information, picture parameters, delimiter, ends, filler.
            6 | 8..=12 => {}
            kind => return Err(Error::H264Unit { kind }),
        }
        match end {
            Some(next) => begin = next,
            None => return Ok(contents),
        }
    }
}

/// Bytes of 00 00 01.
const START_CODE: usize = 3;

/// Where the next 00 00 01 begins.
fn start_code(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    // The third byte tells most: when it is over 1, no start code can begin at any of the three.
    while let Some(window) = bytes.get(at..at + START_CODE) {
        match window {
            [0, 0, 1] => return Some(at),
            [_, _, 2..=255] => at += 3,
            [_, 1..=255, _] => at += 2,
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn start_codes_are_found_where_they_are(bytes in proptest::collection::vec(0..4_u8, 0..200), from in 0..200_usize) {
            let expected = bytes.windows(3).enumerate().position(|(at, window)| at >= from && window == [0, 0, 1]);
            prop_assert_eq!(start_code(&bytes, from), expected);
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(0..32_u8, 0..100)) {
            let _ = inspect(&[&[0, 0, 1, 7], bytes.as_slice()].concat());
            let _ = inspect(&bytes);
        }
    }

    #[test]
    fn kinds_are_told_apart() {
        let unit = |kind: u8| vec![0, 0, 0, 1, 0x60 | kind, 9, 9];
        let kinds = |kinds: &[u8]| inspect(&kinds.iter().flat_map(|&kind| unit(kind)).collect::<Vec<_>>());
        assert_eq!(kinds(&[9, 8, 6]).unwrap(), Contents::Parameters);
        assert_eq!(kinds(&[9, 1, 1]).unwrap(), Contents::Picture);
        assert_eq!(kinds(&[8, 5, 5]).unwrap(), Contents::Keyframe);
        for kind in [0, 2, 3, 4, 13, 14, 15, 19, 20, 21, 24, 31] {
            assert!(matches!(kinds(&[8, 1, kind]), Err(Error::H264Unit { kind: refused }) if refused == kind));
        }
        for bytes in [&[][..], &[0, 0, 0], &[5, 0, 0, 1, 0x65], &[0, 0, 1], &[0, 0, 1, 0x68, 0, 0, 1]] {
            assert!(matches!(inspect(bytes), Err(Error::H264Syntax)), "{bytes:?}");
        }
    }
}
