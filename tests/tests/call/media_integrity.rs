//! What arrives is what was sent: the clip's pictures and sound, as Ben's robot recorded them.

use std::path::Path;

use media::{barcode, y4m};
use tests::{
    people::Relay,
    robot::Robot,
    root,
    video::{clip, correlate, psnr},
};

use crate::{AROUND, alone};

/// Of how many samples the sound is compared at a time: 200 ms.
const PART: usize = 9_600;
/// By how many samples playout may have bent the time between two parts: 60 ms.
const BENT: usize = 2_880;

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
    let bound = loudness(&received);
    let parts = received.chunks_exact(PART).enumerate().filter(|(_, part)| loudness(part) >= bound);
    let found: Vec<_> = parts.map(|(index, part)| (index * PART, correlate(&whole, part))).collect();
    println!("the sound correlates with {found:.2?}");
    assert!(found.len() >= 8, "only {} parts with sound", found.len());
    // The clip is looped, so a part may lie across its end, and parts that were bent or made up are like none of it.
    let mut alike: Vec<_> = found.iter().map(|(_, (alike, _))| *alike).collect();
    alike.sort_by(f32::total_cmp);
    let median = alike[alike.len() / 2];
    assert!(median > 0.8, "the sound correlates with {median:.3} only: {found:.2?}");
    // And each part is where it was, counted from the one before.
    let known: Vec<_> = found.iter().filter(|(_, (alike, _))| *alike > 0.8).collect();
    for ((one, (_, from)), (next, (_, to))) in known.iter().zip(&known[1..]) {
        let (passed, in_clip) = ((next - one) % whole.len(), (to + whole.len() - from) % whole.len());
        let off = passed.abs_diff(in_clip);
        let off = off.min(whole.len() - off);
        assert!(off < BENT, "{off} samples between {one} and {next} were lost or doubled: {found:.2?}");
    }
    assert!(ben.number("/audio/concealed_ms") < 200.0, "{:#}", ben.report);

    // Heard when they are seen: sound is no more than 40 ms before its picture and no more than 60 ms after it.
    let [early, late] = ["/av_offset_ms/p5", "/av_offset_ms/p95"].map(|path| ben.number(path));
    println!("sound is {early:.0} to {late:.0} ms later than its picture");
    assert!(early >= -40.0 && late <= 60.0, "{:#}", ben.report);
    assert!(ben.number("/av_offset_ms/count") > 150.0, "{:#}", ben.report);
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
