//! Which files are providers.

use std::path::{Path, PathBuf};

/// Longest name of a provider, in characters.
const NAME_MAX: usize = 64;

/// A program that speaks on the ticker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Provider {
    /// The file's name without its extension.
    pub(crate) name: String,
    pub(crate) file: PathBuf,
}

/// What is in the folder.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// By file name.
    pub(crate) providers: Vec<Provider>,
    /// Files that aren't run, and why.
    pub(crate) passed_over: Vec<(PathBuf, &'static str)>,
}

/// Looks what is in the folder. Hidden files and folders are none of its business.
pub(crate) fn find(folder: &Path) -> Found {
    let mut found = Found::default();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    let mut files = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect::<Vec<_>>();
    files.sort();
    for file in files {
        let Some(name) = file.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned) else {
            found.passed_over.push((file, "its name is not readable text"));
            continue;
        };
        let Ok(metadata) = std::fs::metadata(&file) else { continue };
        if name.starts_with('.') || !metadata.is_file() {
            continue;
        }
        if name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
            found.passed_over.push((file, "its name is too long or has control characters"));
        } else if let Some(why) = objection(&metadata) {
            found.passed_over.push((file, why));
        } else if found.providers.iter().any(|provider| provider.name == name) {
            found.passed_over.push((file, "another provider has the same name"));
        } else {
            found.providers.push(Provider { name, file });
        }
    }
    found
}

#[cfg(unix)]
fn objection(metadata: &std::fs::Metadata) -> Option<&'static str> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode();
    if mode & 0o111 == 0 {
        Some("it is not executable")
    } else if mode & 0o002 != 0 {
        Some("anyone may change it: take the write permission from others")
    } else {
        None
    }
}

#[cfg(not(unix))]
fn objection(_metadata: &std::fs::Metadata) -> Option<&'static str> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn executable_files_alone_are_run() {
        let folder = tempfile::tempdir().unwrap();
        for (name, mode) in
            [("b.sh", 0o755), ("a", 0o700), ("b.py", 0o644), (".hidden", 0o755), ("open.sh", 0o777), ("a.sh", 0o755)]
        {
            let file = folder.path().join(name);
            std::fs::write(&file, "").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        std::fs::create_dir(folder.path().join("folder")).unwrap();
        let found = find(folder.path());
        assert_eq!(found.providers.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let passed_over = found.passed_over.iter().map(|(file, _)| file.file_name().unwrap().to_str().unwrap());
        assert_eq!(passed_over.collect::<Vec<_>>(), ["a.sh", "b.py", "open.sh"]);
        assert!(find(&folder.path().join("nowhere")).providers.is_empty());
    }
}
