//! Which versions of the protocol exist, and how two sides agree on one.

/// The newest version of the protocol: the one of this crate.
pub const CURRENT: u16 = 1;

/// Every version this crate speaks, most preferred first.
pub const SUPPORTED: &[u16] = &[CURRENT];

/// Picks the first of `offered` (in the client's order of preference) that this side speaks too.
///
/// ```
/// assert_eq!(proto::version::negotiate(&[9, 1]), Some(1));
/// assert_eq!(proto::version::negotiate(&[9]), None);
/// ```
#[must_use]
pub fn negotiate(offered: &[u16]) -> Option<u16> {
    offered.iter().copied().find(|version| SUPPORTED.contains(version))
}
