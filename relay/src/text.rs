//! Text from outside: what is taken out of it before others read it, and what of it is a number.

use std::str::FromStr;

/// The text without marks that turn the reading direction of what stands beside it: by them a line says something else than it has in it. Letters
/// that are read from right to left are so without any.
pub(crate) fn straight(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|c| !turns(*c)).collect()
}

/// A number of digits alone: with a sign or a space it is none, since not everyone on the way takes that for the same.
pub(crate) fn digits<T: FromStr>(text: &str) -> Option<T> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_that_turn_what_stands_beside_them_go_and_letters_stay() {
        let marked = "\u{200f}a\u{202e}b\u{61c} \u{2066}שלום\u{2069}\n👩\u{200d}🚀";
        assert_eq!(straight(marked), "ab שלום\n👩\u{200d}🚀");
    }

    #[test]
    fn digits_alone_are_a_number() {
        let numbers = ["0", "0070", "18446744073709551615"].map(digits::<u64>);
        assert_eq!(numbers, [Some(0), Some(70), Some(u64::MAX)]);
        for none in ["", "+1", "-1", " 1", "1 ", "0x1", "1_0", "١", "18446744073709551616"] {
            assert_eq!(digits::<u64>(none), None, "{none:?}");
        }
    }
}
