//! What came when, line by line: what a measurement draws its curves from.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use media::devices::InUse;
use serde::Serialize;

use crate::figures::Report;

/// A line of a trace. All times are in microseconds since 1970, by this machine's clock.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// A test picture was decoded.
    Video { captured: u64, at: u64, bytes: usize, keyframe: bool },
    /// A test picture was put up for showing; its sound is heard so much later, less than 0 where it's heard first. Without sound there's no
    /// offset.
    Shown { captured: u64, at: u64, av_offset_us: Option<i64> },
    /// A packet of sound came; its own time is the sender's.
    Audio { at: u64, seq: u32, media_us: u64 },
    /// Another device is used from now on.
    Device { at: u64, part: String, name: String, stand_in: bool },
    /// What is counted since the call began.
    Figures { at: u64, so_far: Box<Report> },
}

/// Where the lines go, if anywhere. Clones write to the same file.
#[derive(Debug, Clone, Default)]
pub struct Trace(Option<Arc<Mutex<BufWriter<File>>>>);

impl Trace {
    /// A file that can't be written is complained of, and the call goes on without it.
    pub fn open(file: Option<&Path>) -> Self {
        Self(file.and_then(|file| match File::create(file) {
            Ok(open) => Some(Arc::new(Mutex::new(BufWriter::new(open)))),
            Err(error) => {
                tracing::warn!(%error, file = %file.display(), "can't write the trace");
                None
            }
        }))
    }

    /// Writes a line, made with the time it is now.
    pub fn note(&self, line: impl FnOnce(u64) -> Line) {
        let Some(file) = &self.0 else { return };
        let Ok(text) = serde_json::to_string(&line(now())) else { return };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk spoils the measurement and not the call.
        let _ = writeln!(file, "{text}");
    }

    /// Writes which device is used now, for those who wait for it.
    pub fn device(&self, device: &InUse) {
        let InUse { part, name, stand_in, .. } = device;
        self.note(|at| Line::Device { at, part: part.to_string(), name: name.clone(), stand_in: *stand_in });
        self.flush();
    }

    /// Writes the figures so far, and sees to it that all lines are in the file. Of the seconds only the last goes in: the lines before have the
    /// others, and a trace of an hour would be gigabytes.
    pub fn figures(&self, so_far: &Report) {
        self.note(|at| {
            let mut so_far = Box::new(so_far.clone());
            so_far.rate.drain(..so_far.rate.len().saturating_sub(1));
            Line::Figures { at, so_far }
        });
        self.flush();
    }

    fn flush(&self) {
        if let Some(file) = &self.0 {
            let _ = file.lock().unwrap_or_else(PoisonError::into_inner).flush();
        }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}
