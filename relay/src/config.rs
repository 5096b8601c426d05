//! How a relay is to be run: its own values, a file over them, the command line over both.

mod database;
mod file;
mod oidc;
mod values;

use std::{
    fmt, fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use self::file::File;
pub use self::{
    database::{DatabaseUrl, NotADatabase},
    oidc::OidcConfig,
};
use crate::{
    error::Error, forwarded::TrustedProxies, listen::Listen, rate::Rates, store::Location, tls::CertificateFiles,
    token::TokenHash,
};

/// Port the relay listens on unless told otherwise.
pub const PORT: u16 = 7480;

/// Name of the configuration file that is looked for in the data folder.
pub const FILE: &str = "tvphone-relay.toml";

/// Name of the database in the data folder.
pub(crate) const DATABASE: &str = "relay.db";

/// How a relay is to be run. [`Config::new`] has sensible values for all but the data folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where to listen, at least one address. Behind a reverse proxy that speaks TLS this stays on the loopback.
    pub listen: Vec<Listen>,
    /// The certificate for the addresses with TLS. Where there is none a self-signed one is made and kept in the data folder.
    pub certificate: Option<CertificateFiles>,
    /// Who may come to the other addresses.
    pub plain_http: PlainHttp,
    /// Proxies that are trusted to say whom they speak for.
    pub proxies: TrustedProxies,
    /// Folder of the database (`relay.db`), of `attachments/` and of the ticker's `providers/`; made if there is none.
    pub data: PathBuf,
    /// A database of PostgreSQL's instead of the file in the data folder.
    pub database: Option<DatabaseUrl>,
    /// Who may make an account; the admin command always may.
    pub sign_up: Admission,
    /// How fast requests may come.
    pub rates: Rates,
    /// Connections open at once; half of them from one address.
    pub connections: usize,
    /// Peers in one call.
    pub call_peers: usize,
    /// How long a client is waited for in the middle of something.
    pub patience: Patience,
    /// Sessions that ask nothing for this long end.
    pub session_unused: Duration,
    /// Chat messages older than this are removed; kept for good when there is none.
    pub message_age: Option<Duration>,
    /// How often each ticker provider is run.
    pub ticker_interval: Duration,
    /// Who may read the measurements at `/metrics`; nobody when there is none, and then requests aren't counted either.
    pub metrics: Option<MetricsAccess>,
    /// How much people may upload, and how long it is kept.
    pub attachments: Attachments,
    /// How people sign in at an organisation's OpenID provider; where there is none they sign in by password alone.
    pub oidc: Option<OidcConfig>,
}

/// Bounds of the folder of attachments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attachments {
    /// Largest file, in bytes; 0 takes none.
    pub max: u64,
    /// Bytes of all of one person's.
    pub quota: u64,
    /// Bytes of all there are, each content counted once.
    pub total: u64,
    /// They are gone after this long; for ever without.
    pub keep: Option<Duration>,
}

impl Default for Attachments {
    fn default() -> Self {
        Self { max: 25 * MB, quota: 1000 * MB, total: 20_000 * MB, keep: None }
    }
}

/// Bytes of a megabyte, as files and disks are counted.
pub(crate) const MB: u64 = 1_000_000;

/// How long a client is waited for in the middle of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a request's head. An idle connection waits for the next head, so this is also when it is closed.
    pub head: Duration,
    /// For a whole body.
    pub body: Duration,
    /// For a byte in either direction, whatever it is doing.
    pub silence: Duration,
}

impl Default for Patience {
    /// The head: later than clients drop an idle connection (ours: 55 s), so that none sends into a closing one. A body:
    /// the largest within it is 90 kbit/s, too slow for a call. Silence: a poll is silent for 25 s, a body has 30 s; so this is for whoever
    /// doesn't read its answer.
    fn default() -> Self {
        Self { head: Duration::from_secs(75), body: Duration::from_secs(30), silence: Duration::from_secs(75) }
    }
}

/// Who may make an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// Everyone.
    Open,
    /// Who has an invitation code that the admin command made.
    Code,
    /// Nobody; the admin command makes them.
    Closed,
}

/// Who may come without TLS. Whoever may not is told so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum PlainHttp {
    /// Whoever comes to an address for it.
    Everyone,
    /// This machine, and trusted proxies.
    Loopback,
}

/// Who may read the measurements.
#[derive(Clone, PartialEq, Eq)]
pub struct MetricsAccess {
    token: Option<TokenHash>,
}

impl MetricsAccess {
    /// Whoever asks from this machine. A proxy on it is on this machine too, for whoever comes through it.
    #[must_use]
    pub fn loopback() -> Self {
        Self { token: None }
    }

