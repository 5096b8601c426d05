//! WAV files as sound for a call: any rate, any number of channels, to one channel at 48 kHz.

use std::{
    fs::File,
    io::{BufReader, Cursor, Read, Seek},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use codecs::opus::SAMPLE_RATE;
use hound::{SampleFormat, WavReader};

use crate::{Error, resample::Resampler};

/// Most channels that are mixed.
const MOST_CHANNELS: u16 = 64;
/// Sample frames read at once: 10 ms at 48 kHz.
const BLOCK: usize = 480;

/// Plays a WAV file over and over.
pub(crate) struct Loop<R> {
    path: PathBuf,
    /// Only missing while it begins again.
    reader: Option<WavReader<R>>,
    resampler: Resampler,
    /// Samples of one round at the rate wanted.
    length: usize,
    /// Sound at 48 kHz that's ready.
    ready: Vec<f32>,
    block: Vec<f32>,
}

impl Loop<BufReader<File>> {
    /// Opens a file.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        Self::new(path, BufReader::new(file), SAMPLE_RATE)
    }
}

impl Loop<Cursor<&'static [u8]>> {
    /// Plays a file that's in memory, at `rate` Hz.
    pub(crate) fn from_bytes(wav: &'static [u8], rate: u32) -> Result<Self, Error> {
        Self::new(Path::new("sound"), Cursor::new(wav), rate)
    }
}

impl<R: Read + Seek> Loop<R> {
    fn new(path: &Path, file: R, rate: u32) -> Result<Self, Error> {
        let format = |reason: String| Error::Format { path: path.to_owned(), reason };
        let reader = open(path, file)?;
        let spec = reader.spec();
        if spec.channels == 0 || spec.channels > MOST_CHANNELS || reader.duration() == 0 {
            return Err(format(format!("it has {} samples in {} channels", reader.duration(), spec.channels)));
        }
        let resampler = Resampler::new(spec.sample_rate, rate)
            .ok_or_else(|| format(format!("it has a sample rate of {} Hz", spec.sample_rate)))?;
        let length = u64::from(reader.duration()) * u64::from(rate) / u64::from(spec.sample_rate.max(1));
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Ok(Self { path: path.to_owned(), reader: Some(reader), resampler, length, ready: Vec::new(), block: Vec::new() })
    }

    /// How many samples it has before it begins again.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Fills `out` with what comes next.
    pub(crate) fn read(&mut self, out: &mut [f32]) -> Result<(), Error> {
        let mut empty = 0;
        while self.ready.len() < out.len() {
            self.read_block();
            if self.block.is_empty() {
                empty += 1;
                // Twice at the end without a sample between: there are none.
                if empty > 1 {
                    return Err(Error::Format { path: self.path.clone(), reason: "it has no sound".into() });
                }
                self.rewind()?;
                continue;
            }
            empty = 0;
            self.resampler.push(&self.block, &mut self.ready);
        }
        out.copy_from_slice(&self.ready[..out.len()]);
        self.ready.drain(..out.len());
        Ok(())
    }

    /// Begins again. hound's own `seek` counts from where it thinks it is, which is wrong once a read has failed.
    fn rewind(&mut self) -> Result<(), Error> {
        let Some(reader) = self.reader.take() else { return Ok(()) };
        let mut file = reader.into_inner();
        file.rewind().map_err(|source| Error::Io { path: self.path.clone(), source })?;
        self.reader = Some(open(&self.path, file)?);
        Ok(())
    }

    /// Reads the next samples and mixes their channels; none at the end.
    fn read_block(&mut self) {
        self.block.clear();
        let Some(reader) = &mut self.reader else { return };
        let spec = reader.spec();
        let channels = usize::from(spec.channels);
        let count = BLOCK * channels;
        let mut samples = Vec::with_capacity(count);
        let mut failed = None;
        let mut keep = |sample: Result<f32, hound::Error>| match sample {
            Ok(sample) => {
                samples.push(sample);
                true
            }
            Err(error) => {
                failed = Some(error);
                false
            }
        };
        // Both stop at the first sample that can't be read.
        match spec.sample_format {
            SampleFormat::Float => drop(reader.samples::<f32>().take(count).all(&mut keep)),
            SampleFormat::Int => {
                let scale = (1u64 << (u32::from(spec.bits_per_sample).clamp(1, 32) - 1)) as f32;
                let scaled = |sample: Result<i32, hound::Error>| sample.map(|sample| sample as f32 / scale);
                reader.samples::<i32>().take(count).all(|sample| keep(scaled(sample)));
            }
        }
        if let Some(error) = failed {
            // A file that's cut off ends where it's cut off. One that can't be read at all has no sound.
            tracing::debug!(path = %self.path.display(), %error, "sound ends early");
        }
        let scale = (channels as f32).recip();
        let finite = |sample: &f32| if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 };
        self.block.extend(samples.chunks_exact(channels).map(|frame| frame.iter().map(finite).sum::<f32>() * scale));
    }
}

