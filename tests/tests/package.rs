//! The Debian packages: what is in them, with which rights, and that the relay in them runs as its unit says.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tests::{process::Process, program, root};

/// The packages in a folder that goes with them.
struct Packages(tempfile::TempDir);

impl Packages {
    /// Makes them; nothing where they can't be made.
    fn make() -> Option<Self> {
        if Command::new("dpkg-deb").arg("--version").output().is_err() {
            // Past what the test's own output is caught by.
            let why = b"skipped: there is no dpkg-deb on this machine\n";
            std::io::Write::write_all(&mut std::io::stderr(), why).expect("there is a standard error");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder of its own");
        let programs = program("tvphone-relay").parent().expect("it lies in a folder").to_owned();
        let mut make = Command::new(root().join("assets/debian/make-deb"));
        // How tight it is packed doesn't matter here, how long that takes does.
        run(make.arg(programs).arg(folder.path()).arg("none"));
        Some(Self(folder))
    }

    fn file(&self, package: &str) -> PathBuf {
        let version = env!("CARGO_PKG_VERSION");
        let files = fs::read_dir(self.0.path()).expect("the folder is there").map(|entry| entry.expect("it is listed").path());
        let begin = format!("{package}_{version}_");
        let ours = |file: &PathBuf| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&begin));
        files.into_iter().find(ours).unwrap_or_else(|| panic!("there is a package {package}"))
    }

    /// Rights and owner of each file in a package.
    fn listed(&self, package: &str) -> BTreeMap<String, String> {
        let listed = run(Command::new("dpkg-deb").arg("--contents").arg(self.file(package)));
        let line = |line: &str| {
            let words = line.split_whitespace().collect::<Vec<_>>();
            (words[5].trim_start_matches('.').to_owned(), format!("{} {}", words[0], words[1]))
        };
        listed.lines().map(line).collect()
    }

    fn field(&self, package: &str, field: &str) -> String {
        run(Command::new("dpkg-deb").arg("--field").arg(self.file(package)).arg(field)).trim().to_owned()
    }

    /// Takes a package apart: its files, and in `DEBIAN` what dpkg is told.
    fn unpack(&self, package: &str) -> PathBuf {
        let into = self.0.path().join(format!("{package}-unpacked"));
        run(Command::new("dpkg-deb").arg("--raw-extract").arg(self.file(package)).arg(&into));
        into
    }
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it speaks UTF-8")
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
fn the_packages_hold_what_they_should_and_the_relay_in_them_runs_as_its_unit_says() {
    let Some(packages) = Packages::make() else { return };
    let relay = packages.listed("tvphone-relay");
    for (file, rights) in [
        ("/usr/bin/tvphone-relay", "-rwxr-xr-x root/root"),
        ("/lib/systemd/system/tvphone-relay.service", "-rw-r--r-- root/root"),
        ("/etc/tvphone-relay/tvphone-relay.toml", "-rw-r--r-- root/root"),
        ("/usr/share/doc/tvphone-relay/copyright", "-rw-r--r-- root/root"),
        ("/usr/share/doc/tvphone-relay/changelog.gz", "-rw-r--r-- root/root"),
        ("/usr/share/man/man1/tvphone-relay.1.gz", "-rw-r--r-- root/root"),
        ("/usr/share/doc/tvphone-relay/examples/providers/fortune", "-rwxr-xr-x root/root"),
    ] {
        assert_eq!(relay.get(file).map(String::as_str), Some(rights), "{file} in {relay:?}");
    }
    assert!(!relay.keys().any(|file| file.starts_with("/var/lib/tvphone-relay/")), "its data is its own: {relay:?}");
    let app = packages.listed("tvphone");
    for file in
        ["/usr/bin/tvphone", "/usr/share/applications/tvphone.desktop", "/usr/share/icons/hicolor/256x256/apps/tvphone.png"]
    {
        assert!(app.contains_key(file), "{file} in {app:?}");
    }
    for (package, library) in [("tvphone-relay", "libc6"), ("tvphone", "libasound2")] {
        let needs = packages.field(package, "Depends");
        assert!(needs.contains(library), "{package} needs {needs}");
    }
    assert!(packages.field("tvphone-relay", "Depends").contains("adduser"));

    let unpacked = packages.unpack("tvphone-relay");
    assert_eq!(read(&unpacked.join("DEBIAN/conffiles")).trim(), "/etc/tvphone-relay/tvphone-relay.toml");
    assert_eq!(
        read(&unpacked.join("etc/tvphone-relay/tvphone-relay.toml")),
        read(&root().join("assets/relay/tvphone-relay.toml"))
    );
    for script in ["postinst", "prerm", "postrm"] {
        run(Command::new("sh").arg("-n").arg(unpacked.join("DEBIAN").join(script)));
    }
    run(Command::new("md5sum").args(["--check", "--quiet", "DEBIAN/md5sums"]).current_dir(&unpacked));

    let unit = read(&unpacked.join("lib/systemd/system/tvphone-relay.service"));
    assert!(unit.contains("\nUser=tvphone-relay\n") && !unit.contains("DynamicUser"), "{unit}");
    assert!(unit.contains("\nStateDirectory=tvphone-relay\n"), "it may write its data");
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("it starts something");
    let data = packages.0.path().join("data");
    // As if the package's files lay at the top.
    let word = |word: &str| match word {
        "/var/lib/tvphone-relay" => data.clone(),
        path if path.starts_with('/') => unpacked.join(&path[1..]),
        other => PathBuf::from(other),
    };
    let mut words = start.split_whitespace().map(word);
    let mut serve = Command::new(words.next().expect("a program"));
    serve.args(words).args(["--listen", "127.0.0.1:0"]);
    let (_running, line) = Process::start_and_read_line(&mut serve, Duration::from_secs(20));
    assert!(line.contains("listening on"), "{line}");
    assert!(data.join("relay.db").exists());
}