    /// Whoever brings this token, from wherever.
    #[must_use]
    pub fn token(token: &str) -> Self {
        Self { token: Some(TokenHash::of(token)) }
    }

    pub(crate) fn token_hash(&self) -> Option<TokenHash> {
        self.token
    }
}

impl fmt::Debug for MetricsAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.token.is_some() { "MetricsAccess(token)" } else { "MetricsAccess(loopback)" })
    }
}

/// What was said on the command line.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// The configuration file; without one, [`FILE`] in the data folder is read if it is there.
    pub file: Option<PathBuf>,
    /// The data folder.
    pub data: Option<PathBuf>,
    /// The URL of a database instead of the file in the data folder; empty says nothing.
    pub database: Option<String>,
    /// Where to listen; empty where nothing was said of it.
    pub listen: Vec<Listen>,
    /// The certificate's file.
    pub certificate: Option<PathBuf>,
    /// The file of its key.
    pub key: Option<PathBuf>,
    /// Who may come without TLS.
    pub plain_http: Option<PlainHttp>,
    /// Who may make an account.
    pub sign_up: Option<Admission>,
}

impl Config {
    /// The usual values, around a data folder.
    #[must_use]
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            listen: vec![Listen::plain(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)))],
            certificate: None,
            plain_http: PlainHttp::Everyone,
            proxies: TrustedProxies::default(),
            data: data.into(),
            database: None,
            sign_up: Admission::Open,
            rates: Rates::default(),
            connections: 4096,
            call_peers: proto::limits::PEERS_MAX,
            patience: Patience::default(),
            session_unused: Duration::from_secs(30 * 24 * 3600),
            message_age: None,
            ticker_interval: Duration::from_secs(60),
            metrics: None,
            attachments: Attachments::default(),
            oidc: None,
        }
    }

    /// What the command line says, else the configuration file, else the usual values.
    ///
    /// # Errors
    /// When the file can't be read or says something it can't, or there is no data folder.
    pub fn load(flags: Flags) -> Result<Self, Error> {
        let home = flags.data.clone().or_else(Self::default_data);
        let file = match (&flags.file, &home) {
            (Some(path), _) => File::read(path)?,
            (None, Some(home)) => File::read_if_there(&home.join(FILE))?,
            (None, None) => File::default(),
        };
        let data = flags.data.or_else(|| file.data()).or(home).ok_or(Error::NoDataFolder)?;
        // The ticker's programs run in a folder of their own, from where a relative path would lead elsewhere.
        let data = std::path::absolute(&data).map_err(|source| Error::Data { path: data, source })?;
        let mut config = Self::new(data);
        // A certificate that is said on the command line comes with its own key or holds it.
        let certificate =
            if flags.certificate.is_some() || flags.key.is_some() { (flags.certificate, flags.key) } else { file.certificate() };
        config.certificate = match certificate {
            (Some(certificate), key) => Some(CertificateFiles { key: key.unwrap_or_else(|| certificate.clone()), certificate }),
            (None, Some(key)) => return Err(Error::KeyAlone { key }),
            (None, None) => None,
        };
        file.apply(&mut config);
        if !flags.listen.is_empty() {
            config.listen = flags.listen;
        }
        config.plain_http = flags.plain_http.unwrap_or(config.plain_http);
        config.sign_up = flags.sign_up.unwrap_or(config.sign_up);
        if let Some(url) = flags.database.filter(|url| !url.is_empty()) {
            config.database = Some(url.parse().map_err(Error::DatabaseUrl)?);
        }
        Ok(config)
    }

    /// The data folder of the person who runs this: `$XDG_DATA_HOME/tvphone-relay` or what the system has in its place.
    #[must_use]
    pub fn default_data() -> Option<PathBuf> {
        Some(directories::ProjectDirs::from("", "", "tvphone-relay")?.data_dir().to_owned())
    }

    /// Makes the data folder if there is none, for nobody else to read: the database in it holds what people wrote. One that is
    /// there stays as whoever runs this has it.
    pub(crate) fn make_data(&self) -> io::Result<()> {
        if let Some(parent) = self.data.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut folder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        folder.recursive(true).create(&self.data)
    }

    /// Where the database is.
    pub(crate) fn location(&self) -> Location {
        match &self.database {
            Some(url) => Location::Server(url.clone()),
            None => Location::File(self.data.join(DATABASE)),
        }
    }

    /// What people have uploaded.
    pub(crate) fn files(&self) -> PathBuf {
        self.data.join("attachments")
    }

    /// The certificate the relay makes for itself, with its key.
    pub(crate) fn self_signed(&self) -> PathBuf {
        self.data.join("self-signed.pem")
    }

    /// The ticker's programs.
    pub(crate) fn providers(&self) -> PathBuf {
        self.data.join("providers")
    }
}
