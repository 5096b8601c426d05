//! What arrives is what was sent: the clip's pictures and sound, as Ben's robot recorded them.

use std::{collections::BTreeMap, path::Path};

use codecs::Frame;
use media::{barcode, y4m};
use tests::{
    people::Relay,
    robot::Robot,
    root,
    video::{correlate, psnr},
};

use crate::{AROUND, alone};

/// Of how many samples the sound is compared at a time: 200 ms.
const PART: usize = 9_600;

/// Each picture of the clip, by the timecode in it.
fn clip(file: &Path) -> BTreeMap<u64, Frame> {
    let mut clip = media::camera::clip::Clip::open(file).expect("the clip can be read");
    let mut frames = BTreeMap::new();
    while let Some(frame) = clip.next_frame().expect("whole frames") {
        let code = barcode::read(&frame).expect("each picture of the clip carries its time");
        if frames.insert(code, frame).is_some() {
            break;
        }
    }
    frames
}

#[test]
fn bens_picture_is_anas_clip() {
    let _alone = alone();
    let relay = Relay::with_ana_and_ben();
    let record = relay.folder().join("received");
    let (video, audio) = (root().join("assets/clips/ana.mp4"), root().join("assets/clips/ana.wav"));
    let camera = format!("file:{}", video.display());
    let microphone = format!("file:{}", audio.display());
    let quiet = ["--camera", "none", "--microphone", "none"];
    let record_to = record.to_str().expect("a plain path");
    let ben = Robot::start(&relay, "Ben", &[&["--answer", "--record", record_to], &quiet[..]].concat());
    let options = ["--call", "Ben", "--duration", "8", "--camera", &camera, "--microphone", &microphone];
    let ana = Robot::start(&relay, "Ana", &options);
    let (ana, ben) = (ana.finish(AROUND), ben.finish(AROUND));
    assert!(ana.success && ben.success, "{:#}\n{:#}", ana.report, ben.report);

    let source = clip(&video);
    let mut reader = y4m::Reader::open(&record.join("peer-1.y4m")).expect("Ben's record");
    let (mut compared, mut worst) = (0, f64::INFINITY);
    while let Some(frame) = reader.next_frame().expect("whole frames") {
        let code = barcode::read(&frame).expect("the timecode survives the way");
        let sent = source.get(&code).unwrap_or_else(|| panic!("no picture of the clip has the timecode {code}"));
        let quality = psnr(sent, &frame);
        assert!(quality > 30.0, "picture {code} has {quality:.1} dB");
        (compared, worst) = (compared + 1, quality.min(worst));
    }
    println!("{compared} pictures compared, the worst has {worst:.1} dB");
    assert!(compared > 200, "only {compared} pictures in 8 s");

    // In short parts, for playout bends time a little wherever sound comes unevenly; and in those with something to hear.
    let (whole, received) = (samples(&audio), samples(&record.join("peer-1.wav")));
    let loudness = |part: &[f32]| part.iter().map(|sample| sample * sample).sum::<f32>() / part.len() as f32;
    let parts = received.chunks_exact(PART).filter(|part| loudness(part) >= loudness(&received));
    let mut found: Vec<_> = parts.map(|part| correlate(&whole, part).0).collect();
    found.sort_by(f32::total_cmp);
    println!("the sound correlates with {found:.2?}");
    assert!(found.len() >= 8, "only {} parts with sound", found.len());
    // The clip is looped, so a part may lie across its end, and parts that were bent or made up are like none of it.
    let median = found[found.len() / 2];
    assert!(median > 0.8, "the sound correlates with {median:.3} only: {found:.2?}");
    assert!(ben.number("/audio/concealed_ms") < 200.0, "{:#}", ben.report);
}

fn samples(file: &Path) -> Vec<f32> {
    let mut reader = hound::WavReader::open(file).expect("a WAV file");
    let spec = reader.spec();
    assert_eq!((spec.sample_rate, spec.channels), (48_000, 1));
    match spec.sample_format {
        hound::SampleFormat::Float => reader.samples::<f32>().map(|sample| sample.expect("whole samples")).collect(),
        hound::SampleFormat::Int => {
            let scale = f32::from(i16::MAX);
            reader.samples::<i16>().map(|sample| f32::from(sample.expect("whole samples")) / scale).collect()
        }
    }
}
