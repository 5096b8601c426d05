//! Y4M: raw pictures in a file, for test clips and recordings (the format of mjpegtools, see `yuv4mpeg(5)`).
//!
//! Only planar 4:2:0 with eight bits, the native format of this house. Two private fields keep what the format doesn't know:
//! `XMATRIX=BT709` in the header, and `XTIME=microseconds` in a frame's line for pictures that don't come at a steady rate.
//! Other programs skip both. The colour range goes by `XCOLORRANGE`, as ffmpeg writes it.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use codecs::{Color, Frame, Matrix, MediaTime, Range, Size};

use crate::Error;

/// Longest header or frame line taken for one, in bytes: real ones have under 200.
const LONGEST_LINE: u64 = 4096;

/// Reads pictures one after the other.
pub struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    size: Size,
    color: Color,
    /// Frames in a number of seconds.
    rate: (u32, u32),
    first_frame: u64,
    index: u64,
}

impl Reader {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Format`], which also says what kind of Y4M this doesn't read.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let format = |reason: String| Error::Format { path: path.to_owned(), reason };
        let io = |source| Error::Io { path: path.to_owned(), source };
        let mut file = BufReader::new(File::open(path).map_err(io)?);
        let line = read_line(&mut file).map_err(io)?.ok_or_else(|| format("it is empty".into()))?;
        let mut fields = line.split_ascii_whitespace();
        if fields.next() != Some("YUV4MPEG2") {
            return Err(format("it isn't a Y4M file".into()));
        }
        let (mut width, mut height, mut rate, mut color) = (0, 0, (30, 1), Color::default());
        for field in fields {
            let Some((tag, value)) = field.split_at_checked(1) else { continue };
            match (tag, value) {
                ("W", value) => width = value.parse().map_err(|_| format(format!("it has the width \"{value}\"")))?,
                ("H", value) => height = value.parse().map_err(|_| format(format!("it has the height \"{value}\"")))?,
                ("F", value) => rate = read_rate(value).ok_or_else(|| format(format!("it has the frame rate \"{value}\"")))?,
                ("C", "420" | "420jpeg" | "420mpeg2" | "420paldv") => {}
                ("C", value) => return Err(format(format!("it has the pixel format {value} and not 420"))),
                ("X", "COLORRANGE=FULL") => color.range = Range::Full,
                ("X", "MATRIX=BT709") => color.matrix = Matrix::Bt709,
                _ => {}
            }
        }
        let size = Size::new(width, height).map_err(|error| format(error.to_string()))?;
        let first_frame = file.stream_position().map_err(io)?;
        Ok(Self { path: path.to_owned(), file, size, color, rate, first_frame, index: 0 })
    }

    /// Size of all the pictures.
    #[must_use]
    pub fn size(&self) -> Size {
        self.size
    }

    /// Pictures a second, as the header says.
    #[must_use]
    pub fn frames_per_second(&self) -> f64 {
        f64::from(self.rate.0) / f64::from(self.rate.1)
    }

    /// The next picture, or `None` at the end. Its time is its own where the file has one, else that of a steady rate, from zero.
    /// A last picture that's cut off counts as the end.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Format`] where a picture should begin and doesn't.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, Error> {
        let Some(line) = read_line(&mut self.file).map_err(|source| self.io(source))? else { return Ok(None) };
        if line.split_ascii_whitespace().next() != Some("FRAME") {
            let reason = format!("frame {} doesn't begin where it should", self.index);
            return Err(Error::Format { path: self.path.clone(), reason });
        }
        let time = line.split_ascii_whitespace().find_map(|field| field.strip_prefix("XTIME=")?.parse().ok());
        let steady = || u128::from(self.index) * u128::from(self.rate.1) * 1_000_000 / u128::from(self.rate.0);
        let mut frame = Frame::new(self.size, self.color, MediaTime(time.unwrap_or_else(|| steady() as u64)));
        let (width, height) = (self.size.width as usize, self.size.height as usize);
        let strides = frame.strides();
        let (y, u, v) = frame.planes_mut();
        let chroma = (width / 2, height / 2);
        for (plane, stride, (width, height)) in [(y, strides.0, (width, height)), (u, strides.1, chroma), (v, strides.2, chroma)]
        {
            for line in plane.chunks_mut(stride).take(height) {
                match self.file.read_exact(&mut line[..width]) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                    Err(source) => return Err(self.io(source)),
                }
            }
        }
        self.index += 1;
        Ok(Some(frame))
    }

    /// Begins again with the first picture.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn rewind(&mut self) -> Result<(), Error> {
        self.file.seek(SeekFrom::Start(self.first_frame)).map_err(|source| self.io(source))?;
        self.index = 0;
        Ok(())
    }

    fn io(&self, source: io::Error) -> Error {
        Error::Io { path: self.path.clone(), source }
    }
}

