//! The section `[oidc]` of the configuration file: signing in at an organisation's OpenID provider.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use url::Url;

use crate::oidc::is_safe;

/// Longest name of a provider, in characters: it stands on a button.
const NAME_MAX: usize = 40;

/// How people sign in at an organisation's OpenID provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcConfig {
    /// The provider, as it writes itself: an `https` address without a query, or an `http` one of this machine.
    pub issuer: String,
    /// What the provider calls this relay.
    pub client_id: String,
    /// File with the secret by which the relay proves to be that.
    pub client_secret_file: PathBuf,
    /// The relay's address as browsers know it: `https`, or `http` on this machine.
    pub public_url: Url,
    /// What people call the provider.
    pub name: String,
    /// Only who has a verified e-mail address of one of these domains may sign in; everyone where there is none.
    pub allow_domains: Vec<String>,
    /// Only who has one of [`Self::allow_values`] in this claim may sign in.
    pub allow_claim: Option<String>,
    /// The values of that claim.
    pub allow_values: Vec<String>,
}

impl OidcConfig {
    /// The usual values, around what has none.
    ///
    /// # Errors
    /// A sentence that says which of the addresses can't be one.
    pub fn new(
        issuer: &str,
        client_id: &str,
        client_secret_file: impl Into<PathBuf>,
        public_url: &str,
    ) -> Result<Self, &'static str> {
        let address = |text: &str| Url::parse(text).ok().filter(|url| is_safe(url) && is_plain(url));
        let at = address(issuer).ok_or("issuer must be an https address, or an http one of this machine, without ? and #")?;
        let public_url = address(public_url)
            .ok_or("public_url must be the https address of this relay, or an http one of this machine, without ? and #")?;
        Ok(Self {
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            client_secret_file: client_secret_file.into(),
            public_url,
            name: at.host_str().unwrap_or_default().to_owned(),
            allow_domains: Vec::new(),
            allow_claim: None,
            allow_values: Vec::new(),
        })
    }

    /// The provider's address as a program reads it.
    pub(crate) fn issuer_url(&self) -> Url {
        // It was read before.
        Url::parse(&self.issuer).unwrap_or_else(|_| self.public_url.clone())
    }
}

fn is_plain(url: &Url) -> bool {
    url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none()
}

/// What stands in the section. Texts that are empty say nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    issuer: Option<String>,
    client_id: Option<String>,
    client_secret_file: Option<PathBuf>,
    public_url: Option<String>,
    name: Option<String>,
    allow_domains: Option<Vec<String>>,
    allow_claim: Option<String>,
    allow_values: Option<Vec<String>>,
}

/// The section, read.
#[derive(Debug, Default, Deserialize)]
#[serde(try_from = "Said")]
pub(super) struct Section(pub(super) Option<OidcConfig>);

impl Section {
    /// Files are named as seen from this folder.
    pub(super) fn seen_from(&mut self, folder: &Path) {
        if let Some(config) = &mut self.0 {
            config.client_secret_file = folder.join(&config.client_secret_file);
        }
    }
}

impl TryFrom<Said> for Section {
    type Error = String;

