//! Fuzz targets: whatever comes from outside, nothing panics, and what is let through is what it should be.
//!
//! Each starts from an example of the real thing and damages it, so that most inputs get past the first check. In `make test` each runs
//! for [`BRIEFLY`] and tries the same each time. For longer, and by chance:
//!
//! ```text
//! BOLERO_RANDOM_TEST_TIME_MS=600000 cargo test --release --workspace --lib fuzz:: -- --test-threads 1
//! ```
//!
//! or, led by coverage, with `cargo install cargo-bolero`: `cargo bolero test --package relay fuzz::markup::...` (`cargo bolero list` names
//! them). What fails is printed with its seed; `BOLERO_RANDOM_SEED=...` runs that one again.

mod bodies;
mod chunks;
mod markup;
mod requests;

use std::time::Duration;

/// How long each runs among the other tests.
const BRIEFLY: Duration = Duration::from_secs(2);

/// One damage: where, how, with what.
type Damage = (u16, u8, u8);

/// What is put in between to get past a check that random bytes never pass.
const WORDS: [&str; 24] = [
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "null",
    "1e999",
    "-1",
    "18446744073709551616",
    "<",
    ">",
    "</p>",
    "<!--",
    "&#",
    "%00",
    "%2f",
    "\r\n",
    "\u{202e}",
    "\u{0}",
];

/// The example with all of that done to it.
fn damaged(example: &[u8], damages: &[Damage]) -> Vec<u8> {
    let mut bytes = example.to_vec();
    for (at, how, with) in damages {
        let at = usize::from(*at) % (bytes.len() + 1);
        let end = (at + usize::from(*with)).min(bytes.len());
        match how % 6 {
            0 if at < bytes.len() => bytes[at] = *with,
            0 | 1 => bytes.insert(at, *with),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            4 => drop(bytes.splice(at..at, WORDS[usize::from(*with) % WORDS.len()].bytes())),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

/// The JSON examples of PROTOCOL.md with their names.
fn examples() -> Vec<(&'static str, &'static str)> {
    let blocks = include_str!("../proto/PROTOCOL.md").split("```").skip(1).step_by(2);
    blocks.filter_map(|block| block.strip_prefix("json ")?.split_once('\n')).collect()
}
