//! What a configuration file may say, and how its mistakes are told.

use super::*;
use crate::{forwarded::TrustedProxies, listen::Listen, tls::CertificateFiles};

const SAMPLE: &str = include_str!("../../../../assets/relay/tvphone-relay.toml");

/// The sample with all its keys said: they stand there behind a `#`, the words beside them behind a `#` and a space.
fn all_said() -> String {
    SAMPLE.lines().map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line)).fold(
        String::new(),
        |mut text, line| {
            text.push_str(line);
            text.push('\n');
            text
        },
    )
}

fn address(text: &str) -> Listen {
    text.parse().unwrap()
}

fn applied(text: &str) -> Config {
    let file = File::parse(text).unwrap();
    let mut config = Config::new(file.data().unwrap_or_default());
    file.apply(&mut config);
    config
}

#[test]
fn the_sample_names_every_key_and_each_has_its_usual_value() {
    let file = File::parse(&all_said()).unwrap();
    // Taken apart whole: a new key that the sample doesn't name stops this from compiling or from passing.
    assert_eq!(file.certificate(), (None, None));
    let File {
        listen,
        certificate,
        key,
        plain_http,
        trusted_proxies,
        forwarded_header,
        data,
        database,
        sign_up,
        connections,
        call_peers,
        session_days,
        message_days,
        ticker_seconds,
        metrics,
        metrics_token,
        attachment_mb,
        attachments_quota_mb,
        attachments_total_mb,
        attachments_days,
        oidc,
        rates,
    } = file;
    let said = [
        listen.is_some(),
        certificate.is_some(),
        key.is_some(),
        plain_http.is_some(),
        trusted_proxies.is_some(),
        forwarded_header.is_some(),
        data.is_some(),
        database.is_some(),
        sign_up.is_some(),
        connections.is_some(),
        call_peers.is_some(),
        session_days.is_some(),
        message_days.is_some(),
        ticker_seconds.is_some(),
        metrics.is_some(),
        metrics_token.is_some(),
        attachment_mb.is_some(),
        attachments_quota_mb.is_some(),
        attachments_total_mb.is_some(),
        attachments_days.is_some(),
    ];
    assert!(said.iter().all(|said| *said), "{said:?}");
    // Its keys are looked at beside it; to say nothing by them is usual.
    assert!(oidc.0.is_none() && all_said().contains("\nissuer = \"\"\n"));
    let Table { sign_up, sign_in, wrong_password, wrong_password_everywhere, report, doctor, control, uploads, polls } = rates;
    for row in [sign_up, sign_in, wrong_password, wrong_password_everywhere, report, doctor, control, uploads, polls] {
        assert!(row.is_some());
    }
    assert_eq!(applied(&all_said()), Config::new("/var/lib/tvphone-relay"));
}

#[test]
fn the_sample_as_it_is_and_an_empty_file_change_nothing() {
    for text in [SAMPLE, ""] {
        assert_eq!(applied(text), Config::new(""));
    }
}

