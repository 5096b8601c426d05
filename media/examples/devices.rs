//! Lists the cameras, microphones and speakers of this machine, then tries one of each for two seconds and tells what came of it.
//!
//! `devices [CAMERA [MICROPHONE [SPEAKER [SECONDS]]]]`, each in the forms of `tvphone --help`. The defaults are the system's own devices.
//! The exit status is 0 if all three worked.

use std::{
    env,
    error::Error,
    f32::consts::TAU,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use codecs::opus;
use media::{
    CameraSpec, MicrophoneSpec, SpeakerSpec, Trouble, VideoConfig,
    camera::Camera,
    devices,
    microphone::{Microphone, Samples},
    slot::Slot,
    speaker::{Playback, Speaker},
    watch::State,
};

/// What a device said last.
#[derive(Clone, Default)]
struct News(Arc<Mutex<Vec<String>>>);

impl News {
    fn state(&self, part: &'static str) -> State {
        let news = self.clone();
        let start = Instant::now();
        Arc::new(move |state: Result<(), Trouble>| {
            let words = state.err().map_or_else(|| "it works".to_owned(), |trouble| trouble.to_string());
            let line = format!("{:6.2} s  {part}: {words}", start.elapsed().as_secs_f64());
            news.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        })
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let argument = |index: usize| arguments.get(index).map_or("device", String::as_str);
    let camera: CameraSpec = argument(0).parse()?;
    let microphone: MicrophoneSpec = argument(1).parse()?;
    let speaker: SpeakerSpec = argument(2).parse()?;
    let length = Duration::from_secs_f64(arguments.get(3).map_or(Ok(2.0), |seconds| seconds.parse())?);

    for (title, list) in
        [("cameras", devices::cameras()), ("microphones", devices::microphones()), ("speakers", devices::speakers())]
    {
        println!("{title}:");
        list.iter().for_each(|device| println!("  device:{}  ({})", device.id, device.name));
    }

    let news = News::default();
    let (_speaker, playback) = Speaker::start(&speaker, news.state("speaker"));
    let (_microphone, samples) = Microphone::start(&microphone, news.state("microphone"));
    let slot = Slot::new();
    let _camera = Camera::start(&camera, VideoConfig::default(), slot.clone(), news.state("camera"));
    let end = Instant::now() + length;
    let playing = thread::spawn(move || play(playback, end));
    let listening = thread::spawn(move || listen(samples, end));
    let seen = look(&slot, end);
    let heard = listening.join().unwrap_or_default();
    let played = playing.join().unwrap_or_default();
    for line in news.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        println!("{line}");
    }
    println!("camera: {seen}\nmicrophone: {heard}\nspeaker: {played:.2} s of a tone played");
    let worked = |part: &str| news.0.lock().is_ok_and(|news| news.last_of(part).is_some_and(|line| line.ends_with("it works")));
    let all = worked("camera") && worked("microphone") && worked("speaker");
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

trait LastOf {
    fn last_of(&self, part: &str) -> Option<&String>;
}

impl LastOf for Vec<String> {
    fn last_of(&self, part: &str) -> Option<&String> {
        self.iter().rev().find(|line| line.contains(&format!("{part}:")))
    }
}

/// Counts the frames that come until `end`.
fn look(slot: &Slot, end: Instant) -> String {
    let (mut generation, mut count, mut first, mut last, mut longest) = (0, 0u32, None, 0u64, 0u64);
    let mut picture = String::from("no picture");
    while let Some(seen) = slot.wait(generation, end.saturating_duration_since(Instant::now())) {
        generation = seen.generation;
        let Some(frame) = seen.frame else { continue };
        let time = frame.time().as_micros();
        if count > 0 {
            longest = longest.max(time.saturating_sub(last));
        }
        first.get_or_insert(time);
        (count, last) = (count + 1, time);
        let (low, high) = frame.y().iter().fold((u8::MAX, 0), |(low, high), &luma| (low.min(luma), high.max(luma)));
        picture = format!("{} {:?}, luma {low} to {high}", frame.size(), frame.color());
    }
    let rate = f64::from(count.saturating_sub(1)) * 1e6 / (last.saturating_sub(first.unwrap_or(0)).max(1)) as f64;
    format!("{picture}, {count} frames, {rate:.1} a second, longest gap {:.1} ms", longest as f64 / 1e3)
}

/// Listens until `end`.
fn listen(mut samples: Samples, end: Instant) -> String {
    let (mut frame, mut count, mut loudest, mut power) = ([0.0f32; opus::FRAME], 0u32, 0.0f32, 0.0f64);
    while Instant::now() < end {
        if samples.read(&mut frame, Duration::from_millis(100)).is_some() {
            count += 1;
            loudest = frame.iter().fold(loudest, |loudest, sample| loudest.max(sample.abs()));
            power += frame.iter().map(|sample| f64::from(sample * sample)).sum::<f64>();
        }
    }
    let level = (power / f64::from(count.max(1)) / opus::FRAME as f64).sqrt();
    format!("{count} frames of 20 ms, loudest sample {loudest:.4}, mean level {level:.5}, {} samples skipped", samples.skipped())
}

/// Plays a tone of 440 Hz until `end`; returns how many seconds of it were taken.
fn play(mut playback: Playback, end: Instant) -> f64 {
    let mut written = 0;
    while Instant::now() < end {
        if playback.wait_until_below(Duration::from_millis(40), Duration::from_millis(100)) {
            let tone: Vec<f32> = (written..written + opus::FRAME)
                .map(|index| (index as f32 * 440.0 * TAU / opus::SAMPLE_RATE as f32).sin() * 0.2)
                .collect();
            written += playback.write(&tone);
        }
    }
    written as f64 / f64::from(opus::SAMPLE_RATE) - playback.buffered().as_secs_f64()
}