fn open<R: Read>(path: &Path, file: R) -> Result<WavReader<R>, Error> {
    let format = |reason: String| Error::Format { path: path.to_owned(), reason };
    // The reader's arithmetic isn't made for headers that lie.
    catch_unwind(AssertUnwindSafe(|| WavReader::new(file)))
        .map_err(|_| format("its header contradicts itself".into()))?
        .map_err(|error| format(error.to_string()))
}

#[cfg(test)]
mod tests {
    use hound::{WavSpec, WavWriter};
    use proptest::prelude::*;

    use super::*;

    fn write(path: &Path, spec: WavSpec, frames: usize, sample: impl Fn(usize, usize) -> f32) {
        let mut writer = WavWriter::create(path, spec).unwrap();
        for index in 0..frames {
            for channel in 0..usize::from(spec.channels) {
                let value = sample(index, channel);
                match spec.sample_format {
                    SampleFormat::Float => writer.write_sample(value).unwrap(),
                    SampleFormat::Int => {
                        let scale = ((1u64 << (spec.bits_per_sample - 1)) - 1) as f32;
                        writer.write_sample((value * scale) as i32).unwrap();
                    }
                }
            }
        }
        writer.finalize().unwrap();
    }

    fn tone(index: usize, rate: u32) -> f32 {
        (index as f32 * 400.0 * std::f32::consts::TAU / rate as f32).sin() * 0.5
    }

    #[test]
    fn any_kind_of_file_sounds_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        for (channels, sample_rate, bits_per_sample, sample_format) in [
            (1, 48_000, 16, SampleFormat::Int),
            (2, 48_000, 32, SampleFormat::Float),
            (1, 44_100, 24, SampleFormat::Int),
            (6, 16_000, 16, SampleFormat::Int),
            (1, 8_000, 8, SampleFormat::Int),
            (2, 96_000, 32, SampleFormat::Int),
        ] {
            write(&path, WavSpec { channels, sample_rate, bits_per_sample, sample_format }, sample_rate as usize, |index, _| {
                tone(index, sample_rate)
            });
            let mut sound = Loop::open(&path).unwrap();
            // Over one second, so around the loop's seam: 400 Hz fits a second, so it goes on smoothly.
            let mut out = vec![0.0; 60_000];
            out.chunks_mut(960).for_each(|block| sound.read(block).unwrap());
            // The resampler's filter is centred to half a sample of the file.
            let half_a_sample =
                if sample_rate == 48_000 { 0.0 } else { 0.5 * 400.0 * std::f32::consts::TAU * 0.5 / sample_rate as f32 };
            let tolerance = half_a_sample + if bits_per_sample == 8 { 0.02 } else { 0.005 };
            let error = (2_000..60_000).map(|index| (out[index] - tone(index, 48_000)).abs()).fold(0.0, f32::max);
            assert!(error < tolerance, "{channels} channels at {sample_rate} Hz, {bits_per_sample} bits: off by {error}");
        }
    }

    #[test]
    fn a_file_that_is_cut_off_plays_as_far_as_it_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let spec = WavSpec { channels: 1, sample_rate: 48_000, bits_per_sample: 16, sample_format: SampleFormat::Int };
        write(&path, spec, 4_800, |_, _| 0.25);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 2_000]).unwrap();
        let mut out = [0.0; 9_600];
        Loop::open(&path).unwrap().read(&mut out).unwrap();
        assert!(out.iter().all(|sample| (sample - 0.25).abs() < 0.001));
    }

    #[test]
    fn says_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        assert!(matches!(Loop::open(&path), Err(Error::Io { .. })));
        std::fs::write(&path, "not a wav file at all").unwrap();
        assert!(Loop::open(&path).err().unwrap().to_string().contains("a.wav"));
        let spec = WavSpec { channels: 1, sample_rate: 48_000, bits_per_sample: 16, sample_format: SampleFormat::Int };
        write(&path, spec, 0, |_, _| 0.0);
        assert!(matches!(Loop::open(&path), Err(Error::Format { .. })));
        write(&path, WavSpec { sample_rate: 4_000_000, ..spec }, 10, |_, _| 0.0);
        assert!(Loop::open(&path).err().unwrap().to_string().contains("4000000"));
    }

    proptest! {
        #[test]
        fn no_file_panics(at in 0usize..60, junk in prop::collection::vec(any::<u8>(), 0..300)) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.wav");
            let spec = WavSpec { channels: 2, sample_rate: 44_100, bits_per_sample: 16, sample_format: SampleFormat::Int };
            write(&path, spec, 20, |index, _| index as f32 / 20.0);
            let mut bytes = std::fs::read(&path).unwrap();
            bytes.truncate(at);
            bytes.extend(junk);
            std::fs::write(&path, bytes).unwrap();
            if let Ok(mut sound) = Loop::open(&path) {
                let _ = sound.read(&mut [0.0; 2_000]);
            }
        }
    }
}
