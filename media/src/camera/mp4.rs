//! Pictures out of an MP4 file with H.264 in it (ISO/IEC 14496-12, -14 and -15).

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{Read, Seek, SeekFrom},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::Duration,
};

use codecs::{Color, Frame, Matrix, MediaTime, Range, h264::Decoder};
use shiguredo_mp4::{
    TrackKind,
    boxes::{Avc1Box, SampleEntry},
    demux::{Input, Mp4FileDemuxer},
};

use crate::Error;

/// Largest index and largest coded picture that are read, in bytes. A clip of an hour has an index of some MB, a keyframe of
/// 3840x2160 has one or two.
const LARGEST_INDEX: u64 = 64 << 20;
const LARGEST_SAMPLE: usize = 16 << 20;
/// Most coded pictures in a file: over nine hours at 30 a second.
const MOST_SAMPLES: usize = 1 << 20;
/// NAL unit types the picture is made of (ITU-T H.264 table 7-1): slices, IDR slices. Parameter sets (7, 8) go along. The rest
/// (delimiters, supplemental information, fill) is of no use here.
const PICTURE_UNITS: std::ops::RangeInclusive<u8> = 1..=5;
const PARAMETER_UNITS: std::ops::RangeInclusive<u8> = 7..=8;

/// Where a coded picture is and when it's shown.
struct Entry {
    offset: u64,
    length: usize,
    keyframe: bool,
    /// When it's shown, in microseconds; the first one isn't always 0.
    time: u64,
}

/// Reads the first H.264 track of a file, picture by picture.
pub(crate) struct Reader {
    path: PathBuf,
    file: File,
    entries: Vec<Entry>,
    format: Format,
    decoder: Decoder,
    next: usize,
    /// Times of the pictures that went into the decoder: they come out in the order they're shown in.
    times: BinaryHeap<Reverse<u64>>,
    /// Pictures in a row that couldn't be decoded.
    broken: usize,
    period: Duration,
}

/// What the coded pictures have in common.
struct Format {
    /// Bytes of the length before each NAL unit.
    length_bytes: usize,
    /// SPS and PPS in Annex B form.
    parameters: Vec<u8>,
    color: Color,
}

impl Reader {
    /// Opens a file and reads its index.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let mut file = File::open(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        // The demuxer holds some impossible cases for bugs of its own, and a file can hold anything.
        let index = catch_unwind(AssertUnwindSafe(|| index(path, &mut file)));
        let (entries, format) = index.unwrap_or_else(|_| Err(damaged(path, "its index contradicts itself")))?;
        let period = period(&entries);
        let decoder = Decoder::new()?;
        let times = BinaryHeap::new();
        Ok(Self { path: path.to_owned(), file, entries, format, decoder, next: 0, times, broken: 0, period })
    }

    /// Mean time from picture to picture.
    pub(crate) fn period(&self) -> Duration {
        self.period
    }

    /// The next picture, or `None` at the end.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Frame>, Error> {
        while let Some(entry) = self.entries.get(self.next) {
            self.next += 1;
            let mut sample = vec![0; entry.length];
            self.file
                .seek(SeekFrom::Start(entry.offset))
                .and_then(|_| self.file.read_exact(&mut sample))
                .map_err(|source| Error::Io { path: self.path.clone(), source })?;
            let mut unit = if entry.keyframe { self.format.parameters.clone() } else { Vec::new() };
            if !annex_b(&sample, self.format.length_bytes, &mut unit) {
                return Err(damaged(&self.path, "a coded picture is cut off"));
            }
            self.times.push(Reverse(entry.time));
            match self.decoder.decode(&unit, self.format.color, MediaTime(entry.time)) {
                Ok(Some(mut frame)) => {
                    self.broken = 0;
                    if let Some(Reverse(time)) = self.times.pop() {
                        frame.set_time(MediaTime(time));
                    }
                    return Ok(Some(frame));
                }
                Ok(None) => {}
                Err(error) => {
                    self.times.pop();
                    self.broken += 1;
                    tracing::debug!(path = %self.path.display(), picture = self.next - 1, %error, "picture skipped");
                    if self.broken == self.entries.len().min(MOST_BROKEN) {
                        let reason = format!("its pictures can't be decoded ({error})");
                        return Err(Error::Format { path: self.path.clone(), reason });
                    }
                }
            }
        }
        Ok(None)
    }

    /// Begins again with the first picture.
    pub(crate) fn rewind(&mut self) -> Result<(), Error> {
        self.next = 0;
        self.times.clear();
        self.decoder = Decoder::new()?;
        Ok(())
    }
}

/// Pictures that may be broken in a row before the whole file counts as such: more than there are between two keyframes.
const MOST_BROKEN: usize = 300;

fn damaged(path: &Path, reason: &str) -> Error {
    Error::Format { path: path.to_owned(), reason: format!("it is damaged: {reason}") }
}