/// Writes pictures of one size and colour, each with its time.
pub struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
    size: Size,
    color: Color,
}

impl Writer {
    /// Creates the file, over an older one, for pictures like `first`. `rate` is the nominal number of frames a second.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(path: &Path, first: &Frame, rate: u32) -> Result<Self, Error> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        let mut file = BufWriter::new(File::create(path).map_err(io)?);
        let (size, color) = (first.size(), first.color());
        let range = if color.range == Range::Full { "FULL" } else { "LIMITED" };
        let matrix = if color.matrix == Matrix::Bt709 { " XMATRIX=BT709" } else { "" };
        let header =
            format!("YUV4MPEG2 W{} H{} F{rate}:1 Ip A1:1 C420jpeg XCOLORRANGE={range}{matrix}\n", size.width, size.height);
        file.write_all(header.as_bytes()).map_err(io)?;
        Ok(Self { path: path.to_owned(), file, size, color })
    }

    /// Whether a picture can go into this file: it has the same size and colour as the first.
    #[must_use]
    pub fn fits(&self, frame: &Frame) -> bool {
        frame.size() == self.size && frame.color() == self.color
    }

    /// Appends a picture. One that doesn't [fit](Self::fits) is refused.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] for one that doesn't fit.
    pub fn write(&mut self, frame: &Frame) -> Result<(), Error> {
        if !self.fits(frame) {
            let reason = format!("a frame of {} doesn't go into a file of {}", frame.size(), self.size);
            return Err(Error::Format { path: self.path.clone(), reason });
        }
        self.write_frame(frame).map_err(|source| Error::Io { path: self.path.clone(), source })
    }

    fn write_frame(&mut self, frame: &Frame) -> io::Result<()> {
        writeln!(self.file, "FRAME XTIME={}", frame.time().0)?;
        let (width, height) = (self.size.width as usize, self.size.height as usize);
        let strides = frame.strides();
        let chroma = (width / 2, height / 2);
        for (plane, stride, (width, height)) in
            [(frame.y(), strides.0, (width, height)), (frame.u(), strides.1, chroma), (frame.v(), strides.2, chroma)]
        {
            for line in plane.chunks(stride).take(height) {
                self.file.write_all(&line[..width])?;
            }
        }
        Ok(())
    }

    /// Hands what's buffered to the system.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn flush(&mut self) -> Result<(), Error> {
        self.file.flush().map_err(|source| Error::Io { path: self.path.clone(), source })
    }
}

/// A line without its end, or `None` at the end of the file. A line that's too long is cut.
fn read_line(file: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    file.take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    Ok((!line.is_empty()).then(|| String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned()))
}

