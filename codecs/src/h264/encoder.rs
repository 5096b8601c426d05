//! Frames to packets.

use std::ops::RangeInclusive;

use openh264::encoder::{
    BitRate, Complexity, EncoderConfig as Settings, FrameRate, FrameType, IntraFramePeriod, Profile, QpRange, RateControlMode,
    SpsPpsStrategy, UsageType, VuiConfig,
};
use openh264::formats::YUVSource;
use openh264::{OpenH264API, Timestamp};

use super::{Packet, option};
use crate::{Color, Error, Frame, Matrix, Range, Size};

/// Bits a second. Below, not even a 16x16 picture is recognisable; above, the rate counters of the library (32 bits over
/// a window of 5 seconds) overflow.
const BITRATES: RangeInclusive<u32> = 8_000..=200_000_000;

/// Frames a second that openh264 takes without adjusting them in silence.
const FRAME_RATES: RangeInclusive<f32> = 1.0..=60.0;

/// Quantisers. 12 is the library's own lower end, below which bits go into camera noise. Its upper end of 42 leaves a busy
/// picture on a thin uplink no choice but to drop frames; 46 keeps it moving, and softer.
const QUANTISERS: QpRange = QpRange::new(12, 46);

/// The one for a shared screen: text is as sharp as on the spot (38 dB and more), at half of what 22 costs.
const SCREEN_QUANTISER: QpRange = QpRange::new(28, 28);

/// What an [`Encoder`] is made for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EncoderConfig {
    /// The size of every frame.
    pub size: Size,
    /// The rate at which frames come, 1 to 60 a second: what the bitrate is shared out by.
    pub frames_per_second: f32,
    /// Bits a second to aim at, 8,000 to 200,000,000.
    pub bits_per_second: u32,
    /// The color of every frame; it is written into the stream.
    pub color: Color,
}

/// Encodes frames of one size for real-time conversation, at a bitrate that may change at any time.
///
/// Frames that the bitrate has no room for are skipped. For another size or color make another encoder.
pub struct Encoder {
    inner: openh264::encoder::Encoder,
    config: EncoderConfig,
    content: Content,
    /// The library is initialised by the first frame and can't change a rate before.
    started: bool,
    keyframe_wanted: bool,
    /// Bytes.
    keyframe_max: Option<usize>,
}

/// What the frames show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Camera,
    Screen,
}

impl Encoder {
    /// An encoder; its first packet is a keyframe.
    ///
    /// # Errors
    /// [`Error::Size`], [`Error::FrameRate`] or [`Error::Bitrate`] when the configuration is out of bounds,
    /// [`Error::H264Setup`] when the library can't be set up.
    pub fn new(config: EncoderConfig) -> Result<Self, Error> {
        Self::of(config, Content::Camera)
    }

    /// An encoder for what screens show: text stays sharp whatever it costs, what scrolls is found again, what stands still costs nothing, and no
    /// frame is skipped. It knows no bitrate: who has to keep to one sends fewer frames, or smaller ones.
    ///
    /// # Errors
    /// As for [`Self::new`].
    pub fn screen(size: Size, color: Color) -> Result<Self, Error> {
        let config = EncoderConfig { size, frames_per_second: 15.0, bits_per_second: 1_000_000, color };
        Self::of(config, Content::Screen)
    }

    fn of(config: EncoderConfig, content: Content) -> Result<Self, Error> {
        // The fields are public, so the size may have been changed since it was checked.
        Size::new(config.size.width, config.size.height)?;
        check_frame_rate(config.frames_per_second)?;
        check_bitrate(config.bits_per_second)?;
        Ok(Self { inner: open(&config, content)?, config, content, started: false, keyframe_wanted: false, keyframe_max: None })
    }

    /// Encodes a frame, reading its planes where they are; `None` when it was skipped to keep to the bitrate.
    ///
    /// # Errors
    /// [`Error::FrameSize`] or [`Error::FrameColor`] when the frame is not of the kind the encoder is for,
    /// [`Error::H264Encode`] when the library fails.
    pub fn encode(&mut self, frame: &Frame) -> Result<Option<Packet>, Error> {
        if frame.size() != self.config.size {
            return Err(Error::FrameSize { expected: self.config.size, actual: frame.size() });
        }
        if frame.color() != self.config.color {
            return Err(Error::FrameColor { expected: self.config.color, actual: frame.color() });
        }
        if self.keyframe_wanted && self.started {
            // Repeated until it comes: the frame after a request may be one that is skipped.
            self.inner.force_intra_frame();
        }
        let mut packet = self.attempt(frame)?;
        if self.is_over(packet.as_ref())
            && let Some(smaller) = self.again(frame)?
        {
            packet = Some(smaller);
        }
        if packet.as_ref().is_some_and(|packet| packet.keyframe) {
            self.keyframe_wanted = false;
        }
        Ok(packet)
    }

    fn attempt(&mut self, frame: &Frame) -> Result<Option<Packet>, Error> {
        let time = Timestamp::from_millis(frame.time().as_micros() / 1000);
        let encoded = self.inner.encode_at(&Source(frame), time);
        let stream = encoded.map_err(|error| Error::H264Encode { code: error.native_code() })?;
        self.started = true;
        let kind = stream.frame_type();
        let length = usize::try_from(stream.raw_info().iFrameSizeInBytes).unwrap_or(0);
        if kind == FrameType::Skip || length == 0 {
            return Ok(None);
        }
        let keyframe = kind == FrameType::IDR;
        let mut data = Vec::with_capacity(length);
        stream.write_vec(&mut data);
        Ok(Some(Packet { data, keyframe, time: frame.time() }))
    }

