//! Writes what was received, decoded, into files: `peer-N.y4m` and `peer-N.wav` for the peer with the number N, `peer-N-screen.y4m` for what they share.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::BufWriter,
    path::{Path, PathBuf},
};

use codecs::{Frame, opus::SAMPLE_RATE};
use hound::{SampleFormat, WavSpec, WavWriter};

use crate::{Error, Kind, y4m};

/// One channel of 16-bit samples at 48 kHz, which every program reads.
const WAV: WavSpec = WavSpec { channels: 1, sample_rate: SAMPLE_RATE, bits_per_sample: 16, sample_format: SampleFormat::Int };
/// Samples after which a WAV file's header is brought up to date, so that it's readable after a crash but for the last second.
const FLUSH: usize = SAMPLE_RATE as usize;
/// Nominal frame rate of the recordings; each frame has its own time beside it.
const RATE: u32 = 30;

/// Records the peers of a call. The files are whole once it's dropped.
pub struct Recorder {
    folder: PathBuf,
    videos: HashMap<(u16, Kind), Video>,
    sounds: HashMap<u16, Sound>,
    /// What ended the recording, if something did: a full disk, mostly.
    error: Option<Error>,
}

struct Video {
    writer: y4m::Writer,
    /// Files of this peer so far.
    files: u32,
}

struct Sound {
    writer: WavWriter<BufWriter<File>>,
    path: PathBuf,
    unflushed: usize,
}

impl Recorder {
    /// Records into a folder, which is created if it isn't there. Older recordings in it are overwritten.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder can't be created.
    pub fn create(folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(|source| Error::Io { path: folder.to_owned(), source })?;
        Ok(Self { folder: folder.to_owned(), videos: HashMap::new(), sounds: HashMap::new(), error: None })
    }

    /// Appends a picture to `peer-N.y4m`, or of a screen to `peer-N-screen.y4m`. When a peer's pictures change size or colour a new file begins: `peer-N-2.y4m` and so on.
    ///
    /// The first error ends the recording; it's logged and kept for [`Recorder::error`].
    pub fn video(&mut self, peer: u16, kind: Kind, frame: &Frame) {
        self.attempt(|recorder| recorder.write_video(peer, kind, frame));
    }

    /// Appends sound (one channel at 48 kHz) to `peer-N.wav`. Errors as in [`Recorder::video`].
    pub fn audio(&mut self, peer: u16, samples: &[f32]) {
        self.attempt(|recorder| recorder.write_audio(peer, samples));
    }

    /// What ended the recording, if something did.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    fn attempt(&mut self, write: impl FnOnce(&mut Self) -> Result<(), Error>) {
        if self.error.is_some() {
            return;
        }
        if let Err(error) = write(self) {
            tracing::error!(%error, "recording ends");
            self.error = Some(error);
        }
    }

    fn write_video(&mut self, peer: u16, kind: Kind, frame: &Frame) -> Result<(), Error> {
        let files = match self.videos.get_mut(&(peer, kind)) {
            Some(video) if video.writer.fits(frame) => return video.writer.write(frame),
            Some(video) => video.files + 1,
            None => 1,
        };
        let what = if kind == Kind::Screen { "-screen" } else { "" };
        let name = if files == 1 { format!("peer-{peer}{what}.y4m") } else { format!("peer-{peer}{what}-{files}.y4m") };
        let mut writer = y4m::Writer::create(&self.folder.join(name), frame, RATE)?;
        writer.write(frame)?;
        self.videos.insert((peer, kind), Video { writer, files });
        Ok(())
    }

    fn write_audio(&mut self, peer: u16, samples: &[f32]) -> Result<(), Error> {
        let sound = match self.sounds.entry(peer) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let path = self.folder.join(format!("peer-{peer}.wav"));
                let writer = WavWriter::create(&path, WAV).map_err(|error| wav(&path, error))?;
                entry.insert(Sound { writer, path, unflushed: 0 })
            }
        };
        for sample in samples {
            // Rust's conversion cuts off what's louder than loud, and makes 0 of what's no number.
            let sample = (sample * f32::from(i16::MAX)).round() as i16;
            sound.writer.write_sample(sample).map_err(|error| wav(&sound.path, error))?;
        }
        sound.unflushed += samples.len();
        if sound.unflushed >= FLUSH {
            sound.unflushed = 0;
            sound.writer.flush().map_err(|error| wav(&sound.path, error))?;
        }
        Ok(())
    }
}

fn wav(path: &Path, error: hound::Error) -> Error {
    match error {
        hound::Error::IoError(source) => Error::Io { path: path.to_owned(), source },
        other => Error::Format { path: path.to_owned(), reason: other.to_string() },
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("folder", &self.folder).field("error", &self.error).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use codecs::{Color, MediaTime, Size};

    use super::*;

    fn frame(width: u32, luma: u8, time: u64) -> Frame {
        let mut frame = Frame::new(Size::new(width, 16).unwrap(), Color::default(), MediaTime(time));
        frame.planes_mut().0.fill(luma);
        frame
    }

    #[test]
    fn records_pictures_and_sound_of_each_peer() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("new").join("folder");
        let mut recorder = Recorder::create(&folder).unwrap();
        recorder.video(3, Kind::Video, &frame(16, 50, 1_000));
        recorder.video(4, Kind::Video, &frame(16, 60, 5));
        recorder.video(3, Kind::Video, &frame(16, 51, 34_000));
        recorder.video(3, Kind::Video, &frame(32, 52, 67_000));
        recorder.audio(3, &[0.5, -0.5, 2.0, f32::NAN]);
        recorder.audio(3, &vec![0.25; 48_000]);
        assert!(recorder.error().is_none());
        // A second later the sound is readable while the recording goes on.
        assert_eq!(hound::WavReader::open(folder.join("peer-3.wav")).unwrap().len(), 48_004);
        recorder.audio(3, &[0.0; 10]);
        drop(recorder);

        let mut first = y4m::Reader::open(&folder.join("peer-3.y4m")).unwrap();
        for (luma, time) in [(50, 1_000), (51, 34_000)] {
            let frame = first.next_frame().unwrap().unwrap();
            assert_eq!((frame.y()[0], frame.time()), (luma, MediaTime(time)));
        }
        assert!(first.next_frame().unwrap().is_none());
        assert_eq!(y4m::Reader::open(&folder.join("peer-3-2.y4m")).unwrap().size().width, 32);
        assert_eq!(y4m::Reader::open(&folder.join("peer-4.y4m")).unwrap().next_frame().unwrap().unwrap().y()[0], 60);
        let mut sound = hound::WavReader::open(folder.join("peer-3.wav")).unwrap();
        let samples: Vec<i16> = sound.samples().map(Result::unwrap).collect();
        assert_eq!(samples.len(), 48_014);
        assert_eq!(samples[..5], [16_384, -16_384, 32_767, 0, 8_192]);
    }

    #[test]
    fn an_error_ends_the_recording_and_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(Recorder::create(&file), Err(Error::Io { .. })));
        let inner = folder.path().join("inner");
        let mut recorder = Recorder::create(&inner).unwrap();
        fs::remove_dir(&inner).unwrap();
        recorder.video(1, Kind::Video, &frame(16, 50, 0));
        assert!(matches!(recorder.error(), Some(Error::Io { .. })));
        recorder.audio(1, &[0.0]);
    }
}
