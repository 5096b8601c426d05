//! What a certificate is known by among people: the SHA-256 of all its bytes.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The SHA-256 of a certificate in DER. It is written as 32 pairs of hexadecimal digits with colons between, as openssl writes it, and
/// read with other marks between the digits as well, or none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

/// The text is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint has 64 hexadecimal digits (SHA-256), such as 3F:2A:\u{2026}")]
pub struct NotAFingerprint;

impl Fingerprint {
    /// Takes what SHA-256 gave.
    #[must_use]
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// In lines of eight pairs each, for a person who compares.
    #[must_use]
    pub fn lines(&self) -> [String; 4] {
        let text = self.to_string();
        // Three characters each pair, the last colon of a line left out.
        [0, 1, 2, 3].map(|line| text.chars().skip(line * 24).take(23).collect())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(":")?;
            }
            write!(f, "{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let mut bytes = [0; 32];
        let mut digits = 0;
        for character in text.chars().filter(|character| !character.is_whitespace() && !matches!(character, ':' | '-')) {
            let digit = character.to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or(NotAFingerprint)?;
            let byte = bytes.get_mut(digits / 2).ok_or(NotAFingerprint)?;
            *byte = *byte << 4 | digit;
            digits += 1;
        }
        if digits == 64 { Ok(Self(bytes)) } else { Err(NotAFingerprint) }
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Fingerprint {
        Fingerprint::new(std::array::from_fn(|index| (index * 8 + 3) as u8))
    }

    #[test]
    fn it_is_read_as_it_is_written_and_as_people_copy_it() {
        let text = sample().to_string();
        assert!(text.starts_with("03:0B:13:") && text.len() == 95, "{text}");
        let lines = sample().lines();
        assert_eq!(lines.join(":"), text);
        for copy in [text.clone(), text.to_lowercase(), text.replace(':', ""), text.replace(':', " "), lines.join("\n ")] {
            assert_eq!(copy.parse(), Ok(sample()), "{copy}");
        }
        let json = serde_json::to_string(&sample()).unwrap();
        assert_eq!(serde_json::from_str::<Fingerprint>(&json).unwrap(), sample());
    }

    #[test]
    fn anything_else_is_none() {
        let text = sample().to_string();
        for wrong in ["", ":", &text[..94], &text[..92], &format!("{text}:00"), &text.replace('0', "O"), &text.replace(':', ";")]
        {
            assert_eq!(wrong.parse::<Fingerprint>(), Err(NotAFingerprint), "{wrong}");
        }
        assert!(serde_json::from_str::<Fingerprint>("\"03\"").is_err());
    }
}
