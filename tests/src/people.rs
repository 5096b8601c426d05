//! A relay process with people on it.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use tempfile::TempDir;

use crate::{process::Process, program};

const START_LIMIT: Duration = Duration::from_secs(20);

/// A relay of its own: its data folder goes with it.
pub struct Relay {
    process: Option<Process>,
    scheme: &'static str,
    listen: String,
    folder: TempDir,
}

impl Relay {
    /// Starts a relay with nobody on it.
    pub fn start() -> Self {
        Self::configured("http", |_| String::new())
    }

    /// Starts a relay with a configuration file, which may name the relay's address.
    pub fn configured(scheme: &'static str, configuration: impl FnOnce(&str) -> String) -> Self {
        Self::configured_at("127.0.0.1", scheme, configuration)
    }

    /// Starts a relay where Ana and Ben are buddies, at another of this machine's addresses.
    pub fn with_ana_and_ben_at(host: &str) -> Self {
        Self::configured_at(host, "http", |_| String::new()).and_ana_and_ben()
    }

    /// The same with TLS and a certificate of the relay's own making.
    pub fn secure_with_ana_and_ben_at(host: &str) -> Self {
        Self::configured_at(host, "https", |_| String::new()).and_ana_and_ben()
    }

    fn configured_at(host: &str, scheme: &'static str, configuration: impl FnOnce(&str) -> String) -> Self {
        // A port that was free a moment ago, and known beforehand: a restarted relay must come back on the same one.
        let free = TcpListener::bind((host, 0)).and_then(|listener| listener.local_addr()).expect("there is a free port");
        let folder = TempDir::new().expect("a folder of its own");
        let mut relay = Self { process: None, scheme, listen: free.to_string(), folder };
        std::fs::create_dir_all(relay.data()).expect("its data folder can be made");
        let text = configuration(&relay.url());
        std::fs::write(relay.data().join("tvphone-relay.toml"), text).expect("its configuration can be written");
        relay.restart();
        relay
    }

    /// Starts a relay where Ana and Ben are buddies.
    pub fn with_ana_and_ben() -> Self {
        Self::start().and_ana_and_ben()
    }

    /// The same with TLS and a certificate of the relay's own making.
    pub fn secure_with_ana_and_ben() -> Self {
        Self::configured("https", |_| String::new()).and_ana_and_ben()
    }

    fn and_ana_and_ben(self) -> Self {
        let relay = self;
        relay.add_user("Ana");
        relay.add_user("Ben");
        relay.add_buddies("Ana", "Ben");
        relay
    }

    /// Starts it again on its old port and data.
    pub fn restart(&mut self) {
        assert!(self.process.is_none(), "the relay runs already");
        let mut command = Command::new(program("tvphone-relay"));
        command.args(["serve", "--listen", &self.url(), "--data"]).arg(self.data());
        let (process, line) = Process::start_and_read_line(&mut command, START_LIMIT);
        assert!(line.contains(&self.url()), "the relay said {line:?}");
        self.process = Some(process);
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        self.process.take().expect("the relay runs").kill();
    }

    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the relay runs")
    }

    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.listen)
    }

    /// What its certificate is known by, as whoever runs it would tell.
    pub fn fingerprint(&self) -> String {
        let output = self.admin(&["fingerprint"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("plain text").trim().to_owned()
    }

    pub fn address(&self) -> SocketAddr {
        self.listen.parse().expect("it listens at an address")
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("relay")
    }

    /// A folder for what the test leaves behind; it goes with the relay.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn password_file(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.password"))
    }

    pub fn password(name: &str) -> String {
        format!("{name}'s own secret")
    }

    /// Signs in as a client does, with nobody behind it.
    pub async fn sign_in(&self, name: &str) -> relay_client::Session {
        let client = relay_client::Relay::new(&self.url()).expect("an address");
        let password = Self::password(name);
        client.sign_in(&name.parse().expect("a name"), &password, "test").await.expect("the account is there")
    }

    pub fn add_user(&self, name: &str) {
        let file = self.password_file(name);
        std::fs::write(&file, Self::password(name)).expect("a password file can be written");
        let output = self.admin(&["user", "add", name, "--password-file", file.to_str().expect("a plain path")]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn add_buddies(&self, one: &str, other: &str) {
        let output = self.admin(&["buddy", "add", one, other]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs `tvphone-relay admin` beside the running relay.
    pub fn admin(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(program("tvphone-relay"));
        command.arg("admin").arg("--data").arg(self.data()).args(arguments).output().expect("tvphone-relay runs")
    }
}