#[test]
fn what_the_file_says_counts() {
    let config = applied(
        "listen = [\"0.0.0.0:80\", \"[::]:80\"]\nsign_up = \"code\"\nconnections = 100\ncall_peers = 40\nsession_days = 7\nticker_seconds = 5\n\
         metrics = true\nplain_http = \"loopback\"\ntrusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]\n\
         forwarded_header = \"forwarded\"\n[rates]\ncontrol = { at_once = 20, per_second = 0.5 }\n",
    );
    assert_eq!(config.listen, [address("0.0.0.0:80"), address("[::]:80")]);
    assert_eq!(config.plain_http, PlainHttp::Loopback);
    let networks = ["127.0.0.1", "10.0.0.0/8"].map(|network| network.parse().unwrap()).to_vec();
    assert_eq!(config.proxies, TrustedProxies { networks, header: ForwardedHeader::Forwarded });
    let both = applied("listen = [\"https://0.0.0.0:443\", \"http://0.0.0.0:80\", \"127.0.0.1:7480\"]").listen;
    assert_eq!(both.iter().map(|listen| listen.secure).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!((config.sign_up, config.connections, config.call_peers), (Admission::Code, 100, 40));
    assert_eq!((config.session_unused.as_secs(), config.ticker_interval.as_secs()), (604_800, 5));
    assert_eq!(config.metrics, Some(MetricsAccess::loopback()));
    assert_eq!(applied("message_days = 90").message_age, Some(Duration::from_secs(90 * 86_400)));
    assert_eq!(applied("message_days = 0").message_age, None);
    assert_eq!(config.rates, Rates { control: Rate { burst: 20.0, per_second: 0.5 }, ..Rates::default() });
    let attachments =
        applied("attachment_mb = 0\nattachments_quota_mb = 50\nattachments_total_mb = 70\nattachments_days = 9").attachments;
    assert_eq!((attachments.max, attachments.quota, attachments.total), (0, 50_000_000, 70_000_000));
    assert_eq!(attachments.keep, Some(Duration::from_secs(9 * DAY)));
    assert_eq!(applied("listen = \"[::1]:8080\"").listen, [address("[::1]:8080")], "one needs no list");
    assert_eq!(applied("metrics_token = \"0123456789abcdef\"").metrics, None, "a token alone turns nothing on");
    let metrics = applied("metrics = true\nmetrics_token = \"0123456789abcdef\"").metrics;
    assert_eq!(metrics, Some(MetricsAccess::token("0123456789abcdef")));
    assert!(!format!("{metrics:?}").contains("0123"));
}

#[test]
fn what_can_not_be_is_refused_with_its_line_and_what_may_stand_there() {
    for (text, line, words) in [
        ("listn = []", 1, &["unknown field `listn`", "`listen`", "`metrics_token`"][..]),
        ("\n\nlisten = \"here\"", 3, &["an address and a port", "127.0.0.1:7480"]),
        ("listen = []", 1, &["at least one address"]),
        ("listen = \"https://relay.example.org:443\"", 1, &["an address and a port", "https://0.0.0.0:443"]),
        ("plain_http = \"nobody\"", 1, &["unknown variant `nobody`", "`everyone`", "`loopback`"]),
        ("trusted_proxies = [\"proxy.example\"]", 1, &["\"proxy.example\"", "an address or a network", "10.0.0.0/8"]),
        ("forwarded_header = \"via\"", 1, &["unknown variant `via`", "`x-forwarded-for`", "`forwarded`"]),
        ("listen = 80", 1, &["integer `80`", "an address and a port"]),
        ("# words\nsign_up = \"never\"", 2, &["unknown variant `never`", "`open`", "`code`", "`closed`"]),
        ("connections = 0", 1, &["integer `0`", "a whole number from 1 to 1000000"]),
        ("call_peers = 1", 1, &["integer `1`", "a whole number from 2 to 1000"]),
        ("connections = \"many\"", 1, &["string \"many\"", "a whole number from 1 to 1000000"]),
        ("session_days = 1.5", 1, &["a whole number from 1 to 3650"]),
        ("metrics = 1", 1, &["integer `1`", "a boolean"]),
        ("metrics = true\nmetrics = true", 2, &["duplicate key"]),
        ("[rates]\n\nlogin = 1", 3, &["unknown field `login`", "`sign_in`"]),
        ("[rates]\nsign_in = { at_once = 0.5, per_second = 1 }", 2, &["a number from 1 to 1000000"]),
        ("[rates]\nsign_in = { at_once = 5, per_second = nan }", 2, &["a number from 0.001 to 1000000"]),
        ("[rates]\nsign_in = { at_once = 5 }", 2, &["missing field `per_second`"]),
        ("data = \"x\"\nsign_up open", 2, &["expected"]),
        ("\n[oidc]\nissuer = \"\"\nsecret = \"x\"", 4, &["unknown field `secret`", "`client_secret_file`"]),
        ("\n[oidc]\nissuer = \"https://id.example.org\"", 2, &["needs client_id too"]),
    ] {
        let (at, message) = File::parse(text).unwrap_err();
        assert_eq!(at, line, "{text}: {message}");
        for word in words {
            assert!(message.contains(word), "{text}: {message}");
        }
        assert!(!message.contains('\n'), "{message}");
    }
}

#[test]
fn a_token_that_can_not_be_is_refused_without_being_shown() {
    for token in
        ["shorter", "has space in its midst", "\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4"]
    {
        let (line, message) = File::parse(&format!("\nmetrics_token = \"{token}\"")).unwrap_err();
        assert_eq!(line, 2);
        assert!(message.contains("at least 16") && !message.contains(token), "{message}");
    }
    let (_, message) = File::parse("metrics_token = 12345678901234567").unwrap_err();
    assert!(!message.contains("12345678901234567"), "{message}");
}

#[test]
fn a_database_is_named_by_its_url_and_a_wrong_one_is_refused_without_being_shown() {
    let url = "postgres://ana:hunter2@db.example.org/tvphone";
    let config = applied(&format!("database = \"{url}\""));
    assert_eq!(config.database, Some(url.parse().unwrap()));
    assert!(!format!("{config:?}").contains("hunter2"));
    let (line, message) = File::parse("\ndatabase = \"postgres:hunter2\"").unwrap_err();
    assert!(line == 2 && message.contains("postgres://user") && !message.contains("hunter2"), "{message}");
}

#[test]
fn the_certificate_of_the_command_line_comes_before_the_files_with_its_own_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    let load = |certificate: Option<&str>, key: Option<&str>| {
        let (certificate, key) = (certificate.map(PathBuf::from), key.map(PathBuf::from));
        Config::load(crate::Flags { file: Some(file.clone()), certificate, key, ..crate::Flags::default() })
    };
    let files = |certificate: PathBuf, key: PathBuf| Some(CertificateFiles { certificate, key });
    fs::write(&file, "data = \"data\"\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n").unwrap();
    let beside = |name: &str| folder.path().join(name);
    assert_eq!(load(None, None).unwrap().certificate, files(beside("cert.pem"), beside("key.pem")));
    assert_eq!(load(Some("/a"), Some("/b")).unwrap().certificate, files("/a".into(), "/b".into()));
    assert_eq!(load(Some("/a"), None).unwrap().certificate, files("/a".into(), "/a".into()), "both in one file");
    fs::write(&file, "data = \"data\"\nkey = \"key.pem\"\n").unwrap();
    assert!(load(None, None).unwrap_err().to_string().contains("goes with no certificate"));
    fs::write(&file, "data = \"data\"\n").unwrap();
    assert_eq!(load(None, None).unwrap().certificate, None);
}

#[test]
fn a_data_folder_is_named_as_seen_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay.toml");
    for (said, meant) in [("here", folder.path().join("here")), ("/there", PathBuf::from("/there"))] {
        fs::write(&path, format!("data = \"{said}\"")).unwrap();
        assert_eq!(File::read(&path).unwrap().data(), Some(meant));
    }
    assert!(matches!(File::read(&folder.path().join("none.toml")), Err(Error::ConfigFile { .. })));
    assert!(File::read_if_there(&folder.path().join("none.toml")).unwrap().data().is_none());
    fs::write(&path, "\nshoe_size = 38\n").unwrap();
    let error = File::read_if_there(&path).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}, line 2: unknown field `shoe_size`", path.display())), "{error}");
}
