//! `tvphone doctor` as people use it: with a real relay, on the command line, by what it says and what it ends with.

use std::{
    process::{Command, Output},
    time::Duration,
};

use serde_json::Value;
use tests::{
    people::Relay,
    program,
    proxies::nasty::{Habits, Nasty},
};

fn doctor(options: &[&str]) -> Output {
    let mut command = Command::new(program("tvphone"));
    for name in
        ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "TVPHONE_RELAY", "TVPHONE_PROXY"]
    {
        command.env_remove(name);
    }
    command.arg("doctor").args(options).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output.stdout)))
}

#[test]
fn a_relay_with_nothing_on_the_way_is_well() {
    let relay = Relay::start();
    let output = doctor(&[&relay.url(), "--quick"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
    let rungs = said.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(rungs == 10 && said.contains("All is well."), "{said}");
    let output = doctor(&[&relay.url(), "--quick", "--json"]);
    let report = json(&output);
    assert_eq!(
        (output.status.code(), &report["well"], &report["trouble"]),
        (Some(0), &Value::Bool(true), &Value::Null),
        "{report:#}"
    );
    assert_eq!((&report["figures"]["upload_bytes"], &report["figures"]["answers_gathered"]), (&327_680.into(), &false.into()));
    assert!(report["figures"]["round_trip"]["median_ms"].as_f64().is_some_and(|ms| ms < 100.0), "{report:#}");
}

#[test]
fn a_relay_that_nobody_vouches_for_is_told_and_well_once_it_is_trusted() {
    let relay = Relay::secure_with_ana_and_ben();
    let fingerprint = relay.fingerprint();
    let output = doctor(&[&relay.url(), "--quick"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("Trouble: Encryption.") && said.contains(&fingerprint) && said.contains("What to do: "), "{said}");
    let output = doctor(&[&relay.url(), "--quick", "--json", "--trust", &fingerprint]);
    assert_eq!(output.status.code(), Some(0), "{:#}", json(&output));
}

#[test]
fn a_proxy_that_gathers_and_cuts_is_found_out() {
    let relay = Relay::start();
    let proxy = Nasty::start(Habits { cut_after: Some(Duration::from_secs(3)), ..Habits::default() });
    let output = doctor(&[&relay.url(), "--quick", "--json", "--proxy", &format!("http://{}", proxy.address)]);
    let report = json(&output);
    assert_eq!((output.status.code(), &report["trouble"]), (Some(1), &"polls".into()), "{report:#}");
    let rungs = report["rungs"].as_array().expect("rungs");
    let weak: Vec<_> = rungs.iter().filter(|rung| rung["verdict"] != "good").map(|rung| rung["step"].as_str()).collect();
    assert_eq!(weak, [Some("polls"), Some("buffering")], "{report:#}");
    assert!(report["figures"]["cut_ms"].as_u64().is_some_and(|ms| (2900..4500).contains(&ms)), "{report:#}");
}

#[test]
fn what_makes_no_sense_ends_with_2() {
    for options in [
        &[][..],
        &["ftp://relay.example"],
        &["http://a:b@relay.example"],
        &["relay.example", "--ca", "no-such-file"],
        &["x", "--slow"],
    ] {
        let output = doctor(options);
        assert_eq!(output.status.code(), Some(2), "{options:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
}
