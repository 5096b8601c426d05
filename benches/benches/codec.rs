//! What the types of `codecs` cost beside the bare openh264 calls, on the same frames with the same settings.
//!
//! Each frame goes through both, turn about which is first, so that whatever else the machine does falls on both alike. From run to run it's
//! turn about which decoder is set up first, too: where in memory its pictures come to lie makes up to 5 % at 1280x720.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::Context;
use benches::{Better, Row, keep};
use codecs::{Color, Frame, MediaTime, Size, h264};
use openh264::{
    OpenH264API, Timestamp,
    decoder::{Decoder, DecoderConfig, Flush},
    encoder::{
        BitRate, Complexity, Encoder, EncoderConfig, FrameRate, IntraFramePeriod, Profile, QpRange, RateControlMode,
        SpsPpsStrategy, UsageType, VuiConfig,
    },
    formats::{YUVSlices, YUVSource},
};

/// Even, so that each of the two is set up first as often as the other.
const RUNS: usize = 6;
const FRAMES: usize = 300;
const FRAMES_PER_SECOND: f32 = 30.0;

/// Size and bits a second of what is encoded.
const CASES: [(u32, u32, u32); 2] = [(640, 480, 1_000_000), (1280, 720, 2_000_000)];

fn main() -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for (width, height, bits_per_second) in CASES {
        let size = Size::new(width, height)?;
        let frames: Vec<Frame> = (0..FRAMES).map(|index| picture(size, index)).collect();
        let runs = (0..RUNS).map(|run| Run::measure(run, &frames, size, bits_per_second)).collect::<Result<Vec<_>, _>>()?;
        let mut row = |name: &str, ours: fn(&Run) -> f64, bare: fn(&Run) -> f64| {
            let (ours, bare): (Vec<f64>, Vec<f64>) = runs.iter().map(|run| (ours(run), bare(run))).unzip();
            rows.push(Row::new(&format!("{name} {size}"), "ms", Better::Lower, &ours).beside("bare openh264", &ours, &bare));
            let ratios: Vec<f64> = ours.iter().zip(&bare).map(|(ours, bare)| ours / bare).collect();
            rows.push(Row::new(&format!("{name} {size}, beside bare"), "times", Better::Lower, &ratios).limit(1.03));
        };
        row("encode", |run| run.encode, |run| run.bare_encode);
        row("decode", |run| run.decode, |run| run.bare_decode);
        row("encode and decode", |run| run.encode + run.decode, |run| run.bare_encode + run.bare_decode);
        // What a call does beyond that: the library's picture is gone with the next one, so it's copied to be shown.
        let copied: Vec<f64> = runs.iter().map(|run| run.decode_and_copy).collect();
        rows.push(Row::new(&format!("decode and copy {size}"), "ms", Better::Lower, &copied));
    }
    keep("codec", &rows)
}

/// Milliseconds for a frame, over one run.
struct Run {
    encode: f64,
    bare_encode: f64,
    decode: f64,
    bare_decode: f64,
    decode_and_copy: f64,
}

