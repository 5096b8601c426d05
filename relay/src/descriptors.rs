//! How many files and connections the system lets this process have open.

/// Beside connections: the database, standard streams, the ticker's programs, what the runtime needs.
const BESIDE: u64 = 256;

/// Sees to it that so many connections may be open at once, as far as the system lets it. Most systems let a process have 1024
/// descriptors unless it asks for more, and a call of two takes up to 70.
#[cfg(unix)]
pub(crate) fn allow(connections: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let wanted = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(BESIDE);
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    // No limit above is none.
    let possible = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(possible), ..limit }) {
        tracing::warn!(%error, descriptors = limit.current, wanted, "the limit of open files can't be raised");
    } else if possible < wanted {
        tracing::warn!(descriptors = possible, wanted, "the limit of open files allows for fewer connections than configured");
    }
}

/// Other systems have no such limit.
#[cfg(not(unix))]
pub(crate) fn allow(_connections: usize) {
    let _ = BESIDE;
}
