//! Names and passwords that nobody else has.

use anyhow::Context;

/// 128 random bits, in hexadecimal.
pub(crate) fn hex() -> anyhow::Result<String> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).context("the system gives no random numbers")?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}
