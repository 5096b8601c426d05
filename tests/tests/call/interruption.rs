//! What a call lives through: a relay that is killed and comes back, a relay that stands still for a while, a computer that sleeps.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use media::{barcode, y4m};
use tests::{eventually, people::Relay, process::Process, robot::Robot};

use crate::{AROUND, alone};

/// What Ana sends.
const CAMERA: &str = "pattern:320x240@30";
/// One of its pictures in the record, in bytes, but for the line before it.
const PICTURE: u64 = 320 * 240 * 3 / 2;

#[test]
fn a_call_resumes_within_3_s_of_the_relay_coming_back() {
    let _alone = alone();
    let mut relay = Relay::with_ana_and_ben();
    let record = relay.folder().join("received");
    let (ana, ben) = pair(&relay, "12", &record);
    wait_for_a_second_of(&record);
    relay.kill();
    // Longer than an instant, so that every client has noticed.
    sleep(Duration::from_secs(1));
    let shown_before = recorded_bytes(&record);
    relay.restart();
    let back = micros_now();
    eventually("pictures come again", Duration::from_secs(3), || (recorded_bytes(&record) > shown_before).then_some(()));
    let (ana, ben) = (ana.finish(AROUND), ben.finish(AROUND));
    assert!(ana.success && ben.success, "{:#}\n{:#}", ana.report, ben.report);
    assert!(ana.number("/http/reconnects") >= 1.0, "{:#}", ana.report);
    let captured = capture_times(&record);
    let first = captured.iter().copied().find(|time| *time > back).expect("pictures come again");
    let resumed = Duration::from_micros(first - back);
    println!("pictures {} ms after the relay came back", resumed.as_millis());
    assert!(resumed < Duration::from_secs(3), "resumed after {resumed:?}");
    // Nor is what was captured meanwhile shown late.
    assert!(ben.number("/delay_ms/video/max") < 3000.0, "{:#}", ben.report);
    assert!(captured.is_sorted(), "pictures are never shown out of order");
}

#[test]
fn a_call_outlives_a_network_that_is_gone_for_a_while() {
    let _alone = alone();
    let mut relay = Relay::with_ana_and_ben();
    let record = relay.folder().join("received");
    let (ana, ben) = pair(&relay, "14", &record);
    wait_for_a_second_of(&record);
    // A stopped process keeps its connections and answers nothing: to the clients it is a network that swallows all.
    signal(relay.process(), "STOP");
    sleep(Duration::from_secs(5));
    signal(relay.process(), "CONT");
    let settled = micros_now() + 3_000_000;
    let newest = || newest_capture(&record);
    eventually("pictures of 3 s after the network is back", AROUND, || newest().filter(|time| *time > settled));
    // What is shown after that is as fresh as before: delay may step up, never creep. The report's figures are of the whole call.
    let mut ages: Vec<_> = (0..40)
        .map(|_| {
            sleep(Duration::from_millis(50));
            micros_now().saturating_sub(newest().expect("there is a newest picture"))
        })
        .collect();
    let (ana, ben) = (ana.finish(AROUND), ben.finish(AROUND));
    assert!(ana.success && ben.success, "{:#}\n{:#}", ana.report, ben.report);
    let after = capture_times(&record).iter().filter(|time| **time > settled).count();
    assert!(after > 30, "only {after} pictures from 3 s after the network was back");
    assert!(ben.number("/delay_ms/video/p50") < 100.0, "{:#}", ben.report);
    // A picture is up to 33 ms older than its delay when the next one takes its place.
    ages.sort_unstable();
    let median = Duration::from_micros(ages[ages.len() / 2]);
    println!("once the network is back the newest picture is {} ms old", median.as_millis());
    assert!(median < Duration::from_millis(150), "the newest picture is {median:?} old; in microseconds: {ages:?}");
}

