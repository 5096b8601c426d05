//! The sample clips, sounds and providers are what assets/README.md says.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use codecs::{Color, Frame, MediaTime, h264::Decoder};
use serde_json::Value;
use shiguredo_mp4::{
    boxes::SampleEntry,
    demux::{Input, Mp4FileDemuxer},
};

const FRAMES: u64 = 300;

fn asset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets").join(name)
}

/// Decodes all the pictures of a clip.
fn pictures(name: &str) -> Vec<Frame> {
    let file = fs::read(asset(name)).expect("the clip is there");
    let mut demuxer = Mp4FileDemuxer::new();
    demuxer.handle_input(Input { position: 0, data: &file });
    assert_eq!(demuxer.tracks().expect("it is an MP4 file").len(), 1);
    let mut decoder = Decoder::new().expect("the decoder can be set up");
    let (mut pictures, mut parameters) = (Vec::new(), Vec::new());
    while let Some(sample) = demuxer.next_sample().expect("it has whole samples") {
        if let Some(SampleEntry::Avc1(entry)) = sample.sample_entry {
            parameters = entry.avcc_box.sps_list.iter().chain(&entry.avcc_box.pps_list).cloned().collect();
        }
        let mut unit = Vec::new();
        let mut push = |nal: &[u8]| {
            unit.extend_from_slice(&[0, 0, 0, 1]);
            unit.extend_from_slice(nal);
        };
        if sample.keyframe {
            parameters.iter().for_each(|nal| push(nal));
        }
        let mut rest = &file[sample.data_offset as usize..][..sample.data_size];
        while let Some((length, data)) = rest.split_first_chunk() {
            let (nal, after) = data.split_at(u32::from_be_bytes(*length) as usize);
            push(nal);
            rest = after;
        }
        let time = MediaTime(sample.timestamp * 1_000_000 / u64::from(sample.track.timescale.get()));
        let picture = decoder.decode(&unit, Color::default(), time).expect("each sample is H.264");
        pictures.push(picture.expect("each sample is a picture").to_frame());
    }
    pictures
}

fn sound(name: &str) -> Vec<f32> {
    let mut wav = hound::WavReader::open(asset(name)).expect("the sound is there");
    let spec = wav.spec();
    assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, 48_000, 16), "{name}");
    wav.samples::<i16>().map(|sample| f32::from(sample.expect("it is whole")) / 32768.0).collect()
}

/// Mean absolute difference of the luma around the mouth.
fn moved(one: &Frame, other: &Frame) -> f32 {
    let width = one.size().width as usize;
    let rows = (230..310).flat_map(|row| row * width + 260..row * width + 380);
    let differences = rows.map(|at| f32::from(one.y()[at].abs_diff(other.y()[at])));
    differences.sum::<f32>() / (80.0 * 120.0)
}

#[test]
fn the_clips_show_when_each_picture_is() {
    for name in ["ana", "ben"] {
        let pictures = pictures(&format!("clips/{name}.mp4"));
        assert_eq!(pictures.len() as u64, FRAMES);
        for (number, picture) in pictures.iter().enumerate() {
            assert_eq!((picture.size().width, picture.size().height), (640, 480));
            let time = number as u64 * 1_000_000 / 30;
            assert_eq!(picture.time(), MediaTime(time));
            assert_eq!(media::barcode::read(picture), Some(time), "{name}, picture {number}");
        }
        // The end runs into the beginning: no further apart than pictures in the middle of a word.
        let loudest = pictures.windows(2).map(|pair| moved(&pair[0], &pair[1])).fold(0.0, f32::max);
        assert!(moved(&pictures[299], &pictures[0]) < loudest / 2.0, "{name} jumps when looped");
    }
}

/// Dark pixels where the mouth is: how far it is open.
fn open(picture: &Frame) -> f32 {
    let width = picture.size().width as usize;
    (235..310)
        .map(|row| picture.y()[row * width + 280..row * width + 360].iter().filter(|luma| **luma < 64).count())
        .sum::<usize>() as f32
}

