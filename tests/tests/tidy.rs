//! The house rules that a compiler does not check: who may use whom, what a file looks like, and that the page which describes
//! the wire was read again when the wire changed. Each test prints everything it objects to at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Which crates of the house a crate may use, for its own tests too. `tests` and `benches` may use all.
const HOUSE: &[(&str, &[&str])] = &[
    ("proto", &[]),
    ("codecs", &[]),
    ("media", &["codecs"]),
    ("relay_client", &["proto"]),
    ("relay", &["proto"]),
    // codecs for the type of a frame alone: the video widget uploads its planes.
    ("app", &["media", "codecs", "relay_client", "proto"]),
];

/// All that may be used by a crate that stands for itself. The others are bounded by [`OWNERS`] and [`KEPT_OUT`].
const CLOSED: &[(&str, &[&str])] = &[
    ("proto", &["bytes", "serde", "thiserror"]),
    (
        "codecs",
        &["bytes", "dcv-color-primitives", "fast_image_resize", "openh264", "openh264-sys2", "opus", "thiserror", "turbojpeg"],
    ),
];

/// Outside crates that belong to one crate of the house, or to those that name them.
const OWNERS: &[(&str, &[&str])] = &[
    ("codecs", &["dcv-color-primitives", "fast_image_resize", "openh264", "openh264-sys2", "opus", "turbojpeg"]),
    (
        "media",
        &[
            "audioadapter-buffers",
            "cpal",
            "hound",
            "nokhwa",
            "ogg",
            "pulseaudio",
            "ringbuf",
            "rubato",
            "shiguredo_mp4",
            "sonora",
            "x11rb",
        ],
    ),
    ("relay_client", &["hyper-rustls", "http-body-util", "md-5", "rquickjs"]),
    // reqwest and ring: to ask an OpenID provider, and check what it signs.
    ("relay", &["ammonia", "argon2", "axum", "html5ever", "rcgen", "reqwest", "ring", "sqlx", "toml", "tower-http"]),
    ("app", &["iced", "lucide-icons"]),
];

/// Outside crates that a crate of the house must do without.
const KEPT_OUT: &[(&str, &[&str])] = &[("media", &["tokio", "futures", "hyper-util", "tower", "url", "rustls"])];

/// What any crate may use for its own tests.
const FOR_TESTS: &[&str] = &["proptest", "serde_json", "tempfile"];

/// May use everything: they look at the house from outside.
const OBSERVERS: &[&str] = &["tests", "benches"];

/// Crates whose library has another name.
const LIBRARY_NAMES: &[(&str, &str)] = &[("md-5", "md5")];

/// Listed for a feature that another crate of the tests wants, so that what draws windows is built only once.
const FOR_FEATURES: &[&str] = &["getrandom_0_3"];

/// The folders of the house. Hidden ones and what is built don't count.
const TOP: &[&str] = &["app", "assets", "benches", "codecs", "media", "relay", "tests"];

/// What a visitor looks for first.
const PAGES: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "THREAT_MODEL.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Makefile",
    "assets/README.md",
    "relay/proto/PROTOCOL.md",
];

/// Libraries: each of their files begins by saying what it is for.
const LIBRARIES: &[&str] = &["codecs/src", "media/src", "relay/src", "relay/proto/src", "relay/client/src"];

/// Crates without a clock.
const TIMELESS: &[&str] = &["codecs/src", "relay/proto/src"];

/// State machines: time comes in as an argument, so that they are tested in virtual time.
const STATE_MACHINES: &[&str] = &[
    "media/src/downlink/asking.rs",
    "media/src/downlink/freezes.rs",
    "media/src/jitter.rs",
    "media/src/keyframes.rs",
    "media/src/pace.rs",
    "media/src/reorder.rs",
    "relay/client/src/backoff.rs",
    "relay/client/src/doctor/trips.rs",
    "relay/client/src/events/feed.rs",
    "relay/client/src/http/cuts.rs",
    "relay/client/src/http/patience.rs",
    "relay/client/src/http/scarcity.rs",
    "relay/client/src/lanes/health.rs",
    "relay/client/src/lanes/overlap.rs",
    "relay/client/src/lanes/polls.rs",
    "relay/client/src/lanes/uploads.rs",
    "relay/client/src/proxy/digest.rs",
    "relay/client/src/proxy/login.rs",
    "relay/src/hub/feed.rs",
    "relay/src/hub/invitation.rs",
    "relay/src/hub/missed.rs",
    "relay/src/hub/switchboard.rs",
    "relay/src/hub/switchboard/host.rs",
    "relay/src/media/keyframe.rs",
    "relay/src/media/lane.rs",
    "relay/src/media/polls.rs",
    "relay/src/media/reader.rs",
    "relay/src/media/ring.rs",
    "relay/src/media/room.rs",
    "relay/src/oidc/claims.rs",
    "relay/src/oidc/pending.rs",
    "relay/src/rate.rs",
];

