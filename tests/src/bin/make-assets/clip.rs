//! The pictures of a clip, coded and put into an MP4 file.

use std::{fs, num::NonZeroU32, path::Path};

use anyhow::Context;
use codecs::{
    Color, Frame, MediaTime, Size,
    h264::{Encoder, EncoderConfig},
};
use shiguredo_mp4::{
    TrackKind, Uint,
    boxes::{Avc1Box, AvccBox, SampleEntry, VisualSampleEntryFields},
    mux::{Mp4FileMuxer, Mp4FileMuxerOptions, Sample, estimate_maximum_moov_box_size},
};

use crate::{
    canvas::Canvas,
    clock,
    face::{self, Person},
    speech::{FRAMES_PER_SECOND, Speech},
};

/// Enough that the drawing shows no trace of the codec.
const BITS_PER_SECOND: u32 = 1_100_000;
/// A keyframe every so many pictures, for players that jump.
const KEYFRAME_EVERY: usize = 60;

/// NAL unit types of ITU-T H.264, table 7-1.
const SPS: u8 = 7;
const PPS: u8 = 8;

pub(crate) fn save(file: &Path, person: Person, speech: &Speech) -> anyhow::Result<()> {
    let (size, color) = (Size::VGA, Color::default());
    let config = EncoderConfig { size, frames_per_second: FRAMES_PER_SECOND as f32, bits_per_second: BITS_PER_SECOND, color };
    let mut encoder = Encoder::new(config)?;
    let mut muxer = Mp4FileMuxer::with_options(Mp4FileMuxerOptions {
        reserved_moov_box_size: estimate_maximum_moov_box_size(&[speech.expressions.len()]),
        ..Mp4FileMuxerOptions::default()
    })?;
    let mut bytes = muxer.initial_boxes_bytes().to_vec();
    let room = face::room(person, size.width as usize, size.height as usize);
    let timescale = NonZeroU32::new(FRAMES_PER_SECOND).context("a rate")?;
    for (number, expression) in speech.expressions.iter().enumerate() {
        let time = MediaTime(number as u64 * 1_000_000 / u64::from(FRAMES_PER_SECOND));
        let mut canvas = room.clone();
        face::draw(&mut canvas, person, expression);
        clock::draw(&mut canvas, (320.0, 440.0), 30.0, number as u32, FRAMES_PER_SECOND);
        let mut frame = i420(&canvas, size, color, time);
        media::barcode::draw(&mut frame, time.as_micros());
        if number % KEYFRAME_EVERY == 0 {
            encoder.request_keyframe();
        }
        let packet = encoder.encode(&frame)?.context("the encoder left a picture out: it needs more bits a second")?;
        let units: Vec<&[u8]> = nal_units(&packet.data).collect();
        let (parameters, slices): (Vec<&[u8]>, Vec<&[u8]>) = units.into_iter().partition(|unit| matches!(kind(unit), SPS | PPS));
        let data_offset = bytes.len() as u64;
        for slice in slices {
            bytes.extend_from_slice(&(slice.len() as u32).to_be_bytes());
            bytes.extend_from_slice(slice);
        }
        muxer.append_sample(&Sample {
            track_kind: TrackKind::Video,
            sample_entry: if number == 0 { Some(entry(size, &parameters)?) } else { None },
            keyframe: packet.keyframe,
            timescale,
            duration: 1,
            composition_time_offset: None,
            data_offset,
            data_size: bytes.len() - data_offset as usize,
        })?;
    }
    for (offset, part) in muxer.finalize()?.offset_and_bytes_pairs() {
        let offset = offset as usize;
        let end = offset + part.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[offset..end].copy_from_slice(part);
    }
    fs::write(file, bytes)?;
    Ok(())
}

/// ITU-R BT.601 in the limited range; each chroma sample is the mean of the four pixels it stands for.
fn i420(canvas: &Canvas, size: Size, color: Color, time: MediaTime) -> Frame {
    let mut frame = Frame::new(size, color, time);
    let (width, height) = (canvas.width, canvas.height);
    let (y, u, v) = frame.planes_mut();
    let level = |value: f32| value.round().clamp(0.0, 255.0) as u8;
    for (luma, &[red, green, blue]) in y.iter_mut().zip(&canvas.pixels) {
        *luma = level(16.0 + 65.481 * red + 128.553 * green + 24.966 * blue);
    }
    for row in 0..height / 2 {
        for column in 0..width / 2 {
            let corner = row * 2 * width + column * 2;
            let four = [corner, corner + 1, corner + width, corner + width + 1];
            let mean = |part: usize| four.iter().map(|&at| canvas.pixels[at][part]).sum::<f32>() / 4.0;
            let (red, green, blue) = (mean(0), mean(1), mean(2));
            u[row * width / 2 + column] = level(128.0 - 37.797 * red - 74.203 * green + 112.0 * blue);
            v[row * width / 2 + column] = level(128.0 + 112.0 * red - 93.786 * green - 18.214 * blue);
        }
    }
    frame
}

/// The NAL units of an Annex B stream, without their start codes.
fn nal_units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let starts: Vec<usize> = (0..stream.len().saturating_sub(2)).filter(|&at| stream[at..at + 3] == [0, 0, 1]).collect();
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([stream.len()]).collect();
    starts.into_iter().zip(ends).map(|(start, end)| {
        let unit = &stream[start + 3..end];
        // A start code of four bytes begins with a zero that isn't the unit's.
        let length = unit.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        &unit[..length]
    })
}

fn kind(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |header| header & 0x1f)
}

fn entry(size: Size, parameters: &[&[u8]]) -> anyhow::Result<SampleEntry> {
    let of = |wanted: u8| parameters.iter().filter(|unit| kind(unit) == wanted).map(|unit| unit.to_vec()).collect::<Vec<_>>();
    let (sps_list, pps_list) = (of(SPS), of(PPS));
    let sps = sps_list.first().filter(|sps| sps.len() > 3).context("the first packet has no SPS")?;
    let (profile, compatibility, level) = (sps[1], sps[2], sps[3]);
    Ok(SampleEntry::Avc1(Avc1Box {
        visual: VisualSampleEntryFields {
            data_reference_index: VisualSampleEntryFields::DEFAULT_DATA_REFERENCE_INDEX,
            width: size.width as u16,
            height: size.height as u16,
            horizresolution: VisualSampleEntryFields::DEFAULT_HORIZRESOLUTION,
            vertresolution: VisualSampleEntryFields::DEFAULT_VERTRESOLUTION,
            frame_count: VisualSampleEntryFields::DEFAULT_FRAME_COUNT,
            compressorname: VisualSampleEntryFields::NULL_COMPRESSORNAME,
            depth: VisualSampleEntryFields::DEFAULT_DEPTH,
        },
        avcc_box: AvccBox {
            avc_profile_indication: profile,
            profile_compatibility: compatibility,
            avc_level_indication: level,
            length_size_minus_one: Uint::new(3),
            sps_list,
            pps_list,
            chroma_format: None,
            bit_depth_luma_minus8: None,
            bit_depth_chroma_minus8: None,
            sps_ext_list: Vec::new(),
        },
        unknown_boxes: Vec::new(),
    }))
}
