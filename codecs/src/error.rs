//! What can go wrong in this crate.

use crate::{Color, Size};

/// Why bytes could not be turned into a picture, sound or a packet.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A size that is odd or out of bounds.
    #[error("a picture of {width}x{height} is not possible: both sides must be even, 16x16 to 3840x2160")]
    Size {
        /// Columns asked for.
        width: u32,
        /// Rows asked for.
        height: u32,
    },
    /// A text that does not look like `640x480`.
    #[error("not a size like 640x480")]
    SizeText,
    /// A buffer that is too short for its picture.
    #[error("the buffer has {actual} bytes, the picture needs {expected}")]
    Length {
        /// Bytes the picture needs.
        expected: usize,
        /// Bytes the buffer has.
        actual: usize,
    },
    /// Rows further apart than the width demands, or nearer.
    #[error("rows are {actual} bytes apart, the picture needs at least {expected}")]
    Stride {
        /// Bytes a row has.
        expected: usize,
        /// Bytes from one row to the next.
        actual: usize,
    },
    /// A frame of another size than the encoder was made for.
    #[error("the encoder is for {expected}, the frame is {actual}")]
    FrameSize {
        /// The encoder's size.
        expected: Size,
        /// The frame's size.
        actual: Size,
    },
    /// A frame of another color than the encoder writes into its stream.
    #[error("the encoder is for {expected:?}, the frame is {actual:?}")]
    FrameColor {
        /// The encoder's color.
        expected: Color,
        /// The frame's color.
        actual: Color,
    },
    /// A bitrate no encoder here can hold.
    #[error("{bits_per_second} bit/s is not possible")]
    Bitrate {
        /// The rate asked for.
        bits_per_second: u32,
    },
    /// A frame rate outside 1..=60 frames a second.
    #[error("{frames_per_second} frames a second is not possible")]
    FrameRate {
        /// The rate asked for.
        frames_per_second: f32,
    },
    /// A JPEG that can't be decoded.
    #[error("the JPEG is broken")]
    Jpeg(#[source] turbojpeg::Error),
    /// A JPEG whose chroma is neither 4:2:0, 4:2:2, 4:4:4 nor absent, or that is not YCbCr at all.
    #[error("the JPEG is {colorspace:?} with {subsampling:?} chroma, which no camera should send")]
    JpegFormat {
        /// Its color space.
        colorspace: turbojpeg::Colorspace,
        /// Its chroma.
        subsampling: turbojpeg::Subsamp,
    },
    /// A JPEG of more pixels than were asked for.
    #[error("the JPEG has {width}x{height} pixels, which are too many")]
    JpegPixels {
        /// Its columns.
        width: usize,
        /// Its rows.
        height: usize,
    },
    /// A pixel format conversion failed.
    #[error("the pixels can't be converted: {0}")]
    Convert(dcv_color_primitives::ErrorKind),
    /// Scaling failed.
    #[error("the picture can't be scaled")]
    Scale(#[source] fast_image_resize::ResizeError),
    /// A plane does not fit the scaler.
    #[error("the picture can't be scaled")]
    ScalePlane(#[source] fast_image_resize::ImageBufferError),
    /// The H.264 library can't be set up: in practice, no memory.
    #[error("openh264 can't be set up")]
    H264Setup(#[source] openh264::Error),
    /// The H.264 encoder refused a frame.
    #[error("openh264 can't encode the frame (code {code})")]
    H264Encode {
        /// openh264's `CM_RETURN`.
        code: i64,
    },
    /// The H.264 encoder refused a new setting.
    #[error("openh264 refuses option {option} (code {code})")]
    H264Option {
        /// openh264's `ENCODER_OPTION`.
        option: i32,
        /// openh264's `CM_RETURN`.
        code: i32,
    },
    /// An access unit that openh264 can't decode.
    #[error("openh264 can't decode the access unit (state {state:#x})")]
    H264Decode {
        /// openh264's `DECODING_STATE` bits.
        state: i64,
    },
    /// An access unit that is not H.264 in Annex B form, or whose parameter sets make no sense.
    #[error("not an H.264 access unit")]
    H264Syntax,
    /// A NAL unit that no track here contains.
    #[error("NAL unit type {kind} has no place here")]
    H264Unit {
        /// `nal_unit_type`, ITU-T H.264 table 7-1.
        kind: u8,
    },
    /// An access unit whose slices do not make up a picture.
    #[error("the access unit is cut short")]
    H264Incomplete,
    /// A picture that builds on others, while the decoder has none to build on.
    #[error("a keyframe is needed first")]
    KeyframeNeeded,
    /// Opus refused a setting, a packet or samples.
    #[error("opus: {}", .0.description())]
    Opus(#[from] opus::Error),
    /// An Opus packet that is not 20 ms long.
    #[error("the packet holds {samples} samples instead of 960")]
    PacketDuration {
        /// Samples it holds, at 48 kHz.
        samples: usize,
    },
}