/// Where a crate's sources lie, as seen from its manifest.
const SOURCES: &[&str] = &["src", "tests", "benches", "examples", "build.rs"];

const LINES_MAX: usize = 600;
/// One idea a file: the median of a crate's files.
const LINES_MEDIAN: usize = 200;

#[test]
fn crates_use_only_what_the_design_lets_them() {
    let mut wrong = Vec::new();
    let packages = packages();
    let house: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    for package in packages.iter().filter(|package| !OBSERVERS.contains(&package.name.as_str())) {
        let user = package.name.as_str();
        let Some(allowed) = row(HOUSE, user) else {
            wrong.push(format!("{user} is not in the table of who may use whom: add it to DESIGN and to this test"));
            continue;
        };
        for dependency in &package.dependencies {
            let used = dependency.name.as_str();
            if house.contains(used) {
                if !allowed.contains(&used) {
                    wrong.push(format!("{user} must not use {used}: of the house it may use {allowed:?}"));
                }
                continue;
            }
            if dependency.kind.as_deref() == Some("dev") && FOR_TESTS.contains(&used) {
                continue;
            }
            if row(CLOSED, user).is_some_and(|closed| !closed.contains(&used)) {
                wrong.push(format!("{user} stands for itself and must not use {used}"));
            }
            // What only its tests stand on (a server for the client's, say) ships nowhere.
            let shipped = dependency.kind.as_deref() != Some("dev");
            let elsewhere = OWNERS.iter().find(|(owner, owned)| *owner != user && owned.contains(&used));
            let own = row(OWNERS, user).is_some_and(|owned| owned.contains(&used));
            if shipped
                && !own
                && let Some((owner, _)) = elsewhere
            {
                wrong.push(format!("{user} must not use {used}: that is {owner}'s"));
            }
            if row(KEPT_OUT, user).is_some_and(|kept_out| kept_out.contains(&used)) {
                wrong.push(format!("{user} must do without {used}"));
            }
        }
    }
    none(&wrong);
}

#[test]
fn versions_stand_in_one_place_pinned_and_used() {
    let mut wrong = Vec::new();
    let packages = packages();
    let used = packages.iter().flat_map(|package| &package.dependencies);
    let used: BTreeSet<&str> = used.map(|dependency| dependency.rename.as_ref().unwrap_or(&dependency.name).as_str()).collect();
    let root = read(&house().join("Cargo.toml"));
    for line in sections(&root, |name| name == "workspace.dependencies") {
        let Some((name, value)) = line.split_once('=') else { continue };
        let (name, value) = (name.trim(), value.trim());
        let from_here = value.contains("path =");
        let pinned = value.starts_with('"') || value.contains("version =");
        if !from_here && (!pinned || value.contains("\"*\"") || value.contains("git =")) {
            wrong.push(format!("Cargo.toml: {name} has no version"));
        }
        if !from_here && !used.contains(name) {
            wrong.push(format!("Cargo.toml: nobody uses {name}"));
        }
    }
    for package in &packages {
        for line in sections(&read(&package.manifest_path), |name| name.ends_with("dependencies")) {
            let inherited = line
                .split_once('=')
                .is_some_and(|(name, value)| name.trim().ends_with(".workspace") || value.contains("workspace = true"));
            if !inherited {
                wrong.push(format!("{}: `{line}` has a version of its own; it belongs into the workspace's table", package.name));
            }
        }
    }
    none(&wrong);
}

#[test]
fn a_crate_uses_what_it_depends_on() {
    let mut wrong = Vec::new();
    let files = files("rs");
    for package in packages() {
        let folder = package.manifest_path.parent().expect("a manifest lies in a folder");
        let own = |file: &&PathBuf| {
            file.strip_prefix(folder).is_ok_and(|inside| SOURCES.iter().any(|source| inside.starts_with(source)))
        };
        let code: String = files.iter().filter(own).map(|file| without_comments(&read(file))).collect();
        assert!(!code.is_empty(), "the sources of {} are found", package.name);
        for dependency in &package.dependencies {
            let name = dependency.rename.as_ref().unwrap_or(&dependency.name);
            let library = LIBRARY_NAMES.iter().find(|(package, _)| package == name);
            let name = library.map_or(name.as_str(), |(_, library)| library).replace('-', "_");
            if !goes_into(&code, &name) && !FOR_FEATURES.contains(&name.as_str()) {
                wrong.push(format!("{}: Cargo.toml lists {}, which no source of the crate uses", package.name, dependency.name));
            }
        }
    }
    none(&wrong);
}

