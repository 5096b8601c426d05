//! Where a relay keeps what must outlive it, if not in a file of its data folder.

use std::{fmt, str::FromStr};

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};
use sqlx::any::AnyConnectOptions;

/// The URL of a PostgreSQL database: `postgres://USER:PASSWORD@HOST:PORT/NAME`. It is shown without user and password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

/// The text is no such URL. What it is isn't said: there may be a password in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a URL such as \"postgres://user:password@host/name\"")]
pub struct NotADatabase;

impl DatabaseUrl {
    /// As sqlx takes it.
    pub(crate) fn options(&self) -> Result<AnyConnectOptions, sqlx::Error> {
        self.0.parse()
    }
}

impl FromStr for DatabaseUrl {
    type Err = NotADatabase;

    fn from_str(text: &str) -> Result<Self, NotADatabase> {
        let options = text.parse::<AnyConnectOptions>().map_err(|_| NotADatabase)?;
        let known = matches!(options.database_url.scheme(), "postgres" | "postgresql");
        if known && text.contains("://") { Ok(Self(text.to_owned())) } else { Err(NotADatabase) }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(options) = self.options() else { return f.write_str("postgres://") };
        let url = options.database_url;
        write!(f, "postgres://{}", url.host_str().unwrap_or_default())?;
        if let Some(port) = url.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(url.path())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

/// A URL of the configuration file, or none when it is empty. No message shows it.
#[derive(Clone, Debug)]
pub(super) struct Said(pub(super) Option<DatabaseUrl>);

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Option<DatabaseUrl>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                if text.is_empty() {
                    return Ok(None);
                }
                text.parse()
                    .map(Some)
                    .map_err(|error: NotADatabase| E::custom(format_args!("{error}, or \"\" for the file in the data folder")))
            }
        }

        deserializer.deserialize_any(Text).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_is_secret_in_it() {
        let said = "postgresql://ana:hunter2@db.example.org:5433/tvphone?password=hunter3&sslmode=require";
        let url = said.parse::<DatabaseUrl>().unwrap();
        assert_eq!(url.to_string(), "postgres://db.example.org:5433/tvphone");
        assert!(!format!("{url:?}").contains("hunter"));
    }

    #[test]
    fn what_is_no_database_of_postgresql_is_refused_without_being_shown() {
        for text in
            ["", "relay.db", "sqlite:relay.db", "mysql://a:hunter2@host/name", "postgres:hunter2", "postgres://a:hunter2@[::/x"]
        {
            let error = text.parse::<DatabaseUrl>().unwrap_err().to_string();
            assert!(error.contains("postgres://user") && !error.contains("hunter2"), "{text}: {error}");
        }
    }
}