    fn is_over(&self, packet: Option<&Packet>) -> bool {
        let length = packet.filter(|packet| packet.keyframe).map_or(0, |packet| packet.data.len());
        self.keyframe_max.is_some_and(|most| length > most)
    }

    /// The frame as a keyframe once more; the one before is forgotten, since a keyframe needs none. For a first keyframe the library has a
    /// table; for the next it knows how complex the picture is, and aims at four frames' worth of bits.
    fn again(&mut self, frame: &Frame) -> Result<Option<Packet>, Error> {
        self.inner.force_intra_frame();
        // Not at a lower rate: the library carries over what was too much, in parts of the rate, and would starve what follows.
        Ok(self.attempt(frame)?.filter(|packet| packet.keyframe))
    }

    /// Bounds keyframes: one that is longer than so many bytes is encoded again, once and more coarsely. The library has a coarsest
    /// keyframe, which may still be longer.
    pub const fn set_keyframe_max(&mut self, bytes: usize) {
        self.keyframe_max = Some(bytes);
    }

    /// Makes the next packet a keyframe.
    pub const fn request_keyframe(&mut self) {
        self.keyframe_wanted = true;
    }

    /// Aims at another bitrate from the next frame on, without a keyframe.
    ///
    /// # Errors
    /// [`Error::Bitrate`] when it is out of bounds, [`Error::H264Option`] or [`Error::H264Setup`] when the library refuses
    /// it; the rate is then as it was.
    pub fn set_bitrate(&mut self, bits_per_second: u32) -> Result<(), Error> {
        check_bitrate(bits_per_second)?;
        let config = EncoderConfig { bits_per_second, ..self.config };
        if self.started {
            option::set_bitrate(&mut self.inner, self.config.bits_per_second, bits_per_second)?;
        } else {
            self.inner = open(&config, self.content)?;
        }
        self.config = config;
        Ok(())
    }

    /// Shares the bitrate out by another frame rate from the next frame on, without a keyframe. When frames come more
    /// slowly than the encoder was told, it uses that much less of its bitrate.
    ///
    /// # Errors
    /// [`Error::FrameRate`] when it is outside 1 to 60 a second, [`Error::H264Option`] or [`Error::H264Setup`] when the
    /// library refuses it; the rate is then as it was.
    pub fn set_frame_rate(&mut self, frames_per_second: f32) -> Result<(), Error> {
        check_frame_rate(frames_per_second)?;
        let config = EncoderConfig { frames_per_second, ..self.config };
        if self.started {
            option::set_frame_rate(&mut self.inner, frames_per_second)?;
        } else {
            self.inner = open(&config, self.content)?;
        }
        self.config = config;
        Ok(())
    }

    /// The size of every frame.
    #[must_use]
    pub const fn size(&self) -> Size {
        self.config.size
    }

    /// What it is made for, with the rates as they are now.
    #[must_use]
    pub const fn config(&self) -> EncoderConfig {
        self.config
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").field("config", &self.config).finish_non_exhaustive()
    }
}

fn check_bitrate(bits_per_second: u32) -> Result<(), Error> {
    if BITRATES.contains(&bits_per_second) { Ok(()) } else { Err(Error::Bitrate { bits_per_second }) }
}

fn check_frame_rate(frames_per_second: f32) -> Result<(), Error> {
    if FRAME_RATES.contains(&frames_per_second) { Ok(()) } else { Err(Error::FrameRate { frames_per_second }) }
}

fn open(config: &EncoderConfig, content: Content) -> Result<openh264::encoder::Encoder, Error> {
    let settings = match content {
        Content::Camera => Settings::new()
            .usage_type(UsageType::CameraVideoRealTime)
            .rate_control_mode(RateControlMode::Bitrate)
            // Without, the library does not keep to a bitrate at all.
            .skip_frames(true)
            .qp(QUANTISERS)
            // It answers a change of scene with a keyframe; intra blocks in an ordinary frame do as well, without the burst.
            .scene_change_detect(false),
        Content::Screen => Settings::new()
            .usage_type(UsageType::ScreenContentRealTime)
            .rate_control_mode(RateControlMode::Off)
            .skip_frames(false)
            .qp(SCREEN_QUANTISER)
            // What it finds scrolled it finds on the way; the other two it knows for cameras alone.
            .scene_change_detect(true)
            .background_detection(false)
            .adaptive_quantization(false),
    };
    let settings = settings
        .profile(Profile::Baseline)
        .complexity(Complexity::Low)
        .num_threads(1)
        .bitrate(BitRate::from_bps(config.bits_per_second))
        .max_frame_rate(FrameRate::from_hz(config.frames_per_second))
        .intra_frame_period(IntraFramePeriod::from_num_frames(0))
        .sps_pps_strategy(SpsPpsStrategy::ConstantId)
        .vui(match config.color.matrix {
            Matrix::Bt601 => VuiConfig::bt601().full_range(config.color.range == Range::Full),
            Matrix::Bt709 => VuiConfig::bt709().full_range(config.color.range == Range::Full),
        });
    openh264::encoder::Encoder::with_api_config(OpenH264API::from_source(), settings).map_err(Error::H264Setup)
}

/// A frame as the library takes it.
struct Source<'a>(&'a Frame);

impl YUVSource for Source<'_> {
    fn dimensions(&self) -> (usize, usize) {
        (self.0.size().width as usize, self.0.size().height as usize)
    }

    fn strides(&self) -> (usize, usize, usize) {
        self.0.strides()
    }

    fn y(&self) -> &[u8] {
        self.0.y()
    }

    fn u(&self) -> &[u8] {
        self.0.u()
    }

    fn v(&self) -> &[u8] {
        self.0.v()
    }
}
