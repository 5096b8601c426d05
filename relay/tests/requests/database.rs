//! The database a test works on: the file in its folder, or, where the tests run on PostgreSQL, a schema that stands for that file.
//!
//! The relay's own tests take this file along, too.

use std::{path::Path, process::Command};

use sha2::{Digest, Sha256};

/// The variable with the URL of the server that `tests/with-postgres` has started.
pub(crate) const SERVER: &str = "TVPHONE_TEST_POSTGRES";

/// The URL of what stands for this file, which is made if there is none; `None` on SQLite.
pub(crate) fn for_file(file: &Path) -> Option<String> {
    let server = std::env::var(SERVER).ok()?;
    let digest = Sha256::digest(file.as_os_str().as_encoded_bytes());
    let name = digest[..8].iter().fold("t".to_owned(), |name, byte| format!("{name}_{byte:02x}"));
    let sql = format!("CREATE SCHEMA IF NOT EXISTS {name}");
    let made = Command::new("psql").args(["--no-psqlrc", "--quiet", "--dbname", &server, "--command", &sql]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Some(format!("{server}?options[search_path]={name}"))
}

/// Runs the tests whose names begin like these, or all, of the program that runs now once more, on PostgreSQL.
pub(crate) fn again_on_postgres(names: &[&str]) {
    if std::env::var_os(SERVER).is_some() {
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/with-postgres");
    let mut command = Command::new(script);
    // Beside the same tests on SQLite, and perhaps on two cores.
    let output = command.arg(std::env::current_exe().unwrap()).args(["--test-threads", "2"]).args(names).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.code() == Some(77) {
        // Past what the test's own output is caught by.
        std::io::Write::write_all(&mut std::io::stderr(), format!("skipped on PostgreSQL: {said}").as_bytes()).unwrap();
        return;
    }
    assert!(output.status.success(), "on PostgreSQL: {said}");
    let ran = said.lines().find_map(|line| line.strip_prefix("test result: ok. ")).unwrap_or_default();
    assert!(!ran.is_empty() && !ran.starts_with("0 passed"), "{said}");
}