#[test]
fn a_computer_that_slept_is_back_in_the_call_with_its_next_request() {
    let _alone = alone();
    let relay = Relay::with_ana_and_ben();
    let records = ["Ana's", "Ben's"].map(|whose| relay.folder().join(whose));
    let [at_ana, at_ben] = &records;
    let start = |name: &str, options: &[&str], record: &Path| {
        let record = ["--record", record.to_str().expect("a plain path"), "--camera", CAMERA, "--microphone", "chirp"];
        Robot::start(&relay, name, &[options, &record[..]].concat())
    };
    let mut ben = start("Ben", &["--answer"], at_ben);
    let ana = start("Ana", &["--call", "Ben", "--duration", "24"], at_ana);
    records.iter().for_each(|record| wait_for_a_second_of(record));
    // Far longer than the relay keeps pictures and sound, shorter than it keeps a place in the call.
    signal(ben.process(), "STOP");
    sleep(Duration::from_secs(12));
    let woken = micros_now();
    signal(ben.process(), "CONT");
    for (record, whose) in [(at_ben, "Ana's"), (at_ana, "Ben's")] {
        let new = || newest_capture(record).filter(|time| *time > woken);
        eventually(&format!("{whose} new pictures"), AROUND, new);
        let after = Duration::from_micros(micros_now() - woken);
        println!("{whose} new pictures are seen {} ms after waking", after.as_millis());
        assert!(after < Duration::from_millis(1_500), "{whose} new pictures came after {after:?}");
    }
    let settled = micros_now() + 2_000_000;
    eventually("pictures of 2 s later", AROUND, || newest_capture(at_ben).filter(|time| *time > settled));
    let mut ages: Vec<_> = (0..40)
        .map(|_| {
            sleep(Duration::from_millis(50));
            micros_now().saturating_sub(newest_capture(at_ben).expect("there is a newest picture"))
        })
        .collect();
    let (ana, ben) = (ana.finish(AROUND), ben.finish(AROUND));
    assert!(ana.success && ben.success, "{:#}\n{:#}", ana.report, ben.report);
    ages.sort_unstable();
    let median = Duration::from_micros(ages[ages.len() / 2]);
    assert!(median < Duration::from_millis(150), "the newest picture is {median:?} old after waking; in microseconds: {ages:?}");
}

fn pair(relay: &Relay, seconds: &str, record: &Path) -> (Robot, Robot) {
    let common = ["--camera", CAMERA, "--microphone", "chirp"];
    let record = record.to_str().expect("a plain path");
    let ben = Robot::start(relay, "Ben", &[&["--answer", "--record", record], &common[..]].concat());
    let ana = Robot::start(relay, "Ana", &[&["--call", "Ben", "--duration", seconds], &common[..]].concat());
    (ana, ben)
}

/// Waits until the call is on and pictures flow.
fn wait_for_a_second_of(record: &Path) {
    eventually("a second of pictures arrives", AROUND, || (recorded_bytes(record) > 30 * PICTURE).then_some(()));
}

fn signal(process: &Process, signal: &str) {
    let status = Command::new("kill").args(["-s", signal, &process.id().to_string()]).status();
    assert!(status.expect("kill runs").success());
}

fn micros_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    u64::try_from(since.as_micros()).expect("a time that fits")
}

/// The recorded pictures' files, the oldest first; none before the first picture.
fn recorded(record: &Path) -> Vec<PathBuf> {
    let Ok(files) = std::fs::read_dir(record) else { return Vec::new() };
    let mut files: Vec<_> = files.map(|file| file.expect("readable").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "y4m"));
    // Of the numbers in peer-1.y4m, peer-1-2.y4m and so on, the longer name is the later one.
    files.sort_by_key(|file| (file.as_os_str().len(), file.clone()));
    files
}

fn recorded_bytes(record: &Path) -> u64 {
    recorded(record).iter().map(|file| file.metadata().expect("readable").len()).sum()
}

/// When each recorded picture was captured, in the order they were shown.
fn capture_times(record: &Path) -> Vec<u64> {
    let mut times = Vec::new();
    for file in recorded(record) {
        let mut reader = y4m::Reader::open(&file).expect("a record in Y4M");
        while let Some(frame) = reader.next_frame().expect("whole frames") {
            times.extend(barcode::read(&frame));
        }
    }
    times
}

/// When the newest picture was captured whose brightness is in the record already; it is still being written.
fn newest_capture(record: &Path) -> Option<u64> {
    const MARK: &[u8] = b"FRAME XTIME=";
    let path = recorded(record).pop()?;
    let size = y4m::Reader::open(&path).ok()?.size();
    let luma = size.width as usize * size.height as usize;
    let mut file = File::open(&path).ok()?;
    let length = file.metadata().ok()?.len();
    // Two pictures and their lines hold a whole one, wherever they begin.
    file.seek(SeekFrom::Start(length.saturating_sub(luma as u64 * 3 + 200))).ok()?;
    let mut end = Vec::new();
    file.read_to_end(&mut end).ok()?;
    let mut marks = (0..end.len().saturating_sub(MARK.len())).rev().filter(|at| end[*at..].starts_with(MARK));
    marks.find_map(|at| {
        let line = end[at..].iter().position(|byte| *byte == b'\n')?;
        let picture = end[at + line + 1..].get(..luma)?;
        barcode::read_luma(picture, size.width as usize, 0, 0, size.width, size.height)
    })
}