impl Run {
    fn measure(run: usize, frames: &[Frame], size: Size, bits_per_second: u32) -> anyhow::Result<Self> {
        let config = h264::EncoderConfig { size, frames_per_second: FRAMES_PER_SECOND, bits_per_second, color: Color::default() };
        let (mut encoder, mut bare_encoder) = (h264::Encoder::new(config)?, bare_encoder(bits_per_second)?);
        let (mut decoder, mut bare_decoder) = (None, None);
        let mut ours = || h264::Decoder::new().map(|made| decoder = Some(made)).map_err(anyhow::Error::from);
        let mut bare = || {
            let settings = DecoderConfig::new().flush_after_decode(Flush::NoFlush);
            bare_decoder = Some(Decoder::with_api_config(OpenH264API::from_source(), settings)?);
            Ok(())
        };
        in_turn(run, &mut ours, &mut bare)?;
        let (mut decoder, mut bare_decoder) = decoder.zip(bare_decoder).context("both decoders were set up")?;
        let (mut encode, mut bare_encode) = (Duration::ZERO, Duration::ZERO);
        let (mut decode, mut bare_decode, mut decode_and_copy) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        let (mut copying, mut kept) = (h264::Decoder::new()?, Frame::new(size, Color::default(), MediaTime::ZERO));
        for (index, frame) in frames.iter().enumerate() {
            let mut packet = None;
            let mut ours = || -> anyhow::Result<()> {
                let begun = Instant::now();
                packet = encoder.encode(frame)?;
                encode += begun.elapsed();
                Ok(())
            };
            let mut bare = || -> anyhow::Result<()> {
                let begun = Instant::now();
                let (width, height) = (size.width as usize, size.height as usize);
                let source = YUVSlices::new((frame.y(), frame.u(), frame.v()), (width, height), frame.strides());
                let time = Timestamp::from_millis(frame.time().as_micros() / 1000);
                let mut data = Vec::new();
                bare_encoder.encode_at(&source, time)?.write_vec(&mut data);
                black_box(&data);
                bare_encode += begun.elapsed();
                Ok(())
            };
            in_turn(index, &mut ours, &mut bare)?;

            let Some(packet) = packet else { continue };
            let mut ours = || -> anyhow::Result<()> {
                let begun = Instant::now();
                if let Some(picture) = decoder.decode(&packet.data, Color::default(), packet.time)? {
                    black_box(picture.y());
                }
                decode += begun.elapsed();
                Ok(())
            };
            let mut bare = || -> anyhow::Result<()> {
                let begun = Instant::now();
                if let Some(picture) = bare_decoder.decode(&packet.data)? {
                    black_box(picture.y());
                }
                bare_decode += begun.elapsed();
                Ok(())
            };
            in_turn(index, &mut ours, &mut bare)?;

            let begun = Instant::now();
            if let Some(picture) = copying.decode(&packet.data, Color::default(), packet.time)? {
                picture.copy_into(&mut kept);
                black_box(&kept);
            }
            decode_and_copy += begun.elapsed();
        }
        let millis = |total: Duration| total.as_secs_f64() * 1000.0 / frames.len() as f64;
        Ok(Self {
            encode: millis(encode),
            bare_encode: millis(bare_encode),
            decode: millis(decode),
            bare_decode: millis(bare_decode),
            decode_and_copy: millis(decode_and_copy),
        })
    }
}

fn in_turn(
    index: usize,
    one: &mut impl FnMut() -> anyhow::Result<()>,
    other: &mut impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if index.is_multiple_of(2) {
        one()?;
        other()
    } else {
        other()?;
        one()
    }
}

/// The settings `codecs` encodes with.
fn bare_encoder(bits_per_second: u32) -> anyhow::Result<Encoder> {
    let settings = EncoderConfig::new()
        .usage_type(UsageType::CameraVideoRealTime)
        .profile(Profile::Baseline)
        .complexity(Complexity::Low)
        .num_threads(1)
        .rate_control_mode(RateControlMode::Bitrate)
        .bitrate(BitRate::from_bps(bits_per_second))
        .max_frame_rate(FrameRate::from_hz(FRAMES_PER_SECOND))
        .skip_frames(true)
        .qp(QpRange::new(12, 46))
        .intra_frame_period(IntraFramePeriod::from_num_frames(0))
        .scene_change_detect(false)
        .sps_pps_strategy(SpsPpsStrategy::ConstantId)
        .vui(VuiConfig::bt601());
    Ok(Encoder::with_api_config(OpenH264API::from_source(), settings)?)
}

/// A picture with slow and quick motion and some noise, as a camera has them.
fn picture(size: Size, index: usize) -> Frame {
    let time = MediaTime((index as f32 / FRAMES_PER_SECOND * 1e6) as u64);
    let mut frame = Frame::new(size, Color::default(), time);
    let (width, height) = (size.width as usize, size.height as usize);
    let mut noise = index as u32 + 1;
    let (y, u, v) = frame.planes_mut();
    for row in 0..height {
        for column in 0..width {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let still = (row * 3 / 7 + column / 3) % 160;
            let moving = (column + index * 5) % width < width / 6 && (row + index) % height < height / 3;
            y[row * width + column] = (if moving { 200 - still / 2 } else { 40 + still }) as u8 + (noise >> 30) as u8;
        }
    }
    for row in 0..height / 2 {
        for column in 0..width / 2 {
            u[row * width / 2 + column] = (100 + (column * 2 + index) * 50 / width % 56) as u8;
            v[row * width / 2 + column] = (150 - (row * 2) * 40 / height) as u8;
        }
    }
    frame
}
