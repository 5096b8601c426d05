//! The harness of the tests that need several crates: a real relay, robots and windows as processes of their own.

pub mod display;
pub mod painter;
pub mod people;
pub mod process;
pub mod proxies;
pub mod robot;
pub mod sight;
pub mod sound;
pub mod video;

use std::{
    path::PathBuf,
    process::Command,
    sync::OnceLock,
    time::{Duration, Instant},
};

/// Path of one of the project's programs, built from the sources as they are now.
pub fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let test = std::env::current_exe().expect("a test has a path");
        let deps = test.parent().expect("a test lies in a folder");
        let folder = deps.parent().filter(|_| deps.ends_with("deps")).unwrap_or(deps).to_owned();
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // The whole workspace, or features that only its tests ask for would be left out and half the dependencies built anew.
        build.args(["build", "--quiet", "--offline", "--workspace", "--bins"]);
        build.current_dir(root()).env("CARGO_TARGET_DIR", folder.parent().expect("a profile's folder lies in the target folder"));
        if folder.ends_with("release") {
            build.arg("--release");
        }
        // Build scripts look at what cargo tells a test about its own package, and would run anew for nothing.
        for (variable, _) in std::env::vars_os() {
            let name = variable.to_string_lossy();
            if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_EXE_", "CARGO_CRATE_NAME"].iter().any(|own| name.starts_with(own)) {
                build.env_remove(&variable);
            }
        }
        let status = build.status().expect("cargo runs");
        assert!(status.success(), "the programs can't be built");
        folder
    });
    folder.join(name)
}

/// The project's top folder.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lies in the project").to_owned()
}

/// Where a test leaves pictures for a person to look at.
pub fn artefacts() -> PathBuf {
    let folder = program("").parent().expect("the programs lie in the target folder").join("test-pictures");
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

/// Looks again and again until there's something to see; a test that waits in vain says for what.
pub fn eventually<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < end, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
