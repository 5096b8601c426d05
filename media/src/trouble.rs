//! What can be wrong with a camera, a microphone or a speaker, in words for the person in front of it.

use std::path::PathBuf;

use thiserror::Error;

/// One of the three kinds of device a call uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// What pictures come from.
    Camera,
    /// What sound comes from.
    Microphone,
    /// What sound goes to: a speaker or headphones.
    Speaker,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Camera => "camera",
            Self::Microphone => "microphone",
            Self::Speaker => "speaker",
        })
    }
}

/// Why a device gives or takes nothing. A call goes on without it, and it comes back by itself once the cause is gone.
///
/// `Display` is one sentence or two for a person: what is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Trouble {
    /// There is no such device, or none at all.
    #[error("No {0} was found. Plug one in, or choose another one.")]
    Missing(Part),
    /// Another program holds the device.
    #[error("The {0} is in use by another program. Close that program.")]
    Busy(Part),
    /// The device worked, and went away.
    #[error("The {0} was unplugged. Plug it in again.")]
    Unplugged(Part),
    /// The device is there and says it works, but nothing has come from it (or been taken by it) for about two seconds.
    #[error("The {0} has stopped responding. Unplug it and plug it in again.")]
    Stalled(Part),
    /// The operating system doesn't let this program use the device.
    #[error("This program may not use the {0}. Allow it in the system's privacy settings.")]
    Denied(Part),
    /// The device offers nothing this program can use.
    #[error("The {part} can't be used ({detail}). Choose another one.")]
    Unsupported {
        /// Which device.
        part: Part,
        /// What was asked for or offered.
        detail: String,
    },
    /// The file that stands in for a device can't be played.
    #[error("The file {} can't be played as a {part}: {reason}.", path.display())]
    File {
        /// Which device it stands in for.
        part: Part,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system reports something else.
    #[error("The {part} failed ({detail}). Unplug it and plug it in again, or choose another one.")]
    Failed {
        /// Which device.
        part: Part,
        /// The system's own words.
        detail: String,
    },
}

impl Trouble {
    /// Which device it is about.
    pub fn part(&self) -> Part {
        match self {
            Self::Missing(part) | Self::Busy(part) | Self::Unplugged(part) | Self::Stalled(part) | Self::Denied(part) => *part,
            Self::Unsupported { part, .. } | Self::File { part, .. } | Self::Failed { part, .. } => *part,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_which_device_and_what_to_do() {
        assert_eq!(Trouble::Busy(Part::Camera).to_string(), "The camera is in use by another program. Close that program.");
        let file = Trouble::File { part: Part::Microphone, path: "a b.wav".into(), reason: "no RIFF header".into() };
        assert_eq!(file.to_string(), "The file a b.wav can't be played as a microphone: no RIFF header.");
        assert_eq!(file.part(), Part::Microphone);
    }
}
