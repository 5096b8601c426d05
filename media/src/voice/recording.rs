//! Records a voice message.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use codecs::opus::{Config, Encoder, FRAME};

use super::{LONGEST, clip::length, ogg::Writer};
use crate::{
    Error, MicrophoneSpec, Part, Trouble,
    devices::choice::Wish,
    microphone::{Microphone, Samples},
    stop::Stop,
    watch::State,
};

/// How long a recording waits for sound before it looks whether it's still wanted.
const BEAT: Duration = Duration::from_millis(50);

/// A voice message while it is spoken, and until it is finished. Dropping it forgets it.
#[derive(Debug)]
pub struct Recording {
    stop: Stop,
    samples: Arc<AtomicUsize>,
    trouble: Arc<Mutex<Option<Trouble>>>,
    /// There until it is finished.
    work: Option<JoinHandle<Result<Vec<u8>, Error>>>,
}

impl Recording {
    /// Begins to record.
    ///
    /// # Errors
    /// [`Error::Thread`], and [`Error::Codec`] without memory.
    pub fn start(spec: &MicrophoneSpec) -> Result<Self, Error> {
        let (stop, samples, trouble) = (Stop::default(), Arc::default(), Arc::<Mutex<_>>::default());
        if *spec == MicrophoneSpec::None {
            tell(&trouble, Err(Trouble::Missing(Part::Microphone)));
        }
        let told = Arc::clone(&trouble);
        let state: State = Arc::new(move |state| tell(&told, state));
        let (microphone, sound) = Microphone::begin(&Wish::new(spec, true, state.into()));
        // Nothing is lost on the way, and silence belongs to what is said.
        let encoder = Encoder::new(Config { dtx: false, expected_loss_percent: 0, ..Config::default() })?;
        let work = {
            let (stop, samples) = (stop.clone(), Arc::clone(&samples));
            move || record(microphone, sound, encoder, &stop, &samples)
        };
        let work = thread::Builder::new().name("voice message".into()).spawn(work).map_err(Error::Thread)?;
        Ok(Self { stop, samples, trouble, work: Some(work) })
    }

    /// Lets go of the microphone and keeps what was said.
    pub fn stop(&self) {
        self.stop.set();
    }

    /// Whether it listens no more: it was stopped, or has become as long as any may be.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.stop.is_set() || self.work.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// How much was said so far.
    #[must_use]
    pub fn lasted(&self) -> Duration {
        length(self.samples.load(Ordering::Relaxed))
    }

    /// What is wrong with the microphone at this moment.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The file: Opus in Ogg. Waits for a moment, so not on a thread that draws.
    ///
    /// # Errors
    /// [`Error::Codec`] when the encoder fails.
    pub fn finish(mut self) -> Result<Vec<u8>, Error> {
        self.stop.set();
        let work = self.work.take().map(JoinHandle::join);
        work.and_then(Result::ok).unwrap_or_else(|| Err(Error::Thread(std::io::Error::other("the recording is gone"))))
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.stop.set();
    }
}

fn tell(trouble: &Mutex<Option<Trouble>>, state: Result<(), Trouble>) {
    *trouble.lock().unwrap_or_else(PoisonError::into_inner) = state.err();
}

fn record(
    microphone: Microphone,
    mut sound: Samples,
    mut encoder: Encoder,
    stop: &Stop,
    count: &AtomicUsize,
) -> Result<Vec<u8>, Error> {
    let skip = u16::try_from(encoder.lookahead()?).unwrap_or(0);
    let (mut file, mut frame) = (Writer::new(skip), [0.0; FRAME]);
    while !stop.is_set() && length(count.load(Ordering::Relaxed)) < LONGEST {
        if sound.read(&mut frame, BEAT).is_some() {
            file.packet(encoder.encode(&frame)?.data);
            count.fetch_add(FRAME, Ordering::Relaxed);
        }
    }
    // What is said from here on is nobody's business.
    drop(microphone);
    Ok(file.finish(encoder.encode(&[0.0; FRAME])?.data))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use codecs::opus::Decoder;

    use super::*;
    use crate::{
        SpeakerSpec,
        voice::{Clip, Player},
    };

    /// A second of a tone, again and again.
    fn tone(folder: &std::path::Path) -> MicrophoneSpec {
        let path = folder.join("tone.wav");
        let spec =
            hound::WavSpec { channels: 1, sample_rate: 48_000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
        let mut writer = hound::WavWriter::create(&path, spec).unwrap();
        let wave = |index: i32| ((index as f32 * 440.0 * std::f32::consts::TAU / 48_000.0).sin() * 16_000.0) as i16;
        (0..48_000).for_each(|index| writer.write_sample(wave(index)).unwrap());
        writer.finalize().unwrap();
        MicrophoneSpec::File(path)
    }

    /// Waits for `wanted`, as a window does that looks now and then.
    fn soon(wanted: impl Fn() -> bool) {
        let patience = Instant::now() + Duration::from_secs(20);
        while !wanted() {
            assert!(Instant::now() < patience, "it doesn't come to that");
            assert!(!Stop::default().wait(Duration::from_millis(1)));
        }
    }

    #[test]
    fn what_is_said_is_what_is_heard() {
        let folder = tempfile::tempdir().unwrap();
        let recording = Recording::start(&tone(folder.path())).unwrap();
        soon(|| recording.lasted() >= Duration::from_millis(1_300));
        recording.stop();
        assert!(recording.is_over() && recording.trouble().is_none());
        let file = recording.finish().unwrap();
        assert!(file.starts_with(b"OggS"));
        let clip = Clip::read(&file).unwrap();
        assert!((1_300..2_000).contains(&clip.length().as_millis()), "{:?}", clip.length());
        let (mut decoder, mut sound) = (Decoder::new().unwrap(), Vec::new());
        clip.packets.iter().for_each(|packet| decoder.append(packet, &mut sound).unwrap());
        // The sound is as long as was said, and the tone is where it was.
        assert_eq!(sound.len() - clip.samples, FRAME, "the last frame is for what the encoder held back");
        let said = &sound[clip.skip..clip.skip + clip.samples];
        let crossings = said[4_800..52_800].windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
        assert!(crossings.abs_diff(440) < 6, "{crossings} Hz");

        let player = Player::start(&clip, &SpeakerSpec::Silent).unwrap();
        let began = Instant::now();
        soon(|| player.is_over());
        assert!(began.elapsed() + Duration::from_millis(150) > clip.length(), "{:?}", began.elapsed());
        assert_eq!(player.position(), clip.length());
    }

    #[test]
    fn without_a_microphone_it_says_so() {
        let recording = Recording::start(&MicrophoneSpec::None).unwrap();
        assert_eq!(recording.trouble(), Some(Trouble::Missing(Part::Microphone)));
        let file = recording.finish().unwrap();
        assert_eq!(Clip::read(&file).unwrap().length(), Duration::ZERO);
        let recording = Recording::start(&MicrophoneSpec::File("/no/such.wav".into())).unwrap();
        soon(|| recording.trouble().is_some_and(|trouble| trouble.to_string().contains("/no/such.wav")));
    }
}
