//! Values of the configuration file that have bounds. Each says what may stand there when something else does.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Unexpected, Visitor},
};

use crate::{forwarded::Network, listen::Listen};

/// Fewest characters of a token: 16 random letters and digits can't be guessed over a network.
const SECRET_MIN: usize = 16;

/// A whole number within bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole<const MIN: u64, const MAX: u64>(pub(super) u64);

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Whole<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bounds<const MIN: u64, const MAX: u64>;

        impl<const MIN: u64, const MAX: u64> Visitor<'_> for Bounds<MIN, MAX> {
            type Value = u64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a whole number from {MIN} to {MAX}")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<u64, E> {
                let within = u64::try_from(number).ok().filter(|number| (MIN..=MAX).contains(number));
                within.ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
                if (MIN..=MAX).contains(&number) {
                    return Ok(number);
                }
                Err(E::invalid_value(Unexpected::Unsigned(number), &self))
            }
        }

        deserializer.deserialize_any(Bounds::<MIN, MAX>).map(Self)
    }
}

/// How many at once: a bucket for less than one never lets anyone pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct AtOnce(pub(super) f64);

impl<'de> Deserialize<'de> for AtOnce {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Amount { min: 1.0, max: 1e6 }).map(Self)
    }
}

/// How many a second in the long run.
#[derive(Clone, Copy, Debug)]
pub(super) struct PerSecond(pub(super) f64);

impl<'de> Deserialize<'de> for PerSecond {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Amount { min: 1e-3, max: 1e6 }).map(Self)
    }
}

struct Amount {
    min: f64,
    max: f64,
}

impl Visitor<'_> for Amount {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a number from {} to {}", self.min, self.max)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<f64, E> {
        if (self.min..=self.max).contains(&number) {
            return Ok(number);
        }
        Err(E::invalid_value(Unexpected::Float(number), &self))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<f64, E> {
        self.visit_f64(number as f64)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<f64, E> {
        self.visit_f64(number as f64)
    }
}

/// Where to listen: one address, or a list of at least one.
#[derive(Clone, Debug)]
pub(super) struct Addresses(pub(super) Vec<Listen>);

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;

        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Vec<Listen>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "an address and a port such as \"127.0.0.1:7480\", \"https://0.0.0.0:443\" or \"http://[::]:80\", or a list of such",
                )
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                text.parse().map(|address| vec![address]).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut addresses = Vec::new();
                while let Some(text) = list.next_element::<String>()? {
                    addresses.extend(Self.visit_str::<A::Error>(&text)?);
                }
                if addresses.is_empty() {
                    return Err(A::Error::custom("the list is empty, expected at least one address"));
                }
                Ok(addresses)
            }
        }

        deserializer.deserialize_any(OneOrMore).map(Self)
    }
}

/// Proxies: a list of addresses and networks.
#[derive(Clone, Debug)]
pub(super) struct Networks(pub(super) Vec<Network>);

impl<'de> Deserialize<'de> for Networks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let list = Vec::<String>::deserialize(deserializer)?;
        let network =
            |text: &String| text.parse::<Network>().map_err(|error| D::Error::custom(format_args!("\"{text}\": {error}")));
        list.iter().map(network).collect::<Result<_, _>>().map(Self)
    }
}

/// A token, or none when it is empty. No message shows it.
#[derive(Clone)]
pub(super) struct Secret(pub(super) Option<String>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Hidden;

        impl Hidden {
            fn refused<E: Error>() -> E {
                E::custom(format_args!(
                    "expected a text of at least {SECRET_MIN} letters, digits and signs without spaces, or \"\" for none"
                ))
            }
        }

        impl Visitor<'_> for Hidden {
            type Value = Option<String>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                if text.is_empty() {
                    return Ok(None);
                }
                // What can stand in a header.
                if text.len() >= SECRET_MIN && text.bytes().all(|byte| byte.is_ascii_graphic()) {
                    return Ok(Some(text.to_owned()));
                }
                Err(Self::refused())
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
                Err(Self::refused())
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
                Err(Self::refused())
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
                Err(Self::refused())
            }
        }

        deserializer.deserialize_any(Hidden).map(Self)
    }
}