fn index(path: &Path, file: &mut File) -> Result<(Vec<Entry>, Format), Error> {
    let format = |reason: String| Error::Format { path: path.to_owned(), reason };
    let mut demuxer = demuxer(path, file)?;
    let tracks = demuxer.tracks().map_err(|error| format(error.to_string()))?;
    if tracks.iter().all(|track| track.kind != TrackKind::Video) {
        return Err(format("it has no video track".into()));
    }
    let (mut entries, mut found, mut track_id, mut other) = (Vec::new(), None, None, None);
    let mut seen = 0;
    while let Some(sample) = demuxer.next_sample().map_err(|error| format(error.to_string()))? {
        seen += 1;
        if seen > MOST_SAMPLES * 4 || entries.len() > MOST_SAMPLES {
            return Err(format("it is too long".into()));
        }
        if sample.track.kind != TrackKind::Video || track_id.is_some_and(|id| id != sample.track.track_id) {
            continue;
        }
        match sample.sample_entry {
            Some(SampleEntry::Avc1(avc1)) => {
                // A second description in one track is legal and nobody writes it.
                track_id = Some(sample.track.track_id);
                found.get_or_insert_with(|| describe(avc1));
            }
            Some(entry) => other = Some(format!("{:?}", entry_name(entry))),
            None => {}
        }
        if found.is_none() {
            continue;
        }
        if sample.data_size > LARGEST_SAMPLE {
            return Err(damaged(path, "a coded picture is larger than any can be"));
        }
        let shown = i128::from(sample.timestamp) + i128::from(sample.composition_time_offset.unwrap_or(0));
        let time = shown.max(0) * 1_000_000 / i128::from(sample.track.timescale.get());
        entries.push(Entry {
            offset: sample.data_offset,
            length: sample.data_size,
            keyframe: sample.keyframe,
            time: u64::try_from(time).unwrap_or(u64::MAX),
        });
    }
    match (found, other) {
        (Some(description), _) => Ok((entries, description)),
        (None, Some(other)) => Err(format(format!("its pictures are coded as {other} and not as H.264"))),
        (None, None) => Err(format("it has no pictures, or is a fragmented MP4".into())),
    }
}

fn demuxer(path: &Path, file: &mut File) -> Result<Mp4FileDemuxer, Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let length = file.metadata().map_err(io)?.len();
    let mut demuxer = Mp4FileDemuxer::new();
    while let Some(required) = demuxer.required_input() {
        let left = length.saturating_sub(required.position);
        let wanted = required.size.map_or(left, |size| size as u64);
        if left == 0 || wanted > LARGEST_INDEX {
            return Err(Error::Format { path: path.to_owned(), reason: "it isn't an MP4 file, or its index is missing".into() });
        }
        let mut data = Vec::new();
        file.seek(SeekFrom::Start(required.position)).map_err(io)?;
        file.take(wanted).read_to_end(&mut data).map_err(io)?;
        // A box at the very end may be shorter than the longest header that's asked for.
        if required.size.is_some_and(|size| size > data.len()) && wanted <= 32 {
            data.resize(wanted as usize, 0);
        }
        demuxer.handle_input(Input { position: required.position, data: &data });
    }
    Ok(demuxer)
}

fn describe(avc1: &Avc1Box) -> Format {
    let mut parameters = Vec::new();
    for unit in avc1.avcc_box.sps_list.iter().chain(&avc1.avcc_box.pps_list) {
        parameters.extend_from_slice(&[0, 0, 0, 1]);
        parameters.extend_from_slice(unit);
    }
    // A file that doesn't say means what its size suggests, as players take it.
    let suggested = if avc1.visual.height >= 720 { Matrix::Bt709 } else { Matrix::Bt601 };
    let color = (avc1.unknown_boxes.iter())
        .filter(|other| other.box_type.as_bytes() == b"colr")
        .find_map(|other| nclx(&other.payload))
        .unwrap_or(Color { range: Range::Limited, matrix: suggested });
    Format { length_bytes: usize::from(avc1.avcc_box.length_size_minus_one.get()) + 1, parameters, color }
}

/// Colour information of the `nclx` kind: three numbers of two bytes (primaries, transfer, matrix; ITU-T H.273), then the range.
fn nclx(payload: &[u8]) -> Option<Color> {
    let rest = payload.strip_prefix(b"nclx")?;
    let matrix = if u16::from_be_bytes([*rest.get(4)?, *rest.get(5)?]) == 1 { Matrix::Bt709 } else { Matrix::Bt601 };
    let range = if rest.get(6)? & 0x80 == 0 { Range::Limited } else { Range::Full };
    Some(Color { range, matrix })
}

fn entry_name(entry: &SampleEntry) -> &'static str {
    match entry {
        SampleEntry::Hev1(_) | SampleEntry::Hvc1(_) => "H.265",
        SampleEntry::Vp08(_) => "VP8",
        SampleEntry::Vp09(_) => "VP9",
        SampleEntry::Av01(_) => "AV1",
        _ => "something else",
    }
}

/// Appends the NAL units of a sample, each with a length before it, in Annex B form. False if one reaches over the end.
fn annex_b(mut sample: &[u8], length_bytes: usize, out: &mut Vec<u8>) -> bool {
    while !sample.is_empty() {
        let Some((length, rest)) = sample.split_at_checked(length_bytes) else { return false };
        let length = length.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
        let Some((unit, rest)) = rest.split_at_checked(length) else { return false };
        sample = rest;
        let kind = unit.first().map_or(0, |byte| byte & 0x1f);
        if PICTURE_UNITS.contains(&kind) || PARAMETER_UNITS.contains(&kind) {
            out.extend_from_slice(&[0, 0, 0, 1]);
            out.extend_from_slice(unit);
        }
    }
    true
}

fn period(entries: &[Entry]) -> Duration {
    let (first, last) = entries.iter().fold((u64::MAX, 0), |(first, last), entry| (first.min(entry.time), last.max(entry.time)));
    match entries.len() as u64 {
        0 | 1 => Duration::from_micros(33_333),
        count => Duration::from_micros((last - first) / (count - 1)),
    }
}
