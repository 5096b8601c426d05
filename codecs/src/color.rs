//! What the numbers in a picture mean: range and matrix.

/// How a picture's Y, U and V are to be read. The default is what cameras deliver raw: limited range, BT.601.
///
/// Transfer function and primaries are left out: every camera and screen this is for takes them as near enough to sRGB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Color {
    /// The values black and white have.
    pub range: Range,
    /// The weights of red, green and blue in luma.
    pub matrix: Matrix,
}

/// The values that black and white have in a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Range {
    /// Luma 16..=235, chroma 16..=240: television and raw camera formats.
    #[default]
    Limited,
    /// Luma and chroma 0..=255: JPEG.
    Full,
}

/// The weights of red, green and blue in luma.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Matrix {
    /// ITU-R BT.601: standard definition, JPEG and nearly every webcam.
    #[default]
    Bt601,
    /// ITU-R BT.709: high definition.
    Bt709,
}

impl Color {
    /// What JPEG pictures carry (JFIF 1.02): full range, BT.601.
    pub const JPEG: Self = Self { range: Range::Full, matrix: Matrix::Bt601 };

    /// The luma of black: 16 or 0.
    #[must_use]
    pub const fn black(self) -> u8 {
        match self.range {
            Range::Limited => 16,
            Range::Full => 0,
        }
    }
}
