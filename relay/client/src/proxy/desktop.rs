//! What the desktop's settings say about proxies, on Linux: GNOME's and its relatives' by `gsettings`, KDE's from its file. Other
//! systems keep theirs where the HTTP library looks itself.
//!
//! Asking the tool that comes with the desktop costs a process every few minutes and saves a D-Bus library.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::ProxyLogin;

/// Whoever doesn't answer by then has no opinion.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a desktop says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Desktop {
    /// No proxy, or it isn't known.
    #[default]
    Nothing,
    /// Addresses, empty where there is none.
    Manual { http: String, https: String, exceptions: String, login: Option<ProxyLogin> },
    /// Where the PAC file is.
    Pac(String),
}

/// Asks the desktop this person uses. Blocks for up to some seconds.
pub(super) fn settings() -> Desktop {
    if !cfg!(target_os = "linux") {
        return Desktop::Nothing;
    }
    let desktop = std::env::var("XDG_CURRENT_DESKTOP").unwrap_or_default().to_ascii_uppercase();
    if desktop.is_empty() {
        // No desktop: a server, a console, a test.
        return Desktop::Nothing;
    }
    if desktop.split(':').any(|name| name == "KDE") {
        return kde_file().and_then(|file| std::fs::read_to_string(file).ok()).map(|text| kde(&text)).unwrap_or_default();
    }
    ask(Command::new("gsettings").args(["list-recursively", "org.gnome.system.proxy"]))
        .map(|text| gnome(&text))
        .unwrap_or_default()
}

fn kde_file() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".config"));
    let folder = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute()).or_else(home)?;
    Some(folder.join("kioslaverc"))
}

fn ask(command: &mut Command) -> Option<String> {
    let command = command.stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().ok()?;
    let limit = Instant::now() + PATIENCE;
    // Some dozen short lines fit a pipe, so it can end before they are read.
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() > limit {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Lines such as `org.gnome.system.proxy.http host 'proxy.example.org'`.
fn gnome(text: &str) -> Desktop {
    let value = |schema: &str, key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix("org.gnome.system.proxy")?.strip_prefix(schema)?.trim_start().strip_prefix(key))
    };
    let string = |schema, key| value(schema, key).map(|value| unquoted(value.trim())).unwrap_or_default();
    match string(" ", "mode ").as_str() {
        // An empty address means that the network tells where the file is (WPAD).
        "auto" => match string(" ", "autoconfig-url ") {
            file if file.is_empty() => Desktop::Pac("http://wpad/wpad.dat".to_owned()),
            file => Desktop::Pac(file),
        },
        "manual" => {
            let at = |schema| match (string(schema, "host "), string(schema, "port ")) {
                (host, _) if host.is_empty() => host,
                (host, port) if port.is_empty() || port == "0" => host,
                (host, port) => format!("{host}:{port}"),
            };
            let hosts = string(" ", "ignore-hosts ");
            let hosts = hosts.trim_matches(['[', ']']).split(',').map(|host| unquoted(host.trim()));
            let hosts = hosts.map(|host| host.trim_start_matches("*.").to_owned());
            let wanted = string(".http ", "use-authentication ") == "true";
            let login = wanted.then(|| {
                ProxyLogin::new(&string(".http ", "authentication-user "), &string(".http ", "authentication-password "))
            });
            Desktop::Manual {
                http: at(".http "),
                https: at(".https "),
                exceptions: hosts.collect::<Vec<_>>().join(","),
                login: login.filter(|login| !login.user().is_empty()),
            }
        }
        _ => Desktop::Nothing,
    }
}

