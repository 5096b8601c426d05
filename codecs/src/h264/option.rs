//! The encoder settings that openh264's safe interface lacks: a new bitrate and frame rate while it runs.
#![expect(unsafe_code, reason = "openh264 has no safe call for them, and a new encoder per rate would cost a keyframe each time")]

use openh264::encoder::Encoder;
use openh264_sys2::{
    ENCODER_OPTION, ENCODER_OPTION_BITRATE, ENCODER_OPTION_FRAME_RATE, ENCODER_OPTION_MAX_BITRATE, SBitrateInfo, SPATIAL_LAYER_0,
};

use crate::Error;

/// Moves an encoder that has encoded a frame from one bitrate to another, as target and as upper bound.
///
/// The library refuses a target above the bound, yet keeps it: so the bound goes first on the way up and last on the way
/// down.
///
/// # Errors
/// [`Error::H264Option`] when the library refuses; both are then as they were.
pub(super) fn set_bitrate(encoder: &mut Encoder, from: u32, to: u32) -> Result<(), Error> {
    let (up, down) = ([ENCODER_OPTION_MAX_BITRATE, ENCODER_OPTION_BITRATE], [ENCODER_OPTION_BITRATE, ENCODER_OPTION_MAX_BITRATE]);
    let (forward, back) = if to > from { (up, down) } else { (down, up) };
    let result = forward.into_iter().try_for_each(|option| set(encoder, option, to));
    if result.is_err() {
        for option in back {
            set(encoder, option, from)?;
        }
    }
    result
}

/// Tells an encoder that has encoded a frame at which rate frames come from now on, 1 to 60 a second.
///
/// # Errors
/// [`Error::H264Option`] when the library refuses.
pub(super) fn set_frame_rate(encoder: &mut Encoder, mut frames_per_second: f32) -> Result<(), Error> {
    let option = ENCODER_OPTION_FRAME_RATE;
    // SAFETY: the option takes a pointer to a float, which the library reads during the call and does not keep; the rest
    // is as in `set`.
    let code = unsafe { encoder.raw_api().set_option(option, (&raw mut frames_per_second).cast()) };
    if code == 0 { Ok(()) } else { Err(Error::H264Option { option, code }) }
}

fn set(encoder: &mut Encoder, option: ENCODER_OPTION, bits_per_second: u32) -> Result<(), Error> {
    let rate = i32::try_from(bits_per_second).map_err(|_| Error::Bitrate { bits_per_second })?;
    let mut info = SBitrateInfo { iLayer: SPATIAL_LAYER_0, iBitrate: rate };
    // SAFETY: both options take a pointer to an `SBitrateInfo`, which the library reads during the call and does not keep.
    // The exclusive borrow keeps other calls out, and neither option touches the buffers the safe wrapper relies on.
    let code = unsafe { encoder.raw_api().set_option(option, (&raw mut info).cast()) };
    if code == 0 { Ok(()) } else { Err(Error::H264Option { option, code }) }
}