#[test]
fn the_mouths_open_when_there_is_something_to_hear() {
    for name in ["ana", "ben"] {
        let mouths: Vec<f32> = pictures(&format!("clips/{name}.mp4")).iter().map(open).collect();
        let samples = sound(&format!("clips/{name}.wav"));
        assert_eq!(samples.len(), 480_000);
        let levels: Vec<f32> =
            samples.chunks(1600).map(|heard| (heard.iter().map(|sample| sample * sample).sum::<f32>() / 1600.0).sqrt()).collect();
        let spoken = levels.iter().filter(|level| **level > 0.03).count();
        assert!((120..270).contains(&spoken), "{name} speaks in {spoken} pictures");
        let correlation = correlation(&mouths, &levels);
        assert!(correlation > 0.7, "{name}: mouth and sound go together by {correlation}");
    }
}

fn correlation(one: &[f32], other: &[f32]) -> f32 {
    let centred = |values: &[f32]| {
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        values.iter().map(|value| value - mean).collect::<Vec<_>>()
    };
    let product = |one: &[f32], other: &[f32]| one.iter().zip(other).map(|(a, b)| a * b).sum::<f32>();
    let (one, other) = (centred(one), centred(other));
    product(&one, &other) / (product(&one, &one) * product(&other, &other)).sqrt()
}

#[test]
fn the_sounds_can_be_looped_and_heard() {
    for (name, seconds) in [("ring", 3.0), ("ringback", 4.0), ("hangup", 0.7), ("message", 0.5)] {
        let samples = sound(&format!("sounds/{name}.wav"));
        assert!((samples.len() as f32 / 48_000.0 - seconds).abs() < 0.01, "{name}");
        let peak = samples.iter().fold(0.0, |peak: f32, sample| peak.max(sample.abs()));
        assert!((0.1..0.95).contains(&peak), "{name} peaks at {peak}");
        assert!(samples[0].abs() < 0.01 && samples[samples.len() - 1].abs() < 0.01, "{name} clicks");
    }
}

#[cfg(unix)]
fn provided(name: &str, environment: &[(&str, &str)]) -> (String, String) {
    let mut command = Command::new(asset("providers").join(name));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("GATEWAY_INTERFACE", "CGI/1.1").envs(environment.iter().copied());
    let output = command.output().expect("the provider runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("it prints UTF-8");
    let (headers, body) = text.split_once("\n\n").expect("headers, an empty line, a body");
    (headers.to_owned(), body.to_owned())
}

#[cfg(unix)]
#[test]
fn the_fortune_provider_says_one_of_its_cookies() {
    let (headers, body) = provided("fortune", &[]);
    assert!(headers.starts_with("Content-Type: text/plain"), "{headers}");
    let cookie = body.strip_suffix('\n').unwrap();
    assert!(!cookie.is_empty() && !cookie.contains('\n'), "{body:?}");
    let script = fs::read_to_string(asset("providers/fortune")).unwrap();
    let cookies: Vec<&str> = script.lines().filter_map(|line| line.strip_prefix("# - ")).collect();
    assert!(cookies.len() >= 40 && cookies.contains(&cookie), "{cookie}");
}

#[cfg(unix)]
#[test]
fn the_status_provider_prints_json_whatever_it_is_told() {
    let title = |environment: &[(&str, &str)]| {
        let (headers, body) = provided("relay-status", environment);
        assert_eq!(headers, "Content-Type: application/json");
        let items: Value = serde_json::from_str(&body).unwrap();
        items[0]["title"].as_str().unwrap().to_owned()
    };
    let told = [("RELAY_USERS_ONLINE", "1"), ("RELAY_CALLS", "12"), ("RELAY_UPTIME_S", "90000")];
    assert_eq!(title(&told), "1 person is here, 12 calls are on");
    assert_eq!(title(&[("RELAY_USERS_ONLINE", "\"},{"), ("RELAY_CALLS", "-1")]), "0 people are here, 0 calls are on");
}
