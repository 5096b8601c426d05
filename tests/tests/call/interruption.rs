//! What a call lives through: a relay that is killed and comes back, a relay that stands still for a while.

use std::{
    path::Path,
    process::Command,
    thread::sleep,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use media::{barcode, y4m};
use tests::{people::Relay, robot::Robot};

use crate::{AROUND, alone};

#[test]
fn a_call_resumes_within_3_s_of_the_relay_coming_back() {
    let _alone = alone();
    let mut relay = Relay::with_ana_and_ben();
    let record = relay.folder().join("received");
    let (ana, ben) = pair(&relay, "14", &record);
    sleep(Duration::from_secs(5));
    relay.kill();
    // Longer than an instant, so that every client has noticed.
    sleep(Duration::from_secs(1));
    relay.restart();
    let back = micros_now();
    let (ana, ben) = (ana.finish(AROUND), ben.finish(AROUND));
    assert!(ana.success && ben.success, "{:#}\n{:#}", ana.report, ben.report);
    assert!(ana.number("/http/reconnects") >= 1.0, "{:#}", ana.report);
    let captured = capture_times(&record);
    let first = captured.iter().copied().find(|time| *time > back).expect("pictures come again");
    let resumed = Duration::from_micros(first - back);
    println!("pictures {} ms after the relay came back", resumed.as_millis());
    assert!(resumed < Duration::from_secs(3), "resumed after {resumed:?}");
    assert!(captured.is_sorted(), "pictures are never shown out of order");
}

#[test]
fn a_call_outlives_a_network_that_is_gone_for_a_while() {
    let _alone = alone();
    let mut relay = Relay::with_ana_and_ben();
    let record = relay.folder().join("received");
    let (ana, ben) = pair(&relay, "16", &record);
    sleep(Duration::from_secs(4));
    // A stopped process keeps its connections and answers nothing: to the clients it is a network that swallows all.
    signal(&mut relay, "STOP");
    sleep(Duration::from_secs(5));
    signal(&mut relay, "CONT");
    let back = micros_now();
    let (ana, ben) = (ana.finish(AROUND), ben.finish(AROUND));
    assert!(ana.success && ben.success, "{:#}\n{:#}", ana.report, ben.report);
    let captured = capture_times(&record);
    let after = captured.iter().filter(|time| **time > back + 3_000_000).count();
    assert!(after > 30, "only {after} pictures from 3 s after the network was back");
    // What is shown at the end is as fresh as before: delay may step up, never creep.
    assert!(ben.number("/delay_ms/video/p50") < 100.0, "{:#}", ben.report);
}

fn pair(relay: &Relay, seconds: &str, record: &Path) -> (Robot, Robot) {
    let common = ["--camera", "pattern:320x240@30", "--microphone", "chirp"];
    let record = record.to_str().expect("a plain path");
    let ben = Robot::start(relay, "Ben", &[&["--answer", "--record", record], &common[..]].concat());
    let ana = Robot::start(relay, "Ana", &[&["--call", "Ben", "--duration", seconds], &common[..]].concat());
    (ana, ben)
}

fn signal(relay: &mut Relay, signal: &str) {
    let status = Command::new("kill").args(["-s", signal, &relay.process().id().to_string()]).status();
    assert!(status.expect("kill runs").success());
}

fn micros_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    u64::try_from(since.as_micros()).expect("a time that fits")
}

/// When each recorded picture was captured, in the order they were shown.
fn capture_times(record: &Path) -> Vec<u64> {
    let mut times = Vec::new();
    let mut files: Vec<_> = std::fs::read_dir(record).expect("a record").map(|file| file.expect("readable").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "y4m"));
    files.sort();
    for file in files {
        let mut reader = y4m::Reader::open(&file).expect("a record in Y4M");
        while let Some(frame) = reader.next_frame().expect("whole frames") {
            times.extend(barcode::read(&frame));
        }
    }
    times
}
