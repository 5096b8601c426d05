//! How a relay is to be run.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use crate::rate::Rates;

/// Port the relay listens on unless told otherwise.
pub const PORT: u16 = 7480;

/// How a relay is to be run. [`Config::new`] has sensible values for all but the data folder.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen. Behind a reverse proxy that speaks TLS this stays on the loopback.
    pub listen: SocketAddr,
    /// Folder of the database (`relay.db`) and of the ticker's `providers/`; made if there is none.
    pub data: PathBuf,
    /// Whether people may make accounts themselves; the admin command always may.
    pub sign_up: bool,
    /// How fast requests may come.
    pub rates: Rates,
    /// Connections open at once; half of them from one address.
    pub connections: usize,
    /// How often each ticker provider is run.
    pub ticker_interval: Duration,
}

impl Config {
    /// The usual values, around a data folder.
    #[must_use]
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)),
            data: data.into(),
            sign_up: true,
            rates: Rates::default(),
            connections: 4096,
            ticker_interval: Duration::from_secs(60),
        }
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

    /// The database.
    pub(crate) fn database(&self) -> PathBuf {
        self.data.join("relay.db")
    }

    /// The ticker's programs.
    pub(crate) fn providers(&self) -> PathBuf {
        self.data.join("providers")
    }
}