#[test]
fn a_crate_that_is_only_spoken_of_is_not_used() {
    for code in ["use quill;", "use quill as pen;", "use quill::Pen;", "fn f(pen: &quill::Pen)", "use {\n    quill::Pen,\n};"] {
        assert!(goes_into(code, "quill"), "{code}");
    }
    for code in ["let quill = 3;", "use crate::quill::Pen;", "tranquill::new()", "quill_up::new()", "// quill::Pen\n"] {
        assert!(!goes_into(&without_comments(code), "quill"), "{code}");
    }
}

#[test]
fn files_have_the_house_form() {
    let mut wrong = Vec::new();
    let mut lengths: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for file in files("rs") {
        let (name, text) = (shown(&file), read(&file));
        let lines = text.lines().count();
        if file.file_name().is_some_and(|name| name == "mod.rs") {
            wrong.push(format!("{name}: a module is foo.rs beside foo/, not foo/mod.rs"));
        }
        let library = LIBRARIES.iter().any(|library| name.starts_with(library));
        if library && !text.starts_with("//!") {
            wrong.push(format!("{name}: begin with a line of `//!` that says what the file is for"));
        }
        if lines > LINES_MAX {
            wrong.push(format!("{name}: {lines} lines are more than {LINES_MAX}: it holds more than one idea"));
        }
        if let Some((package, _)) = name.split_once("/src/") {
            lengths.entry(package.to_owned()).or_default().push(lines);
        }
    }
    for (package, mut lengths) in lengths {
        lengths.sort_unstable();
        let median = lengths[lengths.len() / 2];
        if median > LINES_MEDIAN {
            wrong.push(format!(
                "{package}: half its files have {median} lines or more; one idea a file keeps that under {LINES_MEDIAN}"
            ));
        }
    }
    none(&wrong);
}

#[test]
fn state_machines_are_told_the_time() {
    let mut wrong = Vec::new();
    for gone in STATE_MACHINES.iter().filter(|file| !house().join(file).is_file()) {
        wrong.push(format!("{gone} is in this test's list of state machines and is not there"));
    }
    for file in files("rs") {
        let name = shown(&file);
        let timeless = TIMELESS.iter().any(|folder| name.starts_with(folder)) || STATE_MACHINES.contains(&name.as_str());
        if !timeless {
            continue;
        }
        // Their tests may take a real instant to count from.
        for (number, line) in without_tests(&read(&file)).lines().enumerate() {
            if !line.trim_start().starts_with("//") && (line.contains("Instant::now") || line.contains("SystemTime::now")) {
                wrong.push(format!("{name}:{}: takes the time from a clock; make it an argument", number + 1));
            }
        }
    }
    none(&wrong);
}

#[test]
fn nothing_is_left_half_done() {
    // Put together here, so that this file does not hold what it looks for.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), concat!("dbg", "!("), concat!("#[ig", "nore")];
    let mut wrong = Vec::new();
    for file in ["rs", "toml", "md", "sh", ""].into_iter().flat_map(files) {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        for (number, line) in text.lines().enumerate() {
            for mark in marks.iter().filter(|mark| line.contains(**mark)) {
                wrong.push(format!("{}:{}: {mark}", shown(&file), number + 1));
            }
        }
    }
    none(&wrong);
}

#[test]
fn the_house_has_its_rooms_and_pages() {
    let mut wrong = Vec::new();
    for page in PAGES.iter().filter(|page| !house().join(page).is_file()) {
        wrong.push(format!("{page} is missing"));
    }
    for entry in fs::read_dir(house()).expect("the house can be listed").filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let built = name.starts_with("target") || name.starts_with('.');
        if entry.path().is_dir() && !built && !TOP.contains(&name.as_str()) {
            wrong.push(format!("{name}/ is no folder of the house: those are {TOP:?}"));
        }
    }
    none(&wrong);
}

#[test]
fn the_protocol_page_is_kept_with_the_wire() {
    let mut wrong = Vec::new();
    let proto = house().join("relay/proto/src");
    let page = read(&house().join("relay/proto/PROTOCOL.md"));
    for code in error_codes(&read(&proto.join("error.rs"))) {
        if !page.contains(&format!("`{code}`")) {
            wrong.push(format!("the error code `{code}` is not on the page"));
        }
    }
    for route in routes(&read(&proto.join("api.rs"))) {
        if !page.contains(&route) {
            wrong.push(format!("the route `{route}` is not on the page"));
        }
    }
    for limit in limits(&read(&proto.join("limits.rs"))) {
        if !page.contains(&format!("`{limit}`")) {
            wrong.push(format!("the limit `{limit}` is not on the page"));
        }
    }
    let fingerprint = fingerprint(&proto);
    let kept = page.trim_end().lines().last().and_then(|line| line.strip_prefix("Wire fingerprint: "));
    if kept != Some(fingerprint.as_str()) {
        wrong.push(format!(
            "relay/proto/src is not what PROTOCOL.md was written for. Read the page against the change and correct it; then let it end with:\n\
             Wire fingerprint: {fingerprint}"
        ));
    }
    none(&wrong);
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// What the crate calls it, if it has given it a name of its own.
    rename: Option<String>,
    /// "dev" or "build"; nothing for an ordinary one.
    kind: Option<String>,
}

