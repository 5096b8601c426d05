//! Debian's glewlwyd, one process with an SQLite file, set up by its own web interface.

use std::{
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{eventually, process::Process};

use crate::browser::Browser;

/// The tables and the administrator, as its package has them for a fresh installation.
const SCHEMA: &str = "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3";

/// Who that is.
const ADMINISTRATOR: (&str, &str) = ("admin", "password");

/// What the provider calls the relay.
pub(crate) const CLIENT_ID: &str = "tvphone";

const SECRET_FILE: &str = "client-secret";

const START_LIMIT: Duration = Duration::from_secs(20);

/// What the provider signs by.
#[derive(Clone, Copy)]
pub(crate) enum Key {
    Ecdsa,
    Rsa,
}

impl Key {
    fn name(self) -> &'static str {
        match self {
            Self::Ecdsa => "ecdsa",
            Self::Rsa => "rsa",
        }
    }

    /// By what the relay proves to be that: once with what has a meaning in a header and in a form.
    fn secret(self) -> &'static str {
        match self {
            Self::Ecdsa => "s3cret: & more",
            Self::Rsa => "s3cret-of-the-relay",
        }
    }

    /// A new private key and its public half, both in PEM.
    fn make(self) -> (String, String) {
        let arguments: &[&str] = match self {
            Self::Ecdsa => &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
            Self::Rsa => &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        };
        let folder = TempDir::new().expect("a folder of its own");
        let file = folder.path().join("key.pem");
        let private = said(Command::new("openssl").args(arguments));
        std::fs::write(&file, &private).expect("the key can be written");
        let public = said(Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(&file));
        (private, public)
    }
}

/// The provider; it ends with the test, and its folder with it.
pub(crate) struct Glewlwyd {
    _process: Process,
    address: String,
    key: Key,
    folder: TempDir,
}

