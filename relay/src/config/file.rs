//! The configuration file: TOML, every key optional, none unknown.
//!
//! `assets/relay/tvphone-relay.toml` names and explains all of them.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

use super::{
    Admission, Config, MB, MetricsAccess, PlainHttp,
    database::Said,
    oidc::Section,
    values::{Addresses, AtOnce, Networks, PerSecond, Secret, Whole},
};
use crate::{
    error::Error,
    forwarded::ForwardedHeader,
    rate::{Rate, Rates},
};

/// Seconds of a day.
const DAY: u64 = 24 * 3600;

/// What stands in a file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    listen: Option<Addresses>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    plain_http: Option<PlainHttp>,
    trusted_proxies: Option<Networks>,
    forwarded_header: Option<ForwardedHeader>,
    data: Option<PathBuf>,
    database: Option<Said>,
    sign_up: Option<Admission>,
    connections: Option<Whole<1, 1_000_000>>,
    call_peers: Option<Whole<2, 1000>>,
    session_days: Option<Whole<1, 3650>>,
    message_days: Option<Whole<0, 36_500>>,
    ticker_seconds: Option<Whole<1, 86_400>>,
    metrics: Option<bool>,
    metrics_token: Option<Secret>,
    attachment_mb: Option<Whole<0, 2000>>,
    attachments_quota_mb: Option<Whole<1, 1_000_000>>,
    attachments_total_mb: Option<Whole<1, 100_000_000>>,
    attachments_days: Option<Whole<0, 36_500>>,
    #[serde(default)]
    oidc: Section,
    #[serde(default)]
    rates: Table,
}

/// What stands in its section `[rates]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    sign_up: Option<Row>,
    sign_in: Option<Row>,
    wrong_password: Option<Row>,
    wrong_password_everywhere: Option<Row>,
    report: Option<Row>,
    doctor: Option<Row>,
    control: Option<Row>,
    uploads: Option<Row>,
    polls: Option<Row>,
}

/// One rate.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    at_once: AtOnce,
    per_second: PerSecond,
}

impl File {
    /// Reads a file that must be there.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path).map_err(|source| Error::ConfigFile { path: path.to_owned(), source })?;
        let mut file = Self::parse(&text).map_err(|(line, message)| Error::Config { path: path.to_owned(), line, message })?;
        // Folders and files are named as seen from this one, wherever the relay is started.
        for named in [&mut file.data, &mut file.certificate, &mut file.key] {
            if let (Some(named), Some(folder)) = (named, path.parent())
                && !named.as_os_str().is_empty()
            {
                *named = folder.join(&*named);
            }
        }
        if let Some(folder) = path.parent() {
            file.oidc.seen_from(folder);
        }
        Ok(file)
    }

    /// Reads a file; one that isn't there says nothing.
    pub(super) fn read_if_there(path: &Path) -> Result<Self, Error> {
        match Self::read(path) {
            Err(Error::ConfigFile { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            outcome => outcome,
        }
    }

    /// Reads the text, or says in which line what is wrong.
    fn parse(text: &str) -> Result<Self, (usize, String)> {
        toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start).min(text.len());
            let line = 1 + text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count();
            // One line of a log or a terminal.
            (line, error.message().split_whitespace().collect::<Vec<_>>().join(" "))
        })
    }

    /// The data folder it names.
    pub(super) fn data(&self) -> Option<PathBuf> {
        self.data.clone()
    }

    /// The files of the certificate and of its key it names; an empty name is none.
    pub(super) fn certificate(&self) -> (Option<PathBuf>, Option<PathBuf>) {
        let named = |path: &Option<PathBuf>| path.clone().filter(|path| !path.as_os_str().is_empty());
        (named(&self.certificate), named(&self.key))
    }

    /// Puts what it says in the place of what `config` has; but for the data folder and the certificate, which go
    /// with what the command line says.
    pub(super) fn apply(self, config: &mut Config) {
        set(&mut config.listen, self.listen.map(|listen| listen.0));
        set(&mut config.database, self.database.map(|database| database.0));
        set(&mut config.plain_http, self.plain_http);
        set(&mut config.proxies.networks, self.trusted_proxies.map(|networks| networks.0));
        set(&mut config.proxies.header, self.forwarded_header);
        set(&mut config.sign_up, self.sign_up);
        set(&mut config.connections, self.connections.map(|most| usize::try_from(most.0).unwrap_or(usize::MAX)));
        set(&mut config.call_peers, self.call_peers.map(|most| usize::try_from(most.0).unwrap_or(usize::MAX)));
        set(&mut config.session_unused, self.session_days.map(|days| Duration::from_secs(days.0 * DAY)));
        set(&mut config.message_age, self.message_days.map(|days| or_for_ever(days.0)));
        set(&mut config.ticker_interval, self.ticker_seconds.map(|seconds| Duration::from_secs(seconds.0)));
        if let Some(metrics) = self.metrics {
            let token = self.metrics_token.and_then(|token| token.0);
            config.metrics = metrics.then(|| token.map_or_else(MetricsAccess::loopback, |token| MetricsAccess::token(&token)));
        }
        let attachments = &mut config.attachments;
        set(&mut attachments.max, self.attachment_mb.map(|mb| mb.0 * MB));
        set(&mut attachments.quota, self.attachments_quota_mb.map(|mb| mb.0 * MB));
        set(&mut attachments.total, self.attachments_total_mb.map(|mb| mb.0 * MB));
        set(&mut attachments.keep, self.attachments_days.map(|days| or_for_ever(days.0)));
        if self.oidc.0.is_some() {
            config.oidc = self.oidc.0;
        }
        self.rates.apply(&mut config.rates);
    }
}

impl Table {
    fn apply(self, rates: &mut Rates) {
        for (rate, row) in [
            (&mut rates.sign_up, self.sign_up),
            (&mut rates.sign_in, self.sign_in),
            (&mut rates.wrong_password, self.wrong_password),
            (&mut rates.wrong_password_everywhere, self.wrong_password_everywhere),
            (&mut rates.report, self.report),
            (&mut rates.doctor, self.doctor),
            (&mut rates.control, self.control),
            (&mut rates.uploads, self.uploads),
            (&mut rates.polls, self.polls),
        ] {
            set(rate, row.map(|row| Rate { burst: row.at_once.0, per_second: row.per_second.0 }));
        }
    }
}

/// So many days; 0 is no end.
fn or_for_ever(days: u64) -> Option<Duration> {
    (days > 0).then(|| Duration::from_secs(days * DAY))
}

fn set<T>(value: &mut T, said: Option<T>) {
    if let Some(said) = said {
        *value = said;
    }
}

#[cfg(test)]
mod tests;
