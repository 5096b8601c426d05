//! What a call captures from and plays to, as people write it on a command line.
//!
//! | device | forms |
//! |---|---|
//! | camera | `device[:ID]`, `pattern[:WxH@FPS]`, `file:PATH`, `none` |
//! | microphone | `device[:ID]`, `chirp`, `file:PATH.wav`, `none` |
//! | screen | `x11[:ID]`, `pattern[:WxH@FPS]`, `none` |
//! | speaker | `device[:ID]`, `silent` |
//!
//! `ID` is what [`crate::devices`] lists as such, or for screens [`crate::screen::sources`]; without it the system's default device is used.

use std::{
    fmt::{self, Display, Formatter},
    path::PathBuf,
    str::FromStr,
};

use codecs::Size;

use crate::Error;

/// Frame rates a picture source may have, in frames per second: the slowest worth calling a moving picture, and the fastest
/// that openh264 encodes.
pub const FRAME_RATES: std::ops::RangeInclusive<f32> = 1.0..=60.0;

/// The picture wanted from a camera and what it may cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VideoConfig {
    /// Size of the frames that are encoded.
    pub size: Size,
    /// Frames per second, within [`FRAME_RATES`].
    pub frames_per_second: f32,
    /// Target of the encoder, in bits per second.
    pub bits_per_second: u32,
}

impl Default for VideoConfig {
    /// 640x480 at 30 frames a second and 1 Mbit/s: sharp enough for a talking face, and what nearly every uplink carries.
    fn default() -> Self {
        Self { size: DEFAULT_SIZE, frames_per_second: DEFAULT_RATE, bits_per_second: 1_000_000 }
    }
}

/// Where pictures come from.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum CameraSpec {
    /// A real camera: the one with this id, or the first one.
    Device(Option<String>),
    /// A moving test picture that carries its capture time (see [`crate::barcode`]).
    Pattern {
        /// Size of the picture.
        size: Size,
        /// Frames per second.
        frames_per_second: f32,
    },
    /// A Y4M file, or an MP4 file with H.264 in it, played over and over.
    File(PathBuf),
    /// No pictures.
    #[default]
    None,
}

impl CameraSpec {
    /// The test picture, 640x480 at 30 frames a second.
    pub const PATTERN: Self = Self::Pattern { size: DEFAULT_SIZE, frames_per_second: DEFAULT_RATE };
}

/// What is shared beside the camera.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ScreenSpec {
    /// A monitor by its name, a window by its number (`0x...`), or the first monitor, as an X11 server shows them.
    X11(Option<String>),
    /// A moving test picture, as [`CameraSpec::Pattern`].
    Pattern {
        /// Size of the picture.
        size: Size,
        /// Frames per second.
        frames_per_second: f32,
    },
    /// Nothing.
    #[default]
    None,
}

/// Where sound comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MicrophoneSpec {
    /// A real microphone: the one with this id, or the system's default one.
    Device(Option<String>),
    /// Chirps at set times (see [`crate::chirp`]).
    Chirp,
    /// A WAV file, played over and over.
    File(PathBuf),
    /// No sound.
    #[default]
    None,
}

/// Where sound goes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SpeakerSpec {
    /// A real speaker: the one with this id, or the system's default one.
    Device(Option<String>),
    /// Nowhere, at the pace of a real speaker.
    #[default]
    Silent,
}

const DEFAULT_SIZE: Size = Size::VGA;
const DEFAULT_RATE: f32 = 30.0;
const SCREEN_RATE: f32 = 10.0;

impl FromStr for CameraSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match split(text) {
            ("device", id) => Ok(Self::Device(device_id(text, id)?)),
            ("pattern", None) => Ok(Self::PATTERN),
            ("pattern", Some(form)) => match pattern(form) {
                Some((size, frames_per_second)) => Ok(Self::Pattern { size, frames_per_second }),
                None => Err(bad(text, CAMERA_FORMS)),
            },
            ("file", Some(path)) if !path.is_empty() => Ok(Self::File(path.into())),
            ("none", None) => Ok(Self::None),
            _ => Err(bad(text, CAMERA_FORMS)),
        }
    }
}

