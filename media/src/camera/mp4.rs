//! Pictures out of an MP4 file with H.264 in it (ISO/IEC 14496-12, -14 and -15).

use std::{
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
        Ok(Self { path: path.to_owned(), file, entries, format, decoder, next: 0, broken: 0, period })
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
            match self.decoder.decode(&unit, self.format.color, MediaTime(entry.time)) {
                Ok(Some(picture)) => {
                    self.broken = 0;
                    return Ok(Some(picture.to_frame()));
                }
                Ok(None) => {}
                Err(error) => {
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
        // The decoder is made for calls, which have no time to wait for a later picture before they show an earlier one.
        let shown = i128::from(sample.timestamp) + i128::from(sample.composition_time_offset.unwrap_or(0));
        let time = shown.max(0) * 1_000_000 / i128::from(sample.track.timescale.get());
        let time = u64::try_from(time).unwrap_or(u64::MAX);
        if entries.last().is_some_and(|last: &Entry| last.time > time) {
            return Err(format(
                "it has B-frames, which aren't played; \"ffmpeg -i IN -bf 0 OUT\" makes a file without them".into(),
            ));
        }
        entries.push(Entry { offset: sample.data_offset, length: sample.data_size, keyframe: sample.keyframe, time });
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
    match entries {
        [first, .., last] => Duration::from_micros((last.time - first.time) / (entries.len() as u64 - 1)),
        _ => Duration::from_micros(33_333),
    }
}

#[cfg(test)]
mod tests {
    use std::num::{NonZeroU16, NonZeroU32};

    use codecs::{
        Size,
        h264::{Encoder, EncoderConfig},
    };
    use proptest::prelude::*;
    use shiguredo_mp4::{
        Uint,
        boxes::{AvccBox, VisualSampleEntryFields},
        mux::{Mp4FileMuxer, Sample},
    };

    use super::*;
    use crate::camera::pattern::Pattern;

    /// The NAL units of an access unit in Annex B form, with start codes of four bytes as the encoder writes them.
    fn units(access_unit: &[u8]) -> Vec<&[u8]> {
        let mut starts: Vec<_> =
            (0..access_unit.len().saturating_sub(3)).filter(|&at| access_unit[at..at + 4] == [0, 0, 0, 1]).collect();
        starts.push(access_unit.len());
        starts.windows(2).map(|pair| &access_unit[pair[0] + 4..pair[1]]).collect()
    }

    /// A clip of the test picture at 25 frames a second, and its pictures as they were before.
    fn clip(frames: u64, size: Size) -> (Vec<u8>, Vec<Frame>) {
        mux(frames, size, |_| None)
    }

    fn mux(frames: u64, size: Size, composition: impl Fn(u64) -> Option<i64>) -> (Vec<u8>, Vec<Frame>) {
        let color = Color::default();
        let config = EncoderConfig { size, frames_per_second: 25.0, bits_per_second: 2_000_000, color };
        let mut encoder = Encoder::new(config).unwrap();
        let pattern = Pattern::new(size);
        let mut muxer = Mp4FileMuxer::new().unwrap();
        let mut file = muxer.initial_boxes_bytes().to_vec();
        let (mut entry, mut pictures) = (None, Vec::new());
        for index in 0..frames {
            let time = Duration::from_millis(index * 40);
            let picture = pattern.draw(time, MediaTime::from(time));
            let packet = encoder.encode(&picture).unwrap().unwrap();
            pictures.push(picture);
            let (mut sample, mut parameters) = (Vec::new(), (Vec::new(), Vec::new()));
            for unit in units(&packet.data) {
                match unit[0] & 0x1f {
                    7 => parameters.0.push(unit.to_vec()),
                    8 => parameters.1.push(unit.to_vec()),
                    _ => {
                        sample.extend((unit.len() as u32).to_be_bytes());
                        sample.extend(unit);
                    }
                }
            }
            if index == 0 {
                entry = Some(describe_for_test(size, parameters));
            }
            let data_offset = file.len() as u64;
            file.extend(&sample);
            let sample = Sample {
                track_kind: TrackKind::Video,
                sample_entry: entry.take(),
                keyframe: packet.keyframe,
                timescale: NonZeroU32::new(25).unwrap(),
                duration: 1,
                composition_time_offset: composition(index),
                data_offset,
                data_size: sample.len(),
            };
            muxer.append_sample(&sample).unwrap();
        }
        for (offset, bytes) in muxer.finalize().unwrap().offset_and_bytes_pairs() {
            let end = offset as usize + bytes.len();
            file.resize(file.len().max(end), 0);
            file[offset as usize..end].copy_from_slice(bytes);
        }
        (file, pictures)
    }

    fn describe_for_test(size: Size, (sps_list, pps_list): (Vec<Vec<u8>>, Vec<Vec<u8>>)) -> SampleEntry {
        SampleEntry::Avc1(Avc1Box {
            visual: VisualSampleEntryFields {
                data_reference_index: NonZeroU16::MIN,
                width: size.width as u16,
                height: size.height as u16,
                horizresolution: VisualSampleEntryFields::DEFAULT_HORIZRESOLUTION,
                vertresolution: VisualSampleEntryFields::DEFAULT_VERTRESOLUTION,
                frame_count: 1,
                compressorname: [0; 32],
                depth: VisualSampleEntryFields::DEFAULT_DEPTH,
            },
            avcc_box: AvccBox {
                avc_profile_indication: sps_list[0][1],
                profile_compatibility: sps_list[0][2],
                avc_level_indication: sps_list[0][3],
                length_size_minus_one: Uint::new(3),
                sps_list,
                pps_list,
                chroma_format: None,
                bit_depth_luma_minus8: None,
                bit_depth_chroma_minus8: None,
                sps_ext_list: Vec::new(),
            },
            unknown_boxes: Vec::new(),
        })
    }

    /// Peak signal-to-noise ratio of the luma, in dB.
    fn psnr(a: &Frame, b: &Frame) -> f64 {
        let sum: f64 = a.y().iter().zip(b.y()).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
        10.0 * (255.0 * 255.0 / (sum / a.y().len() as f64).max(1e-9)).log10()
    }

    #[test]
    fn plays_what_was_recorded_again_and_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.mp4");
        let (file, pictures) = clip(12, Size::new(320, 240).unwrap());
        std::fs::write(&path, file).unwrap();
        let mut reader = Reader::open(&path).unwrap();
        assert_eq!(reader.period(), Duration::from_millis(40));
        for _ in 0..2 {
            for picture in &pictures {
                let frame = reader.next_frame().unwrap().unwrap();
                assert_eq!((frame.time(), frame.size()), (picture.time(), picture.size()));
                assert!(psnr(&frame, picture) > 30.0, "{}", psnr(&frame, picture));
            }
            assert!(reader.next_frame().unwrap().is_none());
            reader.rewind().unwrap();
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.mp4");
        let (file, _) = clip(2, Size::MIN);
        let refused = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            match Reader::open(&path).and_then(|mut reader| reader.next_frame()) {
                Ok(_) => String::new(),
                Err(error) => error.to_string(),
            }
        };
        assert_eq!(refused(&file), "");
        for (bytes, reason) in [(&b""[..], "isn't an MP4"), (&file[..40], "MP4"), (&b"\0\0\0\x10ftypisom\0\0\0\0"[..], "MP4")] {
            let error = refused(bytes);
            assert!(error.contains(reason) && error.contains("clip.mp4"), "{error}");
        }
        // A length that reaches over the end of its picture.
        std::fs::write(&path, &file).unwrap();
        let first = Reader::open(&path).unwrap().entries[0].offset as usize;
        let mut holed = file;
        holed[first..first + 4].fill(0xff);
        assert!(refused(&holed).contains("damaged"), "{}", refused(&holed));
    }

    #[test]
    fn pictures_out_of_order_are_refused_with_a_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.mp4");
        std::fs::write(&path, mux(4, Size::MIN, |index| Some(if index == 1 { 2 } else { 0 })).0).unwrap();
        assert!(Reader::open(&path).err().unwrap().to_string().contains("-bf 0"));
        // All of them later by the same time is in order.
        std::fs::write(&path, mux(4, Size::MIN, |_| Some(2)).0).unwrap();
        assert_eq!(Reader::open(&path).unwrap().next_frame().unwrap().unwrap().time(), MediaTime(80_000));
    }

    #[test]
    fn colour_information_is_understood() {
        assert_eq!(nclx(b"nclx\0\x01\0\x01\0\x01\x80"), Some(Color { range: Range::Full, matrix: Matrix::Bt709 }));
        assert_eq!(nclx(b"nclx\0\x06\0\x06\0\x06\x00"), Some(Color::default()));
        assert_eq!(nclx(b"nclx\0\x06"), None);
        assert_eq!(nclx(b"prof"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn no_file_panics(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), cut: prop::sample::Index) {
            use std::sync::LazyLock;
            static CLIP: LazyLock<Vec<u8>> = LazyLock::new(|| clip(3, Size::MIN).0);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("clip.mp4");
            let mut file = CLIP.clone();
            for (at, value) in changes {
                let at = at.index(file.len());
                file[at] = value;
            }
            if cut.index(4) == 0 {
                file.truncate(cut.index(file.len()));
            }
            std::fs::write(&path, file).unwrap();
            if let Ok(mut reader) = Reader::open(&path) {
                while let Ok(Some(_)) = reader.next_frame() {}
            }
        }
    }
}
