//! What strangers say, as it may be shown, and other small things about text.

use std::fmt::Write as _;

/// A stranger's text on one line, without control characters, and no longer than so many characters.
pub(crate) fn one_line(text: &str, max: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(max).collect()
}

/// Lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // A String takes all that is written to it.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_two_digits() {
        assert_eq!(hexadecimal(&[0, 255, 16]), "00ff10");
    }

    #[test]
    fn a_message_of_a_stranger_is_tamed() {
        assert_eq!(one_line("Go\u{1b}[2J\naway", 300), "Go[2Jaway");
        assert_eq!(one_line(&"x".repeat(1000), 300).len(), 300);
    }
}