impl FromStr for ScreenSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match split(text) {
            ("x11", None) => Ok(Self::X11(None)),
            ("x11", Some(id)) if !id.is_empty() => Ok(Self::X11(Some(id.to_owned()))),
            ("pattern", None) => Ok(Self::Pattern { size: Size::HD, frames_per_second: SCREEN_RATE }),
            ("pattern", Some(form)) => match pattern(form) {
                Some((size, frames_per_second)) => Ok(Self::Pattern { size, frames_per_second }),
                None => Err(bad(text, SCREEN_FORMS)),
            },
            ("none", None) => Ok(Self::None),
            _ => Err(bad(text, SCREEN_FORMS)),
        }
    }
}

impl FromStr for MicrophoneSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match split(text) {
            ("device", id) => Ok(Self::Device(device_id(text, id)?)),
            ("chirp", None) => Ok(Self::Chirp),
            ("file", Some(path)) if !path.is_empty() => Ok(Self::File(path.into())),
            ("none", None) => Ok(Self::None),
            _ => Err(bad(text, MICROPHONE_FORMS)),
        }
    }
}

impl FromStr for SpeakerSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match split(text) {
            ("device", id) => Ok(Self::Device(device_id(text, id)?)),
            ("silent", None) => Ok(Self::Silent),
            _ => Err(bad(text, SPEAKER_FORMS)),
        }
    }
}

impl Display for CameraSpec {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(id) => write_device(f, id.as_deref()),
            Self::Pattern { size, frames_per_second } => write!(f, "pattern:{size}@{frames_per_second}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::None => f.write_str("none"),
        }
    }
}

impl Display for ScreenSpec {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::X11(Some(id)) => write!(f, "x11:{id}"),
            Self::X11(None) => f.write_str("x11"),
            Self::Pattern { size, frames_per_second } => write!(f, "pattern:{size}@{frames_per_second}"),
            Self::None => f.write_str("none"),
        }
    }
}

impl Display for MicrophoneSpec {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(id) => write_device(f, id.as_deref()),
            Self::Chirp => f.write_str("chirp"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::None => f.write_str("none"),
        }
    }
}

impl Display for SpeakerSpec {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(id) => write_device(f, id.as_deref()),
            Self::Silent => f.write_str("silent"),
        }
    }
}

const CAMERA_FORMS: &str = "device[:ID], pattern[:WxH@FPS] with 1 to 60 frames per second, file:PATH or none";
const SCREEN_FORMS: &str = "x11[:ID], pattern[:WxH@FPS] with 1 to 60 frames per second or none";
const MICROPHONE_FORMS: &str = "device[:ID], chirp, file:PATH.wav or none";
const SPEAKER_FORMS: &str = "device[:ID] or silent";

fn bad(text: &str, forms: &'static str) -> Error {
    Error::Spec { text: text.to_owned(), forms }
}

fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once(':') {
        Some((word, rest)) => (word, Some(rest)),
        None => (text, None),
    }
}

fn device_id(text: &str, id: Option<&str>) -> Result<Option<String>, Error> {
    match id {
        Some("") => Err(bad(text, "an id after \"device:\", or just \"device\"")),
        id => Ok(id.map(str::to_owned)),
    }
}

fn pattern(form: &str) -> Option<(Size, f32)> {
    let (size, rate) = match form.split_once('@') {
        Some((size, rate)) => (size, rate.parse().ok().filter(|rate| FRAME_RATES.contains(rate))?),
        None => (form, DEFAULT_RATE),
    };
    Some((size.parse().ok()?, rate))
}

