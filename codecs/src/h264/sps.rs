//! The picture size a stream announces, checked before the decoder allocates for it.

use crate::{Error, Size};

/// Checks that a sequence parameter set, without its NAL header, announces pictures that fit [`Size`], uncropped as well,
/// in 4:2:0 with 8 bits (ITU-T H.264, 7.3.2.1.1). What follows the size is left to the decoder.
///
/// # Errors
/// [`Error::Size`] when the size does not fit, [`Error::H264Syntax`] when it can't be read or is another format.
pub(super) fn check(payload: &[u8]) -> Result<(), Error> {
    let mut bits = Bits::new(payload);
    let profile = bits.take(8)?;
    bits.take(16)?; // constraints, level
    bits.golomb()?; // identifier
    if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
        let chroma = bits.golomb()?;
        let (luma_depth, chroma_depth) = (bits.golomb()?, bits.golomb()?);
        if (chroma, luma_depth, chroma_depth) != (1, 0, 0) {
            return Err(Error::H264Syntax);
        }
        bits.take(1)?; // lossless bypass
        if bits.take(1)? == 1 {
            for list in 0..8 {
                if bits.take(1)? == 1 {
                    bits.skip_scaling_list(if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.golomb()?; // frame number's length
    match bits.golomb()? {
        0 => {
            bits.golomb()?;
        }
        1 => {
            bits.take(1)?;
            bits.golomb()?;
            bits.golomb()?;
            for _ in 0..bits.golomb()?.min(255) {
                bits.golomb()?;
            }
        }
        _ => {}
    }
    bits.golomb()?; // reference frames
    bits.take(1)?; // gaps allowed
    let columns = bits.golomb()?;
    let rows = bits.golomb()?;
    let fields = 1 - bits.take(1)?;
    if fields == 1 {
        bits.take(1)?; // adaptive field coding
    }
    bits.take(1)?; // direct inference
    let side = |units: u32, unit: u32| units.saturating_add(1).saturating_mul(unit);
    let (coded_width, coded_height) = (side(columns, 16), side(rows, 16 * (1 + fields)));
    // Coded in whole macroblocks; the bounds are whole ones too.
    Size::new(coded_width, coded_height)?;
    if bits.take(1)? == 1 {
        let crop = [bits.golomb()?, bits.golomb()?, bits.golomb()?, bits.golomb()?].map(|units| units.saturating_mul(2));
        let width = coded_width.saturating_sub(crop[0].saturating_add(crop[1]));
        let height = coded_height.saturating_sub(crop[2].saturating_add(crop[3]).saturating_mul(1 + fields));
        Size::new(width, height)?;
    }
    Ok(())
}

/// Reads bits, first the highest, without the bytes put in to avoid start codes.
struct Bits<'a> {
    bytes: std::slice::Iter<'a, u8>,
    zeros: u32,
    current: u8,
    left: u32,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: bytes.iter(), zeros: 0, current: 0, left: 0 }
    }

    fn byte(&mut self) -> Result<u8, Error> {
        let mut byte = *self.bytes.next().ok_or(Error::H264Syntax)?;
        if self.zeros == 2 && byte == 3 {
            self.zeros = 0;
            byte = *self.bytes.next().ok_or(Error::H264Syntax)?;
        }
        self.zeros = if byte == 0 { (self.zeros + 1).min(2) } else { 0 };
        Ok(byte)
    }

    /// Up to 32 bits as a number.
    fn take(&mut self, count: u32) -> Result<u32, Error> {
        let mut value = 0;
        for _ in 0..count {
            if self.left == 0 {
                self.current = self.byte()?;
                self.left = 8;
            }
            self.left -= 1;
            value = value << 1 | u32::from(self.current >> self.left & 1);
        }
        Ok(value)
    }

    /// An unsigned Exp-Golomb number (9.1).
    fn golomb(&mut self) -> Result<u32, Error> {
        let mut zeros = 0;
        while self.take(1)? == 0 {
            zeros += 1;
            if zeros > 31 {
                return Err(Error::H264Syntax);
            }
        }
        Ok((1 << zeros) - 1 + self.take(zeros)?)
    }

    /// A list of `length` differences that ends early when one leads to zero (7.3.2.1.1.1).
    fn skip_scaling_list(&mut self, length: u32) -> Result<(), Error> {
        let mut last = 8_i64;
        for _ in 0..length {
            let code = i64::from(self.golomb()?);
            let difference = if code % 2 == 1 { code / 2 + 1 } else { -(code / 2) };
            last = (last + difference).rem_euclid(256);
            if last == 0 {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Writes what [`Bits`] reads.
    #[derive(Default)]
    struct Writer(Vec<bool>);

    impl Writer {
        fn put(&mut self, count: u32, value: u32) -> &mut Self {
            self.0.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
            self
        }

        fn golomb(&mut self, value: u32) -> &mut Self {
            let length = (value + 1).ilog2();
            self.put(length, 0).put(length + 1, value + 1)
        }

        fn bytes(&self) -> Vec<u8> {
            let mut bytes = Vec::new();
            for bits in self.0.chunks(8) {
                let byte = bits.iter().enumerate().fold(0, |byte, (at, &bit)| byte | u8::from(bit) << (7 - at));
                if byte <= 3 && bytes.ends_with(&[0, 0]) {
                    bytes.push(3);
                }
                bytes.push(byte);
            }
            bytes
        }
    }

    /// A set for pictures of so many macroblocks, cropped at the right and the bottom by so many pairs of pixels.
    fn set(high: bool, columns: u32, rows: u32, interlaced: bool, crop: Option<(u32, u32)>) -> Vec<u8> {
        let mut bits = Writer::default();
        bits.put(8, if high { 100 } else { 66 }).put(16, 0xc01f).golomb(0);
        if high {
            bits.golomb(1).golomb(0).golomb(0).put(1, 0).put(1, 1);
            // One list of 16 that ends at once (8 - 8 = 0), one of 64 in full, the rest absent.
            bits.put(1, 1).golomb(16).put(5, 0).put(1, 1);
            for _ in 0..64 {
                bits.golomb(1);
            }
            bits.put(1, 0);
        }
        bits.golomb(0).golomb(2).golomb(1).put(1, 0).golomb(columns - 1).golomb(rows - 1);
        if interlaced {
            bits.put(2, 0);
        } else {
            bits.put(1, 1);
        }
        bits.put(1, 1).put(1, u32::from(crop.is_some()));
        if let Some((right, bottom)) = crop {
            bits.golomb(0).golomb(right).golomb(0).golomb(bottom);
        }
        bits.put(1, 0).put(1, 1).put(7, 0);
        bits.bytes()
    }

    #[test]
    fn sizes_within_bounds_pass() {
        for high in [false, true] {
            for (columns, rows, interlaced, crop) in [
                (1, 1, false, None),
                (40, 30, false, None),
                (120, 68, false, Some((0, 4))),
                (240, 135, false, None),
                (120, 34, true, Some((0, 2))),
            ] {
                let set = set(high, columns, rows, interlaced, crop);
                check(&set).unwrap_or_else(|error| panic!("{columns}x{rows}: {error}"));
                for length in 0..5 {
                    assert!(check(&set[..length]).is_err(), "cut at {length}");
                }
            }
        }
    }

    #[test]
    fn sizes_out_of_bounds_are_refused() {
        for (columns, rows, interlaced, crop) in [
            (241, 135, false, None),
            (240, 136, false, None),
            (240, 68, true, None),
            // Cropped into bounds, but allocated in full.
            (256, 144, false, Some((128, 72))),
            (1, 1, false, Some((1, 0))),
            (40, 30, false, Some((400, 0))),
            (1 << 28, 1, false, None),
            (1 << 28, 1 << 28, true, Some((1 << 28, 1 << 28))),
        ] {
            let result = check(&set(false, columns, rows, interlaced, crop));
            assert!(matches!(result, Err(Error::Size { .. })), "{columns}x{rows}: {result:?}");
        }
    }

    #[test]
    fn other_chroma_is_refused() {
        let mut bits = Writer::default();
        bits.put(8, 244).put(16, 0).golomb(0).golomb(3).put(1, 0).golomb(0).golomb(0).put(32, 0);
        assert!(matches!(check(&bits.bytes()), Err(Error::H264Syntax)));
    }

    proptest! {
        #[test]
        fn numbers_come_back(values in proptest::collection::vec(0..u32::MAX, 1..20)) {
            let mut writer = Writer::default();
            for &value in &values {
                writer.golomb(value);
            }
            let bytes = writer.bytes();
            let mut bits = Bits::new(&bytes);
            for &value in &values {
                prop_assert_eq!(bits.golomb().unwrap(), value);
            }
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100), profile in prop_oneof![Just(66_u8), Just(100), any::<u8>()]) {
            let _ = check(&[&[profile], bytes.as_slice()].concat());
        }
    }
}