impl Glewlwyd {
    /// Starts it, or says what is missing.
    pub(crate) fn start(key: Key) -> Result<Self, &'static str> {
        for program in ["glewlwyd", "sqlite3", "openssl"] {
            let found = Command::new("sh").args(["-c", "command -v \"$0\"", program]).stdout(Stdio::null()).status();
            if !found.is_ok_and(|status| status.success()) {
                return Err(program);
            }
        }
        let schema = std::fs::File::open(SCHEMA).map_err(|_| SCHEMA)?;
        // A port that was free a moment ago: it can't choose one itself.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("there is a free port");
        let folder = TempDir::new().expect("a folder of its own");
        let database = folder.path().join("glewlwyd.db");
        let made = Command::new("sqlite3").arg(&database).stdin(schema).status().expect("sqlite3 runs");
        assert!(made.success(), "the provider's tables can't be made");
        std::fs::write(folder.path().join(SECRET_FILE), key.secret()).expect("the relay's secret can be written");
        let file = folder.path().join("glewlwyd.conf");
        std::fs::write(&file, configuration(free.port(), folder.path(), &database)).expect("its configuration can be written");
        let mut command = Command::new("glewlwyd");
        command.arg(format!("--config-file={}", file.display())).stdout(Stdio::null());
        let process = Process::start(&mut command);
        eventually("the provider answers", START_LIMIT, || TcpStream::connect(free).ok());
        Ok(Self { _process: process, address: format!("http://{free}"), key, folder })
    }

    /// As it names itself.
    pub(crate) fn issuer(&self) -> String {
        self.at("oidc")
    }

    /// Where it keeps what it tells whoever runs the relay: the secret.
    pub(crate) fn secret_file(&self) -> PathBuf {
        self.folder.path().join(SECRET_FILE)
    }

    /// Makes it a provider that knows Ana.
    pub(crate) async fn set_up(&self) {
        let mut administrator = self.administrator().await;
        for scope in ["profile", "email"] {
            self.tell(&mut administrator, "scope/", json!({"name": scope, "display_name": scope, "password_required": false}))
                .await;
        }
        let plugin = json!({"module": "oidc", "name": "oidc", "display_name": "Sign in", "enabled": true, "parameters": self.parameters()});
        self.tell(&mut administrator, "mod/plugin/", plugin).await;
        let ana = json!({
            "username": "ana", "name": "Ana K", "email": "ana@example.org", "password": "ana's password", "enabled": true,
            "scope": ["openid", "profile", "email"]
        });
        self.tell(&mut administrator, "user/", ana).await;
    }

    /// Makes it know the relay, whose browsers it sends back there.
    pub(crate) async fn admit(&self, redirect_uri: &str) {
        let mut administrator = self.administrator().await;
        let client = json!({
            "client_id": CLIENT_ID, "name": "tvphone", "client_secret": self.key.secret(), "confidential": true, "enabled": true,
            "scope": [], "redirect_uri": [redirect_uri], "authorization_type": ["code"],
            "token_endpoint_auth_method": ["client_secret_basic", "client_secret_post"]
        });
        self.tell(&mut administrator, "client/", client).await;
    }

    async fn administrator(&self) -> Browser {
        let mut administrator = Browser::new();
        let (username, password) = ADMINISTRATOR;
        self.tell(&mut administrator, "auth/", json!({"username": username, "password": password})).await;
        administrator
    }

    /// The person says who they are, and that the relay may know.
    pub(crate) async fn log_in(&self, browser: &mut Browser, username: &str) {
        let password = format!("{username}'s password");
        self.tell(browser, "auth/", json!({"username": username, "password": password})).await;
        let grant = json!({"scope": "openid profile email"});
        let granted = browser.json(Method::PUT, &self.at(&format!("auth/grant/{CLIENT_ID}/")), &grant).await;
        assert_eq!(granted.status, 200, "{}", granted.text);
    }

    /// Goes where the relay sends a browser whose person is known: where it is sent back to.
    pub(crate) async fn go_on(&self, browser: &mut Browser, there: &str) -> String {
        // What its own page adds once the person has pressed the button there.
        let page = browser.get(&format!("{there}&g_continue")).await;
        page.location.unwrap_or_else(|| panic!("the provider answers with status {}: {}", page.status, page.text))
    }

    fn parameters(&self) -> Value {
        let (private, public) = self.key.make();
        json!({
            "iss": self.issuer(), "jwt-type": self.key.name(), "jwt-key-size": "256", "key": private, "cert": public,
            "access-token-duration": 600, "refresh-token-duration": 600, "code-duration": 60, "refresh-token-rolling": false,
            "allow-non-oidc": false, "auth-type-code-enabled": true, "auth-type-token-enabled": false,
            "auth-type-id-token-enabled": true, "auth-type-none-enabled": false, "auth-type-password-enabled": false,
            "auth-type-client-enabled": false, "auth-type-device-enabled": false, "auth-type-refresh-enabled": false,
            "scope": [], "additional-parameters": [], "jwks-show": true, "jwks-x5c": [], "subject-type": "public",
            "name-claim": "mandatory", "email-claim": "mandatory", "email-claim-scope": [],
            "claims": [{
                "name": "preferred_username", "user-property": "username", "type": "string", "mandatory": false,
                "on-demand": false, "scope": ["profile"]
            }],
            "pkce-allowed": true, "pkce-required": true, "pkce-method-plain-allowed": false,
            "request-parameter-allow": false, "oauth-par-allowed": false
        })
    }

    async fn tell(&self, browser: &mut Browser, path: &str, body: Value) {
        let page = browser.json(Method::POST, &self.at(path), &body).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
    }

    fn at(&self, path: &str) -> String {
        format!("{}/api/{path}", self.address)
    }
}

/// Its configuration file. It wants a folder of pages, though none is looked at, and certificates named, though there are none.
fn configuration(port: u16, folder: &Path, database: &Path) -> String {
    let (folder, database) = (folder.display(), database.display());
    format!(
        "port={port}\nbind_address=\"127.0.0.1\"\nexternal_url=\"http://127.0.0.1:{port}\"\nlogin_url=\"login.html\"\napi_prefix=\"api\"\n\
         static_files_path=\"{folder}\"\nlog_mode=\"console\"\nlog_level=\"ERROR\"\ncookie_domain=\"127.0.0.1\"\ncookie_secure=0\n\
         session_expiration=3600\nsession_key=\"GLEWLWYD2_SESSION_ID\"\nadmin_scope=\"g_admin\"\nprofile_scope=\"g_profile\"\n\
         user_module_path=\"/usr/lib/glewlwyd/user\"\nclient_module_path=\"/usr/lib/glewlwyd/client\"\n\
         user_auth_scheme_module_path=\"/usr/lib/glewlwyd/scheme\"\nplugin_module_path=\"/usr/lib/glewlwyd/plugin\"\n\
         use_secure_connection=false\nsecure_connection_key_file=\"none\"\nsecure_connection_pem_file=\"none\"\n\
         secure_connection_ca_file=\"none\"\nhash_algorithm=\"SHA512\"\ndatabase = {{ type = \"sqlite3\" path = \"{database}\" }};\n"
    )
}

fn said(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a text")
}