fn write_device(f: &mut Formatter<'_>, id: Option<&str>) -> fmt::Result {
    match id {
        Some(id) => write!(f, "device:{id}"),
        None => f.write_str("device"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        assert_eq!("pattern".parse::<CameraSpec>().unwrap(), CameraSpec::PATTERN);
        let small = CameraSpec::Pattern { size: Size::new(320, 240).unwrap(), frames_per_second: 12.5 };
        assert_eq!("pattern:320x240@12.5".parse::<CameraSpec>().unwrap(), small);
        assert_eq!("device".parse::<CameraSpec>().unwrap(), CameraSpec::Device(None));
        assert_eq!("device:alsa:hw:0,0".parse::<MicrophoneSpec>().unwrap(), MicrophoneSpec::Device(Some("alsa:hw:0,0".into())));
        assert_eq!("file:/a/b:c.wav".parse::<MicrophoneSpec>().unwrap(), MicrophoneSpec::File("/a/b:c.wav".into()));
        assert_eq!("silent".parse::<SpeakerSpec>().unwrap(), SpeakerSpec::Silent);
    }

    #[test]
    fn refuses_what_means_nothing() {
        for text in
            ["", "device:", "pattern:", "pattern:640x480@0", "pattern:640x480@NaN", "pattern:640x480@61", "pattern:641x480"]
        {
            assert!(text.parse::<CameraSpec>().is_err(), "{text}");
        }
        for text in ["none:", "none:1", "file", "file:", "webcam", "Pattern"] {
            assert!(text.parse::<CameraSpec>().is_err(), "{text}");
        }
        for text in ["", "x11:", "pattern:", "screen", "pattern:640x480@61", "none:1", "device"] {
            assert!(text.parse::<ScreenSpec>().is_err(), "{text}");
        }
        assert!("chirp:1".parse::<MicrophoneSpec>().is_err());
        assert!("none".parse::<SpeakerSpec>().is_err());
        let error = "webcam".parse::<CameraSpec>().unwrap_err().to_string();
        assert!(error.contains("webcam") && error.contains("pattern"), "{error}");
    }

    fn camera() -> impl Strategy<Value = CameraSpec> {
        prop_oneof![
            Just(CameraSpec::None),
            Just(CameraSpec::Device(None)),
            ".{1,30}".prop_map(|id| CameraSpec::Device(Some(id))),
            ".{1,30}".prop_map(|path| CameraSpec::File(path.into())),
            (8u32..=1920, 8u32..=1080, FRAME_RATES).prop_map(|(w, h, frames_per_second)| CameraSpec::Pattern {
                size: Size::new(w * 2, h * 2).unwrap(),
                frames_per_second
            }),
        ]
    }

    fn screen() -> impl Strategy<Value = ScreenSpec> {
        prop_oneof![
            Just(ScreenSpec::None),
            Just(ScreenSpec::X11(None)),
            ".{1,30}".prop_map(|id| ScreenSpec::X11(Some(id))),
            (8u32..=1920, 8u32..=1080, FRAME_RATES).prop_map(|(w, h, frames_per_second)| ScreenSpec::Pattern {
                size: Size::new(w * 2, h * 2).unwrap(),
                frames_per_second
            }),
        ]
    }

    fn microphone() -> impl Strategy<Value = MicrophoneSpec> {
        prop_oneof![
            Just(MicrophoneSpec::None),
            Just(MicrophoneSpec::Chirp),
            Just(MicrophoneSpec::Device(None)),
            ".{1,30}".prop_map(|id| MicrophoneSpec::Device(Some(id))),
            ".{1,30}".prop_map(|path| MicrophoneSpec::File(path.into())),
        ]
    }

    fn speaker() -> impl Strategy<Value = SpeakerSpec> {
        prop_oneof![
            Just(SpeakerSpec::Silent),
            Just(SpeakerSpec::Device(None)),
            ".{1,30}".prop_map(|id| SpeakerSpec::Device(Some(id)))
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(camera in camera(), screen in screen(), microphone in microphone(), speaker in speaker()) {
            prop_assert_eq!(camera.to_string().parse::<CameraSpec>().unwrap(), camera);
            prop_assert_eq!(screen.to_string().parse::<ScreenSpec>().unwrap(), screen);
            prop_assert_eq!(microphone.to_string().parse::<MicrophoneSpec>().unwrap(), microphone);
            prop_assert_eq!(speaker.to_string().parse::<SpeakerSpec>().unwrap(), speaker);
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = (text.parse::<CameraSpec>(), text.parse::<MicrophoneSpec>(), text.parse::<SpeakerSpec>());
        }
    }
}
