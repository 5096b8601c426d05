//! Proxies in the way out: Debian's configuration, moved to a folder and a port of its own, some with a password.

use std::{fs, net::SocketAddr, process::Command};

use super::{Kit, Missing, Place, free_address};

/// Who may use them.
pub const USER: &str = "Ana Lovelace";
pub const PASSWORD: &str = "an \"engine\"";

/// Where words with blanks can't be configured.
pub const PLAIN_USER: &str = "ana";
pub const PLAIN_PASSWORD: &str = "engine";

const REALM: &str = "the inner net";

/// How Squid asks who is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    Nobody,
    Basic,
    Digest,
    /// Digest, with a challenge that is stale after a second.
    HastyDigest,
}

/// `tunnels` is a port that CONNECT is allowed to, besides 443.
pub fn squid(kit: &Kit, place: &mut Place, asks: Asks, tunnels: Option<u16>) -> Result<SocketAddr, Missing> {
    let program = "usr/sbin/squid";
    kit.find(program)?;
    let address = free_address();
    let own = place.folder("squid");
    let own = own.display();
    let share = kit.find("usr/share/squid")?;
    // It becomes another user, who may not look everywhere.
    let bring = |from: &str, to: &str| -> Result<String, Missing> {
        let to = format!("{own}/{to}");
        fs::copy(kit.find(from)?, &to).map_err(|error| Missing(format!("/{from}: {error}")))?;
        Ok(to)
    };
    bring("usr/share/squid/mime.conf", "mime.conf")?;
    let mut gate = String::new();
    match asks {
        Asks::Nobody => {}
        Asks::Basic => {
            let helper = bring("usr/lib/squid/basic_ncsa_auth", "basic")?;
            let file = place.write("squid/users", &format!("{USER}:{}\n", crypted(PASSWORD)?));
            gate += &format!("auth_param basic program {helper} {}\nauth_param basic realm {REALM}\n", file.display());
            gate += "auth_param basic casesensitive on\n";
        }
        Asks::Digest | Asks::HastyDigest => {
            let helper = bring("usr/lib/squid/digest_file_auth", "digest")?;
            let file = place.write("squid/users", &format!("{USER}:{PASSWORD}\n"));
            gate += &format!("auth_param digest program {helper} {}\nauth_param digest realm {REALM}\n", file.display());
            if asks == Asks::HastyDigest {
                gate += "auth_param digest nonce_max_duration 1 second\nauth_param digest nonce_garbage_interval 1 second\n";
            }
        }
    }
    if asks != Asks::Nobody {
        gate += "acl known proxy_auth REQUIRED\nhttp_access deny !known\n";
    }
    let changes = [
        ("http_port 3128", format!("http_port {address}")),
        ("include /etc/squid/conf.d/*.conf", gate),
        ("coredump_dir /var/spool/squid", format!("coredump_dir {own}")),
        (
            "acl SSL_ports port 443",
            format!("acl SSL_ports port 443 {}", tunnels.map(|port| port.to_string()).unwrap_or_default()),
        ),
    ];
    let changes: Vec<_> = changes.iter().map(|(word, other)| (*word, other.as_str())).collect();
    let file = place.copy(&kit.find("etc/squid/squid.conf")?, "squid.conf", &changes);
    let moved = format!(
        "\npid_filename {own}/pid\ncache_log {own}/cache.log\naccess_log none\nlogfile_rotate 0\nmime_table {own}/mime.conf\n\
         error_directory {errors}\nicon_directory {icons}\nvisible_hostname proxy.test\npinger_enable off\n\
         unlinkd_program /bin/true\nshutdown_lifetime 0 seconds\n",
        errors = share.join("errors/templates").display(),
        icons = share.join("icons").display(),
    );
    let text = fs::read_to_string(&file).map_err(|error| Missing(error.to_string()))? + &moved;
    fs::write(&file, text).map_err(|error| Missing(error.to_string()))?;
    place.start(kit.command(program)?.args(["-N", "-f"]).arg(file), address)?;
    Ok(address)
}

/// With a password it wants [`PLAIN_USER`] and [`PLAIN_PASSWORD`].
pub fn tinyproxy(kit: &Kit, place: &mut Place, password: bool, tunnels: Option<u16>) -> Result<SocketAddr, Missing> {
    let program = "usr/bin/tinyproxy";
    kit.find(program)?;
    let address = free_address();
    let share = kit.find("usr/share/tinyproxy")?.display().to_string();
    let mut changes = vec![
        ("\nUser tinyproxy", "\n".to_owned()),
        ("\nGroup tinyproxy", "\n".to_owned()),
        ("\nPort 8888", format!("\nPort {}\nListen {}", address.port(), address.ip())),
        ("/usr/share/tinyproxy", share),
        ("/var/log/tinyproxy", place.path().display().to_string()),
        ("/run/tinyproxy", place.path().display().to_string()),
    ];
    let gate = if password { format!("\nBasicAuth {PLAIN_USER} {PLAIN_PASSWORD}") } else { String::new() };
    let tunnels = tunnels.map(|port| format!("\nConnectPort {port}")).unwrap_or_default();
    changes.push(("\nMaxClients 100", format!("\nMaxClients 100{gate}{tunnels}")));
    let changes: Vec<_> = changes.iter().map(|(word, other)| (*word, other.as_str())).collect();
    let file = place.copy(&kit.find("etc/tinyproxy/tinyproxy.conf")?, "tinyproxy.conf", &changes);
    place.start(kit.command(program)?.arg("-d").arg("-c").arg(file), address)?;
    Ok(address)
}

/// With a password it wants [`PLAIN_USER`] and [`PLAIN_PASSWORD`]. It lets TLS pass without looking into it.
pub fn mitmproxy(kit: &Kit, place: &mut Place, password: bool) -> Result<SocketAddr, Missing> {
    let script = kit.find("usr/bin/mitmdump")?;
    let address = free_address();
    let mut command = kit.command("usr/bin/python3")?;
    command.env("PYTHONPATH", kit.python_path()).arg(script).arg("--set").arg(format!("confdir={}", place.path().display()));
    command.args(["--listen-host", &address.ip().to_string(), "--listen-port", &address.port().to_string()]);
    command.args(["--ignore-hosts", ".*"]);
    if password {
        command.args(["--proxyauth", &format!("{PLAIN_USER}:{PLAIN_PASSWORD}")]);
    }
    place.start(&mut command, address)?;
    Ok(address)
}

/// As `htpasswd` writes it.
fn crypted(password: &str) -> Result<String, Missing> {
    let output = Command::new("openssl").args(["passwd", "-apr1", password]).output();
    let output = output.map_err(|error| Missing(format!("openssl can't be run: {error}")))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
