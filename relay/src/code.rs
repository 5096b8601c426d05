//! Invitation codes: what lets someone make an account where not everyone may. And the code by which a person knows their own sign-in.

use std::fmt;

use crate::token::{self, NoRandomness, TokenHash};

/// Letters and digits that can't be taken for each other, as in Douglas Crockford's base 32.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// How many of them: 80 random bits, so that a plain hash of them can't be guessed back, nor they over a network.
const LENGTH: usize = 16;

/// They stand in groups of so many, to be read aloud.
const GROUP: usize = 4;

/// A code, random or as somebody typed it. `Display` shows it, and it is a secret: for the one who made it alone.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Code(String);

impl Code {
    /// A new one.
    pub(crate) fn new() -> Result<Self, NoRandomness> {
        let bytes = token::bytes::<LENGTH>()?;
        // 32 divides 256, so each is as likely as the others.
        Ok(Self(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()))
    }

    /// A code as it was typed: in lower case, without hyphens, with an O for a 0 it is still the same. `None` when it can't be one.
    pub(crate) fn typed(text: &str) -> Option<Self> {
        let mut code = String::with_capacity(LENGTH);
        for letter in text.chars().filter(|letter| *letter != '-' && !letter.is_whitespace()) {
            let letter = match letter.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                letter => letter,
            };
            if code.len() == LENGTH || !u8::try_from(letter).is_ok_and(|letter| ALPHABET.contains(&letter)) {
                return None;
            }
            code.push(letter);
        }
        (code.len() == LENGTH).then_some(Self(code))
    }

    /// The form it is kept in.
    pub(crate) fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, letter) in self.0.chars().enumerate() {
            if at > 0 && at % GROUP == 0 {
                f.write_str("-")?;
            }
            write!(f, "{letter}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(hidden)")
    }
}

/// A code to be compared by a person, not to be kept secret: so short that it is read at a glance, `7KQ-F9M`.
pub(crate) fn pairing() -> Result<String, NoRandomness> {
    let bytes = token::bytes::<6>()?;
    let mut code = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect::<String>();
    code.insert(3, '-');
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_the_same_however_it_is_typed() {
        let code = Code::typed("0123-4567-89AB-CDEF").unwrap();
        assert_eq!(code.to_string(), "0123-4567-89AB-CDEF");
        for same in ["0123456789abcdef", " o123 4567-89ab cdef\n", "OI23-4567-89AB-CDEF", "0l23-4567-89AB-CDEF"] {
            assert_eq!(Code::typed(same).unwrap().hash(), code.hash(), "{same}");
        }
        for other in [
            "",
            "0123-4567-89AB-CDE",
            "0123-4567-89AB-CDEF0",
            "0123-4567-89AB-CDEU",
            "0123-4567-89AB-CDEé",
            "0123-4567-89AB-CDEK",
        ] {
            assert!(Code::typed(other).is_none_or(|other| other.hash() != code.hash()), "{other}");
        }
    }

    #[test]
    fn each_is_another_and_can_be_typed() {
        let codes = [Code::new().unwrap(), Code::new().unwrap()];
        assert_ne!(codes[0], codes[1]);
        for code in codes {
            assert_eq!(code.to_string().len(), 19);
            assert_eq!(Code::typed(&code.to_string()), Some(code.clone()));
            assert_eq!(format!("{code:?}"), "Code(hidden)");
        }
    }
}
