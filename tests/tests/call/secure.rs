//! A call through a relay with TLS whose certificate nobody vouches for: pinned it carries a call, and otherwise nothing.

use std::{fs, io::Read, net::TcpStream};

use tests::{people::Relay, robot::Robot};

use crate::{AROUND, alone};

const MEDIA: [&str; 4] = ["--camera", "pattern:320x240@15", "--microphone", "chirp"];

#[test]
fn a_pinned_relay_carries_a_call() {
    let _alone = alone();
    let mut relay = Relay::secure_with_ana_and_ben();
    let fingerprint = relay.fingerprint();
    let trust = ["--trust", fingerprint.as_str()];
    let ben = Robot::start(&relay, "Ben", &[&["--answer"], &trust[..], &MEDIA].concat());
    let ana =
        Robot::start(&relay, "Ana", &[&["--call", "Ben", "--duration", "5", "--say", "hello"], &trust[..], &MEDIA].concat());
    for (name, outcome) in [("Ana", ana.finish(AROUND)), ("Ben", ben.finish(AROUND))] {
        assert!(outcome.success, "{name}: {:#}", outcome.report);
        assert!(outcome.number("/video/shown") > 40.0, "{name}: {:#}", outcome.report);
        assert!(outcome.number("/audio/received") > 150.0, "{name}: {:#}", outcome.report);
    }
    // Its certificate is the same after a restart, and whoever waits has it pinned.
    relay.kill();
    relay.restart();
    assert_eq!(relay.fingerprint(), fingerprint);
}

#[test]
fn a_robot_that_does_not_trust_the_relay_says_so_and_signs_in_nowhere() {
    let relay = Relay::secure_with_ana_and_ben();
    let fingerprint = relay.fingerprint();
    let wrong = fingerprint.replace(|digit: char| digit.is_ascii_hexdigit(), "0");
    let call = ["--call", "Ben", "--patience", "2", "--camera", "none", "--microphone", "none"];
    for (trust, says) in [(&[][..], "of its own making"), (&["--trust", wrong.as_str()][..], "isn't the one you trusted")] {
        let ended = Robot::command(&relay, "Ana", &[&call[..], trust].concat()).output().expect("the robot runs");
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{told}");
        assert!(told.contains(says) && told.contains(&fingerprint), "{told}");
    }
}

#[test]
fn the_certificate_lies_in_the_data_folder_and_vouches_for_this_machine() {
    let relay = Relay::secure_with_ana_and_ben();
    let file = relay.data().join("self-signed.pem");
    assert!(fs::read_to_string(&file).expect("it is kept").contains("PRIVATE KEY"));
    let ca = ["--ca", file.to_str().expect("a plain path")];
    let call = ["--call", "Ben", "--patience", "2", "--camera", "none", "--microphone", "none"];
    let ana = Robot::start(&relay, "Ana", &[&call[..], &ca].concat()).finish(AROUND);
    assert_eq!(ana.report["outcome"], "nobody answered within 2 s", "she was signed in");
    // Whoever doesn't speak TLS gets no further.
    let mut stream = TcpStream::connect(relay.url().trim_start_matches("https://")).expect("it listens");
    std::io::Write::write_all(&mut stream, b"GET /v1/health HTTP/1.1\r\nHost: relay\r\n\r\n").expect("it takes that");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("https_only"), "{answer}");
}
