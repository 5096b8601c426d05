//! Names of people: what they may look like and when two are the same.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::limits::NAME_MAX;

/// A person's name: 1 to [`NAME_MAX`] letters, digits, `.`, `_` and `-`, the first a letter or digit.
///
/// Two names that differ only in case are the same person's; [`Name::key`] is what to compare and store by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// The name as its owner writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name folded to lower case: equal for one person however it is typed.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }

    /// Whether both name the same person.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

/// The text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to {NAME_MAX} letters, digits, dots, underscores and hyphens, and begins with a letter or digit")]
pub struct NotAName;

impl FromStr for Name {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let starts_well = text.chars().next().is_some_and(char::is_alphanumeric);
        let short_enough = text.chars().count() <= NAME_MAX;
        let plain = text.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'));
        if starts_well && short_enough && plain { Ok(Self(text.to_owned())) } else { Err(NotAName) }
    }
}

impl TryFrom<String> for Name {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_other_text() {
        for good in ["Ana", "b", "Zoë.K", "x_1-2", "李雷"] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in ["", " Ana", "-a", "a b", "a/b", "a\u{202e}b", "a\0", &"x".repeat(33)] {
            assert_eq!(bad.parse::<Name>(), Err(NotAName), "{bad:?}");
        }
    }

    #[test]
    fn case_does_not_make_another_person() {
        let (one, two) = ("Ana".parse::<Name>().unwrap(), "aNA".parse::<Name>().unwrap());
        assert!(one.is(&two));
        assert_ne!(one, two);
    }
}
