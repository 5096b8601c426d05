//! Web servers in front of a relay: Debian's configuration, moved to a folder and a port of its own, with the one line or section
//! more that passes requests on.

use std::{fs, net::SocketAddr};

use super::{Kit, Missing, Place, free_address};

/// Apache's modules that a new installation has, and the two for passing on.
const APACHE_MODULES: [&str; 22] = [
    "mpm_event",
    "access_compat",
    "alias",
    "auth_basic",
    "authn_core",
    "authn_file",
    "authz_core",
    "authz_host",
    "authz_user",
    "autoindex",
    "deflate",
    "dir",
    "env",
    "filter",
    "mime",
    "negotiation",
    "reqtimeout",
    "setenvif",
    "status",
    "proxy",
    "proxy_http",
    "dir",
];

pub fn nginx(kit: &Kit, place: &mut Place, relay: SocketAddr) -> Result<SocketAddr, Missing> {
    let address = free_address();
    start_nginx(kit, place, address, &format!("proxy_pass http://{relay};"), "")?;
    Ok(address)
}

/// A server that speaks TLS with this certificate and passes on to the relay.
pub fn nginx_with_tls(kit: &Kit, place: &mut Place, relay: SocketAddr, files: [&str; 2]) -> Result<SocketAddr, Missing> {
    let address = free_address();
    let [certificate, key] = files;
    let tls = format!(" ssl; ssl_certificate {certificate}; ssl_certificate_key {key}");
    start_nginx(kit, place, address, &format!("proxy_pass http://{relay};"), &tls)?;
    Ok(address)
}

fn start_nginx(kit: &Kit, place: &mut Place, address: SocketAddr, line: &str, tls: &str) -> Result<(), Missing> {
    let program = "usr/sbin/nginx";
    kit.find(program)?;
    let (log, own) = (place.folder("nginx-log"), place.path().join("nginx"));
    let (log, own) = (log.display().to_string(), own.display().to_string());
    let changes = [
        ("/etc/nginx", own.as_str()),
        ("/var/log/nginx", &log),
        ("/run/nginx.pid", &format!("{log}/pid")),
        // Started by root its workers must reach the folder; by anyone else the line is passed over.
        ("user www-data;", "user root;"),
        ("listen 80 default_server;", &format!("listen {address}{tls};")),
        ("listen [::]:80 default_server;", ""),
        ("try_files $uri $uri/ =404;", line),
    ];
    let folder = place.copy(&kit.find("etc/nginx")?, "nginx", &changes);
    fs::create_dir_all(folder.join("sites-enabled")).expect("the folder can be made");
    fs::copy(folder.join("sites-available/default"), folder.join("sites-enabled/default")).expect("the site is there");
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let folders: String = kinds.map(|kind| format!("{kind}_temp_path {log}/{kind};\n")).concat();
    fs::create_dir_all(folder.join("conf.d")).expect("the folder can be made");
    fs::write(folder.join("conf.d/folders.conf"), folders).expect("the file can be written");
    let mut command = kit.command(program)?;
    command.args(["-g", "daemon off;", "-e"]).arg(format!("{log}/error.log")).arg("-c").arg(folder.join("nginx.conf"));
    place.start(&mut command, address)
}

pub fn apache(kit: &Kit, place: &mut Place, relay: SocketAddr) -> Result<SocketAddr, Missing> {
    let program = "usr/sbin/apache2";
    let (address, modules) = (free_address(), kit.find("usr/lib/apache2")?.display().to_string());
    let own = place.path().join("apache").display().to_string();
    let changes = [
        ("/usr/lib/apache2", modules.as_str()),
        ("/etc/apache2", &own),
        ("\nListen 80\n", &format!("\nListen {address}\n")),
        ("<VirtualHost *:80>", &format!("<VirtualHost *:{}>", address.port())),
        ("DocumentRoot /var/www/html", &format!("ProxyPass / http://{relay}/")),
        ("/etc/mime.types", "/dev/null"),
    ];
    let folder = place.copy(&kit.find("etc/apache2")?, "apache", &changes);
    let enable = |kind: &str, name: String| {
        let (from, to) = (folder.join(format!("{kind}-available")), folder.join(format!("{kind}-enabled")));
        fs::create_dir_all(&to).expect("the folder can be made");
        if from.join(&name).exists() {
            fs::copy(from.join(&name), to.join(&name)).expect("the file can be copied");
        }
    };
    for module in APACHE_MODULES {
        enable("mods", format!("{module}.load"));
        enable("mods", format!("{module}.conf"));
    }
    enable("sites", "000-default.conf".to_owned());
    let run = place.folder("apache-run");
    let mut command = kit.command(program)?;
    command.env("APACHE_RUN_USER", "www-data").env("APACHE_RUN_GROUP", "www-data").env("APACHE_PID_FILE", run.join("pid"));
    for name in ["APACHE_RUN_DIR", "APACHE_LOCK_DIR", "APACHE_LOG_DIR"] {
        command.env(name, &run);
    }
    command.arg("-DFOREGROUND").arg("-d").arg(&folder).arg("-f").arg(folder.join("apache2.conf"));
    place.start(&mut command, address)?;
    Ok(address)
}

pub fn haproxy(kit: &Kit, place: &mut Place, relay: SocketAddr) -> Result<SocketAddr, Missing> {
    let program = "usr/sbin/haproxy";
    kit.find(program)?;
    let address = free_address();
    let errors = kit.find("etc/haproxy")?.display().to_string();
    let text = fs::read_to_string(kit.find("etc/haproxy/haproxy.cfg")?).map_err(|error| Missing(error.to_string()))?;
    // Without the lines that want root, a system log or the background.
    let not_here = ["chroot ", "stats socket", "user ", "group ", "daemon", "log /dev/log"];
    let kept = text.lines().filter(|line| !not_here.iter().any(|word| line.trim_start().starts_with(word)));
    let mut text = kept.map(|line| line.replace("/etc/haproxy", &errors) + "\n").collect::<String>();
    text += &format!("frontend web\n\tbind {address}\n\tdefault_backend relay\nbackend relay\n\tserver relay {relay}\n");
    let file = place.write("haproxy.cfg", &text);
    place.start(kit.command(program)?.arg("-db").arg("-f").arg(file), address)?;
    Ok(address)
}

pub fn caddy(kit: &Kit, place: &mut Place, relay: SocketAddr) -> Result<SocketAddr, Missing> {
    let program = "usr/bin/caddy";
    kit.find(program)?;
    let address = free_address();
    let changes = [
        ("# reverse_proxy localhost:8080", format!("reverse_proxy {relay}")),
        (":80 {", format!("http://{address} {{")),
        // Its remote control would take a port that may be another's.
        ("# The Caddyfile is an easy", "{\n\tadmin off\n}\n# The Caddyfile is an easy".to_owned()),
    ];
    let changes: Vec<_> = changes.iter().map(|(word, other)| (*word, other.as_str())).collect();
    let file = place.copy(&kit.find("etc/caddy/Caddyfile")?, "Caddyfile", &changes);
    let home = place.folder("caddy-home");
    let mut command = kit.command(program)?;
    for name in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
        command.env(name, &home);
    }
    place.start(command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file), address)?;
    Ok(address)
}