    fn try_from(said: Said) -> Result<Self, String> {
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        let file = said.client_secret_file.filter(|file| !file.as_os_str().is_empty());
        let (client_id, public_url, name) = (filled(said.client_id), filled(said.public_url), filled(said.name));
        let (domains, values) = (said.allow_domains.unwrap_or_default(), said.allow_values.unwrap_or_default());
        let claim = filled(said.allow_claim);
        let Some(issuer) = filled(said.issuer) else {
            let lost = client_id.is_some() || public_url.is_some() || file.is_some() || name.is_some();
            if lost || !domains.is_empty() || !values.is_empty() || claim.is_some() {
                return Err("[oidc] has no issuer, so nothing else can stand there".to_owned());
            }
            return Ok(Self(None));
        };
        let missing = |key: &str| format!("[oidc] has an issuer, and so needs {key} too");
        let client_id = client_id.ok_or_else(|| missing("client_id"))?;
        let file = file.ok_or_else(|| missing("client_secret_file"))?;
        let public_url = public_url.ok_or_else(|| missing("public_url"))?;
        let mut config = OidcConfig::new(&issuer, &client_id, file, &public_url)?;
        if let Some(name) = name {
            if name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
                return Err(format!("name has at most {NAME_MAX} characters, none of them a control character"));
            }
            config.name = name;
        }
        if domains.iter().any(|domain| domain.is_empty() || domain.contains('@')) {
            return Err("allow_domains takes domains such as \"example.org\", without what stands before the @".to_owned());
        }
        if claim.is_some() == values.is_empty() {
            return Err(
                "allow_claim and allow_values go together: a claim's name, and the values of which it must have one".to_owned()
            );
        }
        Ok(Self(Some(OidcConfig { allow_domains: domains, allow_claim: claim, allow_values: values, ..config })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDED: &str = "issuer = \"https://id.example.org/realms/x\"\nclient_id = \"tvphone\"\nclient_secret_file = \"secret\"\n\
                          public_url = \"https://relay.example.org/phone\"\n";

    fn read(text: &str) -> Result<Option<OidcConfig>, String> {
        toml::from_str::<Section>(text).map(|section| section.0).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn what_is_said_counts_and_the_rest_is_usual() {
        let config = read(NEEDED).unwrap().unwrap();
        assert_eq!((config.issuer.as_str(), config.name.as_str()), ("https://id.example.org/realms/x", "id.example.org"));
        let more = "name = \"Example University\"\nallow_domains = [\"example.org\"]\nallow_claim = \"groups\"\nallow_values = [\"staff\"]\n";
        let config = read(&format!("{NEEDED}{more}")).unwrap().unwrap();
        assert_eq!((config.name.as_str(), config.allow_claim.as_deref()), ("Example University", Some("groups")));
        assert_eq!((config.allow_domains, config.allow_values), (vec!["example.org".to_owned()], vec!["staff".to_owned()]));
        assert_eq!(read("issuer = \"\"\nclient_id = \"\"\nallow_domains = []").unwrap(), None);
    }

    #[test]
    fn half_of_it_is_refused() {
        for key in ["client_id", "client_secret_file", "public_url"] {
            let half = NEEDED.lines().filter(|line| !line.starts_with(key)).collect::<Vec<_>>().join("\n");
            let message = read(&half).unwrap_err();
            assert!(message.contains(&format!("needs {key}")), "{message}");
        }
        let without = NEEDED.split_once('\n').unwrap().1;
        assert!(read(without).unwrap_err().contains("no issuer"));
        for more in ["allow_claim = \"groups\"", "allow_values = [\"staff\"]"] {
            assert!(read(&format!("{NEEDED}{more}")).unwrap_err().contains("go together"), "{more}");
        }
    }

    #[test]
    fn addresses_that_others_could_read_along_are_refused() {
        for (key, value) in [
            ("issuer", "http://id.example.org"),
            ("issuer", "id.example.org"),
            ("issuer", "https://id.example.org/?a=b"),
            ("issuer", "https://ana:secret@id.example.org"),
            ("issuer", "file:///etc/passwd"),
            ("public_url", "http://relay.example.org"),
            ("public_url", "https://relay.example.org/#top"),
        ] {
            let changed = NEEDED
                .lines()
                .map(|line| if line.starts_with(key) { format!("{key} = \"{value}\"\n") } else { format!("{line}\n") });
            let message = read(&changed.collect::<String>()).unwrap_err();
            assert!(message.contains(&format!("{key} must be")), "{value}: {message}");
        }
        for local in ["http://127.0.0.1:8080", "http://[::1]", "http://localhost/base"] {
            assert!(OidcConfig::new(local, "a", "b", local).is_ok(), "{local}");
        }
    }
}
