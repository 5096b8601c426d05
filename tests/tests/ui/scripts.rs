//! The scripts in `tests/ui`, each run from the sample it names.

use std::{fs, path::PathBuf};

use app::ui::{Options, application, preset::Sample};

fn folder() -> PathBuf {
    tests::root().join("tests/ui")
}

#[test]
fn every_script_runs_to_its_end() {
    iced_test::run(application(Options::default()), folder()).expect("every step of every script succeeds");
}

#[test]
fn a_script_begins_in_every_sample() {
    let files = fs::read_dir(folder()).expect("the folder of scripts").map(|file| file.expect("a file").path());
    let scripts = files.filter(|file| file.extension().is_some_and(|end| end == "ice"));
    let scripts: Vec<_> = scripts.map(|file| fs::read_to_string(file).expect("a script")).collect();
    for sample in Sample::ALL {
        let line = format!("preset: {}", sample.name());
        assert!(scripts.iter().any(|script| script.lines().any(|other| other == line)), "no script begins in {}", sample.name());
    }
}