fn read_rate(text: &str) -> Option<(u32, u32)> {
    let (frames, seconds) = text.split_once(':')?;
    let rate = (frames.parse().ok()?, seconds.parse().ok()?);
    let quotient = f64::from(rate.0) / f64::from(rate.1);
    (0.01..=1000.0).contains(&quotient).then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn noise(size: Size, seed: u64, color: Color, time: u64) -> Frame {
        let mut frame = Frame::new(size, color, MediaTime(time));
        let mut state = seed | 1;
        let (y, u, v) = frame.planes_mut();
        for value in y.iter_mut().chain(u).chain(v) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *value = (state >> 56) as u8;
        }
        frame
    }

    fn bytes(path: &Path, bytes: &[u8]) {
        std::fs::write(path, bytes).unwrap();
    }

    #[test]
    fn reads_what_ffmpeg_writes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.y4m");
        let mut file = b"YUV4MPEG2 W16 H16 F30000:1001 Ip A1:1 C420mpeg2 XYSCSS=420MPEG2 XCOLORRANGE=FULL\n".to_vec();
        for luma in [10u8, 20, 30] {
            file.extend_from_slice(b"FRAME\n");
            file.extend(std::iter::repeat_n(luma, 256).chain(std::iter::repeat_n(128, 128)));
        }
        file.extend_from_slice(b"FRAME\nand then the disk was full");
        bytes(&path, &file);
        let mut reader = Reader::open(&path).unwrap();
        for _ in 0..2 {
            for (index, luma) in [10u8, 20, 30].into_iter().enumerate() {
                let frame = reader.next_frame().unwrap().unwrap();
                assert!(frame.y().iter().all(|&value| value == luma));
                assert_eq!(frame.time(), MediaTime(index as u64 * 1001 * 1_000_000 / 30_000));
                assert_eq!(frame.color().range, Range::Full);
            }
            assert!(reader.next_frame().unwrap().is_none());
            reader.rewind().unwrap();
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.y4m");
        for (content, reason) in [
            ("", "empty"),
            ("RIFF....WAVE", "isn't a Y4M"),
            ("YUV4MPEG2 W16 H16 C444\n", "444"),
            ("YUV4MPEG2 W16 H16 F0:1\n", "0:1"),
            ("YUV4MPEG2 W16 H16 F1:0\n", "1:0"),
            ("YUV4MPEG2 W15 H16\n", "15"),
            ("YUV4MPEG2 W99999 H99999\n", "99999"),
            ("YUV4MPEG2\n", "0"),
        ] {
            bytes(&path, content.as_bytes());
            let error = Reader::open(&path).err().expect(content).to_string();
            assert!(error.contains(reason) && error.contains("clip.y4m"), "{error}");
        }
        assert!(matches!(Reader::open(&folder.path().join("none")), Err(Error::Io { .. })));
        bytes(&path, b"YUV4MPEG2 W16 H16\nFRANK\n");
        assert!(matches!(Reader::open(&path).unwrap().next_frame(), Err(Error::Format { .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn what_is_written_reads_back(
            width in 8u32..40, height in 8u32..40, full: bool, hd: bool, frames in prop::collection::vec((any::<u64>(), any::<u64>()), 1..5)
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.y4m");
            let size = Size::new(width * 2, height * 2).unwrap();
            let color = Color {
                range: if full { Range::Full } else { Range::Limited },
                matrix: if hd { Matrix::Bt709 } else { Matrix::Bt601 },
            };
            let frames: Vec<_> = frames.into_iter().map(|(seed, time)| noise(size, seed, color, time)).collect();
            let mut writer = Writer::create(&path, &frames[0], 30).unwrap();
            for frame in &frames {
                writer.write(frame).unwrap();
            }
            drop(writer);
            let mut reader = Reader::open(&path).unwrap();
            for frame in &frames {
                let read = reader.next_frame().unwrap().unwrap();
                prop_assert_eq!(read.data(), frame.data());
                prop_assert_eq!((read.time(), read.color()), (frame.time(), color));
            }
            prop_assert!(reader.next_frame().unwrap().is_none());
        }

        #[test]
        fn no_file_panics(mut content in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..60) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.y4m");
            let good = b"YUV4MPEG2 W16 H16 F30:1 C420jpeg\nFRAME XTIME=5\n";
            let mut file = good[..at.min(good.len())].to_vec();
            file.append(&mut content);
            bytes(&path, &file);
            if let Ok(mut reader) = Reader::open(&path) {
                while let Ok(Some(_)) = reader.next_frame() {}
            }
        }
    }
}