/// The section `[Proxy Settings]` of an INI file, with addresses such as `http://proxy.example.org 3128`.
fn kde(text: &str) -> Desktop {
    let lines = text.lines().map(str::trim).skip_while(|line| *line != "[Proxy Settings]").skip(1);
    let section: Vec<_> = lines.take_while(|line| !line.starts_with('[')).filter_map(|line| line.split_once('=')).collect();
    let value = |key: &str| {
        let found = section.iter().find(|(name, _)| name.trim_end_matches("[$e]") == key);
        found.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let at = |key| value(key).split_whitespace().collect::<Vec<_>>().join(":").replace("/:", ":");
    match value("ProxyType").as_str() {
        "1" if value("ReversedException") == "true" => Desktop::Nothing,
        "1" => Desktop::Manual { http: at("httpProxy"), https: at("httpsProxy"), exceptions: value("NoProxyFor"), login: None },
        "2" => Desktop::Pac(value("Proxy Config Script")),
        "3" => Desktop::Pac("http://wpad/wpad.dat".to_owned()),
        _ => Desktop::Nothing,
    }
}

/// A GVariant string without its quotes, and without the backslashes before quotes and backslashes within; anything else as it stands.
fn unquoted(text: &str) -> String {
    let quoted = ['\'', '"'].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote));
    let Some(quoted) = quoted else { return text.to_owned() };
    let mut plain = String::with_capacity(quoted.len());
    let mut letters = quoted.chars().peekable();
    while let Some(letter) = letters.next() {
        let escaped = if letter == '\\' { letters.next_if(|next| matches!(next, '\\' | '\'' | '"')) } else { None };
        plain.push(escaped.unwrap_or(letter));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const GNOME: &str = "org.gnome.system.proxy autoconfig-url ''\n\
        org.gnome.system.proxy ignore-hosts ['localhost', '127.0.0.0/8', '*.example.org']\n\
        org.gnome.system.proxy mode 'MODE'\n\
        org.gnome.system.proxy use-same-proxy true\n\
        org.gnome.system.proxy.http authentication-password 'secret'\n\
        org.gnome.system.proxy.http authentication-user 'ana'\n\
        org.gnome.system.proxy.http enabled false\n\
        org.gnome.system.proxy.http host 'proxy.example.net'\n\
        org.gnome.system.proxy.http port 3128\n\
        org.gnome.system.proxy.http use-authentication true\n\
        org.gnome.system.proxy.https host ''\n\
        org.gnome.system.proxy.https port 0\n";

    #[test]
    fn gnome_is_understood() {
        assert_eq!(gnome(&GNOME.replace("MODE", "none")), Desktop::Nothing);
        assert_eq!(gnome(""), Desktop::Nothing);
        assert_eq!(gnome(&GNOME.replace("MODE", "auto")), Desktop::Pac("http://wpad/wpad.dat".to_owned()));
        let with_file = GNOME.replace("MODE", "auto").replace("autoconfig-url ''", "autoconfig-url 'http://a/b.pac'");
        assert_eq!(gnome(&with_file), Desktop::Pac("http://a/b.pac".to_owned()));
        let manual = Desktop::Manual {
            http: "proxy.example.net:3128".to_owned(),
            https: String::new(),
            exceptions: "localhost,127.0.0.0/8,example.org".to_owned(),
            login: Some(ProxyLogin::new("ana", "secret")),
        };
        assert_eq!(gnome(&GNOME.replace("MODE", "manual")), manual);
    }

    #[test]
    fn a_password_may_hold_quotes_and_backslashes() {
        for (written, means) in [
            (r"'a\\b'", r"a\b"),
            (r"'a\'b'", "a'b"),
            (r"'\\\''", r"\'"),
            (r#""it's \"it\"""#, r#"it's "it""#),
            (r"'a\b'", r"a\b"),
            ("'", "'"),
            (r"a\\b", r"a\\b"),
        ] {
            assert_eq!(unquoted(written), means, "{written}");
        }
        let text = GNOME.replace("MODE", "manual").replace("'secret'", r"'a\\b\'c'");
        let Desktop::Manual { login, .. } = gnome(&text) else { panic!("no addresses") };
        assert_eq!(login, Some(ProxyLogin::new("ana", r"a\b'c")));
    }

    #[test]
    fn kde_is_understood() {
        let text = "[Other]\nProxyType=0\n[Proxy Settings]\nNoProxyFor=example.org,10.0.0.0/8\nProxy Config Script=http://a/b.pac\n\
            ProxyType=TYPE\nReversedException=false\nhttpProxy=http://proxy.example.net 3128\nhttpsProxy=http://proxy.example.net/ 3129\n[X]\n";
        assert_eq!(kde(&text.replace("TYPE", "0")), Desktop::Nothing);
        assert_eq!(kde(&text.replace("TYPE", "2")), Desktop::Pac("http://a/b.pac".to_owned()));
        let Desktop::Manual { http, https, exceptions, .. } = kde(&text.replace("TYPE", "1")) else { panic!("no addresses") };
        assert_eq!(http, "http://proxy.example.net:3128");
        assert_eq!(https, "http://proxy.example.net:3129");
        assert_eq!(exceptions, "example.org,10.0.0.0/8");
    }
}
