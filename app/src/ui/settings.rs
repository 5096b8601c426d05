//! What the app remembers from one start to the next. Never a password, never a token.

mod equipment;

use std::{collections::BTreeMap, fs, io, path::PathBuf};

use proto::Fingerprint;
use relay_client::{ProxyLogin, ProxySettings, ProxySource, proxy::ManualProxy};
use serde::{Deserialize, Serialize};

pub use self::equipment::{Chosen, Equipment};
use super::theme::Appearance;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Address of the relay signed in to last.
    pub relay: String,
    /// Name signed in with last.
    pub name: String,
    pub appearance: Appearance,
    pub connection: Connection,
    pub equipment: Equipment,
    /// Whether calls begin with their figures open.
    pub figures: bool,
    /// Certificates of relays that nobody else vouches for, by the relays' addresses without a path.
    pub trusted: BTreeMap<String, Fingerprint>,
    /// Where they are kept; nowhere in tests.
    #[serde(skip)]
    file: Option<PathBuf>,
}

/// How the relay is reached. What belongs to another way than the chosen one is kept for when it is chosen again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Connection {
    pub way: Way,
    /// Address of a proxy.
    pub proxy: String,
    /// Hosts that are reached without it.
    pub exceptions: String,
    /// Address of a PAC file.
    pub pac: String,
    /// Name at the proxy.
    pub user: String,
}

/// Which proxy is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    #[default]
    System,
    Direct,
    Proxy,
    Pac,
}

impl Way {
    pub const ALL: [Self; 4] = [Self::System, Self::Direct, Self::Proxy, Self::Pac];

    pub fn label(self) -> &'static str {
        match self {
            Self::System => "As the system says",
            Self::Direct => "No proxy",
            Self::Proxy => "This proxy",
            Self::Pac => "By a configuration file (PAC)",
        }
    }
}

impl Connection {
    /// In the client's words; what is wrong in the person's.
    pub fn proxy_settings(&self, password: &str) -> Result<ProxySettings, String> {
        let source = match self.way {
            Way::System => ProxySource::System,
            Way::Direct => return Ok(ProxySettings::direct()),
            Way::Proxy if self.proxy.contains('@') => return Err("Name and password have fields of their own.".into()),
            Way::Proxy => {
                let manual = ManualProxy::new(&self.proxy, &self.exceptions);
                ProxySource::Manual(manual.map_err(|error| format!("That can\u{2019}t be a proxy: {error}."))?)
            }
            Way::Pac if self.pac.trim().is_empty() => return Err("Where is the file? Its address is missing.".into()),
            Way::Pac => ProxySource::Pac(self.pac.trim().to_owned()),
        };
        // The password isn't remembered: an empty one is none yet, and a wrong one may lock the account.
        let login = (!self.user.is_empty() && !password.is_empty()).then(|| ProxyLogin::new(&self.user, password));
        Ok(ProxySettings { source, login })
    }
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
    use media::Part;

    use super::*;

    #[test]
    fn settings_from_before_there_were_proxies_are_read() {
        let old: Settings = serde_json::from_str(r#"{"relay": "http://h", "name": "Ana", "appearance": "dark"}"#).unwrap();
        assert_eq!((old.connection, old.equipment), (Connection::default(), Equipment::default()));
        assert!(Equipment::default().echo_cancellation);
    }

    #[test]
    fn no_password_gets_into_the_file_by_the_address() {
        let connection = Connection { way: Way::Proxy, proxy: "http://ana:secret@proxy:3128".into(), ..Connection::default() };
        assert!(connection.proxy_settings("").unwrap_err().contains("fields of their own"));
    }

    #[test]
    fn a_password_that_was_not_entered_yet_is_not_tried() {
        let connection = Connection { user: "ana".into(), ..Connection::default() };
        assert_eq!(connection.proxy_settings("").unwrap().login, None);
        assert_eq!(connection.proxy_settings("secret").unwrap().login, Some(ProxyLogin::new("ana", "secret")));
    }

    #[test]
    fn what_is_saved_is_read_again_and_a_broken_file_is_not_fatal() {
        let folder = std::env::temp_dir().join(format!("tvphone-settings-{}", std::process::id()));
        let file = folder.join("deep/settings.json");
        let mut settings = Settings::load_from(file.clone());
        assert_eq!((settings.relay.as_str(), settings.appearance), ("", Appearance::System));
        settings.relay = "https://relay.example.org".into();
        settings.name = "Ana".into();
        settings.appearance = Appearance::Dark;
        settings.figures = true;
        settings.connection = Connection { way: Way::Proxy, proxy: "proxy:3128".into(), ..Connection::default() };
        settings.equipment.choose(Part::Speaker, Some(Chosen { id: "pulseaudio:headset".into(), name: "Headset".into() }));
        settings.equipment.automatic_gain = false;
        settings.trusted.insert("https://relay.example.org".into(), Fingerprint::new([7; 32]));
        settings.save();
        assert_eq!(Settings::load_from(file.clone()), settings);

        fs::write(&file, "{").unwrap();
        assert_eq!(Settings::load_from(file).name, "");
        fs::remove_dir_all(folder).unwrap();
    }
}
