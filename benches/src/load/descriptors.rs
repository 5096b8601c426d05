//! How many connections this process may have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Beside connections: libraries, pipes, files.
const BESIDE: u64 = 128;

/// Raises the limit of open files for so many connections, and says how many there may be.
#[must_use]
pub fn connections_possible(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let needed = u64::try_from(wanted).unwrap_or(u64::MAX).saturating_add(BESIDE);
    if limit.current.is_some_and(|current| current < needed) {
        let possible = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
        // What it can't be raised to shows below.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(possible), ..limit });
    }
    let possible = getrlimit(Resource::Nofile).current.map_or(needed, |current| current.min(needed));
    usize::try_from(possible.saturating_sub(BESIDE)).unwrap_or(usize::MAX)
}