/// The crates of the house. What they use in turn needs no look: each link of a chain is in the table itself.
fn packages() -> Vec<Package> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--locked"])
        .current_dir(house())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    assert!(metadata.packages.len() >= HOUSE.len() + OBSERVERS.len(), "cargo metadata lists the whole house");
    metadata.packages
}

fn row<'a>(table: &'a [(&str, &[&str])], name: &str) -> Option<&'a [&'a str]> {
    table.iter().find(|(first, _)| *first == name).map(|(_, rest)| *rest)
}

fn house() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the house")
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", shown(file))).replace("\r\n", "\n")
}

/// The path as it is seen from the house's door.
fn shown(file: &Path) -> String {
    file.strip_prefix(house()).unwrap_or(file).to_string_lossy().replace('\\', "/")
}

/// Every file with this extension, in order; what was built and git's own left out.
fn files(extension: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![house().to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the house can be listed").filter_map(Result::ok) {
            let (path, name) = (entry.path(), entry.file_name());
            if path.is_dir() {
                if name != ".git" && !name.to_string_lossy().starts_with("target") {
                    folders.push(path);
                }
            } else if path.extension().unwrap_or_default() == extension {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The lines of a manifest's sections that are wanted, comments left out.
fn sections(manifest: &str, wanted: impl Fn(&str) -> bool) -> Vec<&str> {
    let (mut lines, mut within) = (Vec::new(), false);
    for line in manifest.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            within = wanted(name);
        } else if within && !line.is_empty() && !line.starts_with('#') {
            lines.push(line);
        }
    }
    lines
}

/// The text up to the tests, which stand last.
fn without_tests(text: &str) -> &str {
    text.split("\n#[cfg(test)]\n").next().unwrap_or(text)
}

fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| [line, "\n"]).collect()
}

/// Whether code goes into the crate of this name: by a path that begins with it, or by a `use` of the whole.
fn goes_into(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + name.len()..]);
        let begins = !before.ends_with(|letter: char| letter.is_alphanumeric() || matches!(letter, '_' | ':'));
        begins && (after.starts_with("::") || before.ends_with("use ") && after.starts_with([';', ' ']))
    })
}

/// The variants of `ErrorCode` as they stand on the wire.
fn error_codes(source: &str) -> Vec<String> {
    let body =
        source.split_once("pub enum ErrorCode {").and_then(|(_, rest)| rest.split_once("\n}")).map_or("", |(body, _)| body);
    let variants = body.lines().filter_map(|line| line.trim().strip_suffix(','));
    let codes: Vec<String> = variants.filter(|variant| *variant != "Unknown").map(snake_case).collect();
    assert!(codes.len() > 10, "the error codes are found in error.rs");
    codes
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (index, letter) in name.char_indices() {
        if letter.is_uppercase() && index > 0 {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// "POST /v1/session" and so on, from the table at the head of api.rs. A path that stands for several, as `.../video`, is left to
/// the one it stands beside.
fn routes(source: &str) -> Vec<String> {
    let cells = source.lines().filter_map(|line| line.strip_prefix("//! | `")).filter_map(|rest| rest.split_once('`'));
    let routes: Vec<String> = cells.map(|(route, _)| route.split('?').next().unwrap_or(route).to_owned()).collect();
    assert!(routes.len() > 10, "the routes are found in api.rs");
    routes
}

fn limits(source: &str) -> Vec<String> {
    let names = source.lines().filter_map(|line| line.strip_prefix("pub const ")).filter_map(|rest| rest.split_once(':'));
    let limits: Vec<String> = names.map(|(name, _)| name.to_owned()).collect();
    assert!(limits.len() > 10, "the limits are found in limits.rs");
    limits
}

/// Over what defines the wire: the sources in order, each with its path, without their tests.
fn fingerprint(proto: &Path) -> String {
    let mut digest = Sha256::new();
    for file in files("rs").iter().filter(|file| file.starts_with(proto)) {
        let text = read(file);
        let text = without_tests(&text);
        digest.update(format!("{} {}\n", shown(file), text.len()));
        digest.update(text);
    }
    let bytes = digest.finalize();
    bytes[..16].iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a String takes all that is written to it");
        hex
    })
}

#[track_caller]
fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} against the house rules:\n  {}", wrong.len(), wrong.join("\n  "));
}
