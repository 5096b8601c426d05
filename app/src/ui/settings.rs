//! What the app remembers from one start to the next. Never a password, never a token.

use std::{collections::BTreeMap, fs, io, path::PathBuf};

use proto::Fingerprint;
use serde::{Deserialize, Serialize};

use super::theme::Appearance;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Address of the relay signed in to last.
    pub relay: String,
    /// Name signed in with last.
    pub name: String,
    pub appearance: Appearance,
    /// Certificates of relays that nobody else vouches for, by the relays' addresses without a path.
    pub trusted: BTreeMap<String, Fingerprint>,
    /// Where they are kept; nowhere in tests.
    #[serde(skip)]
    file: Option<PathBuf>,
}

impl Settings {
    /// Reads the settings of this user. Broken or missing ones are the usual ones.
    pub fn load() -> Self {
        let Some(folders) = directories::ProjectDirs::from("", "", "tvphone") else {
            return Self::default();
        };
        Self::load_from(folders.config_dir().join("settings.json"))
    }

    pub fn load_from(file: PathBuf) -> Self {
        let read = fs::read(&file).and_then(|bytes| serde_json::from_slice::<Self>(&bytes).map_err(io::Error::from));
        let settings = read.unwrap_or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(%error, file = %file.display(), "the settings can't be read; the usual ones are used");
            }
            Self::default()
        });
        Self { file: Some(file), ..settings }
    }

    /// Keeps them for the next start. A failure is logged: nothing depends on it.
    pub fn save(&self) {
        if let Some(file) = &self.file
            && let Err(error) = self.write(file)
        {
            tracing::warn!(%error, file = %file.display(), "the settings can't be kept");
        }
    }

    fn write(&self, file: &std::path::Path) -> io::Result<()> {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        // Two windows may save at once: each writes a file of its own and renames it, so neither reads half a file.
        let fresh = file.with_extension(format!("json.{}", std::process::id()));
        fs::write(&fresh, serde_json::to_vec_pretty(self)?)?;
        fs::rename(fresh, file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_read_again_and_a_broken_file_is_not_fatal() {
        let folder = std::env::temp_dir().join(format!("tvphone-settings-{}", std::process::id()));
        let file = folder.join("deep/settings.json");
        let mut settings = Settings::load_from(file.clone());
        assert_eq!((settings.relay.as_str(), settings.appearance), ("", Appearance::System));
        settings.relay = "https://relay.example.org".into();
        settings.name = "Ana".into();
        settings.appearance = Appearance::Dark;
        settings.trusted.insert("https://relay.example.org".into(), Fingerprint::new([7; 32]));
        settings.save();
        assert_eq!(Settings::load_from(file.clone()), settings);

        fs::write(&file, "{").unwrap();
        assert_eq!(Settings::load_from(file).name, "");
        fs::remove_dir_all(folder).unwrap();
    }
}
