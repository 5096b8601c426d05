//! What processes cost: processor time to the nanosecond, memory.

use std::{collections::BTreeMap, fs, time::Duration};

use anyhow::Context;

/// Processor time of some processes up to a moment, thread by thread: user and system time together.
///
/// The kernel counts both in ticks of 10 ms for `/proc/ID/stat`; in `schedstat` it keeps the same sum in nanoseconds, which a run with one
/// reader needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spent(BTreeMap<u32, u64>);

impl Spent {
    /// Up to now. A thread that ends meanwhile is left out.
    #[must_use]
    pub fn by(processes: &[u32]) -> Self {
        let tasks = processes.iter().filter_map(|id| fs::read_dir(format!("/proc/{id}/task")).ok()).flatten().flatten();
        Self(tasks.filter_map(|task| Some((task.file_name().to_str()?.parse().ok()?, nanoseconds(&task.path())?))).collect())
    }

    /// What came since an earlier moment.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Duration {
        let since = |(thread, now): (&u32, &u64)| now.saturating_sub(earlier.0.get(thread).copied().unwrap_or_default());
        Duration::from_nanos(self.0.iter().map(since).sum())
    }
}

fn nanoseconds(task: &std::path::Path) -> Option<u64> {
    fs::read_to_string(task.join("schedstat")).ok()?.split(' ').next()?.parse().ok()
}

/// The processes a process has started.
#[must_use]
pub fn children(process: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

/// Resident memory in bytes.
///
/// # Errors
/// When there is no such process.
pub fn resident(process: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).context("the process is gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("its memory isn't told")?;
    let kilobytes = line.split_whitespace().next().and_then(|number| number.parse::<u64>().ok());
    Ok(kilobytes.context("in kilobytes")? * 1024)
}
