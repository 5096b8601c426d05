//! The scripts in `tests/ui`, each run from the sample it names.

use app::ui::{Options, application};

#[test]
fn every_script_runs_to_its_end() {
    let folder = tests::root().join("tests/ui");
    let scripts = std::fs::read_dir(&folder).expect("the folder of scripts");
    let count =
        scripts.filter(|file| file.as_ref().is_ok_and(|file| file.path().extension().is_some_and(|end| end == "ice"))).count();
    assert!(count >= 6, "only {count} scripts in {}", folder.display());
    iced_test::run(application(Options::default()), &folder).expect("every step of every script succeeds");
}
