//! What strangers say, as it may be shown.

/// A stranger's text on one line, without control characters, and no longer than so many characters.
pub(crate) fn one_line(text: &str, max: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_a_stranger_is_tamed() {
        assert_eq!(one_line("Go\u{1b}[2J\naway", 300), "Go[2Jaway");
        assert_eq!(one_line(&"x".repeat(1000), 300).len(), 300);
    }
}
